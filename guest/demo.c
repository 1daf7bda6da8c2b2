// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest that lkvm runs when it is given no kernel. It drives the virtio-iommu
 * and the disks behind it as an operating system would, then as one should not,
 * and reports what it sees. Status 0 if all is as the virtio specification says.
 */
#include "demo.h"

struct viommu iommu;

static struct disk disks[MAX_DISKS];
static unsigned int nr_disks;

static void find_disks(void)
{
	struct fw_device at;
	char name[FW_NAME_SIZE];
	int pos = -1;

	while (nr_disks < MAX_DISKS && fw_next(&pos, &at)) {
		if (virtio_type(&at) != VIRTIO_TYPE_BLK)
			continue;
		fw_name(&at, name);
		if (disk_open(&disks[nr_disks], nr_disks, &at))
			nr_disks++;
		else
			check(false, "virtio-blk at %s: no registers", name);
	}
}

static void print_features(void)
{
	static const char *const names[] = {"INPUT_RANGE",   "DOMAIN_RANGE", "MAP_UNMAP",
					    "BYPASS",	     "PROBE",	     "MMIO",
					    "BYPASS_CONFIG", "ATTACH_TABLE"};
	unsigned int i;

	print("        offers");
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		if (iommu.v.offered & BIT_ULL(i))
			print(" %s", names[i]);
	}
	print("\n");
}

static bool has_mappings(void)
{
	return iommu.v.offered & VIOMMU_F_MAP_UNMAP;
}

/* False if there is nothing that the rest could be tried on. */
static bool demo_discovery(void)
{
	bool started;

	section("The virtio-iommu");
	if (!check(viommu_open(&iommu, &fw.iommu), "%s names it at %s", fw.iommu_source,
		   iommu.v.name))
		return false;
	if (virtio_route(&iommu.v, LINE_EVENT, LINE_EVENT))
		iommu.event_vector = LINE_EVENT;
	started = viommu_start(&iommu, IOMMU_FEATURES);
	if (!check(started, "features agreed on, both %squeues set up",
		   virtio_is_packed(&iommu.v) ? "packed " : ""))
		return false;
	print_features();
	if (!check(iommu.v.offered & (VIOMMU_F_MAP_UNMAP | VIOMMU_F_ATTACH_TABLE), "%s is offered",
		   has_mappings() ? "MAP_UNMAP" : "without MAP_UNMAP, ATTACH_TABLE"))
		return false;
	check(!(iommu.v.offered & VIOMMU_F_BYPASS), "the legacy feature BYPASS is not");
	if (!check(iommu.page_size_mask, "page_size_mask 0x%lx: granule 0x%lx",
		   iommu.page_size_mask, iommu.granule))
		return false;
	check(iommu.input_start < iommu.input_end, "input range 0x%lx-0x%lx", iommu.input_start,
	      iommu.input_end);
	check(iommu.domain_first < iommu.domain_last, "domain range 0x%x-0x%x", iommu.domain_first,
	      iommu.domain_last);
	if (iommu.v.offered & VIOMMU_F_BYPASS_CONFIG) {
		u8 bypass = viommu_bypass(&iommu);

		check(bypass <= 1, "bypass is %u", bypass);
	}
	return true;
}

/* Rules for one property; also counts the MSI regions. */
static bool property_ok(const struct viommu_property *p, unsigned int *nr_msi)
{
	const struct viommu_resv_mem *r = (const void *)p;

	if (p->type != VIOMMU_PROBE_RESV_MEM)
		return !(p->type & ~VIOMMU_PROBE_TYPE_MASK);
	*nr_msi += r->subtype == VIOMMU_RESV_MSI;
	return p->length == sizeof(*r) - sizeof(*p) && r->start <= r->end && *nr_msi <= 1 &&
	       !(r->reserved[0] | r->reserved[1] | r->reserved[2]);
}

/* Says what it is, and keeps its region clear. */
static void take_property(const struct viommu_property *p)
{
	const struct viommu_resv_mem *r = (const void *)p;

	if (p->type != VIOMMU_PROBE_RESV_MEM) {
		note("property %u, %u bytes", p->type & VIOMMU_PROBE_TYPE_MASK, p->length);
		return;
	}
	note("%s region 0x%lx-0x%lx", r->subtype == VIOMMU_RESV_MSI ? "MSI" : "reserved", r->start,
	     r->end);
	iova_reserve(r->start, r->end);
}

/* What it is, for the report: where, and its kind. */
static void describe_endpoint(const struct fw_device *at, u32 endpoint, char *buf, size_t size)
{
	char name[FW_NAME_SIZE];

	fw_name(at, name);
	if (at->is_mmio)
		format(buf, size, "%s, virtio device %u, endpoint 0x%x", name, virtio_type(at),
		       endpoint);
	else
		format(buf, size, "%s, PCI %04x:%04x, endpoint 0x%x", name,
		       pci_read16(at->bdf, PCI_VENDOR), pci_read16(at->bdf, PCI_DEVICE), endpoint);
}

