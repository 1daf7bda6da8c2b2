// SPDX-License-Identifier: GPL-2.0-only
#include "rt/core.h"

#include "rt/arch.h"

/* Where the output goes instead of the console, and how much room is left there. */
static char *sink;
static size_t sink_room;

static void out(const char *s, size_t len)
{
	if (!sink) {
		console_write(s, len);
		return;
	}
	len = min(len, sink_room);
	memcpy(sink, s, len);
	sink += len;
	sink_room -= len;
}

static void out_padded(const char *s, unsigned int len, unsigned int width, char pad, bool left)
{
	unsigned int fill = width > len ? width - len : 0;

	for (; fill && !left; fill--)
		out(&pad, 1);
	out(s, len);
	for (; fill; fill--)
		out(" ", 1);
}

/* Writes the digits to the end of @buf (24 bytes) and returns their start. */
static char *digits(char *buf, u64 val, unsigned int base)
{
	char *p = buf + 24;

	do {
		unsigned int d = val % base;

		*--p = d < 10 ? '0' + d : 'a' + d - 10;
		val /= base;
	} while (val);
	return p;
}

struct spec {
	unsigned int width;
	char pad;
	bool left;
	bool wide; /* 64 bits */
};

static const char *parse_spec(const char *fmt, struct spec *s)
{
	*s = (struct spec){.pad = ' '};
	for (; *fmt == '0' || *fmt == '-'; fmt++) {
		if (*fmt == '0')
			s->pad = '0';
		else
			s->left = true;
	}
	for (; *fmt >= '0' && *fmt <= '9'; fmt++)
		s->width = s->width * 10 + *fmt - '0';
	for (; *fmt == 'l' || *fmt == 'z'; fmt++)
		s->wide = true;
	return fmt;
}

void vprint(const char *fmt, va_list ap)
{
	const char *str = fmt;
	char buf[24], *p, c;
	struct spec s;
	s64 val;

	for (; *fmt; fmt++) {
		if (*fmt != '%')
			continue;
		out(str, fmt - str);
		fmt = parse_spec(fmt + 1, &s);
		switch (*fmt) {
		case 'c':
			c = va_arg(ap, int);
			out_padded(&c, 1, s.width, ' ', s.left);
			break;
		case 's':
			str = va_arg(ap, const char *);
			out_padded(str, strlen(str), s.width, ' ', s.left);
			break;
		case 'd':
			val = s.wide ? va_arg(ap, s64) : va_arg(ap, s32);
			p = digits(buf, val < 0 ? -(u64)val : (u64)val, 10);
			if (val < 0)
				*--p = '-';
			out_padded(p, buf + 24 - p, s.width, s.pad, s.left);
			break;
		case 'p':
			s.wide = true;
			/* fallthrough */
		case 'u':
		case 'x':
			p = digits(buf, s.wide ? va_arg(ap, u64) : va_arg(ap, u32),
				   *fmt == 'u' ? 10 : 16);
			out_padded(p, buf + 24 - p, s.width, s.pad, s.left);
			break;
		default:
			out(fmt, 1);
			break;
		}
		str = fmt + 1;
	}
	out(str, fmt - str);
}

void print(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprint(fmt, ap);
	va_end(ap);
}

void format(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;

	sink = buf;
	sink_room = size - 1;
	va_start(ap, fmt);
	vprint(fmt, ap);
	va_end(ap);
	*sink = '\0';
	sink = NULL;
}

void panic(const char *fmt, ...)
{
	va_list ap;

	print("guest: panic: ");
	va_start(ap, fmt);
	vprint(fmt, ap);
	va_end(ap);
	print("\n");
	machine_exit(1);
}
