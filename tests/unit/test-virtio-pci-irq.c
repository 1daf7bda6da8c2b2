// SPDX-License-Identifier: GPL-2.0-only
/* Interrupts and kicks of the PCI transport: virtio 1.3, 4.1.4.4, 4.1.4.5 and 4.1.5. */
#include <errno.h>
#include <linux/pci_regs.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "capture.h"
#include "unit.h"
#include "virtio-pci-guest.h"
#include "virtio/iommu-wire.h"
#include "virtio/iommu.h"

#define MSI_ADDR 0xfee00000

#define IOMMU_SLOT 1
#define IOMMU_GSI  (16 + IOMMU_SLOT)

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	return fake_kvm_ioctl(fd, request, arg);
}

/* Interrupts: 4.1.5.3 and 4.1.4.5. */

static void interrupt(struct virtq *vq)
{
	m.vdev.transport->interrupt(&m.vdev, vq);
}

TEST(isr_says_why_and_reading_it_lowers_the_wire)
{
	thing_start(&plain_ops, false);
	run_queue(0);
	CHECK_EQ(isr(), 0);
	interrupt(&m.vdev.vqs[0]);
	CHECK(fake_kvm_wire(GSI));
	CHECK_EQ(isr(), 1);
	CHECK(!fake_kvm_wire(GSI));
	CHECK_EQ(isr(), 0);
	virtio_config_changed(&m.vdev);
	CHECK_EQ(isr(), 2);
	interrupt(&m.vdev.vqs[0]);
	virtio_config_changed(&m.vdev);
	CHECK(fake_kvm_wire(GSI));
	/* The byte next to it is none of it, and writing is not reading. */
	CHECK_EQ(mem_read(region(VIRTIO_PCI_CAP_ISR_CFG) + 1, 1), 0);
	mem_write(region(VIRTIO_PCI_CAP_ISR_CFG), 1, 0);
	CHECK(fake_kvm_wire(GSI));
	CHECK_EQ(mem_read(region(VIRTIO_PCI_CAP_ISR_CFG), 4), 3);
	CHECK(!fake_kvm_wire(GSI));
	thing_end();
}

TEST(config_change_counts_generations)
{
	u8 gen;

	thing_start(&plain_ops, false);
	gen = common_get(VIRTIO_PCI_COMMON_CFGGENERATION, 1);
	/* Nobody to tell before DRIVER_OK. */
	virtio_config_changed(&m.vdev);
	CHECK_EQ(common_get(VIRTIO_PCI_COMMON_CFGGENERATION, 1), (u8)(gen + 1));
	CHECK_EQ(isr(), 0);
	run_queue(0);
	for (unsigned int i = 2; i < 300; i++) {
		virtio_config_changed(&m.vdev);
		CHECK_EQ(common_get(VIRTIO_PCI_COMMON_CFGGENERATION, 1), (u8)(gen + i));
	}
	thing_end();
}

static void set_msix(u16 flags)
{
	pci_write(m.vpci.pci.msix.cap + PCI_MSIX_FLAGS, 2, flags);
}

static u64 msix_table(void)
{
	return (pci_read(PCI_BASE_ADDRESS_2, 4) & ~0xfU) | (u64)pci_read(PCI_BASE_ADDRESS_3, 4)
								   << 32;
}

static void set_vector(unsigned int n, u64 addr, u32 data, u32 control)
{
	mem_write(msix_table() + 16 * n, 8, addr);
	mem_write(msix_table() + 16 * n + 8, 4, data);
	mem_write(msix_table() + 16 * n + 12, 4, control);
}

TEST(msix_replaces_isr_and_wire)
{
	u64 addr;
	u32 data;

	thing_start(&plain_ops, false);
	set_msix(PCI_MSIX_FLAGS_ENABLE);
	for (unsigned int v = 0; v <= NR_VQS; v++)
		set_vector(v, MSI_ADDR, 0x50 + v, 0);
	common_set(VIRTIO_PCI_COMMON_MSIX, 2, 0);
	common_set(VIRTIO_PCI_COMMON_Q_SELECT, 2, 1);
	common_set(VIRTIO_PCI_COMMON_Q_MSIX, 2, 2);
	run_queue(1);
	interrupt(&m.vdev.vqs[1]);
	CHECK(fake_kvm_message(&addr, &data) && addr == MSI_ADDR && data == 0x52);
	virtio_config_changed(&m.vdev);
	CHECK(fake_kvm_message(&addr, &data) && data == 0x50);
	/* A queue without a vector interrupts nobody. */
	interrupt(&m.vdev.vqs[0]);
	CHECK(!fake_kvm_message(&addr, &data));
	CHECK(!fake_kvm_wire(GSI));
	CHECK_EQ(isr(), 0);
	/* And back. */
	set_msix(0);
	interrupt(&m.vdev.vqs[1]);
	CHECK(!fake_kvm_message(&addr, &data));
	CHECK_EQ(isr(), 1);
	thing_end();
}

