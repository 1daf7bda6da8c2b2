// SPDX-License-Identifier: GPL-2.0-only
/*
 * A whole PC without KVM and vCPUs: devices as options say, on PCI and virtio-mmio, behind a
 * virtio-iommu or not. The input is what vCPUs would do, ports and memory anywhere, and as much of
 * a driver as leads to the inside of devices. The DMA engine, which has a thread, is not among
 * them.
 */
#include <endian.h>
#include <linux/pci_regs.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>

#include "fake-ioctl.h"
#include "fake-kvm.h"
#include "fake-random.h"
#include "fuzz.h"
#include "inline-worker.h"
#include "iommu/config.h"
#include "machine.h"
#include "virtio/iommu-wire.h"
#include "x86/acpi.h"
#include "x86/layout.h"

#define RAM	     (16 * MiB)
#define RINGS	     (4 * MiB)
#define BUFFERS	     (8 * MiB)
#define RING_SIZE    16
#define MAX_QUEUES   4
#define MAX_DEVICES  8
#define AVAIL	     0x100
#define USED	     0x200
#define REGS_BAR     0
#define MSIX_BAR     2
#define NOTIFY	     0x3000
#define MAX_MESSAGES 64

static struct machine m;
static struct machine_config config;
static struct vcpu vcpu;
static struct {
	u16 avail, next_desc;
} rings[MAX_DEVICES][MAX_QUEUES];

/* Those of the two transports, in the same order. */
enum {
	FEATURES_SELECT,
	FEATURES,
	STATUS,
	SELECT,
	SIZE,
	DESC,
	DRIVER,
	DEVICE,
	ENABLE
};
static const u16 pci_regs[] = {8, 12, 20, 22, 24, 32, 40, 48, 28};
static const u8 pci_widths[] = {4, 4, 1, 2, 2, 8, 8, 8, 2};
static const u16 mmio_regs[] = {0x24, 0x20, 0x70, 0x30, 0x38, 0x80, 0x90, 0xa0, 0x44};

static void mem_write(u64 addr, unsigned int len, u64 val)
{
	bus_access(&m.vm.mmio, addr, &val, len, true);
}

static u64 bar(const struct machine_device *d, unsigned int n)
{
	return d->pci.pci.bars[n].addr;
}

static void set(const struct machine_device *d, unsigned int reg, u64 val)
{
	if (d->transport == VIRTIO_TRANSPORT_PCI) {
		mem_write(bar(d, REGS_BAR) + pci_regs[reg], pci_widths[reg], val);
		return;
	}
	mem_write(d->mmio.base + mmio_regs[reg], 4, val);
	if (reg >= DESC && reg <= DEVICE)
		mem_write(d->mmio.base + mmio_regs[reg] + 4, 4, val >> 32);
}

static void config_write(const struct machine_device *d, unsigned int off, unsigned int len,
			 u32 val)
{
	pci_config_access(&m.pci, d->slot << 3, off, &val, len, true);
}

static u64 ring(unsigned int dev, unsigned int queue)
{
	return RINGS + (dev * MAX_QUEUES + queue) * 4096ULL;
}

