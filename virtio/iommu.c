// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "iommu-internal.h"
#include "iommu/dma.h"
#include "iommu/format.h"
#include "util/bytes.h"
#include "util/counter.h"
#include "util/log.h"
#include "util/report.h"
#include "util/trace.h"
#include "virtio/iommu-wire.h"
#include "virtio/iommu.h"

#define QUEUE_SIZE 256

static_assert(VIRTIO_IOMMU_MAX_WAITING == QUEUE_SIZE, "a queue can wait as a whole");
static_assert(VIOMMU_T_INVALIDATE < VIRTIO_IOMMU_NR_TYPES &&
		      VIOMMU_S_NOMEM < VIRTIO_IOMMU_NR_STATUSES,
	      "every request and answer is counted");
static_assert(IOMMU_MAX_RESV * sizeof(struct viommu_resv_mem) + IOMMU_PROPERTY_MAX <=
		      VIOMMU_PROBE_SIZE,
	      "every property fits");

static struct virtio_iommu *to_viommu(struct virtio_device *vdev)
{
	return container_of(vdev, struct virtio_iommu, vdev);
}

u8 viommu_status(int err)
{
	switch (err) {
	case 0:
		return VIOMMU_S_OK;
	case -EOPNOTSUPP:
		return VIOMMU_S_UNSUPP;
	case -EINVAL:
		return VIOMMU_S_INVAL;
	case -ERANGE:
		return VIOMMU_S_RANGE;
	case -ENOENT:
		return VIOMMU_S_NOENT;
	case -EFAULT:
		return VIOMMU_S_FAULT;
	case -ENOMEM:
		return VIOMMU_S_NOMEM;
	default:
		return VIOMMU_S_DEVERR;
	}
}

const char *viommu_status_name(u8 status)
{
	static const char *const names[VIRTIO_IOMMU_NR_STATUSES] = {
		"OK", "IOERR", "UNSUPP", "DEVERR", "INVAL", "RANGE", "NOENT", "FAULT", "NOMEM"};

	return names[status];
}

static int do_attach(struct virtio_iommu *viommu, const void *req, struct viommu_reply *reply)
{
	const struct viommu_attach *r = req;
	u32 domain = le32toh(r->domain), endpoint = le32toh(r->endpoint);
	u32 flags = le32toh(r->flags), known = 0;
	int ret;

	(void)reply;
	if (virtio_has_feature(&viommu->vdev, VIOMMU_F_BYPASS_CONFIG))
		known |= VIOMMU_ATTACH_BYPASS;
	if ((flags & ~known) || !all_zero(r->reserved, sizeof(r->reserved)))
		ret = -EINVAL;
	else
		ret = iommu_attach(viommu->iommu, domain, endpoint, flags & VIOMMU_ATTACH_BYPASS);
	trace(TRACE_IOMMU, "attach domain=%u endpoint=0x%x flags=0x%x: %s", domain, endpoint, flags,
	      viommu_status_name(viommu_status(ret)));
	return ret;
}

static int do_detach(struct virtio_iommu *viommu, const void *req, struct viommu_reply *reply)
{
	const struct viommu_detach *r = req;
	u32 domain = le32toh(r->domain), endpoint = le32toh(r->endpoint);
	int ret;

	if (virtio_has_feature(&viommu->vdev, VIOMMU_F_ATTACH_TABLE) && (r->flags || r->pasid))
		return viommu_detach_pasid(viommu, r);
	(void)reply;
	ret = iommu_detach(viommu->iommu, domain, endpoint);
	trace(TRACE_IOMMU, "detach domain=%u endpoint=0x%x: %s", domain, endpoint,
	      viommu_status_name(viommu_status(ret)));
	return ret;
}

