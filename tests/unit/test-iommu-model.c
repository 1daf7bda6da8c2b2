// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random requests against a model of domains, endpoints and mappings that is too simple
 * to be wrong, and random accesses through the DMA channels against the translation
 * that the model gives.
 */
#include <endian.h>
#include <errno.h>
#include <linux/virtio_config.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "iommu-guest.h"
#include "unit.h"

#define STEPS 10000

/* Pages of IOVAs that are used: some at DATA_BASE, the rest up to the last one there is. */
#define NR_CELLS  48
#define LOW_CELLS 32

#define NR_DOMAINS 6 /* IDs that are valid */
#define NO_DOMAIN  (-1)

#define MAX_MAPPINGS 8

static u64 cell_iova(unsigned int cell)
{
	return cell < LOW_CELLS ? DATA_BASE + cell * GRANULE : 0 - (u64)(NR_CELLS - cell) * GRANULE;
}

static const struct iommu_config config = {
	.page_size_mask = ~(GRANULE - 1ULL),
	.input_start = DATA_BASE + 2 * GRANULE,
	.input_last = UINT64_MAX,
	.domain_last = NR_DOMAINS - 1,
	.max_mappings = MAX_MAPPINGS,
	.resv = {{DATA_BASE + 12 * GRANULE, DATA_BASE + 14 * GRANULE - 1, IOMMU_RESV_RESERVED},
		 {UINT64_MAX - 8 * GRANULE + 1, UINT64_MAX - 7 * GRANULE, IOMMU_RESV_MSI}},
	.nr_resv = 2,
};

struct model_mapping {
	u64 start, last, gpa;
	u32 flags;
};

struct model_domain {
	bool exists, bypass;
	unsigned int nr;
	struct model_mapping maps[MAX_MAPPINGS];
};

static struct {
	struct model_domain domains[NR_DOMAINS];
	int domain_of[NR_ENDPOINTS];
	bool bypass;
	u8 ram[RAM_SIZE]; /* from DATA_BASE on */
} m;

static struct model_domain *model_domain(u32 id)
{
	return id < NR_DOMAINS && m.domains[id].exists ? &m.domains[id] : NULL;
}

static unsigned int model_count(void)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < NR_DOMAINS; i++)
		nr += m.domains[i].nr;
	return nr;
}

/* What @n leaves ends if it was the last one there. */
static void model_move(unsigned int n, int to)
{
	int from = m.domain_of[n];
	bool used = false;

	m.domain_of[n] = to;
	for (unsigned int i = 0; i < NR_ENDPOINTS; i++)
		used |= m.domain_of[i] == from;
	if (from != NO_DOMAIN && !used)
		m.domains[from] = (struct model_domain){0};
}

/* Where an access ends; false if it faults. */
static bool model_translate(unsigned int n, u64 iova, u32 dir, u64 *gpa)
{
	const struct model_domain *d;

	if (m.domain_of[n] == NO_DOMAIN) {
		*gpa = iova;
		return m.bypass && *gpa < RAM_SIZE;
	}
	d = &m.domains[m.domain_of[n]];
	if (d->bypass) {
		*gpa = iova;
		return *gpa < RAM_SIZE;
	}
	for (unsigned int i = 0; i < d->nr; i++) {
		const struct model_mapping *map = &d->maps[i];

		if (iova < map->start || iova > map->last)
			continue;
		if ((dir & DMA_READ && !(map->flags & VIOMMU_MAP_READ)) ||
		    (dir & DMA_WRITE && !(map->flags & VIOMMU_MAP_WRITE)))
			return false;
		*gpa = map->gpa + (iova - map->start);
		return *gpa < RAM_SIZE;
	}
	return false;
}

static bool chance(unsigned int one_in)
{
	return unit_rand() % one_in == 0;
}

static u32 random_domain(void)
{
	static const u32 wrong[] = {NR_DOMAINS, 77, 0x80000000, 0xffffffff};

	return chance(20) ? wrong[unit_rand() % ARRAY_SIZE(wrong)] : unit_rand() % NR_DOMAINS;
}

/* The ID of endpoint @n, or now and then one that is unknown. */
static u32 random_endpoint(unsigned int *n, bool *known)
{
	*n = unit_rand() % NR_ENDPOINTS;
	*known = !chance(20);
	return *known ? ep_id(*n) : UNKNOWN_EP;
}

#define S(status) BIT(VIOMMU_S_##status)

/* Several rules may be broken at once: any of their statuses is right. */
static bool check_status(const char *what, int status, u32 broken)
{
	u32 right = broken ? broken : S(OK);
	bool ok = status >= 0 && right & BIT(status);

	if (!CHECK(ok))
		printf("# %s: status %d, right are the bits 0x%x\n", what, status, right);
	return ok && !broken;
}

