/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The control socket of a running guest, served by the main loop (docs/control.md): a client
 * sends one line and gets one answer, "ok LENGTH" and so many bytes, or "error TEXT".
 * Clients are served without waiting for any of them; one that is not done when there are
 * too many has to make room.
 */
#ifndef LKVM_VM_CONTROL_H
#define LKVM_VM_CONTROL_H

#include "util/types.h"
#include "vm/loop.h"

#define CONTROL_MAX_CLIENTS 16
/* Bytes of a request with its newline, and of an answer. */
#define CONTROL_MAX_REQUEST 256
#define CONTROL_MAX_ANSWER  (4 * MiB)

struct control;
struct control_client;

struct control_verb {
	const char *name;
	/*
	 * @args is what follows the verb, without the newline; may be changed. NULL: called
	 * again by control_wake(). Answers by control_ok() or control_error(), or waits by
	 * control_wait(). In the main loop: it must not block.
	 */
	void (*run)(void *opaque, struct control_client *client, char *args);
};

/*
 * Serves @fd, a listening socket that control_stop() closes; so does a failure: -errno.
 * @verbs ends with a NULL name. Only the user of this process and root are served.
 */
int control_start(struct control **control, struct loop *loop, int fd,
		  const struct control_verb *verbs, void *opaque);
/* Drops all clients. Harmless for NULL. */
void control_stop(struct control *control);

void control_ok(struct control_client *client, const char *payload, size_t len);
void control_error(struct control_client *client, const char *fmt, ...) __printf(2, 3);

/* The answer comes later: control_wake() calls the verb of each that waits again. */
void control_wait(struct control_client *client);
void control_wake(struct control *control);

#endif /* LKVM_VM_CONTROL_H */
