// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "capture.h"
#include "images.h"

u8 plain[PLAIN_SIZE];
u8 file[FILE_ROOM];
u64 file_size;
enum image_kind kind;
struct guest_mem mem;
struct image_places places;
char message[8192];

void put32(u8 *at, u32 val)
{
	val = htole32(val);
	memcpy(at, &val, sizeof(val));
}

void put64(u8 *at, u64 val)
{
	val = htole64(val);
	memcpy(at, &val, sizeof(val));
}

void make_plain(enum image_kind of)
{
	kind = of;
	/* Neither all the same nor without repetitions, for what packs it. */
	for (u64 i = 0; i < sizeof(plain); i++)
		plain[i] = i * i >> 7;
	memset(plain, 0, 64);
	put64(plain + HDR_IMAGE_SIZE, PLAIN_USES);
	if (kind == IMAGE_ARM64) {
		put32(plain + HDR_MAGIC, 0x644d5241);
	} else {
		put64(plain + HDR_TEXT_OFFSET, 2 * MiB);
		put32(plain + HDR_VERSION, 2);
		put32(plain + HDR_MAGIC, 0x05435352);
	}
	file_size = 0;
	append(plain, sizeof(plain));
}

void append(const void *data, u64 len)
{
	if (len > sizeof(file) - file_size)
		abort();
	memcpy(file + file_size, data, len);
	file_size += len;
}

void append_gzip(const void *data, u64 len)
{
	z_stream z = {
		.next_in = (void *)data,
		.avail_in = len,
		.next_out = file + file_size,
		.avail_out = sizeof(file) - file_size,
	};

	if (deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK ||
	    deflate(&z, Z_FINISH) != Z_STREAM_END)
		abort();
	file_size += z.total_out;
	deflateEnd(&z);
}

void append_zstd(const void *data, u64 len)
{
	size_t n = ZSTD_compress(file + file_size, sizeof(file) - file_size, data, len, 3);

	if (ZSTD_isError(n))
		abort();
	file_size += n;
}

void wrap_zboot(const char *compression)
{
	const u32 head = 512;

	if (file_size + head > sizeof(file))
		abort();
	memmove(file + head, file, file_size);
	memset(file, 0, head);
	memcpy(file, "MZ\0\0zimg", 8);
	put32(file + 8, head);
	put32(file + 12, file_size);
	snprintf((char *)file + 24, 32, "%s", compression);
	put32(file + 56, 0x818223cd);
	file_size += head;
	/* The rest of the program, its end included. */
	append("PE", 2);
}

void make_memory(u64 size)
{
	guest_mem_destroy(&mem);
	CHECK_EQ(guest_mem_add_bank(&mem, RAM_BASE, size), 0);
}

struct image_config config(void)
{
	return (struct image_config){
		.kind = kind,
		.builtin = file,
		.builtin_size = file_size,
		.fdt_max = FDT_MAX,
	};
}

int load_config(const struct image_config *cfg)
{
	int ret;

	capture_begin();
	ret = image_load(&mem, cfg, &places);
	snprintf(message, sizeof(message), "%s", capture_end());
	if (ret)
		CHECK(capture_one_line(message, ""));
	else
		CHECK_STR_EQ(message, "");
	return ret;
}

int load(u64 ram)
{
	struct image_config cfg = config();

	make_memory(ram);
	return load_config(&cfg);
}

void loaded(u64 ram)
{
	const void *at;

	if (!CHECK_EQ(load(ram), 0))
		return;
	at = guest_mem_ptr(&mem, places.entry, sizeof(plain));
	if (CHECK(at))
		CHECK(!memcmp(at, plain, sizeof(plain)));
}

void refused(u64 ram, int err, const char *words)
{
	CHECK_EQ(load(ram), err);
	CHECK(capture_one_line(message, words));
}

const char *make_file(char path[64], const void *data, u64 len, u64 size, int *fd)
{
	*fd = memfd_create("image", 0);
	if (*fd < 0 || pwrite(*fd, data, len, 0) != (ssize_t)len || ftruncate(*fd, size) < 0)
		abort();
	snprintf(path, 64, "/proc/self/fd/%d", *fd);
	return path;
}
