// SPDX-License-Identifier: GPL-2.0-only
#include "rt/dma-engine.h"

#include "rt/arch.h"
#include "rt/core.h"
#include "rt/pci.h"

#define VENDOR 0x1234
#define DEVICE 0xd3a0

#define REGS_SIZE 4096

#define MAGIC	     0x00
#define MAGIC_LKDE   0x45444b4c
#define CONTROL	     0x0c
#define CONTROL_RUN  BIT(0)
#define CONTROL_RST  BIT(1)
#define STATUS	     0x10
#define STATUS_HALT  BIT(1)
#define RING_LOG2    0x14
#define RING_BASE    0x18
#define RING_PASID   0x20
#define TAIL	     0x24
#define HEAD	     0x28
#define INT_STATUS   0x2c
#define INT_ENABLE   0x30
#define HALT_ADDRESS 0x38

/* PCIe: the PASID extended capability is the only one of the function. */
#define PASID_CAP	 0x100
#define PASID_CAP_ID	 0x001b
#define PASID_CONTROL	 6
#define PASID_ENABLE	 BIT(0)
#define PASID_EXECUTE	 BIT(1)
#define PASID_PRIVILEGED BIT(2)

/* Only to end a wait that would never end. */
#define HANG_MS 60000

static u32 reg(struct dma_engine *e, u32 off)
{
	return mmio_read32(e->regs + off);
}

static void set_reg(struct dma_engine *e, u32 off, u32 val)
{
	mmio_write32(e->regs + off, val);
}

bool dma_engine_open(struct dma_engine *e, const struct fw_device *at)
{
	u64 bar;

	if (at->is_mmio || pci_read16(at->bdf, PCI_VENDOR) != VENDOR ||
	    pci_read16(at->bdf, PCI_DEVICE) != DEVICE)
		return false;
	memset(e, 0, sizeof(*e));
	e->at = *at;
	fw_name(at, e->name);
	bar = pci_bar(at->bdf, 0);
	if (!bar || pci_read16(at->bdf, PASID_CAP) != PASID_CAP_ID)
		return false;
	pci_write16(at->bdf, PASID_CAP + PASID_CONTROL,
		    PASID_ENABLE | PASID_EXECUTE | PASID_PRIVILEGED);
	pci_write16(at->bdf, PCI_COMMAND,
		    pci_read16(at->bdf, PCI_COMMAND) | PCI_COMMAND_MEM | PCI_COMMAND_MASTER);
	e->regs = map_phys(bar, REGS_SIZE);
	e->ring = page_alloc();
	return reg(e, MAGIC) == MAGIC_LKDE;
}

bool dma_engine_route(struct dma_engine *e, unsigned int vector, unsigned int line)
{
	if (!pci_msix_route(e->at.bdf, vector, line))
		return false;
	set_reg(e, INT_ENABLE, reg(e, INT_ENABLE) | BIT(vector));
	return true;
}

void dma_engine_start(struct dma_engine *e, u64 iova, u32 pasid)
{
	dma_engine_stop(e);
	memset(e->ring, 0, PAGE_SIZE);
	e->tail = 0;
	set_reg(e, RING_LOG2, DMA_RING_LOG2);
	set_reg(e, RING_BASE, iova);
	set_reg(e, RING_BASE + 4, iova >> 32);
	set_reg(e, RING_PASID, pasid);
	set_reg(e, CONTROL, CONTROL_RUN);
}

void dma_engine_stop(struct dma_engine *e)
{
	set_reg(e, CONTROL, 0);
}

void dma_engine_reset(struct dma_engine *e)
{
	set_reg(e, CONTROL, CONTROL_RST);
}

struct dma_desc *dma_engine_queue(struct dma_engine *e, const struct dma_desc *d)
{
	struct dma_desc *slot = &e->ring[e->tail % BIT(DMA_RING_LOG2)];

	*slot = *d;
	slot->status = DMA_PENDING;
	e->tail++;
	return slot;
}

void dma_engine_tell(struct dma_engine *e)
{
	/* The doorbell comes after what the engine is to read. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	set_reg(e, TAIL, e->tail);
}

struct dma_desc *dma_engine_submit(struct dma_engine *e, const struct dma_desc *d)
{
	struct dma_desc *slot = dma_engine_queue(e, d);

	dma_engine_tell(e);
	return slot;
}

int dma_engine_wait(struct dma_engine *e)
{
	timeout_start(HANG_MS);
	while (reg(e, HEAD) != e->tail) {
		if (reg(e, STATUS) & STATUS_HALT)
			return DMA_HALTED;
		if (timeout_expired())
			return DMA_TIMEOUT;
		cpu_relax();
	}
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return 0;
}

int dma_engine_do(struct dma_engine *e, struct dma_desc *d)
{
	const struct dma_desc *slot = dma_engine_submit(e, d);
	int ret = dma_engine_wait(e);

	if (ret)
		return ret;
	*d = *slot;
	return d->status;
}

u64 dma_engine_halt_address(struct dma_engine *e)
{
	return reg(e, HALT_ADDRESS) | (u64)reg(e, HALT_ADDRESS + 4) << 32;
}

u32 dma_engine_take_int(struct dma_engine *e)
{
	u32 status = reg(e, INT_STATUS);

	set_reg(e, INT_STATUS, status);
	return status;
}
