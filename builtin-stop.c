// SPDX-License-Identifier: GPL-2.0-only
/* lkvm stop: asks a guest to power off, or ends it. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "builtin.h"
#include "control-client.h"
#include "util/log.h"
#include "util/parse.h"
#include "util/report.h"

#define DEFAULT_TIMEOUT 60 /* seconds */
#define MAX_TIMEOUT	2000000

/* How long the guest may take to answer that it was asked: it does so at once if it can. */
#define MIN_ANSWER_MS 1000
#define MAX_ANSWER_MS 10000

/* How long lkvm may take to end by SIGTERM: it flushes disks. */
#define TERM_SECONDS 5
/* And the kernel to end a process that was killed. */
#define KILL_SECONDS 60

struct stop_options {
	struct client_options client;
	bool force;
	const char *timeout_text;
	u64 timeout; /* seconds */
};

static int opt_force(void *opaque, const char *value)
{
	(void)value;
	((struct stop_options *)opaque)->force = true;
	return 0;
}

static int opt_timeout(void *opaque, const char *value)
{
	struct stop_options *o = opaque;

	if (parse_u64(value, &o->timeout) || o->timeout > MAX_TIMEOUT) {
		pr_err("--timeout: '%s' is not a number of seconds up to %d", value, MAX_TIMEOUT);
		return -EINVAL;
	}
	o->timeout_text = value;
	return 0;
}

static const struct option_def options[] = {
	{"force", 'f', NULL, "end it at once, as if by pulling the plug", opt_force},
	{"timeout", 't', "SECONDS", "how long to wait for a guest that was asked (60)",
	 opt_timeout},
	CLIENT_OPTIONS,
	{NULL, 0, NULL, NULL, NULL},
};

void builtin_stop_usage(void)
{
	printf("usage: lkvm stop [NAME] [OPTIONS]\n\n"
	       "Presses the power button of a running guest and waits until it has ended.\n"
	       "Without a NAME it is the only guest that runs.\n\n");
	print_options(options);
	printf("\nThe exit status is 0 once the guest has ended.\n");
}

/* Whether the guest's process ends until @deadline. */
static bool wait_end(const struct guest *guest, struct timespec deadline)
{
	struct pollfd pfd = {.fd = guest->pid_fd, .events = POLLIN};
	int n;

	do {
		n = poll(&pfd, 1, client_left_ms(&deadline));
	} while (n < 0 && errno == EINTR);
	return n > 0;
}

static int send_signal(const struct guest *guest, int sig)
{
	if (!syscall(SYS_pidfd_send_signal, guest->pid_fd, sig, NULL, 0) || errno == ESRCH)
		return 0;
	pr_err("cannot end process %d of the guest '%s': %s", (int)guest->pid, guest->name,
	       strerror(errno));
	return -errno;
}

/*
 * By signals, not by the control socket: they work before the guest runs and while it ends,
 * too. SIGTERM leaves the terminal in order and nothing behind.
 */
static int end_guest(const struct guest *guest)
{
	if (send_signal(guest, SIGTERM))
		return 1;
	/* It ends a process that is stopped only when that goes on. */
	send_signal(guest, SIGCONT);
	if (wait_end(guest, client_deadline(TERM_SECONDS * 1000)))
		return 0;
	pr_warn("guest '%s' does not end by SIGTERM: it is killed", guest->name);
	if (send_signal(guest, SIGKILL))
		return 1;
	if (!wait_end(guest, client_deadline(KILL_SECONDS * 1000))) {
		pr_err("process %d of the guest '%s' waits for the host's kernel: it ends when "
		       "that is done",
		       (int)guest->pid, guest->name);
		return 1;
	}
	/* Removes what it left. */
	guest_pid(guest->dir, guest->name);
	return 0;
}

static int ask_guest(const struct guest *guest, u64 timeout)
{
	struct timespec end = client_deadline(timeout * 1000);
	u64 answer_ms = min(max(timeout * 1000, (u64)MIN_ANSWER_MS), (u64)MAX_ANSWER_MS);
	char *payload;
	size_t len;
	int ret;

	ret = guest_try(guest, "power-button", answer_ms, &payload, &len);
	/* One that is ending already does what it is to do. */
	if (ret && ret != -ECONNREFUSED && !wait_end(guest, client_deadline(0))) {
		guest_explain(guest, ret, payload);
		return 1;
	}
	free(payload);
	if (wait_end(guest, end))
		return 0;
	if (ret) {
		pr_err("guest '%s' is ending, but not within %llu s; 'lkvm stop --force %s' does "
		       "not wait for it",
		       guest->name, (unsigned long long)timeout, guest->name);
		return 1;
	}
	pr_err("guest '%s' was asked to power off, but runs on after %llu s: it may have no "
	       "driver for its power button; 'lkvm stop --force %s' ends it",
	       guest->name, (unsigned long long)timeout, guest->name);
	return 1;
}

static int print_json(const struct guest *guest, int status)
{
	struct report *r = report_new(true, 4096);
	const char *text = NULL;
	size_t len;

	if (r) {
		report_object_begin(r, NULL);
		report_str(r, "name", guest->name);
		report_bool(r, "ended", !status);
		report_object_end(r);
		text = report_text(r, &len);
	}
	if (text)
		fwrite(text, 1, len, stdout);
	report_free(r);
	return text ? status : 1;
}

int builtin_stop(int argc, char **argv)
{
	struct stop_options o = {.timeout = DEFAULT_TIMEOUT};
	struct guest guest;
	int status;

	if (parse_options("stop", argc, argv, options, &o))
		return 1;
	if (o.client.help) {
		builtin_stop_usage();
		return 0;
	}
	if (o.force && o.timeout_text) {
		pr_err("--timeout %s: with --force there is nothing to wait for", o.timeout_text);
		return 1;
	}
	if (guest_open(&guest, o.client.name))
		return 1;
	status = o.force ? end_guest(&guest) : ask_guest(&guest, o.timeout);
	if (o.client.json)
		status = print_json(&guest, status);
	guest_close(&guest);
	return status;
}
