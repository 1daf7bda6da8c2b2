/* SPDX-License-Identifier: GPL-2.0-only */
/* TAP interfaces of the host as what a network device is connected to. */
#ifndef LKVM_NET_TAP_H
#define LKVM_NET_TAP_H

#include <netinet/in.h>

#include "net/backend.h"

enum tap_mode {
	TAP_NEW, /* an interface that is made, and vanishes with the process */
	TAP_EXISTING, /* one that somebody else made and keeps */
	TAP_FDS, /* descriptors that the process was started with */
};

struct tap_config {
	enum tap_mode mode;
	char name[IFNAMSIZ]; /* of TAP_NEW "" lets the host choose lkvmN */
	unsigned int nr_queues;
	int fds[NET_MAX_QUEUES]; /* of TAP_FDS, one for each queue */

	/* Of TAP_NEW, for the host's side. */
	u32 mtu; /* 0: the default */
	bool has_ip;
	struct in_addr ip;
	unsigned int prefix_len;
};

/*
 * For an inherited descriptor, before the program opens any: whether @fd is one of a TAP
 * interface whose frames have a virtio-net header and nothing else in front. It is not
 * inherited further. Fills @name with the interface's and @multi_queue. Opens its message
 * on failure with @what; -EINVAL, -EBADF.
 */
int tap_check_fd(const char *what, int fd, char name[IFNAMSIZ], bool *multi_queue);

/*
 * Makes or attaches to what @config says; @what opens messages. Prints the reason on failure.
 * The descriptors of TAP_FDS belong to the result from then on, on failure to the caller.
 * -errno: among others -EPERM, -EBUSY, -ENODEV, -EEXIST, -EINVAL.
 */
int tap_open(struct net_backend **out, const char *what, const struct tap_config *config);

#endif /* LKVM_NET_TAP_H */
