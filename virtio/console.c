// SPDX-License-Identifier: GPL-2.0-only
/* The virtio console device: virtio 1.3, 5.3. Its control queues are console-control.c. */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "util/log.h"
#include "util/report.h"
#include "virtio/console.h"

#define QUEUE_SIZE 64

/* 5.3.2: those of port 0, of control, then of the other ports, each a receive queue first. */
#define CONTROL_RX 2
#define CONTROL_TX 3

static struct virtio_console *to_console(struct virtio_device *vdev)
{
	return container_of(vdev, struct virtio_console, vdev);
}

static unsigned int rx_index(unsigned int port)
{
	return port ? 2 * port + 2 : 0;
}

/* NULL for the control queues. */
static struct console_port *port_of(struct virtio_console *con, unsigned int index)
{
	if (index == CONTROL_RX || index == CONTROL_TX)
		return NULL;
	return &con->ports[index < CONTROL_RX ? 0 : (index - 2) / 2];
}

/* With port->lock. */
static void set_open(struct console_port *port, bool open)
{
	if (port->open == open)
		return;
	port->open = open;
	port->reopened = open && port->open_told;
	console_control_wake(port->con);
}

void console_input_drained(struct console_port *port)
{
	if (!port->leaving || port->nr_in)
		return;
	port->leaving = false;
	set_open(port, false);
	set_open(port, port->host_there);
}

static void port_connected(void *opaque, bool on)
{
	struct console_port *port = opaque;

	pthread_mutex_lock(&port->lock);
	port->host_there = on;
	/* A driver that knows of the end before it has all that was sent may not look for it. */
	if (!on && port->nr_in)
		port->leaving = true;
	if (!port->leaving)
		set_open(port, on);
	pthread_mutex_unlock(&port->lock);
}

static void port_resized(void *opaque, u16 cols, u16 rows)
{
	struct console_port *port = opaque;

	pthread_mutex_lock(&port->lock);
	port->cols = cols;
	port->rows = rows;
	if (port->ready && !port->name[0]) {
		port->pending |= BIT(VIRTIO_CONSOLE_RESIZE);
		console_control_wake(port->con);
	}
	pthread_mutex_unlock(&port->lock);
	if (port->id)
		return;
	atomic_store(&port->con->size, (u32)rows << 16 | cols);
	virtio_config_changed(&port->con->vdev);
}

/* With port->lock. What a driver has not asked for stays with the back end. */
static bool takes_input(const struct console_port *port)
{
	return port->running && !port->leaving && (!port->multiport || port->guest_open);
}

static size_t port_receive(void *opaque, const u8 *data, size_t len)
{
	struct console_port *port = opaque;
	size_t n = 0;

	pthread_mutex_lock(&port->lock);
	if (takes_input(port)) {
		if (!port->nr_in)
			port->first_in = 0;
		if (port->first_in) {
			memmove(port->in, port->in + port->first_in, port->nr_in);
			port->first_in = 0;
		}
		n = min(len, sizeof(port->in) - port->nr_in);
		memcpy(port->in + port->nr_in, data, n);
		port->nr_in += n;
		if (n)
			eventfd_write(port->in_event, 1);
	}
	pthread_mutex_unlock(&port->lock);
	return n;
}

static const struct chardev_user port_user = {
	.receive = port_receive,
	.connected = port_connected,
	.resized = port_resized,
};

/*
 * Without MULTIPORT Linux up to 6.12 does not look for the size before it changes, nor can it
 * when the device starts, before it has a console. With its first input it has one.
 */
static void repeat_size(struct virtio_console *con)
{
	if (atomic_load(&con->size) && !atomic_exchange(&con->size_repeated, true))
		virtio_config_changed(&con->vdev);
}

