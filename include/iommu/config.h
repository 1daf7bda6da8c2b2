/* SPDX-License-Identifier: GPL-2.0-only */
/* The option --iommu: what the user can choose of an IOMMU. */
#ifndef LKVM_IOMMU_CONFIG_H
#define LKVM_IOMMU_CONFIG_H

#include "iommu/iommu.h"

/* What "--iommu" takes, for the usage text. */
extern const char iommu_usage[];

/*
 * Parses "virtio[,key=value]...". @resv are regions that the machine has in any case,
 * @nr_resv of them. Checks that the choices fit each other. Prints the reason; -EINVAL.
 */
int iommu_parse(const char *arg, const struct iommu_resv *resv, unsigned int nr_resv,
		struct iommu_config *config);

#endif /* LKVM_IOMMU_CONFIG_H */
