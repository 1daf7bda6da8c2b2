// SPDX-License-Identifier: GPL-2.0-only
/* The virtio network device: features, headers and buffers in both directions. */
#include <endian.h>
#include <linux/virtio_config.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "capture.h"
#include "net-guest.h"
#include "unit.h"
#include "util/report.h"

static const struct net_guest_options one_pair;
static const struct virtio_net_hdr_v1 plain;

static struct virtio_net_config read_config(void)
{
	struct virtio_net_config c = {0};

	pthread_mutex_lock(&ng.net->vdev.lock);
	ng.net->vdev.ops->config_read(&ng.net->vdev, 0, &c, ng.net->vdev.ops->config_size);
	pthread_mutex_unlock(&ng.net->vdev.lock);
	return c;
}

static bool frame_is(u64 addr, u32 from, u32 len)
{
	for (u32 i = 0; i < len; i++) {
		u8 byte;

		fake_read(&ng.drv, addr + i, &byte, 1);
		if (byte != net_pattern(from + i))
			return CHECK_EQ(i, len);
	}
	return true;
}

static struct virtio_net_hdr_v1 header_at(u64 addr)
{
	struct virtio_net_hdr_v1 hdr;

	fake_read(&ng.drv, addr, &hdr, HDR);
	return hdr;
}

/* The used length of the next used buffer. */
static u32 take(struct fake_queue *q)
{
	u32 id, len = ~0;

	CHECK(fake_take_used(q, &id, &len));
	return len;
}

TEST(features_and_config)
{
	const u64 offloads = FEATURE(CSUM) | FEATURE(GUEST_CSUM) | FEATURE(HOST_TSO4) |
			     FEATURE(HOST_TSO6) | FEATURE(HOST_ECN) | FEATURE(GUEST_TSO4) |
			     FEATURE(GUEST_TSO6) | FEATURE(GUEST_ECN) | FEATURE(HOST_USO) |
			     FEATURE(GUEST_USO4) | FEATURE(GUEST_USO6) |
			     FEATURE(CTRL_GUEST_OFFLOADS);
	static const u8 mac[] = {2, 0, 0, 0, 0, 1};
	struct virtio_net_config c;

	net_guest_start(&one_pair);
	c = read_config();
	CHECK_EQ(ng.net->vdev.ops->id, 1);
	CHECK_EQ(ng.net->vdev.ops->config_size, 12);
	CHECK_EQ(ng.net->vdev.nr_vqs, 3);
	CHECK_EQ(ng.net->vdev.offered & offloads, offloads);
	CHECK(!(ng.net->vdev.offered & (FEATURE(MQ) | FEATURE(MTU) | FEATURE(GUEST_UFO))));
	CHECK_EQ(memcmp(c.mac, mac, 6), 0);
	CHECK_EQ(le16toh(c.status), VIRTIO_NET_S_LINK_UP);
	CHECK_EQ(le16toh(c.max_virtqueue_pairs), 1);
	CHECK_EQ(ng.offloads, 0x6f);
	/* Fields are read-only. */
	ng.net->vdev.ops->config_write(&ng.net->vdev, 0, "\4\4\4\4\4\4", 6);
	CHECK_EQ(memcmp(read_config().mac, mac, 6), 0);
	net_guest_end();

	net_guest_start(&(struct net_guest_options){.pairs = 3, .mtu = 9000, .no_offload = true});
	CHECK_EQ(ng.net->vdev.nr_vqs, 7);
	CHECK_EQ(ng.net->vdev.offered & offloads, 0);
	CHECK_EQ(le16toh(read_config().max_virtqueue_pairs), 3);
	CHECK_EQ(le16toh(read_config().mtu), 9000);
	CHECK_EQ(ng.offloads, 0);
	net_guest_end();
}

