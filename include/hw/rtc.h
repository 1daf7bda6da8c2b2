/* SPDX-License-Identifier: GPL-2.0-only */
/* The MC146818 real-time clock of a PC, with its alarm; time is the host's, in UTC. */
#ifndef LKVM_HW_RTC_H
#define LKVM_HW_RTC_H

#include <pthread.h>

#include "util/types.h"
#include "vm/loop.h"
#include "vm/vm.h"

struct rtc {
	struct vm *vm;
	u32 gsi;
	struct loop_source source; /* its timer */

	pthread_mutex_t lock; /* guards what follows */
	u8 index;
	u8 ram[128];
	s64 offset; /* seconds that the guest's clock is ahead of the host's */
	bool irq;
};

/* Ports [port, port + 2). -errno. */
int rtc_init(struct rtc *rtc, struct vm *vm, struct loop *loop, u64 port, u32 gsi);
void rtc_destroy(struct rtc *rtc);

#endif /* LKVM_HW_RTC_H */
