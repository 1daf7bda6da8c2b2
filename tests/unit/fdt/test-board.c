// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device tree of machines of many kinds, read back. What an architecture adds to it is made
 * up here, so that each kind of it is seen: the program is linked so that its functions count.
 */
#include <errno.h>
#include <fcntl.h>
#include <libfdt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../../../fdt/internal.h"
#include "capture.h"
#include "fake-kvm.h"
#include "iommu/config.h"
#include "unit.h"

#define PCIE "/pcie@10000000"

static struct machine machine;
static struct machine_config config;
static struct image_places places;
static char tree[FDT_MAX_SIZE];

static enum arch_msi_map msi_map;
static unsigned int phys_bits;

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	return fake_kvm_ioctl(fd, request, arg);
}

void arch_fdt_nodes(struct machine *m, struct fdt_tree *t)
{
	(void)m;
	fdt_tree_begin(t, "interrupt-controller");
	fdt_prop_empty(t, "interrupt-controller");
	fdt_prop_u32(t, "#interrupt-cells", 2);
	fdt_prop_u32(t, "#address-cells", arch_fdt_irqchip_address_cells);
	fdt_prop_phandle(t, FDT_PHANDLE_IRQCHIP);
	fdt_tree_end(t);
}

unsigned int arch_fdt_irq(const struct machine *m, u32 gsi, bool edge, u32 cells[FDT_MAX_IRQ_CELLS])
{
	(void)m;
	cells[0] = gsi;
	cells[1] = edge ? 1 : 4;
	return 2;
}

enum arch_msi_map arch_msi_map(const struct machine *m)
{
	(void)m;
	return msi_map;
}

static void begin(void)
{
	memset(&config, 0, sizeof(config));
	memset(&places, 0, sizeof(places));
	msi_map = MSI_MAP_ID;
	phys_bits = 40;
	config.nr_vcpus = 1;
	config.mem.size = 64 * MiB;
	config.cmdline = "console=ttyS0 quiet";
	config.serial.kind = CHARDEV_NULL;
}

static void add_disk(const char *options)
{
	if (blk_parse(options, &config.disks[config.nr_disks]))
		exit(2);
	config.disks[config.nr_disks].index = config.nr_disks;
	config.nr_disks++;
}

static void add_iommu(const char *options)
{
	static const struct subopt device_subopts[] = {
		VIRTIO_IOMMU_SUBOPTS,
		{NULL, NULL, false},
	};
	const struct subopt_set device = {device_subopts, &config.viommu};

	config.has_iommu = true;
	config.viommu.what = "--iommu";
	if (iommu_parse(options, NULL, NULL, 0, &device, &config.iommu))
		exit(2);
}

static void build(void)
{
	memset(&machine, 0, sizeof(machine));
	fake_kvm_start(&machine.vm, MiB);
	machine.vm.phys_bits = phys_bits;
	guest_mem_destroy(&machine.vm.mem);
	machine.config = &config;
	if (!CHECK_EQ(arch_init_memory(&machine), 0) || loop_init(&machine.loop) ||
	    machine_open_chardev(&machine, "--serial", &config.serial, &machine.serial) ||
	    !CHECK_EQ(arch_init_board(&machine), 0) || !CHECK_EQ(machine_add_devices(&machine), 0))
		exit(2);
}

static void take_apart(void)
{
	machine_destroy_devices(&machine);
	arch_destroy(&machine);
	chardev_close(machine.serial);
	loop_destroy(&machine.loop);
	fake_kvm_end(&machine.vm);
}

/* The tree of the machine that is asked for; the devices stay until take_apart(). */
static void describe(bool seeds)
{
	build();
	memset(tree, 0xa5, sizeof(tree));
	if (CHECK(fdt_describe(&machine, &places, seeds, tree, sizeof(tree)) > 0))
		CHECK_EQ(fdt_check_full(tree, sizeof(tree)), 0);
}

static int node(const char *path)
{
	return fdt_path_offset(tree, path);
}

static unsigned int nr_cells(const char *path, const char *name)
{
	int len = 0;

	return fdt_getprop(tree, node(path), name, &len) ? len / sizeof(u32) : 0;
}

static u32 cell(const char *path, const char *name, unsigned int n)
{
	int len = 0;
	const fdt32_t *cells = fdt_getprop(tree, node(path), name, &len);

	return cells && (n + 1) * sizeof(u32) <= (size_t)len ? fdt32_ld(&cells[n]) : ~0U;
}

