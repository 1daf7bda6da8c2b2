// SPDX-License-Identifier: GPL-2.0-only
/* lkvm pause and lkvm resume. */
#include <stdio.h>
#include <stdlib.h>

#include "builtin.h"
#include "control-client.h"
#include "util/report.h"

static const struct option_def options[] = {
	CLIENT_OPTIONS,
	{NULL, 0, NULL, NULL, NULL},
};

void builtin_pause_usage(void)
{
	printf("usage: lkvm pause [NAME] [OPTIONS]\n\n"
	       "Stops the vCPUs of a running guest until 'lkvm resume'. Requests that its devices\n"
	       "have already are completed. A guest that is paused stays so.\n"
	       "Without a NAME it is the only guest that runs.\n\n");
	print_options(options);
}

void builtin_resume_usage(void)
{
	printf("usage: lkvm resume [NAME] [OPTIONS]\n\n"
	       "Lets the vCPUs of a paused guest go on. One that is not paused goes on anyway.\n"
	       "Without a NAME it is the only guest that runs.\n\n");
	print_options(options);
}

/* {"name": ..., "state": ...} */
static int print_state(const char *name, const char *state)
{
	struct report *r = report_new(true, 4096);
	const char *text = NULL;
	size_t len;

	if (r) {
		report_object_begin(r, NULL);
		report_str(r, "name", name);
		report_str(r, "state", state);
		report_object_end(r);
		text = report_text(r, &len);
	}
	if (text)
		fwrite(text, 1, len, stdout);
	report_free(r);
	return text ? 0 : 1;
}

static int ask(const char *verb, const char *state, void (*usage)(void), int argc, char **argv)
{
	struct client_options o = {0};
	struct guest guest;
	int status = 1;
	char *payload;
	size_t len;

	if (parse_options(verb, argc, argv, options, &o))
		return 1;
	if (o.help) {
		usage();
		return 0;
	}
	if (guest_open(&guest, o.name))
		return 1;
	if (!guest_ask(&guest, verb, 0, &payload, &len)) {
		free(payload);
		status = o.json ? print_state(guest.name, state) : 0;
	}
	guest_close(&guest);
	return status;
}

int builtin_pause(int argc, char **argv)
{
	return ask("pause", "paused", builtin_pause_usage, argc, argv);
}

int builtin_resume(int argc, char **argv)
{
	return ask("resume", "running", builtin_resume_usage, argc, argv);
}
