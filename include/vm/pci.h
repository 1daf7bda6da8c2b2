/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One PCI Express root bus: functions with 4 KiB of configuration space, memory
 * BARs, INTx and MSI-X. Functions are integrated endpoints of the root complex,
 * function 0 of each device, and stay until the machine ends.
 */
#ifndef LKVM_VM_PCI_H
#define LKVM_VM_PCI_H

#include <pthread.h>

#include "util/types.h"
#include "vm/irq.h"
#include "vm/memory.h"

#define PCI_CONFIG_SIZE 4096
#define PCI_MAX_DEVICES 32
#define PCI_NR_BARS	6

struct vm;
struct pci_device;

struct pci_device_ops {
	/* An access inside a BAR that is not part of the MSI-X tables. */
	void (*bar_access)(struct pci_device *dev, unsigned int bar, u64 off, void *data,
			   unsigned int len, bool write);
	/*
	 * A BAR began (dev->bars[bar].mapped) or ended to decode at its .addr. With
	 * bus->lock. May be NULL.
	 */
	void (*bar_mapped)(struct pci_device *dev, unsigned int bar);
	/*
	 * Before a read and after a write of configuration space, without bus->lock,
	 * for registers that are windows to something else, and writes that are over
	 * only when the device follows them. May be NULL.
	 */
	void (*config_window)(struct pci_device *dev, unsigned int off, unsigned int len,
			      bool write);
	/*
	 * A message whose address is not the interrupt controller's, or any if msi_is_dma: a
	 * DMA write. With msix->lock.
	 */
	void (*msi_dma)(struct pci_device *dev, u64 addr, u32 data);
};

struct pci_bar {
	struct pci_device *dev;
	unsigned int index;
	u64 size; /* 0: none */
	u64 addr;
	bool mapped;
};

/* MSI-X (PCI Local Bus 3.0, 6.8.2). */
struct msix {
	pthread_mutex_t lock; /* guards all of this */
	unsigned int cap; /* offset of the capability; 0: none */
	unsigned int nr;
	unsigned int bar;
	u64 pba_off; /* in the BAR; the table is at 0 */
	bool enabled, masked;
	bool warned; /* that messages are lost: said once a device */
	struct msix_vector *vectors;
};

struct pci_device {
	const struct pci_device_ops *ops;
	void *priv;
	struct pci_bus *bus;
	u8 devfn;
	unsigned int last_cap; /* where the next capability is linked */
	unsigned int next_cap; /* free configuration space */
	unsigned int exp_cap;
	unsigned int pasid_cap; /* 0: none */
	u8 config[PCI_CONFIG_SIZE];
	u8 wmask[PCI_CONFIG_SIZE]; /* bits that the guest can write */
	struct pci_bar bars[PCI_NR_BARS];
	struct msix msix;
	bool msi_needs_master; /* messages wait until the function is a bus master */
	bool msi_is_dma; /* something is between the function and the interrupt controller */
	bool intx_level; /* the device asks for its pin */
	bool intx_up; /* its share of the wire */
};

struct pci_bus {
	struct vm *vm;
	pthread_mutex_t lock; /* guards configuration spaces */
	/*
	 * Guards the pins, and with them command and status of each function. Innermost:
	 * a message that becomes free by a write to configuration space may fault, and
	 * the report of that drives another function's pin.
	 */
	pthread_mutex_t intx_lock;
	struct pci_device *devs[PCI_MAX_DEVICES];
	u64 mmio_next, mmio_end; /* for BARs of devices that are added */
	u32 (*intx_gsi)(unsigned int dev, unsigned int pin); /* the board's wiring, pin 0 is A */
};

/* BARs are placed in [mmio_base, mmio_base + mmio_size), all below 4 GiB. */
void pci_bus_init(struct pci_bus *bus, struct vm *vm, u64 mmio_base, u64 mmio_size,
		  u32 (*intx_gsi)(unsigned int dev, unsigned int pin));

/*
 * Where a window of @size bytes for 64-bit BARs starts, which is a multiple of that, above all
 * memory and from @above on. 0: there is no room below 2^@bits.
 */
u64 pci_mem64_base(const struct guest_mem *mem, u64 above, u64 size, unsigned int bits);

/* For the ECAM window of the machine (the bus's @opaque is the struct pci_bus). */
void pci_ecam_access(void *opaque, u64 off, void *data, unsigned int len, bool write);

/* One access to configuration space; absent functions read as ones. */
void pci_config_access(struct pci_bus *bus, unsigned int bdf, unsigned int off, void *data,
		       unsigned int len, bool write);

/*
 * What a function is, before pci_add(): IDs, a PCI Express capability, then BARs,
 * capabilities and MSI-X as the caller adds them.
 */
struct pci_ids {
	u16 vendor, device, subsystem_vendor, subsystem;
	u32 class; /* 24 bits */
	u8 revision;
};
void pci_device_init(struct pci_device *dev, const struct pci_device_ops *ops, void *priv,
		     const struct pci_ids *ids);

/* A 64-bit memory BAR (it takes @index and the next one); @size is a power of two >= 16. */
void pci_set_bar(struct pci_device *dev, unsigned int index, u64 size);

/* Adds a capability of @size bytes with its header; returns its offset. */
unsigned int pci_add_cap(struct pci_device *dev, u8 id, unsigned int size);

/*
 * The PASID extended capability (PCI Express Base 4.0, 7.8.8), of @bits wide PASIDs with both
 * attributes, and its control register as the driver has set it. The second takes
 * bus->intx_lock.
 */
void pci_add_pasid(struct pci_device *dev, unsigned int bits);
u16 pci_pasid_control(const struct pci_device *dev);

/* Whether the driver lets the function access memory. Takes bus->intx_lock. */
bool pci_is_master(const struct pci_device *dev);

/* INTA#, for a device that can do without MSI-X. */
void pci_enable_intx(struct pci_device *dev);

/*
 * MSI-X with @nr vectors, its table and pending bits in BAR @bar, which holds
 * nothing else and must be large enough: 16 bytes a vector, then the bits. -ENOMEM.
 */
int pci_add_msix(struct pci_device *dev, unsigned int nr, unsigned int bar);

/* Puts the function on the bus at @slot, its BARs placed. -ENOSPC: window full. */
int pci_add(struct pci_bus *bus, struct pci_device *dev, unsigned int slot);

/* Frees what pci_add_msix() took. When no thread can raise an interrupt any more. */
void pci_device_destroy(struct pci_device *dev);

static inline u16 pci_bdf(const struct pci_device *dev)
{
	return dev->devfn;
}

/* Drives the function's INTx pin. From any thread; takes bus->intx_lock. */
void pci_intx_set(struct pci_device *dev, bool level);

/* MSI-X is on, so that INTx must not be used. */
bool msix_enabled(struct pci_device *dev);

/* Sends a vector's message, or keeps it pending while it must not be sent. From any thread. */
void msix_notify(struct pci_device *dev, unsigned int vector);

/* For pci.c. */
void msix_config_written(struct pci_device *dev);
void msix_table_access(struct pci_device *dev, u64 off, void *data, unsigned int len, bool write);

#endif /* LKVM_VM_PCI_H */
