// SPDX-License-Identifier: GPL-2.0-only
/*
 * What it costs a device to reach guest memory: dma_map() and dma_unmap() of one access, in ns.
 * The baseline of each measure is an access that no IOMMU translates.
 *
 * A miss is made by accesses that all have the same place in the cache of translations: their
 * IOVAs are DMA_TLB_ENTRIES pages apart. That each was a hit or a miss is checked by counters.
 */
#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "build-aarch64.h"
#include "build-riscv.h"
#include "build-x86.h"
#include "iommu/dma.h"
#include "iommu/format.h"
#include "timing.h"

#define PAGE	 (4 * KiB)
#define STRIDE	 (DMA_TLB_ENTRIES * PAGE)
#define IOVA	 (4 * GiB)
#define DATA	 (TABLE_BANK + 64 * MiB) /* what IOVAs translate to */
#define DOMAIN	 1
#define ENDPOINT 1
#define PASID	 5

/* ATTACH_TABLE of RISC-V: flags. */
#define FLAG_PASID   1
#define FLAG_MANAGED 2

#define BATCH 256

/* Pages of guest tables: their lowest tables fit into a second-level cache. */
#define TABLE_PAGES 1024

static struct table_memory ram;
static struct iommu iommu;
static struct iommu_endpoint endpoint;
static struct dma_chan direct, chan;

static void start(const struct iommu_format *format)
{
	static const struct iommu_config config = {
		.page_size_mask = ~(PAGE - 1),
		.input_last = UINT64_MAX,
		.domain_last = 9,
		.max_mappings = 1 << 24,
	};
	static const struct iommu_limits limits = {.pa_bits = 48, .pasid_bits = 20};

	must(!iommu_init(&iommu, &config) && !iommu_add_endpoint(&iommu, &endpoint, ENDPOINT) &&
		     !dma_chan_init(&chan, &ram.mem, &endpoint, 4),
	     "no endpoint");
	if (format)
		iommu_set_format(&endpoint, format, &limits);
	else
		must(!iommu_attach(&iommu, DOMAIN, ENDPOINT, false), "no domain");
}

static void end(void)
{
	dma_chan_destroy(&chan);
	iommu_destroy(&iommu);
}

static void map(u64 iova, u64 gpa, u64 len)
{
	const struct mapping m = {.start = iova,
				  .last = iova + len - 1,
				  .gpa = gpa,
				  .flags = MAPPING_READ | MAPPING_WRITE};

	must(!iommu_map(&iommu, DOMAIN, &m), "no mapping");
}

/* Of the accesses. */
static u32 pasid = DMA_NO_PASID;

/* One access of @len bytes at each of @iovas in turn. */
static double accesses(struct dma_chan *c, const u64 *iovas, u64 nr, u64 len)
{
	u64 steps = MIN_OPS / BATCH, next = 0, start_ns, found = 0;
	u64 *times = must_alloc(steps, sizeof(*times));
	dma_handle_t handle;
	struct iovec iov;
	double ns;

	for (u64 step = 0; step < steps; step++) {
		start_ns = now_ns();
		for (unsigned int i = 0; i < BATCH; i++) {
			found += dma_map(c, pasid, iovas[next], len, DMA_READ, &iov, 1, &handle);
			dma_unmap(c, handle);
			next = next + 1 < nr ? next + 1 : 0;
		}
		times[step] = now_ns() - start_ns;
	}
	must(found == steps * BATCH, "an access failed");
	ns = per_op(times, steps, BATCH);
	free(times);
	return ns;
}

static double misses_of_all(const u64 *iovas, u64 nr)
{
	u64 before = atomic_load(&chan.tlb_misses);
	double ns = accesses(&chan, iovas, nr, PAGE);

	/* The first one may still be cached. */
	must(atomic_load(&chan.tlb_misses) - before >= MIN_OPS - 1, "a miss was none");
	return ns;
}

static double hits_of_all(const u64 *iovas, u64 nr, u64 len)
{
	u64 before;
	double ns;

	accesses(&chan, iovas, nr, len);
	before = atomic_load(&chan.tlb_misses);
	ns = accesses(&chan, iovas, nr, len);
	must(atomic_load(&chan.tlb_misses) == before, "a hit was none");
	return ns;
}

static double words(struct dma_chan *c, u64 iova)
{
	u64 steps = MIN_OPS / BATCH, start_ns;
	u64 *times = must_alloc(steps, sizeof(*times));
	u16 val = 1, sum = 0;
	double ns;

	for (u64 step = 0; step < steps; step++) {
		start_ns = now_ns();
		for (unsigned int i = 0; i < BATCH; i++) {
			must(!dma_load16(c, iova, &val), "an access failed");
			sum |= val;
		}
		times[step] = now_ns() - start_ns;
	}
	must(!sum, "memory is not as it was");
	ns = per_op(times, steps, BATCH);
	free(times);
	return ns;
}

