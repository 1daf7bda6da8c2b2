// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arm Architecture Reference Manual, "The AArch64 Virtual Memory System Architecture". Tables are
 * walked by TTBR0 or TTBR1; what has the CPU access memory by them, mmu_run(), is in the other
 * half of the address space meanwhile, read-only, and touches no memory but that.
 */
#include "mmu.h"

#include "arm.h"
#include "rt/arch.h"
#include "rt/core.h"

#define DESC_VALID   BIT_ULL(0)
#define DESC_TABLE   BIT_ULL(1) /* in the last level: a page */
#define DESC_ATTRS   (7ULL << 2) /* AttrIndx */
#define DESC_USER    BIT_ULL(6) /* AP[1] */
#define DESC_RDONLY  BIT_ULL(7) /* AP[2] */
#define DESC_SH	     (3ULL << 8)
#define DESC_SH_HIGH BIT_ULL(9)
#define DESC_AF	     BIT_ULL(10)
#define DESC_NG	     BIT_ULL(11)
#define DESC_ADDR    GENMASK_ULL(47, 12)
#define DESC_NT	     BIT_ULL(16) /* of blocks */
#define DESC_CONT    BIT_ULL(52)
#define DESC_PXN     BIT_ULL(53)
#define DESC_UXN     BIT_ULL(54)
/* PXNTable, UXNTable, APTable */
#define DESC_TABLE_ATTRS GENMASK_ULL(62, 59)

/* As tables of cases have it, AttrIndx is at least 4: memory of which code can be fetched. */
#define DESC_ATTRS_HIGH BIT_ULL(4)
#define MAIR_4_TO_7	0xffffffff00000000ULL

#define TCR_SIZE(n)  ((u64)(n)) /* T0SZ to SH0, and TG0 */
#define TCR_CACHED   (1 << 8 | 1 << 10 | 3 << 12)
#define TCR_TG0(tg)  ((u64)(tg) << 14)
#define TCR_UPPER    16 /* the same of TTBR1 */
#define TCR_TG1(tg)  ((u64)(tg) << 30)
#define TCR_IPS(n)   ((u64)(n) << 32)
#define TCR_TBI0     BIT_ULL(37)
#define TCR_TBI1     BIT_ULL(38)
#define TCR_HPD0     BIT_ULL(41)
#define TCR_HPD1     BIT_ULL(42)
#define TCR_EPD1     BIT_ULL(23)
#define SCTLR_WXN    BIT_ULL(19)
#define HOME_SIZE    16 /* T0SZ, T1SZ of the other half: 48 bits, pages of 4 KiB */
#define TG0_4K	     0
#define TG1_4K	     2
#define UPPER_HALF   GENMASK_ULL(63, 48)
#define IPS_48	     5
#define LAST_LEVEL   3
#define OUTPUT_LIMIT 48 /* bits of an address that a descriptor has */

/* Options of regimes, beside IPS in the lowest bits */
#define IPS_MASK 7
#define UPPER	 BIT(3)
#define TBI	 BIT(4)
#define HAD	 BIT(5)
#define WXN	 BIT(6)
#define PAN	 BIT(7)
#define WIDE	 BIT(8) /* 52 bits of address */

/* With so many address bits there are so many levels. */
#define LEVELS(granule, bits) (((bits) - (granule) + (granule) - 3 - 1) / ((granule) - 3))

/* Blocks begin in level 1 with pages of 4 KiB, else in level 2. */
#define TOP_LEAF(granule, bits)                                              \
	(4 - LEVELS(granule, bits) < ((granule) == 12 ? 1U : 2U)             \
		 ? ((granule) == 12 ? 1U : 2U) - (4 - LEVELS(granule, bits)) \
		 : 0)

#define A64_REGIME(name_, granule, bits, options_, brief_) \
	{.name = name_,                                    \
	 .format = PASID_TABLE_ARM,                        \
	 .levels = LEVELS(granule, bits),                  \
	 .page_log2 = granule,                             \
	 .address_bits = bits,                             \
	 .top_leaf = TOP_LEAF(granule, bits),              \
	 .groups = GROUPS_OF_PARTS,                        \
	 .exec_reads = true,                               \
	 .options = options_,                              \
	 .brief = brief_}

