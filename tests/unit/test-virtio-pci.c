// SPDX-License-Identifier: GPL-2.0-only
/* Registers of the PCI transport, by the accesses of a guest: virtio 1.3, 4.1.4. */
#include <errno.h>
#include <linux/pci_regs.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "capture.h"
#include "unit.h"
#include "virtio-pci-guest.h"

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	return fake_kvm_ioctl(fd, request, arg);
}

TEST(ids_and_structures)
{
	static const struct {
		u8 type;
		u32 length;
		u8 cap_len;
	} caps[] = {
		{VIRTIO_PCI_CAP_COMMON_CFG, 60, 16}, {VIRTIO_PCI_CAP_NOTIFY_CFG, 4 * NR_VQS, 20},
		{VIRTIO_PCI_CAP_ISR_CFG, 1, 16},     {VIRTIO_PCI_CAP_DEVICE_CFG, CONFIG_SIZE, 16},
		{VIRTIO_PCI_CAP_PCI_CFG, 0, 20},
	};

	thing_start(&plain_ops, false);
	CHECK_EQ(pci_read(PCI_VENDOR_ID, 2), 0x1af4);
	CHECK_EQ(pci_read(PCI_DEVICE_ID, 2), 0x1040 + DEVICE_ID);
	CHECK(pci_read(PCI_REVISION_ID, 1) >= 1);
	CHECK(pci_read(PCI_SUBSYSTEM_ID, 2) >= 0x40);
	CHECK_EQ(pci_read(PCI_CLASS_REVISION, 4) >> 8, 0x018000);
	for (unsigned int i = 0; i < ARRAY_SIZE(caps); i++) {
		unsigned int cap = find_cap(caps[i].type);

		if (!CHECK(cap))
			continue;
		CHECK_EQ(cap % 4, 0);
		CHECK_EQ(pci_read(cap + 2, 1), caps[i].cap_len);
		CHECK_EQ(pci_read(cap + 4, 1), 0);
		CHECK_EQ(pci_read(cap + 12, 4), caps[i].length);
	}
	CHECK_EQ(pci_read(find_cap(VIRTIO_PCI_CAP_NOTIFY_CFG) + 16, 4), 4);
	thing_end();
}

TEST(feature_bits_by_halves)
{
	u64 offered;

	thing_start(&plain_ops, false);
	offered = m.vdev.offered;
	CHECK(offered & VERSION_1);
	CHECK_EQ(offered & GENMASK_ULL(23, 0), DEVICE_BITS);
	CHECK(!(offered & ACCESS_PLATFORM));
	CHECK_EQ(common_get(VIRTIO_PCI_COMMON_DF, 4), (u32)offered);
	common_set(VIRTIO_PCI_COMMON_DFSELECT, 4, 1);
	CHECK_EQ(common_get(VIRTIO_PCI_COMMON_DFSELECT, 4), 1);
	CHECK_EQ(common_get(VIRTIO_PCI_COMMON_DF, 4), offered >> 32);
	common_set(VIRTIO_PCI_COMMON_DFSELECT, 4, 2);
	CHECK_EQ(common_get(VIRTIO_PCI_COMMON_DF, 4), 0);
	common_set(VIRTIO_PCI_COMMON_DFSELECT, 4, 0xffffffff);
	CHECK_EQ(common_get(VIRTIO_PCI_COMMON_DF, 4), 0);
	/* Read-only. */
	common_set(VIRTIO_PCI_COMMON_DFSELECT, 4, 0);
	common_set(VIRTIO_PCI_COMMON_DF, 4, 0);
	CHECK_EQ(common_get(VIRTIO_PCI_COMMON_DF, 4), (u32)offered);

	set_features(0x123456789abcdef0);
	common_set(VIRTIO_PCI_COMMON_GFSELECT, 4, 0);
	CHECK_EQ(common_get(VIRTIO_PCI_COMMON_GF, 4), 0x9abcdef0);
	common_set(VIRTIO_PCI_COMMON_GFSELECT, 4, 1);
	CHECK_EQ(common_get(VIRTIO_PCI_COMMON_GF, 4), 0x12345678);
	common_set(VIRTIO_PCI_COMMON_GFSELECT, 4, 2);
	common_set(VIRTIO_PCI_COMMON_GF, 4, 0xffffffff);
	CHECK_EQ(common_get(VIRTIO_PCI_COMMON_GF, 4), 0);
	CHECK_EQ(m.vdev.accepted, 0x123456789abcdef0);
	thing_end();
}

