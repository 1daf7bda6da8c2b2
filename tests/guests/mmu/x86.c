// SPDX-License-Identifier: GPL-2.0-only
/*
 * Intel Software Developer's Manual, volume 3A, "Paging"; AMD64 Architecture Programmer's Manual,
 * volume 2, "Page Translation and Protection". Tables are walked by CR3. The first entry of each
 * root is the runtime's; behind the second are the instructions that users run.
 */
#include "mmu.h"

#include "rt/arch.h"
#include "rt/core.h"
#include "x86.h"

#define PTE_P	 BIT_ULL(0)
#define PTE_RW	 BIT_ULL(1)
#define PTE_US	 BIT_ULL(2)
#define PTE_A	 BIT_ULL(5)
#define PTE_D	 BIT_ULL(6)
#define PTE_PS	 BIT_ULL(7)
#define PTE_G	 BIT_ULL(8)
#define PTE_EA	 BIT_ULL(10)
#define PTE_ADDR GENMASK_ULL(51, 12)
#define PTE_XD	 BIT_ULL(63)

#define CR0_WP	 BIT_ULL(16)
#define MSR_EFER 0xc0000080
#define EFER_NXE BIT(11)

#define EXCEPTION_UD 6
#define EXCEPTION_GP 13
#define EXCEPTION_PF 14
#define PF_RESERVED  BIT(3)

/* Options of regimes */
#define WRITE_PROTECT	  BIT(0) /* supervisors, too, need R/W to write */
#define EXTENDED_ACCESSED BIT(1)
#define NO_UPDATE	  BIT(2)

/* Where the users' instructions are: the second entry of the root. */
#define STUB_SLOT	1
#define STUB_ADDRESS(r) BIT_ULL(level_shift(r, 0))

/* What is translated by 1 GiB, and how many levels from there. */
#define LEVEL_PDPT(r) ((r)->levels - 3)
#define LEVEL_PT(r)   ((r)->levels - 1)

#define X86_REGIME(name_, format_, levels_, ...) \
	{.name = name_,                          \
	 .format = PASID_TABLE_##format_,        \
	 .levels = levels_,                      \
	 .page_log2 = 12,                        \
	 .address_bits = 12 + 9 * (levels_),     \
	 .top_leaf = (levels_) - 3,              \
	 __VA_ARGS__}

static struct regime regimes[] = {
	X86_REGIME("VT-d with WPE, CR0.WP", INTEL, 4, .options = WRITE_PROTECT),
	X86_REGIME("VT-d without WPE, nor CR0.WP", INTEL, 4, .brief = true),
	X86_REGIME("VT-d with EAFE", INTEL, 4, .options = WRITE_PROTECT | EXTENDED_ACCESSED,
		   .brief = true),
	X86_REGIME("VT-d, 5 levels", INTEL, 5, .options = WRITE_PROTECT),
	X86_REGIME("AMD, GCR3 table in memory", AMD, 4, .options = WRITE_PROTECT),
	X86_REGIME("AMD without updates", AMD, 4, .options = WRITE_PROTECT | NO_UPDATE,
		   .brief = true),
	X86_REGIME("AMD, GCR3 table in memory, 5 levels", AMD, 5, .options = WRITE_PROTECT,
		   .brief = true),
	X86_REGIME("AMD, GCR3 table of the device", AMD_PT, 4, .options = WRITE_PROTECT,
		   .brief = true),
};

static u32 cpuid(u32 leaf, u32 *ecx, u32 *edx)
{
	u32 eax = leaf, ebx;

	*ecx = 0;
	__asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(*ecx), "=d"(*edx));
	return eax;
}

static struct {
	bool known, nx, gib_pages, five_levels, no_global;
	unsigned int pa_bits;
} cpu;

#define CPUID_MAX	      0
#define CPUID_STRUCTURED      7
#define CPUID_STRUCTURED_LA57 BIT(16)
#define CPUID_FEATURES	      0x80000001
#define CPUID_FEATURES_NX     BIT(20)
#define CPUID_FEATURES_PAGE1  BIT(26)
#define CPUID_SIZES	      0x80000008

/*
 * Whether the CPU takes G in the first level for reserved, as AMD's do; an emulated one may say
 * that it is AMD's and not care.
 */
