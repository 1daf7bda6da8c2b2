// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtio console device. The test is the driver, and the main loop at the other end of the
 * ports: a back end takes so many bytes as the test says.
 */
#include <endian.h>
#include <errno.h>
#include <linux/virtio_config.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "capture.h"
#include "fake-guest.h"
#include "unit.h"
#include "util/report.h"
#include "virtio/console.h"

/* A wait that takes so long is for something that never comes. */
#define LOST_MS 30000

#define RAM_SIZE   (8 * MiB)
#define SIZE	   16
#define RINGS(i)   ((u64)(64 * KiB + (i) * 8 * KiB))
#define BUFFERS(i) ((u64)(2 * MiB + (i) * 128 * KiB))
#define OUTSIDE	   (RAM_SIZE + MiB)

#define MULTIPORT    BIT_ULL(VIRTIO_CONSOLE_F_MULTIPORT)
#define ALL_FEATURES ~0ULL

#define RX(port) ((port) ? 2 * (port) + 2 : 0)
#define TX(port) (RX(port) + 1)
#define CTL_RX	 2
#define CTL_TX	 3

/* A back end. */
struct end {
	struct chardev dev;
	int room_fd, stop_fd;
	pthread_mutex_t lock;
	/* Guarded by lock. */
	size_t room;
	u8 got[256 * 1024];
	size_t nr_got;
	unsigned int resumed;
};

static struct {
	struct guest_mem mem;
	struct console_config config;
	struct end ends[CONSOLE_MAX_PORTS];
	struct virtio_console *con;
	struct virtio_device *vdev;
	struct fake_driver drv;
	struct fake_queue q[2 * CONSOLE_MAX_PORTS + 4];
	unsigned int next_buf[2 * CONSOLE_MAX_PORTS + 4];
} t;

static struct end *to_end(struct chardev *dev)
{
	return container_of(dev, struct end, dev);
}

static size_t end_write(struct chardev *dev, const u8 *data, size_t len)
{
	struct end *e = to_end(dev);
	eventfd_t count;
	size_t n;

	pthread_mutex_lock(&e->lock);
	n = min(len, e->room);
	n = min(n, sizeof(e->got) - e->nr_got);
	memcpy(e->got + e->nr_got, data, n);
	e->nr_got += n;
	e->room -= n;
	if (n < len)
		eventfd_read(e->room_fd, &count);
	pthread_mutex_unlock(&e->lock);
	return n;
}

static void end_resume(struct chardev *dev)
{
	struct end *e = to_end(dev);

	pthread_mutex_lock(&e->lock);
	e->resumed++;
	pthread_mutex_unlock(&e->lock);
}

static void end_poll_room(struct chardev *dev, struct pollfd *room)
{
	*room = (struct pollfd){.fd = to_end(dev)->room_fd, .events = POLLIN};
}

static void end_connect(struct chardev *dev)
{
	(void)dev;
}

static void end_close(struct chardev *dev)
{
	close(to_end(dev)->room_fd);
	close(to_end(dev)->stop_fd);
}

static const struct chardev_ops end_ops = {
	.write = end_write,
	.resume = end_resume,
	.poll_room = end_poll_room,
	.connect = end_connect,
	.close = end_close,
};

static void set_room(unsigned int i, size_t room)
{
	struct end *e = &t.ends[i];

	pthread_mutex_lock(&e->lock);
	e->room = room;
	pthread_mutex_unlock(&e->lock);
	eventfd_write(e->room_fd, 1);
}

static size_t nr_got(unsigned int i)
{
	size_t n;

	pthread_mutex_lock(&t.ends[i].lock);
	n = t.ends[i].nr_got;
	pthread_mutex_unlock(&t.ends[i].lock);
	return n;
}

static unsigned int nr_resumed(unsigned int i)
{
	unsigned int n;

	pthread_mutex_lock(&t.ends[i].lock);
	n = t.ends[i].resumed;
	pthread_mutex_unlock(&t.ends[i].lock);
	return n;
}

