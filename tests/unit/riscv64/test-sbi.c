// SPDX-License-Identifier: GPL-2.0-only
/* The calls that KVM leaves to us, and its CSR. */
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>

#include "char/chardev.h"
#include "machine.h"
#include "riscv/vcpu.h"
#include "unit.h"

#define RAM_BASE 0x80000000ULL
#define RAM_SIZE (64 * KiB)

#define DBCN 0x4442434e

#define NOT_SUPPORTED (-2L)
#define INVALID_PARAM (-3L)

static struct machine *m;
static struct vcpu vcpu;
static struct kvm_run run;
static char printed[8192];
static size_t nr_printed;

static size_t take(struct chardev *dev, const u8 *data, size_t len)
{
	(void)dev;
	if (nr_printed + len > sizeof(printed))
		abort();
	memcpy(printed + nr_printed, data, len);
	nr_printed += len;
	return len;
}

static const struct chardev_ops ops = {.write = take};
static struct chardev dev = {.ops = &ops, .stop_fd = -1};

static void start(void)
{
	m = calloc(1, sizeof(*m));
	if (!m || guest_mem_add_bank(&m->vm.mem, RAM_BASE, RAM_SIZE))
		exit(2);
	m->serial = &dev;
	memset(&run, 0, sizeof(run));
	vcpu = (struct vcpu){.vm = &m->vm, .run = &run};
	nr_printed = 0;
}

static void end(void)
{
	guest_mem_destroy(&m->vm.mem);
	free(m);
}

/* The error; the value is in run.riscv_sbi.ret[1]. */
static long call(unsigned long extension, unsigned long function, unsigned long a0,
		 unsigned long a1, unsigned long a2)
{
	run.exit_reason = KVM_EXIT_RISCV_SBI;
	run.riscv_sbi.extension_id = extension;
	run.riscv_sbi.function_id = function;
	run.riscv_sbi.args[0] = a0;
	run.riscv_sbi.args[1] = a1;
	run.riscv_sbi.args[2] = a2;
	CHECK(arch_handle_exit(&vcpu));
	return run.riscv_sbi.ret[0];
}

TEST(legacy_console)
{
	start();
	CHECK_EQ(call(1, 0, 'x', 77, 0), 0);
	/* All registers but a0 stay as they were. */
	CHECK_EQ(run.riscv_sbi.ret[1], 77);
	CHECK(nr_printed == 1 && printed[0] == 'x');
	CHECK_EQ(call(2, 0, 5, 77, 0), -1);
	CHECK_EQ(run.riscv_sbi.ret[1], 77);
	end();
}

TEST(debug_console_prints_what_is_in_memory)
{
	start();
	guest_mem_write(&m->vm.mem, RAM_BASE + 16, "hello", 5);
	CHECK_EQ(call(DBCN, 0, 5, RAM_BASE + 16, 0), 0);
	CHECK_EQ(run.riscv_sbi.ret[1], 5);
	CHECK(nr_printed == 5 && !memcmp(printed, "hello", 5));
	CHECK_EQ(call(DBCN, 2, 0x121, 0, 0), 0);
	CHECK(nr_printed == 6 && printed[5] == 0x21);
	/* Nothing was typed. */
	CHECK_EQ(call(DBCN, 1, 16, RAM_BASE, 0), 0);
	CHECK_EQ(run.riscv_sbi.ret[1], 0);
	end();
}

TEST(debug_console_with_what_is_not_memory)
{
	start();
	CHECK_EQ(call(DBCN, 0, 1, RAM_BASE - 1, 0), INVALID_PARAM);
	CHECK_EQ(call(DBCN, 0, 2, RAM_BASE + RAM_SIZE - 1, 0), INVALID_PARAM);
	CHECK_EQ(call(DBCN, 0, 1, RAM_BASE, 1), INVALID_PARAM);
	CHECK_EQ(call(DBCN, 0, ~0UL, ~0UL, 0), INVALID_PARAM);
	CHECK_EQ(call(DBCN, 0, 0, 0, 0), 0);
	CHECK_EQ(nr_printed, 0);
	end();
}

TEST(debug_console_prints_a_part_of_much)
{
	start();
	CHECK_EQ(call(DBCN, 0, RAM_SIZE, RAM_BASE, 0), 0);
	CHECK_EQ(run.riscv_sbi.ret[1], nr_printed);
	CHECK(nr_printed && nr_printed < RAM_SIZE);
	end();
}

TEST(other_calls_are_not_supported)
{
	start();
	CHECK_EQ(call(DBCN, 3, 0, 0, 0), NOT_SUPPORTED);
	CHECK_EQ(call(0x09000000, 0, 0, 0, 0), NOT_SUPPORTED);
	CHECK_EQ(call(0x0a000000, ~0UL, 1, 2, 3), NOT_SUPPORTED);
	CHECK_EQ(run.riscv_sbi.ret[1], 0);
	CHECK_EQ(nr_printed, 0);
	end();
}

TEST(seed_has_entropy_and_other_registers_are_zero)
{
	u64 first = 0, differ = 0;

	start();
	run.exit_reason = KVM_EXIT_RISCV_CSR;
	run.riscv_csr.csr_num = 0x015;
	for (unsigned int i = 0; i < 100; i++) {
		run.riscv_csr.ret_value = 0;
		CHECK(arch_handle_exit(&vcpu));
		/* ES16, and 16 bits of entropy. */
		CHECK_EQ(run.riscv_csr.ret_value >> 16, 0x8000);
		if (!i)
			first = run.riscv_csr.ret_value;
		differ += run.riscv_csr.ret_value != first;
	}
	CHECK(differ > 50);
	/* sireg and stopei, of which KVM has no use without an IMSIC. */
	run.riscv_csr.csr_num = 0x151;
	CHECK(arch_handle_exit(&vcpu));
	CHECK_EQ(run.riscv_csr.ret_value, 0);
	run.riscv_csr.csr_num = 0x15c;
	run.riscv_csr.ret_value = 1;
	CHECK(arch_handle_exit(&vcpu));
	CHECK_EQ(run.riscv_csr.ret_value, 0);
	run.exit_reason = KVM_EXIT_HYPERCALL;
	CHECK(!arch_handle_exit(&vcpu));
	end();
}