TEST(features_that_are_refused)
{
	thing_start(&plain_ops, true);
	CHECK(m.vdev.offered & ACCESS_PLATFORM);
	CHECK(negotiate(VERSION_1 | ACCESS_PLATFORM));
	CHECK(negotiate(m.vdev.offered));
	CHECK(!negotiate(m.vdev.offered & ~VERSION_1));
	CHECK(!negotiate(m.vdev.offered & ~ACCESS_PLATFORM));
	CHECK(!negotiate(m.vdev.offered | BIT_ULL(1)));
	CHECK(!negotiate(m.vdev.offered | BIT_ULL(63)));
	m.refuse_features = true;
	CHECK(!negotiate(m.vdev.offered));
	/* Without them the device does not run, and the driver may try again. */
	set_status(ACK | DRIVER | DRIVER_OK);
	CHECK_EQ(status(), ACK | DRIVER);
	m.refuse_features = false;
	set_status(ACK | DRIVER | FEATURES_OK);
	CHECK_EQ(status(), ACK | DRIVER | FEATURES_OK);
	/* Now they are fixed. */
	set_features(0);
	CHECK_EQ(m.vdev.accepted, m.vdev.offered);
	thing_end();

	thing_start(&plain_ops, false);
	CHECK(negotiate(VERSION_1));
	thing_end();
}

TEST(status_bits_are_kept_until_a_reset)
{
	thing_start(&plain_ops, false);
	CHECK_EQ(status(), 0);
	set_status(ACK);
	CHECK_EQ(status(), ACK);
	set_status(DRIVER);
	CHECK_EQ(status(), ACK | DRIVER);
	/* Not for the driver to set. */
	set_status(ACK | DRIVER | NEEDS_RESET);
	CHECK_EQ(status(), ACK | DRIVER);
	set_features(VERSION_1);
	set_status(ACK | DRIVER | FEATURES_OK | DRIVER_OK);
	CHECK_EQ(status(), ACK | DRIVER | FEATURES_OK | DRIVER_OK);
	set_status(VIRTIO_CONFIG_S_FAILED);
	CHECK_EQ(status(), ACK | DRIVER | FEATURES_OK | DRIVER_OK | VIRTIO_CONFIG_S_FAILED);
	set_status(0);
	CHECK_EQ(status(), 0);
	CHECK_EQ(m.resets, 1);
	thing_end();
}

TEST(reset_makes_it_all_new)
{
	u8 before[60], after[60];

	thing_start(&plain_ops, false);
	for (unsigned int i = 0; i < sizeof(before); i++)
		before[i] = common_get(i, 1);
	common_set(VIRTIO_PCI_COMMON_DFSELECT, 4, 1);
	common_set(VIRTIO_PCI_COMMON_MSIX, 2, 2);
	common_set(VIRTIO_PCI_COMMON_Q_SELECT, 2, 1);
	common_set(VIRTIO_PCI_COMMON_Q_MSIX, 2, 1);
	common_set(VIRTIO_PCI_COMMON_Q_SIZE, 2, 16);
	run_queue(0);
	CHECK_EQ(m.starts[0], 1);
	virtio_config_changed(&m.vdev);
	CHECK(fake_kvm_wire(GSI));

	set_status(0);
	CHECK_EQ(m.stops[0], 1);
	CHECK_EQ(m.stops[1], 0);
	CHECK(!fake_kvm_wire(GSI));
	CHECK_EQ(isr(), 0);
	before[VIRTIO_PCI_COMMON_CFGGENERATION]++;
	for (unsigned int i = 0; i < sizeof(after); i++)
		after[i] = common_get(i, 1);
	CHECK(!memcmp(before, after, sizeof(before)));
	common_set(VIRTIO_PCI_COMMON_Q_SELECT, 2, 1);
	CHECK_EQ(common_get(VIRTIO_PCI_COMMON_Q_SIZE, 2), VQ_SIZE);
	CHECK_EQ(common_get(VIRTIO_PCI_COMMON_Q_MSIX, 2), 0xffff);
	common_set(VIRTIO_PCI_COMMON_Q_SELECT, 2, 0);
	CHECK_EQ(common_get(VIRTIO_PCI_COMMON_Q_DESCLO, 8), 0);
	thing_end();
}

