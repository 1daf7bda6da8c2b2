// SPDX-License-Identifier: GPL-2.0-only
/* Demo guest: disks in domains, what they reach, and what they no longer reach. */
#include "demo.h"

#define FIRST_SECTOR 8

/*
 * What goes to a disk begins EDGE before the end of a buffer's first page and ends
 * EDGE behind the start of the last, so that every border is inside the transfer;
 * of the second page if pages are large. EDGE bytes around it must not change.
 */
#define EDGE 1024

static u64 data_off(void)
{
	return granule() - EDGE;
}

static u32 data_len(void)
{
	return granule() <= 64 * KiB ? (BUF_PAGES - 2) * granule() + 2 * EDGE : 2 * EDGE;
}

static struct buf out, in;

/* What is written to @d: each has a pattern of its own. */
static u64 seed_of(const struct disk *d)
{
	return 0x0123456789abcdefULL * (d->index + 1);
}

static void alloc_buffers(void)
{
	if (out.page[0])
		return;
	buf_alloc(&out);
	buf_alloc(&in);
}

static void buf_set(const struct buf *b, u8 byte)
{
	unsigned int i;

	for (i = 0; i < BUF_PAGES; i++)
		memset(b->page[i], byte, granule());
}

/* The demo writes only where a disk is blank, and leaves it so. */
static bool disk_is_blank(struct disk *d)
{
	if (d->blk.v.offered & BLK_F_RO) {
		note("it is read-only: left alone");
		return false;
	}
	if (d->blk.capacity < FIRST_SECTOR + data_len() / BLK_SECTOR) {
		note("it has only %lu sectors: left alone", d->blk.capacity);
		return false;
	}
	buf_set(&in, 0xff);
	if (!check_io(d, disk_rw(d, BLK_T_IN, FIRST_SECTOR, &in, data_off(), data_len()),
		      "read where the demo will write"))
		return false;
	if (!buf_is_zero(&in, data_off(), data_len())) {
		note("there is data on it: left alone");
		return false;
	}
	return true;
}

static void write_and_read_back(struct disk *d)
{
	u64 seed = seed_of(d);
	int ret;

	buf_fill(&out, data_off(), data_len(), seed);
	buf_set(&in, 0);
	if (!check_io(d, disk_rw(d, BLK_T_OUT, FIRST_SECTOR, &out, data_off(), data_len()),
		      "a pattern written, from pages scattered in memory"))
		return;
	if (d->blk.v.features & BLK_F_FLUSH)
		check_io(d, blk_flush(&d->blk), "flushed");
	ret = disk_rw(d, BLK_T_IN, FIRST_SECTOR, &in, data_off(), data_len());
	if (!check_io(d, ret, "read back, into other pages"))
		return;
	check(d->blk.used_len == data_len() + 1, "with the status, the disk used %u bytes",
	      d->blk.used_len);
	check(buf_matches(&in, data_off(), data_len(), seed), "the data is the same");
	check(buf_is_zero(&in, data_off() - EDGE, EDGE) &&
		      buf_is_zero(&in, data_off() + data_len(), EDGE),
	      "around it, nothing was written");
}

static bool completion_by_interrupt(struct disk *d)
{
	struct virtio_dev *v = &d->blk.v;
	u32 before;
	bool came;

	if (d->blk.vector == VIRTIO_NO_VECTOR)
		return check(false, "the disk has %s",
			     v->at.is_mmio ? "a wire for interrupts" : "MSI-X, or a wire");
	irq_take();
	before = irq_count[LINE_DISK];
	v->isr = 0;
	blk_submit(&d->blk, BLK_T_FLUSH, 0, NULL, 0);
	came = irq_wait_line(LINE_DISK, before);
	/* An interrupt that was on its way when a reset let the wire fall finds no reason. */
	while (came && v->wired && !v->isr) {
		before = irq_count[LINE_DISK];
		came = irq_wait_line(LINE_DISK, before);
	}
	if (v->wired)
		check(came && v->isr == 1,
		      "the disk's wire, %s %u, comes in as an interrupt, with status 0x%x",
		      wire_kind, v->at.irq, v->isr);
	else
		check(came, "the disk's MSI-X message comes in as an interrupt");
	return check_io(d, blk_wait(&d->blk), "what it announced is complete");
}

