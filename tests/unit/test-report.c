// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"
#include "util/report.h"

/* Fills a report in one of the two forms and compares all of it. */
static void check_form(bool json, void (*fill)(struct report *r), const char *want)
{
	struct report *r = report_new(json, 4096);
	const char *text;
	char *copy;
	size_t len;

	if (!CHECK(r))
		return;
	fill(r);
	text = report_text(r, &len);
	if (CHECK(text)) {
		copy = strndup(text, len);
		CHECK_STR_EQ(copy, want);
		free(copy);
	}
	report_free(r);
}

static void fill_nested(struct report *r)
{
	report_object_begin(r, NULL);
	report_str(r, "name", "a guest");
	report_object_begin(r, "memory");
	report_u64(r, "size", 18446744073709551615ULL);
	report_bool(r, "huge", false);
	report_object_end(r);
	report_list_begin(r, "queues");
	report_object_begin(r, NULL);
	report_u64(r, "index", 0);
	report_hex(r, "used", 0xfffff000);
	report_list_begin(r, "inner");
	report_u64(r, NULL, 1);
	report_u64(r, NULL, 2);
	report_list_end(r);
	report_object_end(r);
	report_object_begin(r, NULL);
	report_object_end(r);
	report_list_begin(r, NULL);
	report_str(r, NULL, "x");
	report_list_end(r);
	report_list_end(r);
	report_list_begin(r, "none");
	report_list_end(r);
	report_bool(r, "last", true);
	report_object_end(r);
}

TEST(nesting)
{
	check_form(true, fill_nested,
		   "{\n"
		   "  \"name\": \"a guest\",\n"
		   "  \"memory\": {\n"
		   "    \"size\": 18446744073709551615,\n"
		   "    \"huge\": false\n"
		   "  },\n"
		   "  \"queues\": [\n"
		   "    {\n"
		   "      \"index\": 0,\n"
		   "      \"used\": \"0xfffff000\",\n"
		   "      \"inner\": [\n"
		   "        1,\n"
		   "        2\n"
		   "      ]\n"
		   "    },\n"
		   "    {},\n"
		   "    [\n"
		   "      \"x\"\n"
		   "    ]\n"
		   "  ],\n"
		   "  \"none\": [],\n"
		   "  \"last\": true\n"
		   "}\n");
	check_form(false, fill_nested,
		   "name: a guest\n"
		   "memory:\n"
		   "  size: 18446744073709551615\n"
		   "  huge: no\n"
		   "queues:\n"
		   "  - index: 0\n"
		   "    used: 0xfffff000\n"
		   "    inner:\n"
		   "      - 1\n"
		   "      - 2\n"
		   "  - \n"
		   "  - - x\n"
		   "none:\n"
		   "last: yes\n");
}

static void fill_outer_list(struct report *r)
{
	report_list_begin(r, NULL);
	report_u64(r, NULL, 7);
	report_list_end(r);
}

TEST(outermost_list)
{
	check_form(true, fill_outer_list, "[\n  7\n]\n");
	check_form(false, fill_outer_list, "- 7\n");
}

static const char *to_escape;

static void fill_string(struct report *r)
{
	report_object_begin(r, NULL);
	report_str(r, "s", to_escape);
	report_object_end(r);
}

static void check_string(const char *s, const char *json, const char *text)
{
	char want[256];

	to_escape = s;
	snprintf(want, sizeof(want), "{\n  \"s\": \"%s\"\n}\n", json);
	check_form(true, fill_string, want);
	snprintf(want, sizeof(want), "s:%s%s\n", *text ? " " : "", text);
	check_form(false, fill_string, want);
}

TEST(escapes)
{
	check_string("plain ~", "plain ~", "plain ~");
	check_string("", "", "");
	check_string(NULL, "", "");
	check_string("\"\\/", "\\\"\\\\/", "\"\\x5c/");
	check_string("\x01\n\t\x1b\x7f", "\\u0001\\u000a\\u0009\\u001b\\u007f",
		     "\\x01\\x0a\\x09\\x1b\\x7f");
	check_string("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
		     "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
		     "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
	/* C1 control characters are text in JSON, and orders to a terminal. */
	check_string("\xc2\x9b", "\xc2\x9b", "\\xc2\\x9b");
}

TEST(escapes_of_what_is_no_utf8)
{
	static const struct {
		const char *bytes, *text;
		unsigned int nr; /* replacement characters */
		const char *rest;
	} cases[] = {
		{"\x80", "\\x80", 1, ""},
		{"\xff.", "\\xff.", 1, "."},
		{"\xc0\x80", "\\xc0\\x80", 2, ""}, /* overlong */
		{"\xe0\x9f\xbf", "\\xe0\\x9f\\xbf", 3, ""},
		{"\xf0\x8f\xbf\xbf", "\\xf0\\x8f\\xbf\\xbf", 4, ""},
		{"\xed\xa0\x80", "\\xed\\xa0\\x80", 3, ""}, /* a surrogate */
		{"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80", 4, ""},
		{"\xe2\x82", "\\xe2\\x82", 2, ""}, /* cut off */
		{"\xc3z", "\\xc3z", 1, "z"},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		char json[64] = "";

		for (unsigned int n = 0; n < cases[i].nr; n++)
			strcat(json, "\\ufffd");
		strcat(json, cases[i].rest);
		check_string(cases[i].bytes, json, cases[i].text);
	}
}

TEST(random_bytes_are_escaped)
{
	for (unsigned int round = 0; round < 2000; round++) {
		struct report *r = report_new(true, 4096);
		char s[32];
		const char *text;
		size_t len;

		for (unsigned int i = 0; i < sizeof(s); i++)
			s[i] = unit_rand();
		s[sizeof(s) - 1] = '\0';
		report_object_begin(r, NULL);
		report_str(r, s, s);
		report_object_end(r);
		text = report_text(r, &len);
		if (!CHECK(text) || !CHECK(len > 4 && text[len - 1] == '\n'))
			break;
		/* Of control characters only the newlines of the layout are left. */
		for (size_t i = 0; i < len; i++) {
			if (!CHECK((u8)text[i] >= ' ' || text[i] == '\n'))
				return report_free(r);
		}
		report_free(r);
	}
}

TEST(fails_as_a_whole)
{
	struct report *r = report_new(true, 64);
	size_t len;

	report_list_begin(r, NULL);
	CHECK(!report_text(r, &len)); /* not ended */
	for (unsigned int i = 0; i < 100; i++)
		report_u64(r, NULL, i);
	report_list_end(r);
	CHECK(!report_text(r, &len));
	report_free(r);
}

TEST(fails_when_too_deep_or_not_paired)
{
	struct report *r = report_new(false, 1 << 20);
	size_t len;

	for (unsigned int i = 0; i < 40; i++)
		report_list_begin(r, NULL);
	for (unsigned int i = 0; i < 40; i++)
		report_list_end(r);
	CHECK(!report_text(r, &len));
	report_free(r);

	r = report_new(false, 1 << 20);
	report_object_begin(r, NULL);
	report_list_end(r);
	CHECK(!report_text(r, &len));
	report_free(r);
}

TEST(room_to_the_last_byte)
{
	/* "- 7\n" has four bytes. */
	for (size_t room = 0; room < 8; room++) {
		struct report *r = report_new(false, room);
		size_t len;

		fill_outer_list(r);
		CHECK_EQ(report_text(r, &len) != NULL, room >= 4);
		report_free(r);
	}
}
