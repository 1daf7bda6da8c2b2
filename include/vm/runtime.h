/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The names of the running guests. Each guest has two files in the runtime directory:
 * NAME.sock, its control socket, and NAME.lock, which it holds locked as long as it lives.
 * The lock decides whether a guest runs, never the socket; the kernel drops it with the
 * process, and says which process has it.
 *
 * The guest locks bytes 0 and 1. Who removes the files of a guest that was killed locks
 * byte 0 alone, so that nobody takes that for a guest.
 */
#ifndef LKVM_VM_RUNTIME_H
#define LKVM_VM_RUNTIME_H

#include <signal.h>
#include <sys/types.h>

#include "util/types.h"

#define GUEST_NAME_MAX 64 /* bytes */

/* What --name takes, for the usage text. */
#define GUEST_NAME_USAGE "what 'lkvm list' and the others call the guest (guest-PID)"

/*
 * Letters, digits, '.', '_' and '-', not '.' or '-' at the start, 1 to GUEST_NAME_MAX.
 * Prints nothing.
 */
bool guest_name_valid(const char *name);

/* The directory's path, as long as the program lives. */
const char *runtime_dir_path(void);

/*
 * Opens the runtime directory: $LKVM_RUNTIME_DIR, or $XDG_RUNTIME_DIR/lkvm if that variable
 * names a directory of this user, or /run/lkvm for root, or /tmp/lkvm-UID. With @create it
 * is made, mode 0700, if it is not there. -ENOENT without a message: it is not there, and
 * so is no guest. Others with a message: -EPERM if other users own it or can write to it.
 * Without @create root may look into those of other users.
 */
int runtime_dir_open(bool create);

/*
 * Takes @name (valid) for this process. Until guest_release() the signals that end a program
 * by default call @before_end (async-signal-safe) and remove the guest's files before they
 * do so, unless they are ignored or blocked. One guest a process; no other thread runs yet.
 * Prints the reason: -EEXIST if a guest of this name runs, and what the runtime directory
 * returned.
 */
int guest_claim(const char *name, void (*before_end)(void));

/*
 * After guest_claim(): the signals that it handles and that another thread or process sends. Who
 * blocks them may take them in another way, which has to call guest_release(), too. The others
 * are faults, which the kernel does not let wait: it ends a process that blocks them.
 */
void guest_ending_signals(sigset_t *signals);

/* The name that this process has, or NULL. */
const char *guest_name(void);

/*
 * A listening socket at the guest's name, for this user alone. After guest_claim(), and
 * with the signals that end the program blocked. Prints the reason; -errno.
 */
int guest_listen(void);

/* Removes the files and gives up the name. Harmless without one, and async-signal-safe. */
void guest_release(void);

/*
 * The process of the guest @name (valid) in the directory @dir. 0: none runs, and if there
 * were files of it, they were removed. -errno: it cannot be said, without a message.
 */
pid_t guest_pid(int dir, const char *name);

/*
 * A connection to the guest's socket, nonblocking, made within @ms milliseconds. -ENOENT: it
 * does not listen yet; -ECONNREFUSED: not any more; -ETIMEDOUT: others wait for it, too.
 */
int guest_connect(int dir, const char *name, u64 ms);

/*
 * The names of the guests that run, sorted, in a block for free(); *@names is NULL for none.
 * The files of dead ones are removed. Their number, or -errno, without a message.
 */
int guest_list(int dir, char (**names)[GUEST_NAME_MAX + 1]);

#endif /* LKVM_VM_RUNTIME_H */