/* 5.1.3.1: a feature without the one that it builds on is refused. */
TEST(feature_dependencies)
{
	static const struct {
		u64 feature, without;
	} wrong[] = {
		{FEATURE(GUEST_TSO4), FEATURE(GUEST_CSUM)},
		{FEATURE(GUEST_TSO6), FEATURE(GUEST_CSUM)},
		{FEATURE(GUEST_ECN), FEATURE(GUEST_TSO4) | FEATURE(GUEST_TSO6)},
		{FEATURE(HOST_TSO4), FEATURE(CSUM)},
		{FEATURE(HOST_USO), FEATURE(CSUM)},
		{FEATURE(HOST_ECN), FEATURE(HOST_TSO4) | FEATURE(HOST_TSO6)},
		{FEATURE(MQ), FEATURE(CTRL_VQ)},
		{FEATURE(CTRL_RX), FEATURE(CTRL_VQ)},
		{FEATURE(CTRL_MAC_ADDR), FEATURE(CTRL_VQ)},
		{FEATURE(CTRL_GUEST_OFFLOADS), FEATURE(CTRL_VQ)},
	};

	net_guest_start(&(struct net_guest_options){.pairs = 2});
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		CHECK(!fake_driver_negotiate(&ng.drv,
					     BIT_ULL(VIRTIO_F_VERSION_1) | wrong[i].feature));
	CHECK(fake_driver_negotiate(&ng.drv, BIT_ULL(VIRTIO_F_VERSION_1)));
	net_guest_end();
}

TEST(transmit)
{
	struct virtio_net_hdr_v1 hdr = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID | 0x80,
		.gso_type = VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN,
		.hdr_len = htole16(54),
		.gso_size = htole16(1448),
		.csum_start = htole16(34),
		.csum_offset = htole16(16),
		.num_buffers = htole16(77),
	};
	struct virtio_net_hdr_v1 got;
	u8 frame[4096];

	net_guest_start(&one_pair);
	CHECK(guest_send(0, &hdr, 3000));
	CHECK_EQ(host_receive(0, &got, frame, sizeof(frame)), 3000);
	for (u32 i = 0; i < 3000; i++)
		CHECK_EQ(frame[i], net_pattern(i));
	CHECK_EQ(got.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	CHECK_EQ(got.gso_type, hdr.gso_type);
	CHECK_EQ(got.hdr_len, hdr.hdr_len);
	CHECK_EQ(got.gso_size, hdr.gso_size);
	CHECK_EQ(got.csum_start, hdr.csum_start);
	CHECK_EQ(got.num_buffers, 0);

	/* A length of headers that cannot be is not passed on. */
	hdr.hdr_len = htole16(3001);
	CHECK(guest_send(0, &hdr, 3000));
	CHECK_EQ(host_receive(0, &got, frame, sizeof(frame)), 3000);
	CHECK_EQ(got.hdr_len, 0);
	CHECK_EQ(atomic_load(&COUNTERS(TX(0))->packets), 2);
	CHECK_EQ(atomic_load(&COUNTERS(TX(0))->bytes), 6000);

	/* Without the feature: the flag means nothing, the type is an error. */
	net_guest_restart(FEATURE(CSUM) | FEATURE(HOST_TSO4) | FEATURE(HOST_TSO6) |
			  FEATURE(HOST_ECN) | FEATURE(HOST_USO));
	CHECK(guest_send(0, &hdr, 100));
	CHECK_EQ(atomic_load(&COUNTERS(TX(0))->malformed), 1);
	hdr.gso_type = VIRTIO_NET_HDR_GSO_NONE;
	CHECK(guest_send(0, &hdr, 100));
	CHECK_EQ(host_receive(0, &got, frame, sizeof(frame)), 100);
	CHECK_EQ(got.flags, 0);
	CHECK_EQ(got.csum_start, 0);
	CHECK_EQ(got.gso_size, 0);
	net_guest_end();
}

