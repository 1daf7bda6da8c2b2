/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A virtio device that does nothing, the thing, on the PCI bus of a machine without KVM,
 * and the accesses of a guest to it. There is one such machine at a time.
 */
#ifndef LKVM_TESTS_VIRTIO_PCI_GUEST_H
#define LKVM_TESTS_VIRTIO_PCI_GUEST_H

#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>

#include "fake-kvm.h"
#include "iommu/iommu.h"
#include "virtio/pci.h"

#define WINDOW	    0xc0000000ULL /* for BARs */
#define WINDOW_SIZE (16 * MiB)
#define RAM	    (4 * MiB)

#define SLOT	    3
#define GSI	    (16 + SLOT)
#define EP_ID	    77
#define DEVICE_ID   42
#define DEVICE_BITS (BIT_ULL(0) | BIT_ULL(23))
#define NR_VQS	    3
#define VQ_SIZE	    64
#define CONFIG_SIZE 20 /* 0x40, 0x41, ... */

#define VERSION_1	BIT_ULL(VIRTIO_F_VERSION_1)
#define ACCESS_PLATFORM BIT_ULL(VIRTIO_F_ACCESS_PLATFORM)

#define ACK	    VIRTIO_CONFIG_S_ACKNOWLEDGE
#define DRIVER	    VIRTIO_CONFIG_S_DRIVER
#define FEATURES_OK VIRTIO_CONFIG_S_FEATURES_OK
#define DRIVER_OK   VIRTIO_CONFIG_S_DRIVER_OK
#define NEEDS_RESET VIRTIO_CONFIG_S_NEEDS_RESET

struct virtio_pci_guest {
	struct vm vm;
	struct pci_bus bus;
	struct iommu iommu;
	struct iommu_endpoint ep;
	bool has_iommu;
	struct virtio_device vdev;
	struct virtio_pci vpci;
	u8 config[CONFIG_SIZE];
	unsigned int starts[NR_VQS], stops[NR_VQS], kicks[NR_VQS], resets;
	bool refuse_features;
	u64 bar; /* where the registers are */
};

extern struct virtio_pci_guest m;

/* The thing with queues that are kicked in place, or served by threads. */
extern const struct virtio_ops plain_ops, threaded_ops;

/* The machine with the thing in it, its BARs decoding; or without. */
void thing_start(const struct virtio_ops *ops, bool behind_iommu);
void thing_end(void);
void machine_start(bool behind_iommu);

/*
 * For another transport: the machine with the thing, which is not on a bus yet; its end. And what
 * puts it on the PCI bus.
 */
void thing_make(const struct virtio_ops *ops, bool behind_iommu);
void thing_free(void);
void thing_plug(void);

/* Configuration space of the thing. */
u32 pci_read(unsigned int off, unsigned int len);
void pci_write(unsigned int off, unsigned int len, u32 val);

/* Whether accesses to memory reach its BARs. */
void set_decode(bool on);

/* The virtio capability of a structure, or 0; and where the structure is in memory. */
unsigned int find_cap(u8 type);
u64 region(u8 type);

u64 mem_read(u64 addr, unsigned int len);
void mem_write(u64 addr, unsigned int len, u64 val);

/* The common configuration, by the offsets of the Linux header and this one. */
u64 common_get(unsigned int off, unsigned int len);
void common_set(unsigned int off, unsigned int len, u64 val);
#define QUEUE_RESET 58

u8 status(void);
void set_status(u8 val);
void set_features(u64 features);
u64 isr(void);

/* The driver chooses @features after a reset; whether the device keeps FEATURES_OK. */
bool negotiate(u64 features);

/* All features and queue @index, up to DRIVER_OK. */
void run_queue(unsigned int index);

#endif /* LKVM_TESTS_VIRTIO_PCI_GUEST_H */