static bool reserves_global(void)
{
	u64 *root = page_alloc();
	struct outcome o;

	mmu_prepare_root(&regimes[0], root);
	root[STUB_SLOT + 1] = root[STUB_SLOT] | PTE_G;
	mmu_begin(&regimes[0]);
	mmu_access(&regimes[0], access_reading(0), root, 2 * STUB_ADDRESS(&regimes[0]), 0, &o);
	mmu_end(&regimes[0]);
	return !o.allowed;
}

static void look_at_cpu(void)
{
	u32 features, structured = 0, ecx, edx;

	if (cpu.known)
		return;
	cpuid(CPUID_FEATURES, &ecx, &features);
	if (cpuid(CPUID_MAX, &ecx, &edx) >= CPUID_STRUCTURED)
		cpuid(CPUID_STRUCTURED, &structured, &edx);
	cpu.known = true;
	cpu.five_levels = structured & CPUID_STRUCTURED_LA57;
	cpu.nx = features & CPUID_FEATURES_NX;
	cpu.gib_pages = features & CPUID_FEATURES_PAGE1;
	cpu.pa_bits = cpuid(CPUID_SIZES, &ecx, &edx) & 0xff;
	cpu.no_global = reserves_global();
	note("CPU: %u address bits%s%s%s", cpu.pa_bits, cpu.nx ? "" : ", no XD: not tried",
	     cpu.gib_pages ? "" : ", no pages of 1 GiB: not tried",
	     cpu.five_levels ? "" : ", no 5 levels: not tried");
	note("bit 8 above PDPTs is reserved by AMD, ignored by Intel, %s",
	     cpu.no_global ? "reserved by this CPU: kept from it where the format is VT-d"
			   : "ignored by this CPU: not tried where the format is AMD's");
}

const struct regime *mmu_regime(const struct pasid_table_cfg *cfg, unsigned int n)
{
	unsigned int i;

	look_at_cpu();
	for (i = 0; i < ARRAY_SIZE(regimes); i++) {
		if (regimes[i].format != cfg->format ||
		    (regimes[i].levels == 5 && !cpu.five_levels) || n--)
			continue;
		/* What this CPU does not have, it takes for malformed. */
		if (!cpu.gib_pages)
			regimes[i].top_leaf = LEVEL_PDPT(&regimes[i]) + 1;
		return &regimes[i];
	}
	return NULL;
}

u64 mmu_code(u16 id)
{
	/* mov $id, %eax; ud2; nop */
	return 0xb8 | (u64)id << 8 | 0x900b0fULL << 40;
}

void mmu_sync_code(const void *code, size_t len)
{
	/* The CPU sees to it. */
	(void)code;
	(void)len;
}

/* As the CPU is told by CR0 and EFER, which are the runtime's otherwise. */
static void set_cr0(u64 clear, u64 set)
{
	u64 cr0;

	__asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
	__asm__ volatile("mov %0, %%cr0" : : "r"((cr0 & ~clear) | set) : "memory");
}

/* From 0: selectors of the runtime's code and data, and what users need. */
#define CODE64	  8
#define DATA	  16
#define USER_DATA (24 | 3)
#define USER_CODE (32 | 3)
#define TSS	  40
#define CODE32	  56

#define SEGMENT_CODE64	  0x00af9b000000ffffULL
#define SEGMENT_CODE32	  0x00cf9b000000ffffULL
#define SEGMENT_DATA	  0x00cf93000000ffffULL
#define SEGMENT_USER	  (3ULL << 45)
#define SEGMENT_TSS	  (0x89ULL << 40)
#define SEGMENT_BASE_LOW  GENMASK_ULL(23, 0)
#define SEGMENT_BASE_HIGH GENMASK_ULL(31, 24)

/* Where the CPU's stack is when it comes from a user: @rsp0. */
struct tss {
	u32 reserved0;
	u64 rsp0;
	u8 others[90];
	u16 io_map;
} __packed;

static struct tss tss = {.io_map = sizeof(tss)};
static u64 gdt[8];

