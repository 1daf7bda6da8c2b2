// SPDX-License-Identifier: GPL-2.0-only
#include "rt/firmware.h"

#include "rt/core.h"
#include "rt/pci.h"

struct firmware fw;

/* Positions of fw_next(): PCI functions by their BDF, then these. */
#define FIRST_MMIO 0x10000

bool fw_next(int *pos, struct fw_device *at)
{
	int bdf = *pos < FIRST_MMIO ? pci_next(*pos) : -1;
	unsigned int i;

	if (bdf >= 0) {
		*pos = bdf;
		*at = (struct fw_device){.bdf = bdf, .irq = FW_NO_IRQ};
		return true;
	}
	*pos = max(*pos + 1, FIRST_MMIO);
	i = *pos - FIRST_MMIO;
	if (i >= fw.nr_mmio)
		return false;
	*at = fw.mmio[i].at;
	return true;
}

struct fw_mmio *fw_find_mmio(u64 base)
{
	unsigned int i;

	for (i = 0; i < fw.nr_mmio; i++) {
		if (fw.mmio[i].at.base == base)
			return &fw.mmio[i];
	}
	return NULL;
}

struct fw_mmio *fw_add_mmio(u64 base, u32 irq)
{
	struct fw_mmio *m = &fw.mmio[fw.nr_mmio];

	if (fw.nr_mmio == FW_MAX_MMIO)
		panic("more than %u virtio-mmio devices", FW_MAX_MMIO);
	fw.nr_mmio++;
	m->at = (struct fw_device){.is_mmio = true, .base = base, .irq = irq};
	return m;
}

bool fw_endpoint(const struct fw_device *at, u32 *endpoint)
{
	unsigned int i;

	if (fw_same(at, &fw.iommu))
		return false;
	if (at->is_mmio) {
		const struct fw_mmio *m = fw_find_mmio(at->base);

		if (m)
			*endpoint = m->endpoint;
		return m && m->behind_iommu;
	}
	for (i = 0; i < fw.nr_ranges; i++) {
		const struct fw_iommu_range *r = &fw.ranges[i];

		if (at->bdf >= r->bdf_first && at->bdf <= r->bdf_last) {
			*endpoint = r->endpoint + at->bdf - r->bdf_first;
			return true;
		}
	}
	return false;
}

u32 fw_intx(u16 bdf, u8 pin)
{
	unsigned int i;

	for (i = 0; i < fw.nr_intx; i++) {
		const struct fw_intx *x = &fw.intx[i];

		if (!((x->bdf ^ bdf) & fw.intx_bdf_mask) && !((x->pin ^ pin) & fw.intx_pin_mask))
			return x->irq;
	}
	return FW_NO_IRQ;
}

bool fw_same(const struct fw_device *a, const struct fw_device *b)
{
	return a->is_mmio == b->is_mmio && (a->is_mmio ? a->base == b->base : a->bdf == b->bdf);
}

void fw_name(const struct fw_device *at, char *buf)
{
	if (at->is_mmio)
		format(buf, FW_NAME_SIZE, "mmio@%lx", at->base);
	else
		format(buf, FW_NAME_SIZE, PCI_FMT, PCI_ARGS(at->bdf));
}