static const struct regime regimes[] = {
	A64_REGIME("pages of 4 KiB, 48 bits, TTB0", 12, 48, IPS_48, false),
	A64_REGIME("pages of 4 KiB, 39 bits, TTB1, TBI, IPS 40 bits", 12, 39, 2 | UPPER | TBI,
		   false),
	A64_REGIME("pages of 4 KiB, 44 bits, TTB0, WXN", 12, 44, IPS_48 | WXN, true),
	A64_REGIME("pages of 4 KiB, 25 bits, TTB0, TBI, PAN", 12, 25, IPS_48 | TBI | PAN, true),
	A64_REGIME("pages of 4 KiB, 48 bits, TTB1, HAD", 12, 48, IPS_48 | UPPER | HAD, true),
	A64_REGIME("pages of 16 KiB, 48 bits, TTB1", 14, 48, IPS_48 | UPPER, true),
	A64_REGIME("pages of 16 KiB, 36 bits, TTB0, IPS 36 bits", 14, 36, 1, false),
	A64_REGIME("pages of 16 KiB, 40 bits, TTB1, WXN, PAN", 14, 40, IPS_48 | UPPER | WXN | PAN,
		   true),
	A64_REGIME("pages of 64 KiB, 48 bits, TTB0, HAD", 16, 48, IPS_48 | HAD, true),
	A64_REGIME("pages of 64 KiB, 42 bits, TTB1, IPS 42 bits", 16, 42, 3 | UPPER, false),
	A64_REGIME("pages of 64 KiB, 52 bits, TTB1", 16, 52, IPS_48 | UPPER | WIDE, true),
};

static unsigned int field(u64 reg, unsigned int low)
{
	return reg >> low & 15;
}

/* What there is not, or NULL. */
static const char *missing(const struct regime *r, unsigned int oas)
{
	u64 mmfr0 = sysreg_read("id_aa64mmfr0_el1"), mmfr1 = sysreg_read("id_aa64mmfr1_el1");
	u64 mmfr2 = sysreg_read("id_aa64mmfr2_el1");

	if ((r->page_log2 == 12 && field(mmfr0, 28) == 15) ||
	    (r->page_log2 == 14 && !field(mmfr0, 20)) ||
	    (r->page_log2 == 16 && field(mmfr0, 24) == 15))
		return "such pages";
	if (r->options & HAD && !field(mmfr1, 12))
		return "FEAT_HPDS";
	if (r->options & PAN && !field(mmfr1, 20))
		return "FEAT_PAN";
	if (r->options & WIDE && !field(mmfr2, 16))
		return "FEAT_LVA";
	if ((r->options & IPS_MASK) > min(field(mmfr0, 0), oas) && (r->options & IPS_MASK) < IPS_48)
		return "so many address bits";
	return NULL;
}

/* No wider than both sides have. */
static u64 ips_of(const struct regime *r, unsigned int oas)
{
	unsigned int both = min(field(sysreg_read("id_aa64mmfr0_el1"), 0), oas);

	return min(both, r->options & IPS_MASK);
}

static unsigned int endpoint_oas;

const struct regime *mmu_regime(const struct pasid_table_cfg *cfg, unsigned int n)
{
	unsigned int i;

	if (cfg->format != PASID_TABLE_ARM)
		return NULL;
	endpoint_oas = cfg->vendor.arm.oas;
	for (i = 0; i < ARRAY_SIZE(regimes); i++) {
		const char *what = missing(&regimes[i], endpoint_oas);

		if (!what && !n--)
			return &regimes[i];
		if (what && !n)
			note("%s: not tried, the CPU has not %s", regimes[i].name, what);
	}
	return NULL;
}

u64 mmu_code(u16 id)
{
	/* movz w0, #id; brk #0 */
	return 0x52800000 | (u64)id << 5 | 0xd4200000ULL << 32;
}

void mmu_sync_code(const void *code, size_t len)
{
	u64 line = 4ULL << field(sysreg_read("ctr_el0"), 16), p;

	for (p = align_down(gpa_of(code), line); p < gpa_of(code) + len; p += line)
		__asm__ volatile("dc cvau, %0" : : "r"(p) : "memory");
	__asm__ volatile("dsb sy; ic iallu; dsb sy; isb" ::: "memory");
}

/* What mmu_run() goes by, and what came of it. */
struct run {
	u64 ttbr0, ttbr1;
	u64 tcr, sctlr;
	u64 address, token;
	u64 access, pan;
	u64 value, syndrome; /* 0: no exception */
};

/* It takes accesses by their numbers. */
void mmu_run(struct run *run);
extern u8 mmu_run_page[];

#define RUN_PAGES 2

