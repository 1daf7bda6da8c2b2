// SPDX-License-Identifier: GPL-2.0-only
/* Which interrupt controller a machine gets, what KVM is told of it, and what the tree says. */
#include <errno.h>
#include <libfdt.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "capture.h"
#include "fdt/board.h"
#include "riscv/irqchip.h"
#include "riscv/layout.h"
#include "unit.h"

/* Files of these numbers are never open. */
#define VM_FD	1000001
#define AIA_FD	1000002
#define VCPU_FD 1001000

#define NR_VCPUS 3

/* KVM's AIA (Documentation/virt/kvm/devices/ in Linux). */
#define AIA_TYPE      11
#define GRP_CONFIG    0
#define CONFIG_IDS    1
#define CONFIG_SRCS   2
#define CONFIG_HARTS  5
#define GRP_ADDR      1
#define GRP_CTRL      2
#define MAX_IMSIC_SET 8

static struct machine *m;
static struct machine_config config;

static struct {
	bool has_aia;
	u32 ids;
	u64 addrs[1 + MAX_IMSIC_SET];
	unsigned int nr_addrs;
	u32 sources, hart_bits;
	bool ready;
	bool external[NR_VCPUS]; /* the interrupt of each vCPU */
	u32 line;
	bool line_up;
} kvm;

static int fail(int err)
{
	errno = err;
	return -1;
}

static int set_attr(const struct kvm_device_attr *attr)
{
	const void *val = (const void *)(uintptr_t)attr->addr;

	if (kvm.ready)
		return fail(EBUSY);
	switch (attr->group) {
	case GRP_CONFIG:
		if (attr->attr == CONFIG_SRCS)
			memcpy(&kvm.sources, val, sizeof(kvm.sources));
		else if (attr->attr == CONFIG_HARTS)
			memcpy(&kvm.hart_bits, val, sizeof(kvm.hart_bits));
		else
			return fail(ENXIO);
		return 0;
	case GRP_ADDR:
		if (attr->attr > MAX_IMSIC_SET)
			return fail(ENXIO);
		memcpy(&kvm.addrs[attr->attr], val, sizeof(u64));
		kvm.nr_addrs++;
		return 0;
	case GRP_CTRL:
		kvm.ready = true;
		return 0;
	}
	return fail(ENXIO);
}

static int get_attr(const struct kvm_device_attr *attr)
{
	if (attr->group != GRP_CONFIG || attr->attr != CONFIG_IDS)
		return fail(ENXIO);
	memcpy((void *)(uintptr_t)attr->addr, &kvm.ids, sizeof(kvm.ids));
	return 0;
}

static int create_device(struct kvm_create_device *dev)
{
	if (!kvm.has_aia || dev->type != AIA_TYPE)
		return fail(ENODEV);
	dev->fd = AIA_FD;
	return 0;
}

/* I, M, A, Sstc, Ssaia, Zicbom with blocks of 64 bytes, Sv48 and a clock of 10 MHz. */
static int get_reg(const struct kvm_one_reg *reg)
{
	static const struct {
		u64 id, val;
	} regs[] = {
		{0x07000005, 1}, {0x07000006, 1},	 {0x07000000, 1}, {0x07000008, 1},
		{0x0700000e, 1}, {0x0700000b, 1},	 {0x07000001, 0}, {0x01000001, 64},
		{0x01000006, 9}, {0x04000000, 10000000},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(regs); i++) {
		if (reg->id == (0x8030000000000000 | regs[i].id)) {
			memcpy((void *)(uintptr_t)reg->addr, &regs[i].val, sizeof(u64));
			return 0;
		}
	}
	return fail(ENOENT);
}

static int set_line(const struct kvm_irq_level *level)
{
	kvm.line = level->irq;
	kvm.line_up = level->level;
	return 0;
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	switch (request) {
	case KVM_CHECK_EXTENSION:
		return 64;
	case KVM_CREATE_DEVICE:
		return create_device(arg);
	case KVM_GET_DEVICE_ATTR:
		return get_attr(arg);
	case KVM_SET_DEVICE_ATTR:
		return set_attr(arg);
	case KVM_GET_ONE_REG:
		return get_reg(arg);
	case KVM_IRQ_LINE:
		return set_line(arg);
	case KVM_INTERRUPT:
		CHECK(fd >= VCPU_FD && fd < VCPU_FD + NR_VCPUS);
		kvm.external[fd - VCPU_FD] =
			((struct kvm_interrupt *)arg)->irq == (u32)KVM_INTERRUPT_SET;
		return 0;
	}
	return syscall(SYS_ioctl, fd, request, arg);
}

static int start(const char *wanted)
{
	memset(&config, 0, sizeof(config));
	config.nr_vcpus = NR_VCPUS;
	for (unsigned int i = 0; wanted && arch_irqchips[i]; i++) {
		if (!strcmp(arch_irqchips[i], wanted))
			config.irqchip = i + 1;
	}
	m = calloc(1, sizeof(*m));
	if (!m)
		exit(2);
	m->config = &config;
	m->vm.fd = VM_FD;
	bus_init(&m->vm.mmio);
	return arch_init_irqchip(m);
}

