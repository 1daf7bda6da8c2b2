// SPDX-License-Identifier: GPL-2.0-only
/* Demo guest: buffers, disks behind the virtio-iommu, and the checks on what they do. */
#include "demo.h"

u64 granule(void)
{
	return max(iommu.granule, (u64)PAGE_SIZE);
}

/* As many as the answer to a PROBE has room for. */
#define MAX_RESERVED 64

static struct {
	u64 start, last;
} reserved[MAX_RESERVED];
static unsigned int nr_reserved;

void iova_reserve(u64 start, u64 last)
{
	if (nr_reserved == MAX_RESERVED)
		return;
	reserved[nr_reserved].start = start;
	reserved[nr_reserved].last = last;
	nr_reserved++;
}

/* Where [iova, iova + size) has to move to, not to touch what is reserved. */
static u64 iova_clear_of_reserved(u64 iova, u64 size)
{
	unsigned int i = 0;

	while (i < nr_reserved) {
		if (iova > reserved[i].last || iova + (size - 1) < reserved[i].start) {
			i++;
			continue;
		}
		iova = align_up(reserved[i].last + 1, granule());
		i = 0;
	}
	return iova;
}

u64 iova_take(unsigned int n)
{
	static u64 next;
	u64 iova, size = (n + 37) * granule();

	/* Above 4 GiB if possible, where this guest has no memory; clear of the MSI window. */
	if (!next)
		next = iommu.input_end >= 0x4000000000ULL ? 0x1234500000ULL
							  : iommu.input_start + 0x20000000ULL;
	iova = iova_clear_of_reserved(align_up(next, granule()), size);
	next = iova + size;
	return iova;
}

void buf_alloc(struct buf *b)
{
	int i;

	/* From the last to the first, with a hole between each two. */
	for (i = BUF_PAGES - 1; i >= 0; i--) {
		b->page[i] = mem_alloc(granule(), granule());
		page_alloc();
	}
	b->iova = iova_take(BUF_PAGES);
}

u8 *buf_at(const struct buf *b, u64 off)
{
	return b->page[off / granule()] + off % granule();
}

#define PATTERN_STEP 0x9e3779b97f4a7c15ULL

void buf_fill(const struct buf *b, u64 off, u64 len, u64 seed)
{
	u64 val = seed, end = off + len;

	while (off < end) {
		u64 *p = (u64 *)buf_at(b, off);
		u64 run = min(end - off, granule() - off % granule());

		off += run;
		for (; run; run -= 8, val += PATTERN_STEP)
			*p++ = val;
	}
}

/* As buf_fill(), with @step 0 for a buffer that has the same value all over. */
static bool matches(const struct buf *b, u64 off, u64 len, u64 val, u64 step)
{
	u64 end = off + len;

	while (off < end) {
		const u64 *p = (const u64 *)buf_at(b, off);
		u64 run = min(end - off, granule() - off % granule());

		off += run;
		for (; run; run -= 8, val += step)
			if (*p++ != val)
				return false;
	}
	return true;
}

bool buf_matches(const struct buf *b, u64 off, u64 len, u64 seed)
{
	return matches(b, off, len, seed, PATTERN_STEP);
}

bool buf_is_zero(const struct buf *b, u64 off, u64 len)
{
	return matches(b, off, len, 0, 0);
}

/* Sends @n MAPs in one kick; true if every one is answered in full with OK. */
static bool send_maps(const struct viommu_req_map *req, unsigned int n)
{
	struct viommu_tail tail[MAX_DISK_PARTS];
	unsigned int i;
	bool ok = true;

	for (i = 0; i < n; i++)
		viommu_queue(&iommu, &req[i], sizeof(req[i]), &tail[i], sizeof(tail[i]));
	if (viommu_send(&iommu))
		return false;
	for (i = 0; i < n; i++)
		ok &= iommu.used_len[i] == sizeof(tail[i]) && tail[i].status == VIOMMU_S_OK;
	return ok;
}

_Static_assert((int)BUF_PAGES <= MAX_DISK_PARTS, "send_maps() has room for MAX_DISK_PARTS");

static struct viommu_req_map map_granule(u32 domain, u64 iova, const void *cpu, u32 flags)
{
	return (struct viommu_req_map){
		.head.type = VIOMMU_T_MAP,
		.domain = domain,
		.virt_start = iova,
		.virt_end = iova + granule() - 1,
		.phys_start = gpa_of(cpu),
		.flags = flags,
	};
}

bool buf_map(const struct buf *b, u32 domain, u32 flags)
{
	struct viommu_req_map req[BUF_PAGES];
	unsigned int i;

	for (i = 0; i < BUF_PAGES; i++)
		req[i] = map_granule(domain, b->iova + i * granule(), b->page[i], flags);
	return send_maps(req, BUF_PAGES);
}