/* Fills the driver's buffers. True if there is input left, and no buffer. */
static bool give_input(struct console_port *port)
{
	struct virtq *vq = port->rx.vq;
	bool had = false, left;
	/* A driver that refills the ring meanwhile must not keep the main loop from the lock. */
	unsigned int turns = vq->size;

	pthread_mutex_lock(&port->lock);
	while (turns-- && port->nr_in && !atomic_load(&port->rx.stop) &&
	       virtq_pop(vq, &port->rx_chain) > 0) {
		size_t len = min((u64)port->nr_in, port->rx_chain.in_len);

		/* A buffer that cannot be written goes back empty: the input is for another. */
		if (virtq_copy_in(vq, &port->rx_chain, 0, port->in + port->first_in, len) !=
		    (ssize_t)len)
			len = 0;
		if (virtq_push(vq, port->rx_chain.head, len))
			break;
		port->first_in += len;
		port->nr_in -= len;
		atomic_fetch_add_explicit(&port->bytes_in, len, memory_order_relaxed);
		had = true;
	}
	virtq_publish(vq);
	console_input_drained(port);
	left = port->nr_in;
	pthread_mutex_unlock(&port->lock);
	if (had) {
		chardev_resume(port->chardev);
		if (!port->id && !port->con->offers_multiport)
			repeat_size(port->con);
	}
	return left;
}

static void serve_rx(struct virtio_worker *worker)
{
	struct console_port *port = container_of(worker, struct console_port, rx);
	struct pollfd event = {.fd = port->in_event, .events = POLLIN};

	while (!atomic_load(&worker->stop)) {
		eventfd_t count;

		eventfd_read(port->in_event, &count);
		virtq_disable_kick(worker->vq);
		if (!give_input(port) || !virtq_enable_kick(worker->vq))
			virtio_worker_wait(worker, &event, 1);
	}
}

/*
 * Hands bytes to the back end. That of a console must not keep the driver, which spins until
 * they are out: only on the terminal it waits, as for a serial line. A channel waits for room
 * always. False: the queue stops meanwhile.
 */
static bool put_output(struct console_port *port, const u8 *data, size_t len)
{
	struct chardev *chardev = port->chardev;

	while (!atomic_load(&port->tx.stop)) {
		size_t n = chardev_write(chardev, data, len);
		struct pollfd room;

		data += n;
		len -= n;
		if (!len)
			return true;
		if (!port->name[0] && chardev->stop_fd < 0) {
			chardev_count_dropped(chardev, len);
			return true;
		}
		chardev_poll_room(chardev, &room);
		virtio_worker_wait(&port->tx, &room, 1);
	}
	return false;
}

/* The chain in work. A buffer that cannot be read ends there, what was before it is out. */
static bool send_chain(struct console_port *port)
{
	const struct virtq_chain *chain = &port->tx_chain;
	u64 done = 0;

	while (done < chain->out_len) {
		u64 part = min(chain->out_len - done, (u64)sizeof(port->out));
		ssize_t n = virtq_copy_out(port->tx.vq, chain, done, port->out, part);

		if (n != (ssize_t)part)
			break;
		if (!put_output(port, port->out, part))
			return false;
		done += part;
		atomic_fetch_add_explicit(&port->bytes_out, part, memory_order_relaxed);
	}
	return true;
}

static void serve_tx(struct virtio_worker *worker)
{
	struct console_port *port = container_of(worker, struct console_port, tx);

	while (!atomic_load(&worker->stop)) {
		virtq_disable_kick(worker->vq);
		while (!atomic_load(&worker->stop) && virtq_pop(worker->vq, &port->tx_chain) > 0) {
			if (!send_chain(port) || virtq_push(worker->vq, port->tx_chain.head, 0))
				break;
			/* The driver of a console waits for each. */
			virtq_publish(worker->vq);
		}
		if (!virtq_enable_kick(worker->vq))
			virtio_worker_wait(worker, NULL, 0);
	}
}

static struct virtio_worker *worker_of(struct virtio_console *con, unsigned int index)
{
	if (index == CONTROL_RX && con->offers_multiport)
		return &con->control_rx;
	if (index == CONTROL_TX && con->offers_multiport)
		return &con->control_tx;
	return index % 2 ? &port_of(con, index)->tx : &port_of(con, index)->rx;
}

static int console_queue_start(struct virtio_device *vdev, unsigned int index)
{
	struct virtio_console *con = to_console(vdev);
	bool multiport = virtio_has_feature(vdev, VIRTIO_CONSOLE_F_MULTIPORT);
	struct console_port *port = port_of(con, index);

	/* Without the feature there are no queues but those of port 0. */
	if (index >= CONTROL_RX && !multiport)
		return 0;
	if (port && index == rx_index(port->id)) {
		pthread_mutex_lock(&port->lock);
		port->running = true;
		port->multiport = multiport;
		pthread_mutex_unlock(&port->lock);
	}
	virtio_worker_start(worker_of(con, index));
	if (port)
		chardev_resume(port->chardev);
	return 0;
}

