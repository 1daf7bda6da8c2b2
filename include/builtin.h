/* SPDX-License-Identifier: GPL-2.0-only */
/* The verbs of the command line. Each gets argv from the verb on, and returns the exit status. */
#ifndef LKVM_BUILTIN_H
#define LKVM_BUILTIN_H

struct builtin {
	const char *name;
	const char *help; /* one line */
	int (*run)(int argc, char **argv);
	void (*usage)(void); /* to stdout */
};

/* Ended by an empty name. */
extern const struct builtin builtins[];

int builtin_run(int argc, char **argv);
void builtin_run_usage(void);
int builtin_list(int argc, char **argv);
void builtin_list_usage(void);
int builtin_stop(int argc, char **argv);
void builtin_stop_usage(void);
int builtin_pause(int argc, char **argv);
void builtin_pause_usage(void);
int builtin_resume(int argc, char **argv);
void builtin_resume_usage(void);
int builtin_stat(int argc, char **argv);
void builtin_stat_usage(void);
int builtin_iommu(int argc, char **argv);
void builtin_iommu_usage(void);
int builtin_help(int argc, char **argv);
void builtin_help_usage(void);
int builtin_version(int argc, char **argv);
void builtin_version_usage(void);

#endif /* LKVM_BUILTIN_H */
