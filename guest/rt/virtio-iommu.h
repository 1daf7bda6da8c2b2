/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The virtio-iommu device (virtio specification, "IOMMU Device"). The functions
 * that send a request return the status that the device wrote (VIOMMU_S_*), or a
 * negative value: VIOMMU_NO_ANSWER when the used length is not that of the whole
 * answer, VQ_BROKEN, VQ_TIMEOUT.
 */
#ifndef LKVM_GUEST_RT_VIRTIO_IOMMU_H
#define LKVM_GUEST_RT_VIRTIO_IOMMU_H

#include "rt/virtio.h"

#define VIOMMU_F_INPUT_RANGE   BIT_ULL(0)
#define VIOMMU_F_DOMAIN_RANGE  BIT_ULL(1)
#define VIOMMU_F_MAP_UNMAP     BIT_ULL(2)
#define VIOMMU_F_BYPASS	       BIT_ULL(3)
#define VIOMMU_F_PROBE	       BIT_ULL(4)
#define VIOMMU_F_MMIO	       BIT_ULL(5)
#define VIOMMU_F_BYPASS_CONFIG BIT_ULL(6)
#define VIOMMU_F_ATTACH_TABLE  BIT_ULL(7) /* proposed: docs/page-tables.md */

#define VIOMMU_T_ATTACH	      1
#define VIOMMU_T_DETACH	      2
#define VIOMMU_T_MAP	      3
#define VIOMMU_T_UNMAP	      4
#define VIOMMU_T_PROBE	      5
#define VIOMMU_T_ATTACH_TABLE 6
#define VIOMMU_T_INVALIDATE   7

#define VIOMMU_S_OK	0
#define VIOMMU_S_IOERR	1
#define VIOMMU_S_UNSUPP 2
#define VIOMMU_S_DEVERR 3
#define VIOMMU_S_INVAL	4
#define VIOMMU_S_RANGE	5
#define VIOMMU_S_NOENT	6
#define VIOMMU_S_FAULT	7
#define VIOMMU_S_NOMEM	8

#define VIOMMU_NO_ANSWER (-3)

#define VIOMMU_ATTACH_BYPASS BIT(0)

#define VIOMMU_MAP_READ	 BIT(0)
#define VIOMMU_MAP_WRITE BIT(1)
#define VIOMMU_MAP_MMIO	 BIT(2)

struct viommu_head {
	u8 type;
	u8 reserved[3];
};

struct viommu_tail {
	u8 status;
	u8 reserved[3];
};

struct viommu_req_attach {
	struct viommu_head head;
	u32 domain;
	u32 endpoint;
	u32 flags;
	u8 reserved[4];
};

struct viommu_req_detach {
	struct viommu_head head;
	u32 domain;
	u32 endpoint;
	u32 pasid; /* with ATTACH_TABLE; else reserved, as are the flags */
	u32 flags;
};

#define VIOMMU_DETACH_PASID BIT(0)

struct viommu_req_map {
	struct viommu_head head;
	u32 domain;
	u64 virt_start;
	u64 virt_end; /* inclusive */
	u64 phys_start;
	u32 flags;
} __packed;

struct viommu_req_unmap {
	struct viommu_head head;
	u32 domain;
	u64 virt_start;
	u64 virt_end; /* inclusive */
	u8 reserved[4];
} __packed;

struct viommu_req_probe {
	struct viommu_head head;
	u32 endpoint;
	u8 reserved[64];
};

/* The descriptor is laid out by each format, from @ 13 of the request on. */
struct viommu_req_attach_table {
	struct viommu_head head;
	u32 domain;
	u32 endpoint;
	u8 format;
	u8 reserved[3];
	u8 descriptor[108];
};

#define VIOMMU_INVALIDATE_DOMAIN  1
#define VIOMMU_INVALIDATE_PASID	  2
#define VIOMMU_INVALIDATE_ADDRESS 3

#define VIOMMU_CACHE_PASID BIT(0)
#define VIOMMU_CACHE_TLB   BIT(1)

#define VIOMMU_INVALIDATE_F_LEAF   BIT(0)
#define VIOMMU_INVALIDATE_F_PASID  BIT(1)
#define VIOMMU_INVALIDATE_F_ID	   BIT(2)
#define VIOMMU_INVALIDATE_F_GLOBAL BIT(3)

struct viommu_req_invalidate {
	struct viommu_head head;
	u8 scope;
	u8 caches;
	u16 flags;
	u32 domain;
	u32 pasid;
	u64 id;
	u64 address;
	u64 nr_pages;
	u8 page_size; /* log2 */
	u8 reserved[19];
} __packed;

#define VIOMMU_PROBE_TYPE_MASK 0xfff
#define VIOMMU_PROBE_RESV_MEM  1

struct viommu_property {
	u16 type;
	u16 length; /* of what follows */
};

#define VIOMMU_RESV_RESERVED 0
#define VIOMMU_RESV_MSI	     1

struct viommu_resv_mem {
	struct viommu_property head;
	u8 subtype;
	u8 reserved[3];
	u64 start;
	u64 end; /* inclusive */
};

#define VIOMMU_FAULT_UNKNOWN 0
#define VIOMMU_FAULT_DOMAIN  1
#define VIOMMU_FAULT_MAPPING 2

