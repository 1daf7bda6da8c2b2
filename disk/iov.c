// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "disk/iov.h"

/* Not const, so that it takes no place in the program's file. */
u8 disk_zeroes[64 * KiB] __attribute__((aligned(DIO_MAX_ALIGN)));

u64 iov_bytes(const struct iovec *iov, unsigned int nr)
{
	u64 len = 0;

	for (unsigned int i = 0; i < nr; i++)
		len += iov[i].iov_len;
	return len;
}

void iov_skip(struct iovec **iov, unsigned int *nr, size_t len)
{
	while (*nr && len >= (*iov)->iov_len) {
		len -= (*iov)->iov_len;
		(*iov)++;
		(*nr)--;
	}
	if (len) {
		(*iov)->iov_base = (u8 *)(*iov)->iov_base + len;
		(*iov)->iov_len -= len;
	}
}

void iov_copy(struct iovec **iov, unsigned int *nr, u8 *buf, size_t len, bool to_buf)
{
	while (len) {
		size_t part = min(len, (*iov)->iov_len);

		/* An entry may be empty and have no address. */
		if (part && to_buf)
			memcpy(buf, (*iov)->iov_base, part);
		else if (part)
			memcpy((*iov)->iov_base, buf, part);
		iov_skip(iov, nr, part);
		buf += part;
		len -= part;
	}
}

void iov_zero(struct iovec **iov, unsigned int *nr, u64 len)
{
	while (len) {
		size_t part = min(len, (u64)(*iov)->iov_len);

		if (part)
			memset((*iov)->iov_base, 0, part);
		iov_skip(iov, nr, part);
		len -= part;
	}
}

unsigned int iov_split(struct iovec *iov, unsigned int nr, u64 len, struct iovec *rest)
{
	unsigned int i = 0;

	*rest = (struct iovec){0};
	while (i < nr && len >= iov[i].iov_len)
		len -= iov[i++].iov_len;
	if (!len)
		return i;
	rest->iov_base = (u8 *)iov[i].iov_base + len;
	rest->iov_len = iov[i].iov_len - len;
	iov[i].iov_len = len;
	return i + 1;
}

void iov_rejoin(struct iovec **iov, unsigned int *nr, unsigned int front, const struct iovec *rest)
{
	*iov += front;
	*nr -= front;
	if (!rest->iov_len)
		return;
	(*iov)--;
	(*nr)++;
	**iov = *rest;
}