/* Chains that are no frames: each is used, and the queue goes on. */
TEST(transmit_hostile)
{
	static const struct fake_seg none = {OUT, 0}, no_frame = {OUT, HDR}, header = {OUT, HDR},
				     outside = {OUTSIDE, 100}, cut = {RAM_SIZE - 50, 100};
	struct fake_seg many[RING_SIZE];
	struct fake_queue *q = TX(0);
	struct net_counters *c;
	u8 frame[64];

	net_guest_start(&one_pair);
	c = COUNTERS(q);
	fake_offer(q, fake_chain(q, &none, 1, 0));
	fake_offer(q, fake_chain(q, &no_frame, 1, 0));
	fake_offer(q, fake_chain(q, &(struct fake_seg){OUT, 100}, 0, 1));
	fake_offer(q, fake_chain(q, &outside, 1, 0));
	fake_offer(q, fake_chain(q, (struct fake_seg[]){header, outside}, 2, 0));
	fake_offer(q, fake_chain(q, (struct fake_seg[]){header, cut}, 2, 0));
	fake_kick(q);
	await_used(q, 6);
	CHECK_EQ(atomic_load(&c->malformed), 3);
	CHECK_EQ(atomic_load(&c->unreachable), 3);
	for (unsigned int i = 0; i < 6; i++)
		CHECK_EQ(take(q), 0);

	for (unsigned int i = 0; i < RING_SIZE; i++)
		many[i] = (struct fake_seg){OUT, 0x8000000};
	fake_offer(q, fake_chain(q, many, RING_SIZE, 0));
	fake_kick(q);
	await_used(q, 1);
	take(q);
	CHECK_EQ(atomic_load(&c->too_large), 1);

	/* Pieces of one byte each. */
	for (unsigned int i = 0; i < RING_SIZE; i++)
		many[i] = (struct fake_seg){OUT + i, i < RING_SIZE - 1 ? 1 : 40};
	fake_fill(&ng.drv, OUT, 0, 100);
	fake_offer(q, fake_chain(q, many, RING_SIZE, 0));
	fake_kick(q);
	CHECK_EQ(host_receive(0, &(struct virtio_net_hdr_v1){0}, frame, sizeof(frame)), 43);
	net_guest_end();
}

TEST(receive)
{
	struct virtio_net_hdr_v1 hdr = {
		.flags = VIRTIO_NET_HDR_F_DATA_VALID,
		.num_buffers = htole16(99),
	};
	struct fake_queue *q = RX(0);
	u64 buf;

	net_guest_start(&one_pair);
	buf = net_buffer(q, 2048);
	host_send(0, &hdr, 1500);
	await_used(q, 1);
	CHECK_EQ(take(q), HDR + 1500);
	CHECK_EQ(header_at(buf).num_buffers, htole16(1));
	CHECK_EQ(header_at(buf).flags, VIRTIO_NET_HDR_F_DATA_VALID);
	frame_is(buf + HDR, 0, 1500);

	/* 5.1.6.4.1: without GUEST_CSUM there are no flags. */
	net_guest_restart(NET_GUEST_OFFLOADS);
	CHECK_EQ(ng.offloads, 0);
	buf = net_buffer(q, 2048);
	host_send(0, &hdr, 60);
	await_used(q, 1);
	CHECK_EQ(header_at(buf).flags, 0);

	/* What the host sent before it heard that is refused, or completed. */
	hdr.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	host_send(0, &hdr, 60);
	hdr.gso_type = 0x33;
	host_send(0, &hdr, 60);
	await_count(&COUNTERS(q)->malformed, 2);
	net_guest_end();
}