static void load_segments(void)
{
	u64 base = gpa_of(&tss);
	struct {
		u16 limit;
		u64 base;
	} __packed gdtr = {sizeof(gdt) - 1, gpa_of(gdt)};

	gdt[CODE64 / 8] = SEGMENT_CODE64;
	gdt[DATA / 8] = SEGMENT_DATA;
	gdt[USER_DATA / 8] = SEGMENT_DATA | SEGMENT_USER;
	gdt[USER_CODE / 8] = SEGMENT_CODE64 | SEGMENT_USER;
	gdt[TSS / 8] = SEGMENT_TSS | (base & SEGMENT_BASE_LOW) << 16 |
		       (base & SEGMENT_BASE_HIGH) << 32 | (sizeof(tss) - 1);
	gdt[TSS / 8 + 1] = base >> 32;
	gdt[CODE32 / 8] = SEGMENT_CODE32;
	__asm__ volatile("lgdt %0" : : "m"(gdtr));
	__asm__ volatile("ltr %w0" : : "r"(TSS));
}

/*
 * Runs instructions by the tables at @cr3: at @code, with @address and @token in rsi and rdx. All
 * of them end in an exception, which handle_exception() leaves by the second label.
 */
void mmu_run(u64 cr3, u64 address, u64 token, u64 code, u64 user);

/* Has the runtime's tables walked from @cr3, with CR4 as @cr4. LA57 changes without paging only. */
void mmu_set_paging(u64 cr3, u64 cr4);

extern u8 mmu_run_end[], mmu_stub_read[], mmu_stub_write[], mmu_stub_end[];
u64 mmu_run_stack;

__asm__(".text\n"
	".globl mmu_run, mmu_run_end, mmu_stub_read, mmu_stub_write, mmu_stub_end\n"
	".globl mmu_set_paging\n"
	"mmu_set_paging:\n"
	"	pushq	$56\n" /* CODE32 */
	"	pushq	$1f\n"
	"	lretq\n"
	".code32\n"
	"1:	movl	%cr0, %eax\n"
	"	andl	$0x7fffffff, %eax\n" /* PG */
	"	movl	%eax, %cr0\n"
	"	movl	%esi, %cr4\n"
	"	movl	%edi, %cr3\n"
	"	orl	$0x80000000, %eax\n"
	"	movl	%eax, %cr0\n"
	"	ljmpl	$8, $2f\n" /* CODE64 */
	".code64\n"
	"2:	ret\n"
	"mmu_run:\n"
	"	pushq	%rbx\n"
	"	pushq	%rbp\n"
	"	pushq	%r12\n"
	"	pushq	%r13\n"
	"	pushq	%r14\n"
	"	pushq	%r15\n"
	"	movq	%cr3, %rax\n"
	"	pushq	%rax\n"
	"	movq	%rsp, mmu_run_stack\n"
	"	movq	%rdi, %cr3\n"
	"	testq	%r8, %r8\n"
	"	jnz	1f\n"
	"	jmp	*%rcx\n"
	"1:	pushq	$27\n" /* USER_DATA */
	"	pushq	$0\n"
	"	pushq	$2\n" /* rflags */
	"	pushq	$35\n" /* USER_CODE */
	"	pushq	%rcx\n"
	"	iretq\n"
	"mmu_run_end:\n"
	"	popq	%rax\n"
	"	movq	%rax, %cr3\n"
	"	popq	%r15\n"
	"	popq	%r14\n"
	"	popq	%r13\n"
	"	popq	%r12\n"
	"	popq	%rbp\n"
	"	popq	%rbx\n"
	"	ret\n"
	"mmu_stub_read:\n"
	"	movq	(%rsi), %rax\n"
	"	ud2\n"
	"mmu_stub_write:\n"
	"	movq	%rdx, (%rsi)\n"
	"	ud2\n"
	"mmu_stub_end:\n");

static struct {
	u64 vector, error, rax;
} end;

static bool handle_exception(struct trap_frame *f)
{
	if (f->vector != EXCEPTION_UD && f->vector != EXCEPTION_GP && f->vector != EXCEPTION_PF)
		return false;
	end.vector = f->vector;
	end.error = f->error;
	end.rax = f->rax;
	f->rip = gpa_of(mmu_run_end);
	f->cs = CODE64;
	f->ss = DATA;
	f->rsp = mmu_run_stack;
	f->rflags = 2;
	return true;
}

