/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The virtio console device (virtio 1.3, 5.3): up to CONSOLE_MAX_PORTS ports, each of them a
 * console or a channel with a name, each connected to a character back end. Each queue has a
 * thread of its own, so that a back end that stalls stalls its own port.
 */
#ifndef LKVM_VIRTIO_CONSOLE_H
#define LKVM_VIRTIO_CONSOLE_H

#include <linux/virtio_console.h>

#include "char/chardev.h"
#include "virtio/device.h"
#include "virtio/options.h"
#include "virtio/worker.h"

#define CONSOLE_MAX_PORTS 16
#define CONSOLE_NAME_LEN  63

/* Input that was taken from the back end and waits for a buffer of the driver. */
#define CONSOLE_MAX_IN 4096

/* What one "--console BACKEND[,...]" says. */
struct console_port_config {
	struct chardev_config chardev;
	char name[CONSOLE_NAME_LEN + 1]; /* of a channel; "": a console */
};

/* All of them together: they are ports of one device. */
struct console_config {
	struct virtio_options options;
	struct console_port_config ports[CONSOLE_MAX_PORTS];
	unsigned int nr_ports;
};

/* What --console takes, for the usage text. */
extern const char console_usage[];

/*
 * Parses the argument of one --console and adds its port. Prints the reason on failure.
 * -EINVAL, -ENAMETOOLONG.
 */
int console_parse(const char *arg, struct console_config *config);

/* Whether one of the ports is on the user's terminal. */
bool console_has_terminal(const struct console_config *config);

/* The number N of the console hvcN that is there in a Linux guest; -ENOENT: none is. */
int console_terminal_hvc(const struct console_config *config);

struct virtio_console;

struct console_port {
	struct virtio_console *con;
	unsigned int id; /* the specification's port number */
	bool exists; /* false: port 0, if there is no console */
	char name[CONSOLE_NAME_LEN + 1]; /* "": a console */
	struct chardev *chardev;

	struct virtio_worker rx, tx;
	unsigned int nr_workers; /* that were made */
	int in_event; /* eventfd: there is input for rx */
	struct virtq_chain rx_chain, tx_chain;
	u8 out[4096]; /* of the chain in work */

	_Atomic u64 bytes_in; /* that the driver got */
	_Atomic u64 bytes_out; /* that it sent */

	/*
	 * Guards what follows. Taken after vdev->lock and before what an access to guest
	 * memory takes; never held while a back end is called or waited for.
	 */
	pthread_mutex_t lock;
	bool running; /* the receive queue is served */
	bool multiport; /* the driver opens ports before it reads them */
	u8 in[CONSOLE_MAX_IN];
	size_t first_in, nr_in;

	/* The host's side: somebody is there; or was, and left input that comes first. */
	bool host_there, leaving;
	bool open; /* what the driver should know */
	bool open_told; /* what it was told */
	bool reopened; /* closed and opened since: it has to hear of both */

	bool added; /* the driver was told of the port, or will be */
	bool ready; /* it said PORT_READY */
	bool guest_open;
	u32 pending; /* BIT(event): messages for the driver */
	u16 cols, rows;
};

struct virtio_console {
	struct virtio_device vdev;
	struct console_port *ports;
	unsigned int nr_ports; /* that are set up */
	unsigned int max_ports; /* port numbers are below that */
	bool offers_multiport;
	_Atomic u32 size; /* of port 0: rows << 16 | cols */
	_Atomic bool size_repeated; /* the driver was told of it once more since its start */

	/*
	 * Held while a message of the driver is handled, and while the ports are looked
	 * through for messages to it: those of the port that it spoke of first come first,
	 * and Linux numbers its consoles in that order. Taken before port->lock.
	 */
	pthread_mutex_t control_lock;
	struct virtio_worker control_rx, control_tx;
	unsigned int nr_control; /* workers that were made */
	int control_event; /* eventfd: there is something for the driver */
	struct virtq_chain control_rx_chain, control_tx_chain;
};

/*
 * Makes the device of @config and connects it to @chardevs, the back ends of config->ports in
 * their order, which belong to the device from then on; on failure they stay the caller's.
 * Prints the reason on failure. -ENOMEM, -EMFILE, -EAGAIN.
 */
int virtio_console_create(struct virtio_console **out, const struct console_config *config,
			  struct chardev *const *chardevs, const struct guest_mem *mem,
			  struct iommu_endpoint *ep);

/* Ends the threads and closes the back ends. The transport must not use the device any more. */
void virtio_console_destroy(struct virtio_console *con);

/* For virtio/console-control.c and virtio/console.c, one from the other. */

/* A message may wait for the driver: wakes the thread of its queue. */
void console_control_wake(struct virtio_console *con);

/* The threads of queues 2 and 3. */
void console_control_rx(struct virtio_worker *worker);
void console_control_tx(struct virtio_worker *worker);

/* With port->lock: the input that was taken is gone, or thrown away. */
void console_input_drained(struct console_port *port);

/* With port->lock: forgets what a driver agreed with us. */
void console_control_reset(struct console_port *port);

#endif /* LKVM_VIRTIO_CONSOLE_H */
