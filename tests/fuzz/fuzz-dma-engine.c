// SPDX-License-Identifier: GPL-2.0-only
/*
 * The DMA engine: its registers, its ring and any descriptors in it, behind an IOMMU that maps a
 * part of the memory, or has tables for some PASIDs, or none.
 */
#include <endian.h>
#include <linux/pci_regs.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "fake-ioctl.h"
#include "fuzz.h"
#include "hw/dma-engine-regs.h"
#include "hw/dma-engine.h"
#include "toy-format.h"
#include "unit.h"
#include "virtio-pci-guest.h"

#define RING	  0x10000ULL
#define DATA	  0x100000ULL
#define DOMAIN	  1
#define TABLE(n)  (0x20000ULL + (n) * 4096ULL)
#define PASID_CAP 0x100

/* More than a ring of a few descriptors takes: then it is stopped. */
#define MAX_TURNS 2000

static struct dma_engine *engine;
static bool has_tables;

void fuzz_begin(void)
{
	fake_ioctl_install();
}

static void set(u32 off, unsigned int len, u64 val)
{
	mem_write(m.bar + off, len, val);
}

static u64 address(void)
{
	switch (unit_below(8)) {
	case 0:
		return fuzz_number();
	case 1:
		return RING + unit_below(64) * 64;
	default:
		return DATA + fuzz_int(2);
	}
}

static u32 pasid(void)
{
	return unit_below(4) ? 0 : fuzz_int(1) << 29 | unit_below(4);
}

static void put_descriptor(void)
{
	struct dma_engine_desc d = {
		.op = unit_below(8) ? unit_below(4) : fuzz_int(1),
		.flags = unit_below(4),
		.reserved = htole16(!unit_below(32)),
		.src_pasid = htole32(pasid()),
		.dst_pasid = htole32(pasid()),
		.len = htole32(unit_below(8) ? fuzz_int(2) : fuzz_number()),
		.src = htole64(address()),
		.dst = htole64(address()),
		.pattern = htole64(fuzz_int(1)),
	};
	void *at = guest_mem_ptr(&m.vm.mem, RING + unit_below(16) * sizeof(d), sizeof(d));

	memcpy(at, &d, sizeof(d));
}

static void run(void)
{
	set(DMA_ENGINE_CONTROL, 4, unit_below(4));
	set(DMA_ENGINE_RING_LOG2, 4, unit_below(8) ? unit_below(5) : fuzz_number());
	set(DMA_ENGINE_RING_BASE, 8, unit_below(8) ? RING : fuzz_number());
	set(DMA_ENGINE_RING_PASID, 4, pasid());
	set(DMA_ENGINE_INT_ENABLE, 4, unit_below(4));
	set(DMA_ENGINE_CONTROL, 4, DMA_ENGINE_CONTROL_RUN);
	set(DMA_ENGINE_TAIL, 4, unit_below(8) ? unit_below(17) : fuzz_number());
}

static void registers(void)
{
	static const unsigned int lengths[] = {1, 2, 4, 8};
	unsigned int len = unit_below(4) ? 4 : fuzz_pick(lengths);
	u64 off = unit_below(16) ? unit_below(16) * 4 : fuzz_int(2) % DMA_ENGINE_BAR_SIZE;

	if (fuzz_bool())
		set(off, len, fuzz_number());
	else
		mem_read(m.bar + off, len);
}

static void config_space(void)
{
	switch (unit_below(4)) {
	case 0:
		pci_write(PCI_COMMAND, 2, PCI_COMMAND_MEMORY | fuzz_int(2));
		break;
	case 1:
		pci_write(PASID_CAP + PCI_PASID_CTRL, 2, fuzz_int(1));
		break;
	default:
		pci_read(fuzz_int(2) % 4096, 4);
	}
}

/* Of one of the tables, for a page of the data; and everything is looked up anew, or not. */
static void change_entry(void)
{
	u64 *table = guest_mem_ptr(&m.vm.mem, TABLE(unit_below(3)), 4096);
	const struct iommu_invalidation all = {
		.scope = IOMMU_INVALIDATE_DOMAIN,
		.pasid = DMA_NO_PASID,
		.id = IOMMU_NO_ID,
	};

	table[DATA / 4096 + unit_below(16)] = htole64(DATA + unit_below(16) * 4096) | unit_below(8);
	if (fuzz_bool())
		CHECK(!iommu_invalidate(&m.iommu, DOMAIN, &all));
}

