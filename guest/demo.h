/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the files of the demo guest. */
#ifndef LKVM_GUEST_DEMO_H
#define LKVM_GUEST_DEMO_H

#include "rt.h"

#define MAX_DISKS 8

/* MSI-X table entries and interrupt lines are numbered alike here. All disks have one. */
#define LINE_DISK  0
#define LINE_EVENT 1

extern struct viommu iommu;

struct disk {
	struct blk blk;
	const char *name; /* of its place */
	unsigned int index; /* among the disks */
	u32 endpoint; /* valid if translated */
	bool translated; /* its DMA goes through the virtio-iommu */
	bool usable; /* it can be written, and holds nothing that could be lost */
	u32 domain;

	/*
	 * Its interrupt messages are translated as its DMA is: the doorbell that they are for, and
	 * the IOVA at which the granule around that is mapped.
	 */
	bool maps_doorbell;
	u64 doorbell, doorbell_iova;
};

/*
 * The parts of a disk's queue and request that the device accesses: each is a page; and the
 * doorbell if it needs a mapping.
 */
#define MAX_DISK_PARTS 6
unsigned int disk_nr_parts(const struct disk *d);

/* A domain for what does not last; each disk has one of its own; the last does not exist. */
static inline u32 scratch_domain(void)
{
	return iommu.domain_first;
}

/* What the demo sizes its buffers by: the granule of the IOMMU, at least a page. */
u64 granule(void);

/* The next @n free granules of IOVA space, far from the last, the order not that of memory. */
u64 iova_take(unsigned int n);

/* The IOVAs from @start to @last are not for mappings: iova_take() leaves them out. */
void iova_reserve(u64 start, u64 last);

/* A buffer: contiguous for the device, scattered in memory. */
#define BUF_PAGES 4

struct buf {
	u8 *page[BUF_PAGES]; /* each of one granule */
	u64 iova;
};

void buf_alloc(struct buf *b);
u8 *buf_at(const struct buf *b, u64 off);
void buf_fill(const struct buf *b, u64 off, u64 len, u64 seed);
bool buf_matches(const struct buf *b, u64 off, u64 len, u64 seed);
bool buf_is_zero(const struct buf *b, u64 off, u64 len);

/* All pages, each by a MAP of its own, in one kick: true if all answered OK. */
bool buf_map(const struct buf *b, u32 domain, u32 flags);

/* @d stays where it is from then on. False if its registers are not found. */
bool disk_open(struct disk *d, unsigned int index, const struct fw_device *at);

/* Has the device address its queue by GPA, or by the IOVAs that disk_map() maps. */
void disk_use_gpa(struct disk *d);
void disk_use_iova(struct disk *d);
bool disk_map(struct disk *d, u32 domain);

/* Where its messages go, and one request more or less, of the doorbell. */
u64 disk_message_iova(const struct disk *d);
int disk_map_doorbell(struct disk *d, u32 flags);
int disk_unmap_doorbell(struct disk *d);

/* As BLK functions; a disk that is not translated is told the pages one by one. */
int disk_rw(struct disk *d, u32 type, u64 sector, const struct buf *b, u64 off, u32 len);

/* A report that is to come: from @disk, at an address in [first, last]. */
struct expected_fault {
	u8 reason;
	u32 access; /* VIOMMU_FAULT_READ or _WRITE, 0: either */
	bool rings; /* the address is in one of the disk's rings instead */
	u64 first, last;
};

/*
 * One check: the access ended in @want (BLK_IOERR, VQ_BROKEN) and was reported. The
 * disk works again afterwards if its rings are mapped.
 */
bool check_blocked(struct disk *d, int result, int want, const struct expected_fault *e,
		   const char *what);

/* One check: a running disk that no longer reaches its rings breaks, and @reason is why. */
bool check_cut_off(struct disk *d, u8 reason, const char *what);

/*
 * One check: the same for a disk that is started only now and asked to read into
 * memory. It is left reset.
 */
bool check_unreachable(struct disk *d, u8 reason, const char *what);

bool check_io(struct disk *d, int result, const char *what);
bool check_status(int got, int want, const char *what);

/* The sections of the report. */
void demo_untranslated(struct disk *d);
void demo_unattached(struct disk *d);
void demo_requests(u32 endpoint);
void demo_little_room(u32 endpoint);
void demo_translated(struct disk *d);
void demo_interrupts(struct disk *d);
void demo_messages(struct disk *d);
void demo_permissions(struct disk *d);
void demo_unmap(struct disk *d);
void demo_isolation(struct disk *a, struct disk *b);
void demo_bypass(struct disk *d);
void demo_bypass_domain(struct disk *d, u32 other_endpoint);
void demo_restore(struct disk *d);
void demo_detach(struct disk *d);
void demo_reset(struct disk *disks, unsigned int n);
void demo_tables(void);

#define IOMMU_FEATURES                                                                        \
	(VIOMMU_F_INPUT_RANGE | VIOMMU_F_DOMAIN_RANGE | VIOMMU_F_MAP_UNMAP | VIOMMU_F_PROBE | \
	 VIOMMU_F_MMIO | VIOMMU_F_BYPASS_CONFIG)

#endif /* LKVM_GUEST_DEMO_H */
