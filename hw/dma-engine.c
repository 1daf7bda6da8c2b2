// SPDX-License-Identifier: GPL-2.0-only
/*
 * Registers, ring and thread of the DMA engine. Registers are the vCPUs', under the lock; the
 * thread takes it between descriptors and pieces only. Writes of registers take turns, so that
 * one that waits for the thread is over before the next one begins.
 */
#include <endian.h>
#include <errno.h>
#include <linux/pci_regs.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "dma-engine-internal.h"
#include "iommu/msi.h"
#include "util/counter.h"
#include "util/log.h"

#define REGS_BAR  0
#define MSIX_BAR  2
#define MSIX_SIZE 4096

/* Of a descriptor, what the engine reads, and what it writes. */
#define DESC_IN	  offsetof(struct dma_engine_desc, status)
#define DESC_SIZE sizeof(struct dma_engine_desc)

bool dma_engine_decode_pasid(const struct dma_engine *e, u32 field, u32 *pasid, u32 *dir)
{
	u16 enabled = pci_pasid_control(&e->pci);

	*pasid = DMA_NO_PASID;
	if (!(field & DMA_ENGINE_PASID_VALID))
		return !field;
	if (field & ~(DMA_ENGINE_PASID_VALID | DMA_ENGINE_PASID_PRIV | DMA_ENGINE_PASID_EXEC |
		      DMA_ENGINE_PASID_MASK))
		return false;
	if (!(enabled & PCI_PASID_CTRL_ENABLE))
		return false;
	if (field & DMA_ENGINE_PASID_PRIV) {
		if (!(enabled & PCI_PASID_CTRL_PRIV))
			return false;
		*dir |= DMA_PRIV;
	}
	if (field & DMA_ENGINE_PASID_EXEC) {
		if (!(enabled & PCI_PASID_CTRL_EXEC) || (*dir & DMA_WRITE))
			return false;
		*dir |= DMA_EXEC;
	}
	*pasid = field & DMA_ENGINE_PASID_MASK;
	return true;
}

void dma_engine_begin_piece(struct dma_engine *e)
{
	pthread_mutex_lock(&e->lock);
	e->pieces++;
	pthread_mutex_unlock(&e->lock);
}

void dma_engine_end_piece(struct dma_engine *e)
{
	pthread_mutex_lock(&e->lock);
	e->pieces++;
	pthread_cond_broadcast(&e->changed);
	pthread_mutex_unlock(&e->lock);
}

/* Until the piece in work has ended. */
static void wait_for_piece(struct dma_engine *e)
{
	u32 now;

	pthread_mutex_lock(&e->lock);
	now = e->pieces;
	while ((now & 1) && e->pieces == now)
		pthread_cond_wait(&e->changed, &e->lock);
	pthread_mutex_unlock(&e->lock);
}

/* With the lock: the pin is up while an interrupt that is enabled is not answered. */
static void update_pin(struct dma_engine *e)
{
	pci_intx_set(&e->pci, !msix_enabled(&e->pci) && (e->int_status & e->int_enable));
}

/* With the lock. */
static void interrupt(struct dma_engine *e, unsigned int n)
{
	e->int_status |= BIT(n);
	if (!(e->int_enable & BIT(n)))
		return;
	if (msix_enabled(&e->pci))
		msix_notify(&e->pci, n);
	else
		update_pin(e);
}

/* With the lock: the ring cannot be worked on. */
static void halt(struct dma_engine *e, u64 address)
{
	e->status = DMA_ENGINE_STATUS_HALTED;
	e->halt_address = address;
	counter_add(&e->stat.halts, 1);
	interrupt(e, DMA_ENGINE_INT_HALT);
}

static bool access_desc_piece(struct dma_engine *e, u64 iova, struct dma_engine_desc *d, bool write)
{
	u32 len = write ? DESC_SIZE - DESC_IN : DESC_IN;
	u32 dir = write ? DMA_WRITE : DMA_READ, pasid;
	dma_handle_t handle;
	struct iovec iov;

	if (!pci_is_master(&e->pci))
		return false;
	if (!dma_engine_decode_pasid(e, e->ring_pasid, &pasid, &dir))
		return false;
	/* Aligned to its size, it is in one piece. */
	if (dma_map(&e->chan, pasid, write ? iova + DESC_IN : iova, len, dir, &iov, 1, &handle) < 0)
		return false;
	if (write) {
		const u8 *bytes = (const u8 *)d + DESC_IN;
		u32 status;

		/* The status comes last: who polls for it finds the rest there. */
		memcpy((u8 *)iov.iov_base + sizeof(status), bytes + sizeof(status),
		       len - sizeof(status));
		memcpy(&status, bytes, sizeof(status));
		__atomic_store_n((u32 *)iov.iov_base, status, __ATOMIC_RELEASE);
	} else {
		memcpy(d, iov.iov_base, len);
	}
	dma_unmap(&e->chan, handle);
	return true;
}

