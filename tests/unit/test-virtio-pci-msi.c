// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupt messages behind an IOMMU that translates them too: where they end, what a fault
 * says, and that none is under way any more when a translation has been taken away.
 */
#include <errno.h>
#include <linux/pci_regs.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "unit.h"
#include "virtio-pci-guest.h"

#define DOMAIN	  1
#define PAGE	  4096ULL
#define IOVA	  0x7000000000ULL
#define DOORBELL  (FAKE_MSI_START + 0x3000) /* the page of one */
#define NO_MEMORY 0xd0000000ULL

#define OTHER_SLOT 5
#define OTHER_EP   78

/* Where a message stands still until it may go on. */
static struct {
	_Atomic bool armed, there, go;
} stop;

/* Messages of a device that never stops: only counted. */
static struct {
	_Atomic bool on, mapped, end;
	_Atomic unsigned int sent, late;
} flood;

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (request == KVM_SIGNAL_MSI && atomic_load(&stop.armed)) {
		atomic_store(&stop.there, true);
		while (!atomic_load(&stop.go))
			sched_yield();
	}
	if (request == KVM_SIGNAL_MSI && atomic_load(&flood.on)) {
		if (!atomic_load(&flood.mapped))
			atomic_fetch_add(&flood.late, 1);
		atomic_fetch_add(&flood.sent, 1);
		return 1;
	}
	return fake_kvm_ioctl(fd, request, arg);
}

static struct iommu_fault last_fault;
static unsigned int nr_faults;

static void report(void *opaque, const struct iommu_fault *fault)
{
	(void)opaque;
	last_fault = *fault;
	nr_faults++;
}

/* Another function, so that two endpoints can share a domain. */
static struct {
	struct virtio_device vdev;
	struct virtio_pci vpci;
	struct iommu_endpoint ep;
} other;

static void set_message(struct pci_device *pci, u64 addr, u32 data)
{
	const u32 entry[4] = {htole32((u32)addr), htole32(addr >> 32), htole32(data)};

	for (unsigned int i = 0; i < 4; i++)
		msix_table_access(pci, 4 * i, (void *)(uintptr_t)&entry[i], 4, true);
}

static void set_msix(struct pci_device *pci, u16 flags)
{
	pci_config_access(&m.bus, pci->devfn, pci->msix.cap + PCI_MSIX_FLAGS, &flags, 2, true);
}

static void start(bool mapped)
{
	memset(&stop, 0, sizeof(stop));
	nr_faults = 0;
	thing_make(&plain_ops, true);
	m.iommu.config.msi_mapped = mapped;
	m.iommu.report = report;
	thing_plug();
	if (iommu_add_endpoint(&m.iommu, &other.ep, OTHER_EP) ||
	    virtio_device_init(&other.vdev, &plain_ops, 0, NR_VQS, VQ_SIZE, &m.vm.mem, &other.ep) ||
	    virtio_pci_init(&other.vpci, &other.vdev, &m.bus, OTHER_SLOT, 0x018000, &other.ep))
		exit(2);
	set_msix(&m.vpci.pci, PCI_MSIX_FLAGS_ENABLE);
	set_msix(&other.vpci.pci, PCI_MSIX_FLAGS_ENABLE);
}

static void end(void)
{
	virtio_pci_destroy(&other.vpci);
	virtio_device_destroy(&other.vdev);
	thing_end();
}

static int map(u64 iova, u64 gpa, u32 flags)
{
	const struct mapping map = {
		.start = iova, .last = iova + PAGE - 1, .gpa = gpa, .flags = flags};

	return iommu_map(&m.iommu, DOMAIN, &map);
}

/* As a driver maps it. */
static void map_doorbell(u64 iova, u64 gpa)
{
	CHECK_EQ(map(iova, gpa, MAPPING_WRITE | MAPPING_MMIO), 0);
}

static void unmap(u64 iova)
{
	CHECK_EQ(iommu_unmap(&m.iommu, DOMAIN, iova, iova + PAGE - 1), 0);
}

static void attach(u32 ep)
{
	CHECK_EQ(iommu_attach(&m.iommu, DOMAIN, ep, false), 0);
}

static void send(u64 addr, u32 data)
{
	set_message(&m.vpci.pci, addr, data);
	msix_notify(&m.vpci.pci, 0);
}