__asm__(".text\n"
	".balign 4096\n"
	".globl mmu_run_page, mmu_run\n"
	"mmu_run_page:\n"
	"	.rept	16\n"
	"	.balign	128\n"
	"	mrs	x15, esr_el1\n"
	"	b	mmu_run_end\n"
	"	.endr\n"
	"	.balign	128\n"
	"mmu_run:\n"
	"	mov	x16, x30\n"
	"	mov	x17, x0\n"
	"	mrs	x9, ttbr0_el1\n"
	"	mrs	x10, ttbr1_el1\n"
	"	mrs	x11, tcr_el1\n"
	"	mrs	x12, sctlr_el1\n"
	"	mrs	x13, vbar_el1\n"
	"	ldp	x1, x2, [x17]\n"
	"	ldp	x3, x4, [x17, #16]\n"
	"	ldp	x5, x6, [x17, #32]\n"
	"	ldp	x7, x8, [x17, #48]\n"
	"	adr	x14, mmu_run_page\n"
	"	msr	vbar_el1, x14\n"
	"	msr	ttbr0_el1, x1\n"
	"	msr	ttbr1_el1, x2\n"
	"	msr	tcr_el1, x3\n"
	"	msr	sctlr_el1, x4\n"
	"	isb\n"
	"	dsb	sy\n"
	"	tlbi	vmalle1\n"
	"	dsb	sy\n"
	"	isb\n"
	"	cbz	x8, 1f\n"
	"	.inst	0xd500419f\n" /* msr pan, #1 */
	"1:	mov	x15, #0\n"
	"	adr	x14, 2f\n"
	"	add	x14, x14, x7, lsl #4\n"
	"	br	x14\n"
	/* By the number of the access, 16 bytes each. */
	"2:	ldtr	x0, [x5]\n"
	"	b	mmu_run_end\n"
	"	.balign	16\n"
	"	sttr	x6, [x5]\n"
	"	b	mmu_run_end\n"
	"	.balign	16\n"
	"	mov	x14, #0x3c0\n" /* EL0t, interrupts masked */
	"	b	3f\n"
	"	.balign	16\n"
	"	ldr	x0, [x5]\n"
	"	b	mmu_run_end\n"
	"	.balign	16\n"
	"	str	x6, [x5]\n"
	"	b	mmu_run_end\n"
	"	.balign	16\n"
	"	mov	x14, #0x3c5\n" /* EL1h */
	"3:	msr	spsr_el1, x14\n"
	"	msr	elr_el1, x5\n"
	"	isb\n"
	"	eret\n"
	"mmu_run_end:\n"
	"	cbz	x8, 4f\n"
	"	.inst	0xd500409f\n" /* msr pan, #0 */
	"4:	msr	vbar_el1, x13\n"
	"	msr	sctlr_el1, x12\n"
	"	msr	tcr_el1, x11\n"
	"	msr	ttbr1_el1, x10\n"
	"	msr	ttbr0_el1, x9\n"
	"	isb\n"
	"	dsb	sy\n"
	"	tlbi	vmalle1\n"
	"	dsb	sy\n"
	"	isb\n"
	"	stp	x0, x15, [x17, #64]\n"
	"	ret	x16\n");

/* Maps the pages of mmu_run() at their addresses, in either half. */
static u64 *home_table(void)
{
	static u64 *home;
	u64 *table, *next, page = gpa_of(mmu_run_page), end = page + RUN_PAGES * PAGE_SIZE;
	unsigned int shift;

	if (home)
		return home;
	home = page_alloc();
	for (; page < end; page += PAGE_SIZE) {
		for (table = home, shift = 39; shift > 12; shift -= 9, table = next) {
			u64 *entry = &table[page >> shift & 511];

			if (!*entry)
				*entry = gpa_of(page_alloc()) | DESC_TABLE | DESC_VALID;
			next = (u64 *)(uintptr_t)(*entry & DESC_ADDR);
		}
		table[page >> 12 & 511] = page | DESC_AF | DESC_SH | DESC_RDONLY | DESC_ATTRS |
					  DESC_TABLE | DESC_VALID;
	}
	return home;
}

/* TCR as the regime has it, with mmu_run() in the other half. */
static u64 tcr_of(const struct regime *r)
{
	static const u8 tg0[] = {0, 2, 1}, tg1[] = {2, 1, 3};
	unsigned int granule = (r->page_log2 - 12) / 2;
	u64 test = TCR_SIZE(64 - r->address_bits) | TCR_CACHED, home = HOME_SIZE | TCR_CACHED;
	u64 tcr = TCR_IPS(ips_of(r, endpoint_oas));

	if (r->options & UPPER)
		return tcr | home | TCR_TG0(TG0_4K) | test << TCR_UPPER | TCR_TG1(tg1[granule]) |
		       (r->options & TBI ? TCR_TBI1 : 0) | (r->options & HAD ? TCR_HPD1 : 0);
	return tcr | test | TCR_TG0(tg0[granule]) | home << TCR_UPPER | TCR_TG1(TG1_4K) |
	       (r->options & TBI ? TCR_TBI0 : 0) | (r->options & HAD ? TCR_HPD0 : 0);
}

