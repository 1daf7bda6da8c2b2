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
#include "util/log.h"
#include "util/parse.h"
#include "util/report.h"

static const struct option_def options[] = {
	{"json", 0, NULL, "print JSON", client_opt_json},
	{"help", 'h', NULL, "print this", client_opt_help},
	{NULL, 0, NULL, NULL, NULL},
};

struct info {
	const char *name;
	pid_t pid;
	char state[16]; /* running, paused, starting, stopping or "no answer" */
	bool known; /* what follows is */
	u64 vcpus, memory, uptime;
};

void builtin_list_usage(void)
{
	printf("usage: lkvm list [OPTIONS]\n\n"
	       "Lists the guests of this user that run: name, process, state, number of vCPUs,\n"
	       "memory, and for how long they have run.\n\n");
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
static bool get_info(int dir, const char *name, struct info *info)
{
	const char *state = "no answer";
	char *text;
	size_t len;
	int ret;

	*info = (struct info){.name = name, .pid = guest_pid(dir, name)};
	if (info->pid <= 0)
		return false;
	ret = guest_request(dir, name, "info", &text, &len);
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
	return guest_pid(dir, name) > 0;
}

static void print_duration(u64 s)
{
	if (s >= 86400)
		printf("%" PRIu64 "d ", s / 86400);
	printf("%02d:%02d:%02d\n", (int)(s / 3600 % 24), (int)(s / 60 % 60), (int)(s % 60));
}

static void print_table_row(const struct info *info)
{
	printf("%-20s %8d %-9s ", info->name, (int)info->pid, info->state);
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

static int list(int dir, bool json)
{
	struct report *r = json ? report_new(true, SIZE_MAX) : NULL;
	char(*names)[GUEST_NAME_MAX + 1] = NULL;
	int status = 0, nr = dir < 0 ? 0 : guest_list(dir, &names);

	if (nr < 0 || (json && !r)) {
		pr_err("cannot list the guests in %s: %s", runtime_dir_path(),
		       nr < 0 ? strerror(-nr) : "out of memory");
		status = 1;
		goto out;
	}
	if (r)
		report_list_begin(r, NULL);
	else
		printf("%-20s %8s %-9s %5s %10s %s\n", "NAME", "PID", "STATE", "VCPUS", "MEMORY",
		       "UPTIME");
	for (int i = 0; i < nr; i++) {
		struct info info;

		if (!get_info(dir, names[i], &info))
			continue;
		if (r)
			report_row(&info, r);
		else
			print_table_row(&info);
	}
	if (r)
		status = print_report(r);
out:
	report_free(r);
	free(names);
	return status;
}

int builtin_list(int argc, char **argv)
{
	struct client_options o = {0};
	int dir, status;

	if (parse_options("list", argc, argv, options, &o))
		return 1;
	if (o.help) {
		builtin_list_usage();
		return 0;
	}
	dir = runtime_dir_open(false);
	if (dir < 0 && dir != -ENOENT)
		return 1;
	status = list(dir, o.json);
	if (dir >= 0)
		close(dir);
	return status;
}
