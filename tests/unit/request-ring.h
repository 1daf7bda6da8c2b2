/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The request queue of the guest in iommu-guest.h, of either layout, with many requests on their
 * way, each in a buffer of its own, and answers in any order.
 */
#ifndef LKVM_TESTS_REQUEST_RING_H
#define LKVM_TESTS_REQUEST_RING_H

#include "iommu-guest.h"

/* The guest, up to DRIVER_OK; with @packed there is that layout, which @features may leave out. */
void ring_guest_start(const struct iommu_config *config, bool packed, u64 features);

/* The same after a reset of the device, which forgets all requests. */
void ring_setup(void);

/* Without a kick; the how-manieth request since the start it is, from 0 on. */
unsigned int ring_offer(const void *req, u32 len);
unsigned int ring_offer_map(u32 domain, u64 iova, u64 gpa); /* a page */
unsigned int ring_offer_unmap(u32 domain, u64 iova); /* a page */

void ring_kick(void);

/* Whether the device asks to be kicked for the last @requests. */
bool ring_kick_wanted(u16 requests);

/* The next answer: which request's, and its status. False if there is none yet. */
bool ring_take(unsigned int *request, int *status);

/* Until there is one, which is OK: the request. */
unsigned int ring_wait(void);

/* Whether the driver asks to be interrupted for the next one. */
void ring_want_interrupts(bool want);
unsigned int ring_interrupts(void);

#endif /* LKVM_TESTS_REQUEST_RING_H */
