// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/log.h"
#include "util/parse.h"

/* Longer words are not typing mistakes of a name. */
#define NAME_MAX_LEN 32

/* Locale-free, unlike <ctype.h>. */
static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

/* -1 if @c is not a digit of @base. */
static int digit_value(char c, unsigned int base)
{
	int value = -1;

	c = lower(c);
	if (c >= '0' && c <= '9')
		value = c - '0';
	else if (c >= 'a' && c <= 'f')
		value = c - 'a' + 10;
	return value < (int)base ? value : -1;
}

/*
 * Reads the number that @s begins with, moves *@end behind it and puts in *@overflow
 * whether it is too big: an error that comes second to wrong text behind the number.
 */
static int scan_number(const char *s, u64 *val, const char **end, bool *overflow)
{
	unsigned int base = 10;
	const char *digits = s;
	u64 n = 0;
	int d;

	if (!s)
		return -EINVAL;
	if (s[0] == '0' && lower(s[1]) == 'x') {
		base = 16;
		digits = s + 2;
	}

	*overflow = false;
	for (s = digits; (d = digit_value(*s, base)) >= 0; s++) {
		*overflow |= __builtin_mul_overflow(n, base, &n);
		*overflow |= __builtin_add_overflow(n, d, &n);
	}
	if (s == digits)
		return -EINVAL;
	*val = n;
	*end = s;
	return 0;
}

int parse_u64(const char *s, u64 *val)
{
	bool overflow;
	u64 n;

	if (scan_number(s, &n, &s, &overflow) || *s)
		return -EINVAL;
	if (overflow)
		return -ERANGE;
	*val = n;
	return 0;
}

int parse_size(const char *s, u64 *val)
{
	static const char units[] = "kmgt";
	unsigned int shift = 0;
	const char *unit;
	bool overflow;
	u64 n;

	if (scan_number(s, &n, &s, &overflow))
		return -EINVAL;
	if (*s) {
		unit = strchr(units, lower(*s));
		if (!unit || s[1])
			return -EINVAL;
		shift = 10 * (unit - units + 1);
	}
	if (overflow || n > ~0ULL >> shift)
		return -ERANGE;
	*val = n << shift;
	return 0;
}

int parse_range(const char *s, u64 *start, u64 *end)
{
	bool overflow;
	u64 first, last;
	int ret;

	if (scan_number(s, &first, &s, &overflow) || *s != '-')
		return -EINVAL;
	ret = parse_u64(s + 1, &last);
	if (ret)
		return ret;
	if (overflow)
		return -ERANGE;
	if (first > last)
		return -EINVAL;
	*start = first;
	*end = last;
	return 0;
}

int parse_bool(const char *s, bool *val)
{
	if (s && !strcmp(s, "on"))
		*val = true;
	else if (s && !strcmp(s, "off"))
		*val = false;
	else
		return -EINVAL;
	return 0;
}

/*
 * How many insertions, deletions, replacements and swaps of neighbours make @a into
 * @b, both at most NAME_MAX_LEN long. Case does not count.
 */
static unsigned int edit_distance(const char *a, const char *b)
{
	unsigned int rows[3][NAME_MAX_LEN + 1];
	unsigned int *before = rows[0], *prev = rows[1], *cur = rows[2], *tmp;
	size_t alen = strlen(a), blen = strlen(b);
	size_t i, j;

	for (j = 0; j <= blen; j++)
		prev[j] = j;
	for (i = 1; i <= alen; i++) {
		cur[0] = i;
		for (j = 1; j <= blen; j++) {
			char ca = lower(a[i - 1]), cb = lower(b[j - 1]);

			cur[j] = min(prev[j], cur[j - 1]) + 1;
			cur[j] = min(cur[j], prev[j - 1] + (ca != cb));
			if (i > 1 && j > 1 && ca == lower(b[j - 2]) && cb == lower(a[i - 2]))
				cur[j] = min(cur[j], before[j - 2] + 1);
		}
		tmp = before;
		before = prev;
		prev = cur;
		cur = tmp;
	}
	return prev[blen];
}

