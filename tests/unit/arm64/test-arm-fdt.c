// SPDX-License-Identifier: GPL-2.0-only
/* What the device tree says of vCPUs and interrupt controllers. */
#include <libfdt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "arm/cpu.h"
#include "arm/layout.h"
#include "fake-gic.h"
#include "fdt/board.h"
#include "unit.h"

static char tree[256 * 1024];

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	return fake_ioctl(fd, request, arg);
}

static void make_tree(const struct fake_host *host, unsigned int nr_vcpus, const char *irqchip)
{
	struct fdt_tree t;

	fake_start(host, nr_vcpus, irqchip);
	if (arch_init_irqchip(&machine))
		exit(2);
	fdt_tree_init(&t, tree, sizeof(tree));
	arch_fdt_nodes(&machine, &t);
	CHECK(fdt_tree_finish(&t) > 0);
	fake_end();
}

static bool has_node(const char *path)
{
	return fdt_path_offset(tree, path) >= 0;
}

/* All cells of a property, in hexadecimal; "" if it is not there or empty. */
static const char *cells(const char *path, const char *name)
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

static bool compatible(const char *path, const char *with)
{
	return !fdt_node_check_compatible(tree, fdt_path_offset(tree, path), with);
}

static const struct fake_host host = {.gicv3 = true, .its = true, .gicv2 = true};
static const struct fake_host pmu_host = {.gicv3 = true, .its = true, .gicv2 = true, .pmu = true};

TEST(cpus)
{
	int node, nr = 0;

	make_tree(&host, 255, NULL);
	CHECK_STR_EQ(cells("/cpus", "#address-cells"), "1");
	fdt_for_each_subnode(node, tree, fdt_path_offset(tree, "/cpus"))
	{
		const fdt32_t *reg = fdt_getprop(tree, node, "reg", NULL);

		if (CHECK(reg))
			CHECK_EQ(fdt32_to_cpu(*reg), nr % 16 + nr / 16 * 256);
		nr++;
	}
	CHECK_EQ(nr, 255);
	CHECK_STR_EQ(fdt_getprop(tree, fdt_path_offset(tree, "/cpus/cpu@f0e"), "enable-method",
				 NULL),
		     "psci");
	CHECK(compatible("/psci", "arm,psci-1.0") && compatible("/psci", "arm,psci-0.2"));
	CHECK_STR_EQ(fdt_getprop(tree, fdt_path_offset(tree, "/psci"), "method", NULL), "hvc");
}

#define GIC "/interrupt-controller@8000000"

TEST(gicv3_with_its)
{
	make_tree(&pmu_host, 255, NULL);
	CHECK(compatible(GIC, "arm,gic-v3"));
	CHECK_STR_EQ(cells(GIC, "reg"), "0 8000000 0 10000 0 8100000 0 1fe0000");
	CHECK_STR_EQ(cells(GIC, "#interrupt-cells"), "3");
	CHECK_EQ(fdt_get_phandle(tree, fdt_path_offset(tree, GIC)), FDT_PHANDLE_IRQCHIP);
	CHECK(compatible(GIC "/msi-controller@8080000", "arm,gic-v3-its"));
	CHECK_STR_EQ(cells(GIC "/msi-controller@8080000", "reg"), "0 8080000 0 20000");
	CHECK_STR_EQ(cells(GIC "/msi-controller@8080000", "#msi-cells"), "1");
	CHECK_EQ(fdt_get_phandle(tree, fdt_path_offset(tree, GIC "/msi-controller@8080000")),
		 FDT_PHANDLE_MSI);
	CHECK_STR_EQ(cells("/timer", "interrupts"), "1 d 4 1 e 4 1 b 4 1 a 4");
	CHECK_STR_EQ(cells("/pmu", "interrupts"), "1 7 4");
	/* An interrupt-map is to have as many cells. */
	CHECK_EQ(fdt_address_cells(tree, fdt_path_offset(tree, GIC)),
		 arch_fdt_irqchip_address_cells);
}

TEST(gicv2_with_a_frame)
{
	make_tree(&host, 3, "gicv2m");
	CHECK(compatible(GIC, "arm,cortex-a15-gic"));
	CHECK_STR_EQ(cells(GIC, "reg"), "0 8000000 0 1000 0 8010000 0 2000");
	CHECK(compatible(GIC "/v2m@8090000", "arm,gic-v2m-frame"));
	CHECK_STR_EQ(cells(GIC "/v2m@8090000", "reg"), "0 8090000 0 1000");
	/* For three vCPUs. */
	CHECK_STR_EQ(cells("/timer", "interrupts"), "1 d 704 1 e 704 1 b 704 1 a 704");
	CHECK(!has_node("/pmu"));
}

TEST(without_messages)
{
	make_tree(&host, 1, "gicv3");
	CHECK_EQ(fdt_first_subnode(tree, fdt_path_offset(tree, GIC)), -FDT_ERR_NOTFOUND);
	make_tree(&host, 1, "gicv2");
	CHECK_EQ(fdt_first_subnode(tree, fdt_path_offset(tree, GIC)), -FDT_ERR_NOTFOUND);
}

TEST(no_node_for_counters_that_are_not_wanted)
{
	struct fake_host without = pmu_host;

	without.without = BIT(ARM_PMU);
	make_tree(&pmu_host, 1, NULL);
	CHECK(has_node("/pmu"));
	make_tree(&without, 1, NULL);
	CHECK(!has_node("/pmu"));
}

TEST(wires_of_devices)
{
	u32 irq[FDT_MAX_IRQ_CELLS];

	CHECK_EQ(arch_fdt_irq(&machine, FDT_GSI_SERIAL, true, irq), 3);
	CHECK(irq[0] == 0 && irq[1] == FDT_GSI_SERIAL && irq[2] == 1);
	CHECK_EQ(arch_fdt_irq(&machine, FDT_GSI_INTX, false, irq), 3);
	CHECK(irq[0] == 0 && irq[1] == FDT_GSI_INTX && irq[2] == 4);
}
