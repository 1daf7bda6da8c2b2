// SPDX-License-Identifier: GPL-2.0-only
/* The DMA engine as docs/dma-engine.md describes it, by a driver on a machine without KVM. */
#include <endian.h>
#include <linux/pci_regs.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "hw/dma-engine-regs.h"
#include "hw/dma-engine.h"
#include "toy-format.h"
#include "unit.h"
#include "virtio-pci-guest.h"

#define RING	  0x10000ULL
#define RING_LOG2 2
#define SRC	  0x100000ULL
#define DST	  0x200000ULL
#define TABLE(n)  (0x20000ULL + (n) * 4096ULL)
#define DOMAIN	  1
#define PASID_CAP 0x100

static struct dma_engine *engine;
static u32 tail;

/* Where an engine behind an IOMMU can be held up in the middle of its work. */
enum gate {
	GATE_OPEN,
	GATE_SHUT,
	GATE_REACHED
};
static _Atomic enum gate gate;
static struct iommu_format format;

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	return fake_kvm_ioctl(fd, request, arg);
}

static u64 reg_read(u32 off, unsigned int len)
{
	return mem_read(m.bar + off, len);
}

static void reg_write(u32 off, unsigned int len, u64 val)
{
	mem_write(m.bar + off, len, val);
}

static void *ram(u64 gpa)
{
	return guest_mem_ptr(&m.vm.mem, gpa, 1);
}

static void run_ring(void)
{
	reg_write(DMA_ENGINE_RING_LOG2, 4, RING_LOG2);
	reg_write(DMA_ENGINE_RING_BASE, 8, RING);
	reg_write(DMA_ENGINE_CONTROL, 4, DMA_ENGINE_CONTROL_RUN);
	tail = 0;
}

