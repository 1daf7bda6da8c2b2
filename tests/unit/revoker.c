// SPDX-License-Identifier: GPL-2.0-only
#include <sched.h>
#include <stdlib.h>

#include "revoker.h"
#include "unit.h"

static void *run(void *arg)
{
	struct revoker *r = arg;

	r->revoke();
	atomic_store(&r->done, true);
	return NULL;
}

void revoker_start(struct revoker *r, void (*revoke)(void))
{
	r->revoke = revoke;
	atomic_store(&r->done, false);
	if (pthread_create(&r->thread, NULL, run, r))
		abort();
}

bool revoker_waits(struct revoker *r, struct dma_chan *chan)
{
	while (!atomic_load(&r->done) && !atomic_load(&chan->waiting))
		sched_yield();
	return !atomic_load(&r->done);
}

void revoker_join(struct revoker *r)
{
	pthread_join(r->thread, NULL);
	CHECK(atomic_load(&r->done));
}
