/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest by Linux's 64-bit boot protocol: 64-bit mode, rsi = boot_params. Looks for
 * what a kernel needs in there, says so, and ends by the test port; status 0 if all
 * of it is there.
 */
#define UART	  0x3f8
#define TEST_EXIT 0xf4

#define BOOT_FLAG	0x1fe
#define BOOT_FLAG_VALUE 0xaa55
#define HEADER		0x202
#define HEADER_VALUE	0x53726448	/* "HdrS" */
#define CMD_LINE_PTR	0x228
#define ACPI_RSDP_ADDR	0x070
#define E820_ENTRIES	0x1e8
#define RSDP_SIGNATURE	0x2052545020445352	/* "RSD PTR " */

	.text
	.globl	_start
_start:
	movl	$bad, %ebx
	cmpw	$BOOT_FLAG_VALUE, BOOT_FLAG(%rsi)
	jne	say
	cmpl	$HEADER_VALUE, HEADER(%rsi)
	jne	say
	cmpb	$0, E820_ENTRIES(%rsi)
	je	say
	movq	ACPI_RSDP_ADDR(%rsi), %rax
	movabsq	$RSDP_SIGNATURE, %rcx
	cmpq	%rcx, (%rax)
	jne	say
	movl	CMD_LINE_PTR(%rsi), %ebx
	cmpb	$'h', (%rbx)
	jne	say
	movl	$good, %ebx
say:
	movl	$UART, %edx
	movq	%rbx, %rsi
1:	lodsb
	testb	%al, %al
	jz	2f
	outb	%al, %dx
	jmp	1b
2:	xorl	%eax, %eax
	cmpl	$good, %ebx
	setne	%al
	outb	%al, $TEST_EXIT
3:	cli
	hlt
	jmp	3b

good:	.asciz	"linux64: boot_params are complete\n"
bad:	.asciz	"linux64: something is missing in boot_params\n"

	.section .note.GNU-stack, "", @progbits
