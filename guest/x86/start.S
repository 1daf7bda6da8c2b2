/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Entry by PVH: 32-bit protected mode, paging off, flat segments, ebx = the start
 * info. From here to long mode with the first GiB mapped at its own address;
 * map_phys() adds the rest on demand.
 */
#define CODE64 8
#define DATA   16

#define CR0_PE 0x00000001
#define CR0_WP 0x00010000
#define CR0_PG 0x80000000
#define CR4_PAE 0x20
#define MSR_EFER 0xc0000080
#define EFER_LME 0x100

#define PTE_TABLE 0x3	/* present, writable */
#define PTE_LARGE 0x83	/* and a 2 MiB page */

#define NOTE_PHYS32_ENTRY 18

#define TRAP_VECTORS 48

	.section .note.pvh, "a", @note
	.balign 4
	.long	4			/* name */
	.long	4			/* descriptor */
	.long	NOTE_PHYS32_ENTRY
	.asciz	"Xen"
	.long	start32

	.text
	.code32
	.globl	start32
start32:
	cli
	cld
	lgdt	gdt_pointer
	movl	$pdpt + PTE_TABLE, pml4
	movl	$pd + PTE_TABLE, pdpt
	movl	$pml4, %eax
	movl	%eax, %cr3
	movl	$CR4_PAE, %eax
	movl	%eax, %cr4
	movl	$MSR_EFER, %ecx
	xorl	%edx, %edx
	movl	$EFER_LME, %eax
	wrmsr
	movl	$(CR0_PG | CR0_WP | CR0_PE), %eax
	movl	%eax, %cr0
	ljmp	$CODE64, $start64

	.code64
start64:
	movl	$DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	$stack_top, %esp
	movl	%ebx, %edi
	xorl	%ebp, %ebp
	call	x86_start
	ud2

/*
 * The stubs make every frame look the same: vectors for which the CPU pushes no
 * error code push a 0.
 */
	.globl	trap_stubs
	.balign	16
trap_stubs:
	.set	vector, 0
	.rept	TRAP_VECTORS
	.balign	16
	.if	(vector == 8) || (vector >= 10 && vector <= 14) || (vector == 17) || \
		(vector == 21) || (vector == 29) || (vector == 30)
	.else
	pushq	$0
	.endif
	pushq	$vector
	jmp	trap_common
	.set	vector, vector + 1
	.endr

trap_common:
	pushq	%rax
	pushq	%rcx
	pushq	%rdx
	pushq	%rbx
	pushq	%rbp
	pushq	%rsi
	pushq	%rdi
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	cld
	movq	%rsp, %rdi
	call	x86_trap
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rdi
	popq	%rsi
	popq	%rbp
	popq	%rbx
	popq	%rdx
	popq	%rcx
	popq	%rax
	addq	$16, %rsp
	iretq

	.section .rodata
	.balign 8
gdt:
	.quad	0
	.quad	0x00af9b000000ffff	/* CODE64 */
	.quad	0x00cf93000000ffff	/* DATA */
gdt_end:
gdt_pointer:
	.word	gdt_end - gdt - 1
	.long	gdt

	.data
	.balign	4096
pd:
	.set	page, 0
	.rept	512
	.quad	page * 0x200000 + PTE_LARGE
	.set	page, page + 1
	.endr

	.bss
	.balign	4096
	.globl	pml4
pml4:
	.skip	4096
pdpt:
	.skip	4096
stack:
	.skip	16384
stack_top:

	.section .note.GNU-stack, "", @progbits
