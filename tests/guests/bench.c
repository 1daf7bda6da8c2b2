// SPDX-License-Identifier: GPL-2.0-only
/*
 * What it costs a driver to let a device reach a buffer, and to take that back. The command line
 * names what is timed, and how often:
 *
 * exit N          a read of the device's configuration: one exit from the guest and back
 * single N        a MAP and an UNMAP of a page, each in a kick of its own
 * batch N         as many MAPs as a batch holds in one kick, then the UNMAPs
 * range N         as many MAPs of pages side by side, then one UNMAP of all
 * table-single N  an entry of a page table that is written, cleared, and an INVALIDATE
 * table-batch N   as many entries as a batch holds, then the INVALIDATEs in one kick
 * table-range N   as many entries side by side, then one INVALIDATE of all
 *
 * Requests of all kinds are built before the clock starts.
 *
 * Prints the minimum and the median of one of them, a read or a buffer, in nanoseconds, then
 * the minimum in ticks: on x86 these are cycles. Then it sleeps, so that somebody can look at its
 * counters. All numbers have the same width: the exits that printing costs are the same in each
 * run.
 */
#include "pasid-table.h"
#include "rt.h"

#define DOMAIN	   1
#define IOVA	   0x10000000ULL
#define CALIBRATE  100 /* ms */
#define MAX_ROUNDS 100000
#define SIZE_4K	   BIT_ULL(PAGE_4K)

/* A counter of time, which no exit is needed to read. */
static u64 ticks(void)
{
#if defined(__x86_64__)
	u32 lo, hi;

	__asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (u64)hi << 32 | lo;
#elif defined(__aarch64__)
	u64 val;

	__asm__ volatile("isb; mrs %0, cntvct_el0" : "=r"(val) : : "memory");
	return val;
#else
	u64 val;

	__asm__ volatile("fence; rdtime %0" : "=r"(val) : : "memory");
	return val;
#endif
}

/* How many ticks CALIBRATE milliseconds are. */
static u64 calibrate(void)
{
	u64 start;

	timeout_start(CALIBRATE);
	start = ticks();
	while (!timeout_expired())
		irq_take();
	return ticks() - start;
}

static u32 to_ns(u64 time, u64 calibration)
{
	return time * CALIBRATE * 1000000 / calibration;
}

static struct viommu iommu;
static struct viommu_req_map maps[VIOMMU_BATCH];
static struct viommu_req_unmap unmaps[VIOMMU_BATCH];
static struct viommu_req_unmap unmap_all;
static struct viommu_req_invalidate invalidates[VIOMMU_BATCH];
static struct viommu_req_invalidate invalidate_all;
static struct viommu_tail tails[VIOMMU_BATCH];
static u64 page;

static struct pasid_table table;
static struct page_table pages;

static void prepare_mappings(void)
{
	for (unsigned int i = 0; i < VIOMMU_BATCH; i++) {
		u64 iova = IOVA + i * iommu.granule;

		maps[i] = (struct viommu_req_map){
			.head.type = VIOMMU_T_MAP,
			.domain = DOMAIN,
			.virt_start = iova,
			.virt_end = iova + iommu.granule - 1,
			.phys_start = page,
			.flags = VIOMMU_MAP_READ | VIOMMU_MAP_WRITE,
		};
		unmaps[i] = (struct viommu_req_unmap){
			.head.type = VIOMMU_T_UNMAP,
			.domain = DOMAIN,
			.virt_start = iova,
			.virt_end = iova + iommu.granule - 1,
		};
	}
	unmap_all = unmaps[0];
	unmap_all.virt_end = unmaps[VIOMMU_BATCH - 1].virt_end;
}

static void prepare_tables(void)
{
	for (unsigned int i = 0; i < VIOMMU_BATCH; i++)
		pasid_table_inv_address(&table, 0, IOVA + i * SIZE_4K, 1, PAGE_4K, &invalidates[i]);
	pasid_table_inv_address(&table, 0, IOVA, VIOMMU_BATCH, PAGE_4K, &invalidate_all);
}

static void queue(const void *req, u32 len, unsigned int i)
{
	viommu_queue(&iommu, req, len, &tails[i], sizeof(tails[i]));
}

static void send(unsigned int n)
{
	if (viommu_send(&iommu))
		panic("bench: the virtio-iommu does not answer");
	for (unsigned int i = 0; i < n; i++) {
		if (tails[i].status)
			panic("bench: %s", viommu_status_name(tails[i].status));
	}
}

static void map(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		queue(&maps[i], sizeof(maps[i]), i);
	send(n);
}

static void mappings(unsigned int n)
{
	map(n);
	for (unsigned int i = 0; i < n; i++)
		queue(&unmaps[i], sizeof(unmaps[i]), i);
	send(n);
}

