// SPDX-License-Identifier: GPL-2.0-only
#include "rt/core.h"

static unsigned int passed, failed;

static void line(const char *prefix, const char *fmt, va_list ap)
{
	print("%s", prefix);
	vprint(fmt, ap);
	print("\n");
}

void section(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	line("\n", fmt, ap);
	va_end(ap);
}

void note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	line("        ", fmt, ap);
	va_end(ap);
}

void check_line(bool ok, const char *fmt, ...)
{
	va_list ap;

	if (ok)
		passed++;
	else
		failed++;
	va_start(ap, fmt);
	line(ok ? "  ok    " : "  FAIL  ", fmt, ap);
	va_end(ap);
}

int check_report(const char *name)
{
	print("\n%s: %u checks passed, %u failed\n", name, passed, failed);
	return failed || !passed;
}