/* The best name so far; start with no name. */
struct nearest {
	const char *name;
	unsigned int distance;
};

static void nearest_consider(struct nearest *nearest, const char *word, const char *name)
{
	size_t longer = max(strlen(word), strlen(name));
	unsigned int distance;

	if (!*word || longer > NAME_MAX_LEN)
		return;
	distance = edit_distance(word, name);
	/* One mistake in three letters: beyond that it is another word. */
	if (distance > (longer + 1) / 3)
		return;
	if (!nearest->name || distance < nearest->distance) {
		nearest->name = name;
		nearest->distance = distance;
	}
}

const char *nearest_name(const char *word, const char *const *names)
{
	struct nearest nearest = {NULL, 0};

	for (; *names; names++)
		nearest_consider(&nearest, word, *names);
	return nearest.name;
}

static bool is_last_subopt(const struct subopt *opt)
{
	return !opt->name || !*opt->name;
}

static void report_unknown_subopt(const char *what, const char *key, const struct subopt_set *sets,
				  unsigned int nr_sets)
{
	struct nearest nearest = {NULL, 0};
	const struct subopt *opt;
	char known[512] = "";
	size_t len = 0;

	for (unsigned int i = 0; i < nr_sets; i++) {
		for (opt = sets[i].opts; !is_last_subopt(opt); opt++) {
			nearest_consider(&nearest, key, opt->name);
			if (len < sizeof(known))
				len += snprintf(known + len, sizeof(known) - len, "%s%s",
						len ? ", " : "", opt->name);
		}
	}
	if (nearest.name)
		pr_err("%s: unknown option '%s', did you mean '%s'?", what, key, nearest.name);
	else if (len)
		pr_err("%s: unknown option '%s', known are: %s", what, key, known);
	else
		pr_err("%s: unknown option '%s', none is known here", what, key);
}

/* Finds @key; puts in @index which of all keys that is. */
static const struct subopt *find_subopt(const char *key, const struct subopt_set *sets,
					unsigned int nr_sets, void **opaque, unsigned int *index)
{
	*index = 0;
	for (unsigned int i = 0; i < nr_sets; i++) {
		*opaque = sets[i].opaque;
		for (const struct subopt *opt = sets[i].opts; !is_last_subopt(opt); opt++) {
			if (!strcmp(opt->name, key))
				return opt;
			++*index;
		}
	}
	return NULL;
}

int parse_subopt_sets(const char *what, const char *list, const struct subopt_set *sets,
		      unsigned int nr_sets)
{
	char *copy, *item, *rest, *value;
	const struct subopt *opt;
	unsigned int index;
	void *opaque;
	u64 seen = 0;
	int ret = 0;

	if (!list || !*list)
		return 0;
	copy = strdup(list);
	if (!copy) {
		pr_err("%s: out of memory", what);
		return -ENOMEM;
	}

	rest = copy;
	while (!ret && (item = strsep(&rest, ","))) {
		if (!*item) {
			pr_err("%s: '%s' has an empty option, remove the extra comma", what, list);
			ret = -EINVAL;
			break;
		}
		value = strchr(item, '=');
		if (value)
			*value++ = '\0';
		opt = find_subopt(item, sets, nr_sets, &opaque, &index);
		if (!opt) {
			report_unknown_subopt(what, item, sets, nr_sets);
			ret = -EINVAL;
		} else if (!opt->repeat && (seen & BIT_ULL(index))) {
			pr_err("%s: '%s' is given twice", what, item);
			ret = -EINVAL;
		} else {
			seen |= BIT_ULL(index);
			ret = opt->parse(opaque, value);
		}
	}
	free(copy);
	return ret;
}

int parse_subopts(const char *what, const char *list, const struct subopt *opts, void *opaque)
{
	const struct subopt_set set = {opts, opaque};

	return parse_subopt_sets(what, list, &set, 1);
}