static u64 cells64(const char *path, const char *name, unsigned int n)
{
	return (u64)cell(path, name, n) << 32 | cell(path, name, n + 1);
}

static const char *string(const char *path, const char *name)
{
	return fdt_getprop(tree, node(path), name, NULL);
}

static bool has(const char *path, const char *name)
{
	return fdt_getprop(tree, node(path), name, NULL);
}

TEST(chosen)
{
	begin();
	places.initrd = 0x123450000;
	places.initrd_size = 0x9876;
	describe(true);
	CHECK_STR_EQ(string("/chosen", "bootargs"), "console=ttyS0 quiet");
	CHECK_EQ(cells64("/chosen", "linux,initrd-start", 0), 0x123450000);
	CHECK_EQ(cells64("/chosen", "linux,initrd-end", 0), 0x123459876);
	CHECK_EQ(nr_cells("/chosen", "rng-seed"), 16);
	CHECK_EQ(nr_cells("/chosen", "kaslr-seed"), 2);
	CHECK(cells64("/chosen", "rng-seed", 0) != cells64("/chosen", "rng-seed", 2));
	/* The console is one that is there. */
	CHECK(node(string("/chosen", "stdout-path")) >= 0);
	CHECK(!fdt_node_check_compatible(tree, node(string("/chosen", "stdout-path")), "ns16550a"));
	take_apart();

	begin();
	config.cmdline = NULL;
	describe(false);
	CHECK_STR_EQ(string("/chosen", "bootargs"), "");
	CHECK(!has("/chosen", "linux,initrd-start") && !has("/chosen", "linux,initrd-end"));
	CHECK(!has("/chosen", "rng-seed") && !has("/chosen", "kaslr-seed"));
	take_apart();
}

TEST(memory)
{
	begin();
	config.mem = (struct mem_config){
		.banks = {{FDT_RAM_BASE, 64 * MiB, ""}, {1ULL << 36, 2 * MiB, ""}},
		.nr_banks = 2,
	};
	describe(true);
	CHECK_EQ(cells64("/memory@80000000", "reg", 0), FDT_RAM_BASE);
	CHECK_EQ(cells64("/memory@80000000", "reg", 2), 64 * MiB);
	CHECK_EQ(cells64("/memory@1000000000", "reg", 0), 1ULL << 36);
	CHECK_EQ(cells64("/memory@1000000000", "reg", 2), 2 * MiB);
	CHECK_STR_EQ(string("/memory@1000000000", "device_type"), "memory");
	/* The window is above all of it, at a multiple of its size. */
	CHECK_EQ(nr_cells(PCIE, "ranges"), 14);
	CHECK_EQ(cells64(PCIE, "ranges", 8), 2 * FDT_PCI_MEM64_SIZE);
	take_apart();

	begin();
	phys_bits = 36;
	build();
	take_apart();
	config.mem = (struct mem_config){
		.banks = {{FDT_RAM_BASE, 64 * MiB, ""}, {1ULL << 36, 2 * MiB, ""}},
		.nr_banks = 2,
	};
	memset(&machine, 0, sizeof(machine));
	fake_kvm_start(&machine.vm, MiB);
	machine.vm.phys_bits = phys_bits;
	guest_mem_destroy(&machine.vm.mem);
	machine.config = &config;
	capture_begin();
	CHECK_EQ(arch_init_memory(&machine), -EINVAL);
	CHECK(capture_one_line(capture_end(), "addresses of 36 bits, up to 0xfffffffff: place"));
	fake_kvm_end(&machine.vm);
}

TEST(fixed_devices)
{
	static const char *const nodes[] = {
		"/serial@1000000",
		"/rtc@1010000",
		"/pvpanic@1020000",
		"/test-exit@1030000",
	};

	begin();
	config.test_exit = true;
	describe(true);
	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++) {
		CHECK(node(nodes[i]) >= 0);
		CHECK_EQ(nr_cells(nodes[i], "reg"), 4);
	}
	CHECK_EQ(cell("/serial@1000000", "interrupts", 0), FDT_GSI_SERIAL);
	CHECK_EQ(cell("/rtc@1010000", "interrupts", 0), FDT_GSI_RTC);
	CHECK_EQ(cell("/gpio-keys/power-button", "interrupts", 0), FDT_GSI_POWER_BUTTON);
	/* A press is an edge; the key is KEY_POWER. */
	CHECK_EQ(cell("/gpio-keys/power-button", "interrupts", 1), 1);
	CHECK_EQ(cell("/gpio-keys/power-button", "linux,code", 0), 116);
	CHECK_EQ(cell("/", "interrupt-parent", 0), FDT_PHANDLE_IRQCHIP);
	CHECK(fdt_node_offset_by_phandle(tree, FDT_PHANDLE_IRQCHIP) >= 0);
	/* Clocks lead somewhere. */
	if (has("/rtc@1010000", "clocks"))
		CHECK(fdt_node_offset_by_phandle(tree, cell("/rtc@1010000", "clocks", 0)) >= 0);
	take_apart();

	begin();
	describe(true);
	CHECK(node("/test-exit@1030000") < 0);
	take_apart();
}

