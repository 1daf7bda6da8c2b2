/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The layouts of virtio 1.3, 5.13.4 to 5.13.6, little-endian, without padding, and those of the
 * proposed extension for page tables, which docs/page-tables.md has byte by byte.
 */
#ifndef LKVM_VIRTIO_IOMMU_WIRE_H
#define LKVM_VIRTIO_IOMMU_WIRE_H

#include <assert.h>

#include "util/types.h"

#define VIOMMU_DEVICE_ID 23

enum {
	VIOMMU_F_INPUT_RANGE = 0,
	VIOMMU_F_DOMAIN_RANGE = 1,
	VIOMMU_F_MAP_UNMAP = 2,
	VIOMMU_F_PROBE = 4,
	VIOMMU_F_MMIO = 5,
	VIOMMU_F_BYPASS_CONFIG = 6,
	VIOMMU_F_ATTACH_TABLE = 7,
};

enum {
	VIOMMU_REQUESTQ = 0,
	VIOMMU_EVENTQ = 1,
	VIOMMU_NR_QUEUES = 2
};

struct viommu_config {
	u64 page_size_mask;
	u64 input_start, input_end;
	u32 domain_start, domain_end;
	u32 probe_size;
	u8 bypass;
	u8 reserved[3];
} __packed;
static_assert(sizeof(struct viommu_config) == 40, "5.13.4");

enum {
	VIOMMU_T_ATTACH = 1,
	VIOMMU_T_DETACH = 2,
	VIOMMU_T_MAP = 3,
	VIOMMU_T_UNMAP = 4,
	VIOMMU_T_PROBE = 5,
	VIOMMU_T_ATTACH_TABLE = 6,
	VIOMMU_T_INVALIDATE = 7,
};

enum {
	VIOMMU_S_OK = 0,
	VIOMMU_S_IOERR = 1,
	VIOMMU_S_UNSUPP = 2,
	VIOMMU_S_DEVERR = 3,
	VIOMMU_S_INVAL = 4,
	VIOMMU_S_RANGE = 5,
	VIOMMU_S_NOENT = 6,
	VIOMMU_S_FAULT = 7,
	VIOMMU_S_NOMEM = 8,
};

/* Every request begins with the head and ends, in its writable part, with the tail. */
struct viommu_head {
	u8 type;
	u8 reserved[3];
} __packed;

struct viommu_tail {
	u8 status;
	u8 reserved[3];
} __packed;
static_assert(sizeof(struct viommu_tail) == 4, "5.13.6");

#define VIOMMU_ATTACH_BYPASS BIT(0)

struct viommu_attach {
	struct viommu_head head;
	u32 domain;
	u32 endpoint;
	u32 flags;
	u8 reserved[4];
} __packed;
static_assert(sizeof(struct viommu_attach) == 20, "5.13.6.3");

/* The last two are reserved, and ignored, unless ATTACH_TABLE was negotiated. */
struct viommu_detach {
	struct viommu_head head;
	u32 domain;
	u32 endpoint;
	u32 pasid;
	u32 flags;
} __packed;
static_assert(sizeof(struct viommu_detach) == 20, "5.13.6.4");

#define VIOMMU_DETACH_PASID BIT(0)

#define VIOMMU_MAP_READ	 BIT(0)
#define VIOMMU_MAP_WRITE BIT(1)
#define VIOMMU_MAP_MMIO	 BIT(2)

struct viommu_map {
	struct viommu_head head;
	u32 domain;
	u64 virt_start;
	u64 virt_end;
	u64 phys_start;
	u32 flags;
} __packed;
static_assert(sizeof(struct viommu_map) == 36, "5.13.6.5");

struct viommu_unmap {
	struct viommu_head head;
	u32 domain;
	u64 virt_start;
	u64 virt_end;
	u8 reserved[4];
} __packed;
static_assert(sizeof(struct viommu_unmap) == 28, "5.13.6.6");

struct viommu_probe {
	struct viommu_head head;
	u32 endpoint;
	u8 reserved[64];
} __packed;
static_assert(sizeof(struct viommu_probe) == 72, "5.13.6.7");

struct viommu_attach_table {
	struct viommu_head head;
	u32 domain;
	u32 endpoint;
	u8 format;
	u8 descriptor[111];
} __packed;
static_assert(sizeof(struct viommu_attach_table) == 124, "128 bytes with the tail");

enum {
	VIOMMU_INVALIDATE_DOMAIN = 1,
	VIOMMU_INVALIDATE_PASID = 2,
	VIOMMU_INVALIDATE_ADDRESS = 3,
};

#define VIOMMU_INVALIDATE_C_PASID BIT(0) /* entries of PASID tables */
#define VIOMMU_INVALIDATE_C_TLB	  BIT(1)

#define VIOMMU_INVALIDATE_F_LEAF   BIT(0)
#define VIOMMU_INVALIDATE_F_PASID  BIT(1)
#define VIOMMU_INVALIDATE_F_ID	   BIT(2)
#define VIOMMU_INVALIDATE_F_GLOBAL BIT(3)

struct viommu_invalidate {
	struct viommu_head head;
	u8 scope;
	u8 caches;
	u16 flags;
	u32 domain;
	u32 pasid;
	u64 id;
	u64 address;
	u64 nr_pages;
	u8 page_size; /* log2 of bytes */
	u8 reserved[19];
} __packed;
static_assert(sizeof(struct viommu_invalidate) == 60, "64 bytes with the tail");

#define VIOMMU_PROBE_T_RESV_MEM 1

enum {
	VIOMMU_RESV_RESERVED = 0,
	VIOMMU_RESV_MSI = 1
};

struct viommu_property {
	u16 type; /* in bits 11:0 */
	u16 length; /* without this header */
} __packed;

struct viommu_resv_mem {
	struct viommu_property head;
	u8 subtype;
	u8 reserved[3];
	u64 start;
	u64 end;
} __packed;
static_assert(sizeof(struct viommu_resv_mem) == 24, "5.13.6.7.1");

enum {
	VIOMMU_FAULT_R_UNKNOWN = 0,
	VIOMMU_FAULT_R_DOMAIN = 1,
	VIOMMU_FAULT_R_MAPPING = 2,
};

#define VIOMMU_FAULT_F_READ    BIT(0)
#define VIOMMU_FAULT_F_WRITE   BIT(1)
#define VIOMMU_FAULT_F_EXEC    BIT(2) /* with ATTACH_TABLE */
#define VIOMMU_FAULT_F_ADDRESS BIT(8)
#define VIOMMU_FAULT_F_PASID   BIT(9) /* with ATTACH_TABLE */

struct viommu_fault {
	u8 reason;
	u8 reserved[3];
	u32 flags;
	u32 endpoint;
	u32 pasid; /* reserved, 0, without its flag */
	u64 address;
} __packed;
static_assert(sizeof(struct viommu_fault) == 24, "5.13.6.8");

#endif /* LKVM_VIRTIO_IOMMU_WIRE_H */