static void range_of_mappings(unsigned int n)
{
	map(n);
	queue(&unmap_all, sizeof(unmap_all), 0);
	send(1);
}

/* What was not valid is not cached: only an entry that is cleared needs a request. */
static void map_entries(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		page_table_map(&pages, IOVA + i * SIZE_4K, page, PAGE_4K, PAGE_WRITE | PAGE_USER);
}

static void entries(unsigned int n)
{
	map_entries(n);
	for (unsigned int i = 0; i < n; i++) {
		page_table_unmap(&pages, IOVA + i * SIZE_4K);
		queue(&invalidates[i], sizeof(invalidates[i]), i);
	}
	send(n);
}

static void range_of_entries(unsigned int n)
{
	map_entries(n);
	for (unsigned int i = 0; i < n; i++)
		page_table_unmap(&pages, IOVA + i * SIZE_4K);
	queue(&invalidate_all, sizeof(invalidate_all), 0);
	send(1);
}

static void config(unsigned int n)
{
	(void)n;
	viommu_bypass(&iommu);
}

struct kind {
	const char *name;
	unsigned int buffers;
	bool tables;
	void (*round)(unsigned int n);
};

static const struct kind kinds[] = {
	{"exit ", 1, false, config},
	{"single ", 1, false, mappings},
	{"batch ", VIOMMU_BATCH, false, mappings},
	{"range ", VIOMMU_BATCH, false, range_of_mappings},
	{"table-single ", 1, true, entries},
	{"table-batch ", VIOMMU_BATCH, true, entries},
	{"table-range ", VIOMMU_BATCH, true, range_of_entries},
};

static void sort(u64 *a, u32 nr)
{
	for (u32 gap = nr / 2; gap; gap /= 2) {
		for (u32 i = gap; i < nr; i++) {
			u64 val = a[i];
			u32 j = i;

			for (; j >= gap && a[j - gap] > val; j -= gap)
				a[j] = a[j - gap];
			a[j] = val;
		}
	}
}

static u32 number(const char *s)
{
	u32 n = 0;

	for (; *s >= '0' && *s <= '9' && n < MAX_ROUNDS; s++)
		n = n * 10 + *s - '0';
	return n;
}

/* *@rounds is how many of them. */
static const struct kind *parse(const char *s, u32 *rounds)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++) {
		size_t len = strlen(kinds[i].name);

		if (strlen(s) > len && !memcmp(s, kinds[i].name, len)) {
			*rounds = number(s + len);
			return &kinds[i];
		}
	}
	panic("bench: the command line is none of 'exit N', 'single N', 'batch N', 'range N', "
	      "'table-single N', 'table-batch N' and 'table-range N'");
}

static void attach_tables(u32 endpoint)
{
	struct pasid_table_cfg cfg;

	if (!pasid_table_probe_endpoint(&iommu, endpoint, &cfg))
		panic("bench: the endpoint takes no tables");
	if (!page_table_alloc(&pages, cfg.pages) ||
	    pasid_table_alloc(&table, &iommu, &cfg, DOMAIN, endpoint) ||
	    pasid_table_attach(&table) || pasid_table_set(&table, 0, &pages, 1))
		panic("bench: its tables cannot be attached");
}

static void start_iommu(bool tables)
{
	struct fw_device at;
	u32 endpoint;
	int pos = -1;

	if (!fw.iommu_source || !viommu_open(&iommu, &fw.iommu) || !viommu_start(&iommu, ~0ULL))
		panic("bench: there is no virtio-iommu");
	while (fw_next(&pos, &at)) {
		if (!fw_same(&at, &fw.iommu) && fw_endpoint(&at, &endpoint)) {
			if (tables)
				attach_tables(endpoint);
			else if (viommu_attach(&iommu, DOMAIN, endpoint, 0))
				panic("bench: ATTACH failed");
			return;
		}
	}
	panic("bench: there is no endpoint");
}

int guest_main(void)
{
	u32 rounds;
	const struct kind *kind = parse(fw.cmdline, &rounds);
	u64 *times = mem_alloc(max(rounds, 1U) * sizeof(*times), PAGE_SIZE);
	u64 calibration = calibrate();

	start_iommu(kind->tables);
	page = gpa_of(mem_alloc(iommu.granule, iommu.granule));
	if (kind->tables)
		prepare_tables();
	else
		prepare_mappings();
	kind->round(kind->buffers);
	for (u32 i = 0; i < rounds; i++) {
		u64 start = ticks();

		kind->round(kind->buffers);
		times[i] = ticks() - start;
	}
	sort(times, rounds);
	print("bench: %12u %12u ns %12u ticks\n", to_ns(times[0], calibration) / kind->buffers,
	      to_ns(times[rounds / 2], calibration) / kind->buffers,
	      (u32)(times[0] / kind->buffers));
	for (;;)
		cpu_sleep();
}
