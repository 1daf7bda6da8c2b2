/* SPDX-License-Identifier: GPL-2.0-only */
/* A guest that says with its first instructions that it runs, and ends with status 0. */
#define UART	  0x3f8
#define TEST_EXIT 0xf4

	.text
	.globl	_start
_start:
	movl	$UART, %edx
	movb	$'1', %al
	outb	%al, %dx
	movb	$'\n', %al
	outb	%al, %dx
	xorl	%eax, %eax
	outb	%al, $TEST_EXIT
1:	cli
	hlt
	jmp	1b

	.section .note.GNU-stack, "", @progbits