static void console_queue_stop(struct virtio_device *vdev, unsigned int index)
{
	struct virtio_console *con = to_console(vdev);
	struct console_port *port = port_of(con, index);

	if (port && index == rx_index(port->id)) {
		pthread_mutex_lock(&port->lock);
		port->running = false;
		pthread_mutex_unlock(&port->lock);
	}
	virtio_worker_stop(worker_of(con, index));
}

static void console_reset(struct virtio_device *vdev)
{
	struct virtio_console *con = to_console(vdev);

	atomic_store(&con->size_repeated, false);
	for (unsigned int i = 0; i < con->max_ports; i++) {
		struct console_port *port = &con->ports[i];

		pthread_mutex_lock(&port->lock);
		console_control_reset(port);
		/* What was typed is for the next driver; a channel begins anew. */
		if (port->name[0])
			port->nr_in = 0;
		console_input_drained(port);
		pthread_mutex_unlock(&port->lock);
	}
}

static void console_config_read(struct virtio_device *vdev, u32 off, void *buf, u32 len)
{
	const struct virtio_console *con = to_console(vdev);
	u32 size = atomic_load(&con->size);
	struct virtio_console_config config = {
		.cols = htole16(size & 0xffff),
		.rows = htole16(size >> 16),
		.max_nr_ports = htole32(con->max_ports),
	};

	memcpy(buf, (u8 *)&config + off, len);
}

/* 5.3.4: a driver may use the emergency write at any time, also before it has features. */
static void console_config_write(struct virtio_device *vdev, u32 off, const void *buf, u32 len)
{
	struct console_port *port = &to_console(vdev)->ports[0];
	u32 at = offsetof(struct virtio_console_config, emerg_wr);
	const u8 *byte;

	if (off > at || at - off >= len)
		return;
	byte = (const u8 *)buf + (at - off);
	if (!chardev_write(port->chardev, byte, 1))
		chardev_count_dropped(port->chardev, 1);
	atomic_fetch_add_explicit(&port->bytes_out, 1, memory_order_relaxed);
}

static void console_stat(struct virtio_device *vdev, struct report *r)
{
	const struct virtio_console *con = to_console(vdev);

	report_list_begin(r, "ports");
	for (unsigned int i = 0; i < con->max_ports; i++) {
		const struct console_port *port = &con->ports[i];

		if (!port->exists)
			continue;
		report_object_begin(r, NULL);
		report_u64(r, "port", port->id);
		report_str(r, "name", port->name);
		report_u64(r, "bytes_in", atomic_load(&port->bytes_in));
		report_u64(r, "bytes_out", atomic_load(&port->bytes_out));
		report_u64(r, "bytes_dropped", atomic_load(&port->chardev->dropped));
		report_object_end(r);
	}
	report_list_end(r);
}

static const struct virtio_ops console_ops = {
	.name = "virtio-console",
	.id = 3,
	.threaded = true,
	.config_size = sizeof(struct virtio_console_config),
	.config_read = console_config_read,
	.config_write = console_config_write,
	.queue_start = console_queue_start,
	.queue_stop = console_queue_stop,
	.reset = console_reset,
	.stat = console_stat,
};

static int port_init(struct console_port *port, struct virtio_console *con, unsigned int id)
{
	unsigned int rx = rx_index(id);
	char name[16];
	int ret;

	port->con = con;
	port->id = id;
	port->in_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (port->in_event < 0)
		return -errno;
	pthread_mutex_init(&port->lock, NULL);
	con->nr_ports++;
	snprintf(name, sizeof(name), "con%hhu-rx", (u8)id);
	ret = virtio_worker_init(&port->rx, &con->vdev.vqs[rx], serve_rx, name);
	if (ret)
		return ret;
	port->nr_workers++;
	snprintf(name, sizeof(name), "con%hhu-tx", (u8)id);
	ret = virtio_worker_init(&port->tx, &con->vdev.vqs[rx + 1], serve_tx, name);
	if (!ret)
		port->nr_workers++;
	return ret;
}

static int control_init(struct virtio_console *con)
{
	int ret;

	if (!con->offers_multiport)
		return 0;
	ret = virtio_worker_init(&con->control_rx, &con->vdev.vqs[CONTROL_RX], console_control_rx,
				 "con-control-rx");
	if (ret)
		return ret;
	con->nr_control++;
	ret = virtio_worker_init(&con->control_tx, &con->vdev.vqs[CONTROL_TX], console_control_tx,
				 "con-control-tx");
	if (!ret)
		con->nr_control++;
	return ret;
}