/* Reads what the engine reads of a descriptor, or writes what it writes. */
static bool access_desc(struct dma_engine *e, u64 iova, struct dma_engine_desc *d, bool write)
{
	bool reached;

	dma_engine_begin_piece(e);
	reached = access_desc_piece(e, iova, d, write);
	dma_engine_end_piece(e);
	return reached;
}

static u64 desc_iova(const struct dma_engine *e)
{
	return e->ring_base + (e->head & (BIT(e->ring_log2) - 1)) * DESC_SIZE;
}

/*
 * Without the lock: the next descriptor. Nothing that is used here changes while the thread is
 * not parked.
 */
static void work(struct dma_engine *e)
{
	struct dma_engine_desc d = {0};
	u64 iova = desc_iova(e);
	bool done = access_desc(e, iova, &d, false);
	bool reached = done;

	if (done) {
		done = dma_engine_execute(e, &d);
		if (done)
			reached = access_desc(e, iova, &d, true);
	}
	pthread_mutex_lock(&e->lock);
	if (!reached) {
		halt(e, iova);
	} else if (done) {
		e->head++;
		counter_add(&e->stat.descriptors, 1);
		if (d.flags & DMA_ENGINE_FLAG_INT)
			interrupt(e, DMA_ENGINE_INT_DONE);
	}
	pthread_mutex_unlock(&e->lock);
}

static bool has_work(const struct dma_engine *e)
{
	return (e->status & DMA_ENGINE_STATUS_RUNNING) && e->head != e->tail &&
	       !atomic_load(&e->stop);
}

static void *engine_thread(void *opaque)
{
	struct dma_engine *e = opaque;

	pthread_mutex_lock(&e->lock);
	while (!e->quit) {
		if (!has_work(e)) {
			e->parked = true;
			pthread_cond_broadcast(&e->changed);
			pthread_cond_wait(&e->changed, &e->lock);
			continue;
		}
		e->parked = false;
		pthread_mutex_unlock(&e->lock);
		work(e);
		pthread_mutex_lock(&e->lock);
	}
	e->parked = true;
	pthread_cond_broadcast(&e->changed);
	pthread_mutex_unlock(&e->lock);
	return NULL;
}

/*
 * With the turn and the lock, which others have meanwhile: they read registers that are as before.
 * Afterwards the thread does nothing until the engine runs again.
 */
static void park(struct dma_engine *e)
{
	atomic_store(&e->stop, true);
	while (!e->parked)
		pthread_cond_wait(&e->changed, &e->lock);
	e->status &= ~DMA_ENGINE_STATUS_RUNNING;
	atomic_store(&e->stop, false);
}

/* With the turn and the lock. */
static void reset_regs(struct dma_engine *e)
{
	park(e);
	e->control = 0;
	e->status = 0;
	e->ring_log2 = 0;
	e->ring_base = 0;
	e->ring_pasid = 0;
	e->tail = 0;
	e->head = 0;
	e->int_status = 0;
	e->int_enable = 0;
	e->halt_address = 0;
	update_pin(e);
}

void dma_engine_reset(struct dma_engine *e)
{
	pthread_mutex_lock(&e->turn);
	pthread_mutex_lock(&e->lock);
	reset_regs(e);
	pthread_mutex_unlock(&e->lock);
	pthread_mutex_unlock(&e->turn);
}

/* With the turn and the lock. */
static void write_control(struct dma_engine *e, u32 val)
{
	bool run = val & DMA_ENGINE_CONTROL_RUN;

	if (val & DMA_ENGINE_CONTROL_RESET) {
		reset_regs(e);
		return;
	}
	if (run == !!(e->control & DMA_ENGINE_CONTROL_RUN))
		return;
	if (!run) {
		park(e);
		e->control = 0;
		e->status = 0;
		return;
	}
	e->control = DMA_ENGINE_CONTROL_RUN;
	e->head = 0;
	e->tail = 0;
	e->status = DMA_ENGINE_STATUS_RUNNING;
	if (e->ring_log2 > DMA_ENGINE_MAX_RING_LOG2 || !is_aligned(e->ring_base, DESC_SIZE) ||
	    e->ring_base + (DESC_SIZE << e->ring_log2) - 1 < e->ring_base)
		halt(e, e->ring_base);
}