static int do_map(struct virtio_iommu *viommu, const void *req, struct viommu_reply *reply)
{
	const struct viommu_map *r = req;
	struct mapping m = {
		.start = le64toh(r->virt_start),
		.last = le64toh(r->virt_end),
		.gpa = le64toh(r->phys_start),
	};
	u32 flags = le32toh(r->flags), known = VIOMMU_MAP_READ | VIOMMU_MAP_WRITE;
	int ret;

	(void)reply;
	if (virtio_has_feature(&viommu->vdev, VIOMMU_F_MMIO))
		known |= VIOMMU_MAP_MMIO;
	m.flags = (flags & VIOMMU_MAP_READ ? MAPPING_READ : 0) |
		  (flags & VIOMMU_MAP_WRITE ? MAPPING_WRITE : 0) |
		  (flags & VIOMMU_MAP_MMIO ? MAPPING_MMIO : 0);
	ret = flags & ~known ? -EINVAL : iommu_map(viommu->iommu, le32toh(r->domain), &m);
	trace(TRACE_IOMMU, "map domain=%u iova=0x%llx-0x%llx gpa=0x%llx flags=0x%x: %s",
	      le32toh(r->domain), (unsigned long long)m.start, (unsigned long long)m.last,
	      (unsigned long long)m.gpa, flags, viommu_status_name(viommu_status(ret)));
	return ret;
}

static int do_unmap(struct virtio_iommu *viommu, const void *req, struct viommu_reply *reply)
{
	const struct viommu_unmap *r = req;
	u64 start = le64toh(r->virt_start), last = le64toh(r->virt_end);
	int ret = all_zero(r->reserved, sizeof(r->reserved))
			  ? iommu_unmap_begin(viommu->iommu, le32toh(r->domain), start, last,
					      &reply->rev)
			  : -EINVAL;

	trace(TRACE_IOMMU, "unmap domain=%u iova=0x%llx-0x%llx: %s", le32toh(r->domain),
	      (unsigned long long)start, (unsigned long long)last,
	      viommu_status_name(viommu_status(ret)));
	return ret;
}

static void add_resv(struct viommu_reply *reply, const struct iommu_resv *resv)
{
	const struct viommu_resv_mem prop = {
		.head = {.type = htole16(VIOMMU_PROBE_T_RESV_MEM),
			 .length = htole16(sizeof(prop) - sizeof(prop.head))},
		.subtype = resv->type == IOMMU_RESV_MSI ? VIOMMU_RESV_MSI : VIOMMU_RESV_RESERVED,
		.start = htole64(resv->start),
		.end = htole64(resv->last),
	};

	memcpy(reply->properties + reply->len, &prop, sizeof(prop));
	reply->len += sizeof(prop);
}

static int do_probe(struct virtio_iommu *viommu, const void *req, struct viommu_reply *reply)
{
	const struct viommu_probe *r = req;
	const struct iommu_config *config = &viommu->iommu->config;
	const struct iommu_endpoint *ep;
	u32 endpoint = le32toh(r->endpoint);
	int ret = -ENOENT;

	ep = iommu_find_endpoint(viommu->iommu, endpoint);
	if (ep) {
		for (unsigned int i = 0; i < config->nr_resv; i++)
			add_resv(reply, &config->resv[i]);
		/* A driver that knows nothing of tables would call the property unknown. */
		if (ep->format && virtio_has_feature(&viommu->vdev, VIOMMU_F_ATTACH_TABLE))
			reply->len +=
				ep->format->property(&ep->limits, reply->properties + reply->len);
		ret = 0;
	}
	trace(TRACE_IOMMU, "probe endpoint=0x%x: %s, %zu bytes", endpoint,
	      viommu_status_name(viommu_status(ret)), reply->len);
	return ret;
}

/* A request: without its @feature it is as unknown as any other number. */
static const struct request {
	size_t size; /* of the readable part */
	size_t properties; /* of the writable part, before the tail */
	int feature; /* or -1 */
	int (*handle)(struct virtio_iommu *viommu, const void *req, struct viommu_reply *reply);
} requests[] = {
	[VIOMMU_T_ATTACH] = {sizeof(struct viommu_attach), 0, -1, do_attach},
	[VIOMMU_T_DETACH] = {sizeof(struct viommu_detach), 0, -1, do_detach},
	[VIOMMU_T_MAP] = {sizeof(struct viommu_map), 0, VIOMMU_F_MAP_UNMAP, do_map},
	[VIOMMU_T_UNMAP] = {sizeof(struct viommu_unmap), 0, VIOMMU_F_MAP_UNMAP, do_unmap},
	[VIOMMU_T_PROBE] = {sizeof(struct viommu_probe), VIOMMU_PROBE_SIZE, VIOMMU_F_PROBE,
			    do_probe},
	[VIOMMU_T_ATTACH_TABLE] = {sizeof(struct viommu_attach_table), 0, VIOMMU_F_ATTACH_TABLE,
				   viommu_attach_table},
	[VIOMMU_T_INVALIDATE] = {sizeof(struct viommu_invalidate), 0, VIOMMU_F_ATTACH_TABLE,
				 viommu_invalidate},
};

