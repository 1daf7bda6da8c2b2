// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <string.h>

#include "riscv/isa.h"
#include "riscv/kvm.h"
#include "riscv/vcpu.h"

#define BASE "rv64"

/*
 * In the order of the naming conventions (RISC-V Unprivileged ISA, "ISA Extension Naming
 * Conventions"), with KVM's numbers, which never change: enum KVM_RISCV_ISA_EXT_ID.
 */
static const struct {
	const char *name;
	u8 number;
} exts[] = {
	{"i", 5},	 {"m", 6},	   {"a", 0},	     {"f", 3},		{"d", 2},
	{"c", 1},	 {"v", 15},	   {"h", 4},	     {"zicbom", 11},	{"zicbop", 71},
	{"zicboz", 12},	 {"ziccrse", 68},  {"zicfilp", 78},  {"zicfiss", 79},	{"zicntr", 19},
	{"zicond", 24},	 {"zicsr", 20},	   {"zifencei", 21}, {"zihintntl", 48}, {"zihintpause", 10},
	{"zihpm", 22},	 {"zilsd", 76},	   {"zimop", 55},    {"zaamo", 69},	{"zabha", 67},
	{"zacas", 53},	 {"zalasr", 77},   {"zalrsc", 70},   {"zawrs", 61},	{"zfa", 51},
	{"zfbfmin", 72}, {"zfh", 46},	   {"zfhmin", 47},   {"zca", 56},	{"zcb", 57},
	{"zcd", 58},	 {"zcf", 59},	   {"zclsd", 75},    {"zcmop", 60},	{"zba", 17},
	{"zbb", 13},	 {"zbc", 25},	   {"zbkb", 26},     {"zbkc", 27},	{"zbkx", 28},
	{"zbs", 18},	 {"zknd", 29},	   {"zkne", 30},     {"zknh", 31},	{"zkr", 32},
	{"zksed", 33},	 {"zksh", 34},	   {"zkt", 35},	     {"ztso", 52},	{"zvbb", 36},
	{"zvbc", 37},	 {"zvfbfmin", 73}, {"zvfbfwma", 74}, {"zvfh", 49},	{"zvfhmin", 50},
	{"zvkb", 38},	 {"zvkg", 39},	   {"zvkned", 40},   {"zvknha", 41},	{"zvknhb", 42},
	{"zvksed", 43},	 {"zvksh", 44},	   {"zvkt", 45},     {"smnpm", 62},	{"smstateen", 23},
	{"ssaia", 14},	 {"sscofpmf", 54}, {"ssnpm", 63},    {"sstc", 8},	{"svade", 64},
	{"svadu", 65},	 {"svinval", 9},   {"svnapot", 16},  {"svpbmt", 7},	{"svvptc", 66},
};

void riscv_isa_read(const struct vcpu *vcpu, struct riscv_isa *isa)
{
	memset(isa, 0, sizeof(*isa));
	for (unsigned int i = 0; i < ARRAY_SIZE(exts); i++) {
		u64 has;

		if (!vcpu_get_reg(vcpu, RISCV_REG(KVM_REG_RISCV_ISA_EXT, exts[i].number), &has))
			isa->has[exts[i].number] = has;
	}
}

const char *riscv_isa_name(unsigned int index, unsigned int *number)
{
	if (index >= ARRAY_SIZE(exts))
		return NULL;
	*number = exts[index].number;
	return exts[index].name;
}

size_t riscv_isa_string(const struct riscv_isa *isa, char *buf, size_t size)
{
	size_t n = snprintf(buf, size, BASE);

	for (unsigned int i = 0; i < ARRAY_SIZE(exts) && n < size; i++) {
		if (isa->has[exts[i].number])
			n += snprintf(buf + n, size - n, "%s%s", exts[i].name[1] ? "_" : "",
				      exts[i].name);
	}
	return min(n + 1, size);
}

size_t riscv_isa_list(const struct riscv_isa *isa, char *buf, size_t size)
{
	size_t n = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(exts) && n < size; i++) {
		if (isa->has[exts[i].number])
			n += snprintf(buf + n, size - n, "%s", exts[i].name) + 1;
	}
	return min(n, size);
}
