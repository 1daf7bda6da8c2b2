/* SPDX-License-Identifier: GPL-2.0-only */
/* A guest that says with its first instructions that it runs, and ends with status 0. */

	.text
	.option	norvc
	.globl	_start
_start:
	/* The header of an Image: Documentation/arch/riscv/boot-image-header.rst in Linux. */
	j	run
	.long	0
	.quad	0x200000	/* text_offset */
	.quad	end - _start
	.quad	0	/* little-endian */
	.long	2	/* version 0.2 */
	.long	0
	.quad	0
	.ascii	"RISCV\0\0\0"
	.ascii	"RSC\x05"
	.long	0

run:	lui	a1, 0x1000	/* the serial port */
	li	a0, '1'
	sb	a0, 0(a1)
	li	a0, '\n'
	sb	a0, 0(a1)
	lui	a1, 0x1030	/* the test exit */
	sb	zero, 0(a1)
1:	wfi
	j	1b
end:

	.section .note.GNU-stack, "", @progbits
