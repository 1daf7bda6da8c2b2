// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <errno.h>
#include <linux/virtio_config.h>
#include <stdio.h>
#include <string.h>

#include "iommu-model.h"
#include "toy-format.h"

#define PASID_BITS 4 /* MODEL_PASIDS */

/* Where messages go: GPAs that a doorbell takes, not memory. */
#define DOORBELL RAM_SIZE

struct iommu_model model;

u64 model_cell(unsigned int cell)
{
	return cell < MODEL_LOW_CELLS ? DATA_BASE + cell * GRANULE
				      : 0 - (u64)(MODEL_CELLS - cell) * GRANULE;
}

static const struct iommu_config config = {
	.page_size_mask = ~(GRANULE - 1ULL),
	.input_start = DATA_BASE + 2 * GRANULE,
	.input_last = UINT64_MAX,
	.domain_last = MODEL_DOMAINS - 1,
	.max_mappings = MODEL_LIMIT,
	.offer_tables = true,
	.resv = {{DATA_BASE + 12 * GRANULE, DATA_BASE + 14 * GRANULE - 1, IOMMU_RESV_RESERVED},
		 {UINT64_MAX - 8 * GRANULE + 1, UINT64_MAX - 7 * GRANULE, IOMMU_RESV_MSI}},
	.nr_resv = 2,
};

bool model_chance(unsigned int one_in)
{
	return unit_below(one_in) == 0;
}

bool model_has_feature(int feature)
{
	return feature < 0 || model.features & BIT_ULL(feature);
}

static void forget_all(void)
{
	memset(model.domains, 0, sizeof(model.domains));
	memset(model.base, 0, sizeof(model.base));
	for (unsigned int n = 0; n < NR_ENDPOINTS; n++) {
		model.domain_of[n] = NO_DOMAIN;
		model_forget(n);
	}
}

static void start_driver(u64 features)
{
	guest_negotiate(features);
	model.features = features & g.viommu.vdev.offered;
	guest_setup_queues();
	fake_driver_status(&g.drv, VIRTIO_CONFIG_S_DRIVER_OK);
}

void model_begin(void)
{
	static const struct iommu_format *const formats[] = {&toy_format, &toy_free_format,
							     &toy_domain_format, NULL};
	const struct iommu_limits limits = {.pa_bits = 40, .pasid_bits = PASID_BITS};

	memset(&model, 0, sizeof(model));
	model.config = config;
	guest_create(&config);
	for (unsigned int n = 0; n < NR_ENDPOINTS; n++) {
		/* Two that can be in one domain with tables, and two of any kind. */
		model.formats[n] = n == 1 ? model.formats[0]
					  : formats[unit_below(n ? ARRAY_SIZE(formats) : 3)];
		iommu_set_format(&g.eps[n], model.formats[n], &limits);
	}
	forget_all();
	start_driver(ALL_FEATURES);
}

void model_end(void)
{
	guest_end();
}

/* A driver that knows everything, or not of one thing. */
void model_reset(void)
{
	static const u8 features[] = {VIOMMU_F_PROBE, VIOMMU_F_MMIO, VIOMMU_F_BYPASS_CONFIG,
				      VIOMMU_F_ATTACH_TABLE, VIOMMU_F_MAP_UNMAP};
	u64 without = 0;

	fake_driver_status(&g.drv, 0);
	forget_all();
	if (model_chance(3))
		without = BIT_ULL(features[unit_below(ARRAY_SIZE(features))]);
	start_driver(ALL_FEATURES & ~without);
}

static struct model_domain *find_domain(u32 id)
{
	return id < MODEL_DOMAINS && model.domains[id].exists ? &model.domains[id] : NULL;
}

unsigned int model_mappings(void)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < MODEL_DOMAINS; i++)
		nr += model.domains[i].nr;
	return nr;
}

/* What @n leaves ends if it was the last one there. */
void model_move(unsigned int n, int to)
{
	int from = model.domain_of[n];
	bool used = false;

	model.domain_of[n] = to;
	model.base[n] = (struct model_table){0};
	model_forget(n);
	for (unsigned int i = 0; i < NR_ENDPOINTS; i++)
		used |= model.domain_of[i] == from;
	if (from != NO_DOMAIN && !used)
		model.domains[from] = (struct model_domain){0};
}

bool model_has_tables(unsigned int n)
{
	return model.domain_of[n] != NO_DOMAIN && model.domains[model.domain_of[n]].format;
}