static bool got(u64 addr, u32 data)
{
	u64 a;
	u32 d;

	return fake_kvm_message(&a, &d) && a == addr && d == data;
}

static bool got_none(void)
{
	u64 a;
	u32 d;

	return !fake_kvm_message(&a, &d);
}

/* The last fault is the only one since the last call. */
static bool faulted(u64 addr, enum iommu_fault_reason reason)
{
	bool one = nr_faults == 1;

	nr_faults = 0;
	return one && last_fault.iova == addr && last_fault.reason == reason &&
	       last_fault.dir == DMA_WRITE && last_fault.endpoint == EP_ID;
}

static u32 ram(u64 gpa)
{
	u32 val;

	guest_mem_read(&m.vm.mem, gpa, &val, sizeof(val));
	return le32toh(val);
}

TEST(message_through_a_mapping)
{
	u32 devid;

	start(true);
	attach(EP_ID);
	map_doorbell(IOVA, DOORBELL);
	send(IOVA, 0x41);
	CHECK(fake_kvm_sender(&devid) && devid == SLOT << 3);
	CHECK(got(DOORBELL, 0x41));
	send(IOVA + 0x40, 0x42);
	CHECK(got(DOORBELL + 0x40, 0x42));
	send(IOVA + 0xffc, 0xffffffff);
	CHECK(got(DOORBELL + 0xffc, 0xffffffff));
	CHECK(got_none());
	/* The flag is about how memory is accessed, not about who may. */
	CHECK_EQ(map(2 * IOVA, DOORBELL, MAPPING_READ | MAPPING_WRITE), 0);
	send(2 * IOVA + 8, 0x43);
	CHECK(got(DOORBELL + 8, 0x43));
	CHECK_EQ(nr_faults, 0);
	/* No route is kept anywhere. */
	CHECK_EQ(fake_kvm_nr_irqfds(), 0);
	end();
}

TEST(message_that_is_not_mapped_faults)
{
	start(true);
	send(DOORBELL, 1);
	CHECK(faulted(DOORBELL, IOMMU_FAULT_DOMAIN));
	attach(EP_ID);
	/* The interrupt controller's own address is one like any other. */
	send(DOORBELL, 1);
	CHECK(faulted(DOORBELL, IOMMU_FAULT_MAPPING));
	map_doorbell(IOVA, DOORBELL);
	send(DOORBELL, 1);
	CHECK(faulted(DOORBELL, IOMMU_FAULT_MAPPING));
	send(IOVA + PAGE, 1);
	CHECK(faulted(IOVA + PAGE, IOMMU_FAULT_MAPPING));
	send(IOVA - 4, 1);
	CHECK(faulted(IOVA - 4, IOMMU_FAULT_MAPPING));
	CHECK_EQ(map(2 * IOVA, DOORBELL, MAPPING_READ | MAPPING_MMIO), 0);
	send(2 * IOVA, 1);
	CHECK(faulted(2 * IOVA, IOMMU_FAULT_MAPPING));
	CHECK_EQ(map(3 * IOVA, NO_MEMORY, MAPPING_WRITE | MAPPING_MMIO), 0);
	send(3 * IOVA, 1);
	CHECK(faulted(3 * IOVA, IOMMU_FAULT_UNKNOWN));
	CHECK_EQ(atomic_load(&m.ep.faults), 7);
	CHECK(got_none());
	end();
}

TEST(message_follows_its_mapping)
{
	start(true);
	attach(EP_ID);
	map_doorbell(IOVA, DOORBELL);
	send(IOVA, 1);
	CHECK(got(DOORBELL, 1));
	unmap(IOVA);
	send(IOVA, 1);
	CHECK(faulted(IOVA, IOMMU_FAULT_MAPPING));
	/* The same message, another processor. */
	map_doorbell(IOVA, DOORBELL + PAGE);
	send(IOVA, 1);
	CHECK(got(DOORBELL + PAGE, 1));
	/* And now it is memory. */
	unmap(IOVA);
	CHECK_EQ(map(IOVA, 0x3000, MAPPING_WRITE), 0);
	send(IOVA, 0x11223344);
	CHECK_EQ(ram(0x3000), 0x11223344);
	CHECK_EQ(iommu_detach(&m.iommu, DOMAIN, EP_ID), 0);
	send(IOVA, 1);
	CHECK(faulted(IOVA, IOMMU_FAULT_DOMAIN));
	CHECK_EQ(ram(0x3000), 0x11223344);
	CHECK(got_none());
	end();
}

