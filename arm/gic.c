// SPDX-License-Identifier: GPL-2.0-only
/* Which interrupt controller the machine has, and how wires and messages get into it. */
#include <assert.h>
#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "arm/gic.h"
#include "arm/layout.h"
#include "util/log.h"

static_assert(GIC_MAX_VCPUS >= VM_MAX_VCPUS, "there is room for all redistributors");
static_assert(FDT_NR_WIRES % 32 == 0, "interrupts come in 32s");
static_assert(GICV2M_NR_SPIS % 32 == 0 && GICV2M_SPI_BASE + GICV2M_NR_SPIS < 1020,
	      "there are as many interrupts");

const char *const arch_irqchips[] = {
	[GICV3_ITS] = "gicv3-its", [GICV3] = "gicv3",	  [GICV2M] = "gicv2m",
	[GICV2] = "gicv2",	   [GIC_NR_KINDS] = NULL,
};
const char arch_irqchip_arg[] = "gicv3-its|gicv3|gicv2m|gicv2";
const char arch_irqchip_usage[] = "interrupt controller (the first of these that the\n"
				  "host has); gicv3-its and gicv2m take messages, a\n"
				  "GICv2 has at most 8 vCPUs";

static u32 kvm_type(enum gic_kind kind)
{
	return kind == GICV3_ITS || kind == GICV3 ? KVM_DEV_TYPE_ARM_VGIC_V3
						  : KVM_DEV_TYPE_ARM_VGIC_V2;
}

static bool has_device(int vm_fd, u32 type)
{
	struct kvm_create_device device = {.type = type, .flags = KVM_CREATE_DEVICE_TEST};

	return ioctl(vm_fd, KVM_CREATE_DEVICE, &device) == 0;
}

bool gic_kvm_has(int vm_fd, enum gic_kind kind)
{
	return has_device(vm_fd, kvm_type(kind)) &&
	       (kind != GICV3_ITS || has_device(vm_fd, KVM_DEV_TYPE_ARM_VGIC_ITS));
}

static int create_device(const struct vm *vm, u32 type)
{
	struct kvm_create_device device = {.type = type};

	return ioctl(vm->fd, KVM_CREATE_DEVICE, &device) < 0 ? -errno : (int)device.fd;
}

static int set_addr(int fd, u64 which, u64 addr)
{
	return kvm_set_attr(fd, KVM_DEV_ARM_VGIC_GRP_ADDR, which, &addr);
}

static int set_nr_irqs(const struct arch_irqchip *gic)
{
	u32 nr = gic->kind == GICV2M ? GICV2M_SPI_BASE + GICV2M_NR_SPIS : GIC_WIRES_END;

	return kvm_set_attr(gic->fd, KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0, &nr);
}

static int create_gicv3(struct arch_irqchip *gic)
{
	int ret = set_addr(gic->fd, KVM_VGIC_V3_ADDR_TYPE_DIST, GIC_DIST_BASE);

	/* All of them in one region, which grows with the vCPUs. */
	return ret ? ret : set_addr(gic->fd, KVM_VGIC_V3_ADDR_TYPE_REDIST, GICV3_REDISTS);
}

static int create_gicv2(struct arch_irqchip *gic)
{
	int ret = set_addr(gic->fd, KVM_VGIC_V2_ADDR_TYPE_DIST, GIC_DIST_BASE);

	return ret ? ret : set_addr(gic->fd, KVM_VGIC_V2_ADDR_TYPE_CPU, GICV2_CPU_BASE);
}

static int create_its(const struct vm *vm, struct arch_irqchip *gic)
{
	gic->its_fd = create_device(vm, KVM_DEV_TYPE_ARM_VGIC_ITS);
	if (gic->its_fd < 0)
		return gic->its_fd;
	return set_addr(gic->its_fd, KVM_VGIC_ITS_ADDR_TYPE, GICV3_ITS_BASE);
}

static int create(struct vm *vm, struct arch_irqchip *gic)
{
	int ret;

	gic->fd = create_device(vm, kvm_type(gic->kind));
	if (gic->fd < 0)
		return gic->fd;
	ret = gic_is_v3(gic) ? create_gicv3(gic) : create_gicv2(gic);
	if (!ret)
		ret = set_nr_irqs(gic);
	if (!ret && gic->kind == GICV3_ITS)
		ret = create_its(vm, gic);
	if (!ret && gic->kind == GICV2M)
		ret = gicv2m_init(vm);
	return ret;
}

/* "gicv2m, gicv2" */
static void list_kinds(const struct vm *vm, char *names, size_t size)
{
	size_t n = 0;

	names[0] = '\0';
	for (unsigned int i = 0; i < GIC_NR_KINDS; i++) {
		if (gic_kvm_has(vm->fd, i))
			n += snprintf(names + n, size - n, "%s%s", n ? ", " : "", arch_irqchips[i]);
	}
}

static int too_many_vcpus(const struct machine *m)
{
	for (unsigned int i = 0; i < GICV2M; i++) {
		if (gic_kvm_has(m->vm.fd, i)) {
			pr_err("--cpus %u: a GICv2 has at most %d, use --irqchip %s",
			       m->config->nr_vcpus, GICV2_MAX_VCPUS, arch_irqchips[i]);
			return -EINVAL;
		}
	}
	pr_err("--cpus %u: a GICv2 has at most %d, and this host has no other", m->config->nr_vcpus,
	       GICV2_MAX_VCPUS);
	return -EINVAL;
}

