// SPDX-License-Identifier: GPL-2.0-only
/* Functions on the PCI bus, as the guest sees them: PCI Express Base 4.0, 7.5 and 7.7.2. */
#include <errno.h>
#include <linux/pci_regs.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>

#include "capture.h"
#include "fake-kvm.h"
#include "unit.h"
#include "vm/pci.h"

#define WINDOW	    0xc0000000ULL
#define WINDOW_SIZE (16 * MiB)
#define RAM	    (4 * MiB)

#define BAR0_SIZE  0x4000
#define MSIX_BAR   2
#define BAR4_SIZE  16
#define NR_VECTORS 11

/* Where messages are interrupts on this machine, and where they are not. */
#define MSI_ADDR 0xfee01000
#define DMA_ADDR 0x123456780

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	return fake_kvm_ioctl(fd, request, arg);
}

static struct vm vm;
static struct pci_bus bus;

/* A device that remembers the last access to its BARs. */
struct gadget {
	struct pci_device pci;
	unsigned int nr_accesses;
	unsigned int bar;
	u64 off;
	unsigned int len;
	bool write;
	u64 data;
	unsigned int nr_mapped; /* calls of bar_mapped() */
	unsigned int nr_dma;
	u64 dma_addr;
	u32 dma_data;
};

static struct gadget g1, g2;

static void bar_access(struct pci_device *dev, unsigned int bar, u64 off, void *data,
		       unsigned int len, bool write)
{
	struct gadget *g = dev->priv;

	g->nr_accesses++;
	g->bar = bar;
	g->off = off;
	g->len = len;
	g->write = write;
	g->data = 0;
	if (write)
		memcpy(&g->data, data, len);
	else
		memset(data, 0xa5, len);
}

static void bar_mapped(struct pci_device *dev, unsigned int bar)
{
	struct gadget *g = dev->priv;

	(void)bar;
	g->nr_mapped++;
}

static void msi_dma(struct pci_device *dev, u64 addr, u32 data)
{
	struct gadget *g = dev->priv;

	g->nr_dma++;
	g->dma_addr = addr;
	g->dma_data = data;
}

static const struct pci_device_ops gadget_ops = {
	.bar_access = bar_access,
	.bar_mapped = bar_mapped,
	.msi_dma = msi_dma,
};

/* As the machine wires its slots. */
static u32 intx_gsi(unsigned int dev, unsigned int pin)
{
	return 16 + ((dev + pin) & 7);
}

static void gadget_init(struct gadget *g)
{
	static const struct pci_ids ids = {
		.vendor = 0x1234,
		.device = 0x5678,
		.subsystem_vendor = 0x9abc,
		.subsystem = 0xdef0,
		.class = 0x0806ff,
		.revision = 0x42,
	};

	memset(g, 0, sizeof(*g));
	pci_device_init(&g->pci, &gadget_ops, g, &ids);
	pci_enable_intx(&g->pci);
	pci_set_bar(&g->pci, 0, BAR0_SIZE);
	pci_set_bar(&g->pci, MSIX_BAR, 0x1000);
	pci_set_bar(&g->pci, 4, BAR4_SIZE);
	CHECK_EQ(pci_add_msix(&g->pci, NR_VECTORS, MSIX_BAR), 0);
}

static void start(void)
{
	fake_kvm_start(&vm, RAM);
	pci_bus_init(&bus, &vm, WINDOW, WINDOW_SIZE, intx_gsi);
	gadget_init(&g1);
	gadget_init(&g2);
	CHECK_EQ(pci_add(&bus, &g1.pci, 2), 0);
	CHECK_EQ(pci_add(&bus, &g2.pci, 10), 0);
}

static void end(void)
{
	pci_device_destroy(&g1.pci);
	pci_device_destroy(&g2.pci);
	fake_kvm_end(&vm);
}

#define BDF1 (2 << 3)
#define BDF2 (10 << 3)