TEST(without_messages_there_is_no_msix)
{
	thing_make(&plain_ops, false);
	irq_destroy(&m.vm);
	irq_init_wires(&m.vm);
	thing_plug();
	for (u32 cap = pci_read(PCI_CAPABILITY_LIST, 1); cap; cap = pci_read(cap + 1, 1))
		CHECK(pci_read(cap, 1) != PCI_CAP_ID_MSIX);
	/* No BAR for the tables, whatever is written there. */
	pci_write(PCI_BASE_ADDRESS_2, 4, ~0U);
	CHECK_EQ(pci_read(PCI_BASE_ADDRESS_2, 4), 0);
	CHECK_EQ(pci_read(PCI_BASE_ADDRESS_3, 4), 0);
	/* No vector to choose (4.1.5.1.2.1), and the wire works. */
	common_set(VIRTIO_PCI_COMMON_MSIX, 2, 0);
	CHECK_EQ(common_get(VIRTIO_PCI_COMMON_MSIX, 2), 0xffff);
	run_queue(0);
	interrupt(&m.vdev.vqs[0]);
	CHECK(fake_kvm_wire(GSI));
	CHECK_EQ(isr(), 1);
	CHECK(!fake_kvm_wire(GSI));
	thing_end();
}

TEST(message_that_is_dma_is_translated)
{
	const struct mapping map = {
		.start = 0x7000000000, .last = 0x7000000fff, .gpa = 0x3000, .flags = MAPPING_WRITE};
	u64 addr;
	u32 data;

	thing_start(&plain_ops, true);
	set_msix(PCI_MSIX_FLAGS_ENABLE);
	set_vector(0, 0x7000000010, 0x11223344, 0);
	interrupt(NULL);
	common_set(VIRTIO_PCI_COMMON_MSIX, 2, 0);
	interrupt(NULL);
	CHECK_EQ(atomic_load(&m.ep.faults), 1);
	CHECK_EQ(iommu_attach(&m.iommu, 1, EP_ID, false), 0);
	CHECK_EQ(iommu_map(&m.iommu, 1, &map), 0);
	interrupt(NULL);
	CHECK_EQ(atomic_load(&m.ep.faults), 1);
	guest_mem_read(&m.vm.mem, 0x3010, &data, 4);
	CHECK_EQ(data, 0x11223344);
	/* What goes to the interrupt controller is not translated. */
	set_vector(0, MSI_ADDR, 0x99, 0);
	interrupt(NULL);
	CHECK(fake_kvm_message(&addr, &data) && data == 0x99);
	CHECK_EQ(atomic_load(&m.ep.faults), 1);
	thing_end();
}

/*
 * A message can fault, the fault is reported by the virtio-iommu, and that interrupts by
 * its wire: also when a write to configuration space has set the message free.
 */
