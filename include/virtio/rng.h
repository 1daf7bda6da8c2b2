/* SPDX-License-Identifier: GPL-2.0-only */
/* The virtio entropy device (virtio 1.3, 5.4): random bytes of the host, by one queue. */
#ifndef LKVM_VIRTIO_RNG_H
#define LKVM_VIRTIO_RNG_H

#include "virtio/device.h"
#include "virtio/options.h"
#include "virtio/worker.h"

/* What "--rng[=...]" says. */
struct rng_config {
	struct virtio_options options;
};

/* What --rng takes, for the usage text. */
extern const char rng_usage[];

/* Parses the value of --rng, NULL if there is none. Prints the reason; -EINVAL. */
int rng_parse(const char *arg, struct rng_config *out);

struct virtio_rng {
	struct virtio_device vdev;
	struct virtio_worker worker;
	struct virtq_chain chain; /* the request in work, of the worker's thread */
	_Atomic u64 bytes; /* that the guest got; written by the worker's thread */
};

/*
 * Makes the device. Prints the reason on failure. -EAGAIN: the host's own generator is
 * not seeded yet; -ENOMEM, -EMFILE.
 */
int virtio_rng_create(struct virtio_rng **out, const struct guest_mem *mem,
		      struct iommu_endpoint *ep);

/* Ends the thread. The transport must not use the device any more. */
void virtio_rng_destroy(struct virtio_rng *rng);

#endif /* LKVM_VIRTIO_RNG_H */
