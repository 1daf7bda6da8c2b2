// SPDX-License-Identifier: GPL-2.0-only
/* Interrupt controllers: which one there is, and how wires and messages get into it. */
#include <errno.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "arm/gic.h"
#include "arm/layout.h"
#include "capture.h"
#include "fake-gic.h"
#include "unit.h"

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	return fake_ioctl(fd, request, arg);
}

static const struct fake_host v3_host = {.gicv3 = true, .its = true};
static const struct fake_host v3_v2_host = {.gicv3 = true, .its = true, .gicv2 = true};
static const struct fake_host v2_host = {.gicv2 = true};
static const struct fake_host no_host = {.pmu = true};

/* What the machine gets; "" and one line that says @why if it gets none. */
static const char *chosen(const struct fake_host *host, unsigned int nr_vcpus, const char *irqchip,
			  const char *why)
{
	static char name[32];
	const char *said;
	int ret;

	fake_start(host, nr_vcpus, irqchip);
	capture_begin();
	ret = arch_init_irqchip(&machine);
	said = capture_end();
	CHECK(ret ? capture_one_line(said, why) : !*said);
	strcpy(name, ret ? "" : arch_irqchips[machine.vm.irqchip->kind]);
	fake_end();
	return name;
}

static void start(const struct fake_host *host, const char *irqchip)
{
	fake_start(host, 2, irqchip);
	if (arch_init_irqchip(&machine))
		exit(2);
	fake_told();
}

TEST(the_best_that_the_host_has)
{
	fake_start(&v3_v2_host, 1, NULL);
	CHECK_EQ(arch_init_irqchip(&machine), 0);
	CHECK_STR_EQ(fake_told(), "gicv3 gic-addr2=8000000 gic-addr3=8100000 gic-irqs=128 its "
				  "its-addr4=8080000");
	CHECK(irq_has_messages(&machine.vm));
	CHECK_EQ(arch_msi_map(&machine), MSI_MAP_ID);
	fake_end();

	fake_start(&v2_host, 8, NULL);
	CHECK_EQ(arch_init_irqchip(&machine), 0);
	CHECK_STR_EQ(fake_told(), "gicv2 gic-addr0=8000000 gic-addr1=8010000 gic-irqs=992");
	CHECK(irq_has_messages(&machine.vm));
	CHECK_EQ(arch_msi_map(&machine), MSI_MAP_PARENT);
	fake_end();
}

TEST(the_one_that_is_asked_for)
{
	fake_start(&v3_v2_host, 255, "gicv3");
	CHECK_EQ(arch_init_irqchip(&machine), 0);
	CHECK_STR_EQ(fake_told(), "gicv3 gic-addr2=8000000 gic-addr3=8100000 gic-irqs=128");
	CHECK(!irq_has_messages(&machine.vm));
	CHECK_EQ(arch_msi_map(&machine), MSI_MAP_NONE);
	CHECK(!arch_is_msi_addr(&machine.vm, GIC_MSI_DOORBELL));
	fake_end();

	fake_start(&v3_v2_host, 1, "gicv2");
	CHECK_EQ(arch_init_irqchip(&machine), 0);
	CHECK_STR_EQ(fake_told(), "gicv2 gic-addr0=8000000 gic-addr1=8010000 gic-irqs=128");
	CHECK_EQ(arch_msi_map(&machine), MSI_MAP_NONE);
	fake_end();
}

TEST(what_the_host_lacks)
{
	CHECK_STR_EQ(chosen(&v3_host, 1, "gicv2m",
			    "--irqchip gicv2m: KVM does not have it on this host, only gicv3-its, "
			    "gicv3\n"),
		     "");
	CHECK_STR_EQ(chosen(&v2_host, 1, "gicv3-its", "only gicv2m, gicv2\n"), "");
	CHECK_STR_EQ(chosen(&no_host, 1, NULL, "no interrupt controller on this host"), "");
	CHECK_STR_EQ(chosen(&v2_host, 9, NULL,
			    "--cpus 9: a GICv2 has at most 8, and this host "
			    "has no other"),
		     "");
	CHECK_STR_EQ(chosen(&v3_v2_host, 255, "gicv2m", "use --irqchip gicv3-its"), "");
}

TEST(kvm_refuses)
{
	static const char *const calls[] = {"gicv3", "gic-addr3=8100000", "gic-irqs=128", "its",
					    "its-addr4=8080000"};

	for (unsigned int i = 0; i < ARRAY_SIZE(calls); i++) {
		struct fake_host host = v3_host;

		host.fails = calls[i];
		CHECK_STR_EQ(chosen(&host, 1, NULL, "interrupt controller gicv3-its: Invalid"), "");
	}
}

TEST(wires_are_shared_interrupts)
{
	start(&v3_host, NULL);
	arch_wire_level(&machine.vm, 1, true);
	arch_wire_level(&machine.vm, FDT_NR_WIRES - 1, false);
	CHECK_STR_EQ(fake_told(), "1000021=1 100007f=0");
	fake_end();
}

