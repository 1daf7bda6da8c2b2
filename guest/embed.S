/* SPDX-License-Identifier: GPL-2.0-only */
/* The demo guest inside lkvm's own binary; DEMO is its path. */
	.section .rodata
	.balign 4096
	.globl guest_demo_start, guest_demo_end
guest_demo_start:
	.incbin DEMO
guest_demo_end:
	.section .note.GNU-stack, "", %progbits