static u32 config_read(unsigned int bdf, unsigned int off, unsigned int len)
{
	u32 val = 0;

	pci_config_access(&bus, bdf, off, &val, len, false);
	return val;
}

static void config_write(unsigned int bdf, unsigned int off, unsigned int len, u32 val)
{
	pci_config_access(&bus, bdf, off, &val, len, true);
}

static u64 mmio_read(u64 addr, unsigned int len)
{
	u64 val = 0;

	bus_access(&vm.mmio, addr, &val, len, false);
	return val;
}

static void mmio_write(u64 addr, unsigned int len, u64 val)
{
	bus_access(&vm.mmio, addr, &val, len, true);
}

static u64 bar_addr(unsigned int bdf, unsigned int bar)
{
	unsigned int off = PCI_BASE_ADDRESS_0 + 4 * bar;

	return (config_read(bdf, off, 4) & ~0xfU) | (u64)config_read(bdf, off + 4, 4) << 32;
}

static void set_command(unsigned int bdf, u16 command)
{
	config_write(bdf, PCI_COMMAND, 2, command);
}

/* Configuration space. */

TEST(header_says_what_it_is)
{
	start();
	CHECK_EQ(config_read(BDF1, PCI_VENDOR_ID, 4), 0x56781234);
	CHECK_EQ(config_read(BDF1, PCI_CLASS_REVISION, 4), 0x0806ff42);
	CHECK_EQ(config_read(BDF1, PCI_SUBSYSTEM_VENDOR_ID, 4), 0xdef09abc);
	CHECK_EQ(config_read(BDF1, PCI_HEADER_TYPE, 1), PCI_HEADER_TYPE_NORMAL);
	CHECK_EQ(config_read(BDF1, PCI_COMMAND, 2), 0);
	CHECK_EQ(config_read(BDF1, PCI_STATUS, 2), PCI_STATUS_CAP_LIST);
	CHECK_EQ(config_read(BDF1, PCI_INTERRUPT_PIN, 1), 1);
	CHECK_EQ(config_read(BDF1, PCI_INTERRUPT_LINE, 1), 18);
	CHECK_EQ(config_read(BDF2, PCI_INTERRUPT_LINE, 1), 18);
	/* Any part of it, at any width. */
	CHECK_EQ(config_read(BDF1, 1, 1), 0x12);
	CHECK_EQ(config_read(BDF1, 2, 2), 0x5678);
	CHECK_EQ(pci_bdf(&g1.pci), BDF1);
	end();
}

TEST(absent_functions_read_as_ones)
{
	start();
	for (unsigned int bdf = 0; bdf < 0x10000; bdf++) {
		bool there = bdf == BDF1 || bdf == BDF2;

		if (!CHECK_EQ(config_read(bdf, 0, 4), there ? 0x56781234 : 0xffffffff))
			break;
		if (!there)
			config_write(bdf, PCI_COMMAND, 2, 7);
	}
	CHECK_EQ(config_read(BDF1 + 1, 0, 1), 0xff);
	CHECK_EQ(config_read(BDF1 + 1, 0, 2), 0xffff);
	/* Behind the end of a function is no other one. */
	CHECK_EQ(config_read(BDF1, PCI_CONFIG_SIZE - 2, 4), 0xffffffff);
	config_write(BDF1, PCI_CONFIG_SIZE - 2, 4, 0);
	end();
}

TEST(ecam_window)
{
	u32 val = 0;

	start();
	pci_ecam_access(&bus, (u64)BDF1 << 12, &val, 4, false);
	CHECK_EQ(val, 0x56781234);
	val = 0xabcd;
	pci_ecam_access(&bus, ((u64)BDF2 << 12) + PCI_CACHE_LINE_SIZE, &val, 1, true);
	CHECK_EQ(config_read(BDF2, PCI_CACHE_LINE_SIZE, 1), 0xcd);
	CHECK_EQ(config_read(BDF1, PCI_CACHE_LINE_SIZE, 1), 0);
	/* The same slot on the next bus. */
	pci_ecam_access(&bus, (u64)(0x100 + BDF1) << 12, &val, 4, false);
	CHECK_EQ(val, 0xffffffff);
	end();
}