/* A frame whose checksum the host left to a driver that does not do that. */
TEST(receive_completes_checksums)
{
	/* The sum of 0x0102 0x0304 0x05 is 0x0906: with the checksum it is 0xffff. */
	u8 packet[HDR + 14 + 7] = {[HDR + 14] = 0, 0, 1, 2, 3, 4, 5};
	struct virtio_net_hdr_v1 hdr = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.csum_start = htole16(14),
	};
	struct fake_queue *q = RX(0);
	u8 sum[2];
	u64 buf;

	net_guest_start(&(struct net_guest_options){.without = NET_GUEST_OFFLOADS});
	buf = net_buffer(q, 2048);
	memcpy(packet, &hdr, HDR);
	CHECK_EQ(write(ng.host[0], packet, sizeof(packet)), sizeof(packet));
	await_used(q, 1);
	take(q);
	fake_read(&ng.drv, buf + HDR + 14, sum, 2);
	CHECK_EQ(sum[0] << 8 | sum[1], 0xffff - 0x0906);
	CHECK_EQ(header_at(buf).flags, 0);

	hdr.csum_offset = htole16(6);
	memcpy(packet, &hdr, HDR);
	CHECK_EQ(write(ng.host[0], packet, sizeof(packet)), sizeof(packet));
	hdr.csum_start = htole16(0xffff);
	hdr.csum_offset = htole16(0xffff);
	memcpy(packet, &hdr, HDR);
	CHECK_EQ(write(ng.host[0], packet, sizeof(packet)), sizeof(packet));
	await_count(&COUNTERS(q)->malformed, 2);
	net_guest_end();
}

/* A frame over several buffers is told when all of it is there, and not before. */
TEST(mergeable_buffers)
{
	struct fake_queue *q = RX(0);
	u64 a, b, c, small;

	net_guest_start(&one_pair);
	host_send(0, NULL, 2500);
	host_send(0, NULL, 100);
	a = net_buffer(q, 1000);
	b = net_buffer(q, 1000);
	/* One that has no room for a header is of no use; it goes back alone. */
	small = net_buffer(q, HDR - 1);
	(void)small;
	await_used(q, 1);
	CHECK_EQ(take(q), 0);
	c = net_buffer(q, 1000);
	await_used(q, 3);
	CHECK_EQ(take(q), 1000);
	CHECK_EQ(take(q), 1000);
	CHECK_EQ(take(q), HDR + 2500 - 2000);
	CHECK_EQ(header_at(a).num_buffers, htole16(3));
	frame_is(a + HDR, 0, 1000 - HDR);
	frame_is(b, 1000 - HDR, 1000);
	frame_is(c, 2000 - HDR, 2500 + HDR - 2000);
	a = net_buffer(q, 2000);
	await_used(q, 1);
	CHECK_EQ(take(q), HDR + 100);
	CHECK_EQ(header_at(a).num_buffers, htole16(1));
	CHECK_EQ(atomic_load(&COUNTERS(q)->packets), 2);
	CHECK_EQ(atomic_load(&COUNTERS(q)->bytes), 2600);
	net_guest_end();
}

/* One that needs more buffers than the ring has is dropped, and the next one is not. */
TEST(mergeable_buffers_of_a_full_ring)
{
	struct fake_queue *q = RX(0);

	net_guest_start(&one_pair);
	for (unsigned int i = 0; i < RING_SIZE; i++)
		net_buffer(q, 100);
	host_send(0, NULL, 2000);
	await_used(q, RING_SIZE);
	for (unsigned int i = 0; i < RING_SIZE; i++)
		CHECK_EQ(take(q), 0);
	CHECK_EQ(atomic_load(&COUNTERS(q)->too_large), 1);
	host_send(0, NULL, 60);
	net_buffer(q, 100);
	await_used(q, 1);
	CHECK_EQ(take(q), HDR + 60);
	net_guest_end();
}