TEST(message_that_faults_is_reported_by_intx)
{
	static struct virtio_iommu viommu;
	static struct virtio_pci viommu_pci;
	static const _Atomic bool stopping;
	struct viommu_fault fault;
	u64 desc[2] = {0x20000, 24 | 2ULL << 32}; /* one writable buffer */
	u16 avail[3] = {0, 1, 0};
	struct virtq *vq;

	thing_start(&plain_ops, true);
	if (virtio_iommu_init(&viommu, &m.iommu, &m.vm.mem, &stopping) ||
	    virtio_pci_init(&viommu_pci, &viommu.vdev, &m.bus, IOMMU_SLOT, 0x080600, NULL))
		exit(2);
	guest_mem_write(&m.vm.mem, 0x21000, desc, sizeof(desc));
	guest_mem_write(&m.vm.mem, 0x22000, avail, sizeof(avail));
	pthread_mutex_lock(&viommu.vdev.lock);
	virtio_set_features(&viommu.vdev, VERSION_1);
	virtio_set_status(&viommu.vdev, ACK | DRIVER | FEATURES_OK);
	vq = &viommu.vdev.vqs[VIOMMU_EVENTQ];
	vq->size = 4;
	vq->desc = 0x21000;
	vq->avail = 0x22000;
	vq->used = 0x23000;
	virtio_queue_enable(&viommu.vdev, VIOMMU_EVENTQ);
	virtio_set_status(&viommu.vdev, DRIVER_OK);
	pthread_mutex_unlock(&viommu.vdev.lock);

	common_set(VIRTIO_PCI_COMMON_MSIX, 2, 0);
	set_msix(PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	set_vector(0, 0x7000000010, 1, 0);
	interrupt(NULL);
	CHECK_EQ(atomic_load(&m.ep.faults), 0);
	/* A lock that is held here and wanted there would never come free. */
	alarm(60);
	set_msix(PCI_MSIX_FLAGS_ENABLE);
	alarm(0);
	CHECK_EQ(atomic_load(&m.ep.faults), 1);
	CHECK(fake_kvm_wire(IOMMU_GSI));
	guest_mem_read(&m.vm.mem, 0x20000, &fault, sizeof(fault));
	CHECK_EQ(fault.endpoint, EP_ID);
	CHECK_EQ(fault.address, 0x7000000010);

	virtio_pci_destroy(&viommu_pci);
	virtio_iommu_destroy(&viommu);
	thing_end();
}

/* Kicks: 4.1.4.4. */

TEST(kick_of_a_plain_queue)
{
	u64 notify;

	thing_start(&plain_ops, false);
	notify = region(VIRTIO_PCI_CAP_NOTIFY_CFG);
	mem_write(notify, 2, 0);
	CHECK_EQ(m.kicks[0], 0);
	run_queue(2);
	/* The place says which queue it is, whatever is written. */
	mem_write(notify + 8, 2, 2);
	mem_write(notify + 8, 4, 0xffff);
	CHECK_EQ(m.kicks[2], 2);
	mem_write(notify, 2, 2);
	mem_write(notify + 4, 2, 2);
	mem_write(notify + 12, 2, 2);
	mem_write(notify + 0xffc, 4, 2);
	CHECK_EQ(m.kicks[0] + m.kicks[1] + m.kicks[2], 2);
	CHECK_EQ(mem_read(notify + 8, 4), 0);
	CHECK_EQ(fake_kvm_nr_doorbells(), 0);
	thing_end();
}

static bool rings(unsigned int index)
{
	u64 count;

	return read(m.vdev.vqs[index].kick_fd, &count, 8) == 8;
}

TEST(doorbells_follow_the_bar)
{
	u64 notify;

	thing_start(&threaded_ops, false);
	notify = region(VIRTIO_PCI_CAP_NOTIFY_CFG);
	CHECK_EQ(fake_kvm_nr_doorbells(), 0);
	run_queue(1);
	CHECK_EQ(fake_kvm_nr_doorbells(), 1);
	CHECK_EQ(fake_kvm_doorbell(notify + 4), m.vdev.vqs[1].kick_fd);
	set_decode(false);
	CHECK_EQ(fake_kvm_nr_doorbells(), 0);
	pci_write(PCI_BASE_ADDRESS_0, 4, 0xd0000000);
	set_decode(true);
	CHECK_EQ(fake_kvm_doorbell(0xd0000000 + (notify - m.bar) + 4), m.vdev.vqs[1].kick_fd);
	pci_write(PCI_BASE_ADDRESS_0, 4, 0xd0100000);
	CHECK_EQ(fake_kvm_nr_doorbells(), 1);
	CHECK_EQ(fake_kvm_doorbell(0xd0100000 + (notify - m.bar) + 4), m.vdev.vqs[1].kick_fd);
	m.bar = 0xd0100000;
	/* A kick that comes as an exit all the same is not lost. */
	CHECK(!rings(1));
	mem_write(region(VIRTIO_PCI_CAP_NOTIFY_CFG) + 4, 2, 1);
	CHECK(rings(1));
	CHECK(!rings(0) && !rings(2));
	CHECK_EQ(m.kicks[1], 0);

	common_set(QUEUE_RESET, 2, 1);
	CHECK_EQ(fake_kvm_nr_doorbells(), 0);
	common_set(VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
	CHECK_EQ(fake_kvm_nr_doorbells(), 1);
	set_status(0);
	CHECK_EQ(fake_kvm_nr_doorbells(), 0);
	/* And one that runs at the end. */
	run_queue(0);
	CHECK_EQ(fake_kvm_nr_doorbells(), 1);
	thing_end();
}

TEST(doorbell_that_the_host_refuses)
{
	thing_start(&threaded_ops, false);
	fake_kvm_refuse(ENOSPC);
	CHECK(negotiate(VERSION_1));
	common_set(VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
	capture_begin();
	set_status(ACK | DRIVER | FEATURES_OK | DRIVER_OK);
	CHECK(capture_one_line(capture_end(), "ioeventfd"));
	CHECK(status() & NEEDS_RESET);
	CHECK_EQ(m.starts[0], 0);
	fake_kvm_refuse(0);
	set_status(0);
	run_queue(0);
	CHECK_EQ(m.starts[0], 1);
	thing_end();
}
