// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a request to the virtio-iommu costs a driver. The command line names what is timed,
 * and how often:
 *
 * exit N     a read of the device's configuration: one exit from the guest and back
 * single N   a MAP and an UNMAP of a page, each in a kick of its own
 * batch N    as many MAPs as a batch holds in one kick, then the UNMAPs
 *
 * Prints the minimum and the median of one of them in nanoseconds: of a read, or of a MAP and
 * its UNMAP. Then it sleeps, so that somebody can look at its counters. All numbers have the same
 * width: the exits that printing costs are the same in each run.
 */
#include "rt.h"

#define DOMAIN	   1
#define IOVA	   0x10000000ULL
#define CALIBRATE  100 /* ms */
#define MAX_ROUNDS 100000

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
static struct viommu_tail tails[VIOMMU_BATCH];

static void prepare(void)
{
	u64 page = gpa_of(mem_alloc(iommu.granule, iommu.granule));

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

static void requests(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		viommu_queue(&iommu, &maps[i], sizeof(maps[i]), &tails[i], sizeof(tails[i]));
	send(n);
	for (unsigned int i = 0; i < n; i++)
		viommu_queue(&iommu, &unmaps[i], sizeof(unmaps[i]), &tails[i], sizeof(tails[i]));
	send(n);
}

static void round(unsigned int n)
{
	if (n)
		requests(n);
	else
		viommu_bypass(&iommu);
}

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

/* The requests of a round, 0 for a read; *@rounds is how many of them. */
static unsigned int parse(const char *s, u32 *rounds)
{
	static const struct {
		const char *name;
		unsigned int requests;
	} kinds[] = {{"exit ", 0}, {"single ", 1}, {"batch ", VIOMMU_BATCH}};

	for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++) {
		size_t len = strlen(kinds[i].name);

		if (strlen(s) > len && !memcmp(s, kinds[i].name, len)) {
			*rounds = number(s + len);
			return kinds[i].requests;
		}
	}
	panic("bench: the command line is none of 'exit N', 'single N' and 'batch N'");
}

static void start_iommu(void)
{
	struct fw_device at;
	u32 endpoint;
	int pos = -1;

	if (!fw.iommu_source || !viommu_open(&iommu, &fw.iommu) || !viommu_start(&iommu, ~0ULL))
		panic("bench: there is no virtio-iommu");
	while (fw_next(&pos, &at)) {
		if (!fw_same(&at, &fw.iommu) && fw_endpoint(&at, &endpoint)) {
			if (viommu_attach(&iommu, DOMAIN, endpoint, 0))
				panic("bench: ATTACH failed");
			return;
		}
	}
	panic("bench: there is no endpoint");
}

int guest_main(void)
{
	u32 rounds;
	unsigned int n = parse(fw.cmdline, &rounds);
	u64 *times = mem_alloc(max(rounds, 1U) * sizeof(*times), PAGE_SIZE);
	u64 calibration = calibrate();

	start_iommu();
	prepare();
	round(n);
	for (u32 i = 0; i < rounds; i++) {
		u64 start = ticks();

		round(n);
		times[i] = ticks() - start;
	}
	sort(times, rounds);
	print("bench: %12u %12u ns\n", to_ns(times[0], calibration) / max(n, 1U),
	      to_ns(times[rounds / 2], calibration) / max(n, 1U));
	for (;;)
		cpu_sleep();
}