TEST(frames_too_large)
{
	static const u8 tagged[HDR + 1518] = {[HDR + 12] = 0x81, 0x00};
	struct virtio_net_hdr_v1 gso = {.gso_type = VIRTIO_NET_HDR_GSO_TCPV4};
	struct fake_queue *q = RX(0);

	/* For the one buffer that a driver without MRG_RXBUF gives; that stays. */
	net_guest_start(&(struct net_guest_options){.without = FEATURE(MRG_RXBUF)});
	net_buffer(q, 1526);
	host_send(0, NULL, 1515);
	await_count(&COUNTERS(q)->too_large, 1);
	host_send(0, NULL, 1514);
	await_used(q, 1);
	CHECK_EQ(take(q), 1526);
	net_guest_end();

	/* For the MTU, unless it is to be segmented. */
	net_guest_start(&(struct net_guest_options){.mtu = 1500});
	host_send(0, NULL, 1515);
	await_count(&COUNTERS(q)->too_large, 1);
	net_buffer(q, 8192);
	CHECK_EQ(write(ng.host[0], tagged, sizeof(tagged)), sizeof(tagged));
	await_used(q, 1);
	CHECK_EQ(take(q), sizeof(tagged));
	net_buffer(q, 8192);
	host_send(0, &gso, 4000);
	await_used(q, 1);
	CHECK_EQ(take(q), HDR + 4000);
	/* For the device. */
	host_send(0, &gso, NET_MAX_FRAME + 1);
	await_count(&COUNTERS(q)->too_large, 2);
	host_send(0, NULL, 13);
	await_count(&COUNTERS(q)->malformed, 1);
	net_guest_end();
}

TEST(receive_out_of_reach)
{
	struct fake_queue *q = RX(0);

	net_guest_start(&one_pair);
	net_buffer(q, 1000);
	fake_offer(q, fake_chain(q, &(struct fake_seg){OUTSIDE, 1000}, 0, 1));
	fake_kick(q);
	host_send(0, NULL, 1500);
	await_used(q, 2);
	CHECK_EQ(take(q), 0);
	CHECK_EQ(take(q), 0);
	CHECK_EQ(atomic_load(&COUNTERS(q)->unreachable), 1);
	net_buffer(q, 1000);
	host_send(0, NULL, 60);
	await_used(q, 1);
	CHECK_EQ(take(q), HDR + 60);
	net_guest_end();
}

/* Fills the socket to the host, and what is then on its way. Returns how many went. */
static unsigned int stall(struct fake_queue *q, u32 len)
{
	u64 sent;

	for (sent = 0;; sent++) {
		u64 end = net_now() + 30000000000ULL;

		fake_offer(q, fake_chain(q, &(struct fake_seg){OUT, len}, 1, 0));
		fake_kick(q);
		/* The thread says that it waits by leaving a chain unused in the ring. */
		while (atomic_load(&COUNTERS(q)->packets) == sent && net_now() < end) {
			if (PEEK(q, has_chain))
				return sent;
		}
		await_used(q, 1);
		take(q);
	}
}

/* A host that takes no frames holds up nobody else, no reset and no UNMAP. */
TEST(stalled_host)
{
	struct virtio_net_hdr_v1 hdr;
	static u8 frame[60000];
	struct fake_queue *q = TX(0);
	unsigned int sent;

	net_guest_start(&(struct net_guest_options){.iommu = true});
	sent = stall(q, 50000);
	net_buffer(RX(0), 2048);
	host_send(0, NULL, 60);
	await_used(RX(0), 1);
	/* The queues may find their rings gone, and say so. */
	capture_begin();
	CHECK_EQ(iommu_unmap(&ng.iommu, 1, 0, RAM_SIZE - 1), 0);
	fake_driver_status(&ng.drv, 0);
	capture_end();
	for (unsigned int i = 0; i < sent; i++)
		CHECK_EQ(host_receive(0, &hdr, frame, sizeof(frame)), 50000 - HDR);
	net_guest_end();

	/* When there is room again it goes on where it was. */
	net_guest_start(&one_pair);
	sent = stall(q, 50000);
	for (unsigned int i = 0; i <= sent; i++)
		CHECK_EQ(host_receive(0, &hdr, frame, sizeof(frame)), 50000 - HDR);
	await_used(q, 1);
	net_guest_end();
}

