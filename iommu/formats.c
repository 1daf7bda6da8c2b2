// SPDX-License-Identifier: GPL-2.0-only
/* Every table format that there is: a new one has a line here. */
#include <errno.h>
#include <string.h>

#include "iommu/format.h"

const struct iommu_format *const iommu_formats[] = {
	&format_smmuv3, &format_vtd,	    &format_amd, &format_amd_pt,
	&format_riscv,	&format_riscv_gipc, NULL,
};

int iommu_format_by_name(const char *name, const struct iommu_format **format)
{
	*format = NULL;
	if (!strcmp(name, "none"))
		return 0;
	for (unsigned int i = 0; iommu_formats[i]; i++) {
		if (!strcmp(name, iommu_formats[i]->name)) {
			*format = iommu_formats[i];
			return 0;
		}
	}
	return -EINVAL;
}
