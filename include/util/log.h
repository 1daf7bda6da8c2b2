/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Messages for the person at the terminal, all on stderr, one line each. An
 * error is printed once, where it is found: callers only pass the errno up.
 */
#ifndef LKVM_UTIL_LOG_H
#define LKVM_UTIL_LOG_H

#include "util/types.h"

/* "lkvm: error: ...": the guest cannot start, or has to end. */
void pr_err(const char *fmt, ...) __printf(1, 2);

/* "lkvm: warning: ...": it goes on, but not as asked. */
void pr_warn(const char *fmt, ...) __printf(1, 2);

/* "lkvm: ...": worth knowing; silent with --quiet. */
void pr_info(const char *fmt, ...) __printf(1, 2);

void log_set_quiet(bool quiet);

/*
 * Every line of the program goes through this, so that the terminal module can
 * put a carriage return before the newline while the terminal is raw.
 */
void log_set_raw_tty(bool raw);

/*
 * Lines that nobody reads are waited for only until @fd is readable, so that they do
 * not keep the program from its end. -1: for ever.
 */
void log_set_stop_fd(int fd);

/*
 * Lines of the calling thread are cut or lost, rather than waited for, while nobody reads
 * them: for the thread that everything else depends on.
 */
void log_never_wait(bool on);

#endif /* LKVM_UTIL_LOG_H */