struct part {
	void *cpu;
	u64 *dev;
	u32 flags; /* no more than the device needs */
};

unsigned int disk_nr_parts(const struct disk *d)
{
	return d->maps_doorbell ? MAX_DISK_PARTS : MAX_DISK_PARTS - 1;
}

static u32 doorbell_flags(void)
{
	return iommu.v.features & VIOMMU_F_MMIO ? VIOMMU_MAP_MMIO : 0;
}

static void *doorbell_granule(const struct disk *d)
{
	return (void *)(uintptr_t)align_down(d->doorbell, granule());
}

static void disk_parts(struct disk *d, struct part *p)
{
	struct blk *b = &d->blk;
	/* Used descriptors of a packed queue are written over the available ones. */
	u32 written = virtio_is_packed(&b->v) ? VIOMMU_MAP_WRITE : 0;

	p[0] = (struct part){b->vq.desc, &b->vq.desc_dev, VIOMMU_MAP_READ | written};
	p[1] = (struct part){b->vq.avail, &b->vq.avail_dev, VIOMMU_MAP_READ};
	p[2] = (struct part){b->vq.used, &b->vq.used_dev, VIOMMU_MAP_WRITE};
	p[3] = (struct part){b->header.cpu, &b->header.dev, VIOMMU_MAP_READ};
	p[4] = (struct part){b->status.cpu, &b->status.dev, VIOMMU_MAP_WRITE};
	p[5] = (struct part){doorbell_granule(d), &d->doorbell_iova,
			     VIOMMU_MAP_WRITE | doorbell_flags()};
}

u64 disk_message_iova(const struct disk *d)
{
	return d->doorbell_iova + d->doorbell % granule();
}

/* After the addresses have changed. */
static void redirect_messages(struct disk *d)
{
	if (d->maps_doorbell)
		pci_msix_redirect(d->blk.v.at.bdf, LINE_DISK, disk_message_iova(d));
}

int disk_map_doorbell(struct disk *d, u32 flags)
{
	return viommu_map(&iommu, d->domain, d->doorbell_iova, gpa_of(doorbell_granule(d)),
			  granule(), flags | doorbell_flags());
}

int disk_unmap_doorbell(struct disk *d)
{
	return viommu_unmap(&iommu, d->domain, d->doorbell_iova, d->doorbell_iova + granule() - 1);
}

bool disk_open(struct disk *d, unsigned int index, const struct fw_device *at)
{
	*d = (struct disk){.index = index};
	d->name = d->blk.v.name;
	if (!blk_open(&d->blk, at, granule()) || !virtio_negotiate(&d->blk.v, ~0ULL))
		return false;
	/* A disk that does not ask for it uses guest-physical addresses as they are. */
	if (fw.iommu_source && d->blk.v.offered & VIRTIO_F_ACCESS_PLATFORM)
		d->translated = fw_endpoint(at, &d->endpoint);
	if (virtio_route(&d->blk.v, LINE_DISK, LINE_DISK))
		d->blk.vector = LINE_DISK;
	if (d->translated && !at->is_mmio && !d->blk.v.wired && d->blk.vector != VIRTIO_NO_VECTOR &&
	    !viommu_has_msi_region(&iommu, d->endpoint)) {
		d->maps_doorbell = true;
		d->doorbell = pci_msix_address(at->bdf, LINE_DISK);
	}
	virtio_reset(&d->blk.v);
	return true;
}

void disk_use_gpa(struct disk *d)
{
	struct part p[MAX_DISK_PARTS];
	unsigned int i;

	disk_parts(d, p);
	for (i = 0; i < disk_nr_parts(d); i++)
		*p[i].dev = gpa_of(p[i].cpu);
	redirect_messages(d);
}

void disk_use_iova(struct disk *d)
{
	struct part p[MAX_DISK_PARTS];
	unsigned int i;

	disk_parts(d, p);
	for (i = 0; i < disk_nr_parts(d); i++)
		*p[i].dev = iova_take(1);
	redirect_messages(d);
}

bool disk_map(struct disk *d, u32 domain)
{
	struct viommu_req_map req[MAX_DISK_PARTS];
	struct part p[MAX_DISK_PARTS];
	unsigned int i;

	disk_parts(d, p);
	for (i = 0; i < disk_nr_parts(d); i++)
		req[i] = map_granule(domain, *p[i].dev, p[i].cpu, p[i].flags);
	return send_maps(req, disk_nr_parts(d));
}

int disk_rw(struct disk *d, u32 type, u64 sector, const struct buf *b, u64 off, u32 len)
{
	struct blk_seg seg[BUF_PAGES];
	unsigned int n = 0;
	u32 run;

	if (d->translated) {
		seg[n++] = (struct blk_seg){b->iova + off, len};
	} else {
		for (; len; off += run, len -= run) {
			run = min((u64)len, granule() - off % granule());
			seg[n++] = (struct blk_seg){gpa_of(buf_at(b, off)), run};
		}
	}
	blk_submit(&d->blk, type, sector, seg, n);
	return blk_wait(&d->blk);
}