#define VIOMMU_FAULT_READ    BIT(0)
#define VIOMMU_FAULT_WRITE   BIT(1)
#define VIOMMU_FAULT_EXEC    BIT(2)
#define VIOMMU_FAULT_ADDRESS BIT(8)
#define VIOMMU_FAULT_PASID   BIT(9)

struct viommu_fault {
	u8 reason;
	u8 reserved[3];
	u32 flags;
	u32 endpoint;
	u32 pasid; /* with VIOMMU_FAULT_PASID, else reserved */
	u64 address;
};

_Static_assert(sizeof(struct viommu_req_attach) == 20, "ATTACH");
_Static_assert(sizeof(struct viommu_req_detach) == 20, "DETACH");
_Static_assert(sizeof(struct viommu_req_map) == 36, "MAP");
_Static_assert(sizeof(struct viommu_req_unmap) == 28, "UNMAP");
_Static_assert(sizeof(struct viommu_req_probe) == 72, "PROBE");
_Static_assert(sizeof(struct viommu_req_attach_table) == 124, "ATTACH_TABLE");
_Static_assert(sizeof(struct viommu_req_invalidate) == 60, "INVALIDATE");
_Static_assert(sizeof(struct viommu_tail) == 4, "tail");
_Static_assert(sizeof(struct viommu_resv_mem) == 24, "RESV_MEM");
_Static_assert(sizeof(struct viommu_fault) == 24, "fault event");

#define VIOMMU_BATCH	 32 /* requests in one kick */
#define VIOMMU_EVENTS	 16 /* buffers in the event queue */
#define VIOMMU_TAIL_FILL 0xa5 /* what answers are filled with before the device writes */

struct viommu {
	struct virtio_dev v;
	struct vq reqq, eventq;
	u16 event_vector; /* for events, as vq_enable() takes it */

	/* Configuration, with the defaults for what is not offered. */
	u64 page_size_mask;
	u64 granule;
	u64 input_start, input_end;
	u32 domain_first, domain_last;
	u32 probe_size;

	unsigned int queued;
	u32 used_len[VIOMMU_BATCH];
	bool answered[VIOMMU_BATCH];
	struct viommu_fault *events;
};

bool viommu_open(struct viommu *u, const struct fw_device *at);

/*
 * Reset, negotiation of those of @features that are offered, both queues, all event
 * buffers made available, and the configuration read.
 */
bool viommu_start(struct viommu *u, u64 features);

/*
 * One request in full control of the guest: @len readable bytes, @tail_len writable
 * ones (either may be 0), in one descriptor each. @tail is filled with
 * VIOMMU_TAIL_FILL first. 0, VQ_BROKEN or VQ_TIMEOUT.
 */
int viommu_request_raw(struct viommu *u, const void *req, u32 len, void *tail, u32 tail_len,
		       u32 *used_len);

/*
 * The same for several requests in one kick: queue up to VIOMMU_BATCH, then send
 * them. @req and @tail stay in place until then. viommu_queue() returns the slot
 * whose used_len[] and answered[] tell the rest.
 */
unsigned int viommu_queue(struct viommu *u, const void *req, u32 len, void *tail, u32 tail_len);
int viommu_send(struct viommu *u);

/* A well-framed request of the caller's making, reserved fields and all. */
int viommu_request(struct viommu *u, const void *req, u32 len);

int viommu_attach(struct viommu *u, u32 domain, u32 endpoint, u32 flags);
int viommu_detach(struct viommu *u, u32 domain, u32 endpoint);

/* The table of one PASID, of a format whose PASID table the device keeps. */
int viommu_detach_pasid(struct viommu *u, u32 domain, u32 endpoint, u32 pasid);
int viommu_map(struct viommu *u, u32 domain, u64 iova, u64 gpa, u64 len, u32 flags);

/* [first, last], both included: the whole space is [0, ~0]. */
int viommu_unmap(struct viommu *u, u32 domain, u64 first, u64 last);

/* @props has room for probe_size bytes + a tail. */
int viommu_probe(struct viommu *u, u32 endpoint, void *props);

/*
 * Walks the properties that a PROBE left in @props. @pos starts at 0; NULL at the
 * end; *bad is set if a property does not fit.
 */
const struct viommu_property *viommu_next_property(const struct viommu *u, const void *props,
						   u32 *pos, bool *bad);

/*
 * Whether PROBE says that interrupt messages of @endpoint are not translated. Without PROBE, or
 * if that fails, it does not.
 */
bool viommu_has_msi_region(struct viommu *u, u32 endpoint);

/*
 * The next fault report, if there is one. Its buffer goes back to the device. @len
 * may be NULL, else it is the used length.
 */
bool viommu_next_fault(struct viommu *u, struct viommu_fault *f, u32 *len);

/* As above, waiting for it. False: none comes. */
bool viommu_wait_fault(struct viommu *u, struct viommu_fault *f, u32 *len);

void viommu_drop_faults(struct viommu *u);

u8 viommu_bypass(struct viommu *u);
void viommu_set_bypass(struct viommu *u, u8 bypass);

/* "OK", "INVAL", ..., "no answer". */
const char *viommu_status_name(int status);

#endif /* LKVM_GUEST_RT_VIRTIO_IOMMU_H */