void demo_untranslated(struct disk *d)
{
	section("Disk %s, untranslated", d->name);
	alloc_buffers();
	if (!check(blk_start(&d->blk), "started") || !disk_is_blank(d))
		return;
	write_and_read_back(d);
	completion_by_interrupt(d);
	demo_restore(d);
}

void demo_unattached(struct disk *d)
{
	if (d->translated)
		check_unreachable(d, VIOMMU_FAULT_DOMAIN,
				  "a disk started with its rings at guest-physical addresses");
}

void demo_translated(struct disk *d)
{
	section("Disk %s in domain %u", d->name, d->domain);
	alloc_buffers();
	disk_use_iova(d);
	if (!check_status(viommu_attach(&iommu, d->domain, d->endpoint, 0), VIOMMU_S_OK,
			  "ATTACH") ||
	    !check(disk_map(d, d->domain), "its %u pages mapped by as many requests in one kick",
		   disk_nr_parts(d)) ||
	    !check(buf_map(&out, d->domain, VIOMMU_MAP_READ) &&
			   buf_map(&in, d->domain, VIOMMU_MAP_WRITE),
		   "two buffers mapped, to be read at 0x%lx, to be written at 0x%lx", out.iova,
		   in.iova) ||
	    !check(blk_start(&d->blk), "started, with %s at 0x%lx, 0x%lx, 0x%lx",
		   virtio_is_packed(&d->blk.v) ? "a packed ring and its event structures" : "rings",
		   d->blk.vq.desc_dev, d->blk.vq.avail_dev, d->blk.vq.used_dev))
		return;
	if (!disk_is_blank(d))
		return;
	d->usable = true;
	write_and_read_back(d);
}

void demo_interrupts(struct disk *d)
{
	const struct expected_fault e = {
		.reason = VIOMMU_FAULT_MAPPING,
		.access = VIOMMU_FAULT_WRITE,
		.first = out.iova,
		.last = out.iova + BLK_SECTOR - 1,
	};
	u32 before;
	int ret;

	section("Interrupts");
	completion_by_interrupt(d);
	if (iommu.event_vector == VIRTIO_NO_VECTOR) {
		note("the virtio-iommu has no interrupt");
		return;
	}
	irq_take();
	before = irq_count[LINE_EVENT];
	ret = blk_read(&d->blk, FIRST_SECTOR, out.iova, BLK_SECTOR);
	check(irq_wait_line(LINE_EVENT, before), "a fault report comes with an interrupt");
	check_blocked(d, ret, BLK_IOERR, &e,
		      "it is that of a read into the buffer mapped without WRITE");
}

/* Two checks: a message to IOVA @addr becomes a fault report instead of an interrupt. */
static void check_message_lost(struct disk *d, u64 addr, const char *what)
{
	const struct expected_fault e = {
		.reason = VIOMMU_FAULT_MAPPING,
		.access = VIOMMU_FAULT_WRITE,
		.first = addr,
		.last = addr,
	};
	u32 before;

	viommu_drop_faults(&iommu);
	irq_take();
	before = irq_count[LINE_DISK];
	check_blocked(d, blk_flush(&d->blk), BLK_OK, &e, what);
	irq_take();
	check(irq_count[LINE_DISK] == before, "and there is no interrupt");
}

/* Where memory is mapped, a message is data. */
static void message_to_memory(struct disk *d)
{
	u64 iova = iova_take(1);
	u32 *mem = mem_alloc(granule(), granule());
	u32 before;

	check_status(viommu_map(&iommu, d->domain, iova, gpa_of(mem), granule(), VIOMMU_MAP_WRITE),
		     VIOMMU_S_OK, "MAP of memory");
	*mem = ~0U;
	irq_take();
	before = irq_count[LINE_DISK];
	pci_msix_redirect(d->blk.v.at.bdf, LINE_DISK, iova);
	check_io(d, blk_flush(&d->blk), "a request whose message goes there");
	timeout_start(VIRTIO_HANG_MS);
	while (READ_ONCE(*mem) == ~0U && !timeout_expired())
		cpu_relax();
	irq_take();
	check(READ_ONCE(*mem) != ~0U && irq_count[LINE_DISK] == before,
	      "the message's data, 0x%x, is in memory, and there is no interrupt", *mem);
	pci_msix_redirect(d->blk.v.at.bdf, LINE_DISK, disk_message_iova(d));
	viommu_unmap(&iommu, d->domain, iova, iova + granule() - 1);
}

