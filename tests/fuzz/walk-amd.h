/* SPDX-License-Identifier: GPL-2.0-only */
/* What the targets of the two formats of AMD share. */
#ifndef LKVM_TESTS_WALK_AMD_H
#define LKVM_TESTS_WALK_AMD_H

#include "util/types.h"

/* Walks of the format amd-pt if @pt, or amd, in arbitrary memory against the reference. */
void walk_amd(bool pt);

#endif /* LKVM_TESTS_WALK_AMD_H */
