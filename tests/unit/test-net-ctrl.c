// SPDX-License-Identifier: GPL-2.0-only
/* The control queue of the virtio network device, its queue pairs, and what --net takes. */
#include <endian.h>
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "capture.h"
#include "net-guest.h"
#include "unit.h"

static const struct net_guest_options one_pair;
static const u8 broadcast[ETH_ALEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

#define OK  VIRTIO_NET_OK
#define ERR VIRTIO_NET_ERR

static int rx_mode(u8 mode, u8 on)
{
	return net_command(VIRTIO_NET_CTRL_RX, mode, &on, 1);
}

static int set_pairs(u16 nr)
{
	nr = htole16(nr);
	return net_command(VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &nr, sizeof(nr));
}

static int set_offloads(u64 offloads)
{
	offloads = htole64(offloads);
	return net_command(VIRTIO_NET_CTRL_GUEST_OFFLOADS, VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET,
			   &offloads, sizeof(offloads));
}

static int set_mac(const u8 *mac, u32 len)
{
	return net_command(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, mac, len);
}

static void read_mac(u8 *mac)
{
	pthread_mutex_lock(&ng.net->vdev.lock);
	ng.net->vdev.ops->config_read(&ng.net->vdev, 0, mac, ETH_ALEN);
	pthread_mutex_unlock(&ng.net->vdev.lock);
}

/* Whether a frame to @dst reaches the driver. */
static bool reaches(const u8 *dst)
{
	const struct net_counters *c = COUNTERS(RX(0));
	u64 before = atomic_load(&c->packets) + atomic_load(&c->filtered);
	u64 packets = atomic_load(&c->packets);
	u8 packet[HDR + 60] = {0};
	u32 id, len;

	memcpy(packet + HDR, dst, ETH_ALEN);
	net_buffer(RX(0), 100);
	CHECK_EQ(write(ng.host[0], packet, sizeof(packet)), sizeof(packet));
	while (atomic_load(&c->packets) + atomic_load(&c->filtered) == before)
		;
	if (atomic_load(&c->packets) == packets)
		return false;
	await_used(RX(0), 1);
	fake_take_used(RX(0), &id, &len);
	return true;
}

TEST(rx_modes)
{
	static const u8 ours[] = {2, 0, 0, 0, 0, 1}, other[] = {2, 0, 0, 0, 0, 9},
			group[] = {1, 0, 0x5e, 0, 0, 1};

	net_guest_start(&one_pair);
	CHECK(reaches(other) && reaches(group) && reaches(broadcast));
	CHECK_EQ(rx_mode(VIRTIO_NET_CTRL_RX_PROMISC, 0), OK);
	CHECK(reaches(ours) && reaches(broadcast));
	CHECK(!reaches(other) && !reaches(group));
	CHECK_EQ(rx_mode(VIRTIO_NET_CTRL_RX_ALLMULTI, 1), OK);
	CHECK(reaches(group) && !reaches(other));
	CHECK_EQ(rx_mode(VIRTIO_NET_CTRL_RX_NOMULTI, 1), OK);
	CHECK(!reaches(group));
	CHECK_EQ(rx_mode(VIRTIO_NET_CTRL_RX_ALLUNI, 1), OK);
	CHECK(reaches(other));
	CHECK_EQ(rx_mode(VIRTIO_NET_CTRL_RX_NOUNI, 1), OK);
	CHECK(!reaches(ours));
	CHECK_EQ(rx_mode(VIRTIO_NET_CTRL_RX_NOBCAST, 1), OK);
	CHECK(!reaches(broadcast));
	CHECK_EQ(rx_mode(VIRTIO_NET_CTRL_RX_PROMISC, 1), OK);
	CHECK(reaches(other));
	CHECK_EQ(rx_mode(VIRTIO_NET_CTRL_RX_NOBCAST + 1, 1), ERR);
	CHECK_EQ(rx_mode(VIRTIO_NET_CTRL_RX_PROMISC, 2), ERR);
	CHECK_EQ(net_command(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, "\0\0", 2), ERR);

	/* A reset, too, lets all pass. */
	CHECK_EQ(rx_mode(VIRTIO_NET_CTRL_RX_PROMISC, 0), OK);
	net_guest_restart(0);
	CHECK(reaches(other));
	net_guest_restart(FEATURE(CTRL_RX_EXTRA));
	CHECK_EQ(rx_mode(VIRTIO_NET_CTRL_RX_ALLMULTI, 1), OK);
	CHECK_EQ(rx_mode(VIRTIO_NET_CTRL_RX_NOUNI, 1), ERR);
	net_guest_end();
}

static u32 put_table(u8 *at, u32 entries, u32 macs)
{
	u32 le = htole32(entries);

	memcpy(at, &le, sizeof(le));
	for (u32 i = 0; i < macs; i++)
		memcpy(at + sizeof(le) + i * ETH_ALEN, (u8[]){2, 0, 0, 0, 1, i}, ETH_ALEN);
	return sizeof(le) + macs * ETH_ALEN;
}

static int set_tables(const u8 *data, u32 len)
{
	return net_command(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, data, len);
}

TEST(mac_tables)
{
	static const u8 third[] = {2, 0, 0, 0, 1, 2}, fourth[] = {2, 0, 0, 0, 1, 3};
	u8 data[1024];
	u32 len;

	net_guest_start(&one_pair);
	CHECK_EQ(rx_mode(VIRTIO_NET_CTRL_RX_PROMISC, 0), OK);
	len = put_table(data, 3, 3);
	len += put_table(data + len, 0, 0);
	CHECK_EQ(set_tables(data, len), OK);
	CHECK(reaches(third) && !reaches(fourth));

	/* What is wrong changes nothing. */
	CHECK_EQ(set_tables(data, len - 1), ERR);
	CHECK_EQ(set_tables(data, len + 1), ERR);
	CHECK_EQ(set_tables(data, 3), ERR);
	CHECK_EQ(set_tables(data, 4), ERR);
	put_table(data, UINT32_MAX, 0);
	CHECK_EQ(set_tables(data, len), ERR);
	put_table(data, 0x2aaaaaab, 0);
	CHECK_EQ(set_tables(data, len), ERR);
	CHECK(reaches(third) && !reaches(fourth));

	/* More than the table holds: all pass. */
	len = put_table(data, 100, 100);
	len += put_table(data + len, 0, 0);
	CHECK_EQ(set_tables(data, len), OK);
	CHECK(reaches((u8[]){2, 9, 9, 9, 9, 9}));
	net_guest_end();
}

TEST(mac_address)
{
	static const u8 other[] = {2, 0, 0, 0, 0, 9}, group[] = {3, 0, 0, 0, 0, 9}, none[ETH_ALEN];
	u8 first[ETH_ALEN], mac[ETH_ALEN];

	net_guest_start(&one_pair);
	read_mac(first);
	CHECK_EQ(rx_mode(VIRTIO_NET_CTRL_RX_PROMISC, 0), OK);
	CHECK_EQ(set_mac(other, 5), ERR);
	CHECK_EQ(set_mac(group, 6), ERR);
	CHECK_EQ(set_mac(none, 6), ERR);
	CHECK_EQ(set_mac(other, 6), OK);
	read_mac(mac);
	CHECK_EQ(memcmp(mac, other, ETH_ALEN), 0);
	CHECK(reaches(other) && !reaches(first));
	net_guest_restart(FEATURE(CTRL_MAC_ADDR));
	read_mac(mac);
	CHECK_EQ(memcmp(mac, first, ETH_ALEN), 0);
	CHECK_EQ(set_mac(other, 6), ERR);
	net_guest_end();
}

TEST(guest_offloads)
{
	const u64 csum = FEATURE(GUEST_CSUM), tso4 = FEATURE(GUEST_TSO4), ecn = FEATURE(GUEST_ECN);

	net_guest_start(&(struct net_guest_options){.without = FEATURE(GUEST_TSO6)});
	CHECK_EQ(ng.offloads, 0x6f & ~NET_OFFLOAD_TSO6);
	CHECK_EQ(set_offloads(csum), OK);
	CHECK_EQ(ng.offloads, NET_OFFLOAD_CSUM);
	CHECK_EQ(set_offloads(csum | tso4 | ecn), OK);
	CHECK_EQ(ng.offloads, NET_OFFLOAD_CSUM | NET_OFFLOAD_TSO4 | NET_OFFLOAD_TSO_ECN);
	CHECK_EQ(set_offloads(tso4), ERR);
	CHECK_EQ(set_offloads(csum | ecn), ERR);
	CHECK_EQ(set_offloads(csum | FEATURE(GUEST_TSO6)), ERR);
	CHECK_EQ(set_offloads(csum | FEATURE(MQ)), ERR);
	CHECK_EQ(net_command(VIRTIO_NET_CTRL_GUEST_OFFLOADS, 1, "\0\0\0\0\0\0\0", 8), ERR);
	CHECK_EQ(net_command(VIRTIO_NET_CTRL_GUEST_OFFLOADS, 0, "\0\0\0\0\0\0", 7), ERR);
	CHECK_EQ(ng.offloads, NET_OFFLOAD_CSUM | NET_OFFLOAD_TSO4 | NET_OFFLOAD_TSO_ECN);
	CHECK_EQ(set_offloads(0), OK);
	CHECK_EQ(ng.offloads, 0);
	net_guest_restart(FEATURE(CTRL_GUEST_OFFLOADS));
	CHECK_EQ(set_offloads(csum), ERR);
	net_guest_end();
}

/* Chains that are no commands. */
TEST(hostile_commands)
{
	static const struct fake_seg cmd = {OUT, 2}, half = {OUT, 1}, ack = {ACK, 1},
				     outside = {OUTSIDE, 1}, big = {OUT, 0x70000000};
	u8 byte;
	u32 id, len;

	net_guest_start(&one_pair);
	CHECK_EQ(net_command(99, 0, "", 1), ERR);
	CHECK_EQ(net_command(VIRTIO_NET_CTRL_MAC, 7, "", 1), ERR);
	CHECK_EQ(net_command(VIRTIO_NET_CTRL_VLAN, 0, "\1\0", 2), ERR);
	CHECK_EQ(net_command(VIRTIO_NET_CTRL_ANNOUNCE, 0, "", 0), ERR);
	fake_offer(ng.ctrl, fake_chain(ng.ctrl, &cmd, 1, 0));
	fake_offer(ng.ctrl, fake_chain(ng.ctrl, (struct fake_seg[]){cmd, outside}, 1, 1));
	fake_kick(ng.ctrl);
	await_used(ng.ctrl, 2);
	CHECK(fake_take_used(ng.ctrl, &id, &len) && len == 0);
	CHECK(fake_take_used(ng.ctrl, &id, &len) && len == 0);
	fake_fill(&ng.drv, OUT, 0, 64);
	fake_offer(ng.ctrl, fake_chain(ng.ctrl, (struct fake_seg[]){half, ack}, 1, 1));
	fake_offer(ng.ctrl, fake_chain(ng.ctrl, &ack, 0, 1));
	fake_offer(ng.ctrl, fake_chain(ng.ctrl, (struct fake_seg[]){big, ack}, 1, 1));
	fake_kick(ng.ctrl);
	await_used(ng.ctrl, 3);
	for (unsigned int i = 0; i < 3; i++)
		CHECK(fake_take_used(ng.ctrl, &id, &len) && len == 1);
	fake_read(&ng.drv, ACK, &byte, 1);
	CHECK_EQ(byte, ERR);
	CHECK_EQ(rx_mode(VIRTIO_NET_CTRL_RX_PROMISC, 1), OK);
	net_guest_end();
}

static unsigned int attached(void)
{
	return ng.attached[0] | ng.attached[1] << 1 | ng.attached[2] << 2;
}

TEST(queue_pairs)
{
	static const struct virtio_net_hdr_v1 hdr;
	u8 frame[100];

	net_guest_start(&(struct net_guest_options){.pairs = 3});
	CHECK_EQ(attached(), 1);
	CHECK_EQ(set_pairs(0), ERR);
	CHECK_EQ(set_pairs(4), ERR);
	CHECK_EQ(set_pairs(0x8000), ERR);
	CHECK_EQ(net_command(VIRTIO_NET_CTRL_MQ, 0, "\2", 1), ERR);
	CHECK_EQ(net_command(VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_RSS_CONFIG, "\2\0", 2), ERR);
	CHECK_EQ(attached(), 1);
	/* A pair that is not in use takes nothing. */
	CHECK(guest_send(2, &hdr, 60));
	CHECK_EQ(atomic_load(&COUNTERS(TX(2))->refused), 1);

	CHECK_EQ(set_pairs(3), OK);
	CHECK_EQ(attached(), 7);
	for (unsigned int i = 0; i < 3; i++) {
		CHECK(guest_send(i, &hdr, 60 + i));
		CHECK_EQ(host_receive(i, &(struct virtio_net_hdr_v1){0}, frame, sizeof(frame)),
			 60 + i);
		net_buffer(RX(i), 200);
		host_send(i, NULL, 60);
		await_used(RX(i), 1);
	}

	/* A frame that waits in a pair is given up with it. */
	host_send(2, NULL, 60);
	while (!PEEK(RX(2), frame_len))
		;
	CHECK_EQ(set_pairs(2), OK);
	CHECK_EQ(attached(), 3);
	await_count(&COUNTERS(RX(2))->stopped, 1);

	/* What the host refuses changes nothing. */
	ng.fail_attach = 2;
	CHECK_EQ(set_pairs(3), ERR);
	CHECK_EQ(attached(), 3);
	CHECK_EQ(set_pairs(1), OK);
	CHECK_EQ(set_pairs(3), ERR);
	CHECK_EQ(attached(), 1);
	CHECK_EQ(set_pairs(2), OK);
	fake_driver_status(&ng.drv, 0);
	CHECK_EQ(attached(), 1);

	/* 5.1.2: without MQ the third queue is the control queue. */
	net_guest_restart(FEATURE(MQ));
	CHECK_EQ(ng.ctrl->index, 2);
	CHECK_EQ(set_pairs(1), ERR);
	CHECK_EQ(rx_mode(VIRTIO_NET_CTRL_RX_ALLMULTI, 1), OK);
	net_guest_end();
}

static void *flood(void *stop)
{
	/* For another address than the driver's: it is dropped as soon as it is read. */
	static const u8 packet[HDR + 60] = {[HDR] = 2, [HDR + 5] = 9};

	while (!atomic_load((atomic_bool *)stop)) {
		if (write(ng.host[0], packet, sizeof(packet)) < 0)
			sched_yield();
	}
	return NULL;
}

/* Frames without end do not keep the control queue, or a reset, from what they do. */
TEST(commands_in_a_flood)
{
	const struct net_counters *c;
	atomic_bool stop = false;
	pthread_t thread;
	u64 before;

	net_guest_start(&one_pair);
	c = COUNTERS(RX(0));
	CHECK_EQ(rx_mode(VIRTIO_NET_CTRL_RX_PROMISC, 0), OK);
	pthread_create(&thread, NULL, flood, &stop);
	before = atomic_load(&c->filtered);
	for (unsigned int i = 0; i < 50; i++)
		CHECK_EQ(rx_mode(VIRTIO_NET_CTRL_RX_ALLMULTI, i % 2), OK);
	while (atomic_load(&c->filtered) == before)
		sched_yield();
	fake_driver_status(&ng.drv, 0);
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	net_guest_end();
}

static void check_wrong(const char *arg, const char *part)
{
	struct net_config config;

	capture_begin();
	CHECK(net_parse(arg, &config));
	CHECK(capture_one_line(capture_end(), part));
}

TEST(options)
{
	struct net_config c, all[2];
	char arg[64];
	int fd;

	CHECK_EQ(net_parse("new", &c), 0);
	CHECK_EQ(c.tap.mode, TAP_NEW);
	CHECK_EQ(c.tap.nr_queues, 1);
	CHECK(c.offload && !c.has_mac && !*c.tap.name);
	CHECK_EQ(net_parse("new=vm0,queues=8,mtu=9000,mac=02:aB:00:00:00:fF,host-ip=10.1.2.3/9,"
			   "offload=off,iommu=off",
			   &c),
		 0);
	CHECK_STR_EQ(c.tap.name, "vm0");
	CHECK_EQ(c.tap.nr_queues, 8);
	CHECK_EQ(c.tap.mtu, 9000);
	CHECK_EQ(memcmp(c.mac, "\x02\xab\0\0\0\xff", 6), 0);
	CHECK_EQ(ntohl(c.tap.ip.s_addr), 0x0a010203);
	CHECK_EQ(c.tap.prefix_len, 9);
	CHECK(!c.offload && c.options.iommu == VIRTIO_CHOICE_OFF);
	CHECK_EQ(net_parse("tap=exactly15bytes.", &c), 0);
	CHECK_EQ(c.tap.mode, TAP_EXISTING);

	check_wrong("", "comes first");
	check_wrong("net", "comes first");
	check_wrong("queues=2", "comes first");
	check_wrong("new,", "nothing follows the comma");
	check_wrong("tap", "expected the name");
	check_wrong("tap=", "expected the name");
	check_wrong("tap=more-than15bytes", "expected the name");
	check_wrong("tap=..", "expected the name");
	check_wrong("new=a/b", "expected the name");
	check_wrong("new=a%d", "expected the name");
	check_wrong("new=a b", "expected the name");
	check_wrong("new,queues=0", "from 1 to 8");
	check_wrong("new,queues=9", "from 1 to 8");
	check_wrong("new,mtu=67", "from 68 to 65521");
	check_wrong("new,mtu=65522", "from 68 to 65521");
	check_wrong("new,mac=01:00:00:00:00:00", "multicast");
	check_wrong("new,mac=00:00:00:00:00:00", "zero");
	check_wrong("new,mac", "six bytes");
	check_wrong("new,mac=02:00:00:00:00", "six bytes");
	check_wrong("new,mac=02:00:00:00:00:00:00", "six bytes");
	check_wrong("new,mac=2:0:0:0:0:1", "six bytes");
	check_wrong("new,host-ip=10.0.0.1", "IPv4");
	check_wrong("new,host-ip=10.0.0.1/0", "IPv4");
	check_wrong("new,host-ip=10.0.0.1/33", "IPv4");
	check_wrong("new,host-ip=300.0.0.1/8", "IPv4");
	check_wrong("new,host-ip=224.0.0.1/8", "IPv4");
	check_wrong("new,host-ip=0.0.0.0/8", "IPv4");
	check_wrong("tap=x,host-ip=10.0.0.1/8", "host-ip= is for 'new'");
	check_wrong("new,offload=maybe", "on or off");
	check_wrong("new,queue=2", "queues");
	check_wrong("fd=", "number of a descriptor");
	check_wrong("fd=3:", "number of a descriptor");
	check_wrong("fd=-1", "number of a descriptor");
	check_wrong("fd=99999999999", "number of a descriptor");
	check_wrong("fd=1:2:3:4:5:6:7:8:9", "more than 8");
	check_wrong("fd=3,queues=2", "queues=2, but fd= has 1");
	check_wrong("fd=999", "fd=999 is not open");
	fd = open("/dev/null", O_RDWR);
	snprintf(arg, sizeof(arg), "fd=%d", fd);
	check_wrong(arg, "is not a tap interface's");
	close(fd);

	CHECK_EQ(net_parse("new=a", &all[0]) + net_parse("new=b", &all[1]), 0);
	CHECK_EQ(net_check_all(all, 2), 0);
	CHECK_EQ(net_parse("tap=a,mac=02:00:00:00:00:01", &all[1]), 0);
	capture_begin();
	CHECK(net_check_all(all, 2));
	CHECK(capture_one_line(capture_end(), "interface a is given twice"));
	CHECK_EQ(net_parse("new,mac=02:00:00:00:00:01", &all[0]), 0);
	capture_begin();
	CHECK(net_check_all(all, 2));
	CHECK(capture_one_line(capture_end(), "mac=02:00:00:00:00:01 is given twice"));
}