static void bench_hits(void)
{
	u64 pages[DMA_TLB_ENTRIES / 2], gpas[DMA_TLB_ENTRIES / 2], iova = IOVA, gpa = DATA;

	start(NULL);
	for (unsigned int i = 0; i < ARRAY_SIZE(pages); i++) {
		pages[i] = IOVA + i * PAGE;
		gpas[i] = DATA + 2 * i * PAGE;
		map(pages[i], gpas[i], PAGE);
	}
	print_ns("access to 4 KiB, hit", "no IOMMU", accesses(&direct, &gpa, 1, PAGE));
	print_ns("access to 4 KiB, hit", "MAP, one page", hits_of_all(&iova, 1, PAGE));
	print_ns("access to 4 KiB, hit", "MAP, 32 pages",
		 hits_of_all(pages, ARRAY_SIZE(pages), PAGE));
	print_ns("access to 16 bits of a ring, hit", "no IOMMU", words(&direct, DATA));
	print_ns("access to 16 bits of a ring, hit", "MAP", words(&chan, IOVA));

	iova = IOVA + GiB;
	map(iova, DATA, MiB);
	print_ns("access to 1 MiB in one mapping, hit", "no IOMMU",
		 accesses(&direct, &gpa, 1, MiB));
	print_ns("access to 1 MiB in one mapping, hit", "MAP", hits_of_all(&iova, 1, MiB));
	end();
}

static void bench_misses(bool random)
{
	const char *measure =
		random ? "access to 4 KiB, miss, random order" : "access to 4 KiB, miss, in order";
	u64 gpa = DATA;

	print_ns(measure, "no IOMMU", accesses(&direct, &gpa, 1, PAGE));
	for (u64 nr = 10; nr <= 1000000; nr *= 10) {
		u64 *iovas = must_alloc(nr, sizeof(*iovas));
		char who[32];

		start(NULL);
		for (u64 i = 0; i < nr; i++) {
			iovas[i] = IOVA + i * STRIDE;
			map(iovas[i], DATA + i % 4096 * PAGE, PAGE);
		}
		if (random)
			shuffle(iovas, nr);
		snprintf(who, sizeof(who), "MAP, %" PRIu64 " mappings", nr);
		print_ns(measure, who, misses_of_all(iovas, nr));
		end();
		free(iovas);
	}
}

/* Guest tables: each kind builds one that translates the same pages, and attaches it. */

static u64 page_iova(u64 i)
{
	return IOVA + i * STRIDE;
}

static u64 page_gpa(u64 i)
{
	return DATA + i * PAGE;
}

static void attach(u8 wire_format, const u8 *desc)
{
	u32 of;
	int ret = iommu_attach_table(&iommu, DOMAIN, ENDPOINT, wire_format, desc, &of);

	must(!ret, "a table was not attached");
}

/* A field of ATTACH_TABLE, by its offset in the request. */
static void desc_put64(u8 *desc, unsigned int offset, u64 val)
{
	val = htole64(val);
	memcpy(desc + offset - 13, &val, sizeof(val));
}

static void build_smmuv3(unsigned int levels)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE] = {0};
	struct a64_space space;
	u64 cd[8], ste0 = cd_table(&ram, FMT_LINEAR, 0);

	a64_init(&space, &ram, 12, 64 - (12 + 9 * levels), false);
	for (u64 i = 0; i < TABLE_PAGES; i++)
		a64_map(&space, page_iova(i), 3, page_gpa(i), A64_RW);
	cd_fill(cd, &space, 1);
	cd_put(&ram, cd_entry(&ram, ste0, 0), cd);
	desc_put64(desc, 16, ste0);
	attach(VIOMMU_TABLE_ARM_SMMU3, desc);
}

static u64 build_x86(unsigned int levels)
{
	struct x86_build b;

	x86_build_init(&b, &ram.mem, table_alloc(&ram, 4 * MiB), levels);
	for (u64 i = 0; i < TABLE_PAGES; i++)
		x86_build_map(&b, page_iova(i), 1, page_gpa(i) | X86_ALL | X86_A | X86_D,
			      X86_ALL | X86_A);
	return b.root;
}

static void build_vtd(unsigned int levels)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE] = {0};

	x86_put_desc(desc, 16, 8, build_x86(levels));
	x86_put_desc(desc, 32, 4, levels == 5 ? 57 : 48);
	attach(VIOMMU_TABLE_INTEL_PT, desc);
}

/* Without a PASID: the first entry of a GCR3 table. */
static void build_amd(unsigned int levels)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE] = {0};
	u64 gcr3 = table_alloc(&ram, PAGE);

	table_put(&ram, gcr3, build_x86(levels) | 1);
	x86_put_desc(desc, 16, 8, gcr3);
	x86_put_desc(desc, 25, 1, 1);
	x86_put_desc(desc, 26, 1, levels == 5);
	attach(VIOMMU_TABLE_AMD_GCR3, desc);
}