static const struct request *find_request(struct virtio_iommu *viommu, u8 type)
{
	const struct request *r = type < ARRAY_SIZE(requests) ? &requests[type] : NULL;

	if (!r || !r->handle || (r->feature >= 0 && !virtio_has_feature(&viommu->vdev, r->feature)))
		return NULL;
	return r;
}

void viommu_count_answer(struct virtio_iommu *viommu, u8 type, u8 status)
{
	counter_add(&viommu->answered[type][status], 1);
}

/*
 * Returns the used length: 0 when nothing is written, otherwise all that the request
 * defines as writable, also on an error: drivers take any other length for a request
 * that was not served. A driver that supplies more than that finds the rest as it
 * was, so that no descriptor makes a request expensive. *@aside: there is no answer yet.
 */
static u32 serve(struct virtio_iommu *viommu, struct virtq *vq, const struct virtq_chain *chain,
		 bool *aside)
{
	u8 buf[sizeof(struct viommu_attach_table)] = {0};
	struct viommu_tail tail = {0};
	struct viommu_reply reply;
	const struct request *r;
	size_t room;
	ssize_t got;
	int ret;

	*aside = false;
	if (chain->in_len < sizeof(tail))
		return 0;
	got = virtq_copy_out(vq, chain, 0, buf, sizeof(buf));
	if (got < (ssize_t)sizeof(struct viommu_head))
		return 0;
	r = find_request(viommu, ((struct viommu_head *)buf)->type);
	if (!r) {
		trace(TRACE_IOMMU, "request type=%u: unknown, not answered", buf[0]);
		return 0;
	}
	/* Most requests have no properties: only where there are some, they are cleared. */
	memset(reply.properties, 0, r->properties);
	reply.len = 0;
	iommu_revocation_init(&reply.rev, viommu->iommu);
	room = min(chain->in_len - sizeof(tail), (u64)r->properties);
	if ((size_t)got < r->size || room < r->properties) {
		trace(TRACE_IOMMU, "request type=%u: truncated: INVAL", buf[0]);
		ret = -EINVAL;
	} else {
		ret = r->handle(viommu, buf, &reply);
	}
	tail.status = viommu_status(ret);
	if (virtq_copy_in(vq, chain, 0, reply.properties, room) < 0 ||
	    virtq_copy_in(vq, chain, room, &tail, sizeof(tail)) < 0)
		return 0;
	*aside = viommu_set_aside(viommu, &reply.rev, buf[0], chain->head, room + sizeof(tail));
	if (!*aside)
		viommu_count_answer(viommu, buf[0], tail.status);
	return room + sizeof(tail);
}

unsigned int viommu_serve_waiting(struct virtio_iommu *viommu)
{
	struct virtq *vq = &viommu->vdev.vqs[VIOMMU_REQUESTQ];
	unsigned int n = 0;

	/* No more than can wait at a time: a driver that goes on is served by the next call. */
	while (!atomic_load(viommu->stopping) && n < vq->size &&
	       virtq_pop(vq, &viommu->request) > 0) {
		bool aside;
		u32 len = serve(viommu, vq, &viommu->request, &aside);

		if (!len)
			counter_add(&viommu->unanswered, 1);
		if (!aside && virtq_push(vq, viommu->request.head, len))
			return n;
		n++;
	}
	n += viommu_answer_waiting(viommu);
	virtq_publish(vq);
	return n;
}

void viommu_serve_kick(struct virtio_iommu *viommu)
{
	struct virtq *vq = &viommu->vdev.vqs[VIOMMU_REQUESTQ];

	do {
		virtq_disable_kick(vq);
		viommu_serve_waiting(viommu);
	} while (!atomic_load(viommu->stopping) && virtq_enable_kick(vq));
}

