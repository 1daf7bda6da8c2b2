/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Facts about a running machine as named values, in objects and lists that nest, written as
 * JSON or as indented text for people. What produces them does not know which.
 */
#ifndef LKVM_UTIL_REPORT_H
#define LKVM_UTIL_REPORT_H

#include "util/types.h"

struct report;

/* @name is NULL for the members of a list. */
void report_object_begin(struct report *r, const char *name);
void report_object_end(struct report *r);
void report_list_begin(struct report *r, const char *name);
void report_list_end(struct report *r);

void report_u64(struct report *r, const char *name, u64 value);
void report_bool(struct report *r, const char *name, bool value);
/* Any bytes; NULL is written as "". */
void report_str(struct report *r, const char *name, const char *value);

#endif /* LKVM_UTIL_REPORT_H */
