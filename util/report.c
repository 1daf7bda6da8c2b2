// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/report.h"

#define MAX_DEPTH 16
#define INDENT	  2

struct level {
	bool list;
	bool any; /* it has a member */
};

struct report {
	char *buf;
	size_t len, size, max;
	bool json;
	bool failed;
	struct level levels[MAX_DEPTH];
	unsigned int depth; /* of what is open */
	bool after_dash; /* text: the line has the dash of a list's member, and no more yet */
};

struct report *report_new(bool json, size_t max)
{
	struct report *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->json = json;
	r->max = max;
	return r;
}

void report_free(struct report *r)
{
	if (!r)
		return;
	free(r->buf);
	free(r);
}

static bool grow(struct report *r, size_t len)
{
	size_t size = max(r->size, (size_t)512);
	char *buf;

	if (len > r->max - r->len)
		return false;
	while (size < r->len + len)
		size *= 2;
	if (size == r->size)
		return true;
	buf = realloc(r->buf, size);
	if (!buf)
		return false;
	r->buf = buf;
	r->size = size;
	return true;
}

static void put(struct report *r, const char *bytes, size_t len)
{
	if (r->failed || !len)
		return;
	if (!grow(r, len)) {
		r->failed = true;
		return;
	}
	memcpy(r->buf + r->len, bytes, len);
	r->len += len;
}

static void put_str(struct report *r, const char *s)
{
	put(r, s, strlen(s));
}

const char *report_text(struct report *r, size_t *len)
{
	if (r->failed || r->depth)
		return NULL;
	*len = r->len;
	return r->buf ? r->buf : "";
}

/*
 * The length of the UTF-8 character at @s, 0 if there is none: no overlong forms, no
 * surrogates, nothing above U+10FFFF (RFC 3629, section 4). The NUL that ends the string
 * ends a character that is cut off, too.
 */
static unsigned int utf8_len(const u8 *s)
{
	u8 low = 0x80, high = 0xbf;
	unsigned int len;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	len = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (s[0] == 0xe0)
		low = 0xa0;
	else if (s[0] == 0xed)
		high = 0x9f;
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xf4)
		high = 0x8f;
	if (s[1] < low || s[1] > high)
		return 0;
	for (unsigned int i = 2; i < len; i++) {
		if (s[i] < 0x80 || s[i] > 0xbf)
			return 0;
	}
	return len;
}

static void put_json_string(struct report *r, const char *value)
{
	const u8 *s = (const u8 *)value;

	put_str(r, "\"");
	while (*s) {
		unsigned int len = utf8_len(s);
		char escape[8];

		if (*s == '"' || *s == '\\') {
			snprintf(escape, sizeof(escape), "\\%c", *s);
			put_str(r, escape);
		} else if (*s < ' ' || *s == 0x7f) {
			snprintf(escape, sizeof(escape), "\\u%04x", *s);
			put_str(r, escape);
		} else if (len) {
			put(r, (const char *)s, len);
		} else {
			put_str(r, "\\ufffd");
		}
		s += max(len, 1U);
	}
	put_str(r, "\"");
}

static void put_text_string(struct report *r, const char *value)
{
	const u8 *s = (const u8 *)value;

	while (*s) {
		unsigned int len = utf8_len(s);
		/* U+0080 to U+009F are control characters as well. */
		bool control = *s < ' ' || *s == 0x7f || (s[0] == 0xc2 && s[1] < 0xa0);
		char escape[8];

		if (len && !control && *s != '\\') {
			put(r, (const char *)s, len);
			s += len;
			continue;
		}
		snprintf(escape, sizeof(escape), "\\x%02x", *s++);
		put_str(r, escape);
	}
}

static void newline(struct report *r, unsigned int depth)
{
	put_str(r, "\n");
	while (depth--)
		put(r, "  ", INDENT);
}

static void begin_json(struct report *r, const char *name)
{
	struct level *level = r->depth ? &r->levels[r->depth - 1] : NULL;

	if (!level)
		return;
	if (level->any)
		put_str(r, ",");
	level->any = true;
	newline(r, r->depth);
	if (!level->list) {
		put_json_string(r, name ? name : "");
		put_str(r, ": ");
	}
}

/* Text: the outermost object or list is not indented, and has no line of its own. */
static void begin_text(struct report *r, const char *name)
{
	struct level *level = r->depth ? &r->levels[r->depth - 1] : NULL;

	if (!level)
		return;
	level->any = true;
	if (!r->after_dash) {
		for (unsigned int i = 1; i < r->depth; i++)
			put(r, "  ", INDENT);
	}
	r->after_dash = false;
	if (level->list) {
		put(r, "- ", INDENT);
	} else {
		put_text_string(r, name ? name : "");
		put_str(r, ":");
	}
}

static void begin_member(struct report *r, const char *name)
{
	if (r->json)
		begin_json(r, name);
	else
		begin_text(r, name);
}

static bool in_list(const struct report *r)
{
	return r->depth && r->levels[r->depth - 1].list;
}

static void end_value(struct report *r)
{
	if (!r->json || !r->depth)
		put_str(r, "\n");
}

static void open_level(struct report *r, const char *name, bool list)
{
	bool member_of_list = in_list(r);

	begin_member(r, name);
	if (r->json)
		put_str(r, list ? "[" : "{");
	else if (member_of_list)
		r->after_dash = true;
	else if (r->depth)
		put_str(r, "\n");
	if (r->depth == MAX_DEPTH) {
		r->failed = true;
		return;
	}
	r->levels[r->depth++] = (struct level){.list = list};
}

static void close_level(struct report *r, bool list)
{
	bool any;

	if (!r->depth || r->levels[r->depth - 1].list != list) {
		r->failed = true;
		return;
	}
	any = r->levels[--r->depth].any;
	if (r->json) {
		if (any)
			newline(r, r->depth);
		put_str(r, list ? "]" : "}");
		if (!r->depth)
			put_str(r, "\n");
	} else if (r->after_dash) {
		/* A member of a list that had nothing in it. */
		r->after_dash = false;
		put_str(r, "\n");
	}
}

void report_object_begin(struct report *r, const char *name)
{
	open_level(r, name, false);
}

void report_object_end(struct report *r)
{
	close_level(r, false);
}

void report_list_begin(struct report *r, const char *name)
{
	open_level(r, name, true);
}

void report_list_end(struct report *r)
{
	close_level(r, true);
}

/* @value needs no escapes. */
static void put_plain(struct report *r, const char *name, const char *value)
{
	bool member_of_list = in_list(r);

	begin_member(r, name);
	if (!r->json && r->depth && !member_of_list)
		put_str(r, " ");
	put_str(r, value);
	end_value(r);
}

void report_u64(struct report *r, const char *name, u64 value)
{
	char s[24];

	snprintf(s, sizeof(s), "%" PRIu64, value);
	put_plain(r, name, s);
}

void report_hex(struct report *r, const char *name, u64 value)
{
	char s[24];

	snprintf(s, sizeof(s), r->json ? "\"0x%" PRIx64 "\"" : "0x%" PRIx64, value);
	put_plain(r, name, s);
}

void report_bool(struct report *r, const char *name, bool value)
{
	put_plain(r, name, r->json ? value ? "true" : "false" : value ? "yes" : "no");
}

void report_str(struct report *r, const char *name, const char *value)
{
	bool member_of_list = in_list(r);

	if (!value)
		value = "";
	begin_member(r, name);
	if (r->json) {
		put_json_string(r, value);
	} else {
		if (*value && r->depth && !member_of_list)
			put_str(r, " ");
		put_text_string(r, value);
	}
	end_value(r);
}