static void fill_fault(const struct virtio_iommu *viommu, struct viommu_fault *wire,
		       const struct iommu_fault *fault)
{
	u32 flags = VIOMMU_FAULT_F_ADDRESS;

	if (fault->dir & DMA_READ)
		flags |= VIOMMU_FAULT_F_READ;
	if (fault->dir & DMA_WRITE)
		flags |= VIOMMU_FAULT_F_WRITE;
	if (viommu->faults_with_pasid) {
		if (fault->dir & DMA_EXEC)
			flags |= VIOMMU_FAULT_F_EXEC;
		if (fault->pasid != DMA_NO_PASID)
			flags |= VIOMMU_FAULT_F_PASID;
	}
	*wire = (struct viommu_fault){
		.reason = fault->reason == IOMMU_FAULT_DOMAIN	 ? VIOMMU_FAULT_R_DOMAIN
			  : fault->reason == IOMMU_FAULT_MAPPING ? VIOMMU_FAULT_R_MAPPING
								 : VIOMMU_FAULT_R_UNKNOWN,
		.flags = htole32(flags),
		.endpoint = htole32(fault->endpoint),
		.pasid = htole32(flags & VIOMMU_FAULT_F_PASID ? fault->pasid : 0),
		.address = htole64(fault->iova),
	};
}

/*
 * With event_lock. True if a buffer took the report. A buffer that is too small goes
 * back unused, since a report is never cut or spread. At most *@budget buffers are taken.
 */
static bool send_event(struct virtio_iommu *viommu, const struct iommu_fault *fault,
		       unsigned int *budget)
{
	struct virtq *vq = &viommu->vdev.vqs[VIOMMU_EVENTQ];
	struct viommu_fault wire;

	fill_fault(viommu, &wire, fault);
	while (*budget && !atomic_load(viommu->stopping) && virtq_pop(vq, &viommu->event) > 0) {
		const struct virtq_chain *chain = &viommu->event;
		bool sent = chain->in_len >= sizeof(wire) &&
			    virtq_copy_in(vq, chain, 0, &wire, sizeof(wire)) > 0;

		(*budget)--;
		if (virtq_push(vq, chain->head, sent ? sizeof(wire) : 0))
			return false;
		if (sent)
			return true;
	}
	return false;
}

/* With event_lock. Only while faults wait, a kick is asked for. */
static void flush_events(struct virtio_iommu *viommu)
{
	struct virtq *vq = &viommu->vdev.vqs[VIOMMU_EVENTQ];
	/* A driver could offer buffers that are too small for ever; good ones are enough. */
	unsigned int budget = VIRTIO_IOMMU_MAX_PENDING + vq->size;

	do {
		unsigned int n = 0;

		while (n < viommu->nr_pending && send_event(viommu, &viommu->pending[n], &budget))
			n++;
		viommu->nr_pending -= n;
		memmove(viommu->pending, viommu->pending + n,
			viommu->nr_pending * sizeof(viommu->pending[0]));
		virtq_publish(vq);
	} while (viommu->nr_pending && budget && !atomic_load(viommu->stopping) &&
		 virtq_enable_kick(vq));
}

static void report_fault(void *opaque, const struct iommu_fault *fault)
{
	struct virtio_iommu *viommu = opaque;
	char pasid[32] = "", code[32] = "";

	if (fault->pasid != DMA_NO_PASID)
		snprintf(pasid, sizeof(pasid), " pasid=%u", fault->pasid);
	if (fault->code)
		snprintf(code, sizeof(code), " (0x%x)", fault->code);
	trace(TRACE_IOMMU, "fault endpoint=0x%x%s iova=0x%llx access=%s%s%s: %s%s%s",
	      fault->endpoint, pasid, (unsigned long long)fault->iova,
	      fault->dir & DMA_READ ? "r" : "", fault->dir & DMA_WRITE ? "w" : "",
	      fault->dir & DMA_EXEC ? "x" : "", fault->why, code,
	      fault->silent ? ", not reported" : "");
	if (fault->silent)
		return;

	pthread_mutex_lock(&viommu->event_lock);
	if (viommu->events_running) {
		if (viommu->nr_pending == VIRTIO_IOMMU_MAX_PENDING)
			flush_events(viommu);
		if (viommu->nr_pending < VIRTIO_IOMMU_MAX_PENDING)
			viommu->pending[viommu->nr_pending++] = *fault;
		else
			viommu->dropped++;
		flush_events(viommu);
	} else {
		viommu->dropped++;
	}
	pthread_mutex_unlock(&viommu->event_lock);
}

