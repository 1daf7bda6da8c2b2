// SPDX-License-Identifier: GPL-2.0-only
/*
 * From the guest to the host: virtio 1.3, 5.1.6.2.
 *
 * The host reads a frame straight from the driver's buffers. It does so at once or not at
 * all: while we wait for room there the buffers are not open.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "virtio/net-queue.h"

/* The kernel takes so many pieces at a time; the first is the header. */
#define MAX_PIECES (VIRTQ_MAX_SEGS - 1)

/* What a transmit queue waits for. */
enum tx_state {
	TX_BUSY, /* nothing */
	TX_NO_FRAME,
	TX_NO_ROOM,
};

/*
 * Whether the driver may ask for what the header asks for, and if so fits it to what it
 * negotiated. Offsets are judged by the host, which knows the frame.
 */
static bool fit_header(struct net_queue *q, struct virtio_net_hdr_v1 *hdr, u64 frame_len)
{
	const struct virtio_device *vdev = &q->net->vdev;
	unsigned int need;
	u16 hdr_len = le16toh(hdr->hdr_len);

	hdr->num_buffers = 0;
	/* Flags that the device does not know are to be ignored. */
	hdr->flags &= VIRTIO_NET_HDR_F_NEEDS_CSUM;
	if (!virtio_has_feature(vdev, VIRTIO_NET_F_CSUM))
		hdr->flags = 0;
	if (!hdr->flags) {
		hdr->csum_start = 0;
		hdr->csum_offset = 0;
	}
	switch (hdr->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_NONE:
		hdr->gso_type = VIRTIO_NET_HDR_GSO_NONE;
		hdr->gso_size = 0;
		hdr->hdr_len = 0;
		return true;
	case VIRTIO_NET_HDR_GSO_TCPV4:
		need = VIRTIO_NET_F_HOST_TSO4;
		break;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		need = VIRTIO_NET_F_HOST_TSO6;
		break;
	case VIRTIO_NET_HDR_GSO_UDP_L4:
		need = VIRTIO_NET_F_HOST_USO;
		break;
	default:
		return false;
	}
	if (!virtio_has_feature(vdev, need) || ((hdr->gso_type & VIRTIO_NET_HDR_GSO_ECN) &&
						!virtio_has_feature(vdev, VIRTIO_NET_F_HOST_ECN)))
		return false;
	/* A hint that may be wrong (5.1.6.2.2): without one the host looks by itself. */
	if (hdr_len < ETH_HLEN || hdr_len > frame_len)
		hdr->hdr_len = 0;
	return true;
}

/* Writes header and frame, the latter of @len bytes. -EAGAIN: there is no room now. */
static ssize_t write_frame(struct net_queue *q, struct virtio_net_hdr_v1 *hdr, u64 len)
{
	int fd = q->net->backend->fds[q->vq->index / 2];
	unsigned int nr_handles = 0;
	ssize_t ret;
	int nr;

	q->iov[0] = (struct iovec){hdr, sizeof(*hdr)};
	nr = virtq_map(q->vq, &q->chain, false, NET_HDR_SIZE, len, q->iov + 1, q->handles,
		       MAX_PIECES, &nr_handles);
	if (nr == -E2BIG) {
		if (virtq_copy_out(q->vq, &q->chain, NET_HDR_SIZE, q->frame, len) != (ssize_t)len)
			return -EFAULT;
		q->iov[1] = (struct iovec){q->frame, len};
		nr = 1;
	} else if (nr < 0) {
		return -EFAULT;
	}
	do {
		ret = writev(fd, q->iov, nr + 1);
	} while (ret < 0 && errno == EINTR);
	if (ret < 0)
		ret = -errno;
	virtq_unmap(q->vq, q->handles, nr_handles);
	return ret;
}

/*
 * Sends the frame of q->chain. NULL: there is no room for it now; otherwise the counter
 * of what became of it.
 */
static _Atomic u64 *send_frame(struct net_queue *q)
{
	struct net_counters *counters = &q->counters;
	struct virtio_net_hdr_v1 hdr;
	ssize_t ret;
	u64 len;

	if (q->chain.out_len < NET_HDR_SIZE + ETH_HLEN)
		return &counters->malformed;
	len = q->chain.out_len - NET_HDR_SIZE;
	if (len > NET_MAX_FRAME)
		return &counters->too_large;
	if (virtq_copy_out(q->vq, &q->chain, 0, &hdr, sizeof(hdr)) != sizeof(hdr))
		return &counters->unreachable;
	if (!fit_header(q, &hdr, len))
		return &counters->malformed;
	if (!q->net->attached[q->vq->index / 2] || atomic_load(&q->net->gone))
		return &counters->refused;

	ret = write_frame(q, &hdr, len);
	if (ret >= 0) {
		net_count(&counters->bytes, len);
		return &counters->packets;
	}
	switch (-ret) {
	case EAGAIN:
		return NULL;
	case EFAULT:
		return &counters->unreachable;
	case EINVAL:
	case EMSGSIZE:
		return &counters->malformed;
	case EBADFD:
	case EPIPE:
		net_gone(q->net);
		return &counters->refused;
	default:
		return &counters->refused;
	}
}

/* Sends frames for the time of a batch, or until there is something to wait for. */
static enum tx_state send_frames(struct net_queue *q)
{
	enum tx_state state = TX_BUSY;
	u64 start = net_now();

	net_queue_enter(q);
	while (!atomic_load(&q->worker.stop)) {
		_Atomic u64 *fate;

		if (!q->has_chain && virtq_pop(q->vq, &q->chain) <= 0) {
			state = TX_NO_FRAME;
			break;
		}
		q->has_chain = true;
		fate = send_frame(q);
		if (!fate) {
			state = TX_NO_ROOM;
			break;
		}
		net_count(fate, 1);
		q->has_chain = false;
		virtq_push(q->vq, q->chain.head, 0);
		if (net_now() - start >= NET_BATCH_NS)
			break;
	}
	virtq_publish(q->vq);
	net_queue_leave(q);
	return state;
}

void net_serve_tx(struct net_queue *q)
{
	struct pollfd room = {
		.fd = q->net->backend->fds[q->vq->index / 2],
		.events = POLLOUT,
	};

	net_queue_enter(q);
	q->has_chain = false;
	net_queue_leave(q);
	virtq_disable_kick(q->vq);
	while (!atomic_load(&q->worker.stop)) {
		switch (send_frames(q)) {
		case TX_BUSY:
			break;
		case TX_NO_FRAME:
			if (!virtq_enable_kick(q->vq))
				virtio_worker_wait(&q->worker, NULL, 0);
			virtq_disable_kick(q->vq);
			break;
		case TX_NO_ROOM:
			virtio_worker_wait(&q->worker, &room, 1);
			break;
		}
	}
}
