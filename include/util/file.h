/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads of a file that somebody named on the command line, or of an image that is
 * part of the program, through one interface. The contents are copied out at each
 * read, never mapped: a file that changes meanwhile cannot slip past a check that
 * was made on the copy, and one that shrinks is an error and not a signal.
 */
#ifndef LKVM_UTIL_FILE_H
#define LKVM_UTIL_FILE_H

#include "util/types.h"

struct file {
	const char *what; /* "kernel", "initrd": for messages */
	const char *path; /* for messages */
	u64 size; /* bytes, never 0 */
	int fd; /* -1 when the contents are in memory */
	const u8 *data; /* the contents, or NULL when they are read from fd */
	void *owned; /* data, when file_close() has to free it */
};

/*
 * Opens @path, which is a regular file, or a pipe that is then read to its end, up
 * to @max_pipe bytes. @what and @path must live as long as @f. Prints the reason on
 * failure and leaves nothing to close. A negative errno: -EISDIR for a directory,
 * -EINVAL for a device or a socket, -ENODATA when there is nothing in it, -EFBIG for
 * a pipe that gives too much, -ENOMEM, and what open() and read() return.
 */
int file_open(struct file *f, const char *what, const char *path, u64 max_pipe);

/* The same for @size bytes at @data, which stay the caller's. */
void file_open_image(struct file *f, const char *what, const char *name, const void *data,
		     u64 size);

/* Whether [off, off + len) is in the file; if not, prints that it is truncated: -ERANGE. */
int file_check_range(const struct file *f, u64 off, u64 len);

/*
 * Copies @len bytes from @off on to @buf. Prints the reason on failure. -ERANGE: as
 * file_check_range(); -EIO: the file has become shorter; or what read() returns. @buf
 * is then partly written.
 */
int file_read_at(const struct file *f, u64 off, void *buf, u64 len);

void file_close(struct file *f);

/* Lets the process have as many open files as the host allows it. */
void raise_fd_limit(void);

#endif /* LKVM_UTIL_FILE_H */