void demo_messages(struct disk *d)
{
	section("Interrupt messages through the domain");
	note("the doorbell 0x%lx of %s is mapped at 0x%lx", d->doorbell, d->name,
	     disk_message_iova(d));
	check_status(disk_unmap_doorbell(d), VIOMMU_S_OK, "UNMAP of the doorbell");
	check_message_lost(d, disk_message_iova(d), "a message to where it was");
	check_status(disk_map_doorbell(d, VIOMMU_MAP_READ), VIOMMU_S_OK, "MAP without WRITE");
	check_message_lost(d, disk_message_iova(d), "a message to there");
	check_status(disk_unmap_doorbell(d), VIOMMU_S_OK, "UNMAP");
	check_status(disk_map_doorbell(d, VIOMMU_MAP_WRITE), VIOMMU_S_OK, "MAP with WRITE");
	completion_by_interrupt(d);
	pci_msix_redirect(d->blk.v.at.bdf, LINE_DISK, d->doorbell);
	check_message_lost(d, d->doorbell, "a message to the doorbell's own address");
	message_to_memory(d);
	completion_by_interrupt(d);
}

void demo_permissions(struct disk *d)
{
	const struct expected_fault no_write = {
		.reason = VIOMMU_FAULT_MAPPING,
		.access = VIOMMU_FAULT_WRITE,
		.first = out.iova,
		.last = out.iova,
	};
	const struct expected_fault no_read = {
		.reason = VIOMMU_FAULT_MAPPING,
		.access = VIOMMU_FAULT_READ,
		.first = in.iova,
		.last = in.iova,
	};
	const struct expected_fault past_end = {
		.reason = VIOMMU_FAULT_MAPPING,
		.access = VIOMMU_FAULT_WRITE,
		.first = in.iova + BUF_PAGES * granule(),
		.last = in.iova + BUF_PAGES * granule(),
	};
	u64 before = *(u64 *)buf_at(&out, 0);

	section("Permissions");
	*(u64 *)buf_at(&out, 0) = ~before;
	check_blocked(d, disk_rw(d, BLK_T_IN, FIRST_SECTOR, &out, 0, BLK_SECTOR), BLK_IOERR,
		      &no_write, "a sector read into a mapping without WRITE");
	check(*(u64 *)buf_at(&out, 0) == ~before, "memory is as it was");
	check_blocked(d, disk_rw(d, BLK_T_OUT, FIRST_SECTOR, &in, 0, BLK_SECTOR), BLK_IOERR,
		      &no_read, "a sector written from a mapping without READ");
	check_blocked(d,
		      blk_read(&d->blk, FIRST_SECTOR, past_end.first - BLK_SECTOR, 2 * BLK_SECTOR),
		      BLK_IOERR, &past_end, "two sectors read, the second past the last mapping");
	check_io(d, disk_rw(d, BLK_T_IN, FIRST_SECTOR, &in, 0, BLK_SECTOR),
		 "the disk goes on working");
}