TEST(only_writable_bits_change)
{
	u8 before[PCI_CONFIG_SIZE], after[PCI_CONFIG_SIZE];

	start();
	memcpy(before, g1.pci.config, sizeof(before));
	for (unsigned int off = 0; off < PCI_CONFIG_SIZE; off++)
		config_write(BDF1, off, 1, ~before[off]);
	memcpy(after, g1.pci.config, sizeof(after));
	for (unsigned int off = 0; off < PCI_CONFIG_SIZE; off++) {
		u8 mask = 0;

		switch (off) {
		case PCI_COMMAND:
			mask = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
			break;
		case PCI_COMMAND + 1:
			mask = PCI_COMMAND_INTX_DISABLE >> 8;
			break;
		case PCI_CACHE_LINE_SIZE:
		case PCI_INTERRUPT_LINE:
			mask = 0xff;
			break;
		}
		if (off == PCI_BASE_ADDRESS_0 + 1) /* 16 KiB */
			mask = 0xc0;
		if (off == PCI_BASE_ADDRESS_2 + 1) /* 4 KiB */
			mask = 0xf0;
		if (off == PCI_BASE_ADDRESS_4)
			mask = 0xf0;
		if (off == PCI_BASE_ADDRESS_4 + 1)
			mask = 0xff;
		if (off >= PCI_BASE_ADDRESS_0 && off < PCI_BASE_ADDRESS_0 + 24 && off % 8 > 1)
			mask = 0xff;
		if (off == g1.pci.msix.cap + PCI_MSIX_FLAGS + 1U)
			mask = 0xc0;
		if (!CHECK_EQ(before[off] ^ after[off], mask))
			break;
	}
	end();
}

TEST(capabilities_are_a_list)
{
	unsigned int cap, seen = 0, ends = PCI_STD_HEADER_SIZEOF;

	start();
	for (cap = config_read(BDF1, PCI_CAPABILITY_LIST, 1); cap;
	     cap = config_read(BDF1, cap + PCI_CAP_LIST_NEXT, 1)) {
		CHECK_EQ(cap % 4, 0);
		if (!CHECK(cap >= ends))
			break;
		switch (config_read(BDF1, cap, 1)) {
		case PCI_CAP_ID_EXP:
			seen |= 1;
			ends = cap + 60;
			/* Version 2, an endpoint of the root complex. */
			CHECK_EQ(config_read(BDF1, cap + PCI_EXP_FLAGS, 2), 0x92);
			CHECK_EQ(config_read(BDF1, cap + PCI_EXP_DEVCAP, 4), PCI_EXP_DEVCAP_RBER);
			break;
		case PCI_CAP_ID_MSIX:
			seen |= 2;
			ends = cap + PCI_CAP_MSIX_SIZEOF;
			break;
		default:
			CHECK(false);
		}
	}
	CHECK_EQ(seen, 3);
	CHECK(ends <= 256);
	/* No extended capabilities. */
	CHECK_EQ(config_read(BDF1, 0x100, 4), 0);
	end();
}

/* Base address registers. */

TEST(bars_tell_their_size)
{
	static const struct {
		unsigned int bar;
		u32 low;
	} bars[] = {{0, 0xffffc004}, {MSIX_BAR, 0xfffff004}, {4, 0xfffffff4}};

	start();
	for (unsigned int i = 0; i < ARRAY_SIZE(bars); i++) {
		unsigned int off = PCI_BASE_ADDRESS_0 + 4 * bars[i].bar;
		u32 low = config_read(BDF1, off, 4), high = config_read(BDF1, off + 4, 4);

		config_write(BDF1, off, 4, 0xffffffff);
		config_write(BDF1, off + 4, 4, 0xffffffff);
		CHECK_EQ(config_read(BDF1, off, 4), bars[i].low);
		CHECK_EQ(config_read(BDF1, off + 4, 4), 0xffffffff);
		config_write(BDF1, off, 4, 0);
		CHECK_EQ(config_read(BDF1, off, 4), 4);
		config_write(BDF1, off, 4, low);
		config_write(BDF1, off + 4, 4, high);
		CHECK_EQ(config_read(BDF1, off, 4), low);
	}
	end();
}