static void plug(bool behind_iommu)
{
	if (dma_engine_create(&engine, &m.vm, behind_iommu ? &m.ep : NULL) ||
	    dma_engine_plug(engine, &m.bus, SLOT))
		exit(2);
	m.bar = (pci_read(PCI_BASE_ADDRESS_0, 4) & ~0xfU) | (u64)pci_read(PCI_BASE_ADDRESS_1, 4)
								    << 32;
	pci_write(PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	pci_write(PASID_CAP + PCI_PASID_CTRL, 2,
		  PCI_PASID_CTRL_ENABLE | PCI_PASID_CTRL_EXEC | PCI_PASID_CTRL_PRIV);
}

static void start(void)
{
	machine_start(false);
	plug(false);
	run_ring();
}

/* The first of all walks from SRC on, once the gate is shut, waits until it opens. */
static int gated_walk(const struct iommu_walk *w, struct iommu_walk_result *result)
{
	enum gate shut = GATE_SHUT;

	if (w->iova >= SRC && atomic_compare_exchange_strong(&gate, &shut, GATE_REACHED)) {
		while (atomic_load(&gate) == GATE_REACHED)
			sched_yield();
	}
	return toy_format.walk(w, result);
}

/* Behind an IOMMU, in a domain of toy tables: that of the ring, and two of PASIDs 1 and 2. */
static void start_translated(bool msi_mapped)
{
	const struct iommu_limits limits = {.pa_bits = 40, .pasid_bits = 20};
	struct toy_descriptor desc = {.table = htole64(TABLE(0))};
	u8 bytes[IOMMU_DESCRIPTOR_SIZE];
	u32 pasid;

	machine_start(true);
	m.iommu.config.msi_mapped = msi_mapped;
	format = toy_format;
	format.walk = gated_walk;
	iommu_set_format(&m.ep, &format, &limits);
	for (u32 n = 0; n < 3; n++) {
		desc.table = htole64(TABLE(n));
		desc.pasid = htole32(n);
		memcpy(bytes, &desc, sizeof(bytes));
		CHECK_EQ(iommu_attach_table(&m.iommu, DOMAIN, EP_ID, n ? TOY_PASID : TOY_BASE,
					    bytes, &pasid),
			 0);
	}
	/* The first 2 MiB as they are, for the ring. */
	for (u64 i = 0; i < 512; i++)
		((u64 *)ram(TABLE(0)))[i] = htole64(i << 12 | TOY_P | TOY_W);
	plug(true);
	run_ring();
}

static void end(void)
{
	dma_engine_destroy(engine);
	if (m.has_iommu)
		iommu_destroy(&m.iommu);
	CHECK_EQ(fake_kvm_nr_irqfds(), 0);
	fake_kvm_end(&m.vm);
}

static struct dma_engine_desc *slot(u32 n)
{
	return (struct dma_engine_desc *)ram(RING) + n % (1U << RING_LOG2);
}

/* Offers one, and waits until it is done and counted, or the engine has halted. */
static u32 execute(const struct dma_engine_desc *desc)
{
	struct dma_engine_desc *d = slot(tail);

	*d = *desc;
	d->status = 0;
	reg_write(DMA_ENGINE_TAIL, 4, ++tail);
	while (reg_read(DMA_ENGINE_HEAD, 4) != tail &&
	       !(reg_read(DMA_ENGINE_STATUS, 4) & DMA_ENGINE_STATUS_HALTED))
		sched_yield();
	return le32toh(d->status);
}

static u32 copy(u64 src, u32 src_pasid, u64 dst, u32 dst_pasid, u32 len)
{
	return execute(&(struct dma_engine_desc){
		.op = DMA_ENGINE_OP_COPY,
		.src_pasid = htole32(src_pasid),
		.dst_pasid = htole32(dst_pasid),
		.len = htole32(len),
		.src = htole64(src),
		.dst = htole64(dst),
	});
}

#define PASID(n) (DMA_ENGINE_PASID_VALID | (n))

TEST(what_it_is)
{
	start();
	CHECK_EQ(pci_read(PCI_VENDOR_ID, 4), DMA_ENGINE_VENDOR | (u32)DMA_ENGINE_DEVICE << 16);
	CHECK_EQ(reg_read(DMA_ENGINE_MAGIC, 4), DMA_ENGINE_MAGIC_VALUE);
	CHECK_EQ(reg_read(DMA_ENGINE_VERSION, 4), 1);
	CHECK_EQ(reg_read(DMA_ENGINE_CAPS, 4), 20 << 8 | 12);
	CHECK_EQ(reg_read(DMA_ENGINE_STATUS, 4), DMA_ENGINE_STATUS_RUNNING);
	CHECK_EQ(pci_read(PASID_CAP, 4), PCI_EXT_CAP_ID_PASID | 1 << 16);
	CHECK_EQ(pci_read(PASID_CAP + PCI_PASID_CAP, 2), 20 << 8 | 6);
	end();
}

TEST(it_copies_fills_and_checksums)
{
	static const u64 pattern = 0x0807060504030201;
	struct dma_engine_desc d = {
		.op = DMA_ENGINE_OP_FILL,
		.len = htole32(200001),
		.dst = htole64(SRC + 3),
		.pattern = htole64(pattern),
	};
	const u8 *bytes;

	start();
	CHECK_EQ(execute(&d), DMA_ENGINE_STATUS_OK);
	bytes = ram(SRC);
	CHECK(!bytes[2] && bytes[3] == 1 && bytes[3 + 70000] == 1 + 70000 % 8);
	CHECK(bytes[3 + 200000] && !bytes[3 + 200001]);
	CHECK_EQ(copy(SRC + 3, 0, DST + 1, 0, 200001), DMA_ENGINE_STATUS_OK);
	CHECK(!memcmp(ram(DST + 1), bytes + 3, 200001));
	CHECK_EQ(((u8 *)ram(DST))[200002], 0);
	/* "a" in the published table of this hash. */
	*(char *)ram(SRC) = 'a';
	d = (struct dma_engine_desc){
		.op = DMA_ENGINE_OP_CHECKSUM,
		.len = htole32(1),
		.src = htole64(SRC),
	};
	CHECK_EQ(execute(&d), DMA_ENGINE_STATUS_OK);
	CHECK_EQ(le64toh(slot(tail - 1)->result), 0xaf63dc4c8601ec8cULL);
	d = (struct dma_engine_desc){.op = DMA_ENGINE_OP_NOP};
	CHECK_EQ(execute(&d), DMA_ENGINE_STATUS_OK);
	CHECK_EQ(reg_read(DMA_ENGINE_HEAD, 4), 4);
	end();
}

TEST(a_malformed_descriptor_is_invalid)
{
	static const struct dma_engine_desc good = {
		.op = DMA_ENGINE_OP_COPY,
		.len = 16,
		.src = SRC,
		.dst = DST,
	};
	struct dma_engine_desc d;

#define BAD(member, value)                                        \
	do {                                                      \
		d = good;                                         \
		d.member = (value);                               \
		CHECK_EQ(execute(&d), DMA_ENGINE_STATUS_INVALID); \
	} while (0)

	start();
	CHECK_EQ(execute(&good), DMA_ENGINE_STATUS_OK);
	BAD(op, 4);
	BAD(op, DMA_ENGINE_OP_NOP);
	BAD(flags, 2);
	BAD(reserved, 1);
	BAD(len, 0);
	BAD(src, htole64(~0ULL - 3));
	BAD(dst, htole64(~0ULL - 3));
	BAD(src_pasid, htole32(1));
	BAD(src_pasid, htole32(PASID(1) | BIT(20)));
	BAD(dst_pasid, htole32(PASID(1) | DMA_ENGINE_PASID_EXEC));
	d = (struct dma_engine_desc){.op = DMA_ENGINE_OP_FILL, .dst = htole64(DST)};
	CHECK_EQ(execute(&d), DMA_ENGINE_STATUS_INVALID);
	/* What the driver has not enabled. */
	d = good;
	d.src_pasid = htole32(PASID(1) | DMA_ENGINE_PASID_PRIV);
	CHECK_EQ(execute(&d), DMA_ENGINE_STATUS_OK);
	pci_write(PASID_CAP + PCI_PASID_CTRL, 2, PCI_PASID_CTRL_ENABLE);
	CHECK_EQ(execute(&d), DMA_ENGINE_STATUS_INVALID);
	d.src_pasid = htole32(PASID(1) | DMA_ENGINE_PASID_EXEC);
	CHECK_EQ(execute(&d), DMA_ENGINE_STATUS_INVALID);
	d.src_pasid = htole32(PASID(1));
	CHECK_EQ(execute(&d), DMA_ENGINE_STATUS_OK);
	pci_write(PASID_CAP + PCI_PASID_CTRL, 2, 0);
	CHECK_EQ(execute(&d), DMA_ENGINE_STATUS_INVALID);
	end();
#undef BAD
}

TEST(each_side_has_its_own_pasid)
{
	start_translated(false);
	((u64 *)ram(TABLE(1)))[5] = htole64(SRC | TOY_P);
	((u64 *)ram(TABLE(2)))[5] = htole64(DST | TOY_P | TOY_W);
	memset(ram(SRC), 0x5a, 4096);
	CHECK_EQ(copy(0x5000, PASID(1), 0x5010, PASID(2), 256), DMA_ENGINE_STATUS_OK);
	CHECK_EQ(((u8 *)ram(DST))[0x0f], 0);
	CHECK_EQ(((u8 *)ram(DST))[0x10], 0x5a);
	end();
}

TEST(faults_are_told)
{
	struct dma_engine_desc d;

	start_translated(false);
	((u64 *)ram(TABLE(1)))[5] = htole64(SRC | TOY_P);
	CHECK_EQ(copy(0x5800, PASID(1), 0x8000, 0, 4096), DMA_ENGINE_STATUS_SRC_FAULT);
	d = *slot(tail - 1);
	CHECK_EQ(le64toh(d.fault_address), 0x6000);
	CHECK_EQ(le32toh(d.fault), DMA_ENGINE_FAULT(IOMMU_FAULT_MAPPING, DMA_READ));
	CHECK_EQ(copy(0x5800, PASID(1), 0x5123, PASID(1), 16), DMA_ENGINE_STATUS_DST_FAULT);
	d = *slot(tail - 1);
	CHECK_EQ(le64toh(d.fault_address), 0x5123);
	CHECK_EQ(le32toh(d.fault), DMA_ENGINE_FAULT(IOMMU_FAULT_MAPPING, DMA_WRITE));
	CHECK_EQ(copy(0x5800, PASID(77), 0x5123, PASID(1), 16), DMA_ENGINE_STATUS_SRC_FAULT);
	CHECK_EQ(le32toh(slot(tail - 1)->fault), DMA_ENGINE_FAULT(IOMMU_FAULT_DOMAIN, DMA_READ));
	CHECK_EQ(engine->stat.faults, 3);
	/* It goes on. */
	CHECK_EQ(copy(0x5800, PASID(1), 0x100000, 0, 16), DMA_ENGINE_STATUS_OK);
	end();
	/* The same for memory that is not there, without an IOMMU. */
	start();
	CHECK_EQ(copy(0x7000000000, 0, DST, 0, 16), DMA_ENGINE_STATUS_SRC_FAULT);
	CHECK_EQ(le64toh(slot(tail - 1)->fault_address), 0x7000000000);
	end();
}

TEST(a_ring_that_is_not_reached_halts)
{
	const struct dma_engine_desc nop = {.op = DMA_ENGINE_OP_NOP};

	start_translated(false);
	reg_write(DMA_ENGINE_INT_ENABLE, 4, 3);
	CHECK_EQ(execute(&nop), DMA_ENGINE_STATUS_OK);
	CHECK_EQ(iommu_detach(&m.iommu, DOMAIN, EP_ID), 0);
	CHECK_EQ(execute(&nop), DMA_ENGINE_STATUS_NONE);
	CHECK_EQ(reg_read(DMA_ENGINE_STATUS, 4), DMA_ENGINE_STATUS_HALTED);
	CHECK_EQ(reg_read(DMA_ENGINE_HALT_ADDRESS, 8), RING + 64);
	CHECK_EQ(reg_read(DMA_ENGINE_INT_STATUS, 4), BIT(DMA_ENGINE_INT_HALT));
	CHECK(fake_kvm_wire(GSI));
	reg_write(DMA_ENGINE_INT_STATUS, 4, BIT(DMA_ENGINE_INT_HALT));
	CHECK(!fake_kvm_wire(GSI));
	end();
	/* Nor is it without bus mastering, or at an address that is no ring's. */
	start();
	pci_write(PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	CHECK_EQ(execute(&nop), DMA_ENGINE_STATUS_NONE);
	reg_write(DMA_ENGINE_CONTROL, 4, DMA_ENGINE_CONTROL_RESET);
	CHECK_EQ(reg_read(DMA_ENGINE_STATUS, 4), 0);
	pci_write(PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	reg_write(DMA_ENGINE_RING_BASE, 8, RING + 8);
	reg_write(DMA_ENGINE_CONTROL, 4, DMA_ENGINE_CONTROL_RUN);
	CHECK_EQ(reg_read(DMA_ENGINE_STATUS, 4), DMA_ENGINE_STATUS_HALTED);
	reg_write(DMA_ENGINE_CONTROL, 4, DMA_ENGINE_CONTROL_RESET);
	reg_write(DMA_ENGINE_RING_LOG2, 4, 200);
	reg_write(DMA_ENGINE_CONTROL, 4, DMA_ENGINE_CONTROL_RUN);
	reg_write(DMA_ENGINE_TAIL, 4, 1);
	CHECK_EQ(reg_read(DMA_ENGINE_STATUS, 4), DMA_ENGINE_STATUS_HALTED);
	end();
}

static void set_message(unsigned int vector, u64 address, u32 data)
{
	const u32 entry[4] = {htole32((u32)address), htole32(address >> 32), htole32(data), 0};
	u16 flags = PCI_MSIX_FLAGS_ENABLE;

	for (unsigned int i = 0; i < 4; i++)
		msix_table_access(&engine->pci, 16 * vector + 4 * i, (void *)(uintptr_t)&entry[i],
				  4, true);
	pci_config_access(&m.bus, engine->pci.devfn, engine->pci.msix.cap + PCI_MSIX_FLAGS, &flags,
			  2, true);
}

/* With these interrupts enabled: whether one comes, as @data, after a descriptor asked for it. */
static bool tells(u32 enable, u32 data)
{
	const struct dma_engine_desc d = {.op = DMA_ENGINE_OP_NOP, .flags = DMA_ENGINE_FLAG_INT};
	u64 addr;
	u32 came;

	run_ring();
	reg_write(DMA_ENGINE_INT_ENABLE, 4, enable);
	CHECK_EQ(execute(&d), DMA_ENGINE_STATUS_OK);
	/* Once it has stopped, what it had to tell is told. */
	dma_engine_reset(engine);
	return fake_kvm_message(&addr, &came) && came == data;
}

TEST(messages_tell_when_it_is_done)
{
	start();
	set_message(DMA_ENGINE_INT_DONE, FAKE_MSI_START, 0x31);
	CHECK(!tells(0, 0x31));
	CHECK(tells(BIT(DMA_ENGINE_INT_DONE), 0x31));
	end();
}

TEST(messages_wait_for_bus_master)
{
	u32 data, pba;
	u64 addr;

	start();
	set_message(DMA_ENGINE_INT_HALT, FAKE_MSI_START, 0x33);
	reg_write(DMA_ENGINE_CONTROL, 4, 0);
	pci_write(PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	/* It halts at once: this is no ring. */
	reg_write(DMA_ENGINE_RING_BASE, 8, RING + 8);
	reg_write(DMA_ENGINE_INT_ENABLE, 4, BIT(DMA_ENGINE_INT_HALT));
	reg_write(DMA_ENGINE_CONTROL, 4, DMA_ENGINE_CONTROL_RUN);
	CHECK_EQ(reg_read(DMA_ENGINE_INT_STATUS, 4), BIT(DMA_ENGINE_INT_HALT));
	CHECK(!fake_kvm_message(&addr, &data));
	msix_table_access(&engine->pci, engine->pci.msix.pba_off, &pba, 4, false);
	CHECK_EQ(le32toh(pba), BIT(DMA_ENGINE_INT_HALT));
	pci_write(PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	CHECK(fake_kvm_message(&addr, &data) && data == 0x33);
	CHECK(!fake_kvm_message(&addr, &data));
	msix_table_access(&engine->pci, engine->pci.msix.pba_off, &pba, 4, false);
	CHECK_EQ(pba, 0);
	end();
}

/* What is not needed of the ring's table is the doorbell's. */
#define DOORBELL_IOVA 0x1ff000ULL

TEST(messages_are_translated_if_the_iommu_does_that)
{
	u64 *entry;

	start_translated(true);
	entry = &((u64 *)ram(TABLE(0)))[DOORBELL_IOVA >> 12];
	set_message(DMA_ENGINE_INT_DONE, FAKE_MSI_START, 0x31);
	CHECK(!tells(BIT(DMA_ENGINE_INT_DONE), 0x31));
	*entry = htole64(FAKE_MSI_START | TOY_P | TOY_W);
	set_message(DMA_ENGINE_INT_DONE, DOORBELL_IOVA + FAKE_MSI_START % 4096, 0x32);
	CHECK(tells(BIT(DMA_ENGINE_INT_DONE), 0x32));
	end();
}

TEST(the_ring_wraps)
{
	const struct dma_engine_desc nop = {.op = DMA_ENGINE_OP_NOP};

	start();
	for (int i = 0; i < 11; i++)
		CHECK_EQ(execute(&nop), DMA_ENGINE_STATUS_OK);
	CHECK_EQ(reg_read(DMA_ENGINE_HEAD, 4), 11);
	/* More than a ring full is nonsense, and left alone. */
	reg_write(DMA_ENGINE_TAIL, 4, 11 + 5);
	CHECK_EQ(reg_read(DMA_ENGINE_TAIL, 4), 11);
	end();
}

TEST(a_stop_comes_through_in_the_middle_of_work)
{
	struct dma_engine_desc *d;

	start();
	/* The whole of memory, again and again: it never ends by itself. */
	for (u32 n = 0; n < 1U << RING_LOG2; n++) {
		d = slot(n);
		*d = (struct dma_engine_desc){
			.op = DMA_ENGINE_OP_CHECKSUM,
			.len = htole32(3 * MiB),
			.src = htole64(SRC / 2),
		};
	}
	reg_write(DMA_ENGINE_TAIL, 4, 1U << RING_LOG2);
	reg_write(DMA_ENGINE_CONTROL, 4, 0);
	CHECK_EQ(reg_read(DMA_ENGINE_STATUS, 4), 0);
	CHECK_EQ(engine->chan.nr_free, 0);
	run_ring();
	CHECK_EQ(execute(&(struct dma_engine_desc){.op = DMA_ENGINE_OP_NOP}), DMA_ENGINE_STATUS_OK);
	end();
}

/* Offers @n descriptors, the first of which is @d, and waits until that is held at the gate. */
static void hold(const struct dma_engine_desc *d, u32 n)
{
	memset(slot(0), 0, sizeof(*d) << RING_LOG2);
	*slot(0) = *d;
	atomic_store(&gate, GATE_SHUT);
	reg_write(DMA_ENGINE_TAIL, 4, n);
	while (atomic_load(&gate) != GATE_REACHED)
		sched_yield();
	tail = n;
}

static void let_go(void)
{
	atomic_store(&gate, GATE_OPEN);
}

static const struct dma_engine_desc fill = {
	.op = DMA_ENGINE_OP_FILL,
	.len = 4 * 64 * KiB,
	.dst = SRC,
	.pattern = ~0ULL,
};

TEST(what_was_offered_stays_so)
{
	start_translated(false);
	hold(&fill, 2);
	reg_write(DMA_ENGINE_TAIL, 4, 0);
	CHECK_EQ(reg_read(DMA_ENGINE_TAIL, 4), 2);
	reg_write(DMA_ENGINE_TAIL, 4, 1);
	CHECK_EQ(reg_read(DMA_ENGINE_TAIL, 4), 2);
	let_go();
	CHECK_EQ(execute(&(struct dma_engine_desc){.op = DMA_ENGINE_OP_NOP}), DMA_ENGINE_STATUS_OK);
	CHECK_EQ(reg_read(DMA_ENGINE_TAIL, 4), 3);
	CHECK_EQ(le32toh(slot(0)->status), DMA_ENGINE_STATUS_OK);
	end();
}

static void *stop_engine(void *arg)
{
	(void)arg;
	reg_write(DMA_ENGINE_CONTROL, 4, 0);
	return NULL;
}

static void *move_ring(void *arg)
{
	(void)arg;
	reg_write(DMA_ENGINE_RING_BASE, 8, RING + 4096);
	reg_write(DMA_ENGINE_CONTROL, 4, DMA_ENGINE_CONTROL_RUN);
	return NULL;
}

TEST(registers_are_as_before_until_it_has_stopped)
{
	const struct dma_engine_desc nop = {.op = DMA_ENGINE_OP_NOP};
	pthread_t stops, moves;

	start_translated(false);
	hold(&fill, 1);
	pthread_create(&stops, NULL, stop_engine, NULL);
	while (!atomic_load(&engine->stop))
		sched_yield();
	CHECK_EQ(reg_read(DMA_ENGINE_CONTROL, 4), DMA_ENGINE_CONTROL_RUN);
	CHECK_EQ(reg_read(DMA_ENGINE_STATUS, 4), DMA_ENGINE_STATUS_RUNNING);
	/* Another CPU's turn comes after that. */
	pthread_create(&moves, NULL, move_ring, NULL);
	let_go();
	pthread_join(stops, NULL);
	pthread_join(moves, NULL);
	CHECK_EQ(le32toh(slot(0)->status), DMA_ENGINE_STATUS_NONE);
	CHECK_EQ(reg_read(DMA_ENGINE_RING_BASE, 8), RING + 4096);
	CHECK_EQ(reg_read(DMA_ENGINE_CONTROL, 4), DMA_ENGINE_CONTROL_RUN);
	CHECK_EQ(reg_read(DMA_ENGINE_STATUS, 4), DMA_ENGINE_STATUS_RUNNING);
	CHECK_EQ(reg_read(DMA_ENGINE_HEAD, 4), 0);
	reg_write(DMA_ENGINE_CONTROL, 4, 0);
	run_ring();
	CHECK_EQ(execute(&nop), DMA_ENGINE_STATUS_OK);
	end();
}

/* As anybody sees it, at any time: it is on and has a state, or neither. Whether work waits. */
static bool check_state(void)
{
	bool waits;

	pthread_mutex_lock(&engine->lock);
	CHECK_EQ(!engine->control, !engine->status);
	waits = engine->status == DMA_ENGINE_STATUS_RUNNING && engine->head != engine->tail &&
		engine->parked;
	pthread_mutex_unlock(&engine->lock);
	return waits;
}

static void *use_engine(void *arg)
{
	(void)arg;
	for (int i = 0; i < 100; i++) {
		reg_write(DMA_ENGINE_RING_LOG2, 4, i % (RING_LOG2 + 1));
		reg_write(DMA_ENGINE_RING_BASE, 8, RING + i % 4 * 64ULL);
		reg_write(DMA_ENGINE_CONTROL, 4, DMA_ENGINE_CONTROL_RUN);
		reg_write(DMA_ENGINE_TAIL, 4, 1);
		while (check_state())
			sched_yield();
		reg_write(DMA_ENGINE_CONTROL, 4, i % 3 ? 0 : DMA_ENGINE_CONTROL_RESET);
		check_state();
	}
	return NULL;
}

TEST(cpus_that_do_not_agree_leave_a_whole_engine)
{
	const struct dma_engine_desc nop = {.op = DMA_ENGINE_OP_NOP};
	pthread_t threads[3];

	start();
	reg_write(DMA_ENGINE_CONTROL, 4, 0);
	/* Work that is not over before somebody stops it. */
	for (u32 n = 0; n < 2U << RING_LOG2; n++)
		((struct dma_engine_desc *)ram(RING))[n] = (struct dma_engine_desc){
			.op = DMA_ENGINE_OP_CHECKSUM,
			.len = htole32(3 * MiB),
			.src = htole64(SRC / 2),
		};
	for (unsigned int i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_create(&threads[i], NULL, use_engine, NULL);
	for (unsigned int i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	CHECK_EQ(reg_read(DMA_ENGINE_STATUS, 4), 0);
	run_ring();
	CHECK_EQ(execute(&nop), DMA_ENGINE_STATUS_OK);
	CHECK_EQ(reg_read(DMA_ENGINE_HEAD, 4), 1);
	end();
}

static void *stop_master(void *arg)
{
	pci_write(PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	/* The piece in work is over. */
	*(u8 *)arg = *((u8 *)ram(DST) + 64 * KiB - 1);
	return NULL;
}

static void *forbid_privilege(void *arg)
{
	pci_write(PASID_CAP + PCI_PASID_CTRL, 2, PCI_PASID_CTRL_ENABLE);
	*(u8 *)arg = *((u8 *)ram(DST) + 64 * KiB - 1);
	return NULL;
}

/* PASID 1 at SRC is DST; a fill of that, four pieces long, is held in the first of them. */
static void hold_fill(void)
{
	struct dma_engine_desc d = fill;

	start_translated(false);
	for (u64 i = 0; i < 64; i++)
		((u64 *)ram(TABLE(1)))[(SRC >> 12) + i] =
			htole64((DST + (i << 12)) | TOY_P | TOY_W);
	d.dst_pasid = htole32(PASID(1) | DMA_ENGINE_PASID_PRIV);
	hold(&d, 1);
}

TEST(bus_master_is_looked_at_for_each_piece)
{
	pthread_t thread;
	u8 last = 0;

	hold_fill();
	pthread_create(&thread, NULL, stop_master, &last);
	while (pci_read(PCI_COMMAND, 2) & PCI_COMMAND_MASTER)
		sched_yield();
	let_go();
	pthread_join(thread, NULL);
	CHECK_EQ(last, 0xff);
	while (!(reg_read(DMA_ENGINE_STATUS, 4) & DMA_ENGINE_STATUS_HALTED))
		sched_yield();
	CHECK_EQ(*((u8 *)ram(DST) + 64 * KiB), 0);
	CHECK_EQ(reg_read(DMA_ENGINE_HALT_ADDRESS, 8), RING);
	CHECK_EQ(le32toh(slot(0)->status), DMA_ENGINE_STATUS_NONE);
	end();
}

TEST(so_is_what_a_pasid_may_do)
{
	const struct dma_engine_desc nop = {.op = DMA_ENGINE_OP_NOP};
	pthread_t thread;
	u8 last = 0;

	hold_fill();
	pthread_create(&thread, NULL, forbid_privilege, &last);
	while (pci_read(PASID_CAP + PCI_PASID_CTRL, 2) & PCI_PASID_CTRL_PRIV)
		sched_yield();
	let_go();
	pthread_join(thread, NULL);
	CHECK_EQ(last, 0xff);
	/* It goes on. */
	CHECK_EQ(execute(&nop), DMA_ENGINE_STATUS_OK);
	CHECK_EQ(le32toh(slot(0)->status), DMA_ENGINE_STATUS_INVALID);
	CHECK_EQ(*((u8 *)ram(DST) + 64 * KiB), 0);
	end();
}
