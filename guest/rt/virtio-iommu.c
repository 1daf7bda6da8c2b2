// SPDX-License-Identifier: GPL-2.0-only
/* virtio 1.x, "IOMMU Device". */
#include "rt/virtio-iommu.h"

#include "rt/arch.h"
#include "rt/core.h"

#define CONFIG_PAGE_SIZE_MASK 0
#define CONFIG_INPUT_START    8
#define CONFIG_INPUT_END      16
#define CONFIG_DOMAIN_FIRST   24
#define CONFIG_DOMAIN_LAST    28
#define CONFIG_PROBE_SIZE     32
#define CONFIG_BYPASS	      36

bool viommu_open(struct viommu *u, const struct fw_device *at)
{
	memset(u, 0, sizeof(*u));
	u->event_vector = VIRTIO_NO_VECTOR;
	if (!virtio_open(&u->v, at) || u->v.type != VIRTIO_TYPE_IOMMU)
		return false;
	vq_alloc(&u->reqq, 2 * VIOMMU_BATCH, PAGE_SIZE);
	vq_alloc(&u->eventq, VIOMMU_EVENTS, PAGE_SIZE);
	u->events = page_alloc();
	return true;
}

static void read_config(struct viommu *u)
{
	struct virtio_dev *v = &u->v;

	u->page_size_mask = virtio_config64(v, CONFIG_PAGE_SIZE_MASK);
	u->granule = u->page_size_mask & -u->page_size_mask;
	u->input_start = 0;
	u->input_end = ~0ULL;
	if (v->features & VIOMMU_F_INPUT_RANGE) {
		u->input_start = virtio_config64(v, CONFIG_INPUT_START);
		u->input_end = virtio_config64(v, CONFIG_INPUT_END);
	}
	u->domain_first = 0;
	u->domain_last = ~0U;
	if (v->features & VIOMMU_F_DOMAIN_RANGE) {
		u->domain_first = virtio_config32(v, CONFIG_DOMAIN_FIRST);
		u->domain_last = virtio_config32(v, CONFIG_DOMAIN_LAST);
	}
	u->probe_size = 0;
	if (v->features & VIOMMU_F_PROBE)
		u->probe_size = virtio_config32(v, CONFIG_PROBE_SIZE);
}

bool viommu_start(struct viommu *u, u64 features)
{
	u16 i;

	features |= VIRTIO_F_VERSION_1 | VIRTIO_F_ACCESS_PLATFORM | VIRTIO_F_RING_PACKED;
	if (!virtio_negotiate(&u->v, features) ||
	    !vq_enable(&u->reqq, &u->v, 0, VIRTIO_NO_VECTOR) ||
	    !vq_enable(&u->eventq, &u->v, 1, u->event_vector))
		return false;
	u->queued = 0;
	read_config(u);
	for (i = 0; i < VIOMMU_EVENTS; i++) {
		vq_set_desc(&u->eventq, i, gpa_of(&u->events[i]), sizeof(u->events[i]),
			    VQ_DESC_WRITE, 0);
		vq_publish(&u->eventq, i);
	}
	virtio_driver_ok(&u->v);
	vq_kick(&u->eventq);
	return true;
}

unsigned int viommu_queue(struct viommu *u, const void *req, u32 len, void *tail, u32 tail_len)
{
	unsigned int slot = u->queued++;
	u16 head = 2 * slot;

	if (slot >= VIOMMU_BATCH)
		panic("more than %u virtio-iommu requests in one batch", VIOMMU_BATCH);
	u->answered[slot] = false;
	u->used_len[slot] = 0;
	if (tail_len) {
		memset(tail, VIOMMU_TAIL_FILL, tail_len);
		vq_set_desc(&u->reqq, head + 1, gpa_of(tail), tail_len, VQ_DESC_WRITE, 0);
	}
	if (len)
		vq_set_desc(&u->reqq, head, gpa_of(req), len, tail_len ? VQ_DESC_NEXT : 0,
			    head + 1);
	else
		head++;
	vq_publish(&u->reqq, head);
	return slot;
}

int viommu_send(struct viommu *u)
{
	unsigned int left = u->queued;
	u32 id, len;
	int ret;

	u->queued = 0;
	if (left)
		vq_kick_if_asked(&u->reqq);
	while (left--) {
		ret = vq_wait_used(&u->reqq, &id, &len);
		if (ret)
			return ret;
		if (id / 2 >= VIOMMU_BATCH || u->answered[id / 2])
			panic("the virtio-iommu used descriptor %u, which it did not have", id);
		u->answered[id / 2] = true;
		u->used_len[id / 2] = len;
	}
	return 0;
}

int viommu_request_raw(struct viommu *u, const void *req, u32 len, void *tail, u32 tail_len,
		       u32 *used_len)
{
	unsigned int slot = viommu_queue(u, req, len, tail, tail_len);
	int ret = viommu_send(u);

	*used_len = u->used_len[slot];
	return ret;
}

int viommu_request(struct viommu *u, const void *req, u32 len)
{
	struct viommu_tail tail;
	u32 used_len;
	int ret;

	ret = viommu_request_raw(u, req, len, &tail, sizeof(tail), &used_len);
	if (ret)
		return ret;
	return used_len == sizeof(tail) ? READ_ONCE(tail.status) : VIOMMU_NO_ANSWER;
}