/* The GPA, if it is translated and permitted, memory or not. */
static bool translate(unsigned int n, u64 iova, u32 dir, u64 *gpa)
{
	const struct model_domain *d;

	*gpa = iova;
	if (model.domain_of[n] == NO_DOMAIN)
		return model.bypass;
	d = &model.domains[model.domain_of[n]];
	if (d->bypass)
		return true;
	for (unsigned int i = 0; i < d->nr; i++) {
		const struct model_mapping *map = &d->maps[i];

		if (iova < map->start || iova > map->last)
			continue;
		if ((dir & DMA_READ && !(map->flags & VIOMMU_MAP_READ)) ||
		    (dir & DMA_WRITE && !(map->flags & VIOMMU_MAP_WRITE)))
			return false;
		*gpa = map->gpa + (iova - map->start);
		return true;
	}
	return false;
}

bool model_translate(unsigned int n, u64 iova, u32 dir, u64 *gpa)
{
	return translate(n, iova, dir, gpa) && *gpa < RAM_SIZE;
}

u32 model_random_domain(void)
{
	static const u32 wrong[] = {MODEL_DOMAINS, 77, 0x80000000, 0xffffffff};
	unsigned int n = unit_below(2 * NR_ENDPOINTS);

	/* Mostly one that there is. */
	if (n < NR_ENDPOINTS && model.domain_of[n] != NO_DOMAIN)
		return model.domain_of[n];
	return model_chance(20) ? wrong[unit_below(ARRAY_SIZE(wrong))] : unit_below(MODEL_DOMAINS);
}

/* The ID of endpoint @n, or now and then one that is unknown. */
u32 model_random_endpoint(unsigned int *n, bool *known)
{
	*n = unit_below(NR_ENDPOINTS);
	*known = !model_chance(20);
	return *known ? ep_id(*n) : UNKNOWN_EP;
}

bool model_status(const char *what, int status, u32 broken, int feature)
{
	u32 right = broken ? broken : S(OK);
	bool ok = status >= 0 && right & BIT(status);

	if (!model_has_feature(feature)) {
		CHECK_EQ(status, NO_ANSWER);
		return false;
	}
	if (!ok)
		printf("# %s: status %d, right are the bits 0x%x\n", what, status, right);
	CHECK(ok);
	return ok && !broken;
}

void model_attach(void)
{
	u32 domain = model_random_domain(), broken = 0;
	unsigned int n;
	bool known;
	struct viommu_attach req = {
		.head.type = VIOMMU_T_ATTACH,
		.domain = htole32(domain),
		.endpoint = htole32(model_random_endpoint(&n, &known)),
	};
	bool bypass = model_chance(4);
	const struct model_domain *d = find_domain(domain);

	req.flags = htole32(bypass ? VIOMMU_ATTACH_BYPASS : 0);
	if (bypass && !model_has_feature(VIOMMU_F_BYPASS_CONFIG))
		broken |= S(INVAL);
	if (model_chance(20)) {
		req.reserved[unit_below(4)] = 1;
		broken |= S(INVAL);
	}
	if (model_chance(20)) {
		req.flags |= htole32(BIT(1 + unit_below(31)));
		broken |= S(INVAL);
	}
	if (!known)
		broken |= S(NOENT);
	if (domain >= MODEL_DOMAINS)
		broken |= S(RANGE);
	if (d && (d->bypass != bypass || d->format))
		broken |= S(INVAL);
	if (!model_status("attach", guest_status(&req, sizeof(req)), broken, -1))
		return;
	if (!d)
		model.domains[domain] = (struct model_domain){.exists = true, .bypass = bypass};
	if (model.domain_of[n] != (int)domain)
		model_move(n, domain);
}

void model_detach(void)
{
	u32 domain = model_random_domain(), broken = 0, endpoint;
	unsigned int n;
	bool known;

	endpoint = model_random_endpoint(&n, &known);
	if (!known)
		broken |= S(NOENT);
	else if (domain >= MODEL_DOMAINS || model.domain_of[n] != (int)domain)
		broken |= S(INVAL);
	if (model_status("detach", detach(domain, endpoint), broken, -1))
		model_move(n, NO_DOMAIN);
}

/* A few pages in one of the two parts of the cells; [*start, *last]. */
static void random_range(u64 *start, u64 *last)
{
	unsigned int first = unit_below(MODEL_CELLS);
	unsigned int end = first < MODEL_LOW_CELLS ? MODEL_LOW_CELLS : MODEL_CELLS;

	*start = model_cell(first);
	*last = *start + (1 + unit_below(min(end - first, 5U))) * GRANULE - 1;
}