/* With the lock: a register of 32 bits. */
static u32 read_reg(const struct dma_engine *e, u32 off)
{
	switch (off) {
	case DMA_ENGINE_MAGIC:
		return DMA_ENGINE_MAGIC_VALUE;
	case DMA_ENGINE_VERSION:
		return DMA_ENGINE_VERSION_1;
	case DMA_ENGINE_CAPS:
		return DMA_ENGINE_MAX_RING_LOG2 | DMA_ENGINE_PASID_BITS << 8;
	case DMA_ENGINE_CONTROL:
		return e->control;
	case DMA_ENGINE_STATUS:
		return e->status;
	case DMA_ENGINE_RING_LOG2:
		return e->ring_log2;
	case DMA_ENGINE_RING_BASE:
		return e->ring_base;
	case DMA_ENGINE_RING_BASE + 4:
		return e->ring_base >> 32;
	case DMA_ENGINE_RING_PASID:
		return e->ring_pasid;
	case DMA_ENGINE_TAIL:
		return e->tail;
	case DMA_ENGINE_HEAD:
		return e->head;
	case DMA_ENGINE_INT_STATUS:
		return e->int_status;
	case DMA_ENGINE_INT_ENABLE:
		return e->int_enable;
	case DMA_ENGINE_HALT_ADDRESS:
		return e->halt_address;
	case DMA_ENGINE_HALT_ADDRESS + 4:
		return e->halt_address >> 32;
	default:
		return 0;
	}
}

/* With the turn and the lock. What describes the ring is fixed while it runs. */
static void write_reg(struct dma_engine *e, u32 off, u32 val)
{
	bool fixed = e->control & DMA_ENGINE_CONTROL_RUN;

	switch (off) {
	case DMA_ENGINE_CONTROL:
		write_control(e, val);
		break;
	case DMA_ENGINE_RING_LOG2:
		if (!fixed)
			e->ring_log2 = min(val, 31U);
		break;
	case DMA_ENGINE_RING_BASE:
		if (!fixed)
			e->ring_base = (e->ring_base & ~0xffffffffULL) | val;
		break;
	case DMA_ENGINE_RING_BASE + 4:
		if (!fixed)
			e->ring_base = (e->ring_base & 0xffffffff) | (u64)val << 32;
		break;
	case DMA_ENGINE_RING_PASID:
		if (!fixed)
			e->ring_pasid = val;
		break;
	case DMA_ENGINE_TAIL:
		/*
		 * More than the ring holds is no number of descriptors, and what was offered stays
		 * so: the thread may be at the last of them.
		 */
		if (fixed && val - e->head <= BIT(e->ring_log2) &&
		    val - e->head >= e->tail - e->head) {
			e->tail = val;
			pthread_cond_broadcast(&e->changed);
		}
		break;
	case DMA_ENGINE_INT_STATUS:
		e->int_status &= ~val;
		update_pin(e);
		break;
	case DMA_ENGINE_INT_ENABLE:
		e->int_enable = val & (BIT(DMA_ENGINE_NR_INTS) - 1);
		update_pin(e);
		break;
	}
}

/* Accesses of 4 bytes, or of 8 as two of them; others read as zeros and write nothing. */
static void bar_access(struct pci_device *pci, unsigned int bar, u64 off, void *data,
		       unsigned int len, bool write)
{
	struct dma_engine *e = pci->priv;

	(void)bar;
	if (!write)
		memset(data, 0, len);
	if ((len != 4 && len != 8) || !is_aligned(off, len) || off >= DMA_ENGINE_REGS_END)
		return;
	if (write)
		pthread_mutex_lock(&e->turn);
	pthread_mutex_lock(&e->lock);
	for (unsigned int i = 0; i < len; i += 4) {
		u32 val;

		if (write) {
			memcpy(&val, (u8 *)data + i, 4);
			write_reg(e, off + i, le32toh(val));
		} else {
			val = htole32(read_reg(e, off + i));
			memcpy((u8 *)data + i, &val, 4);
		}
	}
	pthread_mutex_unlock(&e->lock);
	if (write)
		pthread_mutex_unlock(&e->turn);
}

