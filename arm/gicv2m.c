// SPDX-License-Identifier: GPL-2.0-only
/* A GICv2m frame: messages that raise interrupts of a controller which only knows wires. */
#include <string.h>

#include "arm/gic.h"
#include "arm/layout.h"

/* Server Base System Architecture 3.1, E.2. All others, MSI_IIDR among them, read as zero. */
#define MSI_TYPER     0x008
#define MSI_SETSPI_NS 0x040

#define MSI_TYPER_BASE_SHIFT 16

u32 gicv2m_spi(u32 data)
{
	return data - GICV2M_SPI_BASE < GICV2M_NR_SPIS ? data : 0;
}

/* What a vCPU writes is a message as well as what a device does. */
static void frame_access(void *opaque, u64 off, void *data, unsigned int len, bool write)
{
	struct vm *vm = opaque;
	u32 val = 0;

	if (len == sizeof(val) && write && off == MSI_SETSPI_NS) {
		memcpy(&val, data, sizeof(val));
		val = gicv2m_spi(val);
		if (!val)
			return;
		gic_set_spi(vm, val, true);
		gic_set_spi(vm, val, false);
	} else if (!write) {
		if (off == MSI_TYPER)
			val = GICV2M_SPI_BASE << MSI_TYPER_BASE_SHIFT | GICV2M_NR_SPIS;
		memset(data, 0, len);
		memcpy(data, &val, min(len, (unsigned int)sizeof(val)));
	}
}

int gicv2m_init(struct vm *vm)
{
	return bus_add(&vm->mmio, GIC_MSI_PAGE, GICV2M_FRAME_SIZE, frame_access, vm);
}
