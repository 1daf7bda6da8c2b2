// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "util/log.h"
#include "util/options.h"
#include "util/parse.h"

#define MAX_OPTIONS 64
#define HELP_COLUMN 26

static bool is_absent(const struct option_def *def)
{
	return def->arg && !*def->arg;
}

static int unknown(const char *verb, const char *word, size_t len, const struct option_def *defs)
{
	const char *names[MAX_OPTIONS] = {NULL};
	const char *near;
	char name[64];

	for (size_t i = 0, n = 0; defs[i].name && n < MAX_OPTIONS - 1; i++) {
		if (*defs[i].name && !is_absent(&defs[i]))
			names[n++] = defs[i].name;
	}
	snprintf(name, sizeof(name), "%.*s", (int)len, word);
	near = nearest_name(name, names);
	if (near)
		pr_err("there is no option '--%s', did you mean '--%s'?", name, near);
	else
		pr_err("there is no option '--%s': 'lkvm help %s' lists them", name, verb);
	return -EINVAL;
}

/* "--name" or "--name=VALUE", but never a value in the next word. */
static bool value_is_optional(const struct option_def *def)
{
	return def->arg && def->arg[0] == '[';
}

/* With the value from the next word, NULL if there is none. */
static int apply_next(const struct option_def *def, const char *word, void *opaque)
{
	if (!word) {
		pr_err("--%s needs a value: --%s %s", def->name, def->name, def->arg);
		return -EINVAL;
	}
	/* More likely a forgotten value than one that looks like an option. */
	if (word[0] == '-' && word[1]) {
		pr_err("--%s needs a value, but '%s' follows; if that is the value, write "
		       "--%s=%s",
		       def->name, word, def->name, word);
		return -EINVAL;
	}
	return def->parse(opaque, word);
}

/* Returns how many words were used, or a negative errno. */
static int parse_long(char **words, const struct option_def *defs, void *opaque)
{
	const char *word = words[0] + 2;
	size_t len = strcspn(word, "=");
	const char *value = word[len] ? word + len + 1 : NULL;
	int ret;

	for (; defs->name; defs++) {
		if (!len || strlen(defs->name) != len || strncmp(defs->name, word, len) ||
		    is_absent(defs))
			continue;
		if (!defs->arg && value) {
			pr_err("--%s takes no value, but has '%s'", defs->name, value);
			return -EINVAL;
		}
		if (!defs->arg || value || value_is_optional(defs)) {
			ret = defs->parse(opaque, value);
			return ret ? ret : 1;
		}
		ret = apply_next(defs, words[1], opaque);
		return ret ? ret : 2;
	}
	return 0;
}

static int parse_short(const char *verb, char **words, const struct option_def *defs, void *opaque)
{
	const char *word = words[0] + 1;
	int ret;

	for (; defs->name; defs++) {
		if (!defs->letter || defs->letter != word[0])
			continue;
		if (!defs->arg && word[1]) {
			pr_err("-%c takes no value, but has '%s'", defs->letter, word + 1);
			return -EINVAL;
		}
		if (!defs->arg || word[1]) {
			ret = defs->parse(opaque, defs->arg ? word + 1 : NULL);
			return ret ? ret : 1;
		}
		ret = apply_next(defs, words[1], opaque);
		return ret ? ret : 2;
	}
	pr_err("there is no option '-%c': 'lkvm help %s' lists them", word[0], verb);
	return -EINVAL;
}

/* A word that belongs to no option. -ENOENT: the verb takes none. */
static int parse_word(const char *word, const struct option_def *defs, void *opaque)
{
	while (defs->name && *defs->name)
		defs++;
	return defs->name ? defs->parse(opaque, word) : -ENOENT;
}

int parse_options(const char *verb, int argc, char **argv, const struct option_def *defs,
		  void *opaque)
{
	int i = 1;

	while (i < argc) {
		const char *word = argv[i];
		int ret;

		if (word[0] != '-' || !word[1]) {
			ret = parse_word(word, defs, opaque);
			if (!ret) {
				i++;
				continue;
			}
			if (ret != -ENOENT)
				return ret;
			pr_err("'%s' belongs to no option: 'lkvm help %s' lists them", word, verb);
			return -EINVAL;
		}
		if (word[1] == '-') {
			ret = parse_long(argv + i, defs, opaque);
			if (!ret)
				return unknown(verb, word + 2, strcspn(word + 2, "="), defs);
		} else {
			ret = parse_short(verb, argv + i, defs, opaque);
		}
		if (ret < 0)
			return ret;
		i += ret;
	}
	return 0;
}

void print_options(const struct option_def *defs)
{
	for (; defs->name; defs++) {
		const char *help = defs->help;
		int n;

		if (!*defs->name || is_absent(defs))
			continue;
		n = defs->letter ? printf("  -%c, ", defs->letter) : printf("      ");

		n += printf("--%s%s%s", defs->name,
			    defs->arg && !value_is_optional(defs) ? " " : "",
			    defs->arg ? defs->arg : "");
		while (*help) {
			int len = strcspn(help, "\n");

			/* Two spaces at least: one is before the name of a value. */
			if (n > HELP_COLUMN - 2) {
				putchar('\n');
				n = 0;
			}
			printf("%*s%.*s\n", HELP_COLUMN - n, "", len, help);
			n = 0;
			help += len;
			help += *help == '\n';
		}
	}
}
