// SPDX-License-Identifier: GPL-2.0-only
/*
 * The control queues of the console device: virtio 1.3, 5.3.6.2.
 *
 * What the driver has to hear is not a list but a state of each port, out of which the next
 * message is made when there is a buffer for it. So a driver that talks and never listens
 * makes nothing grow.
 */
#include <endian.h>
#include <string.h>
#include <sys/eventfd.h>

#include "virtio/console.h"

/* 5.3.6.2, behind the header of a RESIZE. */
struct resize {
	u16 cols;
	u16 rows;
};

struct message {
	struct virtio_console_control hdr;
	u8 more[CONSOLE_NAME_LEN];
} __packed;

void console_control_wake(struct virtio_console *con)
{
	eventfd_write(con->control_event, 1);
}

void console_control_reset(struct console_port *port)
{
	port->multiport = false;
	port->added = false;
	port->ready = false;
	port->guest_open = false;
	port->open_told = false;
	port->reopened = false;
	port->pending = 0;
}

static bool open_changed(const struct console_port *port)
{
	return port->ready && (port->open != port->open_told || port->reopened);
}

/* Makes the next message for the driver. Returns its length, 0 if there is none. */
static size_t next_message(const struct console_port *port, struct message *msg)
{
	/* A port is a console before anything is said of it as one. */
	static const u16 order[] = {
		VIRTIO_CONSOLE_PORT_ADD,
		VIRTIO_CONSOLE_CONSOLE_PORT,
		VIRTIO_CONSOLE_PORT_NAME,
		VIRTIO_CONSOLE_RESIZE,
	};
	size_t len = sizeof(msg->hdr);
	u16 event = VIRTIO_CONSOLE_PORT_OPEN, value = 1;

	if (!port->pending && !open_changed(port))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		if (port->pending & BIT(order[i])) {
			event = order[i];
			break;
		}
	}
	if (event == VIRTIO_CONSOLE_PORT_OPEN)
		value = !port->open_told;
	if (event == VIRTIO_CONSOLE_PORT_NAME) {
		size_t name_len = strlen(port->name);

		memcpy(msg->more, port->name, name_len);
		len += name_len;
	}
	if (event == VIRTIO_CONSOLE_RESIZE) {
		const struct resize resize = {htole16(port->cols), htole16(port->rows)};

		memcpy(msg->more, &resize, sizeof(resize));
		len += sizeof(resize);
	}
	msg->hdr.id = htole32(port->id);
	msg->hdr.event = htole16(event);
	msg->hdr.value = htole16(value);
	return len;
}

static void message_sent(struct console_port *port, const struct message *msg)
{
	u16 event = le16toh(msg->hdr.event);

	if (event != VIRTIO_CONSOLE_PORT_OPEN) {
		port->pending &= ~BIT(event);
		return;
	}
	port->open_told = !port->open_told;
	port->reopened = false;
}

/*
 * Sends what there is to say of @port. False: there is no buffer for it. One that cannot be
 * written, or is too small, goes back empty, and the message waits for another.
 */
static bool send_messages(struct console_port *port)
{
	struct virtio_console *con = port->con;
	struct virtio_worker *worker = &con->control_rx;
	struct virtq_chain *chain = &con->control_rx_chain;
	struct message msg;
	/* As in give_input(): what is left then comes at the next turn. */
	unsigned int turns = worker->vq->size;
	bool room = true;
	size_t len;

	pthread_mutex_lock(&port->lock);
	while (!atomic_load(&worker->stop) && (len = next_message(port, &msg))) {
		u32 used = 0;

		if (!turns--) {
			console_control_wake(con);
			break;
		}

		room = virtq_pop(worker->vq, chain) > 0;
		if (!room)
			break;
		if (chain->in_len >= len &&
		    virtq_copy_in(worker->vq, chain, 0, &msg, len) == (ssize_t)len) {
			message_sent(port, &msg);
			used = len;
		}
		room = !virtq_push(worker->vq, chain->head, used);
		if (!room)
			break;
	}
	pthread_mutex_unlock(&port->lock);
	return room;
}

