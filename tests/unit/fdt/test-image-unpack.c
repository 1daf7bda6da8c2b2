// SPDX-License-Identifier: GPL-2.0-only
/* Compressed kernels of arm64 and riscv64. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "images.h"

static void (*const packers[])(const void *data, u64 len) = {append_gzip, append_zstd};

TEST(packed)
{
	for (size_t i = 0; i < ARRAY_SIZE(packers); i++) {
		make_plain(i ? IMAGE_ARM64 : IMAGE_RISCV64);
		file_size = 0;
		packers[i](plain, sizeof(plain));
		CHECK(file_size < sizeof(plain));
		loaded(64 * MiB);
	}
}

/* gzip and zstd both allow several, and the kernel is all of them. */
TEST(several_members)
{
	for (size_t i = 0; i < ARRAY_SIZE(packers); i++) {
		make_plain(IMAGE_ARM64);
		file_size = 0;
		packers[i](plain, 10);
		packers[i](plain, 0);
		packers[i](plain + 10, 40000);
		packers[i](plain + 40010, sizeof(plain) - 40010);
		loaded(64 * MiB);
	}
}

/* A buffer's end may fall anywhere, also between members and in what begins the next one. */
TEST(member_borders)
{
	static u8 random[FILE_ROOM];

	for (u64 i = 0; i < sizeof(random); i++)
		random[i] = unit_rand();
	for (size_t p = 0; p < ARRAY_SIZE(packers); p++) {
		for (int shift = -30; shift < 10; shift++) {
			u64 first = 64 * KiB + shift, n;

			make_plain(IMAGE_ARM64);
			memcpy(plain + 64, random, sizeof(plain) - 64);
			file_size = 0;
			packers[p](plain, first);
			n = file_size;
			packers[p](plain + first, sizeof(plain) - first);
			CHECK(n > first - 100);
			loaded(64 * MiB);
		}
	}
}

TEST(what_follows)
{
	for (size_t i = 0; i < ARRAY_SIZE(packers); i++) {
		for (unsigned int len = 1; len < 6; len++) {
			make_plain(IMAGE_ARM64);
			file_size = 0;
			packers[i](plain, sizeof(plain));
			append("\0\0\0\0\0\0", len);
			loaded(64 * MiB);
			file_size -= len;
			append("\x1f(gone", len);
			loaded(64 * MiB);
		}
	}
}

/* Wherever it ends: the checksum of gzip is behind all that the kernel has. */
TEST(truncated)
{
	for (size_t i = 0; i < ARRAY_SIZE(packers); i++) {
		u64 whole;

		make_plain(IMAGE_ARM64);
		file_size = 0;
		packers[i](plain, sizeof(plain));
		whole = file_size;
		for (u64 cut = 1; cut + 4 < whole; cut = cut < 20 ? cut + 1 : cut * 3 / 2) {
			file_size = whole - cut;
			refused(64 * MiB, -ERANGE, "is truncated");
		}
	}
}