static int choose(const struct machine *m, enum gic_kind *kind)
{
	unsigned int wanted = m->config->irqchip;
	char names[64];

	*kind = wanted ? wanted - 1 : 0;
	while (!wanted && *kind < GIC_NR_KINDS && !gic_kvm_has(m->vm.fd, *kind))
		++*kind;
	if (*kind < GIC_NR_KINDS && gic_kvm_has(m->vm.fd, *kind)) {
		if (*kind < GICV2M || m->config->nr_vcpus <= GICV2_MAX_VCPUS)
			return 0;
		return too_many_vcpus(m);
	}
	list_kinds(&m->vm, names, sizeof(names));
	if (!*names)
		pr_err("KVM emulates no interrupt controller on this host: it has neither a "
		       "GICv3 nor a GICv2 with virtualisation extensions");
	else
		pr_err("--irqchip %s: KVM does not have it on this host, only %s",
		       arch_irqchips[*kind], names);
	return -ENOTSUP;
}

int arch_init_irqchip(struct machine *m)
{
	struct vm *vm = &m->vm;
	struct arch_irqchip *gic;
	enum gic_kind kind;
	int ret = choose(m, &kind);

	if (ret)
		return ret;
	gic = calloc(1, sizeof(*gic));
	if (!gic) {
		pr_err("out of memory");
		return -ENOMEM;
	}
	*gic = (struct arch_irqchip){.kind = kind, .fd = -1, .its_fd = -1};
	vm->irqchip = gic;
	ret = create(vm, gic);
	if (ret) {
		pr_err("KVM cannot make the interrupt controller %s: %s", arch_irqchips[kind],
		       strerror(-ret));
		return ret;
	}
	if (kind == GICV3_ITS || kind == GICV2M)
		return irq_init(vm, FDT_NR_WIRES);
	irq_init_wires(vm);
	return 0;
}

int gic_init_for_vcpus(struct vm *vm)
{
	const struct arch_irqchip *gic = vm->irqchip;
	u32 group = KVM_DEV_ARM_VGIC_GRP_CTRL;
	int ret = kvm_set_attr(gic->fd, group, KVM_DEV_ARM_VGIC_CTRL_INIT, NULL);

	if (!ret && gic->its_fd >= 0)
		ret = kvm_set_attr(gic->its_fd, group, KVM_DEV_ARM_VGIC_CTRL_INIT, NULL);
	if (ret)
		pr_err("KVM cannot set up the interrupt controller %s for %u vCPUs: %s",
		       arch_irqchips[gic->kind], vm->nr_vcpus, strerror(-ret));
	return ret;
}

void arch_destroy_irqchip(struct machine *m)
{
	struct arch_irqchip *gic = m->vm.irqchip;

	if (!gic)
		return;
	if (gic->its_fd >= 0)
		close(gic->its_fd);
	if (gic->fd >= 0)
		close(gic->fd);
	free(gic);
	m->vm.irqchip = NULL;
}

void gic_set_spi(struct vm *vm, u32 intid, bool up)
{
	irq_kvm_line(vm, KVM_ARM_IRQ_TYPE_SPI << KVM_ARM_IRQ_TYPE_SHIFT | intid, up);
}

void arch_wire_level(struct vm *vm, u32 gsi, bool up)
{
	gic_set_spi(vm, GIC_SPI_BASE + gsi, up);
}

bool arch_is_msi_addr(const struct vm *vm, u64 addr)
{
	return addr == GIC_MSI_DOORBELL && irq_has_messages(vm);
}

void arch_route_msi(const struct vm *vm, struct kvm_irq_routing_entry *e, u64 addr, u32 data,
		    u32 devid)
{
	if (vm->irqchip->kind == GICV2M && gicv2m_spi(data)) {
		e->type = KVM_IRQ_ROUTING_IRQCHIP;
		e->u.irqchip.irqchip = 0;
		e->u.irqchip.pin = gicv2m_spi(data) - GIC_SPI_BASE;
		return;
	}
	/* Where there is no ITS, KVM has nobody to give it to. */
	e->type = KVM_IRQ_ROUTING_MSI;
	e->flags = KVM_MSI_VALID_DEVID;
	e->u.msi.address_lo = addr;
	e->u.msi.address_hi = addr >> 32;
	e->u.msi.data = data;
	e->u.msi.devid = devid;
}

enum arch_msi_map arch_msi_map(const struct machine *m)
{
	switch (m->vm.irqchip->kind) {
	case GICV3_ITS:
		return MSI_MAP_ID;
	case GICV2M:
		return MSI_MAP_PARENT;
	default:
		return MSI_MAP_NONE;
	}
}

unsigned int arch_iommu_resv(struct iommu_resv *resv, unsigned int max)
{
	(void)max;
	resv[0] = (struct iommu_resv){GIC_MSI_PAGE, GIC_MSI_PAGE + GIC_MSI_PAGE_SIZE - 1,
				      IOMMU_RESV_MSI};
	return 1;
}
