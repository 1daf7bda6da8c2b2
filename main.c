// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "builtin.h"
#include "util/log.h"
#include "util/parse.h"

const struct builtin builtins[] = {
	{"run", "start a guest", builtin_run, builtin_run_usage},
	{"list", "list the guests that run", builtin_list, builtin_list_usage},
	{"stop", "ask a guest to power off, or end it", builtin_stop, builtin_stop_usage},
	{"pause", "keep a guest from running", builtin_pause, builtin_pause_usage},
	{"resume", "let a paused guest go on", builtin_resume, builtin_resume_usage},
	{"stat", "print a guest's counters", builtin_stat, builtin_stat_usage},
	{"iommu", "print what a guest's IOMMU holds", builtin_iommu, builtin_iommu_usage},
	{"help", "explain a verb", builtin_help, builtin_help_usage},
	{"version", "print the version", builtin_version, builtin_version_usage},
	{NULL, NULL, NULL, NULL},
};

static const struct builtin *find(const char *name)
{
	const char *names[32] = {NULL};
	const char *near;
	unsigned int i;

	for (i = 0; builtins[i].name; i++) {
		if (!strcmp(builtins[i].name, name))
			return &builtins[i];
		names[i] = builtins[i].name;
	}
	near = nearest_name(name, names);
	if (near)
		pr_err("there is no verb '%s', did you mean '%s'?", name, near);
	else
		pr_err("there is no verb '%s': 'lkvm help' lists them", name);
	return NULL;
}

void builtin_help_usage(void)
{
	printf("usage: lkvm help [VERB]\n");
}

int builtin_help(int argc, char **argv)
{
	if (argc > 2) {
		pr_err("'%s': help explains one verb at a time", argv[2]);
		return 1;
	}
	if (argc > 1) {
		const struct builtin *b = find(argv[1]);

		if (!b)
			return 1;
		b->usage();
		return 0;
	}
	printf("usage: lkvm VERB [OPTIONS]\n\nverbs:\n");
	for (const struct builtin *b = builtins; b->name; b++)
		printf("  %-10s %s\n", b->name, b->help);
	printf("\n'lkvm help VERB' explains one. 'lkvm run --iommu=virtio' without a kernel runs\n"
	       "a built-in guest that shows the virtio-iommu at work.\n");
	return 0;
}

/* What printf() could not write shows only here. Not for a guest's output. */
static int check_stdout(void)
{
	if (!fflush(stdout) && !ferror(stdout))
		return 0;
	pr_err("cannot write to standard output: %s", strerror(errno));
	return 1;
}

int main(int argc, char **argv)
{
	const struct builtin *b;
	const char *verb = argc > 1 ? argv[1] : "help";
	int status;

	if (!strcmp(verb, "--help") || !strcmp(verb, "-h"))
		verb = "help";
	if (!strcmp(verb, "--version"))
		verb = "version";
	b = find(verb);
	if (!b)
		return 1;
	if (argc > 2 && (!strcmp(argv[2], "--help") || !strcmp(argv[2], "-h"))) {
		b->usage();
		return check_stdout();
	}
	status = argc > 1 ? b->run(argc - 1, argv + 1) : (b->run(1, argv), 1);
	return check_stdout() ? 1 : status;
}
