// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>
#include <zstd_errors.h>

#include "internal.h"
#include "util/log.h"

/* For inflateInit2(): the largest window, in the gzip format alone. */
#define GZIP_WINDOW_BITS (15 + 16)

static const u8 gzip_magic[] = {0x1f, 0x8b};
static const u8 zstd_magic[] = {0x28, 0xb5, 0x2f, 0xfd};

static int no_memory(const struct unpack *s)
{
	pr_err("%s '%s': no memory to unpack it", s->file->what, s->file->path);
	return -ENOMEM;
}

int unpack_open(struct unpack *s, const struct file *file, u64 off, u64 len,
		enum compression compression)
{
	memset(s, 0, sizeof(*s));
	s->file = file;
	s->off = off;
	s->left = len;
	s->compression = compression;
	if (compression == COMPRESSION_GZIP && inflateInit2(&s->z, GZIP_WINDOW_BITS) != Z_OK)
		goto no_memory;
	if (compression == COMPRESSION_ZSTD) {
		s->in.src = s->buf;
		s->zstd = ZSTD_createDStream();
		if (!s->zstd)
			goto no_memory;
	}
	return 0;

no_memory:
	s->compression = COMPRESSION_NONE;
	return no_memory(s);
}

void unpack_close(struct unpack *s)
{
	if (s->compression == COMPRESSION_GZIP)
		inflateEnd(&s->z);
	ZSTD_freeDStream(s->zstd);
	s->zstd = NULL;
	s->compression = COMPRESSION_NONE;
}

/*
 * Reads on behind the @kept bytes at the start of the buffer, @unused says where they are now.
 * How many bytes there are then.
 */
static s64 fill(struct unpack *s, const u8 *unused, size_t kept)
{
	u64 n = min(s->left, (u64)(sizeof(s->buf) - kept));
	int ret;

	memmove(s->buf, unused, kept);
	ret = n ? file_read_at(s->file, s->off, s->buf + kept, n) : 0;
	if (ret)
		return ret;
	s->off += n;
	s->left -= n;
	return kept + n;
}

static int damaged(const struct unpack *s, const char *why)
{
	pr_err("%s '%s' is damaged: %s", s->file->what, s->file->path, why);
	return -EINVAL;
}

static int truncated(const struct unpack *s)
{
	pr_err("%s '%s' is truncated: the compressed data ends too early", s->file->what,
	       s->file->path);
	return -ERANGE;
}

/*
 * Between members or frames, with the @n bytes at @next: whether another one begins there. What
 * else is there is padding, or something that was appended.
 */
static bool begins(const struct unpack *s, const u8 *next, size_t n)
{
	if (s->compression == COMPRESSION_GZIP)
		return n >= sizeof(gzip_magic) && !memcmp(next, gzip_magic, sizeof(gzip_magic));
	return n >= sizeof(zstd_magic) && !memcmp(next, zstd_magic, sizeof(zstd_magic));
}

/* At least so many bytes in the buffer show what begins there. */
#define MAGIC_SIZE sizeof(zstd_magic)

static s64 read_gzip(struct unpack *s, u8 *buf, u64 len)
{
	z_stream *z = &s->z;
	u64 done = 0;
	s64 n;
	int ret;

	while (done < len && !s->ended) {
		if (!z->avail_in || (s->between && z->avail_in < MAGIC_SIZE)) {
			n = fill(s, z->next_in ? z->next_in : s->buf, z->avail_in);
			if (n < 0)
				return n;
			z->next_in = s->buf;
			z->avail_in = n;
		}
		if (s->between) {
			if (!begins(s, z->next_in, z->avail_in)) {
				s->ended = true;
				break;
			}
			inflateReset(z);
			s->between = false;
		}
		if (!z->avail_in)
			return truncated(s);
		z->next_out = buf + done;
		z->avail_out = min(len - done, (u64)(1 * GiB));
		n = z->avail_out;
		ret = inflate(z, Z_NO_FLUSH);
		done += n - z->avail_out;
		if (ret == Z_STREAM_END)
			s->between = true;
		else if (ret == Z_MEM_ERROR)
			return no_memory(s);
		else if (ret != Z_OK)
			return damaged(s, z->msg ? z->msg : "bad compressed data");
	}
	return done;
}

/* The largest window is what zstd unpacks without being asked to: 128 MiB. */
static int zstd_failed(const struct unpack *s, size_t ret)
{
	switch (ZSTD_getErrorCode(ret)) {
	case ZSTD_error_memory_allocation:
		return no_memory(s);
	case ZSTD_error_frameParameter_windowTooLarge:
		pr_err("%s '%s' is compressed with a window of more than 128 MiB; unpack it with "
		       "zstd -d --long=31",
		       s->file->what, s->file->path);
		return -EINVAL;
	default:
		return damaged(s, ZSTD_getErrorName(ret));
	}
}

static s64 read_zstd(struct unpack *s, u8 *buf, u64 len)
{
	ZSTD_outBuffer out = {.dst = buf, .size = len};
	size_t ret;
	s64 n;

	while (out.pos < out.size && !s->ended) {
		size_t unused = s->in.size - s->in.pos, before = out.pos, eaten;

		if (!unused || (s->between && unused < MAGIC_SIZE)) {
			n = fill(s, s->buf + s->in.pos, unused);
			if (n < 0)
				return n;
			s->in.pos = 0;
			s->in.size = unused = n;
		}
		if (s->between) {
			if (!begins(s, s->buf + s->in.pos, unused)) {
				s->ended = true;
				break;
			}
			s->between = false;
		}
		eaten = s->in.pos;
		ret = ZSTD_decompressStream(s->zstd, &out, &s->in);
		if (ZSTD_isError(ret))
			return zstd_failed(s, ret);
		s->between = !ret;
		/* It may hold back what it has, but with neither input nor output it is stuck. */
		if (ret && !unused && eaten == s->in.pos && before == out.pos)
			return truncated(s);
	}
	return out.pos;
}

s64 unpack_read(struct unpack *s, void *buf, u64 len)
{
	int ret;

	switch (s->compression) {
	case COMPRESSION_GZIP:
		return read_gzip(s, buf, len);
	case COMPRESSION_ZSTD:
		return read_zstd(s, buf, len);
	default:
		len = min(len, s->left);
		ret = len ? file_read_at(s->file, s->off, buf, len) : 0;
		s->off += len;
		s->left -= len;
		return ret ? ret : (s64)len;
	}
}