static void step_attach(void)
{
	u32 domain = random_domain(), broken = 0;
	unsigned int n;
	bool known;
	struct viommu_attach req = {
		.head.type = VIOMMU_T_ATTACH,
		.domain = htole32(domain),
		.endpoint = htole32(random_endpoint(&n, &known)),
	};
	bool bypass = chance(4);

	req.flags = htole32(bypass ? VIOMMU_ATTACH_BYPASS : 0);
	if (chance(20)) {
		req.reserved[unit_rand() % 4] = 1;
		broken |= S(INVAL);
	}
	if (chance(20)) {
		req.flags |= htole32(BIT(1 + unit_rand() % 31));
		broken |= S(INVAL);
	}
	if (!known)
		broken |= S(NOENT);
	if (domain >= NR_DOMAINS)
		broken |= S(RANGE);
	else if (m.domains[domain].exists && m.domains[domain].bypass != bypass)
		broken |= S(INVAL);
	if (!check_status("attach", guest_status(&req, sizeof(req)), broken))
		return;
	if (!m.domains[domain].exists)
		m.domains[domain] = (struct model_domain){.exists = true, .bypass = bypass};
	if (m.domain_of[n] != (int)domain)
		model_move(n, domain);
}

static void step_detach(void)
{
	u32 domain = random_domain(), broken = 0, endpoint;
	unsigned int n;
	bool known;

	endpoint = random_endpoint(&n, &known);
	if (!known)
		broken |= S(NOENT);
	else if (domain >= NR_DOMAINS || m.domain_of[n] != (int)domain)
		broken |= S(INVAL);
	if (check_status("detach", detach(domain, endpoint), broken))
		model_move(n, NO_DOMAIN);
}

/* A few pages in one of the two parts of the cells; [*start, *last]. */
static void random_range(u64 *start, u64 *last)
{
	unsigned int first = unit_rand() % NR_CELLS;
	unsigned int end = first < LOW_CELLS ? LOW_CELLS : NR_CELLS;

	*start = cell_iova(first);
	*last = *start + (1 + unit_rand() % min(end - first, 5U)) * GRANULE - 1;
}

static u64 random_gpa(void)
{
	static const u64 odd[] = {RAM_SIZE - GRANULE, RAM_SIZE, UINT64_MAX - 2 * GRANULE + 1,
				  1ULL << 52};

	return chance(15) ? odd[unit_rand() % ARRAY_SIZE(odd)]
			  : DATA_BASE + unit_rand() % 64 * GRANULE;
}

static u32 map_rules(const struct viommu_map *req)
{
	const struct model_domain *d = model_domain(le32toh(req->domain));
	u64 start = le64toh(req->virt_start), last = le64toh(req->virt_end);
	u64 gpa = le64toh(req->phys_start);
	u32 broken = 0;

	if (le32toh(req->flags) & ~7U)
		broken |= S(INVAL);
	if (!d)
		broken |= S(NOENT);
	if (start % GRANULE || gpa % GRANULE || (last + 1) % GRANULE)
		broken |= S(RANGE);
	if (last < start || gpa + (last - start) < gpa || start < config.input_start)
		broken |= S(RANGE);
	for (unsigned int i = 0; i < config.nr_resv; i++) {
		if (start <= config.resv[i].last && last >= config.resv[i].start)
			broken |= S(INVAL);
	}
	if (d && d->bypass)
		broken |= S(INVAL);
	for (unsigned int i = 0; d && i < d->nr; i++) {
		if (start <= d->maps[i].last && last >= d->maps[i].start)
			broken |= S(INVAL);
	}
	if (model_count() == MAX_MAPPINGS)
		broken |= S(NOMEM);
	return broken;
}

static void step_map(void)
{
	struct viommu_map req = {.head.type = VIOMMU_T_MAP, .domain = htole32(random_domain())};
	u64 start, last, gpa = random_gpa();
	u32 flags = unit_rand() % 8;
	struct model_domain *d;

	random_range(&start, &last);
	switch (unit_rand() % 40) {
	case 0:
		start += unit_rand() % GRANULE;
		break;
	case 1:
		last -= unit_rand() % GRANULE;
		break;
	case 2:
		gpa += unit_rand() % GRANULE;
		break;
	case 3:
		flags |= BIT(3 + unit_rand() % 29);
		break;
	case 4:
		last = start - 1;
		break;
	}
	req.virt_start = htole64(start);
	req.virt_end = htole64(last);
	req.phys_start = htole64(gpa);
	req.flags = htole32(flags);
	if (!check_status("map", guest_status(&req, sizeof(req)), map_rules(&req)))
		return;
	d = model_domain(le32toh(req.domain));
	d->maps[d->nr++] = (struct model_mapping){start, last, gpa, flags};
}

