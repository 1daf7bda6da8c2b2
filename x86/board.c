// SPDX-License-Identifier: GPL-2.0-only
/* The fixed devices of the PC: what is at which port, and how it is powered off. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "hw/host-bridge.h"
#include "hw/power-button.h"
#include "hw/pvpanic.h"
#include "hw/rtc.h"
#include "hw/serial.h"
#include "hw/test-exit.h"
#include "machine.h"
#include "util/log.h"
#include "x86/acpi.h"
#include "x86/boot.h"
#include "x86/cpu.h"
#include "x86/layout.h"

#define CONFIG_ADDRESS_ENABLE BIT(31)

/* The ACPI tables end before the reset vector. */
#define TABLES_SIZE (X86_RESET_VECTOR - ACPI_TABLES_GPA)

/* Behind all that machine-devices.c fills. */
#define UNUSED_SLOT (MACHINE_MAX_PCI + 1)
static_assert(UNUSED_SLOT < PCI_MAX_DEVICES, "there is such a slot");

struct arch_board {
	struct pci_device host_bridge;
	struct serial serial;
	struct rtc rtc;
	struct pvpanic pvpanic;
	struct power_button power_button;
	u32 config_address; /* port 0xcf8; each access is one vCPU's, the guest locks */
};

bool arch_handle_exit(struct vcpu *vcpu)
{
	(void)vcpu;
	return false;
}

void arch_vcpu_resumed(struct vcpu *vcpu)
{
	/*
	 * Tells the guest's watchdogs that it was not running. Fails if the guest has not set
	 * up the clock that this goes through.
	 */
	ioctl(vcpu->fd, KVM_KVMCLOCK_CTRL, 0);
}

void arch_vm_resuming(struct vm *vm, u64 ns)
{
	(void)vm;
	(void)ns;
}

void arch_power_button(struct machine *m)
{
	power_button_press(&m->board->power_button);
}

bool arch_is_msi_addr(const struct vm *vm, u64 addr)
{
	(void)vm;
	return addr >= X86_MSI_START && addr <= X86_MSI_LAST;
}

void arch_route_msi(const struct vm *vm, struct kvm_irq_routing_entry *e, u64 addr, u32 data,
		    u32 devid)
{
	(void)vm;
	(void)devid;
	e->type = KVM_IRQ_ROUTING_MSI;
	e->u.msi.address_lo = addr;
	e->u.msi.address_hi = addr >> 32;
	e->u.msi.data = data;
}

void arch_wire_level(struct vm *vm, u32 gsi, bool up)
{
	irq_kvm_line(vm, gsi, up);
}

unsigned long arch_vm_type(int kvm_fd)
{
	(void)kvm_fd;
	return 0;
}

unsigned int arch_iommu_resv(struct iommu_resv *resv, unsigned int max)
{
	(void)max;
	resv[0] = (struct iommu_resv){X86_MSI_START, X86_MSI_LAST, IOMMU_RESV_MSI};
	return 1;
}

bool arch_mmio_slot(unsigned int n, struct mmio_slot *slot)
{
	/* The wires below PCI's that neither a timer nor COM1, COM2 or the clock can be on. */
	static const u8 gsis[] = {5, 6, 7, 10, 11, 12, 13, 14, 15};

	if (n >= MACHINE_MAX_MMIO)
		return false;
	slot->base = X86_VIRTIO_MMIO_BASE + n * (u64)VIRTIO_MMIO_SIZE;
	slot->gsi = gsis[n % ARRAY_SIZE(gsis)];
	return true;
}

const u64 arch_mem_start = 0;

unsigned int arch_mem_holes(struct mem_hole *holes, unsigned int max)
{
	(void)max;
	holes[0] = (struct mem_hole){X86_HOLE_START, X86_HOLE_END - 1,
				     "PCI devices and interrupt controllers"};
	return 1;
}

