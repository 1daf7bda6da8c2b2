// SPDX-License-Identifier: GPL-2.0-only
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "iommu-internal.h"
#include "iommu/revocation.h"

/*
 * The change is written down before its generation is published. A reader of the entry that it
 * takes the place of finds out by the generation, which the fence keeps before it.
 */
static void note_change(struct iommu_endpoint *ep, const struct iommu_scope *scope)
{
	u64 gen = atomic_load_explicit(&ep->gen, memory_order_relaxed) + 1;
	struct iommu_change *change = &ep->changes[gen % IOMMU_NR_CHANGES];

	atomic_thread_fence(memory_order_release);
	atomic_store_explicit(&change->start, scope->start, memory_order_relaxed);
	atomic_store_explicit(&change->last, scope->last, memory_order_relaxed);
	atomic_store_explicit(&change->pasid, scope->pasid, memory_order_relaxed);
	atomic_store_explicit(&change->id, scope->id, memory_order_relaxed);
	atomic_store_explicit(&change->global, scope->global, memory_order_relaxed);
	atomic_store(&ep->gen, gen);
}

void iommu_revoke_begin(struct iommu_revocation *rev, struct iommu_endpoint *ep)
{
	note_change(ep, &rev->scope);
	rev->endpoints[ep->index / 64] |= BIT_ULL(ep->index % 64);
}

void iommu_revoke_domain_begin(struct iommu_revocation *rev, struct iommu_domain *domain)
{
	struct iommu_endpoint *ep;

	list_for_each_entry (ep, &domain->endpoints, peer)
		iommu_revoke_begin(rev, ep);
}

void iommu_revoke(struct iommu_endpoint *ep, const struct iommu_scope *scope)
{
	struct iommu_revocation rev;

	iommu_revocation_init(&rev, ep->iommu);
	rev.scope = *scope;
	iommu_revoke_begin(&rev, ep);
	iommu_revocation_wait(&rev);
}

/* The next endpoint that is to be looked at, from its first channel on. */
static bool next_endpoint(struct iommu_revocation *rev)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(rev->endpoints); i++) {
		u64 left = rev->endpoints[i];

		if (!left)
			continue;
		rev->endpoints[i] = left & (left - 1);
		rev->ep = rev->iommu->by_index[64 * i + __builtin_ctzll(left)];
		rev->chan = NULL;
		return true;
	}
	rev->ep = NULL;
	return false;
}

static bool next_chan(struct iommu_revocation *rev)
{
	struct list_head *next = rev->chan ? rev->chan->node.next : rev->ep->chans.next;

	if (next == &rev->ep->chans)
		return false;
	rev->chan = container_of(next, struct dma_chan, node);
	rev->pos = (struct dma_chan_pos){0};
	return true;
}

/* Whether no channel of the endpoint holds it up any more. */
static bool endpoint_over(struct iommu_revocation *rev)
{
	bool over = true;

	pthread_mutex_lock(&rev->ep->chans_lock);
	if (rev->chan)
		over = dma_chan_over(rev->chan, &rev->scope, &rev->pos);
	while (over && next_chan(rev))
		over = dma_chan_over(rev->chan, &rev->scope, &rev->pos);
	pthread_mutex_unlock(&rev->ep->chans_lock);
	return over;
}

bool iommu_revocation_over(struct iommu_revocation *rev)
{
	while (rev->ep || next_endpoint(rev)) {
		if (!endpoint_over(rev))
			return false;
		rev->ep = NULL;
	}
	return true;
}

void iommu_revocation_wait(struct iommu_revocation *rev)
{
	for (;;) {
		u32 seen = iommu_wakes(rev->iommu);

		if (iommu_revocation_over(rev))
			return;
		iommu_sleep(rev->iommu, seen);
	}
}

void iommu_revocation_cancel(struct iommu_revocation *rev)
{
	if (rev->ep)
		dma_chan_leave(rev->chan, &rev->pos);
	iommu_revocation_init(rev, rev->iommu);
}

u32 iommu_wakes(const struct iommu *iommu)
{
	return atomic_load(&iommu->wakes);
}

void iommu_sleep(struct iommu *iommu, u32 seen)
{
	syscall(SYS_futex, &iommu->wakes, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}

void iommu_wake(struct iommu *iommu)
{
	atomic_fetch_add(&iommu->wakes, 1);
	syscall(SYS_futex, &iommu->wakes, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}
