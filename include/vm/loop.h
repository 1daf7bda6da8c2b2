/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The main thread's event loop: file descriptors that become readable or writable, each
 * with a function. Sources are added before it runs, or by its own functions.
 */
#ifndef LKVM_VM_LOOP_H
#define LKVM_VM_LOOP_H

#include "util/types.h"

struct loop {
	int fd;
	bool done;
};

struct loop_source {
	int fd;
	void (*ready)(void *opaque);
	void *opaque;
	bool out; /* wait for room to write, not for something to read */
};

int loop_init(struct loop *loop);
void loop_destroy(struct loop *loop);

/* @source stays the caller's and must live as long as it is in the loop. */
int loop_add(struct loop *loop, struct loop_source *source);

/* Stops or goes on looking at the source; it may be as it should be already. */
void loop_enable(struct loop *loop, struct loop_source *source, bool on);

/* Until loop_quit() is called from one of the functions. -errno. */
int loop_run(struct loop *loop);
void loop_quit(struct loop *loop);

#endif /* LKVM_VM_LOOP_H */
