// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device tree: Devicetree Specification 0.4, and Documentation/devicetree/bindings in Linux
 * for each kind of node.
 */
#include <errno.h>
#include <linux/input-event-codes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "fdt/board.h"
#include "hw/goldfish-rtc.h"
#include "hw/pl031.h"
#include "hw/pvpanic.h"
#include "hw/test-exit.h"
#include "internal.h"
#include "util/log.h"

/* What the divisor of a PC's serial port divides; the rate matters to nobody here. */
#define SERIAL_CLOCK 1843200
#define SERIAL_SIZE  8

#define APB_CLOCK 24000000

#define SERIAL_NODE "serial"

#define RNG_SEED_SIZE 64

void fdt_prop_irq(struct machine *m, struct fdt_tree *t, u32 gsi, bool edge)
{
	u32 cells[FDT_MAX_IRQ_CELLS];

	fdt_prop_cells(t, "interrupts", cells, arch_fdt_irq(m, gsi, edge, cells));
}

/* Without them the guest gathers its own entropy. */
static void add_seeds(struct fdt_tree *t)
{
	u8 rng_seed[RNG_SEED_SIZE];
	u64 kaslr_seed;

	if (getrandom(rng_seed, sizeof(rng_seed), 0) == (ssize_t)sizeof(rng_seed))
		fdt_prop_bytes(t, "rng-seed", rng_seed, sizeof(rng_seed));
	if (getrandom(&kaslr_seed, sizeof(kaslr_seed), 0) == (ssize_t)sizeof(kaslr_seed))
		fdt_prop_u64(t, "kaslr-seed", kaslr_seed);
	explicit_bzero(rng_seed, sizeof(rng_seed));
}

static void add_chosen(struct machine *m, struct fdt_tree *t, const struct image_places *places,
		       bool seeds)
{
	char path[32];

	snprintf(path, sizeof(path), "/" SERIAL_NODE "@%llx", FDT_SERIAL_BASE);
	fdt_tree_begin(t, "chosen");
	fdt_prop_string(t, "bootargs", m->config->cmdline ? m->config->cmdline : "");
	fdt_prop_string(t, "stdout-path", path);
	if (places->initrd_size) {
		fdt_prop_u64(t, "linux,initrd-start", places->initrd);
		fdt_prop_u64(t, "linux,initrd-end", places->initrd + places->initrd_size);
	}
	if (seeds)
		add_seeds(t);
	fdt_tree_end(t);
}

static void add_memory(struct machine *m, struct fdt_tree *t)
{
	for (unsigned int i = 0; i < m->vm.mem.nr_banks; i++) {
		const struct guest_bank *bank = &m->vm.mem.banks[i];

		fdt_tree_begin(t, "memory@%llx", (unsigned long long)bank->gpa);
		fdt_prop_string(t, "device_type", "memory");
		fdt_prop_reg(t, bank->gpa, bank->size);
		fdt_tree_end(t);
	}
}

static void add_serial(struct machine *m, struct fdt_tree *t)
{
	fdt_tree_begin(t, SERIAL_NODE "@%llx", FDT_SERIAL_BASE);
	fdt_prop_string(t, "compatible", "ns16550a");
	fdt_prop_reg(t, FDT_SERIAL_BASE, SERIAL_SIZE);
	fdt_prop_u32(t, "clock-frequency", SERIAL_CLOCK);
	fdt_prop_irq(m, t, FDT_GSI_SERIAL, false);
	fdt_tree_end(t);
}

/* The bindings of PrimeCells want a clock, which the driver only switches on. */
static void add_pl031(struct machine *m, struct fdt_tree *t)
{
	static const char compatible[] = "arm,pl031\0arm,primecell";

	fdt_tree_begin(t, "apb-pclk");
	fdt_prop_string(t, "compatible", "fixed-clock");
	fdt_prop_u32(t, "#clock-cells", 0);
	fdt_prop_u32(t, "clock-frequency", APB_CLOCK);
	fdt_prop_phandle(t, FDT_PHANDLE_CLOCK);
	fdt_tree_end(t);

	fdt_tree_begin(t, "rtc@%llx", FDT_RTC_BASE);
	fdt_prop_strings(t, "compatible", compatible, sizeof(compatible));
	fdt_prop_reg(t, FDT_RTC_BASE, PL031_SIZE);
	fdt_prop_irq(m, t, FDT_GSI_RTC, false);
	fdt_prop_u32(t, "clocks", FDT_PHANDLE_CLOCK);
	fdt_prop_string(t, "clock-names", "apb_pclk");
	fdt_tree_end(t);
}