void mmu_begin(const struct regime *r)
{
	u64 tcr = sysreg_read("tcr_el1") & ~(TCR_EPD1 | 0xffffULL << TCR_UPPER);

	(void)r;
	/* From here mmu_run() can be called in the upper half, too. */
	sysreg_write("mair_el1", sysreg_read("mair_el1") | MAIR_4_TO_7);
	sysreg_write("ttbr1_el1", gpa_of(home_table()));
	isb();
	sysreg_write("tcr_el1", tcr | (HOME_SIZE | TCR_CACHED) << TCR_UPPER | TCR_TG1(TG1_4K));
	isb();
}

void mmu_end(const struct regime *r)
{
	(void)r;
	sysreg_write("tcr_el1", sysreg_read("tcr_el1") | TCR_EPD1);
	isb();
}

void mmu_prepare_root(const struct regime *r, u64 *root)
{
	(void)r;
	(void)root;
}

u64 mmu_address(const struct regime *r, u64 bits)
{
	u64 address = bits & (BIT_ULL(r->address_bits) - 1);

	if (r->options & UPPER)
		address |= ~(BIT_ULL(r->address_bits) - 1);
	if (r->options & TBI)
		address = (address & GENMASK_ULL(55, 0)) | (bits & GENMASK_ULL(63, 56));
	return address;
}

u64 mmu_table_entry(const struct regime *r)
{
	(void)r;
	/* What a table ignores is as in a leaf, which it may become. */
	return DESC_VALID | DESC_TABLE | DESC_ATTRS | DESC_SH;
}

u64 mmu_leaf_entry(const struct regime *r, unsigned int level, bool group)
{
	u64 entry = DESC_VALID | DESC_ATTRS | DESC_SH | DESC_USER | DESC_AF | DESC_NG;

	if (level == r->levels - 1)
		entry |= DESC_TABLE;
	return group ? entry | DESC_CONT : entry;
}

u64 mmu_encode(const struct regime *r, u64 gpa)
{
	(void)r;
	return gpa;
}

bool mmu_leads_on(const struct regime *r, unsigned int level, u64 entry)
{
	return level < r->levels - 1 && entry & DESC_TABLE;
}

/* A group is of 16 with pages of 4 KiB, of 32 with larger ones, but of 128 pages of 16 KiB. */
unsigned int mmu_leaf_log2(const struct regime *r, unsigned int level, u64 entry)
{
	unsigned int shift = level_shift(r, level);

	if (!(entry & DESC_CONT) || level < r->top_leaf)
		return shift;
	if (r->page_log2 == 12)
		return shift + 4;
	return shift + (r->page_log2 == 14 && level == r->levels - 1 ? 7 : 5);
}

static unsigned int output_bits(const struct regime *r)
{
	static const u8 bits[] = {32, 36, 40, 42, 44, 48};

	return bits[min(ips_of(r, endpoint_oas), (u64)IPS_48)];
}

u64 mmu_all_bits(const struct regime *r, unsigned int level, u64 entry)
{
	bool table = mmu_leads_on(r, level, entry);
	unsigned int shift = table ? r->page_log2 : level_shift(r, level);
	u64 bits = ~(DESC_ADDR | DESC_ATTRS_HIGH | DESC_SH_HIGH);

	/* Of no address; but a block with nT may be a fault or not. */
	if (shift > 12)
		bits |= GENMASK_ULL(min(shift, 48U) - 1, 12) & ~DESC_NT;
	if (output_bits(r) < OUTPUT_LIMIT)
		bits |= GENMASK_ULL(OUTPUT_LIMIT - 1, output_bits(r));
	return bits | (entry & (DESC_ATTRS_HIGH | DESC_SH_HIGH));
}

u64 mmu_main_bits(const struct regime *r, unsigned int level, u64 entry)
{
	u64 bits = mmu_leads_on(r, level, entry)
			   ? DESC_VALID | DESC_TABLE | DESC_TABLE_ATTRS
			   : DESC_VALID | DESC_TABLE | DESC_USER | DESC_RDONLY | DESC_AF |
				     DESC_CONT | DESC_PXN | DESC_UXN;

	return bits & mmu_all_bits(r, level, entry);
}

u64 mmu_hidden_bits(const struct regime *r, unsigned int level, u64 entry)
{
	(void)r;
	(void)level;
	(void)entry;
	return 0;
}

u64 mmu_marked(const struct regime *r, u64 before, u64 after)
{
	(void)r;
	(void)before;
	return after;
}