/* Ends the threads, and frees all but the back ends. */
static void release(struct virtio_console *con)
{
	while (con->nr_ports) {
		struct console_port *port = &con->ports[--con->nr_ports];

		if (port->nr_workers > 1)
			virtio_worker_destroy(&port->tx);
		if (port->nr_workers)
			virtio_worker_destroy(&port->rx);
		pthread_mutex_destroy(&port->lock);
		close(port->in_event);
	}
	if (con->nr_control > 1)
		virtio_worker_destroy(&con->control_tx);
	if (con->nr_control)
		virtio_worker_destroy(&con->control_rx);
	if (con->control_event >= 0)
		close(con->control_event);
	if (con->vdev.nr_vqs)
		virtio_device_destroy(&con->vdev);
	pthread_mutex_destroy(&con->control_lock);
	free(con->ports);
	free(con);
}

/*
 * The number of each of the configured ports: the first console is port 0, which is all that a
 * driver without MULTIPORT sees; the others follow in their order. Returns how many numbers
 * there are.
 */
static unsigned int number_ports(const struct console_config *config, unsigned int *ids,
				 bool *has_first)
{
	unsigned int next = 1;

	*has_first = false;
	for (unsigned int i = 0; i < config->nr_ports; i++) {
		if (!*has_first && !config->ports[i].name[0]) {
			*has_first = true;
			ids[i] = 0;
		} else {
			ids[i] = next++;
		}
	}
	return next;
}

static u64 console_features(const struct virtio_console *con, const struct console_config *config)
{
	u64 features = BIT_ULL(VIRTIO_CONSOLE_F_EMERG_WRITE);

	if (con->offers_multiport)
		features |= BIT_ULL(VIRTIO_CONSOLE_F_MULTIPORT);
	if (console_has_terminal(config))
		features |= BIT_ULL(VIRTIO_CONSOLE_F_SIZE);
	return features;
}

static int init(struct virtio_console *con, const struct console_config *config,
		const struct guest_mem *mem, struct iommu_endpoint *ep)
{
	int ret = virtio_device_init(&con->vdev, &console_ops, console_features(con, config),
				     con->offers_multiport ? 2 * con->max_ports + 2 : 2, QUEUE_SIZE,
				     mem, ep);

	if (ret)
		return ret;
	con->control_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (con->control_event < 0)
		return -errno;
	for (unsigned int i = 0; !ret && i < con->max_ports; i++)
		ret = port_init(&con->ports[i], con, i);
	return ret ? ret : control_init(con);
}

int virtio_console_create(struct virtio_console **out, const struct console_config *config,
			  struct chardev *const *chardevs, const struct guest_mem *mem,
			  struct iommu_endpoint *ep)
{
	unsigned int ids[CONSOLE_MAX_PORTS];
	bool has_first;
	struct virtio_console *con = calloc(1, sizeof(*con));
	int ret = -ENOMEM;

	if (!con)
		goto err;
	con->control_event = -1;
	pthread_mutex_init(&con->control_lock, NULL);
	con->max_ports = number_ports(config, ids, &has_first);
	con->offers_multiport = con->max_ports > 1;
	con->ports = calloc(con->max_ports, sizeof(*con->ports));
	if (!con->ports)
		goto err_release;
	ret = init(con, config, mem, ep);
	if (!ret && !has_first)
		ret = null_chardev_open(&con->ports[0].chardev);
	if (ret)
		goto err_release;
	for (unsigned int i = 0; i < config->nr_ports; i++) {
		struct console_port *port = &con->ports[ids[i]];

		port->exists = true;
		strcpy(port->name, config->ports[i].name);
		port->chardev = chardevs[i];
		chardev_connect(port->chardev, &port_user, port);
	}
	*out = con;
	return 0;

err_release:
	release(con);
err:
	pr_err("--console: cannot make the device: %s", strerror(-ret));
	return ret;
}

void virtio_console_destroy(struct virtio_console *con)
{
	struct chardev *chardevs[CONSOLE_MAX_PORTS + 1];
	unsigned int nr = con->max_ports;

	for (unsigned int i = 0; i < nr; i++)
		chardevs[i] = con->ports[i].chardev;
	release(con);
	while (nr--)
		chardev_close(chardevs[nr]);
}
