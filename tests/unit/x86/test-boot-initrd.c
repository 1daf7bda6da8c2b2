// SPDX-License-Identifier: GPL-2.0-only
/* The x86 kernel loader: where the initrd goes, and what is said when it cannot. */
#include <errno.h>

#include "boot-images.h"

TEST(initrd_placement)
{
	struct boot_params params;

	/* At the top of RAM, */
	make_bzimage();
	CHECK_EQ(load_with_initrd(64 * MiB, 1000001), 0);
	CHECK_EQ(st.initrd_gpa, align_down(64 * MiB - 1000001, PAGE));
	CHECK_EQ(st.initrd_size, 1000001);
	CHECK_EQ(guest_mem_read(&mem, st.info_gpa, &params, sizeof(params)), 0);
	CHECK_EQ(params.hdr.ramdisk_image, st.initrd_gpa);
	CHECK_EQ(params.hdr.ramdisk_size, 1000001);
	CHECK_EQ(params.ext_ramdisk_image, 0);
	CHECK_EQ(params.ext_ramdisk_size, 0);
	CHECK(!memcmp(guest_mem_ptr(&mem, st.initrd_gpa, 6), "initrd", 6));

	/* but not beyond what the kernel allows, */
	CHECK_EQ(load_with_initrd(5 * GiB, 3 * PAGE), 0);
	CHECK_EQ(st.initrd_gpa, 2 * GiB - 3 * PAGE);
	bz->initrd_addr_max = 0xffffffff;
	CHECK_EQ(load_with_initrd(5 * GiB, 3 * PAGE), 0);
	CHECK_EQ(st.initrd_gpa, 3 * GiB - 3 * PAGE);

	/* below the kernel when there is no room above it, */
	make_bzimage();
	CHECK_EQ(load_with_initrd(BZ_PREF + BZ_INIT_SIZE, 4 * MiB), 0);
	CHECK_EQ(st.initrd_gpa, BZ_PREF - 4 * MiB);

	/* also when only the rest of a page is missing, */
	bz->init_size = BZ_INIT_SIZE + 1;
	CHECK_EQ(load_with_initrd(BZ_PREF + BZ_INIT_SIZE + 2 * PAGE, 2 * PAGE - 1), 0);
	CHECK_EQ(st.initrd_gpa, BZ_PREF - 2 * PAGE);

	/* never over the first MiB. */
	make_bzimage();
	CHECK_EQ(load_with_initrd(BZ_PREF + BZ_INIT_SIZE, 15 * MiB), 0);
	CHECK_EQ(st.initrd_gpa, MiB);
	CHECK_EQ(load_with_initrd(BZ_PREF + BZ_INIT_SIZE, 15 * MiB + 1), -ENOMEM);
}

TEST(initrd_above_4g)
{
	struct boot_params params;

	make_bzimage();
	bz->initrd_addr_max = 4 * MiB - 1;
	CHECK_EQ(load_with_initrd(5 * GiB, 8 * MiB), 0);
	CHECK_EQ(st.initrd_gpa, 6 * GiB - 8 * MiB);
	CHECK_EQ(guest_mem_read(&mem, st.info_gpa, &params, sizeof(params)), 0);
	CHECK_EQ(params.hdr.ramdisk_image, (u32)(6 * GiB - 8 * MiB));
	CHECK_EQ(params.ext_ramdisk_image, 1);
	CHECK_EQ(params.hdr.ramdisk_size, 8 * MiB);
	CHECK_EQ(params.ext_ramdisk_size, 0);

	/* Without the flag it is not allowed there, however much memory there is. */
	bz->xloadflags = XLF_KERNEL_64;
	CHECK_EQ(load_with_initrd(5 * GiB, 8 * MiB), -ENOMEM);
	CHECK(strstr(message, "0x400000"));
	CHECK(!strstr(message, "-m"));

	/* PVH's Linux takes 32 bits of the address. */
	make_elf(true);
	CHECK_EQ(load_with_initrd(5 * GiB, 8 * MiB), 0);
	CHECK_EQ(st.initrd_gpa, 3 * GiB - 8 * MiB);
}

/* The value for -m that the message gives is the least that is enough. */
static void check_advice(u64 ram, u64 size)
{
	unsigned long long mib;
	char *advice;

	CHECK_EQ(load_with_initrd(ram, size), -ENOMEM);
	advice = strstr(message, "-m ");
	if (!CHECK(advice) || !CHECK_EQ(sscanf(advice, "-m %llu", &mib), 1))
		return;
	CHECK_EQ(load_with_initrd((mib - 1) * MiB, size), -ENOMEM);
	CHECK_EQ(load_with_initrd(mib * MiB, size), 0);
}

TEST(initrd_advice)
{
	make_bzimage();
	check_advice(64 * MiB, 32 * MiB);
	check_advice(64 * MiB, 32 * MiB + 1);
	make_elf(true);
	check_advice(64 * MiB, 50 * MiB);

	/* As much as the kernel allows, and a page more. */
	make_bzimage();
	bz->xloadflags = XLF_KERNEL_64;
	bz->initrd_addr_max = 64 * MiB - 1;
	check_advice(50 * MiB, 24 * MiB);
	CHECK_EQ(load_with_initrd(50 * MiB, 24 * MiB + 1), -ENOMEM);
	CHECK(strstr(message, "too big"));

	/* Above 4 GiB, because it is not allowed to be below. */
	make_bzimage();
	bz->initrd_addr_max = 0x1000000;
	bz->pref_address = MiB * 2;
	bz->init_size = 2 * GiB + 990 * MiB;
	check_advice(3 * GiB, 40 * MiB);
}

TEST(initrd_files)
{
	struct boot_config cfg;

	make_bzimage();
	make_memory(64 * MiB);
	cfg = config();
	cfg.initrd = "/nonexistent/initrd";
	CHECK_EQ(load_config(&cfg), -ENOENT);
	CHECK(strstr(message, "initrd '/nonexistent/initrd'"));
	cfg.initrd = "/";
	CHECK_EQ(load_config(&cfg), -EISDIR);
	CHECK_EQ(load_with_initrd(64 * MiB, 0), -ENODATA);
	/* Not read first, to find that it does not fit. */
	CHECK_EQ(load_with_initrd(64 * MiB, 1ULL << 40), -ENOMEM);
	CHECK(strstr(message, "1048576 MiB"));
}
