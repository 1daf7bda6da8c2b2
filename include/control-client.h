/* SPDX-License-Identifier: GPL-2.0-only */
/* What the verbs that look at running guests have in common. */
#ifndef LKVM_CONTROL_CLIENT_H
#define LKVM_CONTROL_CLIENT_H

#include <sys/types.h>
#include <time.h>

#include "util/options.h"
#include "util/types.h"
#include "vm/runtime.h"

/* A running guest that the user named, or the only one. */
struct guest {
	int dir; /* the runtime directory */
	char name[GUEST_NAME_MAX + 1];
	pid_t pid;
	int pid_fd; /* readable once the process has ended */
};

/* @name is NULL for the only guest that runs. Prints the reason; -errno. */
int guest_open(struct guest *guest, const char *name);
void guest_close(struct guest *guest);

/* The time of CLOCK_MONOTONIC so many milliseconds from now, and how many are left until then. */
struct timespec client_deadline(u64 ms);
u64 client_left_ms(const struct timespec *deadline);

/*
 * Sends one request to the guest's control socket, in two steps so that several guests can be
 * asked at once. Neither prints anything. guest_send(): the connection, for guest_receive(), or
 * a negative errno. guest_receive() closes it. 0: the answer's payload, a string of @len bytes
 * for free(); what has arrived is taken even after the deadline. Both: -ENOENT: the guest does
 * not serve the socket yet; -ECONNREFUSED: it does not any more, or ended meanwhile;
 * -ETIMEDOUT; -EREMOTEIO: it refused, and @payload is the reason; -EPROTO: this is no answer;
 * -ENOMEM and others of connect() and recv().
 */
int guest_send(int dir, const char *name, const char *request, const struct timespec *deadline);
int guest_receive(int fd, char **payload, size_t *len, const struct timespec *deadline);

/*
 * Both for a guest that the user named, within @ms milliseconds, 0 for as long as a busy host
 * may need. guest_explain() says what went wrong, and frees the @payload of a refusal;
 * guest_ask() does that itself.
 */
int guest_try(const struct guest *guest, const char *request, u64 ms, char **payload, size_t *len);
void guest_explain(const struct guest *guest, int err, char *payload);
int guest_ask(const struct guest *guest, const char *request, u64 ms, char **payload, size_t *len);

/* For verbs that only take a NAME, --json and --help. */
struct client_options {
	const char *name; /* NULL: not given */
	bool json;
	bool help;
};

/* For the tables of options; the client_options are the first member of @opaque. */
int client_opt_name(void *opaque, const char *value);
int client_opt_json(void *opaque, const char *value);
int client_opt_help(void *opaque, const char *value);
#define CLIENT_OPTIONS                                                                          \
	{"", 0, NULL, NULL, client_opt_name}, {"json", 0, NULL, "print JSON", client_opt_json}, \
	{                                                                                       \
		"help", 'h', NULL, "print this", client_opt_help                                \
	}

/* A request whose answer is what the user wants to see, on stdout. The exit status. */
int guest_show(const char *name, const char *request);

#endif /* LKVM_CONTROL_CLIENT_H */
