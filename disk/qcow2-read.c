// SPDX-License-Identifier: GPL-2.0-only
#include "disk/iov.h"
#include "qcow2-internal.h"

/* Of @disk, which is the file or the backing file. */
static int read_front(struct disk *disk, struct iovec **iov, unsigned int *nr, u64 off, u64 len)
{
	struct iovec rest;
	unsigned int front = iov_split(*iov, *nr, len, &rest);
	int ret = disk->ops->preadv(disk, *iov, front, off);

	iov_rejoin(iov, nr, front, &rest);
	return ret;
}

static int read_extent(struct qcow2 *q, const struct qcow2_extent *ext, struct iovec **iov,
		       unsigned int *nr, u64 off, u64 len)
{
	u64 part = 0;
	int ret;

	switch (ext->kind) {
	case QCOW2_DATA:
		return read_front(q->file, iov, nr, ext->host, len);
	case QCOW2_COMPRESSED_DATA:
		return qcow2_unpack(q, ext->host, in_cluster(q, off), len, iov, nr);
	case QCOW2_NOTHING:
		if (!qcow2_is_backed(q, off))
			break;
		part = min(len, q->backing->size - off);
		ret = read_front(q->backing, iov, nr, off, part);
		if (ret)
			return ret;
		break;
	case QCOW2_ZEROES:
		break;
	}
	iov_zero(iov, nr, len - part);
	return 0;
}

int qcow2_view(struct qcow2 *q, struct iovec *iov, unsigned int nr, u64 off, u64 len)
{
	while (len) {
		struct qcow2_extent ext;
		int ret = 0;

		if (off >= q->disk.size)
			ext = (struct qcow2_extent){.kind = QCOW2_ZEROES, .len = len};
		else
			ret = qcow2_map(q, off, min(len, q->disk.size - off), false, &ext);
		if (!ret)
			ret = read_extent(q, &ext, &iov, &nr, off, ext.len);
		if (ret)
			return ret;
		off += ext.len;
		len -= ext.len;
	}
	return 0;
}

int qcow2_preadv(struct disk *disk, struct iovec *iov, unsigned int nr, u64 off)
{
	struct qcow2 *q = to_qcow2(disk);
	u64 len = iov_bytes(iov, nr);
	struct qcow2_range range;
	int ret;

	if (!len)
		return 0;
	qcow2_range_lock(q, &range, off, len, false);
	ret = qcow2_view(q, iov, nr, off, len);
	qcow2_range_unlock(q, &range);
	return qcow2_result(q, ret);
}
