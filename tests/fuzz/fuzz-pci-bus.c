// SPDX-License-Identifier: GPL-2.0-only
/*
 * Several functions on a PCI bus: any accesses by the configuration window, and by where BARs have
 * been moved, also over each other, and messages and pins meanwhile. Each access comes to the
 * function that decodes it, and to no other.
 */
#include <linux/pci_regs.h>
#include <stdlib.h>
#include <string.h>

#include "fake-ioctl.h"
#include "fake-kvm.h"
#include "fuzz.h"
#include "vm/pci.h"

#define RAM	     (1 * MiB)
#define WINDOW	     0xc0000000ULL
#define WINDOW_SIZE  (1 * MiB)
#define NR_FUNCTIONS 4
#define MAX_VECTORS  40
#define BAR_MSIX     0
#define BAR_OWN	     2
#define BAR_OTHER    4

static struct vm vm;
static struct pci_bus bus;
static struct function {
	struct pci_device dev;
	unsigned int nr_vectors; /* 0: no MSI-X */
	bool pin;
} functions[NR_FUNCTIONS];

static unsigned int accesses, messages;

/* The vectors of all functions, and no more, can have routes. */
static u32 intx_gsi(unsigned int dev, unsigned int pin)
{
	return 16 + (dev + pin) % 2;
}

static void bar_access(struct pci_device *dev, unsigned int bar, u64 off, void *data,
		       unsigned int len, bool write)
{
	CHECK(bar == BAR_OWN || bar == BAR_OTHER);
	CHECK(dev->bars[bar].mapped);
	CHECK(off < dev->bars[bar].size && len <= dev->bars[bar].size - off);
	if (!write)
		memset(data, dev->devfn, len);
	accesses++;
}

static void bar_mapped(struct pci_device *dev, unsigned int bar)
{
	CHECK(dev->bars[bar].size);
}

static void config_window(struct pci_device *dev, unsigned int off, unsigned int len, bool write)
{
	(void)write;
	CHECK(off < PCI_CONFIG_SIZE && len <= PCI_CONFIG_SIZE - off);
	CHECK(bus.devs[dev->devfn >> 3] == dev);
}

static void msi_dma(struct pci_device *dev, u64 addr, u32 data)
{
	(void)data;
	CHECK(dev->msi_is_dma || addr < FAKE_MSI_START || addr > FAKE_MSI_LAST);
	messages++;
}

static const struct pci_device_ops ops = {
	.bar_access = bar_access,
	.bar_mapped = bar_mapped,
	.config_window = config_window,
	.msi_dma = msi_dma,
};

static unsigned int slot(unsigned int i)
{
	return 1 + 9 * i;
}

static void add(unsigned int i)
{
	const struct pci_ids ids = {.vendor = 0x1af4, .device = 0x1000 + i, .class = 0xff0000};
	struct function *f = &functions[i];
	struct pci_device *dev = &f->dev;
	u8 how = fuzz_int(1);

	pci_device_init(dev, &ops, f, &ids);
	pci_set_bar(dev, BAR_OWN, 16U << unit_below(10));
	if (how & 1)
		pci_set_bar(dev, BAR_OTHER, 16U << unit_below(10));
	if (how & 2)
		pci_enable_intx(dev);
	if (how & 4)
		pci_add_pasid(dev, 1 + unit_below(20));
	f->pin = false;
	f->nr_vectors = how & 8 ? 0 : 1 + unit_below(MAX_VECTORS);
	if (f->nr_vectors) {
		pci_set_bar(dev, BAR_MSIX, 1 * KiB);
		if (pci_add_msix(dev, f->nr_vectors, BAR_MSIX))
			exit(2);
	}
	dev->msi_needs_master = how & 16;
	dev->msi_is_dma = how & 32;
	CHECK(!pci_add(&bus, dev, slot(i)));
}

static void config(unsigned int i, unsigned int off, u32 val, unsigned int len, bool write)
{
	pci_ecam_access(&bus, (u64)slot(i) << 15 | off, &val, len, write);
}

static u64 bar_address(void)
{
	return WINDOW + unit_below(64) * (fuzz_bool() ? 16 : 16 * KiB);
}

static void move_bar(void)
{
	static const u8 bars[] = {BAR_MSIX, BAR_OWN, BAR_OTHER};
	unsigned int i = unit_below(NR_FUNCTIONS), off = PCI_BASE_ADDRESS_0 + 4 * fuzz_pick(bars);
	u64 addr = unit_below(8) ? bar_address() : fuzz_number();

	config(i, PCI_COMMAND, fuzz_int(1), 2, true);
	config(i, off, addr, 4, true);
	config(i, off + 4, addr >> 32, 4, true);
}