#define SYNDROME_CLASS(esr)  ((esr) >> 26 & 63)
#define CLASS_BRK	     0x3c
#define CLASS_FETCH_FROM_EL0 0x20
#define CLASS_FETCH	     0x21
#define CLASS_DATA_FROM_EL0  0x24
#define CLASS_DATA	     0x25

void mmu_access(const struct regime *r, unsigned int a, u64 *root, u64 address, u64 token,
		struct outcome *o)
{
	u64 home = gpa_of(home_table()), test = gpa_of(root), class;
	struct run run = {
		.ttbr0 = r->options & UPPER ? home : test,
		.ttbr1 = r->options & UPPER ? test : home,
		.tcr = tcr_of(r),
		.sctlr = sysreg_read("sctlr_el1") | (r->options & WXN ? SCTLR_WXN : 0),
		.address = address,
		.token = token,
		.access = a,
		.pan = !!(r->options & PAN),
	};
	u64 code = gpa_of(mmu_run) | (r->options & UPPER ? 0 : UPPER_HALF);

	((void (*)(struct run *))(uintptr_t)code)(&run);
	class = SYNDROME_CLASS(run.syndrome);
	if (run.syndrome && class != CLASS_BRK && class != CLASS_FETCH_FROM_EL0 &&
	    class != CLASS_FETCH && class != CLASS_DATA_FROM_EL0 && class != CLASS_DATA)
		panic("an access ends with esr 0x%lx", run.syndrome);
	*o = (struct outcome){
		.allowed = !run.syndrome || class == CLASS_BRK,
		.word = accesses[a].kind == ACCESS_EXEC ? mmu_code(run.value) : run.value,
	};
}

/* Of a context descriptor. Arm IHI 0070, "Context Descriptor"; docs/page-tables.md */
#define CD_SIZE(n)  ((u64)(n)) /* T0SZ, and TG0; T1SZ and TG1 */
#define CD_TG(tg)   ((u64)(tg) << 6)
#define CD_UPPER    16
#define CD_EPD0	    BIT_ULL(14)
#define CD_EPD1	    BIT_ULL(30)
#define CD_VALID    BIT_ULL(31)
#define CD_IPS(n)   ((u64)(n) << 32)
#define CD_WXN	    BIT_ULL(36)
#define CD_TBI0	    BIT_ULL(38)
#define CD_TBI1	    BIT_ULL(39)
#define CD_PAN	    BIT_ULL(40)
#define CD_AA64	    BIT_ULL(41)
#define CD_R	    BIT_ULL(45)
#define CD_A	    BIT_ULL(46)
#define CD_ASET	    BIT_ULL(47)
#define CD_ASID(id) ((u64)(id) << 48)
#define CD_TTB_HAD  BIT_ULL(1)

static struct pasid_entry context(const struct regime *r, unsigned int id, const u64 *root)
{
	static const u8 tg0[] = {0, 2, 1}, tg1[] = {2, 1, 3};
	bool upper = r->options & UPPER;
	unsigned int granule = (r->page_log2 - 12) / 2;
	u64 half = CD_SIZE(64 - r->address_bits) | CD_TG(upper ? tg1[granule] : tg0[granule]);
	struct pasid_entry e = {
		.word[0] = CD_VALID | CD_AA64 | CD_R | CD_A | CD_ASET | CD_ASID(id) |
			   CD_IPS(ips_of(r, endpoint_oas)) |
			   (upper ? half << CD_UPPER | CD_EPD0 : half | CD_EPD1),
	};

	if (r->options & TBI)
		e.word[0] |= upper ? CD_TBI1 : CD_TBI0;
	if (r->options & WXN)
		e.word[0] |= CD_WXN;
	if (r->options & PAN)
		e.word[0] |= CD_PAN;
	e.word[upper ? 2 : 1] = gpa_of(root) | (r->options & HAD ? CD_TTB_HAD : 0);
	return e;
}

int mmu_attach(const struct regime *r, struct pasid_table *t, const struct page_table *plain,
	       u64 *const *root)
{
	int ret = pasid_table_attach(t);
	unsigned int i;

	if (ret == VIOMMU_S_OK)
		ret = pasid_table_set(t, 0, plain, 0);
	for (i = 0; i < NR_ACCESSES && ret == VIOMMU_S_OK; i++) {
		const struct pasid_entry e = context(r, 1 + i, root[i]);

		ret = t->ops->write(t, 1 + i, &e);
		if (ret == VIOMMU_S_OK)
			ret = t->ops->sync(t, 1 + i, true);
	}
	return ret;
}