int arch_init_memory(struct machine *m)
{
	const struct mem_config *config = &m->config->mem;
	u64 low = min(config->size, (u64)X86_HOLE_START);
	int ret = 0;

	for (unsigned int i = 0; !ret && i < config->nr_banks; i++)
		ret = guest_mem_add_bank(&m->vm.mem, config->banks[i].gpa, config->banks[i].size);
	if (!ret && low)
		ret = guest_mem_add_bank(&m->vm.mem, 0, low);
	if (!ret && config->size > low)
		ret = guest_mem_add_bank(&m->vm.mem, X86_HOLE_END, config->size - low);
	return ret ? ret : mem_config_check_width(config, &m->vm.mem, m->vm.phys_bits);
}

/*
 * Without it KVM takes 0xff for all vCPUs also in x2APIC mode, where it may be the first
 * eight of a cluster, and looks at 8 bits of an ID. Older hosts do not have it; a guest that
 * stays with 8 bits and physical IDs, as Linux does, does not depend on it.
 */
static void set_x2apic_api(struct vm *vm)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_X2APIC_API,
		.args = {KVM_X2APIC_API_USE_32BIT_IDS | KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK},
	};

	if (vm_has_cap(vm, KVM_CAP_X2APIC_API))
		ioctl(vm->fd, KVM_ENABLE_CAP, &cap);
}

int arch_init_irqchip(struct machine *m)
{
	struct vm *vm = &m->vm;
	u64 identity_map = X86_KVM_IDENTITY_MAP;
	int ret;

	if (ioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &identity_map) < 0 ||
	    ioctl(vm->fd, KVM_SET_TSS_ADDR, X86_KVM_TSS) < 0 ||
	    ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0) < 0) {
		ret = -errno;
		pr_err("KVM cannot make an interrupt controller: %s", strerror(-ret));
		return ret;
	}
	set_x2apic_api(vm);
	/* The I/O APIC alone is described; the old PIC is there, but nothing is wired to it. */
	ret = irq_init(vm, ACPI_IOAPIC_PINS);
	if (ret)
		return ret;
	for (u32 pin = 0; !ret && pin < ACPI_IOAPIC_PINS; pin++)
		ret = irq_route_wire(vm, pin, KVM_IRQCHIP_IOAPIC, pin);
	if (!ret)
		ret = irq_commit(vm);
	if (ret)
		pr_err("KVM refuses the interrupt routes: %s", strerror(-ret));
	return ret;
}

/* Ports 0xcf8 to 0xcff: the PCI configuration mechanism, and the reset register in it. */
static void config_ports(void *opaque, u64 off, void *data, unsigned int len, bool write)
{
	struct machine *m = opaque;
	u32 addr = READ_ONCE(m->board->config_address);

	if (off == ACPI_RESET_PORT - X86_PCI_CONFIG_PORT && len == 1) {
		if (write && *(u8 *)data == ACPI_RESET_VALUE)
			vm_stop(&m->vm, 0);
		else if (!write)
			*(u8 *)data = 0;
	} else if (off == 0 && len == 4) {
		if (write) {
			memcpy(&addr, data, len);
			WRITE_ONCE(m->board->config_address, addr);
		} else {
			memcpy(data, &addr, len);
		}
	} else if (off >= 4 && (addr & CONFIG_ADDRESS_ENABLE)) {
		pci_config_access(&m->pci, (addr >> 8) & 0xffff, (addr & 0xfc) + (off - 4), data,
				  len, write);
	} else if (!write) {
		memset(data, 0xff, len);
	}
}

static void sleep_ports(void *opaque, u64 off, void *data, unsigned int len, bool write)
{
	struct machine *m = opaque;

	if (!write)
		memset(data, 0, len);
	else if (off == 0 && *(u8 *)data == ACPI_SLEEP_CONTROL_S5)
		vm_stop(&m->vm, 0);
}

