/* SPDX-License-Identifier: GPL-2.0-only */
/* Pieces of memory that a request is about, taken from the front on. */
#ifndef LKVM_DISK_IOV_H
#define LKVM_DISK_IOV_H

#include <sys/uio.h>

#include "util/types.h"

/* Alignment that O_DIRECT may ask for, in memory and in files. */
#define DIO_MAX_ALIGN 4096U

/* Never written. */
extern u8 disk_zeroes[64 * KiB];

u64 iov_bytes(const struct iovec *iov, unsigned int nr);

/* Takes @len bytes off the front, with empty entries behind them. */
void iov_skip(struct iovec **iov, unsigned int *nr, size_t len);

/* The same, and moves them to @buf or from there. */
void iov_copy(struct iovec **iov, unsigned int *nr, u8 *buf, size_t len, bool to_buf);

/* The same, and fills them with zeroes. */
void iov_zero(struct iovec **iov, unsigned int *nr, u64 len);

/*
 * For an operation that uses up its @iov: makes the front exactly @len bytes, and returns how
 * many entries these are. Afterwards iov_rejoin() takes that number and @rest, and goes on behind.
 */
unsigned int iov_split(struct iovec *iov, unsigned int nr, u64 len, struct iovec *rest);
void iov_rejoin(struct iovec **iov, unsigned int *nr, unsigned int front, const struct iovec *rest);

#endif /* LKVM_DISK_IOV_H */