int viommu_attach(struct viommu *u, u32 domain, u32 endpoint, u32 flags)
{
	struct viommu_req_attach req = {
		.head.type = VIOMMU_T_ATTACH,
		.domain = domain,
		.endpoint = endpoint,
		.flags = flags,
	};

	return viommu_request(u, &req, sizeof(req));
}

int viommu_detach(struct viommu *u, u32 domain, u32 endpoint)
{
	struct viommu_req_detach req = {
		.head.type = VIOMMU_T_DETACH,
		.domain = domain,
		.endpoint = endpoint,
	};

	return viommu_request(u, &req, sizeof(req));
}

int viommu_detach_pasid(struct viommu *u, u32 domain, u32 endpoint, u32 pasid)
{
	struct viommu_req_detach req = {
		.head.type = VIOMMU_T_DETACH,
		.domain = domain,
		.endpoint = endpoint,
		.pasid = pasid,
		.flags = VIOMMU_DETACH_PASID,
	};

	return viommu_request(u, &req, sizeof(req));
}

int viommu_map(struct viommu *u, u32 domain, u64 iova, u64 gpa, u64 len, u32 flags)
{
	struct viommu_req_map req = {
		.head.type = VIOMMU_T_MAP,
		.domain = domain,
		.virt_start = iova,
		.virt_end = iova + len - 1,
		.phys_start = gpa,
		.flags = flags,
	};

	return viommu_request(u, &req, sizeof(req));
}

int viommu_unmap(struct viommu *u, u32 domain, u64 first, u64 last)
{
	struct viommu_req_unmap req = {
		.head.type = VIOMMU_T_UNMAP,
		.domain = domain,
		.virt_start = first,
		.virt_end = last,
	};

	return viommu_request(u, &req, sizeof(req));
}

int viommu_probe(struct viommu *u, u32 endpoint, void *props)
{
	struct viommu_req_probe req = {
		.head.type = VIOMMU_T_PROBE,
		.endpoint = endpoint,
	};
	u32 len = u->probe_size + sizeof(struct viommu_tail), used_len;
	int ret;

	ret = viommu_request_raw(u, &req, sizeof(req), props, len, &used_len);
	if (ret)
		return ret;
	return used_len == len ? ((u8 *)props)[u->probe_size] : VIOMMU_NO_ANSWER;
}

const struct viommu_property *viommu_next_property(const struct viommu *u, const void *props,
						   u32 *pos, bool *bad)
{
	const struct viommu_property *p = (const void *)((const u8 *)props + *pos);
	u32 left = u->probe_size - *pos;

	if (left < sizeof(*p) || !(p->type & VIOMMU_PROBE_TYPE_MASK))
		return NULL;
	if (p->length > left - sizeof(*p)) {
		*bad = true;
		return NULL;
	}
	*pos += sizeof(*p) + p->length;
	return p;
}

bool viommu_has_msi_region(struct viommu *u, u32 endpoint)
{
	static u64 answer[PAGE_SIZE / 8];
	const struct viommu_property *p;
	bool bad = false;
	u32 pos = 0;

	if (!(u->v.features & VIOMMU_F_PROBE) ||
	    u->probe_size + sizeof(struct viommu_tail) > sizeof(answer) ||
	    viommu_probe(u, endpoint, answer))
		return false;
	while ((p = viommu_next_property(u, answer, &pos, &bad))) {
		if (p->type == VIOMMU_PROBE_RESV_MEM &&
		    ((const struct viommu_resv_mem *)(const void *)p)->subtype == VIOMMU_RESV_MSI)
			return true;
	}
	return false;
}

bool viommu_next_fault(struct viommu *u, struct viommu_fault *f, u32 *len)
{
	u32 id, used_len;

	if (!vq_take_used(&u->eventq, &id, &used_len))
		return false;
	if (id >= VIOMMU_EVENTS)
		panic("the virtio-iommu used event buffer %u, which does not exist", id);
	*f = u->events[id];
	if (len)
		*len = used_len;
	memset(&u->events[id], 0, sizeof(u->events[id]));
	vq_publish(&u->eventq, id);
	vq_kick(&u->eventq);
	return true;
}

bool viommu_wait_fault(struct viommu *u, struct viommu_fault *f, u32 *len)
{
	return !vq_wait(&u->eventq) && viommu_next_fault(u, f, len);
}

void viommu_drop_faults(struct viommu *u)
{
	struct viommu_fault f;

	while (viommu_next_fault(u, &f, NULL))
		;
}

u8 viommu_bypass(struct viommu *u)
{
	return virtio_config8(&u->v, CONFIG_BYPASS);
}

void viommu_set_bypass(struct viommu *u, u8 bypass)
{
	virtio_config_write8(&u->v, CONFIG_BYPASS, bypass);
}

const char *viommu_status_name(int status)
{
	static const char *const names[] = {"OK",    "IOERR", "UNSUPP", "DEVERR", "INVAL",
					    "RANGE", "NOENT", "FAULT",	"NOMEM"};

	switch (status) {
	case VIOMMU_NO_ANSWER:
		return "an incomplete answer";
	case VQ_BROKEN:
		return "needs reset";
	case VQ_TIMEOUT:
		return "no answer";
	}
	return (unsigned int)status < ARRAY_SIZE(names) ? names[status] : "an unknown status";
}