TEST(damaged)
{
	make_plain(IMAGE_ARM64);
	file_size = 0;
	append_gzip(plain, sizeof(plain));
	file[file_size - 8] ^= 1;
	refused(64 * MiB, -EINVAL, "incorrect data check");
	file[file_size - 8] ^= 1;
	file[file_size - 1] ^= 1;
	refused(64 * MiB, -EINVAL, "incorrect length check");
	file_size = 0;
	append("\x1f\x8b\x07", 3);
	append(plain, 100);
	refused(64 * MiB, -EINVAL, "unknown compression method");
	file_size = 0;
	append("\x28\xb5\x2f\xfd", 4);
	append("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 16);
	refused(64 * MiB, -EINVAL, "is damaged");
}

/* Many MiB of zeros in few bytes are not unpacked to their end, nor behind the kernel's memory. */
TEST(bombs)
{
	static u8 zeros[64 * MiB];

	for (size_t i = 0; i < ARRAY_SIZE(packers); i++) {
		make_plain(IMAGE_ARM64);
		file_size = 0;
		packers[i](plain, sizeof(plain));
		for (unsigned int n = 0; n < 2; n++)
			packers[i](zeros, sizeof(zeros));
		refused(256 * MiB, -EINVAL, "unpacks to more than its header speaks of");
		CHECK_EQ(load(64 * MiB), -EINVAL);

		/* Where the header does not say it, the memory that there is is the limit. */
		put64(plain + HDR_IMAGE_SIZE, 0);
		file_size = 0;
		packers[i](plain, sizeof(plain));
		for (unsigned int n = 0; n < 4; n++)
			packers[i](zeros, sizeof(zeros));
		refused(128 * MiB, -EINVAL, "unpacks to more");
	}
}

/* What is behind the memory that the header speaks of is a signature: checked, not loaded. */
TEST(signed_kernel)
{
	for (size_t i = 0; i < ARRAY_SIZE(packers); i++) {
		make_plain(IMAGE_ARM64);
		put64(plain + HDR_IMAGE_SIZE, sizeof(plain) / 2);
		file_size = 0;
		packers[i](plain, sizeof(plain));
		CHECK_EQ(load(64 * MiB), 0);
		CHECK(!memcmp(guest_mem_ptr(&mem, places.entry, 1), plain, sizeof(plain) / 2));
		CHECK_EQ(*(u8 *)guest_mem_ptr(&mem, places.entry + sizeof(plain) / 2, 1), 0);
		file_size -= 6;
		refused(64 * MiB, -ERANGE, "is truncated");
	}
}

TEST(packed_strangers)
{
	u8 what[4096] = {0};

	kind = IMAGE_ARM64;
	memcpy(what + 0x202, "HdrS", 4);
	file_size = 0;
	append_gzip(what, sizeof(what));
	refused(64 * MiB, -ENOEXEC, "x86");
	file_size = 0;
	append_zstd(what, sizeof(what));
	refused(64 * MiB, -ENOEXEC, "x86");
	memset(what, 0, sizeof(what));
	memcpy(what, "070701", 6);
	file_size = 0;
	append_gzip(what, sizeof(what));
	refused(64 * MiB, -ENOEXEC, "with -i");
	file_size = 0;
	append_gzip(what, 5);
	refused(64 * MiB, -ENOEXEC, "with -i");
	file_size = 0;
	append_gzip("", 0);
	refused(64 * MiB, -ENOEXEC, "it has 0 bytes");
}

TEST(zboot)
{
	static const char *const names[] = {"gzip", "zstd", "zstd22"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		make_plain(i ? IMAGE_RISCV64 : IMAGE_ARM64);
		file_size = 0;
		packers[i ? 1 : 0](plain, sizeof(plain));
		wrap_zboot(names[i]);
		loaded(64 * MiB);
	}
}

TEST(bad_zboot)
{
	make_plain(IMAGE_ARM64);
	wrap_zboot("xzkern");
	refused(64 * MiB, -ENOEXEC, "compressed with 'xzkern'");
	CHECK(strstr(message, "the 98304 bytes from 512 on"));
	make_plain(IMAGE_ARM64);
	wrap_zboot("\x1b[2J\n");
	refused(64 * MiB, -ENOEXEC, "compressed with '?[2J?'");
	make_plain(IMAGE_ARM64);
	wrap_zboot("");
	memset(file + 24, 'x', 32);
	refused(64 * MiB, -ENOEXEC, "compressed with 'xxx");

	make_plain(IMAGE_ARM64);
	file_size = 0;
	append_gzip(plain, sizeof(plain));
	wrap_zboot("gzip");
	put32(file + 12, file_size);
	refused(64 * MiB, -ERANGE, "is truncated or damaged");
	put32(file + 8, ~0U);
	refused(64 * MiB, -ERANGE, "is truncated or damaged");
	put32(file + 8, 0);
	put32(file + 12, 0);
	refused(64 * MiB, -ERANGE, "is truncated");
	/* The payload of gzip is none. */
	put32(file + 12, 100);
	refused(64 * MiB, -EINVAL, "is damaged");
	file_size = 8;
	CHECK(load(64 * MiB) < 0);
}
