// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the device tree says of vCPUs and interrupt controllers: the bindings riscv/cpus.yaml,
 * interrupt-controller/riscv,cpu-intc.yaml and sifive,plic-1.0.0.yaml in Linux.
 */
#include <linux/kvm.h>

#include "fdt/board.h"
#include "riscv/irqchip.h"
#include "riscv/isa.h"
#include "riscv/kvm.h"
#include "riscv/layout.h"
#include "riscv/vcpu.h"

const unsigned int arch_fdt_irqchip_address_cells = 0;

/* Where KVM does not say: Sv39x4, which every host has. Page tables hold 56 bits. */
#define DEFAULT_PHYS_BITS 41
#define MOST_PHYS_BITS	  56U

/* The cause of an external interrupt in supervisor mode. */
#define IRQ_S_EXT 9

#define CONFIG_REG(number) RISCV_REG(KVM_REG_RISCV_CONFIG, number)

unsigned int arch_phys_bits(const struct vm *vm)
{
	unsigned int bits = vm_has_cap(vm, KVM_CAP_VM_GPA_BITS);

	return bits ? min(bits, MOST_PHYS_BITS) : DEFAULT_PHYS_BITS;
}

void riscv_fdt_external_irqs(const struct vm *vm, struct fdt_tree *t)
{
	u32 cells[2 * VM_MAX_VCPUS];

	for (unsigned int i = 0; i < vm->nr_vcpus; i++) {
		cells[2 * i] = FDT_PHANDLE_CPU0 + i;
		cells[2 * i + 1] = IRQ_S_EXT;
	}
	fdt_prop_cells(t, "interrupts-extended", cells, 2 * vm->nr_vcpus);
}

static void plic_node(const struct vm *vm, struct fdt_tree *t)
{
	static const char compatible[] = "sifive,plic-1.0.0\0riscv,plic0";

	fdt_tree_begin(t, "interrupt-controller@%llx", RISCV_PLIC_BASE);
	fdt_prop_strings(t, "compatible", compatible, sizeof(compatible));
	fdt_prop_reg(t, RISCV_PLIC_BASE, RISCV_PLIC_SIZE);
	fdt_prop_empty(t, "interrupt-controller");
	fdt_prop_u32(t, "#interrupt-cells", 1);
	fdt_prop_u32(t, "#address-cells", 0);
	fdt_prop_u32(t, "riscv,ndev", RISCV_NR_SOURCES);
	riscv_fdt_external_irqs(vm, t);
	fdt_prop_phandle(t, FDT_PHANDLE_IRQCHIP);
	fdt_tree_end(t);
}

/* By the MODE field of satp; NULL: the host does not say, or it is not known here. */
static const char *mmu_type(const struct vcpu *vcpu)
{
	u64 mode;

	if (vcpu_get_reg(vcpu, CONFIG_REG(RISCV_CONFIG_SATP_MODE), &mode))
		return NULL;
	switch (mode) {
	case 8:
		return "riscv,sv39";
	case 9:
		return "riscv,sv48";
	case 10:
		return "riscv,sv57";
	}
	return NULL;
}

static void block_size(const struct vcpu *vcpu, struct fdt_tree *t, const char *name,
		       unsigned int reg)
{
	u64 size;

	if (!vcpu_get_reg(vcpu, CONFIG_REG(reg), &size))
		fdt_prop_u32(t, name, size);
}

static void isa_props(const struct vcpu *vcpu, struct fdt_tree *t)
{
	char text[RISCV_ISA_TEXT_MAX];
	struct riscv_isa isa;
	size_t len;

	riscv_isa_read(vcpu, &isa);
	/* Where the machine's interrupt controller is another one, nothing is told of the AIA. */
	if (vcpu->vm->irqchip->kind != RISCV_IRQCHIP_AIA)
		isa.has[RISCV_EXT_SSAIA] = false;
	riscv_isa_string(&isa, text, sizeof(text));
	fdt_prop_string(t, "riscv,isa", text);
	fdt_prop_string(t, "riscv,isa-base", "rv64i");
	len = riscv_isa_list(&isa, text, sizeof(text));
	fdt_prop_strings(t, "riscv,isa-extensions", text, len);
	if (isa.has[RISCV_EXT_ZICBOM])
		block_size(vcpu, t, "riscv,cbom-block-size", RISCV_CONFIG_ZICBOM_BLOCK_SIZE);
	if (isa.has[RISCV_EXT_ZICBOP])
		block_size(vcpu, t, "riscv,cbop-block-size", RISCV_CONFIG_ZICBOP_BLOCK_SIZE);
	if (isa.has[RISCV_EXT_ZICBOZ])
		block_size(vcpu, t, "riscv,cboz-block-size", RISCV_CONFIG_ZICBOZ_BLOCK_SIZE);
}

static void cpu_node(const struct vcpu *vcpu, struct fdt_tree *t)
{
	const char *mmu = mmu_type(vcpu);

	fdt_tree_begin(t, "cpu@%x", vcpu->index);
	fdt_prop_string(t, "device_type", "cpu");
	fdt_prop_string(t, "compatible", "riscv");
	fdt_prop_u32(t, "reg", vcpu->index);
	if (mmu)
		fdt_prop_string(t, "mmu-type", mmu);
	isa_props(vcpu, t);
	fdt_tree_begin(t, "interrupt-controller");
	fdt_prop_string(t, "compatible", "riscv,cpu-intc");
	fdt_prop_empty(t, "interrupt-controller");
	fdt_prop_u32(t, "#interrupt-cells", 1);
	/* Its own, as the root of the interrupt tree; else it had the one of all devices. */
	fdt_prop_u32(t, "interrupt-parent", FDT_PHANDLE_CPU0 + vcpu->index);
	fdt_prop_phandle(t, FDT_PHANDLE_CPU0 + vcpu->index);
	fdt_tree_end(t);
	fdt_tree_end(t);
}

void arch_fdt_nodes(struct machine *m, struct fdt_tree *t)
{
	const struct vm *vm = &m->vm;
	u64 frequency = 0;

	/* Every host has it. */
	vcpu_get_reg(&vm->vcpus[0],
		     RISCV_REG(KVM_REG_RISCV_TIMER, KVM_REG_RISCV_TIMER_REG(frequency)),
		     &frequency);
	fdt_tree_begin(t, "cpus");
	fdt_prop_u32(t, "#address-cells", 1);
	fdt_prop_u32(t, "#size-cells", 0);
	fdt_prop_u32(t, "timebase-frequency", frequency);
	for (unsigned int i = 0; i < vm->nr_vcpus; i++)
		cpu_node(&vm->vcpus[i], t);
	fdt_tree_end(t);
	if (vm->irqchip->kind == RISCV_IRQCHIP_AIA)
		riscv_aia_fdt_nodes(vm, t);
	else
		plic_node(vm, t);
}