static void map_or_unmap(void)
{
	u64 start = DATA + unit_below(16) * 4096;
	const struct mapping map = {
		.start = start,
		.last = start + 4095,
		.gpa = DATA + unit_below(16) * 4096,
		.flags = unit_below(4),
	};

	if (!m.has_iommu)
		return;
	if (has_tables) {
		change_entry();
		return;
	}
	iommu_unmap(&m.iommu, DOMAIN, map.start, map.last);
	if (map.flags)
		iommu_map(&m.iommu, DOMAIN, &map);
}

/* Until its thread has done all there is, or is stopped. */
static void wait_idle(void)
{
	u32 data;
	u64 addr;

	for (unsigned int i = 0; i < MAX_TURNS; i++) {
		if (!(mem_read(m.bar + DMA_ENGINE_STATUS, 4) & DMA_ENGINE_STATUS_RUNNING) ||
		    mem_read(m.bar + DMA_ENGINE_HEAD, 4) == mem_read(m.bar + DMA_ENGINE_TAIL, 4))
			break;
		sched_yield();
	}
	if (mem_read(m.bar + DMA_ENGINE_HEAD, 4) != mem_read(m.bar + DMA_ENGINE_TAIL, 4))
		set(DMA_ENGINE_CONTROL, 4, 0);
	while (fake_kvm_message(&addr, &data))
		;
}

/* Tables of the endpoint and of PASIDs 1 and 2: the ring, and whatever else there comes to be. */
static void attach_tables(void)
{
	const struct iommu_limits limits = {.pa_bits = 40, .pasid_bits = 20};
	u8 bytes[IOMMU_DESCRIPTOR_SIZE];
	u32 pasid;

	iommu_set_format(&m.ep, &toy_format, &limits);
	for (u32 n = 0; n < 3; n++) {
		struct toy_descriptor desc = {.table = htole64(TABLE(n)), .pasid = htole32(n)};
		u64 *table = guest_mem_ptr(&m.vm.mem, TABLE(n), 4096);

		for (u64 i = 0; i < 512; i++)
			table[i] = htole64(i << 12 | TOY_P | TOY_W);
		memcpy(bytes, &desc, sizeof(bytes));
		CHECK(!iommu_attach_table(&m.iommu, DOMAIN, EP_ID, n ? TOY_PASID : TOY_BASE, bytes,
					  &pasid));
	}
}

static void map_ring(void)
{
	const struct mapping ring = {
		.start = RING,
		.last = RING + 0xffff,
		.gpa = RING,
		.flags = MAPPING_READ | MAPPING_WRITE,
	};

	CHECK(!iommu_attach(&m.iommu, DOMAIN, EP_ID, false));
	CHECK(!iommu_map(&m.iommu, DOMAIN, &ring));
}

static void start(void)
{
	unsigned int behind = unit_below(3);

	machine_start(behind);
	has_tables = behind == 2;
	if (behind == 1)
		map_ring();
	else if (behind)
		attach_tables();
	if (dma_engine_create(&engine, &m.vm, behind ? &m.ep : NULL) ||
	    dma_engine_plug(engine, &m.bus, SLOT))
		exit(2);
	m.bar = (pci_read(PCI_BASE_ADDRESS_0, 4) & ~0xfU) | (u64)pci_read(PCI_BASE_ADDRESS_1, 4)
								    << 32;
	pci_write(PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	pci_write(PASID_CAP + PCI_PASID_CTRL, 2,
		  PCI_PASID_CTRL_ENABLE | PCI_PASID_CTRL_EXEC | PCI_PASID_CTRL_PRIV);
}

void fuzz_one(void)
{
	start();
	while (fuzz_more()) {
		u8 step = fuzz_int(1);

		if (step < 96)
			put_descriptor();
		else if (step < 144)
			run();
		else if (step < 200)
			registers();
		else if (step < 224)
			config_space();
		else
			map_or_unmap();
		wait_idle();
	}
	dma_engine_destroy(engine);
	if (m.has_iommu)
		iommu_destroy(&m.iommu);
	CHECK_EQ(fake_kvm_nr_irqfds(), 0);
	fake_kvm_end(&m.vm);
}