/* What a driver does until the device works, but for what the input leaves out. */
static void start_device(unsigned int dev)
{
	const struct machine_device *d = m.devices[dev];
	u64 features = d->vdev->offered & ~BIT_ULL(VIRTIO_F_RING_PACKED);
	u8 how = fuzz_int(1);

	if (d->transport == VIRTIO_TRANSPORT_PCI)
		config_write(d, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	set(d, STATUS, 0);
	set(d, STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	if (how & 1)
		features ^= BIT_ULL(unit_below(64));
	for (unsigned int half = 0; half < 2; half++) {
		set(d, FEATURES_SELECT, half);
		set(d, FEATURES, features >> 32 * half & UINT32_MAX);
	}
	set(d, STATUS, 11);
	for (unsigned int q = 0; q < MAX_QUEUES; q++) {
		void *area = guest_mem_ptr(&m.vm.mem, ring(dev, q), 4096);

		memset(area, 0, 4096);
		memset(&rings[dev][q], 0, sizeof(rings[dev][q]));
		if (how & 2 && q == unit_below(MAX_QUEUES))
			continue;
		set(d, SELECT, q);
		set(d, SIZE, how & 4 ? fuzz_int(1) : RING_SIZE);
		set(d, DESC, ring(dev, q));
		set(d, DRIVER, ring(dev, q) + AVAIL);
		set(d, DEVICE, ring(dev, q) + USED);
		set(d, ENABLE, 1);
	}
	set(d, STATUS, 15);
}

static void kick(unsigned int dev, unsigned int queue)
{
	const struct machine_device *d = m.devices[dev];

	if (d->transport == VIRTIO_TRANSPORT_PCI)
		mem_write(bar(d, REGS_BAR) + NOTIFY + queue * 4, 2, queue);
	else
		mem_write(d->mmio.base + 0x50, 4, queue);
}

static void put_desc(u64 at, u64 addr, u32 len, u16 flags, u16 next)
{
	const struct vring_desc desc = {
		htole64(addr),
		htole32(len),
		htole16(flags),
		htole16(next),
	};

	guest_mem_write(&m.vm.mem, at, &desc, sizeof(desc));
}

/* A chain of @len readable bytes, and writable ones. */
static void offer(unsigned int dev, unsigned int queue, const void *bytes, u32 len)
{
	u64 base = ring(dev, queue), out = BUFFERS + queue * 64 * KiB, in = out + 32 * KiB;
	u16 head = rings[dev][queue].next_desc, idx = rings[dev][queue].avail++;
	u16 entry = htole16(head), next_idx = htole16(idx + 1);
	u32 in_len = fuzz_bool() ? unit_below(1024) : fuzz_int(2) % (32 * KiB);

	rings[dev][queue].next_desc = (head + 2) % RING_SIZE;
	guest_mem_write(&m.vm.mem, out, bytes, len);
	if (!unit_below(16))
		in = fuzz_number();
	if (len)
		put_desc(base + head * 16, out, len, VRING_DESC_F_NEXT, head + 1);
	put_desc(base + (head + !!len) * 16, in, in_len, VRING_DESC_F_WRITE, 0);
	guest_mem_write(&m.vm.mem, base + AVAIL + 4 + idx % RING_SIZE * 2, &entry, 2);
	guest_mem_write(&m.vm.mem, base + AVAIL + 2, &next_idx, 2);
}

static void request(void)
{
	unsigned int dev = unit_below(m.nr_devices), queue = unit_below(MAX_QUEUES);
	u8 bytes[64] = {0};
	u32 len = unit_below(sizeof(bytes));

	fuzz_take(bytes, min(len, 32U));
	offer(dev, queue, bytes, len);
	kick(dev, queue);
}

/* To the virtio-iommu, the first device: so that others reach memory. */
static void iommu_request(void)
{
	unsigned int dev = unit_below(m.nr_devices);
	const struct viommu_attach attach = {
		.head.type = VIOMMU_T_ATTACH,
		.domain = htole32(1),
		.endpoint = htole32(m.devices[dev]->ep.id),
	};
	const struct viommu_map map = {
		.head.type = VIOMMU_T_MAP,
		.domain = htole32(1),
		.virt_end = htole64(RAM - 1),
		.flags = htole32(1 + unit_below(3)),
	};
	const struct viommu_unmap unmap = {
		.head.type = VIOMMU_T_UNMAP,
		.domain = htole32(1),
		.virt_end = htole64(RAM - 1),
	};

	if (!m.viommu_device)
		return;
	switch (unit_below(4)) {
	case 0:
		offer(0, 0, &unmap, sizeof(unmap));
		break;
	case 1:
		offer(0, 0, &attach, sizeof(attach));
		break;
	default:
		offer(0, 0, &attach, sizeof(attach));
		offer(0, 0, &map, sizeof(map));
	}
	kick(0, 0);
}

static void vectors(void)
{
	const struct machine_device *d = m.devices[unit_below(m.nr_devices)];
	u64 table, addr = unit_below(4) ? X86_MSI_START + unit_below(16) * 4096 : fuzz_number();

	if (d->transport != VIRTIO_TRANSPORT_PCI)
		return;
	table = bar(d, MSIX_BAR) + unit_below(4) * 16;
	mem_write(table, 8, addr);
	mem_write(table + 8, 8, unit_below(2) << 32 | fuzz_int(1));
	config_write(d, d->pci.pci.msix.cap + PCI_MSIX_FLAGS, 2, fuzz_int(1) << 8);
	mem_write(bar(d, REGS_BAR) + 16, 2, unit_below(4));
	mem_write(bar(d, REGS_BAR) + 22, 2, unit_below(4));
	mem_write(bar(d, REGS_BAR) + 26, 2, unit_below(4));
}

static void move_bar(void)
{
	const struct machine_device *d = m.devices[unit_below(m.nr_devices)];
	u32 addr = X86_PCI_MEM32_BASE + unit_below(64) * 4096;

	if (d->transport != VIRTIO_TRANSPORT_PCI)
		return;
	config_write(d, PCI_BASE_ADDRESS_0 + unit_below(2) * 8, 4, addr);
	config_write(d, PCI_COMMAND, 2, fuzz_int(1));
}

static void access_memory(void)
{
	const struct machine_device *d = m.devices[unit_below(m.nr_devices)];
	unsigned int len = 1U << unit_below(4);
	u64 val = fuzz_bool() ? fuzz_number() : unit_below(256), addr;

	switch (unit_below(4)) {
	case 0:
		addr = X86_ECAM_BASE + unit_below(X86_ECAM_SIZE);
		break;
	case 1:
		addr = fuzz_number();
		break;
	default:
		addr = d->transport == VIRTIO_TRANSPORT_PCI
			       ? bar(d, unit_below(2) * 2) + (fuzz_int(2) & 0x3fff)
			       : d->mmio.base + (fuzz_int(2) & 0xfff);
	}
	bus_access(&m.vm.mmio, addr, &val, len, fuzz_bool());
}

static void access_port(void)
{
	static const u16 ports[] = {
		X86_PCI_CONFIG_PORT, X86_PCI_CONFIG_PORT + 4, X86_PCI_CONFIG_PORT,
		X86_SERIAL_PORT,     X86_TEST_EXIT_PORT,      ACPI_RTC_PORT,
		ACPI_EVENT_PORT,     ACPI_PVPANIC_PORT,	      ACPI_SLEEP_CONTROL_PORT,
	};
	unsigned int len = 1U << unit_below(3);
	u32 val = fuzz_int(4);
	u16 port = fuzz_pick(ports);

	if (port == X86_PCI_CONFIG_PORT && fuzz_bool()) {
		val = BIT(31) | unit_below(16) << 11 | (val & 0xfc);
		len = 4;
	} else if (unit_below(4)) {
		port += unit_below(4);
	} else if (!unit_below(8)) {
		port = fuzz_int(2);
	}
	bus_access(&m.vm.pio, port, &val, len, fuzz_bool());
}

/* After each step: what devices do, and what has come to vCPUs. */
static void settle(void)
{
	unsigned int n = 0;
	u32 data;
	u64 addr;

	inline_workers_run();
	while (fake_kvm_message(&addr, &data)) {
		CHECK(addr >= X86_MSI_START && addr <= X86_MSI_LAST);
		CHECK(n++ < MAX_MESSAGES);
	}
}

static void add_disk(const char *arg)
{
	CHECK(!blk_parse(arg, &config.disks[config.nr_disks]));
	config.disks[config.nr_disks].index = config.nr_disks;
	config.nr_disks++;
}

static void choose_iommu(void)
{
	static const char *const choices[] = {
		"virtio",
		"virtio,bypass=on",
		"virtio,msi=mapped",
		"virtio,transport=mmio,tables=smmuv3",
		"virtio,ring=packed,map=off,tables=riscv",
		"virtio,granule=64K,input-bits=40,domain-bits=4,max-mappings=8,tables=amd",
		"virtio,resv=0x100000-0x1fffff,bypass=on",
	};
	static const struct subopt subopts[] = {VIRTIO_IOMMU_SUBOPTS, {NULL, NULL, false}};
	const struct subopt_set device = {subopts, &config.viommu};
	unsigned int i = unit_below(ARRAY_SIZE(choices) + 2);
	struct iommu_resv resv[1];

	if (i >= ARRAY_SIZE(choices))
		return;
	config.has_iommu = true;
	config.viommu.what = "--iommu";
	arch_iommu_resv(resv, 1);
	CHECK(!iommu_parse(choices[i], arch_iommu_format, resv, 1, &device, &config.iommu));
}

static void choose(void)
{
	static const char *const disks[] = {
		"ram:64K",
		"ram:1M,ro",
		"ram:64K,transport=mmio,queues=2",
		"ram:64K,iommu=off,ring=packed,serial=x",
	};
	u8 how = fuzz_int(1);

	memset(&config, 0, sizeof(config));
	config.mem.size = RAM;
	config.nr_vcpus = 1 + unit_below(VM_MAX_VCPUS);
	config.serial.kind = CHARDEV_NULL;
	config.test_exit = how & 1;
	config.transport = how & 2 ? VIRTIO_TRANSPORT_MMIO : VIRTIO_TRANSPORT_DEFAULT;
	choose_iommu();
	for (unsigned int n = 1 + (how >> 2 & 1); n--;)
		add_disk(fuzz_pick(disks));
	if (how & 8) {
		config.has_rng = true;
		CHECK(!rng_parse("", &config.rng));
	}
	if (how & 16)
		CHECK(!console_parse("null", &config.console));
	if (how & 32)
		CHECK(!console_parse("null,port=channel", &config.console));
}

static void build(void)
{
	choose();
	memset(&m, 0, sizeof(m));
	fake_kvm_start(&m.vm, MiB);
	guest_mem_destroy(&m.vm.mem);
	m.vm.phys_bits = 32 + unit_below(21);
	vcpu = (struct vcpu){.vm = &m.vm, .fd = -1};
	m.vm.vcpus = &vcpu;
	m.vm.nr_vcpus = 1;
	m.config = &config;
	if (arch_init_memory(&m) || loop_init(&m.loop) ||
	    machine_open_chardev(&m, "--serial", &config.serial, &m.serial) ||
	    arch_init_board(&m) || machine_add_devices(&m))
		exit(2);
	CHECK(m.nr_devices <= MAX_DEVICES);
}

static void take_apart(void)
{
	machine_destroy_devices(&m);
	arch_destroy(&m);
	chardev_close(m.serial);
	loop_destroy(&m.loop);
	CHECK_EQ(fake_kvm_nr_irqfds(), 0);
	CHECK_EQ(fake_kvm_nr_doorbells(), 0);
	fake_kvm_end(&m.vm);
}

void fuzz_begin(void)
{
	fake_ioctl_install();
	fake_random_install();
}

void fuzz_one(void)
{
	build();
	/* The tables of any machine fit; what needs vCPUs comes after them. */
	if (!unit_below(16)) {
		CHECK(arch_load(&m));
		CHECK(!memcmp(guest_mem_ptr(&m.vm.mem, ACPI_TABLES_GPA, 8), "RSD PTR ", 8));
	}
	while (fuzz_more()) {
		u8 step = fuzz_int(1);

		if (step < 32)
			start_device(unit_below(m.nr_devices));
		else if (step < 96)
			request();
		else if (step < 128)
			iommu_request();
		else if (step < 152)
			vectors();
		else if (step < 168)
			move_bar();
		else if (step < 212)
			access_memory();
		else
			access_port();
		settle();
	}
	take_apart();
}
