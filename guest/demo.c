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
	int bdf;

	for (bdf = pci_next(-1); bdf >= 0 && nr_disks < MAX_DISKS; bdf = pci_next(bdf)) {
		if (virtio_pci_type(bdf) != VIRTIO_TYPE_BLK)
			continue;
		if (disk_open(&disks[nr_disks], bdf))
			nr_disks++;
		else
			check(false, "virtio-blk at " PCI_FMT ": no registers", PCI_ARGS(bdf));
	}
}

static void print_features(void)
{
	static const char *const names[] = {"INPUT_RANGE", "DOMAIN_RANGE", "MAP_UNMAP",	   "BYPASS",
					    "PROBE",	   "MMIO",	   "BYPASS_CONFIG"};
	unsigned int i;

	print("        offers");
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		if (iommu.v.offered & BIT_ULL(i))
			print(" %s", names[i]);
	}
	print("\n");
}

/* False if there is nothing that the rest could be tried on. */
static bool demo_discovery(void)
{
	bool started;

	section("The virtio-iommu");
	if (!check(viommu_open(&iommu, fw.iommu_bdf), "%s names it at " PCI_FMT, fw.iommu_source,
		   PCI_ARGS(fw.iommu_bdf)))
		return false;
	if (pci_msix_route(iommu.v.bdf, LINE_EVENT, LINE_EVENT))
		iommu.event_vector = LINE_EVENT;
	started = viommu_start(&iommu, IOMMU_FEATURES);
	if (!check(started, "features agreed on, both %squeues set up",
		   virtio_is_packed(&iommu.v) ? "packed " : ""))
		return false;
	print_features();
	if (!check(iommu.v.features & VIOMMU_F_MAP_UNMAP, "MAP_UNMAP is offered"))
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

static void probe_endpoint(u16 bdf, u32 endpoint)
{
	static u64 answer[PAGE_SIZE / 8];
	const struct viommu_property *p;
	unsigned int nr_msi = 0;
	bool bad = false;
	u32 pos = 0, end;
	int status;

	if (!(iommu.v.features & VIOMMU_F_PROBE)) {
		note(PCI_FMT ", PCI %04x:%04x, endpoint 0x%x", PCI_ARGS(bdf),
		     pci_read16(bdf, PCI_VENDOR), pci_read16(bdf, PCI_DEVICE), endpoint);
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
	      PCI_FMT ", PCI %04x:%04x, endpoint 0x%x: PROBE %s, %u bytes of properties, %s",
	      PCI_ARGS(bdf), pci_read16(bdf, PCI_VENDOR), pci_read16(bdf, PCI_DEVICE), endpoint,
	      viommu_status_name(status), pos,
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
	u32 endpoint;
	int bdf;

	section("Endpoints behind it");
	for (bdf = pci_next(-1); bdf >= 0; bdf = pci_next(bdf)) {
		if (fw_endpoint(bdf, &endpoint))
			probe_endpoint(bdf, endpoint);
	}
}

static void demo_iommu(void)
{
	struct disk *first = NULL, *second = NULL;
	unsigned int i;

	if (!demo_discovery())
		return;
	demo_endpoints();
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
