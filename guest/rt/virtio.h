/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Modern virtio devices on PCI or MMIO, and virtqueues of both layouts, with nothing
 * hidden: a guest may write any descriptor, publish any head, and give a ring any address.
 */
#ifndef LKVM_GUEST_RT_VIRTIO_H
#define LKVM_GUEST_RT_VIRTIO_H

#include "rt/firmware.h"
#include "util/types.h"

#define VIRTIO_TYPE_BLK	  2
#define VIRTIO_TYPE_IOMMU 23

#define VIRTIO_F_INDIRECT_DESC	 BIT_ULL(28)
#define VIRTIO_F_EVENT_IDX	 BIT_ULL(29)
#define VIRTIO_F_VERSION_1	 BIT_ULL(32)
#define VIRTIO_F_ACCESS_PLATFORM BIT_ULL(33)
#define VIRTIO_F_RING_PACKED	 BIT_ULL(34)

#define VIRTIO_S_ACKNOWLEDGE BIT(0)
#define VIRTIO_S_DRIVER	     BIT(1)
#define VIRTIO_S_DRIVER_OK   BIT(2)
#define VIRTIO_S_FEATURES_OK BIT(3)
#define VIRTIO_S_NEEDS_RESET BIT(6)
#define VIRTIO_S_FAILED	     BIT(7)

#define VIRTIO_NO_VECTOR 0xffff

/* Only to end a wait that would never end. */
#define VIRTIO_HANG_MS 10000

struct virtio_transport;

/* One device. */
struct virtio_dev {
	struct fw_device at;
	char name[FW_NAME_SIZE];
	const struct virtio_transport *transport;
	u16 type;
	u64 offered; /* features, as of virtio_negotiate() */
	u64 features; /* and what was agreed on */
	u8 *config;

	/* PCI: from its capabilities. */
	u8 *common, *notify, *isr_status;
	u32 notify_multiplier;

	u8 *regs; /* MMIO */

	/* It interrupts by wire at.irq, on @line; what its interrupt status said so far. */
	bool wired;
	bool wire_is_shared; /* with a device that was routed later, to another line */
	unsigned int line;
	volatile u32 isr;
};

/* The device type of what is at @at, or 0 if it is no modern virtio device. */
u16 virtio_type(const struct fw_device *at);

/* Finds the registers and lets the device access memory. False if it is not one. */
bool virtio_open(struct virtio_dev *v, const struct fw_device *at);

/*
 * Has the device interrupt on @line: PCI by MSI-X table entry @entry, if the machine has
 * messages; else by its wire, all that it has to tell. False if it cannot. @v stays where it
 * is from then on.
 */
bool virtio_route(struct virtio_dev *v, unsigned int entry, unsigned int line);

/* For transports: the same by wire v->at.irq. */
bool virtio_wire(struct virtio_dev *v, unsigned int line);

/* Resets the device and waits until it says so. False if it does not. */
bool virtio_reset(struct virtio_dev *v);

/*
 * Reset, then up to FEATURES_OK with those of @wanted that the device offers.
 * False if the device refuses them.
 */
bool virtio_negotiate(struct virtio_dev *v, u64 wanted);
void virtio_driver_ok(struct virtio_dev *v);
u8 virtio_status(struct virtio_dev *v);

u8 virtio_config8(struct virtio_dev *v, unsigned int off);
u32 virtio_config32(struct virtio_dev *v, unsigned int off);
u64 virtio_config64(struct virtio_dev *v, unsigned int off);
void virtio_config_write8(struct virtio_dev *v, unsigned int off, u8 val);

#define VQ_DESC_NEXT	 1
#define VQ_DESC_WRITE	 2
#define VQ_DESC_INDIRECT 4

struct vq_desc {
	u64 addr;
	u32 len;
	u16 flags;
	u16 next;
};

/* A descriptor of a packed ring (2.8.13). */
#define VQ_PACKED_AVAIL BIT(7)
#define VQ_PACKED_USED	BIT(15)

struct vq_packed_desc {
	u64 addr;
	u32 len;
	u16 id;
	u16 flags;
};

/* Flags of the available ring, of the used ring, and of either event structure (2.8.14). */
#define VQ_AVAIL_NO_INTERRUPT 1
#define VQ_USED_NO_NOTIFY     1
#define VQ_EVENT_DISABLE      1

struct vq_avail {
	u16 flags;
	u16 idx;
	u16 ring[];
};

struct vq_used {
	u16 flags;
	u16 idx;
	struct {
		u32 id;
		u32 len;
	} ring[];
};