/* The device works beside the test: looks again until @cond, which may try something. */
#define AWAIT(cond)                                                \
	({                                                         \
		int left_ = LOST_MS;                               \
		while (!(cond) && left_--)                         \
			poll(NULL, 0, 1);                          \
		unit_check(__FILE__, __LINE__, #cond, left_ >= 0); \
	})

static bool got(unsigned int i, const char *text)
{
	struct end *e = &t.ends[i];
	bool same;

	if (!AWAIT(nr_got(i) >= strlen(text)))
		return false;
	pthread_mutex_lock(&e->lock);
	same = e->nr_got == strlen(text) && !memcmp(e->got, text, e->nr_got);
	e->nr_got = 0;
	pthread_mutex_unlock(&e->lock);
	return CHECK(same);
}

static size_t receive(unsigned int i, const char *text)
{
	struct chardev *dev = &t.ends[i].dev;

	return dev->user->receive(dev->opaque, (const u8 *)text, strlen(text));
}

static void connected(unsigned int i, bool on)
{
	t.ends[i].dev.user->connected(t.ends[i].dev.opaque, on);
}

/* "tty null,port=a": one --console each. */
static void create(const char *consoles)
{
	struct chardev *chardevs[CONSOLE_MAX_PORTS];
	char *copy = strdup(consoles), *rest = copy, *arg;

	memset(&t, 0, sizeof(t));
	if (guest_mem_add_bank(&t.mem, 0, RAM_SIZE))
		exit(2);
	while ((arg = strsep(&rest, " "))) {
		struct end *e = &t.ends[t.config.nr_ports];

		if (console_parse(arg, &t.config))
			exit(2);
		e->dev.ops = &end_ops;
		e->room_fd = eventfd(0, EFD_NONBLOCK);
		e->stop_fd = eventfd(0, EFD_NONBLOCK);
		e->dev.stop_fd = !strncmp(arg, "tty", 3) ? e->stop_fd : -1;
		e->room = SIZE_MAX;
		pthread_mutex_init(&e->lock, NULL);
		chardevs[t.config.nr_ports - 1] = &e->dev;
	}
	free(copy);
	if (virtio_console_create(&t.con, &t.config, chardevs, &t.mem, NULL))
		exit(2);
	t.vdev = &t.con->vdev;
	fake_driver_init(&t.drv, t.vdev, &t.mem);
}

static void driver(u64 features)
{
	CHECK(fake_driver_negotiate(&t.drv, features & t.vdev->offered));
	for (unsigned int i = 0; i < t.vdev->nr_vqs; i++) {
		fake_queue_setup(&t.q[i], &t.drv, i, SIZE, RINGS(i));
		t.next_buf[i] = 0;
	}
	fake_driver_status(&t.drv, VIRTIO_CONFIG_S_DRIVER_OK);
}

static void start(const char *consoles, u64 features)
{
	create(consoles);
	driver(features);
}

static void end(void)
{
	fake_driver_status(&t.drv, 0);
	virtio_console_destroy(t.con);
	guest_mem_destroy(&t.mem);
}

static u64 next_buffer(unsigned int q)
{
	return BUFFERS(q) + (t.next_buf[q]++ % SIZE) * 8 * KiB;
}

/* A buffer to be written; where it is. */
static u64 give(unsigned int q, u32 len)
{
	u64 at = next_buffer(q);

	fake_fill(&t.drv, at, 0xee, len);
	fake_offer(&t.q[q], fake_chain(&t.q[q], &(struct fake_seg){at, len}, 0, 1));
	fake_kick(&t.q[q]);
	return at;
}

static void send_bytes(unsigned int q, const void *data, u32 len)
{
	u64 at = next_buffer(q);

	fake_write(&t.drv, at, data, len);
	fake_offer(&t.q[q], fake_chain(&t.q[q], &(struct fake_seg){at, len}, 1, 0));
	fake_kick(&t.q[q]);
}

static void send_text(unsigned int port, const char *text)
{
	send_bytes(TX(port), text, strlen(text));
}

/* The used length of the next chain; -1 if it does not come. */
static s64 take(unsigned int q)
{
	u32 id, len = 0;

	return AWAIT(fake_take_used(&t.q[q], &id, &len)) ? (s64)len : -1;
}

static bool none_used(unsigned int q)
{
	return CHECK_EQ(fake_used_idx(&t.q[q]), t.q[q].used_idx);
}

/* The next buffer of the port's receive queue has exactly this text. */
static bool gets(unsigned int port, u64 at, const char *text)
{
	char buf[256];

	if (!CHECK_EQ(take(RX(port)), (s64)strlen(text)))
		return false;
	fake_read(&t.drv, at, buf, strlen(text));
	return CHECK(!memcmp(buf, text, strlen(text)));
}

static void control(u32 id, u16 event, u16 value)
{
	const struct virtio_console_control msg = {htole32(id), htole16(event), htole16(value)};

	send_bytes(CTL_TX, &msg, sizeof(msg));
	CHECK_EQ(take(CTL_TX), 0);
}

/* What comes next on the control queue, in a buffer that is given for it. */
static bool told(u32 id, u16 event, u16 value, const void *more, u32 more_len)
{
	u64 at = give(CTL_RX, 256);
	struct virtio_console_control msg;
	u8 buf[256];

	if (!CHECK_EQ(take(CTL_RX), (s64)(sizeof(msg) + more_len)))
		return false;
	fake_read(&t.drv, at, buf, sizeof(buf));
	memcpy(&msg, buf, sizeof(msg));
	CHECK_EQ(le32toh(msg.id), id);
	CHECK_EQ(le16toh(msg.event), event);
	CHECK_EQ(le16toh(msg.value), value);
	return CHECK(!more_len || !memcmp(buf + sizeof(msg), more, more_len));
}

/*
 * Nothing more is to be told: a message that must come does, and is the next. @port is a
 * channel that is known to be closed; it is so afterwards.
 */
static void told_nothing_but_open(unsigned int i, u32 port)
{
	connected(i, true);
	told(port, VIRTIO_CONSOLE_PORT_OPEN, 1, NULL, 0);
	connected(i, false);
	told(port, VIRTIO_CONSOLE_PORT_OPEN, 0, NULL, 0);
}

static void make_ready(u32 port, const char *name)
{
	control(port, VIRTIO_CONSOLE_PORT_READY, 1);
	if (name)
		told(port, VIRTIO_CONSOLE_PORT_NAME, 1, name, strlen(name));
	else
		told(port, VIRTIO_CONSOLE_CONSOLE_PORT, 1, NULL, 0);
}

/* A device with port 0, a console, and port 1, the channel "chan", both told of. */
static void start_two(void)
{
	start("null socket=x,port=chan", ALL_FEATURES);
	control(VIRTIO_CONSOLE_BAD_ID, VIRTIO_CONSOLE_DEVICE_READY, 1);
	told(0, VIRTIO_CONSOLE_PORT_ADD, 1, NULL, 0);
	told(1, VIRTIO_CONSOLE_PORT_ADD, 1, NULL, 0);
	make_ready(0, NULL);
	make_ready(1, "chan");
}

static struct virtio_console_config read_config(void)
{
	struct virtio_console_config config;

	pthread_mutex_lock(&t.vdev->lock);
	t.vdev->ops->config_read(t.vdev, 0, &config, sizeof(config));
	pthread_mutex_unlock(&t.vdev->lock);
	return config;
}

static void write_config(u32 off, const void *buf, u32 len)
{
	pthread_mutex_lock(&t.vdev->lock);
	t.vdev->ops->config_write(t.vdev, off, buf, len);
	pthread_mutex_unlock(&t.vdev->lock);
}

static bool no_access_is_open(unsigned int q)
{
	struct dma_chan *chan = &t.vdev->vqs[q].dma;
	bool open = false;

	for (unsigned int i = 0; i < chan->nr_slots; i++)
		open |= atomic_load(&chan->slots[i].seq) & 1;
	return CHECK(!open);
}

TEST(what_is_offered)
{
	create("null");
	CHECK_EQ(t.vdev->ops->id, 3);
	CHECK_EQ(t.vdev->nr_vqs, 2);
	CHECK(!(t.vdev->offered & (MULTIPORT | BIT_ULL(VIRTIO_CONSOLE_F_SIZE))));
	CHECK(t.vdev->offered & BIT_ULL(VIRTIO_CONSOLE_F_EMERG_WRITE));
	CHECK_EQ(le32toh(read_config().max_nr_ports), 1);
	end();

	create("tty null");
	CHECK_EQ(t.vdev->nr_vqs, 6);
	CHECK(t.vdev->offered & MULTIPORT);
	CHECK(t.vdev->offered & BIT_ULL(VIRTIO_CONSOLE_F_SIZE));
	CHECK_EQ(le32toh(read_config().max_nr_ports), 2);
	end();

	create("null,port=a");
	CHECK_EQ(t.vdev->nr_vqs, 6);
	CHECK(t.vdev->offered & MULTIPORT);
	CHECK_EQ(le32toh(read_config().max_nr_ports), 2);
	end();

	create("null,port=0 null,port=1 null,port=2 null,port=3 null,port=4 null,port=5 "
	       "null,port=6 null,port=7 null,port=8 null,port=9 null,port=10 null,port=11 "
	       "null,port=12 null,port=13 null,port=14 null,port=15");
	CHECK_EQ(t.vdev->nr_vqs, 36);
	driver(ALL_FEATURES);
	send_text(16, "last");
	CHECK(got(15, "last"));
	end();
}

TEST(one_console_both_ways)
{
	u64 at;

	start("null", ALL_FEATURES);
	send_text(0, "to the host");
	CHECK_EQ(take(TX(0)), 0);
	CHECK(got(0, "to the host"));
	CHECK_EQ(fake_interrupts(&t.q[TX(0)]), 1);

	at = give(RX(0), 100);
	CHECK_EQ(receive(0, "to the guest"), 12);
	CHECK(gets(0, at, "to the guest"));

	/* Input waits for a buffer, and fills several. */
	CHECK_EQ(receive(0, "abcdefg"), 7);
	at = give(RX(0), 3);
	CHECK(gets(0, at, "abc"));
	at = give(RX(0), 3);
	CHECK(gets(0, at, "def"));
	CHECK_EQ(receive(0, "h"), 1);
	at = give(RX(0), 3);
	CHECK(gets(0, at, "gh"));
	end();
}

TEST(output_in_many_pieces)
{
	struct fake_seg segs[SIZE];
	char byte;

	start("null", ALL_FEATURES);
	for (unsigned int i = 0; i < SIZE; i++) {
		byte = 'a' + i;
		segs[i] = (struct fake_seg){BUFFERS(1) + i * 5000, 1};
		fake_write(&t.drv, segs[i].addr, &byte, 1);
	}
	fake_offer(&t.q[1], fake_chain(&t.q[1], segs, SIZE, 0));
	fake_kick(&t.q[1]);
	CHECK_EQ(take(1), 0);
	CHECK(got(0, "abcdefghijklmnop"));

	/* More than is handed on at a time. */
	fake_fill(&t.drv, BUFFERS(1), 'x', 100000);
	fake_offer(&t.q[1], fake_chain(&t.q[1], &(struct fake_seg){BUFFERS(1), 100000}, 1, 0));
	fake_kick(&t.q[1]);
	CHECK_EQ(take(1), 0);
	CHECK_EQ(nr_got(0), 100000);
	end();
}

TEST(buffers_that_are_no_use)
{
	u64 at;

	start("null", ALL_FEATURES);
	/* Of length 0 by being readable, and out of reach: they come back, the input stays. */
	send_bytes(RX(0), "wrong way", 9);
	fake_offer(&t.q[0], fake_chain(&t.q[0], &(struct fake_seg){OUTSIDE, 10}, 0, 1));
	CHECK_EQ(receive(0, "input"), 5);
	CHECK_EQ(take(RX(0)), 0);
	CHECK_EQ(take(RX(0)), 0);
	at = give(RX(0), 10);
	CHECK(gets(0, at, "input"));

	/* The same for output. */
	give(TX(0), 10);
	CHECK_EQ(take(TX(0)), 0);
	fake_offer(&t.q[1], fake_chain(&t.q[1], &(struct fake_seg){OUTSIDE, 10}, 1, 0));
	send_text(0, "fine");
	CHECK_EQ(take(TX(0)), 0);
	CHECK_EQ(take(TX(0)), 0);
	CHECK(got(0, "fine"));
	end();
}

TEST(input_is_bounded_and_resumed)
{
	static char much[3 * CONSOLE_MAX_IN + 1];
	unsigned int before;

	start("null", ALL_FEATURES);
	memset(much, 'm', sizeof(much) - 1);
	CHECK_EQ(receive(0, much), CONSOLE_MAX_IN);
	CHECK_EQ(receive(0, "x"), 0);
	before = nr_resumed(0);
	give(RX(0), 1000);
	CHECK_EQ(take(RX(0)), 1000);
	AWAIT(nr_resumed(0) > before);
	CHECK_EQ(receive(0, much), 1000);
	end();
}

TEST(without_multiport_there_is_port_0_only)
{
	u64 at;

	start("null null,port=a", ALL_FEATURES & ~MULTIPORT);
	CHECK_EQ(receive(1, "x"), 0);
	give(CTL_RX, 64);
	send_bytes(CTL_TX, &(struct virtio_console_control){0}, 8);
	send_text(1, "x");
	send_text(0, "out");
	CHECK_EQ(take(TX(0)), 0);
	CHECK(got(0, "out"));
	/* It need not be opened. */
	at = give(RX(0), 10);
	CHECK_EQ(receive(0, "in"), 2);
	CHECK(gets(0, at, "in"));
	none_used(CTL_RX);
	none_used(CTL_TX);
	none_used(TX(1));
	end();

	/* Where there is no console, port 0 leads nowhere. */
	start("null,port=a", ALL_FEATURES & ~MULTIPORT);
	send_text(0, "out");
	CHECK_EQ(take(TX(0)), 0);
	CHECK_EQ(nr_got(0), 0);
	end();
}

TEST(handshake)
{
	start("null,port=org.first null null,port=b null", ALL_FEATURES);
	for (unsigned int i = 0; i < 4; i++)
		connected(i, true);
	control(VIRTIO_CONSOLE_BAD_ID, VIRTIO_CONSOLE_DEVICE_READY, 1);
	/* The first console is port 0, the rest are numbered in their order. */
	for (unsigned int id = 0; id < 4; id++)
		told(id, VIRTIO_CONSOLE_PORT_ADD, 1, NULL, 0);
	make_ready(1, "org.first");
	told(1, VIRTIO_CONSOLE_PORT_OPEN, 1, NULL, 0);
	make_ready(0, NULL);
	told(0, VIRTIO_CONSOLE_PORT_OPEN, 1, NULL, 0);
	make_ready(2, "b");
	told(2, VIRTIO_CONSOLE_PORT_OPEN, 1, NULL, 0);
	make_ready(3, NULL);
	told(3, VIRTIO_CONSOLE_PORT_OPEN, 1, NULL, 0);

	send_text(0, "zero");
	send_text(1, "one");
	send_text(2, "two");
	send_text(3, "three");
	CHECK(got(1, "zero"));
	CHECK(got(0, "one"));
	CHECK(got(2, "two"));
	CHECK(got(3, "three"));
	end();
}

static _Atomic bool over;

static void *wake_control(void *opaque)
{
	(void)opaque;
	while (!atomic_load(&over))
		console_control_wake(t.con);
	return NULL;
}

/* A driver numbers its consoles as it is told of them, and the first one is port 0. */
TEST(consoles_are_told_of_in_order)
{
	enum {
		PORTS = 6
	};
	pthread_t thread;

	create("null null null null null null");
	atomic_store(&over, false);
	if (pthread_create(&thread, NULL, wake_control, NULL))
		exit(2);
	for (unsigned int round = 0; round < 200; round++) {
		struct virtio_console_control msg[PORTS];
		u64 at[PORTS];

		driver(ALL_FEATURES);
		control(VIRTIO_CONSOLE_BAD_ID, VIRTIO_CONSOLE_DEVICE_READY, 1);
		for (u32 id = 0; id < PORTS; id++)
			told(id, VIRTIO_CONSOLE_PORT_ADD, 1, NULL, 0);
		for (u32 id = 0; id < PORTS; id++)
			at[id] = give(CTL_RX, 256);
		for (u32 id = 0; id < PORTS; id++) {
			msg[id] = (struct virtio_console_control){
				htole32(id), htole16(VIRTIO_CONSOLE_PORT_READY), htole16(1)};
			send_bytes(CTL_TX, &msg[id], sizeof(msg[id]));
		}
		for (u32 id = 0; id < PORTS; id++) {
			if (!CHECK_EQ(take(CTL_RX), (s64)sizeof(msg[0])))
				break;
			fake_read(&t.drv, at[id], &msg[id], sizeof(msg[id]));
			CHECK_EQ(le16toh(msg[id].event), VIRTIO_CONSOLE_CONSOLE_PORT);
			CHECK_EQ(le32toh(msg[id].id), id);
		}
		fake_driver_status(&t.drv, 0);
	}
	atomic_store(&over, true);
	pthread_join(thread, NULL);
	end();
}

TEST(port_0_that_is_not_there_is_not_told_of)
{
	start("null,port=a", ALL_FEATURES);
	control(VIRTIO_CONSOLE_BAD_ID, VIRTIO_CONSOLE_DEVICE_READY, 1);
	told(1, VIRTIO_CONSOLE_PORT_ADD, 1, NULL, 0);
	control(0, VIRTIO_CONSOLE_PORT_READY, 1);
	make_ready(1, "a");
	told_nothing_but_open(0, 1);
	end();
}

TEST(input_only_for_a_port_that_is_open)
{
	unsigned int resumed;
	u64 at;

	start_two();
	CHECK_EQ(receive(0, "x"), 0);
	CHECK_EQ(receive(1, "x"), 0);
	resumed = nr_resumed(1);
	control(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
	CHECK(nr_resumed(1) > resumed);
	CHECK_EQ(receive(0, "x"), 0);
	CHECK_EQ(receive(1, "kept for nobody"), 15);
	/* Who opens it next does not get what was for the one before. */
	control(1, VIRTIO_CONSOLE_PORT_OPEN, 0);
	CHECK_EQ(receive(1, "x"), 0);
	control(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
	CHECK_EQ(receive(1, "fresh"), 5);
	at = give(RX(1), 100);
	CHECK(gets(1, at, "fresh"));
	end();
}

TEST(the_host_comes_and_goes)
{
	u64 at;

	start_two();
	control(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
	told_nothing_but_open(1, 1);
	connected(1, true);
	told(1, VIRTIO_CONSOLE_PORT_OPEN, 1, NULL, 0);

	/* It goes, and another one comes before the driver has all: that gets it first. */
	CHECK_EQ(receive(1, "last words"), 10);
	connected(1, false);
	connected(1, true);
	CHECK_EQ(receive(1, "of another"), 0);
	give(CTL_RX, 256);
	none_used(CTL_RX);
	at = give(RX(1), 100);
	CHECK(gets(1, at, "last words"));
	CHECK_EQ(take(CTL_RX), 8);
	told(1, VIRTIO_CONSOLE_PORT_OPEN, 1, NULL, 0);
	CHECK_EQ(receive(1, "of another"), 10);
	at = give(RX(1), 100);
	CHECK(gets(1, at, "of another"));

	/* Often, while there is no buffer to tell it: the end of the first is told, once. */
	for (unsigned int i = 0; i < 1000; i++) {
		connected(1, false);
		connected(1, true);
	}
	told(1, VIRTIO_CONSOLE_PORT_OPEN, 0, NULL, 0);
	told(1, VIRTIO_CONSOLE_PORT_OPEN, 1, NULL, 0);
	connected(1, false);
	told(1, VIRTIO_CONSOLE_PORT_OPEN, 0, NULL, 0);
	told_nothing_but_open(1, 1);

	/* The driver closes the port instead of reading what is left. */
	connected(1, true);
	told(1, VIRTIO_CONSOLE_PORT_OPEN, 1, NULL, 0);
	CHECK_EQ(receive(1, "unread"), 6);
	connected(1, false);
	control(1, VIRTIO_CONSOLE_PORT_OPEN, 0);
	told(1, VIRTIO_CONSOLE_PORT_OPEN, 0, NULL, 0);
	end();
}

TEST(hostile_control)
{
	static const u32 ids[] = {0, 1, 2, 3, 16, 0x7fffffff, 0xffffffff};

	start("null socket=x,port=chan", ALL_FEATURES);
	/* Before DEVICE_READY there are no ports. */
	control(0, VIRTIO_CONSOLE_PORT_READY, 1);
	control(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
	CHECK_EQ(receive(1, "x"), 0);
	control(VIRTIO_CONSOLE_BAD_ID, VIRTIO_CONSOLE_DEVICE_READY, 0);
	give(CTL_RX, 256);
	none_used(CTL_RX);
	control(VIRTIO_CONSOLE_BAD_ID, VIRTIO_CONSOLE_DEVICE_READY, 1);
	CHECK_EQ(take(CTL_RX), 8);
	told(1, VIRTIO_CONSOLE_PORT_ADD, 1, NULL, 0);

	/* Everything, without a buffer for answers. */
	for (unsigned int round = 0; round < 20; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
			for (u16 event = 0; event < 10; event++) {
				if (event == VIRTIO_CONSOLE_PORT_OPEN && ids[i] == 1)
					continue;
				control(ids[i], event, 1);
				control(ids[i], event, 0xffff);
			}
			control(ids[i], 0xffff, 1);
		}
	}
	/* Too short, nothing at all, the wrong way, out of reach; too long is fine. */
	send_bytes(CTL_TX, "\1\0\0\0\6\0\1", 7);
	CHECK_EQ(take(CTL_TX), 0);
	give(CTL_TX, 8);
	CHECK_EQ(take(CTL_TX), 0);
	fake_offer(&t.q[CTL_TX], fake_chain(&t.q[CTL_TX], &(struct fake_seg){OUTSIDE, 8}, 1, 0));
	fake_kick(&t.q[CTL_TX]);
	CHECK_EQ(take(CTL_TX), 0);
	CHECK_EQ(receive(1, "x"), 0);
	send_bytes(CTL_TX, "\1\0\0\0\6\0\1\0more", 12);
	CHECK_EQ(take(CTL_TX), 0);
	CHECK_EQ(receive(1, "x"), 1);

	/* One message each is all that waits, until a buffer is big enough for it. */
	give(CTL_RX, 7);
	CHECK_EQ(take(CTL_RX), 0);
	send_bytes(CTL_RX, "wrong way", 9);
	CHECK_EQ(take(CTL_RX), 0);
	fake_offer(&t.q[CTL_RX], fake_chain(&t.q[CTL_RX], &(struct fake_seg){OUTSIDE, 64}, 0, 1));
	fake_kick(&t.q[CTL_RX]);
	CHECK_EQ(take(CTL_RX), 0);
	told(0, VIRTIO_CONSOLE_CONSOLE_PORT, 1, NULL, 0);
	give(CTL_RX, 11);
	CHECK_EQ(take(CTL_RX), 0);
	told(1, VIRTIO_CONSOLE_PORT_NAME, 1, "chan", 4);
	told_nothing_but_open(0, 0);
	CHECK(!(atomic_load(&t.vdev->status) & VIRTIO_CONFIG_S_NEEDS_RESET));
	end();
}

TEST(resize)
{
	struct chardev *dev;
	u8 size[4];

	create("null tty null,port=a");
	dev = &t.ends[1].dev;
	dev->user->resized(dev->opaque, 80, 24);
	CHECK_EQ(read_config().cols, 0);
	driver(ALL_FEATURES);
	control(VIRTIO_CONSOLE_BAD_ID, VIRTIO_CONSOLE_DEVICE_READY, 1);
	for (unsigned int id = 0; id < 3; id++)
		told(id, VIRTIO_CONSOLE_PORT_ADD, 1, NULL, 0);
	/* Columns first. */
	make_ready(1, NULL);
	told(1, VIRTIO_CONSOLE_RESIZE, 1, "\x50\0\x18\0", 4);
	dev->user->resized(dev->opaque, 1, 2);
	dev->user->resized(dev->opaque, 132, 43);
	size[0] = 132, size[1] = 0, size[2] = 43, size[3] = 0;
	told(1, VIRTIO_CONSOLE_RESIZE, 1, size, 4);
	CHECK_EQ(atomic_load(&t.drv.config_interrupts), 0);
	end();

	start("tty", ALL_FEATURES);
	dev = &t.ends[0].dev;
	dev->user->resized(dev->opaque, 132, 43);
	CHECK_EQ(le16toh(read_config().cols), 132);
	CHECK_EQ(le16toh(read_config().rows), 43);
	CHECK_EQ(atomic_load(&t.drv.config_interrupts), 1);
	CHECK_EQ(atomic_load(&t.vdev->config_generation), 1);
	/* Once more with the first input that the driver gets. */
	for (unsigned int i = 0; i < 3; i++) {
		give(RX(0), 10);
		CHECK_EQ(receive(0, "in"), 2);
		CHECK_EQ(take(RX(0)), 2);
		AWAIT(atomic_load(&t.drv.config_interrupts) == 2);
	}
	end();
}

/* A channel whose other end takes nothing waits, by itself and without guest memory. */
TEST(stalled_channel)
{
	start_two();
	set_room(1, 3);
	send_text(1, "stalled");
	AWAIT(nr_got(1) == 3);
	send_text(0, "goes on");
	CHECK_EQ(take(TX(0)), 0);
	CHECK(got(0, "goes on"));
	none_used(TX(1));
	no_access_is_open(TX(1));
	CHECK_EQ(receive(1, "x"), 0);
	control(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
	CHECK_EQ(receive(1, "in"), 2);
	give(RX(1), 10);
	CHECK_EQ(take(RX(1)), 2);

	/* Kicks do not help. */
	for (unsigned int i = 0; i < 100; i++)
		fake_kick(&t.q[TX(1)]);
	none_used(TX(1));
	set_room(1, SIZE_MAX);
	CHECK_EQ(take(TX(1)), 0);
	CHECK(got(1, "stalled"));
	CHECK_EQ(atomic_load(&t.ends[1].dev.dropped), 0);

	/* A reset of its queue does not wait for it, nor does one of the device. */
	set_room(1, 0);
	send_text(1, "given up");
	pthread_mutex_lock(&t.vdev->lock);
	virtio_queue_reset(t.vdev, TX(1));
	pthread_mutex_unlock(&t.vdev->lock);
	fake_queue_setup(&t.q[TX(1)], &t.drv, TX(1), SIZE, RINGS(TX(1)));
	send_text(1, "given up, too");
	fake_driver_status(&t.drv, 0);
	set_room(1, SIZE_MAX);
	driver(ALL_FEATURES);
	send_text(1, "again");
	CHECK(got(1, "again"));
	end();
}

/* The driver of a console spins: it waits for the terminal, for nothing else. */
TEST(stalled_console)
{
	start("tty null", ALL_FEATURES);
	set_room(1, 3);
	send_text(1, "dropped");
	CHECK_EQ(take(TX(1)), 0);
	CHECK(got(1, "dro"));
	CHECK_EQ(atomic_load(&t.ends[1].dev.dropped), 4);

	set_room(0, 3);
	send_text(0, "waits");
	AWAIT(nr_got(0) == 3);
	none_used(TX(0));
	no_access_is_open(TX(0));
	set_room(0, SIZE_MAX);
	CHECK_EQ(take(TX(0)), 0);
	CHECK(got(0, "waits"));
	set_room(0, 0);
	send_text(0, "given up");
	end();
}

TEST(emergency_write)
{
	const u32 at = offsetof(struct virtio_console_config, emerg_wr);

	create("null null");
	/* Before there is a driver. */
	write_config(at, "a\xff\xff\xff", 4);
	write_config(at, "b", 1);
	write_config(at + 1, "no", 2);
	write_config(0, "nothing!", 8);
	write_config(at - 2, "--c---", 6);
	driver(BIT_ULL(VIRTIO_F_VERSION_1));
	write_config(at, "d\0", 2);
	CHECK(got(0, "abcd"));
	CHECK_EQ(nr_got(1), 0);
	CHECK_EQ(read_config().emerg_wr, 0);
	/* It never waits. */
	set_room(0, 0);
	write_config(at, "e", 1);
	CHECK_EQ(atomic_load(&t.ends[0].dev.dropped), 1);
	end();
}

TEST(what_was_typed_survives_a_reset)
{
	u64 at;

	start_two();
	control(0, VIRTIO_CONSOLE_PORT_OPEN, 1);
	control(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
	CHECK_EQ(receive(0, "typed"), 5);
	CHECK_EQ(receive(1, "sent"), 4);
	fake_driver_status(&t.drv, 0);
	CHECK_EQ(receive(0, "x"), 0);
	CHECK_EQ(receive(1, "x"), 0);
	driver(ALL_FEATURES & ~MULTIPORT);
	at = give(RX(0), 100);
	CHECK(gets(0, at, "typed"));
	fake_driver_status(&t.drv, 0);
	driver(ALL_FEATURES);
	control(VIRTIO_CONSOLE_BAD_ID, VIRTIO_CONSOLE_DEVICE_READY, 1);
	told(0, VIRTIO_CONSOLE_PORT_ADD, 1, NULL, 0);
	told(1, VIRTIO_CONSOLE_PORT_ADD, 1, NULL, 0);
	control(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
	at = give(RX(1), 100);
	CHECK_EQ(receive(1, "new"), 3);
	CHECK(gets(1, at, "new"));
	end();
}

/* People and peers, who know nothing of resets. */
static void *other_side(void *opaque)
{
	(void)opaque;
	while (!atomic_load(&over)) {
		receive(0, "abc");
		receive(1, "defgh");
		connected(1, true);
		set_room(0, 5);
		set_room(1, 7);
		connected(1, false);
	}
	return NULL;
}

TEST(reset_in_mid_flight)
{
	pthread_t thread;

	create("tty socket=x,port=chan");
	atomic_store(&over, false);
	if (pthread_create(&thread, NULL, other_side, NULL))
		exit(2);
	for (unsigned int round = 0; round < 150; round++) {
		const struct virtio_console_control ready = {
			.id = 0xffffffff,
			.event = htole16(VIRTIO_CONSOLE_DEVICE_READY),
			.value = htole16(1),
		};

		driver(round % 3 ? ALL_FEATURES : ALL_FEATURES & ~MULTIPORT);
		send_bytes(CTL_TX, &ready, sizeof(ready));
		for (u32 id = 0; id < 2; id++) {
			u32 msg[2] = {htole32(id), htole32(0x10000 | VIRTIO_CONSOLE_PORT_READY)};

			send_bytes(CTL_TX, msg, sizeof(msg));
			msg[1] = htole32(0x10000 | VIRTIO_CONSOLE_PORT_OPEN);
			send_bytes(CTL_TX, msg, sizeof(msg));
			for (unsigned int i = 0; i < 4; i++) {
				give(CTL_RX, 64);
				give(RX(id), 4);
				send_text(id, "output");
			}
		}
		if (round % 2)
			poll(NULL, 0, round % 5);
		fake_driver_status(&t.drv, 0);
	}
	atomic_store(&over, true);
	pthread_join(thread, NULL);
	CHECK(!(atomic_load(&t.vdev->status) & VIRTIO_CONFIG_S_NEEDS_RESET));

	/* And it works. */
	set_room(0, SIZE_MAX);
	pthread_mutex_lock(&t.ends[0].lock);
	t.ends[0].nr_got = 0;
	pthread_mutex_unlock(&t.ends[0].lock);
	driver(ALL_FEATURES);
	send_text(0, "alive");
	CHECK(got(0, "alive"));
	end();
}

TEST(broken_rings)
{
	start("null null,port=a", ALL_FEATURES);
	capture_begin();
	fake_offer(&t.q[TX(1)], SIZE);
	fake_kick(&t.q[TX(1)]);
	AWAIT(atomic_load(&t.vdev->status) & VIRTIO_CONFIG_S_NEEDS_RESET);
	/* The line is there before the interrupt, which comes after the bit. */
	AWAIT(atomic_load(&t.drv.config_interrupts) == 1);
	CHECK(capture_one_line(capture_end(), "index is out of range"));
	fake_driver_status(&t.drv, 0);
	driver(ALL_FEATURES);
	send_text(1, "well");
	CHECK(got(1, "well"));
	end();
}

TEST(counters)
{
	struct report *r = report_new(true, 4096);
	const char *text;
	size_t len;

	start("null null,port=a", ALL_FEATURES & ~MULTIPORT);
	set_room(0, 3);
	send_text(0, "abcde");
	CHECK_EQ(take(TX(0)), 0);
	give(RX(0), 10);
	CHECK_EQ(receive(0, "in"), 2);
	CHECK_EQ(take(RX(0)), 2);
	/* The driver has it before it is counted. */
	AWAIT(atomic_load(&t.con->ports[0].bytes_in) == 2);
	AWAIT(atomic_load(&t.con->ports[0].bytes_out) == 5);
	report_object_begin(r, NULL);
	pthread_mutex_lock(&t.vdev->lock);
	t.vdev->ops->stat(t.vdev, r);
	pthread_mutex_unlock(&t.vdev->lock);
	report_object_end(r);
	text = report_text(r, &len);
	CHECK(text && strstr(text, "\"bytes_in\": 2"));
	CHECK(text && strstr(text, "\"bytes_out\": 5"));
	CHECK(text && strstr(text, "\"bytes_dropped\": 2"));
	CHECK(text && strstr(text, "\"name\": \"a\""));
	report_free(r);
	end();
}

TEST(options)
{
	static const struct {
		const char *first, *second, *text;
	} bad[] = {
		{"tty,", NULL, "nothing follows the comma"},
		{"null,port", NULL, "port=: a name has 1 to 63 characters"},
		{"null,port=", NULL, "port=: a name has 1 to 63 characters"},
		{"null,port=a/b", NULL, "port=a/b: a name has letters"},
		{"null,port=.a", NULL, "port=.a: a name has letters"},
		{"null,port=a b", NULL, "a name has letters"},
		{"null,prot=a", NULL, "did you mean 'port'?"},
		{"null,port=a,port=b", NULL, "'port' is given twice"},
		{"null,port=a", "null,port=a", "port=a: two ports have this name"},
		{"tty", "stdio", "tty is given twice"},
		{"tty", "tty,port=x", "tty is given twice"},
		{"null", "null,iommu=off", "belong to the first --console"},
		{"sokcet=x", NULL, "did you mean 'socket'?"},
		{",port=a", NULL, "expected tty, pty"},
	};
	struct console_config c;
	char arg[128];

	memset(&c, 0, sizeof(c));
	CHECK_EQ(console_parse("file=/x,port=Az09._-,iommu=off", &c), 0);
	CHECK_EQ(c.options.iommu, VIRTIO_CHOICE_OFF);
	CHECK_STR_EQ(c.ports[0].name, "Az09._-");
	CHECK_STR_EQ(c.ports[0].chardev.path, "/x");
	CHECK(!console_has_terminal(&c));
	CHECK_EQ(console_terminal_hvc(&c), -ENOENT);
	CHECK_EQ(console_parse("null", &c), 0);
	CHECK_EQ(console_parse("tty", &c), 0);
	CHECK(console_has_terminal(&c));
	CHECK_EQ(console_terminal_hvc(&c), 1);
	while (c.nr_ports < CONSOLE_MAX_PORTS)
		CHECK_EQ(console_parse("null", &c), 0);
	capture_begin();
	CHECK_EQ(console_parse("null", &c), -EINVAL);
	CHECK(capture_one_line(capture_end(), "'null' is one too many, 16 are possible"));

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		memset(&c, 0, sizeof(c));
		if (bad[i].second)
			CHECK_EQ(console_parse(bad[i].first, &c), 0);
		capture_begin();
		CHECK_EQ(console_parse(bad[i].second ? bad[i].second : bad[i].first, &c), -EINVAL);
		CHECK(capture_one_line(capture_end(), bad[i].text));
	}

	memset(&c, 0, sizeof(c));
	strcpy(arg, "null,port=");
	memset(arg + 10, 'n', CONSOLE_NAME_LEN);
	arg[10 + CONSOLE_NAME_LEN] = '\0';
	CHECK_EQ(console_parse(arg, &c), 0);
	strcat(arg, "n");
	capture_begin();
	CHECK_EQ(console_parse(arg, &c), -EINVAL);
	capture_one_line(capture_end(), "a name has 1 to 63 characters");
}