/* A doorbell is found wherever it is in a mapping that is larger than it. */
TEST(message_through_a_large_granule)
{
	const struct mapping map = {.start = IOVA,
				    .last = IOVA + 64 * KiB - 1,
				    .gpa = FAKE_MSI_LAST + 1 - 32 * KiB,
				    .flags = MAPPING_WRITE | MAPPING_MMIO};

	start(true);
	m.iommu.config.page_size_mask = ~(16 * KiB - 1);
	attach(EP_ID);
	CHECK_EQ(iommu_map(&m.iommu, DOMAIN, &map), 0);
	send(IOVA + 7 * PAGE + 4, 1);
	CHECK(got(FAKE_MSI_LAST + 1 - PAGE + 4, 1));
	send(IOVA + 8 * PAGE - 4, 2);
	CHECK(got(FAKE_MSI_LAST - 3, 2));
	send(IOVA + 8 * PAGE, 3);
	CHECK(faulted(IOVA + 8 * PAGE, IOMMU_FAULT_UNKNOWN));
	CHECK(got_none());
	end();
}

TEST(message_at_the_address_of_the_doorbell_goes_where_that_is_mapped)
{
	start(true);
	attach(EP_ID);
	CHECK_EQ(map(DOORBELL, 0x5000, MAPPING_WRITE), 0);
	send(DOORBELL + 8, 0x55667788);
	CHECK_EQ(ram(0x5008), 0x55667788);
	CHECK(got_none());
	CHECK_EQ(nr_faults, 0);
	end();
}

TEST(message_in_bypass)
{
	start(true);
	iommu_set_bypass(&m.iommu, true);
	send(DOORBELL, 1);
	CHECK(got(DOORBELL, 1));
	send(0x3000, 2);
	CHECK_EQ(ram(0x3000), 2);
	iommu_set_bypass(&m.iommu, false);
	send(DOORBELL, 1);
	CHECK(faulted(DOORBELL, IOMMU_FAULT_DOMAIN));
	CHECK_EQ(iommu_attach(&m.iommu, 2, EP_ID, true), 0);
	send(DOORBELL + 4, 3);
	CHECK(got(DOORBELL + 4, 3));
	attach(EP_ID);
	send(DOORBELL + 4, 3);
	CHECK(faulted(DOORBELL + 4, IOMMU_FAULT_MAPPING));
	CHECK(got_none());
	end();
}

TEST(message_at_an_odd_address_is_no_interrupt)
{
	start(true);
	attach(EP_ID);
	map_doorbell(IOVA, DOORBELL);
	send(IOVA + 1, 1);
	CHECK(faulted(IOVA + 1, IOMMU_FAULT_UNKNOWN));
	/* Two pages that are apart in memory. */
	CHECK_EQ(map(2 * IOVA, 0x3000, MAPPING_WRITE), 0);
	CHECK_EQ(map(2 * IOVA + PAGE, 0x6000, MAPPING_WRITE), 0);
	send(2 * IOVA + PAGE - 2, 0x44332211);
	CHECK_EQ(ram(0x3ffc) >> 16, 0x2211);
	CHECK_EQ(ram(0x6000) & 0xffff, 0x4433);
	CHECK_EQ(nr_faults, 0);
	/* The second one is not there, or not memory: nothing is written. */
	unmap(2 * IOVA + PAGE);
	send(2 * IOVA + PAGE - 2, 0xffffffff);
	CHECK(faulted(2 * IOVA + PAGE, IOMMU_FAULT_MAPPING));
	map_doorbell(2 * IOVA + PAGE, DOORBELL);
	send(2 * IOVA + PAGE - 1, 0xffffffff);
	CHECK(faulted(2 * IOVA + PAGE, IOMMU_FAULT_UNKNOWN));
	CHECK_EQ(ram(0x3ffc) >> 16, 0x2211);
	/* At the very end of all addresses. */
	send(UINT64_MAX - 1, 1);
	CHECK_EQ(nr_faults, 0);
	CHECK(got_none());
	end();
}