static void kick(struct virtio_device *vdev, unsigned int index)
{
	struct virtio_iommu *viommu = to_viommu(vdev);

	if (index == VIOMMU_REQUESTQ) {
		viommu_poll_kick(viommu);
		return;
	}
	pthread_mutex_lock(&viommu->event_lock);
	if (viommu->events_running)
		flush_events(viommu);
	pthread_mutex_unlock(&viommu->event_lock);
}

static int queue_start(struct virtio_device *vdev, unsigned int index)
{
	struct virtio_iommu *viommu = to_viommu(vdev);

	if (index == VIOMMU_REQUESTQ) {
		/*
		 * Requests may wait already: the driver can kick before DRIVER_OK. The write to a
		 * register that starts the queue keeps vdev->lock.
		 */
		viommu->in_place = true;
		viommu_serve_kick(viommu);
		viommu->in_place = false;
		viommu_poll_start(viommu);
		return 0;
	}
	pthread_mutex_lock(&viommu->event_lock);
	viommu->faults_with_pasid = virtio_has_feature(vdev, VIOMMU_F_ATTACH_TABLE);
	viommu->events_running = true;
	pthread_mutex_unlock(&viommu->event_lock);
	return 0;
}

static void queue_stop(struct virtio_device *vdev, unsigned int index)
{
	struct virtio_iommu *viommu = to_viommu(vdev);

	/* No vCPU is at it: they have vdev->lock, as the caller, or look again when they do. */
	if (index == VIOMMU_REQUESTQ) {
		viommu_poll_stop(viommu);
		viommu_forget_waiting(viommu);
		return;
	}
	pthread_mutex_lock(&viommu->event_lock);
	viommu->events_running = false;
	viommu->nr_pending = 0;
	pthread_mutex_unlock(&viommu->event_lock);
}

static void reset(struct virtio_device *vdev)
{
	trace(TRACE_IOMMU, "reset: every endpoint detached");
	iommu_detach_all(to_viommu(vdev)->iommu);
}

static void config_read(struct virtio_device *vdev, u32 off, void *buf, u32 len)
{
	struct iommu *iommu = to_viommu(vdev)->iommu;
	const struct iommu_config *c = &iommu->config;
	const struct viommu_config config = {
		.page_size_mask = htole64(c->page_size_mask),
		.input_start = htole64(c->input_start),
		.input_end = htole64(c->input_last),
		.domain_start = htole32(c->domain_start),
		.domain_end = htole32(c->domain_last),
		.probe_size = htole32(VIOMMU_PROBE_SIZE),
		.bypass = atomic_load(&iommu->bypass),
	};

	memcpy(buf, (const u8 *)&config + off, len);
}

static void config_write(struct virtio_device *vdev, u32 off, const void *buf, u32 len)
{
	u8 val = *(const u8 *)buf;

	if (off != offsetof(struct viommu_config, bypass) || len != 1 || val > 1 ||
	    !virtio_has_feature(vdev, VIOMMU_F_BYPASS_CONFIG))
		return;
	trace(TRACE_IOMMU, "bypass %s", val ? "on" : "off");
	iommu_set_bypass(to_viommu(vdev)->iommu, val);
}

