/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files of this process that must not be left behind, not even when a signal ends it: sockets
 * and links that it made for other programs to find.
 */
#ifndef LKVM_UTIL_CLEANUP_H
#define LKVM_UTIL_CLEANUP_H

#include <signal.h>

/* Each console port and the serial port have at most one. */
#define CLEANUP_MAX 32

/*
 * Blocks all signals of this thread until cleanup_unhold(): from before a file is made until
 * cleanup_add() knows of it.
 */
void cleanup_hold(sigset_t *old);
void cleanup_unhold(const sigset_t *old);

/*
 * The file at @path, just made, is removed by cleanup_remove() or cleanup_run(), unless there
 * is another one by then. The handle for cleanup_remove(), or -errno: the file is the
 * caller's. Main thread only.
 */
int cleanup_add(const char *path);

/* Removes the file of @handle, which is used up. Harmless for negative ones. */
void cleanup_remove(int handle);

/* Removes what there is, before a signal ends the process. Async-signal-safe, any thread. */
void cleanup_run(void);

#endif /* LKVM_UTIL_CLEANUP_H */
