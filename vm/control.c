// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/list.h"
#include "util/log.h"
#include "vm/control.h"

struct control_client {
	struct control *control;
	struct list_head node; /* the one that came first is first */
	struct loop_source source;
	char request[CONTROL_MAX_REQUEST];
	size_t request_len;
	const struct control_verb *verb; /* known once the line is complete */
	bool waiting; /* for control_wake() */
	char *answer; /* NULL: none yet */
	size_t answer_len, sent;
};

struct control {
	struct loop *loop;
	struct loop_source source;
	/* Given up to accept and close a connection while no descriptor is free. */
	int spare_fd;
	const struct control_verb *verbs;
	void *opaque;
	struct list_head clients;
	unsigned int nr_clients;
};

static void client_free(struct control_client *c)
{
	list_del(&c->node);
	c->control->nr_clients--;
	loop_enable(c->control->loop, &c->source, false);
	close(c->source.fd);
	free(c->answer);
	free(c);
}

/* False once the client is gone. */
static bool send_answer(struct control_client *c)
{
	while (c->sent < c->answer_len) {
		ssize_t n = send(c->source.fd, c->answer + c->sent, c->answer_len - c->sent,
				 MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n < 0)
			break;
		c->sent += n;
	}
	client_free(c);
	return false;
}

/* With @head and @len bytes of @payload. What does not fit the socket follows when it does. */
static void answer(struct control_client *c, const char *head, const char *payload, size_t len)
{
	size_t head_len = strlen(head);

	c->waiting = false;
	c->answer = malloc(head_len + len);
	if (!c->answer) {
		client_free(c);
		return;
	}
	memcpy(c->answer, head, head_len);
	if (len)
		memcpy(c->answer + head_len, payload, len);
	c->answer_len = head_len + len;
	if (!send_answer(c))
		return;
	loop_enable(c->control->loop, &c->source, false);
	c->source.out = true;
	loop_enable(c->control->loop, &c->source, true);
}

void control_ok(struct control_client *c, const char *payload, size_t len)
{
	char head[32];

	snprintf(head, sizeof(head), "ok %zu\n", len);
	answer(c, head, payload, len);
}

void control_error(struct control_client *c, const char *fmt, ...)
{
	char text[512] = "error ";
	size_t len = strlen(text);
	va_list args;

	va_start(args, fmt);
	vsnprintf(text + len, sizeof(text) - len - 1, fmt, args);
	va_end(args);
	strcat(text, "\n");
	answer(c, text, NULL, 0);
}

void control_wait(struct control_client *c)
{
	c->waiting = true;
	/* What else it sends, or whether it leaves, is no matter until the answer is there. */
	loop_enable(c->control->loop, &c->source, false);
}

void control_wake(struct control *control)
{
	struct list_head waiting, *last;
	struct control_client *c;

	/* A verb may wait again, and an answer that fails frees its client. */
	list_init(&waiting);
	for (unsigned int n = control->nr_clients; n--;) {
		c = container_of(control->clients.next, struct control_client, node);
		last = c->waiting ? &waiting : &control->clients;
		list_del(&c->node);
		list_add_tail(&c->node, last);
	}
	while (!list_empty(&waiting)) {
		c = container_of(waiting.next, struct control_client, node);
		list_del(&c->node);
		list_add_tail(&c->node, &control->clients);
		c->verb->run(control->opaque, c, NULL);
	}
}

static void run_request(struct control_client *c)
{
	const struct control_verb *verb = c->control->verbs;
	char *args = c->request + strcspn(c->request, " ");

	if (*args)
		*args++ = '\0';
	while (verb->name && strcmp(verb->name, c->request))
		verb++;
	if (!verb->name) {
		control_error(c, "there is no such request");
		return;
	}
	c->verb = verb;
	verb->run(c->control->opaque, c, args);
}

static void read_request(struct control_client *c)
{
	ssize_t n = recv(c->source.fd, c->request + c->request_len,
			 sizeof(c->request) - c->request_len, 0);
	char *end;

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		client_free(c);
		return;
	}
	c->request_len += n;
	end = memchr(c->request, '\n', c->request_len);
	if (!end && c->request_len < sizeof(c->request))
		return;
	if (!end || memchr(c->request, '\0', end - c->request)) {
		control_error(c, "a request is one line of at most %d bytes", CONTROL_MAX_REQUEST);
		return;
	}
	*end = '\0';
	run_request(c);
}

static void client_ready(void *opaque)
{
	struct control_client *c = opaque;

	if (c->answer)
		send_answer(c);
	else
		read_request(c);
}

static bool is_allowed(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) &&
	       (!peer.uid || peer.uid == geteuid());
}

static void free_oldest(struct control *control)
{
	client_free(container_of(list_pop(&control->clients), struct control_client, node));
}

/* Makes room for another one. An answer that is on its way is cut, and seen to be. */
static void push_out_oldest(struct control *control)
{
	struct control_client *c = container_of(control->clients.next, struct control_client, node);
	unsigned int nr = control->nr_clients;

	if (!c->answer)
		control_error(c, "too many others ask: try again");
	if (control->nr_clients == nr)
		free_oldest(control);
}

static void add_client(struct control *control, int fd)
{
	struct control_client *c = calloc(1, sizeof(*c));

	if (!c) {
		close(fd);
		return;
	}
	if (control->nr_clients == CONTROL_MAX_CLIENTS)
		push_out_oldest(control);
	c->control = control;
	c->source = (struct loop_source){.fd = fd, .ready = client_ready, .opaque = c};
	list_add_tail(&c->node, &control->clients);
	control->nr_clients++;
	if (loop_add(control->loop, &c->source))
		client_free(c);
	else if (!is_allowed(fd))
		control_error(c, "only the user that runs the guest, or root, may control it");
}

static void connection_ready(void *opaque)
{
	struct control *control = opaque;
	int fd = accept4(control->source.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0) {
		add_client(control, fd);
		return;
	}
	if (errno != EMFILE && errno != ENFILE)
		return;
	if (control->spare_fd < 0)
		control->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (control->spare_fd < 0)
		return;
	/* It would stay in the queue, and the loop would find it again and again. */
	close(control->spare_fd);
	fd = accept4(control->source.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0)
		close(fd);
	control->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

int control_start(struct control **out, struct loop *loop, int fd, const struct control_verb *verbs,
		  void *opaque)
{
	struct control *control = calloc(1, sizeof(*control));
	int ret;

	if (!control) {
		close(fd);
		return -ENOMEM;
	}
	control->loop = loop;
	control->verbs = verbs;
	control->opaque = opaque;
	list_init(&control->clients);
	control->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	control->source =
		(struct loop_source){.fd = fd, .ready = connection_ready, .opaque = control};
	ret = loop_add(loop, &control->source);
	if (ret) {
		control_stop(control);
		return ret;
	}
	*out = control;
	return 0;
}

void control_stop(struct control *control)
{
	if (!control)
		return;
	while (control->nr_clients)
		free_oldest(control);
	loop_enable(control->loop, &control->source, false);
	close(control->source.fd);
	if (control->spare_fd >= 0)
		close(control->spare_fd);
	free(control);
}
