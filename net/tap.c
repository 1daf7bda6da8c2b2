// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/tap.h"
#include "util/log.h"

#define TUN_PATH "/dev/net/tun"
/* The kernel puts the first free number in the place of %d. */
#define NEW_NAME "lkvm%d"

/* Bytes of the header in front of each frame: struct virtio_net_hdr_v1. */
#define HEADER_SIZE 12

#define MUST_FLAGS (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR)

static int set_offloads(struct net_backend *tap, u32 offloads)
{
	/* The kernel knows UDP over both or neither. */
	u32 uso = NET_OFFLOAD_USO4 | NET_OFFLOAD_USO6;

	if ((offloads & uso) != uso)
		offloads &= ~uso;
	return ioctl(tap->fds[0], TUNSETOFFLOAD, (unsigned long)offloads) < 0 ? -errno : 0;
}

static int set_queue(struct net_backend *tap, unsigned int index, bool attached)
{
	struct ifreq ifr = {
		.ifr_flags = attached ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE,
	};

	return ioctl(tap->fds[index], TUNSETQUEUE, &ifr) < 0 ? -errno : 0;
}

static void close_tap(struct net_backend *tap)
{
	for (unsigned int i = 0; i < tap->nr_queues; i++)
		close(tap->fds[i]);
	free(tap);
}

static const struct net_backend_ops tap_ops = {
	.set_offloads = set_offloads,
	.set_queue = set_queue,
	.close = close_tap,
};

int tap_check_fd(const char *what, int fd, char name[IFNAMSIZ], bool *multi_queue)
{
	struct ifreq ifr = {0};
	u16 flags;

	if (fcntl(fd, F_GETFD) < 0) {
		pr_err("%s: fd=%d is not open: start lkvm with that descriptor of a tap interface",
		       what, fd);
		return -EBADF;
	}
	if (ioctl(fd, TUNGETIFF, &ifr) < 0) {
		pr_err("%s: fd=%d is not a tap interface's: open /dev/net/tun and use TUNSETIFF",
		       what, fd);
		return -EINVAL;
	}
	flags = ifr.ifr_flags;
	if ((flags & MUST_FLAGS) != MUST_FLAGS) {
		const char *lacks = !(flags & IFF_TAP)	   ? "IFF_TAP"
				    : !(flags & IFF_NO_PI) ? "IFF_NO_PI"
							   : "IFF_VNET_HDR";

		pr_err("%s: fd=%d: interface %.*s was opened without %s; it needs "
		       "IFF_TAP | IFF_NO_PI | IFF_VNET_HDR",
		       what, fd, IFNAMSIZ, ifr.ifr_name, lacks);
		return -EINVAL;
	}
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	memcpy(name, ifr.ifr_name, IFNAMSIZ);
	name[IFNAMSIZ - 1] = '\0';
	*multi_queue = flags & IFF_MULTI_QUEUE;
	return 0;
}

static int open_tun(const char *what)
{
	int fd = open(TUN_PATH, O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0)
		return fd;
	fd = -errno;
	if (fd == -ENOENT || fd == -ENODEV || fd == -ENXIO)
		pr_err("%s: the host has no %s: load its module with 'modprobe tun'", what,
		       TUN_PATH);
	else
		pr_err("%s: cannot open %s: %s", what, TUN_PATH, strerror(-fd));
	return fd;
}

static int set_iff(int fd, const char *name, u16 flags, struct ifreq *ifr)
{
	memset(ifr, 0, sizeof(*ifr));
	memcpy(ifr->ifr_name, name, strnlen(name, IFNAMSIZ - 1));
	ifr->ifr_flags = flags;
	return ioctl(fd, TUNSETIFF, ifr) < 0 ? -errno : 0;
}

/* Whether the interface, which exists, can be opened in this way. */
static bool opens_with(const char *name, u16 flags)
{
	int fd = open(TUN_PATH, O_RDWR | O_CLOEXEC);
	struct ifreq ifr;
	bool opens;

	if (fd < 0)
		return false;
	opens = !set_iff(fd, name, flags, &ifr);
	close(fd);
	return opens;
}