TEST(bars_are_placed_apart_and_aligned)
{
	static const unsigned int bars[] = {0, MSIX_BAR, 4};
	static const u64 sizes[] = {BAR0_SIZE, 0x1000, BAR4_SIZE};
	u64 last = WINDOW - 1;

	start();
	for (unsigned int dev = 0; dev < 2; dev++) {
		for (unsigned int i = 0; i < 3; i++) {
			u64 addr = bar_addr(dev ? BDF2 : BDF1, bars[i]);

			CHECK(is_aligned(addr, sizes[i]));
			CHECK(addr > last);
			last = addr + sizes[i] - 1;
			CHECK(last < WINDOW + WINDOW_SIZE);
		}
	}
	end();
}

TEST(window_that_is_full)
{
	struct gadget g3;

	start();
	bus.mmio_end = bus.mmio_next + BAR0_SIZE;
	gadget_init(&g3);
	capture_begin();
	CHECK_EQ(pci_add(&bus, &g3.pci, 3), -ENOSPC);
	CHECK(capture_one_line(capture_end(), "window is full"));
	CHECK_EQ(config_read(3 << 3, 0, 4), 0xffffffff);
	pci_device_destroy(&g3.pci);
	end();
}

TEST(bar_decodes_only_when_it_should)
{
	u64 addr;

	start();
	addr = bar_addr(BDF1, 0);
	CHECK_EQ(mmio_read(addr, 4), 0xffffffff);
	CHECK_EQ(g1.nr_accesses, 0);
	set_command(BDF1, PCI_COMMAND_MASTER);
	CHECK_EQ(mmio_read(addr, 4), 0xffffffff);
	set_command(BDF1, PCI_COMMAND_MEMORY);
	CHECK_EQ(mmio_read(addr + 0x1234, 4), 0xa5a5a5a5);
	CHECK(g1.nr_accesses == 1 && g1.bar == 0 && g1.off == 0x1234 && g1.len == 4 && !g1.write);
	mmio_write(addr + BAR0_SIZE - 8, 8, 0x1122334455667788);
	CHECK(g1.nr_accesses == 2 && g1.off == BAR0_SIZE - 8 && g1.len == 8 && g1.write);
	CHECK_EQ(g1.data, 0x1122334455667788);
	mmio_write(bar_addr(BDF1, 4) + 15, 1, 9);
	CHECK(g1.bar == 4 && g1.off == 15 && g1.data == 9);
	/* Not across its end. */
	mmio_write(addr + BAR0_SIZE - 4, 8, 1);
	CHECK_EQ(mmio_read(addr + BAR0_SIZE - 1, 2), 0xffff);
	CHECK_EQ(g1.nr_accesses, 3);
	set_command(BDF1, 0);
	CHECK_EQ(mmio_read(addr, 4), 0xffffffff);
	CHECK_EQ(g1.nr_accesses, 3);
	CHECK_EQ(g2.nr_accesses, 0);
	end();
}