TEST(test_exit)
{
	u32 status = 0x7b;

	begin();
	config.test_exit = true;
	build();
	machine.vm.stop_fd = -1;
	bus_access(&machine.vm.mmio, FDT_TEST_EXIT_BASE, &status, 4, true);
	CHECK(machine.vm.stopping);
	CHECK_EQ(machine.vm.status, 0x7b);
	take_apart();
}

TEST(pci_windows)
{
	begin();
	describe(true);
	CHECK_EQ(cells64(PCIE, "reg", 0), FDT_ECAM_BASE);
	CHECK_EQ(cells64(PCIE, "reg", 2), FDT_ECAM_SIZE);
	CHECK_EQ(cell(PCIE, "bus-range", 1), FDT_PCI_BUSES - 1);
	CHECK(has(PCIE, "dma-coherent"));
	CHECK_EQ(nr_cells(PCIE, "ranges"), 14);
	CHECK_EQ(cell(PCIE, "ranges", 0), 0x02000000);
	CHECK_EQ(cells64(PCIE, "ranges", 1), FDT_PCI_MEM32_BASE);
	CHECK_EQ(cells64(PCIE, "ranges", 3), FDT_PCI_MEM32_BASE);
	CHECK_EQ(cells64(PCIE, "ranges", 5), FDT_PCI_MEM32_SIZE);
	CHECK_EQ(cell(PCIE, "ranges", 7), 0x03000000);
	CHECK_EQ(cells64(PCIE, "ranges", 8), FDT_PCI_MEM64_SIZE);
	CHECK_EQ(cells64(PCIE, "ranges", 12), FDT_PCI_MEM64_SIZE);
	take_apart();

	/* As much as a guest with 36 bits can address is no room for it. */
	begin();
	phys_bits = 36;
	describe(true);
	CHECK_EQ(nr_cells(PCIE, "ranges"), 7);
	take_apart();
}

/* What the bus drives is what the tree says, for all devices and pins. */
TEST(intx)
{
	unsigned int cells = 3 + 1 + 1 + arch_fdt_irqchip_address_cells + 2;

	begin();
	describe(true);
	CHECK_EQ(nr_cells(PCIE, "interrupt-map"), 16 * cells);
	CHECK_EQ(cell(PCIE, "interrupt-map-mask", 0), 0x1800);
	CHECK_EQ(cell(PCIE, "interrupt-map-mask", 3), 7);
	for (unsigned int dev = 0; dev < PCI_MAX_DEVICES; dev++) {
		for (unsigned int pin = 1; pin <= 4; pin++) {
			unsigned int i = 0, found = 0;

			for (; i < 16; i++) {
				if (cell(PCIE, "interrupt-map", i * cells) ==
					    (dev << 11 & 0x1800) &&
				    cell(PCIE, "interrupt-map", i * cells + 3) == pin) {
					found++;
					CHECK_EQ(cell(PCIE, "interrupt-map", i * cells + 4),
						 FDT_PHANDLE_IRQCHIP);
					CHECK_EQ(cell(PCIE, "interrupt-map", (i + 1) * cells - 2),
						 machine.pci.intx_gsi(dev, pin - 1));
				}
			}
			CHECK_EQ(found, 1);
		}
	}
	take_apart();
}