TEST(queue_select)
{
	thing_start(&plain_ops, false);
	CHECK_EQ(common_get(VIRTIO_PCI_COMMON_NUMQ, 2), NR_VQS);
	for (unsigned int i = 0; i < NR_VQS; i++) {
		common_set(VIRTIO_PCI_COMMON_Q_SELECT, 2, i);
		CHECK_EQ(common_get(VIRTIO_PCI_COMMON_Q_SELECT, 2), i);
		CHECK_EQ(common_get(VIRTIO_PCI_COMMON_Q_SIZE, 2), VQ_SIZE);
		CHECK_EQ(common_get(VIRTIO_PCI_COMMON_Q_NOFF, 2), i);
		CHECK_EQ(common_get(VIRTIO_PCI_COMMON_Q_ENABLE, 2), 0);
		common_set(VIRTIO_PCI_COMMON_Q_DESCLO, 8, 0x1000 * (i + 1));
	}
	for (unsigned int i = 0; i < NR_VQS; i++) {
		common_set(VIRTIO_PCI_COMMON_Q_SELECT, 2, i);
		CHECK_EQ(common_get(VIRTIO_PCI_COMMON_Q_DESCLO, 8), 0x1000 * (i + 1));
	}
	/* A queue that is not there has size 0 and takes nothing. */
	for (unsigned int i = 0; i < 2; i++) {
		common_set(VIRTIO_PCI_COMMON_Q_SELECT, 2, i ? 0xffff : NR_VQS);
		for (unsigned int off = VIRTIO_PCI_COMMON_Q_SIZE; off < 60; off += 2) {
			common_set(off, 2, 1);
			CHECK_EQ(common_get(off, 2), 0);
		}
	}
	CHECK_EQ(status(), 0);
	thing_end();
}

TEST(queue_addresses_by_halves)
{
	static const unsigned int regs[] = {VIRTIO_PCI_COMMON_Q_DESCLO, VIRTIO_PCI_COMMON_Q_AVAILLO,
					    VIRTIO_PCI_COMMON_Q_USEDLO};

	thing_start(&plain_ops, false);
	for (unsigned int i = 0; i < ARRAY_SIZE(regs); i++) {
		common_set(regs[i], 4, 0x89abcdef);
		CHECK_EQ(common_get(regs[i], 8), 0x89abcdef);
		common_set(regs[i] + 4, 4, 0x01234567);
		CHECK_EQ(common_get(regs[i], 8), 0x0123456789abcdef);
		common_set(regs[i], 4, 0);
		CHECK_EQ(common_get(regs[i], 8), 0x0123456700000000);
		CHECK_EQ(common_get(regs[i] + 4, 4), 0x01234567);
		common_set(regs[i], 8, 0xfedcba9876543210);
		CHECK_EQ(common_get(regs[i], 8), 0xfedcba9876543210);
		/* Widths that the field does not have. */
		common_set(regs[i], 2, 0);
		common_set(regs[i] + 4, 1, 0);
		CHECK_EQ(common_get(regs[i], 8), 0xfedcba9876543210);
	}
	CHECK_EQ(common_get(VIRTIO_PCI_COMMON_Q_DESCLO, 8), 0xfedcba9876543210);
	thing_end();
}