int arch_init_board(struct machine *m)
{
	struct arch_board *board = calloc(1, sizeof(*board));
	struct bus *pio = &m->vm.pio;
	int ret;

	if (!board) {
		pr_err("out of memory");
		return -ENOMEM;
	}
	board->rtc.source.fd = -1;
	m->board = board;
	pci_bus_init(&m->pci, &m->vm, X86_PCI_MEM32_BASE, X86_PCI_MEM32_SIZE, acpi_pci_gsi);
	ret = bus_add(&m->vm.mmio, X86_ECAM_BASE, X86_ECAM_SIZE, pci_ecam_access, &m->pci);
	if (!ret)
		ret = host_bridge_add(&board->host_bridge, &m->pci);
	if (!ret)
		ret = bus_add(pio, X86_PCI_CONFIG_PORT, 8, config_ports, m);
	if (!ret)
		ret = bus_add(pio, ACPI_SLEEP_CONTROL_PORT, 2, sleep_ports, m);
	if (!ret)
		ret = pvpanic_init(&board->pvpanic, &m->vm, pio, ACPI_PVPANIC_PORT);
	if (!ret && m->config->test_exit)
		ret = test_exit_init(&m->vm, pio, X86_TEST_EXIT_PORT);
	if (!ret)
		ret = serial_init(&board->serial, &m->vm, pio, X86_SERIAL_PORT, X86_SERIAL_GSI,
				  m->serial);
	if (!ret)
		ret = rtc_init(&board->rtc, &m->vm, &m->loop, ACPI_RTC_PORT, ACPI_RTC_GSI);
	if (!ret)
		ret = power_button_init(&board->power_button, &m->vm, ACPI_EVENT_PORT,
					ACPI_EVENT_GSI);
	if (ret)
		pr_err("cannot set up the board: %s", strerror(-ret));
	return ret;
}

static struct acpi_range mem64_window(const struct vm *vm)
{
	u64 base = pci_mem64_base(&vm->mem, X86_HOLE_END, X86_PCI_MEM64_SIZE, vm->phys_bits);

	return (struct acpi_range){base, base ? X86_PCI_MEM64_SIZE : 0};
}

/* The devices in their places on virtio-mmio, each at the index of its slot. */
static void describe_mmio(const struct machine *m, struct acpi_virtio_mmio *mmio)
{
	for (unsigned int i = 0; i < m->nr_devices; i++) {
		const struct machine_device *d = m->devices[i];

		if (d->transport == VIRTIO_TRANSPORT_MMIO)
			mmio[d->slot] = (struct acpi_virtio_mmio){
				.base = d->mmio.base,
				.size = VIRTIO_MMIO_SIZE,
				.gsi = d->mmio.gsi,
				.behind_iommu = d->behind_iommu,
				.endpoint = d->ep.id,
			};
	}
}

static void describe_iommu(const struct machine *m, struct acpi_config *cfg, u16 *endpoints)
{
	const struct machine_device *viommu = m->viommu_device;
	bool any = false;

	cfg->has_viot = true;
	cfg->endpoints = endpoints;
	cfg->iommu_is_mmio = viommu->transport == VIRTIO_TRANSPORT_MMIO;
	if (cfg->iommu_is_mmio)
		cfg->iommu_mmio = viommu->slot;
	else
		cfg->iommu_bdf = pci_bdf(&viommu->pci.pci);
	for (unsigned int i = 0; i < m->nr_devices; i++) {
		const struct machine_device *d = m->devices[i];

		any |= d->behind_iommu;
		if (d->behind_iommu && d->transport == VIRTIO_TRANSPORT_PCI)
			endpoints[cfg->nr_endpoints++] = d->slot << 3;
	}
	/*
	 * Linux gives the IOMMU its place in the tree when it meets an endpoint's node,
	 * and its driver crashes without. So an IOMMU that has none gets one that is empty.
	 */
	if (!any)
		endpoints[cfg->nr_endpoints++] = UNUSED_SLOT << 3;
}