/* One mapping of two granules: [iova, iova + 2 g). */
static void unmap_half(struct disk *d)
{
	u64 g = granule(), iova = iova_take(2);
	u8 *mem = mem_alloc(2 * g, g);
	struct expected_fault e = {
		.reason = VIOMMU_FAULT_MAPPING,
		.access = VIOMMU_FAULT_WRITE,
		.first = iova + g,
		.last = iova + g,
	};

	check_status(viommu_map(&iommu, d->domain, iova, gpa_of(mem), 2 * g, VIOMMU_MAP_WRITE),
		     VIOMMU_S_OK, "MAP of two granules");
	check_status(viommu_unmap(&iommu, d->domain, iova, iova + g - 1), VIOMMU_S_RANGE,
		     "UNMAP of one of them");
	check_io(d, blk_read(&d->blk, FIRST_SECTOR, iova + g - BLK_SECTOR, 2 * BLK_SECTOR),
		 "it took away nothing: a read over both of them");
	check_status(viommu_unmap(&iommu, d->domain, iova, iova + 2 * g - 1), VIOMMU_S_OK,
		     "UNMAP of both");
	check_blocked(d, blk_read(&d->blk, FIRST_SECTOR, iova + g, BLK_SECTOR), BLK_IOERR, &e,
		      "a read into the second");
	e.first = e.last = iova;
	check_blocked(d, blk_read(&d->blk, FIRST_SECTOR, iova, BLK_SECTOR), BLK_IOERR, &e,
		      "a read into the first");
}

void demo_unmap(struct disk *d)
{
	struct expected_fault e = {
		.reason = VIOMMU_FAULT_MAPPING,
		.access = VIOMMU_FAULT_READ,
		.first = out.iova + data_off(),
		.last = out.iova + data_off(),
	};
	u64 len = BUF_PAGES * granule();

	section("UNMAP under a running disk");
	unmap_half(d);
	check_status(viommu_unmap(&iommu, d->domain, out.iova - granule(), out.iova + len - 1),
		     VIOMMU_S_OK, "UNMAP of the pages that the disk reads, and of a hole");
	check_blocked(d, disk_rw(d, BLK_T_OUT, FIRST_SECTOR, &out, data_off(), data_len()),
		      BLK_IOERR, &e, "the write that succeeded before");
	buf_set(&in, 0);
	check_io(d, disk_rw(d, BLK_T_IN, FIRST_SECTOR, &in, data_off(), data_len()),
		 "the other buffer is still there");
	check(buf_matches(&in, data_off(), data_len(), seed_of(d)),
	      "and the disk still has the pattern");

	check_status(viommu_unmap(&iommu, d->domain, iommu.input_start, iommu.input_end),
		     VIOMMU_S_OK, "UNMAP of everything, the running disk's rings too");
	check_cut_off(d, VIOMMU_FAULT_MAPPING, "it reaches nothing more");
	virtio_reset(&d->blk.v);
	check(disk_map(d, d->domain) && buf_map(&out, d->domain, VIOMMU_MAP_READ) &&
		      buf_map(&in, d->domain, VIOMMU_MAP_WRITE) && blk_start(&d->blk),
	      "all mapped again, the disk reset and started");
	check_io(d, disk_rw(d, BLK_T_IN, FIRST_SECTOR, &in, 0, BLK_SECTOR), "it works again");
}