static void config_space(void)
{
	static const unsigned int lengths[] = {1, 2, 4};
	u64 off = fuzz_int(2) % PCI_CONFIG_SIZE | (u64)slot(unit_below(NR_FUNCTIONS)) << 15;
	u32 val = fuzz_bool() ? fuzz_int(4) : fuzz_number();

	if (unit_below(8) == 0)
		off = fuzz_int(4);
	else if (fuzz_bool())
		off = (off & ~(u64)(PCI_CONFIG_SIZE - 1)) | (off & 0x7f);
	pci_ecam_access(&bus, off, &val, fuzz_pick(lengths), fuzz_bool());
}

/* The one that decodes all of these bytes, other than by its vectors; NULL: it is none. */
static const struct pci_device *decoding(u64 addr, unsigned int len)
{
	for (unsigned int i = 0; i < NR_FUNCTIONS; i++) {
		for (unsigned int n = BAR_OWN; n < PCI_NR_BARS; n++) {
			const struct pci_bar *bar = &functions[i].dev.bars[n];

			if (bar->mapped && addr >= bar->addr && addr - bar->addr < bar->size &&
			    len <= bar->size - (addr - bar->addr))
				return &functions[i].dev;
		}
	}
	return NULL;
}

static void access_memory(void)
{
	u64 addr = bar_address() + unit_below(16), val = fuzz_int(8);
	unsigned int len = 1U << unit_below(4), before = accesses;
	const struct pci_device *dev = decoding(addr, len);
	bool write = fuzz_bool();

	bus_access(&vm.mmio, addr, &val, len, write);
	CHECK_EQ(accesses - before, dev != NULL);
	if (dev && !write)
		CHECK_EQ(val & 0xff, dev->devfn);
}

/* Vectors of a function, wherever its table is. */
static void vectors(void)
{
	unsigned int i = unit_below(NR_FUNCTIONS), n = unit_below(MAX_VECTORS);
	const struct pci_bar *bar = &functions[i].dev.bars[BAR_MSIX];
	u64 at = bar->addr + n * PCI_MSIX_ENTRY_SIZE;
	u64 addr = unit_below(4) ? FAKE_MSI_START + unit_below(64) * 4096 : fuzz_number();
	u32 data = fuzz_int(1), control = fuzz_int(1);

	if (!bar->mapped)
		return;
	bus_access(&vm.mmio, at, &addr, 8, true);
	bus_access(&vm.mmio, at + 8, &data, 4, true);
	bus_access(&vm.mmio, at + 12, &control, 4, true);
	/* Enabled, or masked, or not. */
	if (fuzz_bool())
		config(i, functions[i].dev.msix.cap + PCI_MSIX_FLAGS, fuzz_int(1) << 8, 2, true);
}

static void interrupt(void)
{
	struct function *f = &functions[unit_below(NR_FUNCTIONS)];
	u32 data;
	u64 addr;

	if (f->nr_vectors && fuzz_bool()) {
		msix_notify(&f->dev, unit_below(MAX_VECTORS + 1));
	} else if (f->dev.config[PCI_INTERRUPT_PIN]) {
		f->pin = !f->pin;
		pci_intx_set(&f->dev, f->pin);
	}
	while (fake_kvm_message(&addr, &data))
		CHECK(addr >= FAKE_MSI_START && addr <= FAKE_MSI_LAST);
}

/* A wire is up while one of those that share it asks for it, and may. */
static void check_wires(void)
{
	for (u32 gsi = 16; gsi < 18; gsi++) {
		bool up = false;

		for (unsigned int i = 0; i < NR_FUNCTIONS; i++) {
			const struct pci_device *dev = &functions[i].dev;
			bool off = dev->config[PCI_COMMAND + 1] & PCI_COMMAND_INTX_DISABLE >> 8;

			up |= intx_gsi(slot(i), 0) == gsi && functions[i].pin && !off;
		}
		CHECK_EQ(fake_kvm_wire(gsi), up);
	}
}

void fuzz_begin(void)
{
	fake_ioctl_install();
}

void fuzz_one(void)
{
	static void (*const steps[])(void) = {
		move_bar, config_space, access_memory, vectors, interrupt,
	};

	fake_kvm_start(&vm, RAM);
	pci_bus_init(&bus, &vm, WINDOW, WINDOW_SIZE, intx_gsi);
	for (unsigned int i = 0; i < NR_FUNCTIONS; i++)
		add(i);
	while (fuzz_more()) {
		fuzz_pick(steps)();
		check_wires();
	}
	for (unsigned int i = 0; i < NR_FUNCTIONS; i++)
		pci_device_destroy(&functions[i].dev);
	CHECK_EQ(fake_kvm_nr_irqfds(), 0);
	fake_kvm_end(&vm);
}
