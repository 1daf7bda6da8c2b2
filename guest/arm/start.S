/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Entry as a kernel's: EL1, MMU off, x0 = device tree. From here to an identity map with blocks
 * of 1 GiB, of which this maps the one (or two) that the image is in; C maps the rest.
 */
#define FLAGS 0xa			/* little-endian, pages of 4 KiB, anywhere in memory */
#define RELA_SIZE 24
#define FRAME_SIZE (34 * 8)

#define MAIR	0xff04			/* 0: Device-nGnRE, 1: Normal, write-back */
/* 48-bit addresses by TTBR0 alone, 4 KiB granule, walks write-back and inner shareable. */
#define TCR	(16 | 1 << 8 | 1 << 10 | 3 << 12 | 1 << 23)
#define TCR_IPS_SHIFT 32
#define IPS_48	5
#define SCTLR_M	(1 << 0)
#define SCTLR_A	(1 << 1)
#define SCTLR_C	(1 << 2)
#define SCTLR_I	(1 << 12)

#define DESC_TABLE 3
#define DESC_RAM (1 << 10 | 3 << 8 | 1 << 2 | 1) /* accessed, inner shareable, Normal, block */

	.section .head, "ax"
	.globl	_start
_start:
	b	start
	.long	0
	.quad	0			/* text offset */
	.quad	image_end - _start
	.quad	FLAGS
	.quad	0, 0, 0
	.ascii	"ARM\x64"
	.long	0

	.text
start:
	msr	daifset, #0xf
	mov	x19, x0
	adrp	x0, bss_start
	add	x0, x0, :lo12:bss_start
	adrp	x1, image_end
	add	x1, x1, :lo12:image_end
1:	cmp	x0, x1
	b.hs	2f
	str	xzr, [x0], #8
	b	1b

	/* Linked to address 0, so that where it is is what to add. All are R_AARCH64_RELATIVE. */
2:	adrp	x0, rela_start
	add	x0, x0, :lo12:rela_start
	adrp	x1, rela_end
	add	x1, x1, :lo12:rela_end
	adr	x2, _start
3:	cmp	x0, x1
	b.hs	4f
	ldr	x3, [x0]		/* offset */
	ldr	x4, [x0, #16]		/* addend */
	add	x4, x4, x2
	str	x4, [x2, x3]
	add	x0, x0, #RELA_SIZE
	b	3b

4:	adrp	x0, level0
	adrp	x1, level1
	orr	x3, x1, #DESC_TABLE
	ubfx	x4, x2, #39, #9
	str	x3, [x0, x4, lsl #3]
	mov	x5, #DESC_RAM
	lsr	x3, x2, #30
	orr	x4, x5, x3, lsl #30
	ubfx	x6, x3, #0, #9
	str	x4, [x1, x6, lsl #3]
	adrp	x7, image_end
	sub	x7, x7, #1
	lsr	x3, x7, #30
	orr	x4, x5, x3, lsl #30
	ubfx	x6, x3, #0, #9
	str	x4, [x1, x6, lsl #3]

	/* What was written around the caches: lines in them, clean by the protocol, are stale. */
	mrs	x3, ctr_el0
	ubfx	x3, x3, #16, #4
	mov	x4, #4
	lsl	x4, x4, x3
	adrp	x1, image_end
5:	dc	ivac, x2
	add	x2, x2, x4
	cmp	x2, x1
	b.lo	5b

	bl	mmu_on
	adrp	x1, stack_top
	add	x1, x1, :lo12:stack_top
	mov	sp, x1
	adrp	x1, boot_cpu
	add	x1, x1, :lo12:boot_cpu
	msr	tpidr_el1, x1
	mov	x0, x19
	bl	arm_start

	/* Of another CPU: x0 = its struct cpu, below which is its stack. */
	.globl	smp_entry
smp_entry:
	msr	daifset, #0xf
	mov	x19, x0
	bl	mmu_on
	mov	sp, x19
	msr	tpidr_el1, x19
	ldr	x0, [x19]		/* main */
	blr	x0

mmu_on:
	adrp	x0, level0
	msr	ttbr0_el1, x0
	mov	x0, #MAIR
	msr	mair_el1, x0
	mrs	x0, id_aa64mmfr0_el1
	and	x0, x0, #0xf
	mov	x1, #IPS_48
	cmp	x0, x1
	csel	x0, x0, x1, lo
	lsl	x0, x0, #TCR_IPS_SHIFT
	ldr	w1, =TCR
	orr	x0, x0, x1
	msr	tcr_el1, x0
	adrp	x0, vectors
	add	x0, x0, :lo12:vectors
	msr	vbar_el1, x0
	dsb	sy
	ic	iallu
	tlbi	vmalle1
	dsb	sy
	isb
	mrs	x0, sctlr_el1
	bic	x0, x0, #SCTLR_A
	orr	x0, x0, #SCTLR_M
	orr	x0, x0, #SCTLR_C
	orr	x0, x0, #SCTLR_I
	msr	sctlr_el1, x0
	isb
	ret
	.ltorg

	.balign	2048
vectors:
	.set	vector, 0
	.rept	16
	.balign	128
	sub	sp, sp, #FRAME_SIZE
	stp	x0, x1, [sp]
	mov	x1, #vector
	b	trap_common
	.set	vector, vector + 1
	.endr

trap_common:
	stp	x2, x3, [sp, #16]
	stp	x4, x5, [sp, #32]
	stp	x6, x7, [sp, #48]
	stp	x8, x9, [sp, #64]
	stp	x10, x11, [sp, #80]
	stp	x12, x13, [sp, #96]
	stp	x14, x15, [sp, #112]
	stp	x16, x17, [sp, #128]
	stp	x18, x19, [sp, #144]
	stp	x20, x21, [sp, #160]
	stp	x22, x23, [sp, #176]
	stp	x24, x25, [sp, #192]
	stp	x26, x27, [sp, #208]
	stp	x28, x29, [sp, #224]
	add	x2, sp, #FRAME_SIZE
	stp	x30, x2, [sp, #240]
	mrs	x2, elr_el1
	mrs	x3, spsr_el1
	stp	x2, x3, [sp, #256]
	mov	x0, sp
	bl	arm_trap
	ldp	x2, x3, [sp, #256]
	msr	elr_el1, x2
	msr	spsr_el1, x3
	ldr	x30, [sp, #240]
	ldp	x28, x29, [sp, #224]
	ldp	x26, x27, [sp, #208]
	ldp	x24, x25, [sp, #192]
	ldp	x22, x23, [sp, #176]
	ldp	x20, x21, [sp, #160]
	ldp	x18, x19, [sp, #144]
	ldp	x16, x17, [sp, #128]
	ldp	x14, x15, [sp, #112]
	ldp	x12, x13, [sp, #96]
	ldp	x10, x11, [sp, #80]
	ldp	x8, x9, [sp, #64]
	ldp	x6, x7, [sp, #48]
	ldp	x4, x5, [sp, #32]
	ldp	x2, x3, [sp, #16]
	ldp	x0, x1, [sp]
	add	sp, sp, #FRAME_SIZE
	eret

	.bss
	.balign	4096
	.globl	level0
level0:
	.skip	4096
level1:
	.skip	4096
boot_cpu:
	.skip	16
stack:
	.skip	16384
stack_top:

	.section .note.GNU-stack, "", %progbits
