// SPDX-License-Identifier: GPL-2.0-only
/* lkvm list: the guests that run. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "builtin.h"
#include "control-client.h"
#include "util/file.h"
#include "util/log.h"
#include "util/parse.h"
#include "util/report.h"

/* All guests together may take so long to answer: more than one that can needs. */
#define LIST_MS 2000

struct list_options {
	struct client_options client;
	bool names;
};

static int opt_names(void *opaque, const char *value)
{
	(void)value;
	((struct list_options *)opaque)->names = true;
	return 0;
}

static const struct option_def options[] = {
	{"names", 0, NULL, "only their names, without asking them", opt_names},
	{"json", 0, NULL, "print JSON", client_opt_json},
	{"help", 'h', NULL, "print this", client_opt_help},
	{NULL, 0, NULL, NULL, NULL},
};

struct info {
	const char *name;
	pid_t pid;
	int fd; /* what it was asked by, or a negative errno */
	char state[16]; /* running, paused, starting, stopping or unresponsive */
	bool known; /* what follows is */
	u64 vcpus, memory, uptime;
};

void builtin_list_usage(void)
{
	printf("usage: lkvm list [OPTIONS]\n\n"
	       "Lists the guests of this user that run: name, process, state, number of vCPUs,\n"
	       "memory, and for how long they have run. One that does not answer within two "
	       "seconds,\n"
	       "as while it is stopped by a signal, is unresponsive.\n\n");
	print_options(options);
}

/* Lines of "field: value". */
static void parse_info(struct info *info, char *text)
{
	char *line, *rest = text;

	while ((line = strsep(&rest, "\n"))) {
		char *value = strstr(line, ": ");

		if (!value)
			continue;
		*value = '\0';
		value += 2;
		if (!strcmp(line, "state"))
			snprintf(info->state, sizeof(info->state), "%s", value);
		else if (!strcmp(line, "vcpus"))
			info->known = !parse_u64(value, &info->vcpus);
		else if (!strcmp(line, "memory"))
			parse_u64(value, &info->memory);
		else if (!strcmp(line, "uptime"))
			parse_u64(value, &info->uptime);
	}
}

/* False if the guest ended meanwhile. */
static bool get_info(int dir, struct info *info, const struct timespec *deadline)
{
	const char *state = "unresponsive";
	int ret = info->fd;
	char *text = NULL;
	size_t len;

	if (info->pid <= 0)
		return false;
	if (ret >= 0)
		ret = guest_receive(ret, &text, &len, deadline);
	if (!ret) {
		parse_info(info, text);
		free(text);
		return true;
	}
	if (ret == -EREMOTEIO)
		free(text);
	/* The socket is there from the first instruction to the last one. */
	if (ret == -ENOENT)
		state = "starting";
	else if (ret == -ECONNREFUSED)
		state = "stopping";
	snprintf(info->state, sizeof(info->state), "%s", state);
	return guest_pid(dir, info->name) > 0;
}

static void print_duration(u64 s)
{
	if (s >= 86400)
		printf("%" PRIu64 "d ", s / 86400);
	printf("%02d:%02d:%02d\n", (int)(s / 3600 % 24), (int)(s / 60 % 60), (int)(s % 60));
}

static void print_table_row(const struct info *info)
{
	printf("%-20s %8d %-12s ", info->name, (int)info->pid, info->state);
	if (!info->known) {
		printf("%5s %10s %s\n", "-", "-", "-");
		return;
	}
	printf("%5" PRIu64 " %6" PRIu64 " MiB ", info->vcpus, info->memory / MiB);
	print_duration(info->uptime);
}

static void report_row(const struct info *info, struct report *r)
{
	report_object_begin(r, NULL);
	report_str(r, "name", info->name);
	report_u64(r, "pid", info->pid);
	report_str(r, "state", info->state);
	if (info->known) {
		report_u64(r, "vcpus", info->vcpus);
		report_u64(r, "memory", info->memory);
		report_u64(r, "uptime", info->uptime);
	}
	report_object_end(r);
}

static int print_report(struct report *r)
{
	const char *text;
	size_t len;

	report_list_end(r);
	text = report_text(r, &len);
	if (!text) {
		pr_err("out of memory");
		return 1;
	}
	fwrite(text, 1, len, stdout);
	return 0;
}

static void list_names(const char (*names)[GUEST_NAME_MAX + 1], int nr, struct report *r)
{
	for (int i = 0; i < nr; i++) {
		if (r)
			report_str(r, NULL, names[i]);
		else
			puts(names[i]);
	}
}

/* One that does not answer keeps nobody from being heard: all are asked before any is. */
static int list_info(int dir, const char (*names)[GUEST_NAME_MAX + 1], int nr, struct report *r)
{
	struct timespec deadline = client_deadline(LIST_MS);
	struct info *infos = calloc(max(nr, 1), sizeof(*infos));

	if (!infos) {
		pr_err("out of memory");
		return 1;
	}
	/* A connection for each. */
	raise_fd_limit();
	for (int i = 0; i < nr; i++) {
		infos[i].name = names[i];
		infos[i].pid = guest_pid(dir, names[i]);
		if (infos[i].pid > 0)
			infos[i].fd = guest_send(dir, names[i], "info", &deadline);
	}
	if (!r)
		printf("%-20s %8s %-12s %5s %10s %s\n", "NAME", "PID", "STATE", "VCPUS", "MEMORY",
		       "UPTIME");
	for (int i = 0; i < nr; i++) {
		if (!get_info(dir, &infos[i], &deadline))
			continue;
		if (r)
			report_row(&infos[i], r);
		else
			print_table_row(&infos[i]);
	}
	free(infos);
	return 0;
}

static int list(int dir, const struct list_options *o)
{
	struct report *r = o->client.json ? report_new(true, SIZE_MAX) : NULL;
	char(*names)[GUEST_NAME_MAX + 1] = NULL;
	int status = 0, nr = dir < 0 ? 0 : guest_list(dir, &names);

	if (nr < 0 || (o->client.json && !r)) {
		pr_err("cannot list the guests in %s: %s", runtime_dir_path(),
		       nr < 0 ? strerror(-nr) : "out of memory");
		status = 1;
		goto out;
	}
	if (r)
		report_list_begin(r, NULL);
	if (o->names)
		list_names((const char(*)[GUEST_NAME_MAX + 1]) names, nr, r);
	else
		status = list_info(dir, (const char(*)[GUEST_NAME_MAX + 1]) names, nr, r);
	if (r && !status)
		status = print_report(r);
out:
	report_free(r);
	free(names);
	return status;
}

int builtin_list(int argc, char **argv)
{
	struct list_options o = {0};
	int dir, status;

	if (parse_options("list", argc, argv, options, &o))
		return 1;
	if (o.client.help) {
		builtin_list_usage();
		return 0;
	}
	dir = runtime_dir_open(false);
	if (dir < 0 && dir != -ENOENT)
		return 1;
	status = list(dir, &o);
	if (dir >= 0)
		close(dir);
	return status;
}