/* What counts is the translation at the time when the message is sent. */
TEST(message_that_waited_for_its_mask)
{
	start(true);
	attach(EP_ID);
	map_doorbell(IOVA, DOORBELL);
	set_msix(&m.vpci.pci, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	send(IOVA, 1);
	unmap(IOVA);
	CHECK_EQ(nr_faults, 0);
	set_msix(&m.vpci.pci, PCI_MSIX_FLAGS_ENABLE);
	CHECK(faulted(IOVA, IOMMU_FAULT_MAPPING));
	set_msix(&m.vpci.pci, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	send(IOVA, 2);
	map_doorbell(IOVA, DOORBELL);
	CHECK(got_none());
	set_msix(&m.vpci.pci, PCI_MSIX_FLAGS_ENABLE);
	CHECK(got(DOORBELL, 2));
	CHECK(got_none());
	CHECK_EQ(nr_faults, 0);
	end();
}

/* A device that writes its data to the doorbell does not interrupt. */
TEST(data_never_rings)
{
	struct dma_chan chan;
	u32 val = 0;

	start(true);
	attach(EP_ID);
	map_doorbell(IOVA, DOORBELL);
	if (dma_chan_init(&chan, &m.vm.mem, &m.ep, 4))
		exit(2);
	CHECK_EQ(dma_store32(&chan, IOVA, 1), -EFAULT);
	CHECK(faulted(IOVA, IOMMU_FAULT_UNKNOWN));
	CHECK_EQ(dma_write(&chan, IOVA, &val, sizeof(val)), -EFAULT);
	CHECK(faulted(IOVA, IOMMU_FAULT_UNKNOWN));
	CHECK_EQ(dma_load32(&chan, IOVA, &val), -EFAULT);
	CHECK(got_none());
	/* Memory stays memory with the flag. */
	CHECK_EQ(map(2 * IOVA, 0x3000, MAPPING_WRITE | MAPPING_MMIO), 0);
	CHECK_EQ(dma_store32(&chan, 2 * IOVA, htole32(0x77)), 0);
	CHECK_EQ(ram(0x3000), 0x77);
	dma_chan_destroy(&chan);
	end();
}

TEST(direct_messages_are_not_translated)
{
	start(false);
	send(DOORBELL, 1);
	CHECK(got(DOORBELL, 1));
	attach(EP_ID);
	send(DOORBELL, 2);
	CHECK(got(DOORBELL, 2));
	CHECK_EQ(nr_faults, 0);
	/* And a mapping is for data only. */
	map_doorbell(IOVA, DOORBELL);
	send(IOVA, 3);
	CHECK(faulted(IOVA, IOMMU_FAULT_UNKNOWN));
	CHECK(got_none());
	end();
}

TEST(message_of_a_device_that_is_not_behind_the_iommu)
{
	thing_start(&plain_ops, false);
	CHECK(!m.vpci.pci.msi_is_dma);
	set_msix(&m.vpci.pci, PCI_MSIX_FLAGS_ENABLE);
	send(DOORBELL, 1);
	CHECK(got(DOORBELL, 1));
	CHECK_EQ(fake_kvm_nr_irqfds(), 1);
	thing_end();
}

/* Revocations: each in a thread, against a message that stands still in another one. */

static void do_unmap(void)
{
	unmap(IOVA);
}

static void do_unmap_all(void)
{
	CHECK_EQ(iommu_unmap(&m.iommu, DOMAIN, 0, UINT64_MAX), 0);
}

static void do_detach(void)
{
	CHECK_EQ(iommu_detach(&m.iommu, DOMAIN, EP_ID), 0);
}

static void do_move(void)
{
	CHECK_EQ(iommu_attach(&m.iommu, 2, EP_ID, false), 0);
}

static void do_detach_all(void)
{
	iommu_detach_all(&m.iommu);
}

static void do_bypass_off(void)
{
	iommu_set_bypass(&m.iommu, false);
}

static void do_unmap_next_page(void)
{
	unmap(IOVA + PAGE);
}

static void (*take_away)(void);
static _Atomic bool revoked;

static void *revoker(void *arg)
{
	(void)arg;
	take_away();
	atomic_store(&revoked, true);
	return NULL;
}

static void *sender(void *arg)
{
	msix_notify(arg, 0);
	return NULL;
}

/* Whether @how waits for a message of @vpci that is under way. */
static bool waits(void (*how)(void), struct virtio_pci *vpci)
{
	pthread_t threads[2];
	bool waited;

	atomic_store(&stop.go, false);
	atomic_store(&stop.there, false);
	atomic_store(&stop.armed, true);
	if (pthread_create(&threads[0], NULL, sender, &vpci->pci))
		abort();
	while (!atomic_load(&stop.there))
		sched_yield();
	take_away = how;
	atomic_store(&revoked, false);
	if (pthread_create(&threads[1], NULL, revoker, NULL))
		abort();
	while (!atomic_load(&revoked) && !atomic_load(&vpci->msi_chan.waiting))
		sched_yield();
	waited = !atomic_load(&revoked);
	CHECK(got_none());
	atomic_store(&stop.go, true);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	atomic_store(&stop.armed, false);
	return waited;
}

TEST(revocation_waits_for_a_message_under_way)
{
	static void (*const revokes[])(void) = {do_unmap, do_unmap_all, do_detach, do_move,
						do_detach_all};

	for (unsigned int i = 0; i < ARRAY_SIZE(revokes); i++) {
		start(true);
		attach(EP_ID);
		map_doorbell(IOVA, DOORBELL);
		set_message(&m.vpci.pci, IOVA + 0x10, 0x21);
		CHECK(waits(revokes[i], &m.vpci));
		CHECK(got(DOORBELL + 0x10, 0x21));
		msix_notify(&m.vpci.pci, 0);
		CHECK_EQ(nr_faults, 1);
		CHECK(got_none());
		end();
	}
}

TEST(end_of_bypass_waits_for_a_message_under_way)
{
	start(true);
	iommu_set_bypass(&m.iommu, true);
	set_message(&m.vpci.pci, DOORBELL, 0x21);
	CHECK(waits(do_bypass_off, &m.vpci));
	CHECK(got(DOORBELL, 0x21));
	end();
}

TEST(unmap_of_something_else_does_not_wait)
{
	start(true);
	attach(EP_ID);
	map_doorbell(IOVA, DOORBELL);
	map_doorbell(IOVA + PAGE, DOORBELL);
	set_message(&m.vpci.pci, IOVA + PAGE - 4, 0x21);
	CHECK(!waits(do_unmap_next_page, &m.vpci));
	CHECK(got(DOORBELL + PAGE - 4, 0x21));
	end();
}

TEST(unmap_waits_for_the_messages_of_all_endpoints_of_the_domain)
{
	u32 devid;

	start(true);
	attach(EP_ID);
	attach(OTHER_EP);
	map_doorbell(IOVA, DOORBELL);
	set_message(&other.vpci.pci, IOVA, 0x31);
	CHECK(waits(do_unmap, &other.vpci));
	CHECK(fake_kvm_sender(&devid) && devid == OTHER_SLOT << 3);
	CHECK(got(DOORBELL, 0x31));
	msix_notify(&other.vpci.pci, 0);
	send(IOVA, 1);
	CHECK_EQ(nr_faults, 2);
	CHECK(got_none());
	end();
}

static void *flooder(void *arg)
{
	while (!atomic_load(&flood.end))
		msix_notify(arg, 0);
	return NULL;
}

/* Until it counts one more. */
static void wait_for(_Atomic unsigned int *count)
{
	unsigned int before = atomic_load(count);

	while (atomic_load(count) == before)
		sched_yield();
}

static _Atomic unsigned int flood_faults;

static void count_fault(void *opaque, const struct iommu_fault *fault)
{
	(void)opaque;
	(void)fault;
	atomic_fetch_add(&flood_faults, 1);
}

TEST(no_message_comes_after_the_answer_to_an_unmap)
{
	pthread_t thread;

	start(true);
	m.iommu.report = count_fault;
	attach(EP_ID);
	set_message(&m.vpci.pci, IOVA, 1);
	atomic_store(&flood.on, true);
	if (pthread_create(&thread, NULL, flooder, &m.vpci.pci))
		abort();
	for (unsigned int i = 0; i < 100; i++) {
		atomic_store(&flood.mapped, true);
		map_doorbell(IOVA, DOORBELL);
		wait_for(&flood.sent);
		unmap(IOVA);
		atomic_store(&flood.mapped, false);
		wait_for(&flood_faults);
	}
	atomic_store(&flood.end, true);
	pthread_join(thread, NULL);
	atomic_store(&flood.on, false);
	CHECK_EQ(atomic_load(&flood.late), 0);
	end();
}
