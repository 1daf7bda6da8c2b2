/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A PCI function that copies, fills and checksums memory, as descriptors in a ring tell it, each
 * with PASIDs, privilege and execute attributes of its own: something to point at a guest's page
 * tables. docs/dma-engine.md is its data sheet.
 */
#ifndef LKVM_HW_DMA_ENGINE_H
#define LKVM_HW_DMA_ENGINE_H

#include <pthread.h>
#include <stdatomic.h>

#include "iommu/dma.h"
#include "util/report.h"
#include "vm/pci.h"
#include "vm/vm.h"

/* IDs from the range that nobody has registered. */
#define DMA_ENGINE_VENDOR 0x1234
#define DMA_ENGINE_DEVICE 0xd3a0
#define DMA_ENGINE_CLASS  0x088000

#define DMA_ENGINE_PASID_BITS 20

struct dma_engine_stat {
	_Atomic u64 descriptors, bytes, faults, halts;
};

struct dma_engine {
	struct pci_device pci;
	struct vm *vm;
	struct dma_chan chan; /* of its thread */
	struct dma_chan msi_chan; /* of messages, under the function's MSI-X lock */
	pthread_t thread;
	atomic_bool stop; /* give up what is in work */
	struct dma_engine_stat stat; /* written by the thread */

	/* Of who writes a register, until the write is over. Before the lock; not the thread's. */
	pthread_mutex_t turn;
	pthread_mutex_t lock; /* guards what follows, but while the thread is not parked */
	pthread_cond_t changed;
	bool quit;
	bool parked; /* the thread works on no descriptor */
	u32 pieces; /* begun and ended: odd while the thread accesses memory */
	u32 control, status; /* as in the registers */
	u32 ring_log2;
	u64 ring_base;
	u32 ring_pasid;
	u32 tail, head;
	u32 int_status, int_enable;
	u64 halt_address;
};

/* Its DMA is that of @ep, NULL: untranslated. -errno. */
int dma_engine_create(struct dma_engine **out, struct vm *vm, struct iommu_endpoint *ep);

/* Puts it on the bus. -errno of pci_add(). */
int dma_engine_plug(struct dma_engine *engine, struct pci_bus *bus, unsigned int slot);

/* Waits until it accesses no memory, and is as after a reset. From any thread but its own. */
void dma_engine_reset(struct dma_engine *engine);

/* No vCPU runs any more. */
void dma_engine_destroy(struct dma_engine *engine);

/* Counters into an open object. */
void dma_engine_report(struct dma_engine *engine, struct report *r);

#endif /* LKVM_HW_DMA_ENGINE_H */