/*
 * Memory that a device is to access: @cpu is how the guest sees it, @dev the
 * address that the device is told, an IOVA if it is behind an IOMMU.
 */
struct dma {
	void *cpu;
	u64 dev;
};

/* A place in a packed ring, and the wrap counter there. */
struct vq_pos {
	u16 off;
	bool wrap;
};

/*
 * A virtqueue. It is packed if that was negotiated. Each of its parts has pages of its
 * own, so that each can have its own mapping; .dev is the GPA until the guest changes it
 * before vq_enable(). The parts have room for either layout: a packed ring is where the
 * descriptors of a split one are, and the event structures begin the other two parts,
 * where zero asks for all events.
 */
struct vq {
	struct virtio_dev *v;
	u16 index;
	u16 size;
	bool packed;
	union {
		struct vq_desc *desc;
		struct vq_packed_desc *ring;
	};
	struct vq_avail *avail;
	struct vq_used *used;
	u64 desc_dev, avail_dev, used_dev;

	/* What vq_set_desc() writes: the descriptors of a split queue, drafts of a packed one. */
	struct vq_desc *table, *drafts;

	/* Of a split queue. */
	u16 avail_idx;
	u16 kicked_idx; /* avail_idx at the last vq_kick_if_asked() */
	u16 used_idx; /* the next one to be taken */

	/* Of a packed queue. */
	struct vq_pos avail_pos;
	struct vq_pos used_pos;
	u16 *nr_taken; /* ring entries of the chain at each head, which is its buffer ID */
	u8 *doorbell;
};

/* Whether queues of @v are packed: they are if it offers that, from virtio_negotiate() on. */
bool virtio_is_packed(const struct virtio_dev *v);

/* What differs between transports: virtio.c calls it. */
struct virtio_transport {
	u8 (*status)(struct virtio_dev *v);
	void (*set_status)(struct virtio_dev *v, u8 status);
	/* The low (@half 0) or high word of the features. */
	u32 (*offered)(struct virtio_dev *v, u32 half);
	void (*accept)(struct virtio_dev *v, u32 half, u32 features);
	/* Gives cleared rings to queue q->index of q->v: see vq_enable(). */
	bool (*enable)(struct vq *q, u16 vector);
	void (*kick)(struct vq *q);
	bool (*route)(struct virtio_dev *v, unsigned int entry, unsigned int line);
	/* The interrupt status; what it says has been heard, and the wire is let go. */
	u32 (*take_isr)(struct virtio_dev *v);
};

u16 virtio_pci_type(const struct fw_device *at);
bool virtio_pci_open(struct virtio_dev *v);
u16 virtio_mmio_type(const struct fw_device *at);
bool virtio_mmio_open(struct virtio_dev *v);

/* @align is that of each part: the granule of the IOMMU, at least PAGE_SIZE. */
void vq_alloc(struct vq *q, u16 size, u64 align);

/* Clears the rings, in the layout that was negotiated with q->v. */
void vq_clear(struct vq *q);

/* Tells the device, after that, that it need not interrupt for this queue. */
void vq_no_interrupts(struct vq *q);

/*
 * Clears the rings, and gives them to queue @index of @v. @vector is an MSI-X table
 * entry or VIRTIO_NO_VECTOR; with a wire, which is one for all, it is whether the
 * queue is to interrupt. False if the queue is missing or too small.
 */
bool vq_enable(struct vq *q, struct virtio_dev *v, u16 index, u16 vector);

void vq_set_desc(struct vq *q, u16 i, u64 addr, u32 len, u16 flags, u16 next);

/*
 * Makes the chain at descriptor @head available; the device hears of it by vq_kick(). In a
 * packed queue the chain goes to the next places of the ring, where there must be room.
 */
void vq_publish(struct vq *q, u16 head);
void vq_kick(struct vq *q);

/* The same, unless the device has said that it looks by itself. */
void vq_kick_if_asked(struct vq *q);

/* Takes the next used element if there is one. @id and @len may be NULL. */
bool vq_take_used(struct vq *q, u32 *id, u32 *len);

#define VQ_BROKEN  (-1) /* the device wants a reset */
#define VQ_TIMEOUT (-2) /* it does not answer: a failure of the device or the test */

/* Waits until there is a used element: 0, VQ_BROKEN or VQ_TIMEOUT. */
int vq_wait(struct vq *q);

/* As vq_take_used(), waiting for it; the results of vq_wait(). */
int vq_wait_used(struct vq *q, u32 *id, u32 *len);

/* Waits until the device wants a reset. False if it never does. */
bool virtio_wait_needs_reset(struct virtio_dev *v);

#endif /* LKVM_GUEST_RT_VIRTIO_H */