TEST(bar_moves)
{
	u64 old;

	start();
	old = bar_addr(BDF1, 0);
	set_command(BDF1, PCI_COMMAND_MEMORY);
	CHECK_EQ(g1.nr_mapped, 3);

	/* Above 4 GiB, in two writes while it decodes. */
	config_write(BDF1, PCI_BASE_ADDRESS_1, 4, 0x12);
	CHECK_EQ(mmio_read(old, 1), 0xff);
	CHECK_EQ(mmio_read(old + (0x12ULL << 32), 1), 0xa5);
	config_write(BDF1, PCI_BASE_ADDRESS_0, 4, 0xabcdffff);
	CHECK_EQ(mmio_read(old + (0x12ULL << 32), 1), 0xff);
	CHECK_EQ(mmio_read(0x12abcdc000, 1), 0xa5);
	CHECK_EQ(bar_addr(BDF1, 0), 0x12abcdc000);
	CHECK_EQ(g1.nr_mapped, 3 + 4);
	/* The others stay. */
	CHECK_EQ(mmio_read(bar_addr(BDF1, 4), 1), 0xa5);
	CHECK_EQ(g1.bar, 4);

	/* While it does not. */
	set_command(BDF1, 0);
	config_write(BDF1, PCI_BASE_ADDRESS_1, 4, 0);
	config_write(BDF1, PCI_BASE_ADDRESS_0, 4, 0xd0000000);
	CHECK_EQ(mmio_read(0xd0000000, 1), 0xff);
	set_command(BDF1, PCI_COMMAND_MEMORY);
	CHECK_EQ(mmio_read(0xd0000000, 1), 0xa5);

	/* A byte of it is enough to move it. */
	config_write(BDF1, PCI_BASE_ADDRESS_0 + 3, 1, 0xd1);
	CHECK_EQ(mmio_read(0xd0000000, 1), 0xff);
	CHECK_EQ(mmio_read(0xd1000000, 1), 0xa5);
	/* Writing what is there changes nothing. */
	g1.nr_mapped = 0;
	config_write(BDF1, PCI_BASE_ADDRESS_0, 4, 0xd1000000);
	CHECK_EQ(g1.nr_mapped, 0);
	end();
}

TEST(bar_at_the_ends_of_the_address_space)
{
	start();
	set_command(BDF1, PCI_COMMAND_MEMORY);
	config_write(BDF1, PCI_BASE_ADDRESS_0, 4, 0xffffffff);
	config_write(BDF1, PCI_BASE_ADDRESS_1, 4, 0xffffffff);
	CHECK_EQ(mmio_read(UINT64_MAX - BAR0_SIZE + 1, 1), 0xa5);
	CHECK_EQ(mmio_read(UINT64_MAX, 1), 0xa5);
	CHECK_EQ(g1.off, BAR0_SIZE - 1);
	CHECK_EQ(mmio_read(UINT64_MAX, 2), 0xffff);
	config_write(BDF1, PCI_BASE_ADDRESS_0, 4, 0);
	config_write(BDF1, PCI_BASE_ADDRESS_1, 4, 0);
	CHECK_EQ(mmio_read(0, 1), 0xa5);
	end();
}

TEST(bar_on_top_of_another_decodes_nothing)
{
	u64 addr, other;

	start();
	set_command(BDF1, PCI_COMMAND_MEMORY);
	set_command(BDF2, PCI_COMMAND_MEMORY);
	addr = bar_addr(BDF1, 0);
	other = bar_addr(BDF2, 0);
	config_write(BDF2, PCI_BASE_ADDRESS_0, 4, addr);
	CHECK_EQ(mmio_read(addr, 1), 0xa5);
	CHECK_EQ(g1.nr_accesses, 1);
	CHECK_EQ(g2.nr_accesses, 0);
	CHECK_EQ(mmio_read(other, 1), 0xff);
	/* Once the place is free, the next write takes it. */
	set_command(BDF1, 0);
	set_command(BDF2, PCI_COMMAND_MEMORY);
	CHECK_EQ(mmio_read(addr, 1), 0xa5);
	CHECK_EQ(g2.nr_accesses, 1);
	set_command(BDF1, PCI_COMMAND_MEMORY);
	CHECK_EQ(mmio_read(addr, 1), 0xa5);
	CHECK_EQ(g2.nr_accesses, 2);
	end();
}

/* INTx. */

#define GSI1 18

