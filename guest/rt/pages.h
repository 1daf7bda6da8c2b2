/* SPDX-License-Identifier: GPL-2.0-only */
/* Pages that are given back, for tables that come and go. */
#ifndef LKVM_GUEST_RT_PAGES_H
#define LKVM_GUEST_RT_PAGES_H

#include "util/types.h"

#define PAGES_MAX_ORDER 5

#define PAGES_NO_LIMIT ~0U

/*
 * How many blocks pages_get() still gives before it fails: a guest sets it to see what becomes
 * of a driver that gets no memory.
 */
extern u32 pages_left;

/* Blocks that were not given back. */
extern u32 pages_taken;

/* 2^@order zeroed pages, aligned to their size; NULL if @pages_left is 0. */
void *pages_get(unsigned int order);

/* Gives them back; nothing if @p is NULL. */
void pages_put(void *p, unsigned int order);

#endif /* LKVM_GUEST_RT_PAGES_H */