static int explain_existing(const char *what, const struct tap_config *config, int err)
{
	const char *name = config->name;

	if (err == -EBUSY)
		pr_err("%s: interface %s is busy: another program uses it", what, name);
	else if (err == -EPERM)
		pr_err("%s: no permission to use interface %s: run as root, or make it with "
		       "'ip tuntap add %s mode tap user NAME'",
		       what, name, name);
	else if (err == -E2BIG)
		pr_err("%s: interface %s has no %u queues left", what, name, config->nr_queues);
	else if (err != -EINVAL)
		pr_err("%s: cannot use interface %s: %s", what, name, strerror(-err));
	else if (config->nr_queues > 1 && opens_with(name, MUST_FLAGS))
		pr_err("%s: interface %s has one queue: use queues=1, or make it with "
		       "'ip tuntap add %s mode tap multi_queue'",
		       what, name, name);
	else
		pr_err("%s: interface %s is not a tap: make one with 'ip tuntap add NAME mode tap'",
		       what, name);
	return err;
}

static int explain_new(const char *what, const struct tap_config *config, int err)
{
	const char *name = config->name;

	if (err == -EBUSY)
		pr_err("%s: an interface %s exists already: name another one, or use it with "
		       "'tap=%s'",
		       what, name, name);
	else if (err == -EPERM)
		pr_err("%s: no permission to make an interface: run as root, or use one that "
		       "'ip tuntap add NAME mode tap user NAME' made",
		       what);
	else
		pr_err("%s: cannot make an interface%s%s: %s", what, *name ? " " : "", name,
		       strerror(-err));
	return err;
}

/*
 * Opens the first queue of the interface. One that exists has to be opened in the mode
 * in which it was made. @flags: with which it was.
 */
static int open_first(int fd, const struct tap_config *config, u16 *flags, struct ifreq *ifr)
{
	bool multi = config->nr_queues > 1;
	int ret;

	*flags = MUST_FLAGS | (multi ? IFF_MULTI_QUEUE : 0);
	if (config->mode == TAP_NEW)
		return set_iff(fd, *config->name ? config->name : NEW_NAME, *flags | IFF_TUN_EXCL,
			       ifr);
	ret = set_iff(fd, config->name, *flags, ifr);
	if (ret == -EINVAL && !multi) {
		*flags |= IFF_MULTI_QUEUE;
		ret = set_iff(fd, config->name, *flags, ifr);
	}
	return ret;
}

static int open_interface(struct net_backend *tap, const char *what,
			  const struct tap_config *config)
{
	struct ifreq ifr;
	u16 flags = 0;
	int ret, fd;

	/* Otherwise the kernel would make it. */
	if (config->mode == TAP_EXISTING && !if_nametoindex(config->name)) {
		pr_err("%s: there is no interface %s: make it with 'ip tuntap add %s mode tap', or "
		       "use 'new=%s'",
		       what, config->name, config->name, config->name);
		return -ENODEV;
	}
	while (tap->nr_queues < config->nr_queues) {
		fd = open_tun(what);
		if (fd < 0)
			return fd;
		tap->fds[tap->nr_queues++] = fd;
		if (tap->nr_queues == 1) {
			ret = open_first(fd, config, &flags, &ifr);
			memcpy(tap->name, ifr.ifr_name, sizeof(tap->name));
			tap->name[sizeof(tap->name) - 1] = '\0';
		} else {
			ret = set_iff(fd, tap->name, flags, &ifr);
		}
		if (ret)
			return config->mode == TAP_NEW ? explain_new(what, config, ret)
						       : explain_existing(what, config, ret);
	}
	return 0;
}

static int take_fds(struct net_backend *tap, const char *what, const struct tap_config *config)
{
	bool multi_queue;
	int ret;

	for (unsigned int i = 0; i < config->nr_queues; i++) {
		int fd = config->fds[i];
		int status;

		ret = tap_check_fd(what, fd, tap->name, &multi_queue);
		if (ret)
			return ret;
		status = fcntl(fd, F_GETFL);
		if (status < 0 || fcntl(fd, F_SETFL, status | O_NONBLOCK) < 0) {
			ret = -errno;
			pr_err("%s: fd=%d: %s", what, fd, strerror(-ret));
			return ret;
		}
		tap->fds[i] = fd;
	}
	return 0;
}

