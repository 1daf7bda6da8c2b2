// SPDX-License-Identifier: GPL-2.0-only
/*
 * The consoles of the Supervisor Binary Interface, which KVM leaves to us: RISC-V SBI 2.0, 5
 * (legacy) and 12 (debug console). What is printed goes where the serial port's output goes; what
 * is typed is the serial port's, so there is never anything to read here.
 */
#include <linux/kvm.h>

#include "char/chardev.h"
#include "machine.h"
#include "riscv/vcpu.h"

#define LEGACY_PUTCHAR 0x01
#define LEGACY_GETCHAR 0x02

#define DBCN		0x4442434e
#define DBCN_WRITE	0
#define DBCN_READ	1
#define DBCN_WRITE_BYTE 2

/* Of a call, which may print less than it was asked for. */
#define MAX_WRITE (4 * KiB)

#define SBI_SUCCESS	      0
#define SBI_ERR_NOT_SUPPORTED (-2)
#define SBI_ERR_INVALID_PARAM (-3)

struct sbi_ret {
	long error;
	long value;
};

/* @args: the number of bytes, and the halves of where they are. */
static struct sbi_ret dbcn_write(struct machine *m, const unsigned long *args)
{
	u64 len = min((u64)args[0], MAX_WRITE);
	const void *data;

	if (!len)
		return (struct sbi_ret){SBI_SUCCESS, 0};
	data = args[2] ? NULL : guest_mem_ptr(&m->vm.mem, args[1], len);
	if (!data)
		return (struct sbi_ret){SBI_ERR_INVALID_PARAM, 0};
	chardev_put(m->serial, data, len);
	return (struct sbi_ret){SBI_SUCCESS, len};
}

static struct sbi_ret dbcn_call(struct machine *m, unsigned long function,
				const unsigned long *args)
{
	u8 byte = args[0];

	switch (function) {
	case DBCN_WRITE:
		return dbcn_write(m, args);
	case DBCN_READ:
		return (struct sbi_ret){SBI_SUCCESS, 0};
	case DBCN_WRITE_BYTE:
		chardev_put(m->serial, &byte, 1);
		return (struct sbi_ret){SBI_SUCCESS, 0};
	}
	return (struct sbi_ret){SBI_ERR_NOT_SUPPORTED, 0};
}

/* Legacy calls return in a0 alone, and leave a1 as it was. */
static struct sbi_ret call(struct machine *m, unsigned long extension, unsigned long function,
			   const unsigned long *args)
{
	u8 byte = args[0];

	switch (extension) {
	case LEGACY_PUTCHAR:
		chardev_put(m->serial, &byte, 1);
		return (struct sbi_ret){SBI_SUCCESS, args[1]};
	case LEGACY_GETCHAR:
		return (struct sbi_ret){-1, args[1]};
	case DBCN:
		return dbcn_call(m, function, args);
	}
	return (struct sbi_ret){SBI_ERR_NOT_SUPPORTED, 0};
}

void riscv_sbi_call(struct vcpu *vcpu)
{
	struct machine *m = container_of(vcpu->vm, struct machine, vm);
	struct kvm_run *run = vcpu->run;
	unsigned long args[ARRAY_SIZE(run->riscv_sbi.args)];
	struct sbi_ret ret;

	for (unsigned int i = 0; i < ARRAY_SIZE(args); i++)
		args[i] = run->riscv_sbi.args[i];
	ret = call(m, run->riscv_sbi.extension_id, run->riscv_sbi.function_id, args);
	run->riscv_sbi.ret[0] = ret.error;
	run->riscv_sbi.ret[1] = ret.value;
}