static void stat(struct virtio_device *vdev, struct report *r)
{
	static const char *const types[VIRTIO_IOMMU_NR_TYPES] = {
		[VIOMMU_T_ATTACH] = "attach",
		[VIOMMU_T_DETACH] = "detach",
		[VIOMMU_T_MAP] = "map",
		[VIOMMU_T_UNMAP] = "unmap",
		[VIOMMU_T_PROBE] = "probe",
		[VIOMMU_T_ATTACH_TABLE] = "attach_table",
		[VIOMMU_T_INVALIDATE] = "invalidate",
	};
	struct virtio_iommu *viommu = to_viommu(vdev);

	report_object_begin(r, "iommu_requests");
	for (u8 type = 0; type < VIRTIO_IOMMU_NR_TYPES; type++) {
		if (!types[type])
			continue;
		report_object_begin(r, types[type]);
		for (u8 status = 0; status < VIRTIO_IOMMU_NR_STATUSES; status++) {
			u64 n = counter_get(&viommu->answered[type][status]);

			/* Always there: OK. */
			if (n || !status)
				report_u64(r, viommu_status_name(status), n);
		}
		report_object_end(r);
	}
	report_u64(r, "unanswered", counter_get(&viommu->unanswered));
	report_u64(r, "waiting", viommu->nr_waiting);
	report_object_end(r);

	/* event_lock may be held by a thread that waits for who reads its messages. */
	report_u64(r, "events_dropped", counter_get(&viommu->dropped));
	/* A DETACH holds iommu->lock, maybe for long. */
	report_u64(r, "mappings", counter_get(&viommu->iommu->nr_mappings));
	report_u64(r, "tables", counter_get(&viommu->iommu->nr_tables));
}

static const struct virtio_ops ops = {
	.name = "virtio-iommu",
	.id = VIOMMU_DEVICE_ID,
	.config_size = sizeof(struct viommu_config),
	.config_read = config_read,
	.config_write = config_write,
	.queue_start = queue_start,
	.queue_stop = queue_stop,
	.kick = kick,
	.reset = reset,
	.stat = stat,
};

/* What the device offers, in the words of the specification. */
static const struct {
	const char *name;
	unsigned int bit;
} offered[] = {
	{"input-range", VIOMMU_F_INPUT_RANGE},
	{"domain-range", VIOMMU_F_DOMAIN_RANGE},
	{"map-unmap", VIOMMU_F_MAP_UNMAP},
	{"probe", VIOMMU_F_PROBE},
	{"mmio", VIOMMU_F_MMIO},
	{"bypass-config", VIOMMU_F_BYPASS_CONFIG},
	{"attach-table", VIOMMU_F_ATTACH_TABLE},
};

void virtio_iommu_features(struct report *r)
{
	char name[64];

	for (unsigned int i = 0; i < ARRAY_SIZE(offered); i++) {
		snprintf(name, sizeof(name), "iommu.%s", offered[i].name);
		report_bool(r, name, true);
	}
}

int virtio_iommu_init(struct virtio_iommu *viommu, struct iommu *iommu, const struct guest_mem *mem,
		      const _Atomic bool *stopping)
{
	u64 features = 0;
	int ret;

	for (unsigned int i = 0; i < ARRAY_SIZE(offered); i++)
		features |= BIT_ULL(offered[i].bit);
	if (!iommu->config.offer_tables)
		features &= ~BIT_ULL(VIOMMU_F_ATTACH_TABLE);
	if (iommu->config.no_map)
		features &= ~(BIT_ULL(VIOMMU_F_MAP_UNMAP) | BIT_ULL(VIOMMU_F_MMIO));

	memset(viommu, 0, sizeof(*viommu));
	viommu->iommu = iommu;
	viommu->stopping = stopping;
	/* The virtio-iommu itself is outside of what it translates. */
	ret = virtio_device_init(&viommu->vdev, &ops, features, VIOMMU_NR_QUEUES, QUEUE_SIZE, mem,
				 NULL);
	if (ret)
		return ret;
	ret = viommu_poll_init(viommu);
	if (ret) {
		virtio_device_destroy(&viommu->vdev);
		return ret;
	}
	pthread_mutex_init(&viommu->event_lock, NULL);
	iommu->report = report_fault;
	iommu->report_opaque = viommu;
	return 0;
}

void virtio_iommu_destroy(struct virtio_iommu *viommu)
{
	viommu_poll_destroy(viommu);
	viommu->iommu->report = NULL;
	pthread_mutex_destroy(&viommu->event_lock);
	virtio_device_destroy(&viommu->vdev);
}