TEST(queue_is_fixed_while_enabled)
{
	thing_start(&plain_ops, false);
	common_set(VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
	CHECK_EQ(common_get(VIRTIO_PCI_COMMON_Q_ENABLE, 2), 0); /* too early */
	run_queue(1);
	CHECK_EQ(common_get(VIRTIO_PCI_COMMON_Q_ENABLE, 2), 1);
	CHECK_EQ(m.starts[1], 1);
	common_set(VIRTIO_PCI_COMMON_Q_SIZE, 2, 8);
	common_set(VIRTIO_PCI_COMMON_Q_DESCLO, 8, 0x20000);
	common_set(VIRTIO_PCI_COMMON_Q_USEDLO, 4, 0x20000);
	common_set(VIRTIO_PCI_COMMON_Q_ENABLE, 2, 0);
	common_set(VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
	CHECK_EQ(common_get(VIRTIO_PCI_COMMON_Q_SIZE, 2), VQ_SIZE);
	CHECK_EQ(common_get(VIRTIO_PCI_COMMON_Q_DESCLO, 8), 0x10000);
	CHECK_EQ(common_get(VIRTIO_PCI_COMMON_Q_USEDLO, 8), 0x12000);
	CHECK_EQ(common_get(VIRTIO_PCI_COMMON_Q_ENABLE, 2), 1);
	CHECK_EQ(m.starts[1], 1);

	/* Its reset is done when the write is, and then it can be set up anew. */
	common_set(QUEUE_RESET, 2, 1);
	CHECK_EQ(common_get(QUEUE_RESET, 2), 0);
	CHECK_EQ(common_get(VIRTIO_PCI_COMMON_Q_ENABLE, 2), 0);
	CHECK_EQ(common_get(VIRTIO_PCI_COMMON_Q_DESCLO, 8), 0);
	CHECK_EQ(m.stops[1], 1);
	common_set(VIRTIO_PCI_COMMON_Q_SIZE, 2, 8);
	common_set(VIRTIO_PCI_COMMON_Q_DESCLO, 8, 0x20000);
	common_set(VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
	CHECK_EQ(m.starts[1], 2);
	CHECK_EQ(m.vdev.vqs[1].size, 8);
	thing_end();
}

TEST(queue_of_odd_size_needs_a_reset)
{
	static const u16 sizes[] = {0, 3, 2 * VQ_SIZE, 0xffff};

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		thing_start(&plain_ops, false);
		CHECK(negotiate(VERSION_1));
		common_set(VIRTIO_PCI_COMMON_Q_SIZE, 2, sizes[i]);
		capture_begin();
		common_set(VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
		CHECK(capture_one_line(capture_end(), "thing at 00:03.0"));
		CHECK_EQ(common_get(VIRTIO_PCI_COMMON_Q_ENABLE, 2), 0);
		CHECK(status() & NEEDS_RESET);
		set_status(0);
		CHECK_EQ(status(), 0);
		thing_end();
	}
}

TEST(vectors_that_exist)
{
	thing_start(&plain_ops, false);
	/* One for each queue and one for the configuration. */
	CHECK_EQ(common_get(VIRTIO_PCI_COMMON_MSIX, 2), 0xffff);
	CHECK_EQ(common_get(VIRTIO_PCI_COMMON_Q_MSIX, 2), 0xffff);
	for (unsigned int v = 0; v <= NR_VQS; v++) {
		common_set(VIRTIO_PCI_COMMON_MSIX, 2, v);
		CHECK_EQ(common_get(VIRTIO_PCI_COMMON_MSIX, 2), v);
		common_set(VIRTIO_PCI_COMMON_Q_MSIX, 2, v);
		CHECK_EQ(common_get(VIRTIO_PCI_COMMON_Q_MSIX, 2), v);
	}
	common_set(VIRTIO_PCI_COMMON_MSIX, 2, NR_VQS + 1);
	CHECK_EQ(common_get(VIRTIO_PCI_COMMON_MSIX, 2), 0xffff);
	common_set(VIRTIO_PCI_COMMON_Q_MSIX, 2, 0x7fff);
	CHECK_EQ(common_get(VIRTIO_PCI_COMMON_Q_MSIX, 2), 0xffff);
	thing_end();
}
/* The device's configuration, and what lies around it. */

TEST(device_configuration)
{
	u64 base;

	thing_start(&plain_ops, false);
	base = region(VIRTIO_PCI_CAP_DEVICE_CFG);
	CHECK_EQ(mem_read(base, 1), 0x40);
	CHECK_EQ(mem_read(base + 3, 2), 0x4443);
	CHECK_EQ(mem_read(base + CONFIG_SIZE - 8, 8), 0x535251504f4e4d4c);
	mem_write(base + 4, 4, 0x04030201);
	CHECK_EQ(mem_read(base + 4, 4), 0x04030201);
	CHECK_EQ(mem_read(base + 8, 1), 0x48);
	/* Nothing behind its end, not even a part. */
	CHECK_EQ(mem_read(base + CONFIG_SIZE, 1), 0);
	CHECK_EQ(mem_read(base + CONFIG_SIZE - 4, 8), 0);
	mem_write(base + CONFIG_SIZE - 4, 8, 0);
	CHECK_EQ(mem_read(base + CONFIG_SIZE - 4, 4), 0x53525150);
	thing_end();
}

TEST(accesses_across_structures)
{
	thing_start(&plain_ops, false);
	for (u64 page = 0; page < 0x4000; page += 0x1000) {
		CHECK_EQ(mem_read(m.bar + page + 0xffc, 8), page == 0x3000 ? UINT64_MAX : 0);
		mem_write(m.bar + page + 0xffe, 4, 0xffffffff);
	}
	/* Behind the common structure there are zeroes. */
	CHECK_EQ(common_get(60, 4), 0);
	CHECK_EQ(common_get(0xff8, 8), 0);
	common_set(60, 4, 1);
	common_set(0xff0, 8, 1);
	/* The whole structure in one go. */
	CHECK_EQ(common_get(VIRTIO_PCI_COMMON_NUMQ, 4), NR_VQS);
	CHECK_EQ(common_get(VIRTIO_PCI_COMMON_MSIX, 4), 0xffff | NR_VQS << 16);
	thing_end();
}

/* The window in configuration space: 4.1.4.9. */

static unsigned int window;

static void set_window(u8 bar, u32 off, u32 len)
{
	window = find_cap(VIRTIO_PCI_CAP_PCI_CFG);
	pci_write(window + 4, 1, bar);
	pci_write(window + 8, 4, off);
	pci_write(window + 12, 4, len);
}

static void window_write(u32 off, u32 len, u32 val)
{
	set_window(0, off, len);
	pci_write(window + 16, len, val);
}

static u32 window_read(u32 off, u32 len)
{
	set_window(0, off, len);
	return pci_read(window + 16, len);
}

TEST(window_to_the_registers)
{
	u32 common, device;

	thing_start(&plain_ops, false);
	set_decode(false);
	common = pci_read(find_cap(VIRTIO_PCI_CAP_COMMON_CFG) + 8, 4);
	device = pci_read(find_cap(VIRTIO_PCI_CAP_DEVICE_CFG) + 8, 4);
	CHECK_EQ(window_read(common + VIRTIO_PCI_COMMON_NUMQ, 2), NR_VQS);
	window_write(common + VIRTIO_PCI_COMMON_STATUS, 1, ACK);
	CHECK_EQ(window_read(common + VIRTIO_PCI_COMMON_STATUS, 1), ACK);
	CHECK_EQ(window_read(device, 4), 0x43424140);
	window_write(device + 2, 2, 0x1234);
	CHECK_EQ(window_read(device, 4), 0x12344140);
	/* What is written to the window is what the driver reads back there. */
	CHECK_EQ(pci_read(window + 4, 1), 0);
	CHECK_EQ(pci_read(window + 8, 4), device);
	CHECK_EQ(pci_read(window + 12, 4), 4);
	thing_end();
}

TEST(window_reads_have_the_effects_of_reads)
{
	u32 off;

	thing_start(&plain_ops, false);
	run_queue(0);
	m.vdev.transport->interrupt(&m.vdev, &m.vdev.vqs[0]);
	off = pci_read(find_cap(VIRTIO_PCI_CAP_ISR_CFG) + 8, 4);
	set_window(0, off, 1);
	/* Not by looking at the capability itself. */
	CHECK_EQ(pci_read(window, 4) & 0xff, PCI_CAP_ID_VNDR);
	CHECK_EQ(pci_read(window + 12, 4), 1);
	CHECK(fake_kvm_wire(GSI));
	CHECK_EQ(pci_read(window + 16, 1), 1);
	CHECK(!fake_kvm_wire(GSI));
	window_write(pci_read(find_cap(VIRTIO_PCI_CAP_NOTIFY_CFG) + 8, 4), 2, 0);
	CHECK_EQ(m.kicks[0], 1);
	thing_end();
}

TEST(window_to_nowhere)
{
	static const struct {
		u8 bar;
		u32 off, len;
	} cases[] = {
		{1, 0x14, 1},	    {2, 0, 4},		{5, 0x14, 1},	{255, 0x14, 1},
		{0, 0x14, 0},	    {0, 0x14, 3},	{0, 0x10, 8},	{0, 0x14, 0xffffffff},
		{0, 0x11, 4},	    {0, 0x13, 2},	{0, 0x4000, 1}, {0, 0x4000, 4},
		{0, 0xfffffffc, 4}, {0, 0xffffffff, 1},
	};

	thing_start(&plain_ops, false);
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		set_window(cases[i].bar, cases[i].off, cases[i].len);
		pci_write(window + 16, 4, 0xffffffff);
		CHECK_EQ(pci_read(window + 16, 4), 0xffffffff);
	}
	CHECK_EQ(status(), 0);
	CHECK_EQ(common_get(VIRTIO_PCI_COMMON_MSIX, 2), 0xffff);
	/* The last word there is. */
	CHECK_EQ(window_read(0x3ffc, 4), 0);
	thing_end();
}

TEST(window_of_the_bus_that_is_full)
{
	machine_start(false);
	m.bus.mmio_end = m.bus.mmio_next + 0x4000;
	if (virtio_device_init(&m.vdev, &plain_ops, 0, NR_VQS, VQ_SIZE, &m.vm.mem, NULL))
		exit(2);
	capture_begin();
	CHECK_EQ(virtio_pci_init(&m.vpci, &m.vdev, &m.bus, SLOT, 0, NULL), -ENOSPC);
	CHECK(capture_one_line(capture_end(), "window is full"));
	virtio_device_destroy(&m.vdev);
	fake_kvm_end(&m.vm);
}