/* In the device's GCR3 table, that of PASID. */
static void build_amd_pt(unsigned int levels)
{
	u8 base[IOMMU_DESCRIPTOR_SIZE] = {0}, desc[IOMMU_DESCRIPTOR_SIZE] = {0};

	x86_put_desc(base, 26, 1, levels == 5);
	attach(VIOMMU_TABLE_AMD_GCR3, base);
	x86_put_desc(desc, 16, 8, build_x86(levels));
	x86_put_desc(desc, 24, 4, PASID);
	attach(VIOMMU_TABLE_AMD_PT, desc);
	pasid = PASID;
}

static u64 build_iosatp(unsigned int levels)
{
	struct rv_space space;

	rv_init(&space, &ram, levels - 3 + SV39);
	for (u64 i = 0; i < TABLE_PAGES; i++)
		rv_map(&space, page_iova(i), 0, page_gpa(i), PTE_ALL);
	return rv_iosatp(&space);
}

/* In the device's process directory, that of PASID. */
static void build_gipc(unsigned int levels)
{
	u8 base[IOMMU_DESCRIPTOR_SIZE] = {0}, desc[IOMMU_DESCRIPTOR_SIZE] = {0};

	x86_put_desc(base, 16, 8, TC_PDTV);
	x86_put_desc(base, 44, 4, FLAG_MANAGED);
	attach(VIOMMU_TABLE_RISCV, base);
	x86_put_desc(desc, 32, 8, build_iosatp(levels));
	x86_put_desc(desc, 40, 4, PASID);
	x86_put_desc(desc, 44, 4, FLAG_PASID);
	attach(VIOMMU_TABLE_RISCV, desc);
	pasid = PASID;
}

static void build_riscv(unsigned int levels)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE] = {0};

	desc_put64(desc, 32, build_iosatp(levels));
	attach(VIOMMU_TABLE_RISCV, desc);
}

static const struct table_kind {
	const char *name;
	const struct iommu_format *format;
	unsigned int levels;
	void (*build)(unsigned int levels);
} kinds[] = {
	{"smmuv3, 4 levels", &format_smmuv3, 4, build_smmuv3},
	{"vtd, 4 levels", &format_vtd, 4, build_vtd},
	{"vtd, 5 levels", &format_vtd, 5, build_vtd},
	{"amd, 4 levels", &format_amd, 4, build_amd},
	{"amd, 5 levels", &format_amd, 5, build_amd},
	{"amd-pt, a PASID, 4 levels", &format_amd_pt, 4, build_amd_pt},
	{"riscv, Sv39", &format_riscv, 3, build_riscv},
	{"riscv, Sv48", &format_riscv, 4, build_riscv},
	{"riscv, Sv57", &format_riscv, 5, build_riscv},
	{"riscv-gipc, a PASID, Sv48", &format_riscv_gipc, 4, build_gipc},
};

static void bench_tables(void)
{
	double hits[ARRAY_SIZE(kinds)], walks[ARRAY_SIZE(kinds)];
	u64 iovas[TABLE_PAGES], gpa = DATA;

	for (unsigned int k = 0; k < ARRAY_SIZE(kinds); k++) {
		start(kinds[k].format);
		kinds[k].build(kinds[k].levels);
		for (u64 i = 0; i < TABLE_PAGES; i++)
			iovas[i] = page_iova(i);
		shuffle(iovas, TABLE_PAGES);
		hits[k] = hits_of_all(iovas, 1, PAGE);
		walks[k] = misses_of_all(iovas, TABLE_PAGES);
		pasid = DMA_NO_PASID;
		end();
		table_memory_reset(&ram);
	}
	print_ns("access by tables of the guest, hit", "no IOMMU",
		 accesses(&direct, &gpa, 1, PAGE));
	for (unsigned int k = 0; k < ARRAY_SIZE(kinds); k++)
		print_ns("access by tables of the guest, hit", kinds[k].name, hits[k]);
	print_ns("access by tables of the guest, walk", "no IOMMU",
		 accesses(&direct, &gpa, 1, PAGE));
	for (unsigned int k = 0; k < ARRAY_SIZE(kinds); k++)
		print_ns("access by tables of the guest, walk", kinds[k].name, walks[k]);
}

int main(void)
{
	table_memory_init(&ram);
	must(!dma_chan_init(&direct, &ram.mem, NULL, 1), "no channel");
	bench_hits();
	bench_misses(false);
	bench_misses(true);
	bench_tables();
	dma_chan_destroy(&direct);
	table_memory_destroy(&ram);
	return 0;
}