static void add_vcpus(void)
{
	m->vm.vcpus = calloc(NR_VCPUS, sizeof(*m->vm.vcpus));
	if (!m->vm.vcpus)
		exit(2);
	for (unsigned int i = 0; i < NR_VCPUS; i++)
		m->vm.vcpus[i] = (struct vcpu){.vm = &m->vm, .index = i, .fd = VCPU_FD + i};
	m->vm.nr_vcpus = NR_VCPUS;
}

static void end(void)
{
	arch_destroy_irqchip(m);
	irq_destroy(&m->vm);
	free(m->vm.vcpus);
	free(m);
	memset(&kvm, 0, sizeof(kvm));
}

TEST(aia_where_the_host_has_it)
{
	u32 cells[FDT_MAX_IRQ_CELLS];

	kvm.has_aia = true;
	kvm.ids = 255;
	CHECK_EQ(start(NULL), 0);
	CHECK(irq_has_messages(&m->vm));
	CHECK_EQ(arch_msi_map(m), MSI_MAP_PARENT);
	CHECK_EQ(arch_fdt_irq(m, 5, false, cells), 2);
	CHECK(cells[0] == 5 && cells[1] == 4);
	CHECK_EQ(arch_fdt_irq(m, 6, true, cells), 2);
	CHECK(cells[0] == 6 && cells[1] == 1);
	add_vcpus();
	arch_wire_level(&m->vm, 9, true);
	CHECK(kvm.line == 9 && kvm.line_up);
	end();
}

TEST(aia_is_set_up_when_the_vcpus_are_there)
{
	kvm.has_aia = true;
	kvm.ids = 255;
	CHECK_EQ(start("aia"), 0);
	CHECK(!kvm.ready && !kvm.nr_addrs);
	add_vcpus();
	CHECK_EQ(riscv_irqchip_start(m), 0);
	CHECK(kvm.ready);
	CHECK_EQ(kvm.sources, FDT_NR_WIRES - 1);
	CHECK_EQ(kvm.hart_bits, 2);
	CHECK_EQ(kvm.nr_addrs, 1 + NR_VCPUS);
	CHECK_EQ(kvm.addrs[0], RISCV_APLIC_BASE);
	for (unsigned int i = 0; i < NR_VCPUS; i++)
		CHECK_EQ(kvm.addrs[1 + i], RISCV_IMSIC_BASE + i * 0x1000);
	end();
}

TEST(plic_where_the_host_has_no_aia)
{
	u32 cells[FDT_MAX_IRQ_CELLS];

	CHECK_EQ(start(NULL), 0);
	CHECK(!irq_has_messages(&m->vm));
	CHECK_EQ(arch_msi_map(m), MSI_MAP_NONE);
	CHECK_EQ(arch_fdt_irq(m, 5, true, cells), 1);
	CHECK_EQ(cells[0], 5);
	add_vcpus();
	CHECK_EQ(riscv_irqchip_start(m), 0);
	CHECK_EQ(kvm.nr_addrs, 0);
	end();
}

TEST(aia_that_is_too_small_is_none)
{
	kvm.has_aia = true;
	kvm.ids = 63;
	CHECK_EQ(start(NULL), 0);
	CHECK(!irq_has_messages(&m->vm));
	end();
	kvm.has_aia = true;
	kvm.ids = 63;
	capture_begin();
	CHECK(start("aia") < 0);
	CHECK(capture_one_line(capture_end(), "--irqchip plic"));
	end();
}

TEST(aia_that_is_asked_for_and_not_there)
{
	capture_begin();
	CHECK(start("aia") < 0);
	CHECK(capture_one_line(capture_end(), "--irqchip plic"));
	end();
}

TEST(plic_that_is_asked_for_reaches_the_vcpus)
{
	const u64 enable = RISCV_PLIC_BASE + 0x2000 + 2 * 0x80;
	const u64 claim = RISCV_PLIC_BASE + 0x202004;
	u32 val = 1;

	kvm.has_aia = true;
	kvm.ids = 255;
	CHECK_EQ(start("plic"), 0);
	CHECK(!irq_has_messages(&m->vm));
	add_vcpus();
	bus_access(&m->vm.mmio, RISCV_PLIC_BASE + 4 * 8, &val, 4, true);
	val = BIT(8);
	bus_access(&m->vm.mmio, enable, &val, 4, true);
	CHECK(!kvm.external[2]);
	/* Two devices have the wire. */
	irq_wire_set(&m->vm, 8, true);
	irq_wire_set(&m->vm, 8, true);
	CHECK(kvm.external[2]);
	CHECK(!kvm.external[0] && !kvm.external[1]);
	bus_access(&m->vm.mmio, claim, &val, 4, false);
	CHECK_EQ(val, 8);
	CHECK(!kvm.external[2]);
	irq_wire_set(&m->vm, 8, false);
	bus_access(&m->vm.mmio, claim, &val, 4, true);
	CHECK(kvm.external[2]);
	bus_access(&m->vm.mmio, claim, &val, 4, false);
	irq_wire_set(&m->vm, 8, false);
	bus_access(&m->vm.mmio, claim, &val, 4, true);
	CHECK(!kvm.external[2]);
	end();
}