TEST(messages)
{
	begin();
	describe(true);
	CHECK_EQ(nr_cells(PCIE, "msi-map"), 4);
	CHECK_EQ(cell(PCIE, "msi-map", 0), 0);
	CHECK_EQ(cell(PCIE, "msi-map", 1), FDT_PHANDLE_MSI);
	CHECK_EQ(cell(PCIE, "msi-map", 2), 0);
	CHECK_EQ(cell(PCIE, "msi-map", 3), 256);
	CHECK(!has(PCIE, "msi-parent"));
	take_apart();
	begin();
	msi_map = MSI_MAP_PARENT;
	describe(true);
	CHECK_EQ(cell(PCIE, "msi-parent", 0), FDT_PHANDLE_MSI);
	CHECK(!has(PCIE, "msi-map"));
	take_apart();
	begin();
	msi_map = MSI_MAP_NONE;
	describe(true);
	CHECK(!has(PCIE, "msi-parent") && !has(PCIE, "msi-map"));
	take_apart();
}

/* The endpoint ID that a requester has by iommu-map; ~0: it is not behind the IOMMU. */
static u32 endpoint_of(u32 rid)
{
	u32 id = ~0U;

	for (unsigned int i = 0; i < nr_cells(PCIE, "iommu-map"); i += 4) {
		u32 base = cell(PCIE, "iommu-map", i);

		CHECK_EQ(cell(PCIE, "iommu-map", i + 1), FDT_PHANDLE_IOMMU);
		if (rid < base || rid - base >= cell(PCIE, "iommu-map", i + 3))
			continue;
		CHECK_EQ(id, ~0U);
		id = cell(PCIE, "iommu-map", i + 2) + (rid - base);
	}
	return id;
}

/* All devices have in the tree the IDs that they use, or none. */
static void check_endpoints(void)
{
	char path[64];

	CHECK_EQ(endpoint_of(0), ~0U);
	for (unsigned int i = 0; i < machine.nr_devices; i++) {
		const struct machine_device *d = machine.devices[i];
		u32 id = d->behind_iommu ? d->ep.id : ~0U;

		if (d->transport == VIRTIO_TRANSPORT_PCI) {
			CHECK_EQ(endpoint_of(pci_bdf(&d->pci.pci)), id);
			continue;
		}
		snprintf(path, sizeof(path), "/virtio_mmio@%llx", (unsigned long long)d->mmio.base);
		CHECK_STR_EQ(string(path, "compatible"), "virtio,mmio");
		CHECK_EQ(cells64(path, "reg", 0), d->mmio.base);
		CHECK_EQ(cell(path, "interrupts", 0), d->mmio.gsi);
		CHECK(has(path, "dma-coherent"));
		CHECK_EQ(cell(path, "iommus", 1), id);
		CHECK_EQ(cell(path, "iommus", 0), d->behind_iommu ? FDT_PHANDLE_IOMMU : ~0U);
		CHECK_EQ(has(path, "#iommu-cells"), d == machine.viommu_device);
	}
}

TEST(iommu_on_pci)
{
	begin();
	add_iommu("virtio");
	add_disk("ram:1M");
	add_disk("ram:1M");
	add_disk("ram:1M,iommu=off");
	add_disk("ram:1M");
	add_disk("ram:1M,transport=mmio");
	add_disk("ram:1M,transport=mmio,iommu=off");
	describe(true);
	check_endpoints();
	/* Two ranges around the one that is not behind it; none has the IOMMU's own, 00:01.0. */
	CHECK_EQ(nr_cells(PCIE, "iommu-map"), 8);
	CHECK_EQ(endpoint_of(0x08), ~0U);
	CHECK_EQ(endpoint_of(0x10), 0x10);
	CHECK_EQ(endpoint_of(0x20), ~0U);
	CHECK_EQ(endpoint_of(0x28), 0x28);
	CHECK_EQ(endpoint_of(0x30), ~0U);

	CHECK(!fdt_node_check_compatible(tree, node(PCIE "/iommu@1,0"), "virtio,pci-iommu"));
	CHECK(!fdt_node_check_compatible(tree, node(PCIE "/iommu@1,0"), "pci1af4,1057"));
	CHECK_EQ(nr_cells(PCIE "/iommu@1,0", "reg"), 5);
	CHECK_EQ(cell(PCIE "/iommu@1,0", "reg", 0), 0x800);
	CHECK_EQ(cell(PCIE "/iommu@1,0", "#iommu-cells", 0), 1);
	CHECK_EQ(fdt_node_offset_by_phandle(tree, FDT_PHANDLE_IOMMU), node(PCIE "/iommu@1,0"));
	take_apart();
}