TEST(message_for_an_its)
{
	struct kvm_irq_routing_entry e = {.gsi = 100};

	start(&v3_host, NULL);
	CHECK(arch_is_msi_addr(&machine.vm, 0x08090040));
	CHECK(!arch_is_msi_addr(&machine.vm, 0x08090044));
	CHECK(!arch_is_msi_addr(&machine.vm, 0x08080040));
	arch_route_msi(&machine.vm, &e, 0x08090040, 7, 0x18);
	CHECK_EQ(e.type, KVM_IRQ_ROUTING_MSI);
	CHECK_EQ(e.flags, KVM_MSI_VALID_DEVID);
	CHECK_EQ(e.u.msi.devid, 0x18);
	CHECK_EQ(e.u.msi.data, 7);
	CHECK_EQ(e.u.msi.address_lo, 0x08090040);
	CHECK_EQ(e.u.msi.address_hi, 0);
	fake_end();
}

/* The interrupt ID behind a message, 0: KVM gives it to nobody. */
static u32 routed(u32 data)
{
	struct kvm_irq_routing_entry e = {.gsi = 100};

	arch_route_msi(&machine.vm, &e, GIC_MSI_DOORBELL, data, 8);
	if (e.type == KVM_IRQ_ROUTING_MSI)
		return 0;
	CHECK_EQ(e.type, KVM_IRQ_ROUTING_IRQCHIP);
	CHECK_EQ(e.u.irqchip.irqchip, 0);
	return e.u.irqchip.pin + 32;
}

TEST(message_for_a_frame)
{
	start(&v2_host, NULL);
	CHECK(arch_is_msi_addr(&machine.vm, 0x08090040));
	CHECK_EQ(routed(128), 128);
	CHECK_EQ(routed(991), 991);
	/* Neither a wire of somebody else nor what there is not. */
	CHECK_EQ(routed(127), 0);
	CHECK_EQ(routed(992), 0);
	CHECK_EQ(routed(0), 0);
	CHECK_EQ(routed(0xffffffff), 0);
	CHECK_EQ(routed(0x10080), 0);
	fake_end();
}

static u64 frame_read(u64 off, unsigned int len)
{
	u64 val = ~0ULL;

	bus_access(&machine.vm.mmio, GIC_MSI_PAGE + off, &val, len, false);
	return len == 8 ? val : val & ((1ULL << 8 * len) - 1);
}

static void frame_write(u64 off, u64 val, unsigned int len)
{
	bus_access(&machine.vm.mmio, GIC_MSI_PAGE + off, &val, len, true);
}

TEST(registers_of_a_frame)
{
	start(&v2_host, NULL);
	CHECK_EQ(frame_read(0x008, 4), 128 << 16 | 864);
	CHECK_EQ(frame_read(0x008, 8), 128 << 16 | 864);
	CHECK_EQ(frame_read(0x008, 1), 864 & 0xff);
	CHECK_EQ(frame_read(0x040, 4), 0);
	CHECK_EQ(frame_read(0xfcc, 4), 0);
	CHECK_EQ(frame_read(0xff8, 8), 0);

	frame_write(0x040, 130, 4);
	CHECK_STR_EQ(fake_told(), "1000082=1 1000082=0");
	frame_write(0x040, 127, 4);
	frame_write(0x040, 992, 4);
	frame_write(0x040, 130, 8);
	frame_write(0x040, 130, 2);
	frame_write(0x044, 130, 4);
	frame_write(0x008, 130, 4);
	CHECK_STR_EQ(fake_told(), "");
	fake_end();
}

TEST(the_layout_has_no_overlap)
{
	const u64 ends[] = {
		GIC_DIST_BASE,	GIC_DIST_BASE + GICV3_DIST_SIZE,
		GICV2_CPU_BASE, GICV2_CPU_BASE + GICV2_CPU_SIZE,
		GICV3_ITS_BASE, GICV3_ITS_BASE + GICV3_ITS_SIZE,
		GICV3_REDISTS,	GICV3_REDISTS + VM_MAX_VCPUS * GICV3_REDIST_SIZE,
	};

	for (unsigned int i = 1; i < ARRAY_SIZE(ends); i++)
		CHECK(ends[i - 1] <= ends[i]);
	CHECK_EQ(ends[0], FDT_IRQCHIP_BASE);
	CHECK(ends[ARRAY_SIZE(ends) - 1] <= FDT_IRQCHIP_BASE + FDT_IRQCHIP_SIZE);
	for (unsigned int i = 0; i < ARRAY_SIZE(ends); i += 2)
		CHECK(is_aligned(ends[i], 64 * KiB));
}

TEST(an_iommu_leaves_the_doorbell_alone)
{
	struct iommu_resv resv[IOMMU_MAX_RESV];

	CHECK_EQ(arch_iommu_resv(resv, ARRAY_SIZE(resv)), 1);
	CHECK_EQ(resv[0].start, 0x08090000);
	CHECK_EQ(resv[0].last, 0x0809ffff);
	CHECK_EQ(resv[0].type, IOMMU_RESV_MSI);
}
