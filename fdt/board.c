// SPDX-License-Identifier: GPL-2.0-only
/* The fixed devices, and how a kernel gets into the machine. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "fdt/board.h"
#include "hw/goldfish-rtc.h"
#include "hw/host-bridge.h"
#include "hw/pl031.h"
#include "hw/pvpanic.h"
#include "hw/serial.h"
#include "hw/test-exit.h"
#include "internal.h"
#include "util/file.h"
#include "util/log.h"

struct arch_board {
	struct pci_device host_bridge;
	struct serial serial;
	struct pvpanic pvpanic;
	/* No model has a driver in the kernels of both. */
	struct pl031 pl031; /* arm64 */
	struct goldfish_rtc goldfish_rtc; /* riscv64 */
};

const u64 arch_mem_start = FDT_RAM_BASE;

unsigned int arch_mem_holes(struct mem_hole *holes, unsigned int max)
{
	(void)max;
	holes[0] = (struct mem_hole){0, FDT_RAM_BASE - 1, "its devices"};
	return 1;
}

int arch_init_memory(struct machine *m)
{
	const struct mem_config *config = &m->config->mem;
	int ret = 0;

	for (unsigned int i = 0; !ret && i < config->nr_banks; i++)
		ret = guest_mem_add_bank(&m->vm.mem, config->banks[i].gpa, config->banks[i].size);
	if (!ret && config->size)
		ret = guest_mem_add_bank(&m->vm.mem, FDT_RAM_BASE, config->size);
	return ret ? ret : mem_config_check_width(config, &m->vm.mem, m->vm.phys_bits);
}

bool arch_mmio_slot(unsigned int n, struct mmio_slot *slot)
{
	if (n >= MACHINE_MAX_MMIO)
		return false;
	slot->base = FDT_VIRTIO_MMIO_BASE + n * (u64)VIRTIO_MMIO_SIZE;
	slot->gsi = FDT_GSI_VIRTIO_MMIO + n;
	return true;
}

u32 fdt_intx_gsi(unsigned int dev, unsigned int pin)
{
	return FDT_GSI_INTX + (dev + pin) % 4;
}

/* The key has a wire alone: its edge is a press, and the driver adds the release. */
void arch_power_button(struct machine *m)
{
	irq_wire_pulse(&m->vm, FDT_GSI_POWER_BUTTON);
}

static int init_rtc(struct machine *m)
{
	struct arch_board *board = m->board;
	struct bus *mmio = &m->vm.mmio;

	if (fdt_has_pl031())
		return pl031_init(&board->pl031, &m->vm, &m->loop, mmio, FDT_RTC_BASE, FDT_GSI_RTC);
	return goldfish_rtc_init(&board->goldfish_rtc, &m->vm, &m->loop, mmio, FDT_RTC_BASE,
				 FDT_GSI_RTC);
}

int arch_init_board(struct machine *m)
{
	struct arch_board *board = calloc(1, sizeof(*board));
	struct bus *mmio = &m->vm.mmio;
	int ret;

	if (!board) {
		pr_err("out of memory");
		return -ENOMEM;
	}
	board->pl031.clock.source.fd = -1;
	board->goldfish_rtc.clock.source.fd = -1;
	m->board = board;
	pci_bus_init(&m->pci, &m->vm, FDT_PCI_MEM32_BASE, FDT_PCI_MEM32_SIZE, fdt_intx_gsi);
	ret = bus_add(mmio, FDT_ECAM_BASE, FDT_ECAM_SIZE, pci_ecam_access, &m->pci);
	if (!ret)
		ret = host_bridge_add(&board->host_bridge, &m->pci);
	if (!ret)
		ret = pvpanic_init(&board->pvpanic, &m->vm, mmio, FDT_PVPANIC_BASE);
	if (!ret && m->config->test_exit)
		ret = test_exit_init(&m->vm, mmio, FDT_TEST_EXIT_BASE);
	if (!ret)
		ret = serial_init(&board->serial, &m->vm, mmio, FDT_SERIAL_BASE, FDT_GSI_SERIAL,
				  m->serial);
	if (!ret)
		ret = init_rtc(m);
	if (ret)
		pr_err("cannot set up the board: %s", strerror(-ret));
	return ret;
}

/* Linux cuts it off without a word (COMMAND_LINE_SIZE, with the final NUL). */
static void check_cmdline(const struct machine_config *config)
{
	size_t len = config->cmdline ? strlen(config->cmdline) : 0;
	size_t most = arch_image_kind == IMAGE_ARM64 ? 2047 : 1023;

	if (len > most)
		pr_warn("the command line has %zu characters: Linux on %s takes the first %zu", len,
			arch_name, most);
}

static int load_kernel(struct machine *m, struct image_places *places)
{
	const struct machine_config *config = m->config;
	struct image_config image = {
		.kind = arch_image_kind,
		.kernel = config->kernel,
		.initrd = config->initrd,
		.banks_chosen = config->mem.nr_banks,
		.fdt_max = FDT_MAX_SIZE,
	};

	check_cmdline(config);
	if (!config->kernel) {
		image.builtin = guest_demo_start;
		image.builtin_size = guest_demo_end - guest_demo_start;
	}
	return image_load(&m->vm.mem, &image, places);
}

static int load_tree(struct machine *m, const struct image_places *places)
{
	void *to = guest_mem_ptr(&m->vm.mem, places->fdt, FDT_MAX_SIZE);
	int ret = to ? fdt_describe(m, places, true, to, FDT_MAX_SIZE) : -EFAULT;

	return min(ret, 0);
}

int arch_load(struct machine *m)
{
	struct image_places places;
	int ret;

	ret = load_kernel(m, &places);
	if (!ret)
		ret = load_tree(m, &places);
	if (!ret && m->config->dump_dtb)
		ret = fdt_dump(m, &places);
	return ret ? ret : arch_start_vcpus(m, places.entry, places.fdt);
}

void arch_destroy(struct machine *m)
{
	if (m->board) {
		pl031_destroy(&m->board->pl031);
		goldfish_rtc_destroy(&m->board->goldfish_rtc);
		free(m->board);
	}
	arch_destroy_irqchip(m);
}
