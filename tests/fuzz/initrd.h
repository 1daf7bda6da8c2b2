/* SPDX-License-Identifier: GPL-2.0-only */
/* A file for kernel loaders: its path, once it has one of a few sizes, some more than memory has.
 */
#ifndef LKVM_TESTS_INITRD_H
#define LKVM_TESTS_INITRD_H

const char *initrd_of(unsigned int which);

#endif /* LKVM_TESTS_INITRD_H */
