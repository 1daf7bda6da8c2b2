// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "riscv/isa.h"
#include "unit.h"

/* What a set of names, separated by spaces, gives. */
static struct riscv_isa isa_of(const char *names)
{
	struct riscv_isa isa = {0};
	unsigned int number;
	const char *name;

	for (unsigned int i = 0; (name = riscv_isa_name(i, &number)); i++) {
		const char *p = names;

		while (p && !isa.has[number]) {
			size_t len = strcspn(p, " ");

			isa.has[number] = len == strlen(name) && !memcmp(p, name, len);
			p = p[len] ? p + len + 1 : NULL;
		}
	}
	return isa;
}

TEST(string_of_single_letters)
{
	struct riscv_isa isa = isa_of("c d f a m i");
	char text[RISCV_ISA_TEXT_MAX];

	CHECK_EQ(riscv_isa_string(&isa, text, sizeof(text)), sizeof("rv64imafdc"));
	CHECK_STR_EQ(text, "rv64imafdc");
}

TEST(string_of_more_letters)
{
	struct riscv_isa isa = isa_of("i m a c sstc zbb zicsr v svinval ssaia zicbom");
	char text[RISCV_ISA_TEXT_MAX];

	riscv_isa_string(&isa, text, sizeof(text));
	CHECK_STR_EQ(text, "rv64imacv_zicbom_zicsr_zbb_ssaia_sstc_svinval");
}

TEST(list_has_each_with_its_end)
{
	static const char want[] = "i\0m\0zicsr\0sstc";
	struct riscv_isa isa = isa_of("sstc zicsr m i");
	char text[RISCV_ISA_TEXT_MAX];

	CHECK_EQ(riscv_isa_list(&isa, text, sizeof(text)), sizeof(want));
	CHECK(!memcmp(text, want, sizeof(want)));
}

TEST(all_of_them_fit)
{
	char text[RISCV_ISA_TEXT_MAX];
	struct riscv_isa isa;

	memset(&isa, true, sizeof(isa));
	CHECK(riscv_isa_string(&isa, text, sizeof(text)) < sizeof(text));
	CHECK(riscv_isa_list(&isa, text, sizeof(text)) < sizeof(text));
	CHECK(strstr(text, "i") != NULL);
}

TEST(text_is_cut_where_the_buffer_ends)
{
	struct riscv_isa isa;
	char text[16];

	memset(&isa, true, sizeof(isa));
	memset(text, 'x', sizeof(text));
	CHECK_EQ(riscv_isa_string(&isa, text, 9), 9);
	CHECK_STR_EQ(text, "rv64imaf");
	CHECK_EQ(text[9], 'x');
	memset(text, 'x', sizeof(text));
	CHECK(riscv_isa_list(&isa, text, 9) <= 9);
	CHECK_EQ(text[9], 'x');
}

/* The order that the naming conventions ask for. */
static int rank(const char *name)
{
	static const char letters[] = "imafdqlcbkjtpvnh";

	if (!name[1])
		return strchr(letters, name[0]) - letters;
	if (name[0] == 'z')
		return 100 + (strchr(letters, name[1]) - letters);
	return 200;
}

TEST(names_are_in_canonical_order_and_numbers_differ)
{
	bool seen[RISCV_MAX_EXTS] = {false};
	const char *name, *last = NULL;
	unsigned int number, i;

	for (i = 0; (name = riscv_isa_name(i, &number)); i++) {
		if (!CHECK(number < RISCV_MAX_EXTS))
			return;
		CHECK(!seen[number]);
		seen[number] = true;
		if (last && (rank(last) > rank(name) ||
			     (rank(last) == rank(name) && strcmp(last, name) >= 0)))
			unit_failed(__FILE__, __LINE__, name);
		last = name;
	}
	/* KVM's numbers have no gaps. */
	for (unsigned int n = 0; n < RISCV_MAX_EXTS; n++)
		CHECK_EQ(seen[n], n < i);
}

TEST(numbers_of_those_that_are_asked_for)
{
	static const struct {
		const char *name;
		unsigned int number;
	} known[] = {
		{"zicbom", RISCV_EXT_ZICBOM},
		{"zicboz", RISCV_EXT_ZICBOZ},
		{"zicbop", RISCV_EXT_ZICBOP},
		{"ssaia", RISCV_EXT_SSAIA},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(known); i++) {
		struct riscv_isa isa = isa_of(known[i].name);

		CHECK(isa.has[known[i].number]);
	}
}