static u64 random_gpa(void)
{
	static const u64 odd[] = {RAM_SIZE - GRANULE, DOORBELL, UINT64_MAX - 2 * GRANULE + 1,
				  1ULL << 52};

	return model_chance(15) ? odd[unit_below(ARRAY_SIZE(odd))]
				: DATA_BASE + unit_below(64) * GRANULE;
}

static u32 map_rules(const struct viommu_map *req)
{
	const struct model_domain *d = find_domain(le32toh(req->domain));
	u64 start = le64toh(req->virt_start), last = le64toh(req->virt_end);
	u64 gpa = le64toh(req->phys_start);
	u32 broken = 0;

	if (le32toh(req->flags) & ~(model_has_feature(VIOMMU_F_MMIO) ? 7U : 3U))
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
	if (d && (d->bypass || d->format))
		broken |= S(INVAL);
	for (unsigned int i = 0; d && i < d->nr; i++) {
		if (start <= d->maps[i].last && last >= d->maps[i].start)
			broken |= S(INVAL);
	}
	if (model_mappings() == MODEL_LIMIT)
		broken |= S(NOMEM);
	return broken;
}

void model_map(void)
{
	struct viommu_map req = {.head.type = VIOMMU_T_MAP,
				 .domain = htole32(model_random_domain())};
	u64 start, last, gpa = random_gpa();
	u32 flags = unit_below(8);
	struct model_domain *d;

	random_range(&start, &last);
	switch (unit_below(40)) {
	case 0:
		start += unit_below(GRANULE);
		break;
	case 1:
		last -= unit_below(GRANULE);
		break;
	case 2:
		gpa += unit_below(GRANULE);
		break;
	case 3:
		flags |= BIT(3 + unit_below(29));
		break;
	case 4:
		last = start - 1;
		break;
	}
	req.virt_start = htole64(start);
	req.virt_end = htole64(last);
	req.phys_start = htole64(gpa);
	req.flags = htole32(flags);
	if (!model_status("map", guest_status(&req, sizeof(req)), map_rules(&req),
			  VIOMMU_F_MAP_UNMAP))
		return;
	d = find_domain(le32toh(req.domain));
	d->maps[d->nr++] = (struct model_mapping){start, last, gpa, flags};
}

void model_unmap(void)
{
	struct viommu_unmap req = {.head.type = VIOMMU_T_UNMAP,
				   .domain = htole32(model_random_domain())};
	struct model_domain *d = find_domain(le32toh(req.domain));
	u64 start, last;
	u32 broken = 0;

	random_range(&start, &last);
	if (d && d->nr && model_chance(2)) {
		const struct model_mapping *map = &d->maps[unit_below(d->nr)];

		start = map->start;
		last = model_chance(4) ? map->last - GRANULE : map->last;
	}
	if (model_chance(50)) {
		start = 0;
		last = UINT64_MAX;
	}
	if (model_chance(20)) {
		req.reserved[unit_below(4)] = 0x80;
		broken |= S(INVAL);
	}
	req.virt_start = htole64(start);
	req.virt_end = htole64(last);
	if (!d)
		broken |= S(NOENT);
	else if (d->bypass || d->format)
		broken |= S(INVAL);
	if (last < start)
		broken |= S(RANGE);
	for (unsigned int i = 0; d && i < d->nr; i++) {
		const struct model_mapping *map = &d->maps[i];

		if (map->start <= last && map->last >= start &&
		    (map->start < start || map->last > last))
			broken |= S(RANGE);
	}
	if (!model_status("unmap", guest_status(&req, sizeof(req)), broken, VIOMMU_F_MAP_UNMAP))
		return;
	for (unsigned int i = 0; i < d->nr;) {
		if (d->maps[i].start >= start && d->maps[i].last <= last)
			d->maps[i] = d->maps[--d->nr];
		else
			i++;
	}
}

/* What PROBE of endpoint @n has, but for the tail. */
static void make_properties(unsigned int n, u8 *buf)
{
	memset(buf, 0, PROBE_SIZE);
	for (unsigned int i = 0; i < config.nr_resv; i++, buf += 24) {
		const u64 bounds[] = {htole64(config.resv[i].start), htole64(config.resv[i].last)};

		buf[0] = 1;
		buf[2] = 20;
		buf[4] = config.resv[i].type == IOMMU_RESV_MSI;
		memcpy(buf + 8, bounds, sizeof(bounds));
	}
	if (model.formats[n] && model_has_feature(VIOMMU_F_ATTACH_TABLE))
		memcpy(buf, (u8[]){0x42, 0, 12, 0, PASID_BITS}, 5);
}

