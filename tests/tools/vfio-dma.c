// SPDX-License-Identifier: GPL-2.0-only
/*
 * In a Linux guest: drives the DMA engine at a PCI address through VFIO, and prints a line for each
 * thing that went well. The function is bound to vfio-pci already.
 *
 *   vfio-dma 0000:00:02.0
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/vfio.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hw/dma-engine-regs.h"

#define CONFIG_COMMAND	       4
#define CONFIG_COMMAND_ENABLED 6 /* memory, bus master */

/* Larger than any page is; IOVAs that no reserved region has. */
#define PART	  0x10000
#define RING_IOVA 0x40000000
#define SRC_IOVA  0x40010000
#define DST_IOVA  0x40020000
#define NO_IOVA	  0x50000000

#define RING_LOG2 2

static int device, container, irq;
static u64 bar, config; /* where they are in the device's file */
static u8 *memory; /* ring, source, destination */
static u32 tail;

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "vfio-dma: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void reg_write(u32 reg, u32 val)
{
	need(pwrite(device, &val, sizeof(val), bar + reg) == sizeof(val), "write to a register");
}

static u32 reg_read(u32 reg)
{
	u32 val;

	need(pread(device, &val, sizeof(val), bar + reg) == sizeof(val), "read of a register");
	return val;
}

static u64 region(u32 index)
{
	struct vfio_region_info info = {.argsz = sizeof(info), .index = index};

	need(!ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &info), "VFIO_DEVICE_GET_REGION_INFO");
	return info.offset;
}

static void open_device(const char *address)
{
	char path[PATH_MAX], link[PATH_MAX] = "", dev[PATH_MAX];
	u16 command = CONFIG_COMMAND_ENABLED;
	int group;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", address);
	need(readlink(path, link, sizeof(link) - 1) > 0, path);
	snprintf(dev, sizeof(dev), "/dev/vfio/%s", basename(link));
	container = open("/dev/vfio/vfio", O_RDWR);
	need(container >= 0, "/dev/vfio/vfio");
	group = open(dev, O_RDWR);
	need(group >= 0, dev);
	need(!ioctl(group, VFIO_GROUP_SET_CONTAINER, &container), "VFIO_GROUP_SET_CONTAINER");
	need(!ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU), "VFIO_SET_IOMMU");
	device = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, address);
	need(device >= 0, "VFIO_GROUP_GET_DEVICE_FD");
	bar = region(VFIO_PCI_BAR0_REGION_INDEX);
	config = region(VFIO_PCI_CONFIG_REGION_INDEX);
	need(pwrite(device, &command, sizeof(command), config + CONFIG_COMMAND) == sizeof(command),
	     "write to the command register");
	need(reg_read(DMA_ENGINE_MAGIC) == DMA_ENGINE_MAGIC_VALUE, "no DMA engine");
}

static void map(u64 iova, const void *at, u64 size)
{
	struct vfio_iommu_type1_dma_map req = {
		.argsz = sizeof(req),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)at,
		.iova = iova,
		.size = size,
	};

	need(!ioctl(container, VFIO_IOMMU_MAP_DMA, &req), "VFIO_IOMMU_MAP_DMA");
}

static void unmap(u64 iova, u64 size)
{
	struct vfio_iommu_type1_dma_unmap req = {.argsz = sizeof(req), .iova = iova, .size = size};

	need(!ioctl(container, VFIO_IOMMU_UNMAP_DMA, &req) && req.size == size,
	     "VFIO_IOMMU_UNMAP_DMA");
}

static void enable_interrupt(void)
{
	struct {
		struct vfio_irq_set head;
		s32 fd;
	} set = {
		.head =
			{
				.argsz = sizeof(set),
				.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
				.index = VFIO_PCI_MSIX_IRQ_INDEX,
				.start = DMA_ENGINE_INT_DONE,
				.count = 1,
			},
	};

	irq = eventfd(0, 0);
	set.fd = irq;
	need(irq >= 0 && !ioctl(device, VFIO_DEVICE_SET_IRQS, &set), "VFIO_DEVICE_SET_IRQS");
	reg_write(DMA_ENGINE_INT_ENABLE, BIT(DMA_ENGINE_INT_DONE));
}

static void start(void)
{
	reg_write(DMA_ENGINE_RING_LOG2, RING_LOG2);
	reg_write(DMA_ENGINE_RING_BASE, RING_IOVA);
	reg_write(DMA_ENGINE_RING_BASE + 4, 0);
	reg_write(DMA_ENGINE_CONTROL, DMA_ENGINE_CONTROL_RUN);
}

/* Copies all of the source, and waits for the interrupt. The descriptor, with its status. */
static const struct dma_engine_desc *copy(u64 src)
{
	struct dma_engine_desc *d = (void *)(memory + (tail % BIT(RING_LOG2)) * sizeof(*d));
	struct pollfd fd = {.fd = irq, .events = POLLIN};
	u64 count;

	*d = (struct dma_engine_desc){
		.op = DMA_ENGINE_OP_COPY,
		.flags = DMA_ENGINE_FLAG_INT,
		.len = PART,
		.src = src,
		.dst = DST_IOVA,
	};
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	reg_write(DMA_ENGINE_TAIL, ++tail);
	need(poll(&fd, 1, 60000) == 1, "no interrupt");
	need(read(irq, &count, sizeof(count)) == sizeof(count), "eventfd");
	reg_write(DMA_ENGINE_INT_STATUS, BIT(DMA_ENGINE_INT_DONE));
	return d;
}

static void print_fault(const char *what, const struct dma_engine_desc *d)
{
	if (d->status == DMA_ENGINE_STATUS_SRC_FAULT)
		printf("%s: fault at 0x%llx\n", what, (unsigned long long)d->fault_address);
	else
		printf("%s: status %u\n", what, d->status);
}

int main(int argc, char **argv)
{
	u8 *src, *dst;

	need(argc == 2, "usage: vfio-dma ADDRESS");
	memory = mmap(NULL, 3 * PART, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	need(memory != MAP_FAILED, "mmap");
	src = memory + PART;
	dst = src + PART;
	for (u32 i = 0; i < PART; i++)
		src[i] = i * 7 >> 3;

	open_device(argv[1]);
	enable_interrupt();
	map(RING_IOVA, memory, PART);
	map(SRC_IOVA, src, PART);
	map(DST_IOVA, dst, PART);
	start();
	if (copy(SRC_IOVA)->status == DMA_ENGINE_STATUS_OK && !memcmp(src, dst, PART))
		printf("copied\n");
	print_fault("never mapped", copy(NO_IOVA));
	unmap(SRC_IOVA, PART);
	print_fault("unmapped", copy(SRC_IOVA));
	map(SRC_IOVA, dst, PART);
	memset(dst, 1, PART);
	if (copy(SRC_IOVA)->status == DMA_ENGINE_STATUS_OK)
		printf("mapped again\n");
	reg_write(DMA_ENGINE_CONTROL, 0);
	return 0;
}
