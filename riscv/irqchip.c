// SPDX-License-Identifier: GPL-2.0-only
/* Which interrupt controller there is, and what the rest of the program asks of it. */
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "fdt/board.h"
#include "riscv/irqchip.h"
#include "riscv/layout.h"
#include "util/log.h"

const char *const arch_irqchips[] = {"aia", "plic", NULL};
const char arch_irqchip_arg[] = "aia|plic";
const char arch_irqchip_usage[] = "interrupt controller: the AIA of the host's KVM, or a\n"
				  "PLIC, which has no messages (aia if the host has it)";

/* The trigger types of an APLIC's second cell. */
#define TRIGGER_EDGE_RISING 1
#define TRIGGER_LEVEL_HIGH  4

static bool is_aia(const struct vm *vm)
{
	return vm->irqchip->kind == RISCV_IRQCHIP_AIA;
}

static void plic_output_changed(void *opaque, unsigned int context, bool up)
{
	const struct vm *vm = opaque;
	struct kvm_interrupt irq = {.irq = up ? KVM_INTERRUPT_SET : KVM_INTERRUPT_UNSET};

	/* Does not fail for a vCPU that is there, in whatever it is. */
	if (ioctl(vm->vcpus[context].fd, KVM_INTERRUPT, &irq) < 0)
		pr_warn("the interrupt of vCPU %u cannot be set: %s", context, strerror(errno));
}

static int init_plic(struct machine *m)
{
	struct vm *vm = &m->vm;
	int ret;

	plic_init(&vm->irqchip->plic, RISCV_NR_SOURCES, m->config->nr_vcpus, plic_output_changed,
		  vm);
	/* The others hold their wires until they are served. */
	plic_set_edge(&vm->irqchip->plic, FDT_GSI_POWER_BUTTON);
	vm->irqchip->kind = RISCV_IRQCHIP_PLIC;
	irq_init_wires(vm);
	ret = bus_add(&vm->mmio, RISCV_PLIC_BASE, RISCV_PLIC_SIZE, plic_access, &vm->irqchip->plic);
	if (ret)
		pr_err("cannot set up the PLIC: %s", strerror(-ret));
	return ret;
}

int arch_init_irqchip(struct machine *m)
{
	enum riscv_irqchip want = m->config->irqchip;
	struct vm *vm = &m->vm;

	vm->irqchip = calloc(1, sizeof(*vm->irqchip));
	if (!vm->irqchip) {
		pr_err("out of memory");
		return -ENOMEM;
	}
	vm->irqchip->aia_fd = -1;
	if (want != RISCV_IRQCHIP_PLIC) {
		int ret = riscv_aia_init(vm, want == RISCV_IRQCHIP_BEST);

		if (!ret) {
			vm->irqchip->kind = RISCV_IRQCHIP_AIA;
			return irq_init(vm, FDT_NR_WIRES);
		}
		if (want == RISCV_IRQCHIP_AIA)
			return ret;
	}
	return init_plic(m);
}

int riscv_irqchip_start(struct machine *m)
{
	return is_aia(&m->vm) ? riscv_aia_start(&m->vm) : 0;
}

void arch_destroy_irqchip(struct machine *m)
{
	struct arch_irqchip *chip = m->vm.irqchip;

	if (!chip)
		return;
	if (chip->aia_fd >= 0)
		close(chip->aia_fd);
	if (chip->kind == RISCV_IRQCHIP_PLIC)
		plic_destroy(&chip->plic);
	free(chip);
	m->vm.irqchip = NULL;
}

bool arch_is_msi_addr(const struct vm *vm, u64 addr)
{
	(void)vm;
	return addr >= RISCV_IMSIC_BASE && addr < RISCV_IMSIC_BASE + RISCV_IMSIC_SIZE;
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
	if (is_aia(vm))
		irq_kvm_line(vm, gsi, up);
	else
		plic_set_level(&vm->irqchip->plic, gsi, up);
}

/* Also for a machine with a PLIC, which is not known yet when this is asked. */
unsigned int arch_iommu_resv(struct iommu_resv *resv, unsigned int max)
{
	(void)max;
	resv[0] = (struct iommu_resv){RISCV_IMSIC_BASE, RISCV_IMSIC_BASE + RISCV_IMSIC_SIZE - 1,
				      IOMMU_RESV_MSI};
	return 1;
}

enum arch_msi_map arch_msi_map(const struct machine *m)
{
	return is_aia(&m->vm) ? MSI_MAP_PARENT : MSI_MAP_NONE;
}

unsigned int arch_fdt_irq(const struct machine *m, u32 gsi, bool edge, u32 cells[FDT_MAX_IRQ_CELLS])
{
	cells[0] = gsi;
	if (!is_aia(&m->vm))
		return 1;
	cells[1] = edge ? TRIGGER_EDGE_RISING : TRIGGER_LEVEL_HIGH;
	return 2;
}
