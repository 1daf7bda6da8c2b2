// SPDX-License-Identifier: GPL-2.0-only
/*
 * The state of the first vCPU: for Linux, long mode as its boot protocol wants it
 * (boot.rst, 64-bit boot protocol), with the first 4 GiB identity-mapped; for PVH,
 * protected mode without paging (Xen, docs/misc/pvh.pandoc). There is no interrupt
 * descriptor table: an exception before the kernel has its own ends the guest.
 */
#include <string.h>

#include "boot-internal.h"
#include "vm/memory.h"

/* Linux's __BOOT_CS and __BOOT_DS are fixed by its protocol, the others are free. */
#define SEL_CODE32 0x08
#define SEL_CODE64 0x10
#define SEL_DATA   0x18
#define SEL_TSS	   0x20

/* Segment types, accessed or busy as the CPU would mark a loaded one. */
#define TYPE_DATA 0x3
#define TYPE_CODE 0xb
#define TYPE_TSS  0xb

#define TSS_LIMIT 0x67

/* Eight bytes each; the TSS takes two in long mode. */
#define GDT_ENTRIES 6

#define CR0_PE	 BIT(0)
#define CR0_ET	 BIT(4)
#define CR0_PG	 BIT(31)
#define CR4_PAE	 BIT(5)
#define EFER_LME BIT(8)
#define EFER_LMA BIT(10)

#define RFLAGS_FIXED BIT(1)

#define PTE_PRESENT BIT(0)
#define PTE_WRITE   BIT(1)
#define PTE_LARGE   BIT(7)

#define TABLE_SIZE    4096
#define TABLE_ENTRIES 512
#define MAPPED_GIB    4

static struct kvm_segment code_segment(bool mode64)
{
	return (struct kvm_segment){
		.limit = 0xffffffff,
		.selector = mode64 ? SEL_CODE64 : SEL_CODE32,
		.type = TYPE_CODE,
		.present = 1,
		.s = 1,
		.l = mode64,
		.db = !mode64,
		.g = 1,
	};
}

static struct kvm_segment data_segment(void)
{
	return (struct kvm_segment){
		.limit = 0xffffffff,
		.selector = SEL_DATA,
		.type = TYPE_DATA,
		.present = 1,
		.s = 1,
		.db = 1,
		.g = 1,
	};
}

static struct kvm_segment tss_segment(void)
{
	return (struct kvm_segment){
		.limit = TSS_LIMIT,
		.selector = SEL_TSS,
		.type = TYPE_TSS,
		.present = 1,
	};
}

/* As in Intel's manual, volume 3, 3.4.5: all bases here are 0. */
static u64 descriptor(const struct kvm_segment *seg)
{
	u64 limit = seg->g ? seg->limit >> 12 : seg->limit;

	return (limit & 0xffff) | (u64)seg->type << 40 | (u64)seg->s << 44 |
	       (u64)seg->present << 47 | (limit >> 16) << 48 | (u64)seg->l << 53 |
	       (u64)seg->db << 54 | (u64)seg->g << 55;
}

static int write_gdt(struct guest_mem *mem)
{
	struct kvm_segment code32 = code_segment(false), code64 = code_segment(true);
	struct kvm_segment data = data_segment(), tss = tss_segment();
	u64 gdt[GDT_ENTRIES] = {0};

	gdt[SEL_CODE32 / 8] = descriptor(&code32);
	gdt[SEL_CODE64 / 8] = descriptor(&code64);
	gdt[SEL_DATA / 8] = descriptor(&data);
	gdt[SEL_TSS / 8] = descriptor(&tss);
	return guest_mem_write(mem, BOOT_GDT, gdt, sizeof(gdt));
}

/* One PML4, one PDPT, and a page directory of 2 MiB pages for each GiB. */
static int write_page_tables(struct guest_mem *mem)
{
	const u64 link = PTE_PRESENT | PTE_WRITE;
	u64 tables[2 + MAPPED_GIB][TABLE_ENTRIES];
	u64 i;

	memset(tables, 0, sizeof(tables));
	tables[0][0] = (BOOT_PAGE_TABLE + TABLE_SIZE) | link;
	for (i = 0; i < MAPPED_GIB; i++)
		tables[1][i] = (BOOT_PAGE_TABLE + (2 + i) * TABLE_SIZE) | link;
	for (i = 0; i < MAPPED_GIB * TABLE_ENTRIES; i++)
		tables[2 + i / TABLE_ENTRIES][i % TABLE_ENTRIES] = i * 2 * MiB | link | PTE_LARGE;
	return guest_mem_write(mem, BOOT_PAGE_TABLE, tables, sizeof(tables));
}

int boot_write_tables(struct guest_mem *mem, enum boot_mode mode)
{
	int ret;

	ret = write_gdt(mem);
	if (!ret && mode == BOOT_LINUX64)
		ret = write_page_tables(mem);
	return ret;
}

void x86_boot_regs(const struct boot_state *st, struct kvm_regs *regs, struct kvm_sregs *sregs)
{
	bool mode64 = st->mode == BOOT_LINUX64;
	u64 apic_base = sregs->apic_base;
	struct kvm_segment data = data_segment();

	memset(regs, 0, sizeof(*regs));
	regs->rip = st->entry;
	regs->rflags = RFLAGS_FIXED;
	if (mode64)
		regs->rsi = st->info_gpa;
	else
		regs->rbx = st->info_gpa;

	memset(sregs, 0, sizeof(*sregs));
	sregs->apic_base = apic_base;
	sregs->cs = code_segment(mode64);
	sregs->ds = data;
	sregs->es = data;
	sregs->fs = data;
	sregs->gs = data;
	sregs->ss = data;
	sregs->tr = tss_segment();
	sregs->ldt.unusable = 1;
	sregs->gdt.base = BOOT_GDT;
	sregs->gdt.limit = GDT_ENTRIES * 8 - 1;
	sregs->cr0 = CR0_PE | CR0_ET;
	if (mode64) {
		sregs->cr0 |= CR0_PG;
		sregs->cr3 = BOOT_PAGE_TABLE;
		sregs->cr4 = CR4_PAE;
		sregs->efer = EFER_LME | EFER_LMA;
	}
}