static bool in_ring(u64 addr, u64 ring)
{
	return addr >= ring && addr - ring < granule();
}

static bool fault_matches(const struct disk *d, const struct viommu_fault *f, u32 len,
			  const struct expected_fault *e)
{
	const struct vq *q = &d->blk.vq;
	u32 access = f->flags & ~VIOMMU_FAULT_ADDRESS;

	if (len != sizeof(*f) || f->reserved[0] | f->reserved[1] | f->reserved[2] | f->pasid)
		return false;
	if (f->endpoint != d->endpoint || f->reason != e->reason ||
	    !(f->flags & VIOMMU_FAULT_ADDRESS))
		return false;
	if (e->access ? access != e->access
		      : access != VIOMMU_FAULT_READ && access != VIOMMU_FAULT_WRITE)
		return false;
	if (e->rings)
		return in_ring(f->address, q->desc_dev) || in_ring(f->address, q->avail_dev) ||
		       in_ring(f->address, q->used_dev);
	return f->address >= e->first && f->address <= e->last;
}

static const char *reason_name(u8 reason)
{
	static const char *const names[] = {"UNKNOWN", "DOMAIN", "MAPPING"};

	return reason < ARRAY_SIZE(names) ? names[reason] : "a reason that is none";
}

static const char *access_name(u32 flags)
{
	flags &= VIOMMU_FAULT_READ | VIOMMU_FAULT_WRITE;
	return flags == VIOMMU_FAULT_READ    ? "read"
	       : flags == VIOMMU_FAULT_WRITE ? "write"
	       : flags			     ? "read and write"
					     : "no access";
}

bool check_blocked(struct disk *d, int result, int want, const struct expected_fault *e,
		   const char *what)
{
	struct viommu_fault f, last;
	bool any = false, ok = false;
	u32 len;

	/* A device may report one access in parts: any of them will do. */
	while (!ok && viommu_wait_fault(&iommu, &f, &len)) {
		last = f;
		any = true;
		ok = fault_matches(d, &f, len, e);
	}
	viommu_drop_faults(&iommu);

	if (ok && result == want) {
		check(true, "%s: %s, fault at 0x%lx (endpoint %s, %s, %s)", what,
		      blk_result_name(result), f.address, d->name, reason_name(f.reason),
		      access_name(f.flags));
	} else {
		check(false, "%s: %s%s%s%s%s", what, blk_result_name(result),
		      result == want ? "" : ", not ", result == want ? "" : blk_result_name(want),
		      ok ? "" : ", not reported as ", ok ? "" : reason_name(e->reason));
		if (any)
			note("last fault: %s, %s, at 0x%lx, endpoint 0x%x, flags 0x%x",
			     reason_name(last.reason), access_name(last.flags), last.address,
			     last.endpoint, last.flags);
		else
			note("no fault was reported");
	}
	if (result == VQ_TIMEOUT || virtio_status(&d->blk.v) & VIRTIO_S_NEEDS_RESET)
		blk_start(&d->blk);
	return ok && result == want;
}

bool check_unreachable(struct disk *d, u8 reason, const char *what)
{
	const struct expected_fault e = {.reason = reason, .rings = true};
	static u64 sector[BLK_SECTOR / 8];
	bool ok;

	viommu_drop_faults(&iommu);
	blk_start(&d->blk);
	sector[0] = PATTERN_STEP;
	ok = check_blocked(d, blk_read(&d->blk, 0, gpa_of(sector), sizeof(sector)), VQ_BROKEN, &e,
			   what);
	if (sector[0] != PATTERN_STEP)
		ok = check(false, "%s: memory was written", what);
	virtio_reset(&d->blk.v);
	return ok;
}

bool check_cut_off(struct disk *d, u8 reason, const char *what)
{
	const struct expected_fault e = {.reason = reason, .rings = true};

	viommu_drop_faults(&iommu);
	return check_blocked(d, blk_flush(&d->blk), VQ_BROKEN, &e, what);
}

bool check_io(struct disk *d, int result, const char *what)
{
	bool ok = result == BLK_OK;

	check(ok, "%s%s%s", what, ok ? "" : ": ", ok ? "" : blk_result_name(result));
	if (result == VQ_TIMEOUT || virtio_status(&d->blk.v) & VIRTIO_S_NEEDS_RESET)
		blk_start(&d->blk);
	return ok;
}

bool check_status(int got, int want, const char *what)
{
	if (got == want)
		return check(true, "%s: %s", what, viommu_status_name(got));
	return check(false, "%s: %s, not %s", what, viommu_status_name(got),
		     viommu_status_name(want));
}
