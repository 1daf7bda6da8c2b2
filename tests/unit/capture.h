/* SPDX-License-Identifier: GPL-2.0-only */
/* What the program says to the person at the terminal. */
#ifndef LKVM_TESTS_CAPTURE_H
#define LKVM_TESTS_CAPTURE_H

#include "util/types.h"

/* The text that goes to stderr between the two calls; valid until the next pair. */
void capture_begin(void);
const char *capture_end(void);

/* Whether that was one line, with @part in it; prints what there is if not. */
bool capture_one_line(const char *text, const char *part);

#endif /* LKVM_TESTS_CAPTURE_H */