/* Both disks use the same IOVAs, @in and @out, each in its own domain. */
void demo_isolation(struct disk *a, struct disk *b)
{
	struct expected_fault e = {
		.reason = VIOMMU_FAULT_MAPPING,
		.access = VIOMMU_FAULT_WRITE,
	};
	struct buf other;
	u64 iova = iova_take(1);
	u8 *mem = mem_alloc(granule(), granule());
	int ret;

	section("Two endpoints, %s and %s", a->name, b->name);
	buf_alloc(&other);
	other.iova = in.iova;
	check(viommu_unmap(&iommu, b->domain, in.iova, in.iova + BUF_PAGES * granule() - 1) ==
			      VIOMMU_S_OK &&
		      buf_map(&other, b->domain, VIOMMU_MAP_WRITE),
	      "one IOVA, 0x%lx, that is other memory for each", in.iova);
	buf_set(&in, 0);
	check_io(b, disk_rw(b, BLK_T_IN, FIRST_SECTOR, &other, data_off(), data_len()),
		 "the second disk reads into it");
	check(buf_matches(&other, data_off(), data_len(), seed_of(b)) &&
		      buf_is_zero(&in, data_off(), data_len()),
	      "its own memory is written, the first one's is not");

	check_status(viommu_map(&iommu, a->domain, iova, gpa_of(mem), granule(), VIOMMU_MAP_WRITE),
		     VIOMMU_S_OK, "MAP for the first only");
	check_io(a, blk_read(&a->blk, FIRST_SECTOR, iova, BLK_SECTOR), "the first reads into it");
	check(*(u64 *)mem == seed_of(a), "and memory has what it read");
	e.first = e.last = iova;
	check_blocked(b, blk_read(&b->blk, FIRST_SECTOR, iova, BLK_SECTOR), BLK_IOERR, &e,
		      "the second does not");
	check(*(u64 *)mem == seed_of(a), "memory is as it was");

	/* One domain for both is the device's choice: it may say UNSUPP. */
	virtio_reset(&b->blk.v);
	ret = viommu_attach(&iommu, a->domain, b->endpoint, 0);
	check(ret == VIOMMU_S_OK || ret == VIOMMU_S_UNSUPP,
	      "ATTACH of the second to the first's domain: %s", viommu_status_name(ret));
	if (ret == VIOMMU_S_OK) {
		check_status(viommu_unmap(&iommu, b->domain, iommu.input_start, iommu.input_end),
			     VIOMMU_S_NOENT, "UNMAP in the domain that it left, which is no more");
		check(disk_map(b, a->domain) && blk_start(&b->blk),
		      "its pages mapped there, started");
		check_io(b, blk_read(&b->blk, FIRST_SECTOR, iova, BLK_SECTOR),
			 "now it reads into what the first has mapped");
		check(*(u64 *)mem == seed_of(b), "and memory has what it read");
		check_status(viommu_unmap(&iommu, a->domain, iova, iova + granule() - 1),
			     VIOMMU_S_OK, "UNMAP of that");
		check_blocked(a, blk_read(&a->blk, FIRST_SECTOR, iova, BLK_SECTOR), BLK_IOERR, &e,
			      "it is gone for the first");
		check_blocked(b, blk_read(&b->blk, FIRST_SECTOR, iova, BLK_SECTOR), BLK_IOERR, &e,
			      "and for the second");
		check_status(viommu_detach(&iommu, a->domain, b->endpoint), VIOMMU_S_OK,
			     "DETACH of the second");
		check_cut_off(b, VIOMMU_FAULT_DOMAIN, "running, it reaches nothing more");
		check_io(a, blk_read(&a->blk, FIRST_SECTOR, in.iova, BLK_SECTOR),
			 "the first still works");
		check(viommu_attach(&iommu, b->domain, b->endpoint, 0) == VIOMMU_S_OK &&
			      disk_map(b, b->domain) && buf_map(&out, b->domain, VIOMMU_MAP_READ) &&
			      buf_map(&in, b->domain, VIOMMU_MAP_WRITE),
		      "the second has a domain of its own again");
	}
	blk_start(&b->blk);
}

void demo_restore(struct disk *d)
{
	buf_set(&out, 0);
	check_io(d, disk_rw(d, BLK_T_OUT, FIRST_SECTOR, &out, data_off(), data_len()),
		 "the disk is blank again");
}

void demo_detach(struct disk *d)
{
	section("DETACH and ATTACH");
	check_status(viommu_detach(&iommu, d->domain, d->endpoint), VIOMMU_S_OK, "DETACH");
	check_cut_off(d, VIOMMU_FAULT_DOMAIN, "the running disk reaches nothing more");
	check_status(viommu_attach(&iommu, scratch_domain(), d->endpoint, 0), VIOMMU_S_OK,
		     "ATTACH to a new domain");
	check_unreachable(d, VIOMMU_FAULT_MAPPING, "in which nothing is mapped");
	check(disk_map(d, scratch_domain()) && buf_map(&in, scratch_domain(), VIOMMU_MAP_WRITE) &&
		      blk_start(&d->blk),
	      "its pages mapped, started");
	check_io(d, disk_rw(d, BLK_T_IN, FIRST_SECTOR, &in, 0, BLK_SECTOR), "it works");
	check_status(viommu_detach(&iommu, scratch_domain(), d->endpoint), VIOMMU_S_OK, "DETACH");
}