static void set_nxe(bool on)
{
	u32 low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(MSR_EFER));
	low = on ? low | EFER_NXE : low & ~EFER_NXE;
	__asm__ volatile("wrmsr" : : "a"(low), "d"(high), "c"(MSR_EFER) : "memory");
}

#define CR4_PAE	 BIT(5)
#define CR4_LA57 BIT(12)

static u64 pml5[512] __attribute__((aligned(PAGE_SIZE)));

void mmu_begin(const struct regime *r)
{
	if (!gdt[1])
		load_segments();
	/* As deep as the runtime's stack is here, less what mmu_run() and this call take. */
	tss.rsp0 = align_down((u64)(uintptr_t)__builtin_frame_address(0), 16) - 2048;
	exception_handler = handle_exception;
	set_nxe(cpu.nx);
	set_cr0(r->options & WRITE_PROTECT ? 0 : CR0_WP, 0);
	if (r->levels == 5) {
		pml5[0] = gpa_of(pml4) | PTE_RW | PTE_P;
		mmu_set_paging(gpa_of(pml5), CR4_PAE | CR4_LA57);
	}
}

void mmu_end(const struct regime *r)
{
	if (r->levels == 5)
		mmu_set_paging(gpa_of(pml4), CR4_PAE);
	set_cr0(0, CR0_WP);
	exception_handler = NULL;
}

void mmu_prepare_root(const struct regime *r, u64 *root)
{
	static u64 *stub, *tables[MAX_LEVELS];
	unsigned int i;

	if (!stub) {
		stub = page_alloc();
		memcpy(stub, mmu_stub_read, gpa_of(mmu_stub_end) - gpa_of(mmu_stub_read));
		for (i = 0; i < MAX_LEVELS; i++)
			tables[i] = page_alloc();
		/* From the page up, as many as there are levels. */
		for (i = 0; i < MAX_LEVELS; i++)
			tables[i][0] = gpa_of(i ? tables[i - 1] : stub) | PTE_US | PTE_P;
	}
	root[0] = r->levels == 5 ? gpa_of(pml4) | PTE_RW | PTE_P : pml4[0];
	root[STUB_SLOT] = gpa_of(tables[r->levels - 2]) | PTE_US | PTE_P;
}

u64 mmu_address(const struct regime *r, u64 bits)
{
	unsigned int shift = level_shift(r, 0), unused = 64 - r->address_bits;
	u64 index = bits >> shift & 511;

	/* Nor would it be one of the two if its highest bit were another. */
	if ((index & 255) <= STUB_SLOT)
		index ^= 2;
	bits = (bits & (BIT_ULL(shift) - 1)) | index << shift;
	return (u64)((s64)(bits << unused) >> unused);
}

u64 mmu_table_entry(const struct regime *r)
{
	(void)r;
	return PTE_P | PTE_RW | PTE_US;
}

u64 mmu_leaf_entry(const struct regime *r, unsigned int level, bool group)
{
	(void)group;
	return PTE_P | PTE_RW | PTE_US | (level == LEVEL_PT(r) ? 0 : PTE_PS);
}

u64 mmu_encode(const struct regime *r, u64 gpa)
{
	(void)r;
	return gpa;
}

bool mmu_leads_on(const struct regime *r, unsigned int level, u64 entry)
{
	return level != LEVEL_PT(r) && !(entry & PTE_PS);
}

unsigned int mmu_leaf_log2(const struct regime *r, unsigned int level, u64 entry)
{
	(void)entry;
	return level_shift(r, level);
}

u64 mmu_all_bits(const struct regime *r, unsigned int level, u64 entry)
{
	u64 bits = ~PTE_ADDR | GENMASK_ULL(51, cpu.pa_bits);

	/* Of no address in a large leaf. */
	if (level < LEVEL_PT(r) && entry & PTE_PS)
		bits |= GENMASK_ULL(level_shift(r, level) - 1, 12);
	if (level == LEVEL_PDPT(r) && !cpu.gib_pages)
		bits &= ~PTE_PS;
	if (level < LEVEL_PDPT(r) && !cpu.no_global && r->format != PASID_TABLE_INTEL)
		bits &= ~PTE_G;
	return cpu.nx ? bits : bits & ~PTE_XD;
}

u64 mmu_main_bits(const struct regime *r, unsigned int level, u64 entry)
{
	return (PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D | PTE_PS | PTE_XD) &
	       mmu_all_bits(r, level, entry);
}