static void probe_endpoint(const struct fw_device *at, u32 endpoint)
{
	static u64 answer[PAGE_SIZE / 8];
	const struct viommu_property *p;
	unsigned int nr_msi = 0;
	char what[80];
	bool bad = false;
	u32 pos = 0, end;
	int status;

	describe_endpoint(at, endpoint, what, sizeof(what));
	if (!(iommu.v.features & VIOMMU_F_PROBE)) {
		note("%s", what);
		return;
	}
	if (iommu.probe_size + sizeof(struct viommu_tail) > sizeof(answer)) {
		check(false, "probe_size %u is too large for this guest", iommu.probe_size);
		return;
	}
	status = viommu_probe(&iommu, endpoint, answer);
	while (status == VIOMMU_S_OK && (p = viommu_next_property(&iommu, answer, &pos, &bad)))
		bad |= !property_ok(p, &nr_msi);
	for (end = pos; end < iommu.probe_size && !((u8 *)answer)[end]; end++)
		;
	check(status == VIOMMU_S_OK && !bad && end == iommu.probe_size,
	      "%s: PROBE %s, %u bytes of properties, %s", what, viommu_status_name(status), pos,
	      bad		       ? "one of them wrong"
	      : end < iommu.probe_size ? "something after them"
				       : "then zeros");
	pos = 0;
	bad = false;
	while (status == VIOMMU_S_OK && (p = viommu_next_property(&iommu, answer, &pos, &bad)))
		take_property(p);
}

static void demo_endpoints(void)
{
	struct fw_device at;
	u32 endpoint;
	int pos = -1;

	section("Endpoints behind it");
	while (fw_next(&pos, &at)) {
		if (fw_endpoint(&at, &endpoint))
			probe_endpoint(&at, endpoint);
	}
}

static void demo_iommu(void)
{
	struct disk *first = NULL, *second = NULL;
	unsigned int i;

	if (!demo_discovery())
		return;
	demo_endpoints();
	if (!has_mappings()) {
		demo_tables();
		return;
	}
	find_disks();
	for (i = 0; i < nr_disks; i++) {
		if (!disks[i].translated)
			continue;
		if (!first)
			first = &disks[i];
		else if (!second)
			second = &disks[i];
	}
	if (!check(first, "%u disks, at least one of them behind the virtio-iommu", nr_disks))
		return;
	/* One for each disk, one for what does not last, and one that never exists. */
	if (!check(iommu.domain_last - iommu.domain_first >= nr_disks + 1,
		   "enough domains for them"))
		return;

	if (iommu.v.offered & VIOMMU_F_BYPASS_CONFIG)
		viommu_set_bypass(&iommu, 0);
	section("Before any ATTACH");
	for (i = 0; i < nr_disks; i++)
		demo_unattached(&disks[i]);
	demo_requests(first->endpoint);

	first = second = NULL;
	for (i = 0; i < nr_disks; i++) {
		struct disk *d = &disks[i];

		if (!d->translated) {
			demo_untranslated(d);
			continue;
		}
		d->domain = iommu.domain_first + 1 + i;
		demo_translated(d);
		if (d->usable && !first)
			first = d;
		else if (d->usable && !second)
			second = d;
	}
	if (!check(first, "a disk that is writable and blank: the rest is tried on it"))
		return;
	demo_interrupts(first);
	if (first->maps_doorbell)
		demo_messages(first);
	demo_permissions(first);
	demo_unmap(first);
	if (second)
		demo_isolation(first, second);
	demo_restore(first);
	if (second)
		demo_restore(second);
	demo_detach(first);
	if (iommu.v.features & VIOMMU_F_BYPASS_CONFIG) {
		demo_bypass(first);
		if (second)
			demo_bypass_domain(first, second->endpoint);
	}
	demo_reset(disks, nr_disks);
	demo_little_room(first->endpoint);
	demo_tables();
}

int guest_main(void)
{
	unsigned int i;

	print("lkvm-demo: a bare-metal guest, %u MiB of memory from 0x%lx on\n",
	      (u32)((fw.ram_end - fw.ram_start) >> 20), fw.ram_start);
	if (fw.iommu_source) {
		demo_iommu();
	} else {
		print("\nThere is no virtio-iommu (try --iommu=virtio): devices use "
		      "guest-physical\n"
		      "addresses and can reach all of memory.\n");
		find_disks();
		check(nr_disks, "%u disks", nr_disks);
		for (i = 0; i < nr_disks; i++)
			demo_untranslated(&disks[i]);
	}
	return check_report("lkvm-demo");
}
