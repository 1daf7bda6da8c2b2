// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtio network device: frames of the guest with any headers, commands of its control queue,
 * and frames from the host for buffers of any size.
 */
#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fuzz.h"
#include "hostile-driver.h"
#include "inline-worker.h"
#include "virtio/net-queue.h"

#define PAIRS	  2
#define NR_QUEUES (2 * PAIRS + 1)
#define HDR	  NET_HDR_SIZE

static struct net_backend backend;
static int host[PAIRS];
static unsigned int fail_attach;

static int set_offloads(struct net_backend *b, u32 offloads)
{
	(void)b;
	CHECK(!(offloads & ~0x6fU));
	return 0;
}

static int set_queue(struct net_backend *b, unsigned int index, bool attached)
{
	CHECK(index && index < b->nr_queues);
	return attached && fail_attach == index ? -16 : 0;
}

static void close_backend(struct net_backend *b)
{
	for (unsigned int i = 0; i < b->nr_queues; i++)
		close(b->fds[i]);
}

static const struct net_backend_ops backend_ops = {
	.set_offloads = set_offloads,
	.set_queue = set_queue,
	.close = close_backend,
};

static void make_backend(void)
{
	backend = (struct net_backend){
		.ops = &backend_ops,
		.name = "test0",
		.offloads = 0x6f,
		.nr_queues = PAIRS,
	};
	for (unsigned int i = 0; i < PAIRS; i++) {
		int ends[2];

		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends))
			exit(2);
		backend.fds[i] = ends[0];
		host[i] = ends[1];
	}
}

static struct virtio_net_hdr_v1 header(void)
{
	struct virtio_net_hdr_v1 hdr = {0};

	if (fuzz_bool())
		return hdr;
	hdr.flags = unit_below(8);
	hdr.gso_type = fuzz_bool() ? unit_below(6) : fuzz_int(1);
	hdr.hdr_len = htole16(fuzz_number());
	hdr.gso_size = htole16(fuzz_number());
	hdr.csum_start = htole16(fuzz_number());
	hdr.csum_offset = htole16(fuzz_number());
	hdr.num_buffers = htole16(unit_below(3));
	return hdr;
}

static u32 frame_length(void)
{
	switch (unit_below(4)) {
	case 0:
		return fuzz_int(1);
	case 1:
		return fuzz_int(2) + unit_below(256);
	default:
		return 14 + unit_below(1600);
	}
}

/* From the host: some may have no room. */
static void host_frame(void)
{
	static u8 frame[68 * KiB];
	struct virtio_net_hdr_v1 hdr = header();
	struct iovec iov[] = {{&hdr, HDR}, {frame, frame_length()}};

	fuzz_take(frame, 18);
	if (writev(host[unit_below(PAIRS)], iov, 2) < 0)
		return;
}

static void host_reads(void)
{
	static u8 frame[68 * KiB];

	for (unsigned int i = 0; i < PAIRS; i++)
		while (recv(host[i], frame, sizeof(frame), MSG_TRUNC) > 0)
			;
}

static void guest_frame(unsigned int pair)
{
	static u8 frame[68 * KiB];
	struct virtio_net_hdr_v1 hdr = header();
	u32 len = HDR + frame_length();

	memcpy(frame, &hdr, HDR);
	fuzz_take(frame + HDR, 18);
	hostile_request(2 * pair + 1, frame, len, 0);
}

/* The tables of addresses: there may be more of them than the device keeps, or is given. */
static u32 put_tables(u8 *data)
{
	u32 len = 0;

	for (unsigned int table = 0; table < 2; table++) {
		u32 nr = unit_below(4) ? unit_below(4) : unit_below(80), told = htole32(nr);

		if (unit_below(16) == 0)
			told = fuzz_number();
		memcpy(data + len, &told, sizeof(told));
		len += sizeof(told);
		for (unsigned int i = 0; i < nr; i++, len += 6) {
			data[len] = 2 | table;
			data[len + 5] = i;
		}
	}
	return len;
}

/* What belongs to a command of this class. */
static u32 put_command(u8 *bytes, u8 class)
{
	u8 *data = bytes + 2;

	switch (class) {
	case VIRTIO_NET_CTRL_RX:
		data[0] = unit_below(8) ? unit_below(2) : fuzz_int(1);
		return 1;
	case VIRTIO_NET_CTRL_MAC:
		if (bytes[1] == VIRTIO_NET_CTRL_MAC_TABLE_SET)
			return put_tables(data);
		fuzz_take(data, 6);
		return 6;
	case VIRTIO_NET_CTRL_MQ:
		data[0] = unit_below(8) ? 1 + unit_below(PAIRS) : fuzz_int(1);
		return 2;
	case VIRTIO_NET_CTRL_GUEST_OFFLOADS:
		/* The bits of features: checksums, and what builds on them. */
		data[0] = fuzz_int(1) & 0x82;
		data[1] = fuzz_int(1) & 0x07;
		data[6] = fuzz_int(1) & 0xc0;
		return 8;
	}
	return unit_below(40);
}

static void command(void)
{
	u8 bytes[1100] = {0};
	u32 len;

	bytes[0] = unit_below(7);
	bytes[1] = unit_below(6);
	if (unit_below(2) && bytes[0] != VIRTIO_NET_CTRL_RX)
		bytes[1] = unit_below(2);
	len = 2 + put_command(bytes, bytes[0]);
	if (!unit_below(8))
		len = unit_below(len + 8);
	hostile_request(NR_QUEUES - 1, bytes, len, unit_below(4) ? 1 : unit_below(3));
}

void fuzz_one(void)
{
	struct net_config config = {
		.options.what = "--net",
		.has_mac = true,
		.mac = {2, 0, 0, 0, 0, 1},
	};
	struct iommu_endpoint *ep = hostile_begin();
	struct virtio_net *net;

	config.offload = fuzz_bool();
	config.tap.mtu = fuzz_bool() ? 0 : 1500;
	fail_attach = unit_below(4);
	make_backend();
	if (virtio_net_create(&net, &config, &backend, &hd.mem, ep))
		exit(2);
	hostile_start(&net->vdev, NR_QUEUES);
	while (fuzz_more()) {
		unsigned int queue = unit_below(NR_QUEUES);
		u8 step = fuzz_int(1);

		if (step < 48)
			guest_frame(queue % PAIRS);
		else if (step < 96)
			command();
		else if (step < 144)
			hostile_request(queue % PAIRS * 2, NULL, 0,
					fuzz_bool() ? 1600 : unit_below(68 * KiB));
		else if (step < 200)
			host_frame();
		else if (step < 224)
			hostile_ring(queue);
		else if (step < 232)
			hostile_config();
		else if (step < 244)
			hostile_iommu();
		else if (step < 252)
			host_reads();
		else
			hostile_restart();
		inline_workers_run();
		/* Commands do not wait for anything. */
		CHECK(hostile_take(queue) || queue != NR_QUEUES - 1 ||
		      !virtio_has_feature(&net->vdev, VIRTIO_NET_F_MQ));
	}
	fake_driver_status(&hd.drv, 0);
	virtio_net_destroy(net);
	for (unsigned int i = 0; i < PAIRS; i++)
		close(host[i]);
	hostile_end();
}
