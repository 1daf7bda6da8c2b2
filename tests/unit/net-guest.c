// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <errno.h>
#include <linux/virtio_config.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net-guest.h"
#include "unit.h"

/* A wait that takes so long is for something that never comes. */
#define LOST_NS 30000000000ULL

struct net_guest ng;

static int set_offloads(struct net_backend *backend, u32 offloads)
{
	(void)backend;
	ng.offloads = offloads;
	return 0;
}

static int set_queue(struct net_backend *backend, unsigned int index, bool attached)
{
	(void)backend;
	if (attached && ng.fail_attach == index)
		return -EBUSY;
	ng.attached[index] = attached;
	return 0;
}

static void close_backend(struct net_backend *backend)
{
	ng.closed = true;
	for (unsigned int i = 0; i < backend->nr_queues; i++)
		close(backend->fds[i]);
}

static const struct net_backend_ops backend_ops = {
	.set_offloads = set_offloads,
	.set_queue = set_queue,
	.close = close_backend,
};

static void make_backend(unsigned int pairs)
{
	ng.backend = (struct net_backend){
		.ops = &backend_ops,
		.name = "test0",
		.offloads = 0x6f,
		.nr_queues = pairs,
	};
	for (unsigned int i = 0; i < pairs; i++) {
		int ends[2];

		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends))
			exit(2);
		ng.backend.fds[i] = ends[0];
		ng.host[i] = ends[1];
		ng.attached[i] = true;
	}
}

static void make_iommu(void)
{
	static const struct iommu_config config = {
		.page_size_mask = ~4095ULL,
		.input_last = UINT64_MAX,
		.domain_last = 10,
		.max_mappings = 1000,
	};
	static const struct mapping all = {
		.start = 0,
		.last = RAM_SIZE - 1,
		.flags = MAPPING_READ | MAPPING_WRITE,
	};

	if (iommu_init(&ng.iommu, &config) || iommu_add_endpoint(&ng.iommu, &ng.ep, 8) ||
	    iommu_attach(&ng.iommu, 1, 8, false) || iommu_map(&ng.iommu, 1, &all))
		exit(2);
}

void net_guest_restart(u64 without)
{
	u64 features = ng.net->vdev.offered & ~without;
	unsigned int nr = features & FEATURE(MQ) ? ng.net->vdev.nr_vqs : 3;

	CHECK(fake_driver_negotiate(&ng.drv, features));
	for (unsigned int i = 0; i < nr; i++)
		fake_queue_setup(&ng.q[i], &ng.drv, i, RING_SIZE, RINGS(i));
	ng.ctrl = &ng.q[nr - 1];
	ng.next_buffer = BUFFERS;
	fake_driver_status(&ng.drv, VIRTIO_CONFIG_S_DRIVER_OK);
}

void net_guest_start(const struct net_guest_options *opts)
{
	const struct net_config config = {
		.options.what = "--net",
		.tap.mtu = opts->mtu,
		.has_mac = true,
		.mac = {2, 0, 0, 0, 0, 1},
		.offload = !opts->no_offload,
	};

	memset(&ng, 0, sizeof(ng));
	ng.fail_attach = NET_MAX_QUEUES;
	if (guest_mem_add_bank(&ng.mem, 0, RAM_SIZE))
		exit(2);
	make_backend(max(opts->pairs, 1U));
	if (opts->iommu)
		make_iommu();
	if (virtio_net_create(&ng.net, &config, &ng.backend, &ng.mem, opts->iommu ? &ng.ep : NULL))
		exit(2);
	fake_driver_init(&ng.drv, &ng.net->vdev, &ng.mem);
	net_guest_restart(opts->without);
}

void net_guest_end(void)
{
	fake_driver_status(&ng.drv, 0);
	virtio_net_destroy(ng.net);
	CHECK(ng.closed);
	for (unsigned int i = 0; i < ng.backend.nr_queues; i++)
		close(ng.host[i]);
	if (ng.ep.iommu)
		iommu_destroy(&ng.iommu);
	guest_mem_destroy(&ng.mem);
}

bool await_used(struct fake_queue *q, u16 nr)
{
	u16 want = q->used_idx + nr;
	u64 end = net_now() + LOST_NS;

	while (fake_used_idx(q) != want && net_now() < end)
		sched_yield();
	return CHECK_EQ(fake_used_idx(q), want);
}

bool await_count(const _Atomic u64 *counter, u64 value)
{
	u64 end = net_now() + LOST_NS;

	while (atomic_load(counter) != value && net_now() < end)
		sched_yield();
	return CHECK_EQ(atomic_load(counter), value);
}

u64 net_buffer(struct fake_queue *q, u32 len)
{
	u64 addr = ng.next_buffer;

	ng.next_buffer += align_up(len, 4096) + 4096;
	fake_fill(&ng.drv, addr, 0xee, len);
	fake_offer(q, fake_chain(q, &(struct fake_seg){addr, len}, 0, 1));
	fake_kick(q);
	return addr;
}

u8 net_pattern(u32 i)
{
	return i * 7 + i / 251;
}

void host_send(unsigned int pair, const struct virtio_net_hdr_v1 *hdr, u32 len)
{
	u8 *packet = calloc(1, HDR + len);

	if (!packet)
		abort();
	if (hdr)
		memcpy(packet, hdr, HDR);
	for (u32 i = 0; i < len; i++)
		packet[HDR + i] = net_pattern(i);
	CHECK_EQ(write(ng.host[pair], packet, HDR + len), HDR + len);
	free(packet);
}

ssize_t host_receive(unsigned int pair, struct virtio_net_hdr_v1 *hdr, void *frame, size_t size)
{
	struct pollfd readable = {.fd = ng.host[pair], .events = POLLIN};
	struct iovec iov[2] = {{hdr, HDR}, {frame, size}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};

	if (!CHECK_EQ(poll(&readable, 1, LOST_NS / 1000000), 1))
		return -1;
	return recvmsg(ng.host[pair], &msg, 0) - (ssize_t)HDR;
}

bool guest_send(unsigned int pair, const struct virtio_net_hdr_v1 *hdr, u32 len)
{
	struct fake_queue *q = TX(pair);
	u32 id, used;

	fake_write(&ng.drv, OUT, hdr, HDR);
	for (u32 i = 0; i < len; i++) {
		u8 byte = net_pattern(i);

		fake_write(&ng.drv, OUT + HDR + i, &byte, 1);
	}
	fake_offer(q, fake_chain(q, &(struct fake_seg){OUT, HDR + len}, 1, 0));
	fake_kick(q);
	return await_used(q, 1) && CHECK(fake_take_used(q, &id, &used)) && CHECK_EQ(used, 0);
}

int net_command(u8 class, u8 code, const void *data, u32 len)
{
	const struct virtio_net_ctrl_hdr hdr = {class, code};
	const struct fake_seg segs[] = {{OUT, 2}, {OUT + 64, len}, {ACK, 1}};
	u32 id, used;
	u8 ack;

	fake_write(&ng.drv, OUT, &hdr, 2);
	fake_write(&ng.drv, OUT + 64, data, len);
	fake_fill(&ng.drv, ACK, 0xee, 1);
	fake_offer(ng.ctrl, fake_chain(ng.ctrl, segs, 2, 1));
	fake_kick(ng.ctrl);
	if (!await_used(ng.ctrl, 1) || !fake_take_used(ng.ctrl, &id, &used) || used != 1)
		return -1;
	fake_read(&ng.drv, ACK, &ack, 1);
	return ack;
}