TEST(intx_raises_the_wire_of_the_slot)
{
	start();
	CHECK(!fake_kvm_wire(GSI1));
	pci_intx_set(&g1.pci, true);
	CHECK(fake_kvm_wire(GSI1));
	CHECK(config_read(BDF1, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT);
	pci_intx_set(&g1.pci, true);
	CHECK(fake_kvm_wire(GSI1));
	pci_intx_set(&g1.pci, false);
	CHECK(!fake_kvm_wire(GSI1));
	CHECK(!(config_read(BDF1, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT));
	pci_intx_set(&g1.pci, false);
	end();
}

TEST(intx_is_shared)
{
	start();
	pci_intx_set(&g1.pci, true);
	pci_intx_set(&g2.pci, true);
	pci_intx_set(&g1.pci, false);
	CHECK(fake_kvm_wire(GSI1));
	CHECK(!(config_read(BDF1, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT));
	CHECK(config_read(BDF2, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT);
	pci_intx_set(&g2.pci, false);
	CHECK(!fake_kvm_wire(GSI1));
	end();
}

TEST(intx_disabled_keeps_the_status)
{
	start();
	set_command(BDF1, PCI_COMMAND_INTX_DISABLE);
	pci_intx_set(&g1.pci, true);
	CHECK(!fake_kvm_wire(GSI1));
	CHECK(config_read(BDF1, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT);
	set_command(BDF1, 0);
	CHECK(fake_kvm_wire(GSI1));
	set_command(BDF1, PCI_COMMAND_INTX_DISABLE);
	CHECK(!fake_kvm_wire(GSI1));
	pci_intx_set(&g1.pci, false);
	set_command(BDF1, 0);
	CHECK(!fake_kvm_wire(GSI1));
	end();
}

/* MSI-X. */

#define ENABLE	PCI_MSIX_FLAGS_ENABLE
#define MASKALL PCI_MSIX_FLAGS_MASKALL

static u64 table_addr;
static u64 pba_addr;

static void set_msix(u16 flags)
{
	config_write(BDF1, g1.pci.msix.cap + PCI_MSIX_FLAGS, 2, flags);
}

static void start_msix(void)
{
	u32 pba;

	start();
	set_command(BDF1, PCI_COMMAND_MEMORY);
	table_addr = bar_addr(BDF1, MSIX_BAR);
	pba = config_read(BDF1, g1.pci.msix.cap + PCI_MSIX_PBA, 4);
	CHECK_EQ(pba & PCI_MSIX_PBA_BIR, MSIX_BAR);
	pba_addr = table_addr + (pba & PCI_MSIX_PBA_OFFSET);
}

static void set_vector(unsigned int n, u64 addr, u32 data, u32 control)
{
	mmio_write(table_addr + 16 * n, 4, (u32)addr);
	mmio_write(table_addr + 16 * n + 4, 4, addr >> 32);
	mmio_write(table_addr + 16 * n + 8, 4, data);
	mmio_write(table_addr + 16 * n + 12, 4, control);
}

/* The one message that was sent. */
static bool sent(u64 addr, u32 data)
{
	u64 a = 0, more;
	u32 v = 0;

	return fake_kvm_message(&a, &v) && CHECK_EQ(a, addr) && CHECK_EQ(v, data) &&
	       !fake_kvm_message(&more, &v);
}

static bool nothing_sent(void)
{
	u64 addr;
	u32 data;

	return !fake_kvm_message(&addr, &data);
}

TEST(msix_capability)
{
	start_msix();
	CHECK_EQ(config_read(BDF1, g1.pci.msix.cap + PCI_MSIX_FLAGS, 2), NR_VECTORS - 1);
	CHECK_EQ(config_read(BDF1, g1.pci.msix.cap + PCI_MSIX_TABLE, 4), MSIX_BAR);
	CHECK_EQ(pba_addr % 8, 0);
	CHECK(pba_addr >= table_addr + 16 * NR_VECTORS);
	/* The size is not for the guest to change. */
	set_msix(ENABLE | MASKALL | 0x7ff);
	CHECK_EQ(config_read(BDF1, g1.pci.msix.cap + PCI_MSIX_FLAGS, 2),
		 ENABLE | MASKALL | (NR_VECTORS - 1));
	end();
}

TEST(msix_table_starts_masked_and_keeps_what_is_written)
{
	start_msix();
	for (unsigned int n = 0; n < NR_VECTORS; n++) {
		CHECK_EQ(mmio_read(table_addr + 16 * n, 8), 0);
		CHECK_EQ(mmio_read(table_addr + 16 * n + 8, 8), 1ULL << 32);
	}
	for (unsigned int n = 0; n < NR_VECTORS; n++)
		set_vector(n, 0x1111111100000000 + n, 0x2222 + n, 0xfffffffe | (n & 1));
	for (unsigned int n = 0; n < NR_VECTORS; n++) {
		CHECK_EQ(mmio_read(table_addr + 16 * n, 8), 0x1111111100000000 + n);
		CHECK_EQ(mmio_read(table_addr + 16 * n + 8, 4), 0x2222 + n);
		/* The rest of the control is reserved. */
		CHECK_EQ(mmio_read(table_addr + 16 * n + 12, 4), n & 1);
	}
	/* By eight bytes as well. */
	mmio_write(table_addr + 16, 8, 0x0102030405060708);
	mmio_write(table_addr + 24, 8, 0x100000099);
	CHECK_EQ(mmio_read(table_addr + 16, 4), 0x05060708);
	CHECK_EQ(mmio_read(table_addr + 20, 4), 0x01020304);
	CHECK_EQ(mmio_read(table_addr + 24, 8), 0x100000099);
	/* Behind it there is nothing, and pending bits are not for writing. */
	mmio_write(pba_addr, 8, ~0ULL);
	CHECK_EQ(mmio_read(pba_addr, 8), 0);
	mmio_write(table_addr + 0xff8, 8, ~0ULL);
	CHECK_EQ(mmio_read(table_addr + 0xff8, 8), 0);
	end();
}

TEST(msix_message_is_sent)
{
	start_msix();
	CHECK(!msix_enabled(&g1.pci));
	set_msix(ENABLE);
	CHECK(msix_enabled(&g1.pci));
	set_vector(0, MSI_ADDR, 0x41, 0);
	set_vector(NR_VECTORS - 1, MSI_ADDR + 0x1000, 0x42, 0);
	msix_notify(&g1.pci, 0);
	CHECK(sent(MSI_ADDR, 0x41));
	msix_notify(&g1.pci, NR_VECTORS - 1);
	CHECK(sent(MSI_ADDR + 0x1000, 0x42));
	msix_notify(&g1.pci, NR_VECTORS);
	msix_notify(&g1.pci, 0xffff);
	CHECK(nothing_sent());
	CHECK_EQ(fake_kvm_nr_irqfds(), 2);

	/* The driver moves it elsewhere: the same route says something else. */
	set_vector(0, MSI_ADDR + 0x2000, 0x43, 0);
	msix_notify(&g1.pci, 0);
	CHECK(sent(MSI_ADDR + 0x2000, 0x43));
	set_vector(0, MSI_ADDR + 0x2000, 0x44, 0);
	msix_notify(&g1.pci, 0);
	CHECK(sent(MSI_ADDR + 0x2000, 0x44));
	CHECK_EQ(fake_kvm_nr_irqfds(), 2);
	CHECK_EQ(g1.nr_dma, 0);
	end();
	CHECK_EQ(fake_kvm_nr_irqfds(), 0);
}

TEST(msix_message_elsewhere_is_dma)
{
	static const u64 addrs[] = {0, DMA_ADDR, 0xfedffffc, 0xfef00000, 0x1fee00000};

	start_msix();
	set_msix(ENABLE);
	for (unsigned int i = 0; i < ARRAY_SIZE(addrs); i++) {
		set_vector(3, addrs[i], i + 7, 0);
		msix_notify(&g1.pci, 3);
		CHECK_EQ(g1.nr_dma, i + 1);
		CHECK_EQ(g1.dma_addr, addrs[i]);
		CHECK_EQ(g1.dma_data, i + 7);
	}
	CHECK(nothing_sent());
	/* The window itself, first and last. */
	set_vector(3, 0xfee00000, 1, 0);
	msix_notify(&g1.pci, 3);
	CHECK(sent(0xfee00000, 1));
	set_vector(3, 0xfeeffffc, 1, 0);
	msix_notify(&g1.pci, 3);
	CHECK(sent(0xfeeffffc, 1));
	end();
}

TEST(msix_masked_vector_stays_pending)
{
	start_msix();
	set_msix(ENABLE);
	for (unsigned int n = 0; n < NR_VECTORS; n++) {
		set_vector(n, MSI_ADDR, n, 1);
		msix_notify(&g1.pci, n);
		msix_notify(&g1.pci, n);
	}
	CHECK(nothing_sent());
	CHECK_EQ(mmio_read(pba_addr, 8), (1 << NR_VECTORS) - 1);
	CHECK_EQ(mmio_read(pba_addr + 1, 1), (1 << (NR_VECTORS - 8)) - 1);
	/* Once each, when the mask goes. */
	mmio_write(table_addr + 16 * 9 + 12, 4, 0);
	CHECK(sent(MSI_ADDR, 9));
	CHECK_EQ(mmio_read(pba_addr, 8), ((1 << NR_VECTORS) - 1) & ~(1 << 9));
	mmio_write(table_addr + 12, 1, 0);
	CHECK(sent(MSI_ADDR, 0));
	mmio_write(table_addr + 16 + 8, 8, 0x77);
	CHECK(sent(MSI_ADDR, 0x77));
	mmio_write(table_addr + 12, 4, 1);
	mmio_write(table_addr + 12, 4, 0);
	CHECK(nothing_sent());
	/* Another field does not unmask. */
	mmio_write(table_addr + 16 * 5, 4, MSI_ADDR + 0x100);
	CHECK(nothing_sent());
	end();
}

TEST(msix_function_mask)
{
	start_msix();
	set_vector(1, MSI_ADDR, 1, 0);
	set_vector(2, MSI_ADDR, 2, 1);
	set_msix(ENABLE | MASKALL);
	msix_notify(&g1.pci, 1);
	msix_notify(&g1.pci, 2);
	CHECK(nothing_sent());
	CHECK_EQ(mmio_read(pba_addr, 4), 6);
	mmio_write(table_addr + 32 + 12, 4, 0);
	CHECK(nothing_sent());
	mmio_write(table_addr + 32 + 12, 4, 1);
	set_msix(ENABLE);
	CHECK(sent(MSI_ADDR, 1));
	CHECK_EQ(mmio_read(pba_addr, 4), 4);
	mmio_write(table_addr + 32 + 12, 4, 0);
	CHECK(sent(MSI_ADDR, 2));
	CHECK_EQ(mmio_read(pba_addr, 4), 0);
	end();
}

TEST(msix_that_the_host_refuses)
{
	start_msix();
	set_msix(ENABLE);
	set_vector(0, MSI_ADDR, 1, 0);
	fake_kvm_refuse(ENOSPC);
	capture_begin();
	msix_notify(&g1.pci, 0);
	CHECK(capture_one_line(capture_end(), "are lost: No space left"));
	CHECK_EQ(fake_kvm_nr_irqfds(), 0);
	fake_kvm_refuse(0);
	msix_notify(&g1.pci, 0);
	CHECK(sent(MSI_ADDR, 1));
	end();
}

TEST(msix_table_is_not_the_devices_business)
{
	start_msix();
	set_vector(0, MSI_ADDR, 1, 0);
	mmio_read(table_addr, 4);
	CHECK_EQ(g1.nr_accesses, 0);
	end();
}
