// SPDX-License-Identifier: GPL-2.0-only
/* CPUs from /cpus of a device tree. */
#include "rt.h"
#include "rt/fdt.h"
#include "rt/smp.h"

unsigned int smp_list(u64 *ids, unsigned int max)
{
	int cpus = dt_find("/cpus"), cpu = DT_NONE;
	unsigned int nr = 0;

	while ((cpu = dt_next_child(cpus, cpu)) != DT_NONE) {
		u64 id = dt_number(cpu, "reg", 0, dt_nr_cells(cpu, "reg"));

		if (!strcmp(dt_string(cpu, "device_type"), "cpu") && id != smp_self() && nr < max)
			ids[nr++] = id;
	}
	return nr;
}
