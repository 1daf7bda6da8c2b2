// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long programs take from their exec to the first byte that they print, and to their end:
 * minimum and median of a number of runs, in microseconds. Several programs take turns, so
 * that what else happens on the machine happens to all of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_PROGRAMS 8
#define MAX_RUNS     10000

extern char **environ;

struct program {
	const char *name;
	char **argv;
	double *first, *end; /* of each run */
};

static double now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e6 + ts.tv_nsec / 1e3;
}

static void die(const char *what, const char *why)
{
	fprintf(stderr, "exec-time: %s: %s\n", what, why);
	exit(1);
}

static pid_t start(char **argv, int *fd)
{
	posix_spawn_file_actions_t actions;
	int fds[2], ret;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		die("pipe", strerror(errno));
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO);
	ret = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	if (ret)
		die(argv[0], strerror(ret));
	posix_spawn_file_actions_destroy(&actions);
	close(fds[1]);
	*fd = fds[0];
	return pid;
}

static void run(const struct program *p, unsigned int n)
{
	int fd, status;
	double begin, first = 0;
	char buf[4096];
	pid_t pid;

	begin = now_us();
	pid = start(p->argv, &fd);
	while (read(fd, buf, sizeof(buf)) > 0) {
		if (!first)
			first = now_us();
	}
	waitpid(pid, &status, 0);
	p->end[n] = now_us() - begin;
	p->first[n] = first - begin;
	close(fd);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		die(p->name, "did not end with status 0");
	if (!first)
		die(p->name, "printed nothing");
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void usage(void)
{
	fprintf(stderr, "usage: exec-time RUNS NAME COMMAND... [-- NAME COMMAND...]...\n"
			"Prints for each: NAME, microseconds to the first byte (minimum, median),\n"
			"to the end (minimum, median).\n");
	exit(2);
}

static void *must_alloc(unsigned int n)
{
	void *mem = calloc(n, sizeof(double));

	if (!mem)
		die("calloc", strerror(errno));
	return mem;
}

int main(int argc, char **argv)
{
	struct program programs[MAX_PROGRAMS];
	unsigned int nr = 0;
	unsigned long runs;
	char *rest;

	if (argc < 2)
		usage();
	runs = strtoul(argv[1], &rest, 10);
	if (*rest || !runs || runs > MAX_RUNS)
		usage();
	for (char **word = argv + 2; *word; nr++) {
		struct program *p = &programs[nr];

		if (nr == MAX_PROGRAMS || !word[1] || !strcmp(word[0], "--") ||
		    !strcmp(word[1], "--"))
			usage();
		p->name = word[0];
		p->argv = word + 1;
		p->first = must_alloc(runs);
		p->end = must_alloc(runs);
		word += 2;
		while (*word && strcmp(*word, "--"))
			word++;
		if (*word)
			*word++ = NULL;
	}
	if (!nr)
		usage();
	for (unsigned int n = 0; n < runs; n++) {
		for (unsigned int i = 0; i < nr; i++)
			run(&programs[i], n);
	}
	for (unsigned int i = 0; i < nr; i++) {
		struct program *p = &programs[i];

		qsort(p->first, runs, sizeof(double), compare);
		qsort(p->end, runs, sizeof(double), compare);
		printf("%s %.0f %.0f %.0f %.0f\n", p->name, p->first[0], p->first[runs / 2],
		       p->end[0], p->end[runs / 2]);
	}
	return 0;
}