void model_probe(void)
{
	u8 reply[PROBE_SIZE + sizeof(struct viommu_tail)], expected[PROBE_SIZE];
	struct viommu_probe req = {.head.type = VIOMMU_T_PROBE};
	unsigned int n;
	bool known;
	u32 len;

	req.endpoint = htole32(model_random_endpoint(&n, &known));
	/* These are ignored. */
	req.reserved[unit_below(sizeof(req.reserved))] = unit_below(2);
	len = guest_request(&req, sizeof(req), reply, sizeof(reply));
	if (!model_status("probe", len ? reply[PROBE_SIZE] : NO_ANSWER, known ? 0 : S(NOENT),
			  VIOMMU_F_PROBE))
		return;
	CHECK_EQ(len, sizeof(reply));
	make_properties(n, expected);
	CHECK(!memcmp(reply, expected, sizeof(expected)));
}

void model_bypass(void)
{
	bool on = model_chance(2);

	write_bypass(on);
	if (model_has_feature(VIOMMU_F_BYPASS_CONFIG))
		model.bypass = on;
	CHECK_EQ(read_bypass(), model.bypass);
}

static bool doorbell(void *opaque, u64 gpa, u32 val)
{
	u64 *rung = opaque;

	(void)val;
	*rung = gpa;
	return gpa >= DOORBELL && gpa < DOORBELL + GRANULE;
}

/* A message: a write that a doorbell may take. In memory it finds what it writes. */
static void sample_message(unsigned int n, u64 iova)
{
	u64 gpa, rung = NOWHERE;
	bool there;
	u32 val = 0;
	int ret;

	iova &= ~3ULL;
	there = translate(n, iova, DMA_WRITE, &gpa);
	guest_mem_read(&g.mem, gpa, &val, sizeof(val));
	ret = dma_post32(&g.chans[n], iova, le32toh(val), doorbell, &rung);
	CHECK_EQ(rung, there ? gpa : NOWHERE);
	there = there && (gpa < RAM_SIZE || (gpa >= DOORBELL && gpa < DOORBELL + GRANULE));
	CHECK_EQ(ret, there ? 0 : -EFAULT);
}

/* Each piece has to be where the model has its first and its last byte. */
static void sample_run(unsigned int n, u64 iova, u64 len, u32 dir)
{
	dma_handle_t handle;
	struct iovec iov[4];
	bool there = true;
	u64 gpa;
	int ret;

	for (u64 at = 0; at < len && there; at = (iova + at) / GRANULE * GRANULE + GRANULE - iova)
		there = model_translate(n, iova + at, dir, &gpa);
	there = there && model_translate(n, iova + len - 1, dir, &gpa);
	ret = dma_map(&g.chans[n], DMA_NO_PASID, iova, len, dir, iov, ARRAY_SIZE(iov), &handle);
	CHECK_EQ(ret > 0, there);
	if (ret < 0)
		return;
	for (int i = 0; i < ret; i++) {
		u64 at = (u8 *)iov[i].iov_base - g.mem.banks[0].hva, size = iov[i].iov_len;

		CHECK(size && size <= len && at < RAM_SIZE && size <= RAM_SIZE - at);
		for (u64 off = 0;; off = min(off + 512, size - 1)) {
			CHECK(model_translate(n, iova + off, dir, &gpa));
			CHECK_EQ(gpa, at + off);
			if (off == size - 1)
				break;
		}
		iova += size;
		len -= size;
	}
	CHECK_EQ(len, 0);
	dma_unmap(&g.chans[n], handle);
}

void model_sample(unsigned int n)
{
	u64 iova = model_cell(unit_below(MODEL_CELLS)) + unit_below(GRANULE);
	u64 len = 1 + unit_below(model_chance(4) ? 3 * GRANULE : 16);
	u32 dir = 1 + unit_below(3);

	if (model_has_tables(n)) {
		model_sample_tables(n);
		return;
	}
	if (iova + (len - 1) < iova)
		len = 0 - iova;
	if (model_chance(8))
		sample_message(n, iova);
	else
		sample_run(n, iova, len, dir);
}

void model_sweep(unsigned int n, u32 dir)
{
	if (model_has_tables(n)) {
		model_sweep_tables(n, dir);
		return;
	}
	for (unsigned int cell = 0; cell < MODEL_CELLS; cell++)
		sample_run(n, model_cell(cell), 1, dir);
}