static void msi_dma(struct pci_device *pci, u64 addr, u32 data)
{
	struct dma_engine *e = pci->priv;

	iommu_post_msi(&e->msi_chan, pci, addr, data);
}

/* A write that takes a permission away is over when the engine makes no use of it any more. */
static void config_window(struct pci_device *pci, unsigned int off, unsigned int len, bool write)
{
	unsigned int pasid = pci->pasid_cap + PCI_PASID_CTRL;

	if (write && ((off < PCI_COMMAND + 2 && off + len > PCI_COMMAND) ||
		      (off < pasid + 2 && off + len > pasid)))
		wait_for_piece(pci->priv);
}

static const struct pci_device_ops pci_ops = {
	.bar_access = bar_access,
	.config_window = config_window,
	.msi_dma = msi_dma,
};

int dma_engine_create(struct dma_engine **out, struct vm *vm, struct iommu_endpoint *ep)
{
	const struct pci_ids ids = {
		.vendor = DMA_ENGINE_VENDOR,
		.device = DMA_ENGINE_DEVICE,
		.class = DMA_ENGINE_CLASS,
		.revision = DMA_ENGINE_VERSION_1,
	};
	struct dma_engine *e = calloc(1, sizeof(*e));
	sigset_t all, old;
	int ret;

	if (!e)
		return -ENOMEM;
	e->vm = vm;
	pthread_mutex_init(&e->turn, NULL);
	pthread_mutex_init(&e->lock, NULL);
	pthread_cond_init(&e->changed, NULL);
	pci_device_init(&e->pci, &pci_ops, e, &ids);
	iommu_init_msi(&e->pci, ep);
	e->pci.msi_needs_master = true;
	pci_set_bar(&e->pci, REGS_BAR, DMA_ENGINE_BAR_SIZE);
	pci_set_bar(&e->pci, MSIX_BAR, MSIX_SIZE);
	pci_enable_intx(&e->pci);
	pci_add_pasid(&e->pci, DMA_ENGINE_PASID_BITS);
	/* A copy has two accesses open. */
	ret = dma_chan_init(&e->chan, &vm->mem, ep, 2);
	if (ret)
		goto err_free;
	ret = dma_chan_init(&e->msi_chan, &vm->mem, ep, 1);
	if (ret)
		goto err_chan;
	if (irq_has_messages(vm))
		ret = pci_add_msix(&e->pci, DMA_ENGINE_NR_INTS, MSIX_BAR);
	if (ret)
		goto err_msi_chan;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = -pthread_create(&e->thread, NULL, engine_thread, e);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (ret)
		goto err_pci;
	pthread_setname_np(e->thread, "dma-engine");
	*out = e;
	return 0;

err_pci:
	pci_device_destroy(&e->pci);
err_msi_chan:
	dma_chan_destroy(&e->msi_chan);
err_chan:
	dma_chan_destroy(&e->chan);
err_free:
	free(e);
	return ret;
}

int dma_engine_plug(struct dma_engine *e, struct pci_bus *bus, unsigned int slot)
{
	return pci_add(bus, &e->pci, slot);
}

void dma_engine_destroy(struct dma_engine *e)
{
	atomic_store(&e->stop, true);
	pthread_mutex_lock(&e->lock);
	e->quit = true;
	pthread_cond_broadcast(&e->changed);
	pthread_mutex_unlock(&e->lock);
	pthread_join(e->thread, NULL);
	pci_device_destroy(&e->pci);
	dma_chan_destroy(&e->msi_chan);
	dma_chan_destroy(&e->chan);
	pthread_cond_destroy(&e->changed);
	pthread_mutex_destroy(&e->lock);
	pthread_mutex_destroy(&e->turn);
	free(e);
}

void dma_engine_report(struct dma_engine *e, struct report *r)
{
	const struct dma_engine_stat *s = &e->stat;

	report_u64(r, "descriptors", counter_get(&s->descriptors));
	report_u64(r, "bytes", counter_get(&s->bytes));
	report_u64(r, "faults", counter_get(&s->faults));
	report_u64(r, "halts", counter_get(&s->halts));
	report_u64(r, "iotlb_hits", counter_get(&e->chan.tlb_hits));
	report_u64(r, "iotlb_misses", counter_get(&e->chan.tlb_misses));
}