/* What a frame looks like, and what the host can leave to the guest. */
static int set_format(struct net_backend *tap, const char *what)
{
	static const u32 choices[] = {
		NET_OFFLOAD_CSUM | NET_OFFLOAD_TSO4 | NET_OFFLOAD_TSO6 | NET_OFFLOAD_TSO_ECN |
			NET_OFFLOAD_USO4 | NET_OFFLOAD_USO6,
		NET_OFFLOAD_CSUM | NET_OFFLOAD_TSO4 | NET_OFFLOAD_TSO6 | NET_OFFLOAD_TSO_ECN,
		NET_OFFLOAD_CSUM | NET_OFFLOAD_TSO4 | NET_OFFLOAD_TSO6,
		NET_OFFLOAD_CSUM,
	};
	int ret = 0, size = HEADER_SIZE, one = 1;

	for (unsigned int i = 0; i < tap->nr_queues; i++) {
		if (ioctl(tap->fds[i], TUNSETVNETHDRSZ, &size) < 0 ||
		    ioctl(tap->fds[i], TUNSETVNETLE, &one) < 0) {
			ret = -errno;
			pr_err("%s: interface %s refuses virtio-net headers: %s", what, tap->name,
			       strerror(-ret));
			return ret;
		}
	}
	/* A kernel refuses what it does not know. */
	for (unsigned int i = 0; i < ARRAY_SIZE(choices); i++) {
		if (!set_offloads(tap, choices[i])) {
			tap->offloads = choices[i];
			break;
		}
	}
	ret = set_offloads(tap, 0);
	if (ret)
		pr_err("%s: interface %s cannot switch offloads: %s", what, tap->name,
		       strerror(-ret));
	return ret;
}

static int if_ioctl(int sock, unsigned long request, const struct net_backend *tap,
		    struct ifreq *ifr)
{
	memcpy(ifr->ifr_name, tap->name, IFNAMSIZ);
	return ioctl(sock, request, ifr) < 0 ? -errno : 0;
}

static void fill_sockaddr(struct sockaddr *sa, struct in_addr ip)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr = ip};

	memcpy(sa, &sin, sizeof(*sa));
}

/* The host's side of an interface that we made: MTU, address, and up. */
static int configure(struct net_backend *tap, const char *what, const struct tap_config *config)
{
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	const char *doing = "set up";
	struct ifreq ifr = {0};
	int ret = 0;

	if (sock < 0) {
		ret = -errno;
		pr_err("%s: cannot make a socket: %s", what, strerror(-ret));
		return ret;
	}
	if (config->mtu) {
		doing = "set the MTU of";
		ifr.ifr_mtu = config->mtu;
		ret = if_ioctl(sock, SIOCSIFMTU, tap, &ifr);
	}
	if (!ret && config->has_ip) {
		u32 mask = htonl(~0U << (32 - config->prefix_len));

		doing = "set the address of";
		fill_sockaddr(&ifr.ifr_addr, config->ip);
		ret = if_ioctl(sock, SIOCSIFADDR, tap, &ifr);
		if (!ret) {
			fill_sockaddr(&ifr.ifr_netmask, (struct in_addr){mask});
			ret = if_ioctl(sock, SIOCSIFNETMASK, tap, &ifr);
		}
	}
	if (!ret) {
		doing = "bring up";
		ret = if_ioctl(sock, SIOCGIFFLAGS, tap, &ifr);
	}
	if (!ret) {
		ifr.ifr_flags |= IFF_UP;
		ret = if_ioctl(sock, SIOCSIFFLAGS, tap, &ifr);
	}
	close(sock);
	if (ret)
		pr_err("%s: cannot %s interface %s: %s", what, doing, tap->name, strerror(-ret));
	return ret;
}

/* Not ours to change, but frames would come to nothing without a word. */
static void warn_if_down(const struct net_backend *tap, const char *what)
{
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = {0};

	if (sock < 0)
		return;
	if (!if_ioctl(sock, SIOCGIFFLAGS, tap, &ifr) && !(ifr.ifr_flags & IFF_UP))
		pr_warn("%s: interface %s is down: 'ip link set %s up'", what, tap->name,
			tap->name);
	close(sock);
}

int tap_open(struct net_backend **out, const char *what, const struct tap_config *config)
{
	struct net_backend *tap = calloc(1, sizeof(*tap));
	int ret;

	if (!tap) {
		pr_err("%s: out of memory", what);
		return -ENOMEM;
	}
	tap->ops = &tap_ops;
	if (config->mode == TAP_FDS) {
		ret = take_fds(tap, what, config);
		if (!ret)
			tap->nr_queues = config->nr_queues;
	} else {
		ret = open_interface(tap, what, config);
	}
	if (!ret)
		ret = set_format(tap, what);
	if (!ret && config->mode == TAP_NEW)
		ret = configure(tap, what, config);
	if (ret) {
		if (config->mode == TAP_FDS)
			tap->nr_queues = 0;
		close_tap(tap);
		return ret;
	}
	if (config->mode != TAP_NEW)
		warn_if_down(tap, what);
	else if (!*config->name)
		pr_info("%s: made interface %s", what, tap->name);
	*out = tap;
	return 0;
}
