/* SPDX-License-Identifier: GPL-2.0-only */
/* A 16550A serial port. */
#ifndef LKVM_HW_SERIAL_H
#define LKVM_HW_SERIAL_H

#include <pthread.h>

#include "char/chardev.h"
#include "util/types.h"
#include "vm/vm.h"

#define SERIAL_FIFO_SIZE 64

struct serial {
	struct vm *vm;
	struct chardev *chardev;
	u32 gsi;

	pthread_mutex_t lock; /* guards what follows */
	u8 ier, fcr, lcr, mcr, scr;
	u8 dll, dlm;
	bool overrun;
	bool thr_empty_pending; /* the interrupt of that name is due */
	bool irq; /* the wire as we drive it */
	bool full; /* the other end waits for room */
	unsigned int polls; /* for input, in vain */
	u8 fifo[SERIAL_FIFO_SIZE];
	unsigned int head, count;
};

/*
 * Puts the port's registers at [base, base + 8) of @bus, one of @vm's, with interrupt @gsi and
 * @chardev, which stays the caller's, at the other end of the line. -EEXIST, -ENOSPC as bus_add().
 */
int serial_init(struct serial *serial, struct vm *vm, struct bus *bus, u64 base, u32 gsi,
		struct chardev *chardev);

#endif /* LKVM_HW_SERIAL_H */