/* The disk is unattached. */
void demo_bypass(struct disk *d)
{
	static u64 sector[BLK_SECTOR / 8];

	section("The bypass field");
	viommu_set_bypass(&iommu, 1);
	check(viommu_bypass(&iommu) == 1, "set to 1");
	disk_use_gpa(d);
	blk_start(&d->blk);
	sector[0] = 1;
	check_io(d, blk_read(&d->blk, FIRST_SECTOR, gpa_of(sector), sizeof(sector)),
		 "the unattached disk reads into a guest-physical address");
	check(!sector[0], "and memory has what it read");
	check_status(viommu_attach(&iommu, d->domain, d->endpoint, 0), VIOMMU_S_OK,
		     "ATTACH to an empty domain");
	check_unreachable(d, VIOMMU_FAULT_MAPPING, "attached, the field does nothing for it");
	viommu_detach(&iommu, d->domain, d->endpoint);
	viommu_set_bypass(&iommu, 0);
	check(!viommu_bypass(&iommu), "set to 0");
	check_unreachable(d, VIOMMU_FAULT_DOMAIN, "the disk, unattached, reaches nothing again");
}

void demo_bypass_domain(struct disk *d, u32 other_endpoint)
{
	u32 domain = scratch_domain();
	static u64 sector[BLK_SECTOR / 8];
	u64 g = granule(), iova = iova_take(1);

	section("A bypass domain");
	check_status(viommu_attach(&iommu, domain, d->endpoint, VIOMMU_ATTACH_BYPASS), VIOMMU_S_OK,
		     "ATTACH with flag BYPASS");
	check_status(viommu_attach(&iommu, domain, other_endpoint, 0), VIOMMU_S_INVAL,
		     "ATTACH of another endpoint without it");
	check_status(viommu_map(&iommu, domain, iova, gpa_of(out.page[0]), g, VIOMMU_MAP_READ),
		     VIOMMU_S_INVAL, "MAP");
	check_status(viommu_unmap(&iommu, domain, iova, iova + g - 1), VIOMMU_S_INVAL, "UNMAP");
	disk_use_gpa(d);
	blk_start(&d->blk);
	sector[0] = 1;
	check_io(d, blk_read(&d->blk, FIRST_SECTOR, gpa_of(sector), sizeof(sector)),
		 "the disk reads into a guest-physical address");
	check(!sector[0], "and memory has what it read");
	check_status(viommu_detach(&iommu, domain, d->endpoint), VIOMMU_S_OK, "DETACH");
	check_unreachable(d, VIOMMU_FAULT_DOMAIN, "the disk reaches nothing");
}

void demo_reset(struct disk *disks, unsigned int n)
{
	unsigned int i;

	section("Reset of the virtio-iommu");
	for (i = 0; i < n; i++) {
		struct disk *d = &disks[i];

		if (!d->usable)
			continue;
		/* Wherever it is now: it begins with nothing mapped. */
		virtio_reset(&d->blk.v);
		viommu_detach(&iommu, d->domain, d->endpoint);
		disk_use_iova(d);
		check(viommu_attach(&iommu, d->domain, d->endpoint, 0) == VIOMMU_S_OK &&
			      disk_map(d, d->domain) &&
			      viommu_map(&iommu, d->domain, in.iova, gpa_of(in.page[0]), granule(),
					 VIOMMU_MAP_WRITE) == VIOMMU_S_OK &&
			      blk_start(&d->blk),
		      "the disk at %s attached, mapped, started", d->name);
		check_io(d, disk_rw(d, BLK_T_IN, FIRST_SECTOR, &in, 0, BLK_SECTOR), "it works");
	}
	check(viommu_start(&iommu, IOMMU_FEATURES), "reset, and features agreed on again");
	if (iommu.v.offered & VIOMMU_F_BYPASS_CONFIG)
		check(!viommu_bypass(&iommu), "bypass is still 0");
	for (i = 0; i < n; i++) {
		struct disk *d = &disks[i];

		if (!d->usable)
			continue;
		check_cut_off(d, VIOMMU_FAULT_DOMAIN, "the running disk reaches nothing more");
		check_status(viommu_unmap(&iommu, d->domain, iommu.input_start, iommu.input_end),
			     VIOMMU_S_NOENT, "UNMAP in its domain, which is no more");
	}
}
