// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtio console device: what the guest sends to its ports and to the control queue, and what
 * comes from the host meanwhile.
 */
#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fuzz.h"
#include "hostile-driver.h"
#include "inline-worker.h"
#include "virtio/console.h"

#define NR_PORTS   3
#define CONTROL_RX 2
#define CONTROL_TX 3

/* A back end that takes less than it is given, but some of it. */
static size_t some_write(struct chardev *dev, const u8 *bytes, size_t len)
{
	u8 sum = 0;

	(void)dev;
	for (size_t i = 0; i < len; i++)
		sum += bytes[i];
	return len - (len > 1 ? sum % (len / 2 + 1) : 0);
}

static void no_resume(struct chardev *dev)
{
	(void)dev;
}

/* There is always room. */
static void poll_room(struct chardev *dev, struct pollfd *room)
{
	*room = (struct pollfd){.fd = *(int *)(dev + 1), .events = POLLOUT};
}

static void no_connect(struct chardev *dev)
{
	(void)dev;
}

static void close_end(struct chardev *dev)
{
	close(*(int *)(dev + 1));
}

static const struct chardev_ops ops = {
	.write = some_write,
	.resume = no_resume,
	.poll_room = poll_room,
	.connect = no_connect,
	.close = close_end,
};

static struct {
	struct chardev dev;
	int fd;
} ends[NR_PORTS];

/* Input, somebody who comes or goes, another size of the terminal. */
static void host_side(unsigned int i)
{
	struct chardev *dev = &ends[i].dev;
	u8 bytes[300];
	size_t len;

	if (!dev->user)
		return;
	switch (unit_below(4)) {
	case 0:
		dev->user->connected(dev->opaque, fuzz_bool());
		break;
	case 1:
		dev->user->resized(dev->opaque, fuzz_int(2), fuzz_int(2));
		break;
	default:
		len = fuzz_int(2) % sizeof(bytes);
		fuzz_take(bytes, len);
		CHECK(dev->user->receive(dev->opaque, bytes, len) <= len);
	}
}

static void control_message(void)
{
	struct virtio_console_control msg = {
		.id = htole32(unit_below(8) ? unit_below(NR_PORTS) : fuzz_int(4)),
		.event = htole16(unit_below(10)),
		.value = htole16(unit_below(8) ? unit_below(2) : fuzz_int(2)),
	};

	hostile_request(CONTROL_TX, &msg, unit_below(8) ? sizeof(msg) : unit_below(sizeof(msg)), 0);
}

static void guest_side(unsigned int nr_queues)
{
	unsigned int queue = unit_below(nr_queues);
	u8 bytes[600] = {0};

	if (queue == CONTROL_TX) {
		control_message();
	} else if (queue % 2) {
		u32 len = fuzz_int(2) % sizeof(bytes);

		fuzz_take(bytes, len % 16);
		hostile_request(queue, bytes, len, 0);
	} else {
		hostile_request(queue, bytes, 0, queue == CONTROL_RX ? 80 : fuzz_int(1));
	}
}

void fuzz_one(void)
{
	unsigned int nr_ports = 1 + unit_below(NR_PORTS), nr_queues;
	struct console_config config = {.nr_ports = nr_ports};
	struct chardev *chardevs[NR_PORTS];
	struct iommu_endpoint *ep = hostile_begin();
	struct virtio_console *con;

	for (unsigned int i = 0; i < nr_ports; i++) {
		ends[i].dev = (struct chardev){.ops = &ops, .stop_fd = -1};
		ends[i].fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		chardevs[i] = &ends[i].dev;
		/* Consoles and channels. */
		if (fuzz_bool())
			strcpy(config.ports[i].name, "channel");
	}
	if (virtio_console_create(&con, &config, chardevs, &hd.mem, ep))
		exit(2);
	nr_queues = min(con->vdev.nr_vqs, (unsigned int)HOSTILE_MAX_QUEUES);
	hostile_start(&con->vdev, nr_queues);
	while (fuzz_more()) {
		u8 step = fuzz_int(1);

		if (step < 128)
			guest_side(nr_queues);
		else if (step < 200)
			host_side(unit_below(nr_ports));
		else if (step < 224)
			hostile_ring(unit_below(nr_queues));
		else if (step < 236)
			hostile_config();
		else if (step < 248)
			hostile_iommu();
		else
			hostile_restart();
		inline_workers_run();
		hostile_take(unit_below(nr_queues));
	}
	fake_driver_status(&hd.drv, 0);
	virtio_console_destroy(con);
	hostile_end();
}
