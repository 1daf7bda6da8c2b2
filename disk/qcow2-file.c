// SPDX-License-Identifier: GPL-2.0-only
/* The file that a qcow2 disk is in, and what is done when it cannot be trusted any more. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "disk/raw.h"
#include "qcow2-internal.h"
#include "util/log.h"

int qcow2_read(struct qcow2 *q, void *buf, u64 len, u64 off)
{
	struct iovec iov = {.iov_base = buf, .iov_len = len};

	return q->file->ops->preadv(q->file, &iov, 1, off);
}

int qcow2_write(struct qcow2 *q, const void *buf, u64 len, u64 off)
{
	struct iovec iov = {.iov_base = (void *)buf, .iov_len = len};
	int ret;

	if (atomic_load(&q->stopped))
		return -EIO;
	ret = raw_grow(q->file, off + len);
	return ret ? ret : q->file->ops->pwritev(q->file, &iov, 1, off);
}

int qcow2_barrier(struct qcow2 *q)
{
	if (atomic_load(&q->stopped))
		return -EIO;
	/* What the host could not write it may have forgotten: nothing can be built on that. */
	if (q->file->ops->flush(q->file))
		return qcow2_stop(q);
	return 0;
}

int qcow2_stop(struct qcow2 *q)
{
	if (!atomic_exchange(&q->stopped, true))
		pr_warn("disk %s: it is not written any more, so that the image stays whole",
			q->name);
	return -EIO;
}

static void write_corrupt_bit(struct qcow2 *q)
{
	u8 bits[8];
	struct iovec iov = {.iov_base = bits, .iov_len = sizeof(bits)};

	put_be64(bits, q->incompatible | QCOW2_INCOMPAT_CORRUPT);
	q->file->ops->pwritev(q->file, &iov, 1, QCOW2_H_INCOMPATIBLE);
}

int qcow2_corrupt(struct qcow2 *q, const char *fmt, ...)
{
	bool writable = !q->disk.read_only && !atomic_exchange(&q->stopped, true);
	char what[160];
	va_list args;

	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	if (!atomic_exchange(&q->complained, true))
		pr_warn("disk %s: the image is damaged: %s; %slook with 'qemu-img check'", q->name,
			what, q->disk.read_only ? "" : "it is not written any more; ");
	if (writable && q->version >= 3)
		write_corrupt_bit(q);
	return -EIO;
}

int qcow2_bad(const struct qcow2 *q, const char *fmt, ...)
{
	char what[160];
	va_list args;

	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	pr_err("disk %s: the image is damaged: %s; look with 'qemu-img check'", q->name, what);
	return -EINVAL;
}

int qcow2_no_memory(const struct qcow2 *q)
{
	pr_err("disk %s: out of memory", q->name);
	return -ENOMEM;
}

int qcow2_result(struct qcow2 *q, int ret)
{
	const char *what = ret == -ENOMEM   ? "out of memory"
			   : ret == -ERANGE ? "the image cannot have more clusters"
					    : NULL;

	if (what && !atomic_exchange(&q->complained, true))
		pr_warn("disk %s: %s; later errors are not shown", q->name, what);
	return ret;
}
