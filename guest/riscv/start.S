/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Entry as a kernel's: supervisor mode, satp = 0, a0 = hart ID, a1 = device tree. Addresses are
 * those of the machine, for good: nothing is mapped.
 */
#define TEXT_OFFSET 0x200000
#define VERSION	    2		/* 0.2 of the header */
#define RELA_SIZE   24
#define FRAME_SIZE  (33 * 8)

	.section .head, "ax"
	.option	norvc
	.globl	_start
_start:
	j	start
	.long	0
	.quad	TEXT_OFFSET
	.quad	image_end - image_start
	.quad	0			/* flags: little-endian */
	.long	VERSION
	.long	0
	.quad	0
	.ascii	"RISCV\0\0\0"
	.ascii	"RSC\x05"
	.long	0

	.text
start:
	csrw	sie, zero
	csrw	satp, zero
	lla	t0, bss_start
	lla	t1, image_end
1:	bgeu	t0, t1, 2f
	sd	zero, (t0)
	addi	t0, t0, 8
	j	1b

	/* Linked to address 0, so that where it is is what to add. All are R_RISCV_RELATIVE. */
2:	lla	t0, rela_start
	lla	t1, rela_end
	lla	t2, _start
3:	bgeu	t0, t1, 4f
	ld	t3, 0(t0)		/* offset */
	ld	t4, 16(t0)		/* addend */
	add	t3, t3, t2
	add	t4, t4, t2
	sd	t4, (t3)
	addi	t0, t0, RELA_SIZE
	j	3b

4:	lla	sp, stack_top
	lla	tp, boot_hart
	sd	a0, (tp)
	lla	t0, trap_entry
	csrw	stvec, t0
	call	riscv_start

	/* Of another hart: a1 = its struct hart, below which is its stack. */
	.globl	smp_entry
	.balign	4
smp_entry:
	csrw	sie, zero
	csrw	satp, zero
	mv	tp, a1
	mv	sp, a1
	sd	a0, (tp)
	lla	t0, trap_entry
	csrw	stvec, t0
	mv	a0, tp
	ld	t0, 8(tp)		/* main */
	jalr	t0

	.globl	trap_entry
	.balign	4
trap_entry:
	addi	sp, sp, -FRAME_SIZE
	sd	x1, 8(sp)
	addi	x1, sp, FRAME_SIZE
	sd	x1, 16(sp)		/* sp as it was */
	.irp	n, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, \
		24, 25, 26, 27, 28, 29, 30, 31
	sd	x\n, (8 * \n)(sp)
	.endr
	csrr	t0, sepc
	sd	t0, (8 * 32)(sp)
	mv	a0, sp
	call	riscv_trap
	ld	t0, (8 * 32)(sp)
	csrw	sepc, t0
	ld	x1, 8(sp)
	.irp	n, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, \
		24, 25, 26, 27, 28, 29, 30, 31
	ld	x\n, (8 * \n)(sp)
	.endr
	addi	sp, sp, FRAME_SIZE
	sret

	.bss
	.balign	16
boot_hart:
	.skip	24
stack:
	.skip	16384
stack_top:

	.section .note.GNU-stack, "", @progbits
