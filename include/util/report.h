/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Facts about a running machine as named values, in objects and lists that nest, written as
 * JSON or as indented text for people. What produces them does not know which.
 */
#ifndef LKVM_UTIL_REPORT_H
#define LKVM_UTIL_REPORT_H

#include "util/types.h"

struct report;

/*
 * An empty report, as JSON or as text. Both grow with what is added, up to @max bytes;
 * what exceeds that or the host's memory makes the whole report fail. NULL when out of
 * memory.
 */
struct report *report_new(bool json, size_t max);
void report_free(struct report *r);

/*
 * What was written, @len bytes that live as long as @r, all ended by a newline. NULL when
 * it failed (see report_new()), or when what was begun has not been ended.
 */
const char *report_text(struct report *r, size_t *len);

/* @name is NULL for the members of a list, and for the outermost object or list. */
void report_object_begin(struct report *r, const char *name);
void report_object_end(struct report *r);
void report_list_begin(struct report *r, const char *name);
void report_list_end(struct report *r);

void report_u64(struct report *r, const char *name, u64 value);
/* An address or a set of bits: "0x1f", in JSON a string, since its numbers hold 53 bits. */
void report_hex(struct report *r, const char *name, u64 value);
void report_bool(struct report *r, const char *name, bool value);
/*
 * Any bytes; NULL is written as "". In JSON what is no UTF-8 becomes U+FFFD; in text that,
 * control characters and backslashes become \xHH.
 */
void report_str(struct report *r, const char *name, const char *value);

#endif /* LKVM_UTIL_REPORT_H */
