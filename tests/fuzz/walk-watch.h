/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counts the entries that walks read: the target is linked so that guest_mem_load64(), which is
 * what reads one, and guest_mem_cmpxchg64() come by here.
 */
#ifndef LKVM_TESTS_WALK_WATCH_H
#define LKVM_TESTS_WALK_WATCH_H

/*
 * Between a begin and an end there is one walk: it has read at most @most entries, one a level.
 * An entry that was read twice, or a walk in circles, is more. Where a table is below itself, a
 * walk loses a compare-and-swap to its own one of the level above, and begins again.
 */
void walk_watch_begin(void);
void walk_watch_end(unsigned int most);

#endif /* LKVM_TESTS_WALK_WATCH_H */
