/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Workers of virtio devices without threads, in the place of virtio/worker.c: what a thread would
 * do is done when the target says so, up to where the thread would sleep. So an input always does
 * the same.
 */
#ifndef LKVM_TESTS_INLINE_WORKER_H
#define LKVM_TESTS_INLINE_WORKER_H

/* One turn for each that is started, in the order in which they were made. */
void inline_workers_run(void);

#endif /* LKVM_TESTS_INLINE_WORKER_H */
