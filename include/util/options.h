/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Command-line options by table: "--name VALUE", "--name=VALUE", "-n VALUE", "-nVALUE".
 */
#ifndef LKVM_UTIL_OPTIONS_H
#define LKVM_UTIL_OPTIONS_H

#include "util/types.h"

struct option_def {
	/* Without dashes. "" takes a word that belongs to no option; NULL ends a table. */
	const char *name;
	char letter; /* 0: none */
	/*
	 * What the value is called in the usage, or NULL for a flag. One that may be left out
	 * begins with a bracket, "[=...]", and has no letter. "": there is no such option in this
	 * build.
	 */
	const char *arg;
	const char *help; /* may have several lines */
	/* Gets NULL where there is no value. Prints the reason when it returns a negative errno. */
	int (*parse)(void *opaque, const char *value);
};

/*
 * Parses argv[1] on. An unknown option is an error, with the nearest option suggested, and
 * so is a stray word unless the table takes it. -EINVAL, or what a parse function returned.
 */
int parse_options(const char *verb, int argc, char **argv, const struct option_def *defs,
		  void *opaque);

/* Prints the table to stdout. */
void print_options(const struct option_def *defs);

#endif /* LKVM_UTIL_OPTIONS_H */
