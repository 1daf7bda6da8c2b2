// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests that are done but for an access that is still open. The order of the ring is that of
 * what requests change, not that of their answers (virtio 1.3, 2.6): a driver finds by the ID of
 * a used buffer which one it is.
 */
#include "iommu-internal.h"
#include "util/trace.h"

bool viommu_set_aside(struct virtio_iommu *viommu, struct iommu_revocation *rev, u8 type, u16 head,
		      u32 len)
{
	if (iommu_revocation_over(rev))
		return false;
	if (viommu->in_place || viommu->nr_waiting == VIRTIO_IOMMU_MAX_WAITING) {
		iommu_revocation_wait(rev);
		return false;
	}
	trace(TRACE_IOMMU, "request type=%u: waits for a device to end an access", type);
	viommu->waiting[viommu->nr_waiting++] = (struct viommu_waiting){
		.rev = *rev,
		.who = pthread_self(),
		.head = head,
		.len = len,
		.type = type,
	};
	return true;
}

unsigned int viommu_answer_waiting(struct virtio_iommu *viommu)
{
	unsigned int nr = viommu->nr_waiting, left = 0;
	bool others = false;

	if (!nr)
		return 0;
	for (unsigned int i = 0; i < nr; i++) {
		struct viommu_waiting *w = &viommu->waiting[i];

		if (!iommu_revocation_over(&w->rev)) {
			viommu->waiting[left++] = *w;
			continue;
		}
		others |= !pthread_equal(w->who, pthread_self());
		viommu_count_answer(viommu, w->type, VIOMMU_S_OK);
		virtq_push(&viommu->vdev.vqs[VIOMMU_REQUESTQ], w->head, w->len);
	}
	viommu->nr_waiting = left;
	/* Who ended the access may find that nobody waits any more, and wakes nobody. */
	if (others)
		iommu_wake(viommu->iommu);
	return nr - left;
}

static bool has_own(const struct virtio_iommu *viommu)
{
	for (unsigned int i = 0; i < viommu->nr_waiting; i++) {
		if (pthread_equal(viommu->waiting[i].who, pthread_self()))
			return true;
	}
	return false;
}

void viommu_await(struct virtio_iommu *viommu)
{
	for (;;) {
		u32 seen = iommu_wakes(viommu->iommu);

		if (!has_own(viommu) || atomic_load(viommu->stopping) ||
		    viommu_poll_must_stop(viommu))
			return;
		if (viommu_answer_waiting(viommu)) {
			virtq_publish(&viommu->vdev.vqs[VIOMMU_REQUESTQ]);
			continue;
		}
		viommu_poll_unlock(viommu);
		iommu_sleep(viommu->iommu, seen);
		viommu_poll_lock(viommu);
	}
}

void viommu_forget_waiting(struct virtio_iommu *viommu)
{
	for (unsigned int i = 0; i < viommu->nr_waiting; i++)
		iommu_revocation_cancel(&viommu->waiting[i].rev);
	viommu->nr_waiting = 0;
	iommu_wake(viommu->iommu);
}
