/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Numbers and "key=value,key,key=value" lists as people type them. The functions
 * that take @what print one line that names it, the value and what is expected.
 */
#ifndef LKVM_UTIL_PARSE_H
#define LKVM_UTIL_PARSE_H

#include "util/types.h"

/* Decimal or 0x hexadecimal, nothing after it. -EINVAL, -ERANGE; prints nothing. */
int parse_u64(const char *s, u64 *val);

/* As parse_u64(), with an optional K, M, G or T (powers of 1024, case ignored). */
int parse_size(const char *s, u64 *val);

/* "START-END", both inclusive, START <= END. -EINVAL, -ERANGE; prints nothing. */
int parse_range(const char *s, u64 *start, u64 *end);

/* "on" or "off". -EINVAL; prints nothing. */
int parse_bool(const char *s, bool *val);

/*
 * One key of a suboption list. @parse gets the text after '=', or NULL when there
 * is none, and prints the reason when it returns a negative errno.
 */
struct subopt {
	const char *name;
	int (*parse)(void *opaque, const char *value);
	bool repeat; /* may be given more than once */
};

/*
 * Parses @list, calling the matching @opts (ended by an empty name) for each key.
 * An unknown key is an error that suggests the nearest name, and so is one that is
 * given twice and may not. @opts has at most 64 keys. @what ("--iommu")
 * opens each message. -EINVAL, or what @parse returned.
 */
int parse_subopts(const char *what, const char *list, const struct subopt *opts, void *opaque);

/* Keys that belong to one module, ended as above, and what it gets with them. */
struct subopt_set {
	const struct subopt *opts;
	void *opaque;
};

/* The same for keys of several modules, at most 64 together. */
int parse_subopt_sets(const char *what, const char *list, const struct subopt_set *sets,
		      unsigned int nr_sets);

/*
 * The name among @names (NULL-terminated) that is nearest to @word by edit
 * distance, or NULL when none is near enough to suggest.
 */
const char *nearest_name(const char *word, const char *const *names);

#endif /* LKVM_UTIL_PARSE_H */