TEST(iommu_on_mmio)
{
	begin();
	add_iommu("virtio,transport=mmio");
	add_disk("ram:1M");
	add_disk("ram:1M,transport=mmio");
	add_disk("ram:1M,transport=mmio,iommu=off");
	describe(true);
	check_endpoints();
	CHECK_EQ(endpoint_of(0x08), 0x08);
	CHECK(node(PCIE "/iommu@1,0") < 0);
	CHECK_EQ(cell("/virtio_mmio@2000000", "#iommu-cells", 0), 1);
	CHECK_EQ(fdt_node_offset_by_phandle(tree, FDT_PHANDLE_IOMMU), node("/virtio_mmio@2000000"));
	CHECK_EQ(cell("/virtio_mmio@2001000", "iommus", 1), MACHINE_MMIO_ENDPOINTS + 1);
	CHECK(!has("/virtio_mmio@2002000", "iommus"));
	take_apart();
}

TEST(no_iommu)
{
	begin();
	add_disk("ram:1M");
	add_disk("ram:1M,transport=mmio");
	describe(true);
	check_endpoints();
	CHECK(!has(PCIE, "iommu-map"));
	CHECK_EQ(fdt_first_subnode(tree, node(PCIE)), -FDT_ERR_NOTFOUND);
	CHECK(fdt_node_offset_by_phandle(tree, FDT_PHANDLE_IOMMU) < 0);
	take_apart();

	/* One that nobody is behind has a node. */
	begin();
	add_iommu("virtio");
	add_disk("ram:1M,iommu=off");
	describe(true);
	check_endpoints();
	CHECK(!has(PCIE, "iommu-map"));
	CHECK(node(PCIE "/iommu@1,0") >= 0);
	take_apart();
}

TEST(many_slots)
{
	begin();
	add_iommu("virtio,transport=mmio");
	config.has_rng = true;
	for (unsigned int i = 0; i < MACHINE_MAX_DISKS; i++)
		add_disk(i < MACHINE_MAX_PCI - 1 ? "ram:1M" : "ram:1M,transport=mmio");
	describe(true);
	CHECK_EQ(machine.nr_pci, MACHINE_MAX_PCI);
	check_endpoints();
	/* One range for all. */
	CHECK_EQ(nr_cells(PCIE, "iommu-map"), 4);
	take_apart();
}

TEST(slots)
{
	struct mmio_slot slot, last = {0};
	unsigned int n = 0;

	for (; arch_mmio_slot(n, &slot); n++) {
		CHECK(is_aligned(slot.base, VIRTIO_MMIO_SIZE));
		CHECK(!n || slot.base >= last.base + VIRTIO_MMIO_SIZE);
		CHECK(slot.gsi >= FDT_GSI_VIRTIO_MMIO && slot.gsi < FDT_NR_WIRES);
		last = slot;
	}
	CHECK_EQ(n, MACHINE_MAX_MMIO);
	CHECK(last.base + VIRTIO_MMIO_SIZE <= FDT_IRQCHIP_BASE);
}

TEST(too_long)
{
	static char cmdline[FDT_MAX_SIZE];

	begin();
	memset(cmdline, 'x', sizeof(cmdline) - 1);
	config.cmdline = cmdline;
	build();
	capture_begin();
	CHECK_EQ(fdt_describe(&machine, &places, true, tree, sizeof(tree)), -ENOSPC);
	CHECK(capture_one_line(capture_end(), "shorter command line"));
	take_apart();
}

TEST(dump)
{
	char path[] = "/tmp/lkvm-test-XXXXXX";
	int fd = mkstemp(path);

	begin();
	config.dump_dtb = path;
	describe(false);
	CHECK_EQ(fdt_dump(&machine, &places), 0);
	if (CHECK(fd >= 0)) {
		static char again[FDT_MAX_SIZE];
		ssize_t n = read(fd, again, sizeof(again));

		CHECK_EQ(n, fdt_totalsize(tree));
		CHECK(n > 0 && !memcmp(again, tree, n));
		close(fd);
		unlink(path);
	}
	config.dump_dtb = "/dev/full";
	capture_begin();
	CHECK_EQ(fdt_dump(&machine, &places), -ENOSPC);
	CHECK(capture_one_line(capture_end(), "--dump-dtb: cannot write '/dev/full': No space"));
	config.dump_dtb = "/nonexistent/x";
	capture_begin();
	CHECK_EQ(fdt_dump(&machine, &places), -ENOENT);
	CHECK(capture_one_line(capture_end(), "'/nonexistent/x'"));
	take_apart();
}