/* UNMAP of buffers that wait for frames is answered at once, and then they are out of reach. */
TEST(revocation)
{
	struct fake_queue *q = RX(0);
	u64 buf;

	net_guest_start(&(struct net_guest_options){.iommu = true});
	buf = net_buffer(q, 2048);
	host_send(0, NULL, 3000);
	/* The first half is in the buffer, the frame waits for another one. */
	while (PEEK(q, nr_heads) != 1)
		;
	CHECK_EQ(iommu_unmap(&ng.iommu, 1, 0, RAM_SIZE - 1), 0);
	fake_fill(&ng.drv, buf, 0x11, 2048);
	capture_begin();
	net_buffer(q, 2048);
	while (!atomic_load(&ng.drv.config_interrupts))
		;
	CHECK(capture_one_line(capture_end(), "a ring is at an address that the device cannot"));
	CHECK_EQ(header_at(buf).flags, 0x11);
	net_guest_end();
}

/* Resets with frames everywhere; then all is as new. */
TEST(reset_in_flight)
{
	struct fake_queue *q = RX(0);

	net_guest_start(&one_pair);
	for (unsigned int i = 0; i < 20; i++) {
		net_buffer(q, 1000);
		host_send(0, NULL, 1500);
		host_send(0, NULL, 1500);
		guest_send(0, &plain, 64);
		net_guest_restart(0);
		while (recv(ng.host[0], &(u8[HDR + 64]){0}, HDR + 64, 0) > 0)
			;
	}
	host_send(0, NULL, 1500);
	net_buffer(q, 2048);
	await_used(q, 1);
	CHECK_EQ(take(q), HDR + 1500);
	net_guest_end();
}

TEST(counters)
{
	static const char expected[] =
		"{\"interface\":\"test0\",\"link\":true,\"mac\":\"02:00:00:00:00:01\","
		"\"queue_pairs\":2,\"receive\":{\"packets\":1,\"bytes\":60,\"dropped\":"
		"{\"too_large\":0,\"filtered\":0,\"malformed\":1,\"unreachable\":0,"
		"\"refused\":0,\"stopped\":0}},\"transmit\":{\"packets\":1,\"bytes\":70,"
		"\"dropped\":{\"too_large\":0,\"filtered\":0,\"malformed\":0,"
		"\"unreachable\":0,\"refused\":1,\"stopped\":0}}}";
	struct report *r = report_new(true, 4096);
	char packed[1024] = "";
	size_t len, n = 0;
	const char *text;
	u8 frame[100];

	net_guest_start(&(struct net_guest_options){.pairs = 2});
	host_send(0, NULL, 13);
	net_buffer(RX(0), 200);
	host_send(0, NULL, 60);
	await_used(RX(0), 1);
	CHECK(guest_send(0, &plain, 70));
	CHECK_EQ(host_receive(0, &(struct virtio_net_hdr_v1){0}, frame, sizeof(frame)), 70);
	CHECK(guest_send(1, &plain, 70));
	pthread_mutex_lock(&ng.net->vdev.lock);
	report_object_begin(r, NULL);
	ng.net->vdev.ops->stat(&ng.net->vdev, r);
	report_object_end(r);
	pthread_mutex_unlock(&ng.net->vdev.lock);
	text = report_text(r, &len);
	for (size_t i = 0; CHECK(text) && i < len && n + 1 < sizeof(packed); i++) {
		if (text[i] > ' ')
			packed[n++] = text[i];
	}
	CHECK_STR_EQ(packed, expected);
	report_free(r);
	net_guest_end();
}

/* The interface is removed: the link goes down, and both queues sleep. */
TEST(interface_gone)
{
	struct net_counters *c;

	net_guest_start(&one_pair);
	c = COUNTERS(TX(0));
	capture_begin();
	close(ng.host[0]);
	ng.host[0] = -1;
	while (!atomic_load(&ng.drv.config_interrupts))
		;
	CHECK(capture_one_line(capture_end(), "interface test0 is gone"));
	CHECK_EQ(read_config().status, 0);
	CHECK(guest_send(0, &plain, 64));
	CHECK_EQ(atomic_load(&c->refused), 1);
	net_guest_end();
}