void console_control_rx(struct virtio_worker *worker)
{
	struct virtio_console *con = container_of(worker, struct virtio_console, control_rx);
	struct pollfd event = {.fd = con->control_event, .events = POLLIN};

	while (!atomic_load(&worker->stop)) {
		bool room = true;
		eventfd_t count;

		eventfd_read(con->control_event, &count);
		virtq_disable_kick(worker->vq);
		pthread_mutex_lock(&con->control_lock);
		for (unsigned int i = 0; i < con->max_ports && room; i++)
			room = send_messages(&con->ports[i]);
		pthread_mutex_unlock(&con->control_lock);
		virtq_publish(worker->vq);
		if (room || !virtq_enable_kick(worker->vq))
			virtio_worker_wait(worker, &event, 1);
	}
}

static void device_ready(struct virtio_console *con)
{
	for (unsigned int i = 0; i < con->max_ports; i++) {
		struct console_port *port = &con->ports[i];

		pthread_mutex_lock(&port->lock);
		if (port->exists && !port->added) {
			port->added = true;
			port->pending |= BIT(VIRTIO_CONSOLE_PORT_ADD);
		}
		pthread_mutex_unlock(&port->lock);
	}
	console_control_wake(con);
}

/* With port->lock. */
static void port_ready(struct console_port *port)
{
	if (port->ready)
		return;
	port->ready = true;
	if (port->name[0])
		port->pending |= BIT(VIRTIO_CONSOLE_PORT_NAME);
	else
		port->pending |= BIT(VIRTIO_CONSOLE_CONSOLE_PORT);
	if (!port->name[0] && port->cols)
		port->pending |= BIT(VIRTIO_CONSOLE_RESIZE);
	console_control_wake(port->con);
}

/* With port->lock. */
static void port_open(struct console_port *port, bool open)
{
	if (port->guest_open == open)
		return;
	port->guest_open = open;
	/* Nobody reads it now, and it is not for who opens the port next. */
	if (!open && port->name[0]) {
		port->nr_in = 0;
		console_input_drained(port);
	}
}

/* A message that is wrong in any way, or of a port that there is not, means nothing. */
static void handle_message(struct virtio_console *con, const struct virtio_console_control *msg)
{
	u32 id = le32toh(msg->id);
	u16 event = le16toh(msg->event), value = le16toh(msg->value);
	struct console_port *port;

	if (event == VIRTIO_CONSOLE_DEVICE_READY) {
		if (value == 1)
			device_ready(con);
		return;
	}
	if (id >= con->max_ports)
		return;
	port = &con->ports[id];
	pthread_mutex_lock(&port->lock);
	if (port->added && event == VIRTIO_CONSOLE_PORT_READY && value == 1)
		port_ready(port);
	else if (port->added && event == VIRTIO_CONSOLE_PORT_OPEN && value <= 1)
		port_open(port, value);
	pthread_mutex_unlock(&port->lock);
	if (event == VIRTIO_CONSOLE_PORT_OPEN)
		chardev_resume(port->chardev);
}

void console_control_tx(struct virtio_worker *worker)
{
	struct virtio_console *con = container_of(worker, struct virtio_console, control_tx);
	struct virtq_chain *chain = &con->control_tx_chain;

	while (!atomic_load(&worker->stop)) {
		virtq_disable_kick(worker->vq);
		while (!atomic_load(&worker->stop) && virtq_pop(worker->vq, chain) > 0) {
			struct virtio_console_control msg;

			if (virtq_copy_out(worker->vq, chain, 0, &msg, sizeof(msg)) ==
			    sizeof(msg)) {
				pthread_mutex_lock(&con->control_lock);
				handle_message(con, &msg);
				pthread_mutex_unlock(&con->control_lock);
			}
			if (virtq_push(worker->vq, chain->head, 0))
				break;
		}
		virtq_publish(worker->vq);
		if (!virtq_enable_kick(worker->vq))
			virtio_worker_wait(worker, NULL, 0);
	}
}