static void step_unmap(void)
{
	struct viommu_unmap req = {.head.type = VIOMMU_T_UNMAP, .domain = htole32(random_domain())};
	struct model_domain *d = model_domain(le32toh(req.domain));
	u64 start, last;
	u32 broken = 0;

	random_range(&start, &last);
	if (d && d->nr && chance(2)) {
		const struct model_mapping *map = &d->maps[unit_rand() % d->nr];

		start = map->start;
		last = chance(4) ? map->last - GRANULE : map->last;
	}
	if (chance(50)) {
		start = 0;
		last = UINT64_MAX;
	}
	if (chance(20)) {
		req.reserved[unit_rand() % 4] = 0x80;
		broken |= S(INVAL);
	}
	req.virt_start = htole64(start);
	req.virt_end = htole64(last);
	if (!d)
		broken |= S(NOENT);
	else if (d->bypass)
		broken |= S(INVAL);
	if (last < start)
		broken |= S(RANGE);
	for (unsigned int i = 0; d && i < d->nr; i++) {
		const struct model_mapping *map = &d->maps[i];

		if (map->start <= last && map->last >= start &&
		    (map->start < start || map->last > last))
			broken |= S(RANGE);
	}
	if (!check_status("unmap", guest_status(&req, sizeof(req)), broken))
		return;
	for (unsigned int i = 0; i < d->nr;) {
		if (d->maps[i].start >= start && d->maps[i].last <= last)
			d->maps[i] = d->maps[--d->nr];
		else
			i++;
	}
}

static void step_bypass(void)
{
	m.bypass = chance(2);
	write_bypass(m.bypass);
}

static void step_reset(void)
{
	fake_driver_status(&g.drv, 0);
	memset(m.domains, 0, sizeof(m.domains));
	for (unsigned int n = 0; n < NR_ENDPOINTS; n++)
		m.domain_of[n] = NO_DOMAIN;
	guest_negotiate(ALL_FEATURES);
	guest_setup_queues();
	fake_driver_status(&g.drv, VIRTIO_CONFIG_S_DRIVER_OK);
}

/* Memory that tests use, and what the model says is in it. */
static u8 *data(u64 gpa)
{
	return guest_mem_ptr(&g.mem, gpa, 1);
}

/* A read or a write of some bytes anywhere in the cells by endpoint @n. */
static void access_memory(unsigned int n, bool write)
{
	u64 iova = cell_iova(unit_rand() % NR_CELLS) + unit_rand() % GRANULE;
	u64 len = 1 + unit_rand() % (chance(4) ? 3 * GRANULE : 16);
	u8 buf[3 * GRANULE];
	u64 done, gpa;
	int ret;

	if (iova + (len - 1) < iova)
		len = 0 - iova;
	for (done = 0; done < len; done++) {
		if (!model_translate(n, iova + done, write ? DMA_WRITE : DMA_READ, &gpa))
			break;
	}

	if (!write) {
		ret = dma_read(&g.chans[n], iova, buf, len);
		CHECK_EQ(ret, done == len ? 0 : -EFAULT);
		for (u64 i = 0; i < len && !ret; i++) {
			if (!CHECK(model_translate(n, iova + i, DMA_READ, &gpa)) ||
			    !CHECK_EQ(buf[i], m.ram[gpa - DATA_BASE]))
				return;
		}
		return;
	}

	for (u64 i = 0; i < len; i++)
		buf[i] = unit_rand();
	ret = dma_write(&g.chans[n], iova, buf, len);
	CHECK_EQ(ret, done == len ? 0 : -EFAULT);
	for (u64 i = 0; i < done; i++) {
		model_translate(n, iova + i, DMA_WRITE, &gpa);
		/* How much is written before a fault is open. */
		m.ram[gpa - DATA_BASE] = ret ? *data(gpa) : buf[i];
	}
}

static void check_memory(void)
{
	CHECK(!memcmp(m.ram, data(DATA_BASE), RAM_SIZE - DATA_BASE));
}

TEST(random_requests_and_accesses)
{
	static const struct {
		void (*run)(void);
		unsigned int weight;
	} steps[] = {
		{step_attach, 25}, {step_detach, 10}, {step_map, 80},
		{step_unmap, 40},  {step_bypass, 3},  {step_reset, 1},
	};
	unsigned int total = 0, most = 0;

	memset(&m, 0, sizeof(m));
	for (unsigned int n = 0; n < NR_ENDPOINTS; n++)
		m.domain_of[n] = NO_DOMAIN;
	guest_start_with(&config, ALL_FEATURES);
	for (u64 i = 0; i < RAM_SIZE - DATA_BASE; i++)
		m.ram[i] = unit_rand();
	memcpy(data(DATA_BASE), m.ram, RAM_SIZE - DATA_BASE);
	for (unsigned int i = 0; i < ARRAY_SIZE(steps); i++)
		total += steps[i].weight;

	for (unsigned int i = 0; i < STEPS; i++) {
		unsigned int pick = unit_rand() % total, s = 0;

		while (pick >= steps[s].weight)
			pick -= steps[s++].weight;
		steps[s].run();
		if (!CHECK_EQ(g.iommu.nr_mappings, model_count()))
			break;
		most = max(most, model_count());
		for (unsigned int n = 0; n < NR_ENDPOINTS; n++)
			access_memory(n, chance(2));
		if (i % 1000 == 0)
			check_memory();
	}
	check_memory();
	/* The limit was met, or this tests less than it says. */
	CHECK_EQ(most, MAX_MAPPINGS);
	guest_end();
}
