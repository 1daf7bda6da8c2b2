/* SPDX-License-Identifier: GPL-2.0-only */
/* A guest that says with its first instructions that it runs, and ends with status 0. */

	.text
	.globl	_start
_start:
	/* The header of an Image: Documentation/arch/arm64/booting.rst in Linux. */
	b	run
	.long	0
	.quad	0	/* text_offset */
	.quad	end - _start
	.quad	0xa	/* little-endian, 4K pages, anywhere */
	.quad	0, 0, 0
	.ascii	"ARM\x64"
	.long	0

run:	movz	x1, #0x100, lsl #16	/* the serial port */
	mov	w0, #'1'
	strb	w0, [x1]
	mov	w0, #'\n'
	strb	w0, [x1]
	movz	x1, #0x103, lsl #16	/* the test exit */
	strb	wzr, [x1]
1:	wfi
	b	1b
end:

	.section .note.GNU-stack, "", @progbits