static void add_goldfish_rtc(struct machine *m, struct fdt_tree *t)
{
	fdt_tree_begin(t, "rtc@%llx", FDT_RTC_BASE);
	fdt_prop_string(t, "compatible", "google,goldfish-rtc");
	fdt_prop_reg(t, FDT_RTC_BASE, GOLDFISH_RTC_SIZE);
	fdt_prop_irq(m, t, FDT_GSI_RTC, false);
	fdt_tree_end(t);
}

/* No GPIO: an interrupt is a press. */
static void add_power_button(struct machine *m, struct fdt_tree *t)
{
	fdt_tree_begin(t, "gpio-keys");
	fdt_prop_string(t, "compatible", "gpio-keys");
	fdt_tree_begin(t, "power-button");
	fdt_prop_string(t, "label", "Power Button");
	fdt_prop_u32(t, "linux,code", KEY_POWER);
	fdt_prop_irq(m, t, FDT_GSI_POWER_BUTTON, true);
	fdt_tree_end(t);
	fdt_tree_end(t);
}

static void add_simple(struct fdt_tree *t, const char *name, const char *compatible, u64 base,
		       u64 size)
{
	fdt_tree_begin(t, "%s@%llx", name, (unsigned long long)base);
	fdt_prop_string(t, "compatible", compatible);
	fdt_prop_reg(t, base, size);
	fdt_tree_end(t);
}

static void add_virtio_mmio(struct machine *m, struct fdt_tree *t, const struct machine_device *d)
{
	const u32 iommus[] = {FDT_PHANDLE_IOMMU, d->ep.id};

	fdt_tree_begin(t, "virtio_mmio@%llx", (unsigned long long)d->mmio.base);
	fdt_prop_string(t, "compatible", "virtio,mmio");
	fdt_prop_reg(t, d->mmio.base, VIRTIO_MMIO_SIZE);
	fdt_prop_irq(m, t, d->mmio.gsi, false);
	fdt_prop_empty(t, "dma-coherent");
	if (d == m->viommu_device) {
		fdt_prop_u32(t, "#iommu-cells", 1);
		fdt_prop_phandle(t, FDT_PHANDLE_IOMMU);
	} else if (d->behind_iommu) {
		fdt_prop_cells(t, "iommus", iommus, ARRAY_SIZE(iommus));
	}
	fdt_tree_end(t);
}

int fdt_describe(struct machine *m, const struct image_places *places, bool seeds, void *buf,
		 size_t size)
{
	struct fdt_tree tree, *t = &tree;
	int ret;

	fdt_tree_init(t, buf, size);
	fdt_prop_u32(t, "#address-cells", 2);
	fdt_prop_u32(t, "#size-cells", 2);
	fdt_prop_string(t, "compatible", "linux,dummy-virt");
	fdt_prop_string(t, "model", "lkvm");
	fdt_prop_u32(t, "interrupt-parent", FDT_PHANDLE_IRQCHIP);

	add_chosen(m, t, places, seeds);
	add_memory(m, t);
	arch_fdt_nodes(m, t);
	add_serial(m, t);
	if (fdt_has_pl031())
		add_pl031(m, t);
	else
		add_goldfish_rtc(m, t);
	add_power_button(m, t);
	add_simple(t, "pvpanic", "qemu,pvpanic-mmio", FDT_PVPANIC_BASE, PVPANIC_SIZE);
	if (m->config->test_exit)
		add_simple(t, "test-exit", "lkvm,test-exit", FDT_TEST_EXIT_BASE, TEST_EXIT_SIZE);
	for (unsigned int i = 0; i < m->nr_devices; i++) {
		if (m->devices[i]->transport == VIRTIO_TRANSPORT_MMIO)
			add_virtio_mmio(m, t, m->devices[i]);
	}
	fdt_describe_pci(m, t);

	ret = fdt_tree_finish(t);
	if (ret == -ENOSPC)
		pr_err("the device tree would be longer than %llu bytes: use a shorter command "
		       "line with -p",
		       (unsigned long long)size);
	else if (ret < 0)
		pr_err("cannot describe the machine by a device tree: error %d of libfdt",
		       tree.error);
	return ret;
}