u64 mmu_hidden_bits(const struct regime *r, unsigned int level, u64 entry)
{
	bool vtd = r->format == PASID_TABLE_INTEL;

	(void)entry;
	return vtd && cpu.no_global && level < LEVEL_PDPT(r) ? PTE_G : 0;
}

u64 mmu_marked(const struct regime *r, u64 before, u64 after)
{
	if (r->options & NO_UPDATE)
		return before;
	return r->options & EXTENDED_ACCESSED && after & PTE_A ? after | PTE_EA : after;
}

void mmu_access(const struct regime *r, unsigned int a, u64 *root, u64 address, u64 token,
		struct outcome *o)
{
	u64 code = address;

	(void)r;
	if (accesses[a].kind != ACCESS_EXEC) {
		code = gpa_of(accesses[a].kind == ACCESS_WRITE ? mmu_stub_write : mmu_stub_read);
		if (accesses[a].user)
			code = STUB_ADDRESS(r) + (code - gpa_of(mmu_stub_read));
	}
	mmu_run(gpa_of(root), address, token, code, accesses[a].user);
	o->allowed = end.vector == EXCEPTION_UD;
	o->broken = end.vector == EXCEPTION_PF && end.error & PF_RESERVED;
	o->word = accesses[a].kind == ACCESS_EXEC ? mmu_code(end.rax) : end.rax;
}

/* VT-d: the device keeps the table of PASIDs. docs/page-tables.md */
#define INTEL_FORMAT	 2
#define INTEL_FLAG_SRE	 BIT(0)
#define INTEL_FLAG_EAFE	 BIT(1)
#define INTEL_FLAG_WPE	 BIT(2)
#define INTEL_FLAG_PASID BIT(8)

struct intel_descriptor {
	u64 fsptptr;
	u32 pasid;
	u32 flags;
	u32 addr_width;
} __packed;

static int intel_attach(const struct regime *r, struct pasid_table *t, u32 pasid, u64 root)
{
	struct viommu_req_attach_table req;
	const struct intel_descriptor d = {
		.fsptptr = root,
		.pasid = pasid,
		.flags = INTEL_FLAG_SRE | INTEL_FLAG_PASID |
			 (r->options & WRITE_PROTECT ? INTEL_FLAG_WPE : 0) |
			 (r->options & EXTENDED_ACCESSED ? INTEL_FLAG_EAFE : 0),
		.addr_width = r->address_bits,
	};

	pasid_table_request(t, INTEL_FORMAT, &req);
	memcpy(req.descriptor, &d, sizeof(d));
	return viommu_request(t->iommu, &req, sizeof(req));
}

/* AMD: in the descriptor of the endpoint; all of its tables have so many levels. */
#define AMD_GUEST_PAGING_MODE 10
#define AMD_GAUPDATEDIS	      12

int mmu_attach(const struct regime *r, struct pasid_table *t, const struct page_table *plain,
	       u64 *const *root)
{
	static u64 top[512] __attribute__((aligned(PAGE_SIZE)));
	struct viommu_req_attach_table req;
	struct page_table first = *plain;
	unsigned int i;
	int ret;

	t->ops->attach(t, &req);
	if (r->options & NO_UPDATE)
		req.descriptor[AMD_GAUPDATEDIS] = 1;
	if (r->levels == 5 && r->format != PASID_TABLE_INTEL) {
		req.descriptor[AMD_GUEST_PAGING_MODE] = 1;
		top[0] = gpa_of(plain->root) | PTE_US | PTE_RW | PTE_P;
		first.root = top;
	}
	ret = viommu_request(t->iommu, &req, sizeof(req));
	if (ret == VIOMMU_S_OK)
		ret = pasid_table_set(t, 0, &first, 0);
	for (i = 0; i < NR_ACCESSES && ret == VIOMMU_S_OK; i++) {
		const struct page_table pt = {.kind = PAGE_TABLE_X86_64, .root = root[i]};

		if (r->format == PASID_TABLE_INTEL)
			ret = intel_attach(r, t, 1 + i, gpa_of(root[i]));
		else
			ret = pasid_table_set(t, 1 + i, &pt, 0);
	}
	return ret;
}