static char tree[64 * KiB];

static void make_tree(void)
{
	struct fdt_tree t;

	add_vcpus();
	fdt_tree_init(&t, tree, sizeof(tree));
	arch_fdt_nodes(m, &t);
	CHECK(fdt_tree_finish(&t) > 0);
}

/* All cells of a property, in hexadecimal; "" if it is not there or empty. */
static const char *cells_of(const char *path, const char *name)
{
	static char text[1024];
	int len = 0;
	const fdt32_t *val = fdt_getprop(tree, fdt_path_offset(tree, path), name, &len);
	size_t n = 0;

	text[0] = '\0';
	for (int i = 0; val && i < len / 4; i++)
		n += snprintf(text + n, sizeof(text) - n, "%s%x", i ? " " : "",
			      fdt32_to_cpu(val[i]));
	return text;
}

static const char *string_of(const char *path, const char *name)
{
	return fdt_getprop(tree, fdt_path_offset(tree, path), name, NULL);
}

#define IMSIC "/interrupt-controller@8000000"
#define APLIC "/interrupt-controller@8100000"
#define PLIC  "/interrupt-controller@c000000"

TEST(tree_of_harts)
{
	static const char exts[] = "i\0m\0a\0zicbom\0ssaia\0sstc";
	const void *list;
	int len = 0;

	kvm.has_aia = true;
	kvm.ids = 255;
	CHECK_EQ(start(NULL), 0);
	make_tree();
	CHECK_STR_EQ(cells_of("/cpus", "timebase-frequency"), "989680");
	CHECK_STR_EQ(cells_of("/cpus/cpu@2", "reg"), "2");
	CHECK_STR_EQ(string_of("/cpus/cpu@2", "riscv,isa"), "rv64ima_zicbom_ssaia_sstc");
	CHECK_STR_EQ(string_of("/cpus/cpu@2", "mmu-type"), "riscv,sv48");
	CHECK_STR_EQ(cells_of("/cpus/cpu@2", "riscv,cbom-block-size"), "40");
	CHECK(!string_of("/cpus/cpu@2", "riscv,cboz-block-size"));
	list = fdt_getprop(tree, fdt_path_offset(tree, "/cpus/cpu@2"), "riscv,isa-extensions",
			   &len);
	CHECK(len == sizeof(exts) && !memcmp(list, exts, len));
	/* The root of the interrupt tree, whatever the root node says. */
	CHECK_STR_EQ(cells_of("/cpus/cpu@2/interrupt-controller", "phandle"), "102");
	CHECK_STR_EQ(cells_of("/cpus/cpu@2/interrupt-controller", "interrupt-parent"), "102");
	end();
}

TEST(tree_of_the_aia)
{
	kvm.has_aia = true;
	kvm.ids = 255;
	CHECK_EQ(start(NULL), 0);
	make_tree();
	CHECK_STR_EQ(cells_of(IMSIC, "reg"), "0 8000000 0 3000");
	CHECK_STR_EQ(cells_of(IMSIC, "riscv,num-ids"), "ff");
	CHECK_STR_EQ(cells_of(IMSIC, "riscv,hart-index-bits"), "2");
	CHECK_STR_EQ(cells_of(IMSIC, "interrupts-extended"), "100 9 101 9 102 9");
	CHECK_STR_EQ(cells_of(APLIC, "msi-parent"), cells_of(IMSIC, "phandle"));
	CHECK_STR_EQ(cells_of(APLIC, "riscv,num-sources"), "5f");
	CHECK(fdt_path_offset(tree, PLIC) < 0);
	end();
}

TEST(tree_of_the_plic)
{
	kvm.has_aia = true;
	kvm.ids = 255;
	CHECK_EQ(start("plic"), 0);
	make_tree();
	CHECK_STR_EQ(string_of("/cpus/cpu@0", "riscv,isa"), "rv64ima_zicbom_sstc");
	CHECK_STR_EQ(cells_of(PLIC, "interrupts-extended"), "100 9 101 9 102 9");
	CHECK_STR_EQ(cells_of(PLIC, "riscv,ndev"), "5f");
	CHECK_STR_EQ(cells_of(PLIC, "#interrupt-cells"), "1");
	CHECK(fdt_path_offset(tree, IMSIC) < 0);
	CHECK(fdt_path_offset(tree, APLIC) < 0);
	end();
}

TEST(end_without_a_beginning)
{
	m = calloc(1, sizeof(*m));
	if (!m)
		exit(2);
	arch_destroy_irqchip(m);
	free(m);
}
