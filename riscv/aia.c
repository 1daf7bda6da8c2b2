// SPDX-License-Identifier: GPL-2.0-only
/*
 * The Advanced Interrupt Architecture as KVM has it: Documentation/virt/kvm/devices/ in Linux; the
 * bindings interrupt-controller/riscv,aplic.yaml and riscv,imsics.yaml.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "fdt/board.h"
#include "riscv/irqchip.h"
#include "riscv/kvm.h"
#include "riscv/layout.h"
#include "util/log.h"

static int get_attr(int fd, u32 group, u64 attr, void *val)
{
	struct kvm_device_attr a = {.group = group, .attr = attr, .addr = (uintptr_t)val};

	return ioctl(fd, KVM_GET_DEVICE_ATTR, &a) < 0 ? -errno : 0;
}

unsigned int riscv_aia_hart_bits(unsigned int nr_harts)
{
	unsigned int bits = 0;

	while (BIT(bits) < nr_harts)
		bits++;
	return bits;
}

u64 riscv_imsic_addr(unsigned int hart)
{
	return RISCV_IMSIC_BASE + hart * RISCV_IMSIC_PAGE;
}

int riscv_aia_init(struct vm *vm, bool optional)
{
	struct arch_irqchip *chip = vm->irqchip;
	struct kvm_create_device dev = {.type = RISCV_DEV_TYPE_AIA};
	int ret;

	if (ioctl(vm->fd, KVM_CREATE_DEVICE, &dev) < 0) {
		ret = -errno;
		if (!optional)
			pr_err("this host's KVM has no AIA for its guests (%s): "
			       "take --irqchip plic",
			       strerror(-ret));
		return -ENOTSUP;
	}
	chip->aia_fd = dev.fd;
	/* How many identities there are is the host's choice, as is who emulates the IMSICs. */
	ret = get_attr(chip->aia_fd, RISCV_AIA_CONFIG, RISCV_AIA_IDS, &chip->aia_ids);
	if (ret || chip->aia_ids < RISCV_NR_SOURCES) {
		if (!optional)
			pr_err("this host's AIA has %u interrupt identities, %u are needed: "
			       "take --irqchip plic",
			       chip->aia_ids, RISCV_NR_SOURCES);
		close(chip->aia_fd);
		chip->aia_fd = -1;
		return -ENOTSUP;
	}
	return 0;
}

static int set_addresses(const struct vm *vm, int fd)
{
	u64 addr = RISCV_APLIC_BASE;
	int ret = kvm_set_attr(fd, RISCV_AIA_ADDR, RISCV_AIA_ADDR_APLIC, &addr);

	for (unsigned int i = 0; !ret && i < vm->nr_vcpus; i++) {
		addr = riscv_imsic_addr(i);
		ret = kvm_set_attr(fd, RISCV_AIA_ADDR, RISCV_AIA_ADDR_IMSIC(i), &addr);
	}
	return ret;
}

int riscv_aia_start(struct vm *vm)
{
	int fd = vm->irqchip->aia_fd;
	u32 bits = riscv_aia_hart_bits(vm->nr_vcpus);
	u32 sources = RISCV_NR_SOURCES;
	int ret = kvm_set_attr(fd, RISCV_AIA_CONFIG, RISCV_AIA_SRCS, &sources);

	if (!ret)
		ret = kvm_set_attr(fd, RISCV_AIA_CONFIG, RISCV_AIA_HART_BITS, &bits);
	if (!ret)
		ret = set_addresses(vm, fd);
	if (!ret)
		ret = kvm_set_attr(fd, RISCV_AIA_CTRL, RISCV_AIA_CTRL_INIT, NULL);
	if (ret)
		pr_err("KVM cannot set up the interrupt controllers: %s", strerror(-ret));
	return ret;
}

static void imsic_node(const struct vm *vm, struct fdt_tree *t)
{
	fdt_tree_begin(t, "interrupt-controller@%llx", RISCV_IMSIC_BASE);
	fdt_prop_string(t, "compatible", "riscv,imsics");
	fdt_prop_reg(t, RISCV_IMSIC_BASE, vm->nr_vcpus * RISCV_IMSIC_PAGE);
	fdt_prop_empty(t, "interrupt-controller");
	fdt_prop_u32(t, "#interrupt-cells", 0);
	fdt_prop_empty(t, "msi-controller");
	fdt_prop_u32(t, "#msi-cells", 0);
	fdt_prop_u32(t, "riscv,num-ids", vm->irqchip->aia_ids);
	fdt_prop_u32(t, "riscv,hart-index-bits", riscv_aia_hart_bits(vm->nr_vcpus));
	riscv_fdt_external_irqs(vm, t);
	fdt_prop_phandle(t, FDT_PHANDLE_MSI);
	fdt_tree_end(t);
}

static void aplic_node(struct fdt_tree *t)
{
	fdt_tree_begin(t, "interrupt-controller@%llx", RISCV_APLIC_BASE);
	fdt_prop_string(t, "compatible", "riscv,aplic");
	fdt_prop_reg(t, RISCV_APLIC_BASE, RISCV_APLIC_SIZE);
	fdt_prop_empty(t, "interrupt-controller");
	fdt_prop_u32(t, "#interrupt-cells", 2);
	fdt_prop_u32(t, "#address-cells", 0);
	fdt_prop_u32(t, "riscv,num-sources", RISCV_NR_SOURCES);
	fdt_prop_u32(t, "msi-parent", FDT_PHANDLE_MSI);
	fdt_prop_phandle(t, FDT_PHANDLE_IRQCHIP);
	fdt_tree_end(t);
}

void riscv_aia_fdt_nodes(const struct vm *vm, struct fdt_tree *t)
{
	imsic_node(vm, t);
	aplic_node(t);
}