static int write_tables(struct machine *m, u64 *rsdp, size_t *used)
{
	struct acpi_virtio_mmio mmio[MACHINE_MAX_MMIO];
	u16 endpoints[MACHINE_MAX_PCI + 1];
	struct acpi_config cfg = {
		.nr_cpus = m->config->nr_vcpus,
		.pci_io = {X86_PCI_IO_BASE, X86_PCI_IO_SIZE},
		.pci_mem32 = {X86_PCI_MEM32_BASE, X86_PCI_MEM32_SIZE},
		.pci_mem64 = mem64_window(&m->vm),
		.ecam_base = X86_ECAM_BASE,
		.nr_buses = X86_PCI_BUSES,
		.serial_port = X86_SERIAL_PORT,
		.serial_gsi = X86_SERIAL_GSI,
		.virtio_mmio = mmio,
		.nr_virtio_mmio = m->nr_mmio,
	};
	void *buf = guest_mem_ptr(&m->vm.mem, ACPI_TABLES_GPA, TABLES_SIZE);
	int ret;

	describe_mmio(m, mmio);
	if (m->viommu_device)
		describe_iommu(m, &cfg, endpoints);
	ret = acpi_build(&cfg, ACPI_TABLES_GPA, buf, TABLES_SIZE, rsdp, used);
	if (ret)
		pr_err("cannot describe the machine by ACPI: %s", strerror(-ret));
	return ret;
}

/*
 * What software finds at the real-mode reset vector. Linux jumps there to reboot a
 * hardware-reduced machine that has no EFI, so it has to lead to the reset register.
 */
static int write_reset_vector(struct machine *m)
{
	/* clang-format off */
	static const u8 code[] = {
		0xba, ACPI_RESET_PORT & 0xff, ACPI_RESET_PORT >> 8, /* mov $port, %dx */
		0xb0, ACPI_RESET_VALUE,				    /* mov $value, %al */
		0xee,						    /* out %al, %dx */
		0xf4,						    /* hlt */
		0xeb, 0xfd,					    /* jmp to the hlt */
	};
	/* clang-format on */

	return guest_mem_write(&m->vm.mem, X86_RESET_VECTOR, code, sizeof(code));
}

static int set_boot_regs(struct vcpu *vcpu, const struct boot_state *st)
{
	struct kvm_sregs sregs;
	struct kvm_regs regs;

	if (ioctl(vcpu->fd, KVM_GET_SREGS, &sregs) < 0)
		return -errno;
	x86_boot_regs(st, &regs, &sregs);
	if (ioctl(vcpu->fd, KVM_SET_SREGS, &sregs) < 0 || ioctl(vcpu->fd, KVM_SET_REGS, &regs) < 0)
		return -errno;
	return 0;
}

int arch_load(struct machine *m)
{
	const struct machine_config *config = m->config;
	struct boot_config boot = {
		.kernel = config->kernel,
		.initrd = config->initrd,
		.cmdline = config->cmdline,
		.banks_chosen = config->mem.nr_banks,
		.acpi_gpa = ACPI_TABLES_GPA,
		.ecam_gpa = X86_ECAM_BASE,
		.ecam_size = X86_ECAM_SIZE,
	};
	struct boot_state st;
	size_t used;
	int ret;

	if (!config->kernel) {
		boot.kernel_image = guest_demo_start;
		boot.kernel_size = guest_demo_end - guest_demo_start;
	}
	ret = write_tables(m, &boot.rsdp_gpa, &used);
	if (ret)
		return ret;
	boot.acpi_size = align_up(used, 4 * KiB);
	ret = write_reset_vector(m);
	if (ret)
		return ret;
	ret = x86_load_kernel(&m->vm.mem, &boot, &st);
	if (ret)
		return ret;
	/* The other vCPUs wait in the interrupt controller for the first one to start them. */
	for (unsigned int i = 0; i < m->vm.nr_vcpus; i++) {
		ret = x86_cpu_init(&m->vm.vcpus[i]);
		if (ret)
			return ret;
	}
	ret = set_boot_regs(&m->vm.vcpus[0], &st);
	if (ret)
		pr_err("KVM refuses the registers of the first vCPU: %s", strerror(-ret));
	return ret;
}

void arch_destroy(struct machine *m)
{
	if (!m->board)
		return;
	rtc_destroy(&m->board->rtc);
	free(m->board);
}
