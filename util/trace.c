// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "util/log.h"
#include "util/parse.h"
#include "util/trace.h"

bool trace_enabled[TRACE_NR_AREAS];

static const char *const names[] = {
	[TRACE_IOMMU] = "iommu", [TRACE_VIRTIO] = "virtio", [TRACE_NR_AREAS] = NULL};

/* All of the names above. */
const char trace_usage[] = "say on stderr what happens; areas: iommu, virtio";

static int unknown(const char *word)
{
	const char *near = nearest_name(word, names);
	char known[256] = "";
	size_t used = 0;

	if (near) {
		pr_err("--trace: there is no area '%s', did you mean '%s'?", word, near);
		return -EINVAL;
	}
	for (unsigned int i = 0; i < TRACE_NR_AREAS && used < sizeof(known); i++)
		used += snprintf(known + used, sizeof(known) - used, "%s%s", i ? ", " : "",
				 names[i]);
	pr_err("--trace: there is no area '%s'; known: %s", word, known);
	return -EINVAL;
}

int trace_parse(const char *list)
{
	do {
		size_t len = strcspn(list, ",");
		char word[32];
		unsigned int i;

		snprintf(word, sizeof(word), "%.*s", (int)len, list);
		for (i = 0; i < TRACE_NR_AREAS && strcmp(word, names[i]); i++)
			;
		if (i == TRACE_NR_AREAS)
			return unknown(word);
		trace_enabled[i] = true;
		list += len;
	} while (*list++);
	return 0;
}

void trace_print(enum trace_area area, const char *fmt, ...)
{
	char line[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	pr_info("%s: %s", names[area], line);
}
