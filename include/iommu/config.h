/* SPDX-License-Identifier: GPL-2.0-only */
/* The option --iommu: what the user can choose of an IOMMU. */
#ifndef LKVM_IOMMU_CONFIG_H
#define LKVM_IOMMU_CONFIG_H

#include "iommu/format.h"
#include "iommu/iommu.h"
#include "util/parse.h"

/* What "--iommu" takes, for the usage text. */
#define IOMMU_USAGE                                                      \
	"put the devices behind a virtio-iommu; suboptions:\n"           \
	"  bypass=on|off    what no driver attached reaches memory\n"    \
	"                   (off)\n"                                     \
	"  granule=SIZE     smallest mapping (4K)\n"                     \
	"  input-bits=N     width of an IOVA, 12 to 64 (64)\n"           \
	"  domain-bits=N    width of a domain ID, 1 to 32 (32)\n"        \
	"  max-mappings=N   of all domains together (1048576)\n"         \
	"  msi=direct|mapped\n"                                          \
	"                   interrupt messages: past the translation,\n" \
	"                   or only through it (direct)\n"               \
	"  resv=START-END   region that must not be mapped; may be\n"    \
	"                   repeated\n"                                  \
	"  poll=N           us for which a thread looks for more\n"      \
	"                   requests after one: no exits for them, on\n" \
	"                   a host with a CPU to spare (0: off)\n"       \
	"  tables=" IOMMU_FORMATS "\n"                                   \
	"                   format of page tables that endpoints take\n" \
	"                   (that of the guest's architecture)\n"        \
	"  map=on|off       offer MAP and UNMAP (on)"

/*
 * Parses "virtio[,key=value]...". @native is the table format without tables=. @resv are regions
 * that the machine has, @nr_resv of them; those for messages only with msi=direct. @device has the
 * keys of the device that carries the requests, of which nothing is known here. Checks that the
 * choices fit each other. Prints the reason; -EINVAL.
 */
int iommu_parse(const char *arg, const struct iommu_format *native, const struct iommu_resv *resv,
		unsigned int nr_resv, const struct subopt_set *device, struct iommu_config *config);

#endif /* LKVM_IOMMU_CONFIG_H */
