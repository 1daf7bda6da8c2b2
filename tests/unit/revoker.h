/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A thread that takes a translation away. Whether it waits for an access is seen at the channel,
 * so that nothing depends on time.
 */
#ifndef LKVM_TESTS_REVOKER_H
#define LKVM_TESTS_REVOKER_H

#include <pthread.h>

#include "iommu/dma.h"

struct revoker {
	pthread_t thread;
	void (*revoke)(void);
	_Atomic bool done;
};

void revoker_start(struct revoker *r, void (*revoke)(void));

/* Until it has come to its end, or to a wait for an access of @chan: whether the latter. */
bool revoker_waits(struct revoker *r, struct dma_chan *chan);

void revoker_join(struct revoker *r);

#endif /* LKVM_TESTS_REVOKER_H */
