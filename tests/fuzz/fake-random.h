/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random numbers of the host that are always the same, in a target that is linked with FUZZ_WRAP :=
 * getrandom and calls this.
 */
#ifndef LKVM_TESTS_FAKE_RANDOM_H
#define LKVM_TESTS_FAKE_RANDOM_H

void fake_random_install(void);

#endif /* LKVM_TESTS_FAKE_RANDOM_H */
