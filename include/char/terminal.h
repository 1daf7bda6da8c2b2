/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The user's terminal as a guest's console: stdin in raw mode while the guest runs,
 * ctrl-a as the escape key (ctrl-a x leaves, ctrl-a a sends a ctrl-a, ctrl-a h says
 * so), stdout for what the guest prints.
 */
#ifndef LKVM_CHAR_TERMINAL_H
#define LKVM_CHAR_TERMINAL_H

#include "char/chardev.h"

/* More than a person types or pastes while a guest is busy. */
#define TERMINAL_MAX_HELD MiB

/* Used by the main thread only. */
struct terminal {
	struct chardev dev; /* the others use its functions; closing it does nothing */
	struct loop *loop;
	struct loop_source source;
	struct loop_source wake_source; /* the console has room again, or stdin is a file */
	struct loop_source size_source; /* signalfd of SIGWINCH, -1: nobody asks for the size */
	bool is_file; /* stdin has always something to read, up to its end */
	bool escape; /* the last byte was ctrl-a */

	int out_fd; /* stdout, or the same terminal as a file of our own */
	size_t out_part; /* bytes that a write does not block for, once there is room */
	void (*leave)(void *opaque);
	void *leave_opaque;

	bool lost; /* the user was told that more is held than there is room for */
	size_t first_held, nr_held;
	/*
	 * Read, but not yet taken by the console: nr_held bytes from first_held on. The last
	 * member, which nobody clears: it is memory of the host only if it is used.
	 */
	u8 held[TERMINAL_MAX_HELD];
};

/*
 * Before anything is opened: a closed stdin or stderr becomes /dev/null, so that no file
 * of the machine takes its number and what is written to it. A closed stdout is the
 * user's mistake: -EBADF, reported.
 */
int terminal_check(void);

/*
 * @leave is called for ctrl-a x. Output that nobody reads is waited for only until
 * @stop_fd is readable. -errno, reported.
 */
int terminal_init(struct terminal *term, struct loop *loop, int stop_fd,
		  void (*leave)(void *opaque), void *leave_opaque);
void terminal_destroy(struct terminal *term);

/*
 * Raw mode, if stdin is a terminal and a device is connected to it, until
 * terminal_restore() or the program's exit. In the background only terminal_again() sets it.
 */
void terminal_make_raw(const struct terminal *term);

/*
 * The modes as they were; in the background only if they are still those that were set here,
 * since they may be those of another program. Async-signal-safe.
 */
void terminal_restore(void);

/* The same until terminal_again(): the program is about to stop. */
void terminal_suspend(void);

/* The program goes on after it was stopped: raw mode if it is in the foreground. */
void terminal_again(void);

#endif /* LKVM_CHAR_TERMINAL_H */
