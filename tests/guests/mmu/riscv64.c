// SPDX-License-Identifier: GPL-2.0-only
/*
 * The RISC-V Instruction Set Manual, Volume II, "Supervisor-Level ISA". Tables are walked by satp.
 * One entry of each root maps what the guest itself is in; behind another are the instructions
 * that users run.
 */
#include "mmu.h"

#include "riscv.h"
#include "rt/arch.h"
#include "rt/core.h"
#include "rt/fdt.h"

#define PTE_V	   BIT_ULL(0)
#define PTE_R	   BIT_ULL(1)
#define PTE_W	   BIT_ULL(2)
#define PTE_X	   BIT_ULL(3)
#define PTE_U	   BIT_ULL(4)
#define PTE_A	   BIT_ULL(6)
#define PTE_D	   BIT_ULL(7)
#define PTE_PPN_AT 10
#define PTE_PPN	   GENMASK_ULL(53, 10)
#define PTE_RSW_HI GENMASK_ULL(60, 59) /* Svrsw60t59b; else reserved */
#define PTE_PBMT   GENMASK_ULL(62, 61)
#define PTE_N	   BIT_ULL(63)

/* Svnapot: a group of 16 pages is known by these bits of the PPN. */
#define NAPOT_LOG2 16
#define NAPOT_PPN  (8ULL << PTE_PPN_AT)
#define NAPOT_MASK (15ULL << PTE_PPN_AT)

#define SSTATUS_SPP BIT(8)
#define SSTATUS_SUM BIT(18)

#define EXCEPTION_BREAKPOINT 3
#define EXCEPTION_PAGE_FETCH 12
#define EXCEPTION_PAGE_LOAD  13
#define EXCEPTION_PAGE_STORE 15

/* MODE of satp and iosatp, for that many levels. */
#define MODE(levels) ((u64)((levels) + 5) << 60)

/* Options of regimes */
#define USER_MEMORY BIT(0) /* SUM */
#define UPDATES	    BIT(1) /* SADE: A and D are set */

#define SV_REGIME(name_, format_, levels_, options_) \
	{.name = name_,                              \
	 .format = PASID_TABLE_##format_,            \
	 .levels = levels_,                          \
	 .page_log2 = 12,                            \
	 .address_bits = 12 + 9 * (levels_),         \
	 .exec_reads = true,                         \
	 .options = options_,                        \
	 .brief = PASID_TABLE_##format_ != PASID_TABLE_RISCV || !((options_) & USER_MEMORY)}

static struct regime regimes[] = {
	SV_REGIME("Sv39 with SUM", RISCV, 3, USER_MEMORY),
	SV_REGIME("Sv39 without SUM, SADE", RISCV, 3, UPDATES),
	SV_REGIME("Sv48 with SUM, SADE", RISCV, 4, USER_MEMORY | UPDATES),
	SV_REGIME("Sv57 with SUM", RISCV, 5, USER_MEMORY),
	SV_REGIME("Sv39 with SADE, process directory of the device", RISCV_GIPC, 3,
		  USER_MEMORY | UPDATES),
	SV_REGIME("Sv48 without SUM, process directory of the device", RISCV_GIPC, 4, 0),
};

static struct {
	bool known, napot, pbmt, rsw_hi;
	bool updates; /* sets A and D itself */
} cpu;

static bool has_extension(const char *name)
{
	int node = dt_next_child(dt_find("/cpus"), DT_NONE);
	u32 len, at;
	const char *list = dt_prop(node, "riscv,isa-extensions", &len);

	for (at = 0; list && at < len; at += strlen(list + at) + 1) {
		if (!strcmp(list + at, name))
			return true;
	}
	return false;
}

/*
 * Runs instructions by the tables of @satp: at @code, with @address and @token in a1 and a2. All
 * of them end in an exception, which handle_exception() leaves by the second label.
 */
void mmu_run(u64 satp, u64 address, u64 token, u64 code, u64 user);
extern u8 mmu_run_end[], mmu_stub_read[], mmu_stub_write[], mmu_stub_end[];

__asm__(".text\n"
	".option push\n"
	".option norvc\n"
	".option arch, +zifencei\n"
	".globl mmu_run, mmu_run_end, mmu_stub_read, mmu_stub_write, mmu_stub_end\n"
	"mmu_run:\n"
	"	addi	sp, sp, -112\n"
	"	sd	ra, 0(sp)\n"
	"	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11\n"
	"	sd	s\\n, (8 + 8 * \\n)(sp)\n"
	"	.endr\n"
	"	fence.i\n"
	"	csrw	satp, a0\n"
	"	sfence.vma\n"
	"	bnez	a4, 1f\n"
	"	jr	a3\n"
	"1:	csrw	sepc, a3\n"
	"	li	t0, 0x100\n" /* SSTATUS_SPP */
	"	csrc	sstatus, t0\n"
	"	sret\n"
	"	.balign	8\n"
	"mmu_run_end:\n"
	"	ld	ra, 0(sp)\n"
	"	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11\n"
	"	ld	s\\n, (8 + 8 * \\n)(sp)\n"
	"	.endr\n"
	"	addi	sp, sp, 112\n"
	"	ret\n"
	"mmu_stub_read:\n"
	"	ld	a0, (a1)\n"
	"	ebreak\n"
	"mmu_stub_write:\n"
	"	sd	a2, (a1)\n"
	"	ebreak\n"
	"mmu_stub_end:\n"
	".option pop\n");

static struct {
	u64 cause, a0;
} end;

static bool handle_exception(struct trap_frame *f)
{
	/* The console is reached again, too. */
	__asm__ volatile("csrw satp, zero; sfence.vma; csrr %0, scause" : "=r"(end.cause));
	switch (end.cause) {
	case EXCEPTION_BREAKPOINT:
	case EXCEPTION_PAGE_FETCH:
	case EXCEPTION_PAGE_LOAD:
	case EXCEPTION_PAGE_STORE:
		break;
	default:
		return false;
	}
	end.a0 = f->x[10];
	f->sepc = gpa_of(mmu_run_end);
	csr_set("sstatus", SSTATUS_SPP);
	return true;
}

static u64 satp_of(const struct regime *r, const u64 *root)
{
	return MODE(r->levels) | gpa_of(root) >> 12;
}

/* The root's entries that are not of cases. */
static unsigned int home_index(const struct regime *r)
{
	return gpa_of(image_start) >> level_shift(r, 0);
}

static unsigned int stub_index(const struct regime *r)
{
	return home_index(r) + 1;
}

void mmu_prepare_root(const struct regime *r, u64 *root)
{
	static u64 *stub, *tables[MAX_LEVELS];
	u64 marks = PTE_A | PTE_D, home = (u64)home_index(r) << level_shift(r, 0);
	unsigned int i;

	if (!stub) {
		stub = page_alloc();
		memcpy(stub, mmu_stub_read, gpa_of(mmu_stub_end) - gpa_of(mmu_stub_read));
		for (i = 0; i < MAX_LEVELS; i++)
			tables[i] = page_alloc();
	}
	/* From the page up, as many as there are levels. */
	tables[0][0] = mmu_encode(r, gpa_of(stub)) | marks | PTE_U | PTE_X | PTE_R | PTE_V;
	for (i = 1; i < r->levels - 1; i++)
		tables[i][0] = mmu_encode(r, gpa_of(tables[i - 1])) | PTE_V;
	root[stub_index(r)] = mmu_encode(r, gpa_of(tables[r->levels - 2])) | PTE_V;
	root[home_index(r)] = mmu_encode(r, home) | marks | PTE_X | PTE_W | PTE_R | PTE_V;
}

static bool has_mode(const struct regime *r)
{
	u64 *root = page_alloc(), satp;

	mmu_prepare_root(r, root);
	csr_write("satp", satp_of(r, root));
	__asm__ volatile("csrr %0, satp; csrw satp, zero; sfence.vma" : "=r"(satp) : : "memory");
	return satp == satp_of(r, root);
}

/* Whether an access to a page whose A is clear is allowed. */
static bool sets_accessed(void)
{
	const struct regime *r = &regimes[0];
	u64 *root = page_alloc(), address;
	struct outcome o;

	mmu_prepare_root(r, root);
	root[home_index(r) + 2] = root[home_index(r)] & ~(PTE_A | PTE_D);
	address = gpa_of(image_start) + 2 * BIT_ULL(level_shift(r, 0));
	mmu_begin(r);
	mmu_access(r, access_reading(NR_ACCESSES - 1), root, address, 0, &o);
	mmu_end(r);
	return o.allowed;
}

/* Whether the virtio-iommu does. */
static bool updates(const struct regime *r)
{
	return cpu.updates || r->options & UPDATES;
}

static const char *yes_no(bool yes)
{
	return yes ? "yes" : "no";
}

static void look_at_cpu(void)
{
	unsigned int i;

	if (cpu.known)
		return;
	cpu.known = true;
	cpu.napot = has_extension("svnapot");
	cpu.pbmt = has_extension("svpbmt");
	cpu.rsw_hi = has_extension("svrsw60t59b");
	cpu.updates = sets_accessed();
	note("CPU: Svnapot %s, Svpbmt %s; what it has not is not tried", yes_no(cpu.napot),
	     yes_no(cpu.pbmt));
	note("CPU: Svrsw60t59b %s; without, bits 60:59 are kept from it", yes_no(cpu.rsw_hi));
	note("CPU: A and D clear are %s",
	     cpu.updates ? "set by it: without SADE, they are not tried"
			 : "faults: with SADE, this guest sets them then, and tries again");
	for (i = 0; i < ARRAY_SIZE(regimes); i++) {
		if (has_mode(&regimes[i]))
			continue;
		note("%s: not tried, the CPU has no such mode", regimes[i].name);
		regimes[i].levels = 0;
	}
}

const struct regime *mmu_regime(const struct pasid_table_cfg *cfg, unsigned int n)
{
	unsigned int i;

	look_at_cpu();
	for (i = 0; i < ARRAY_SIZE(regimes); i++) {
		if (!regimes[i].levels || regimes[i].format != cfg->format || n--)
			continue;
		regimes[i].groups = cpu.napot ? GROUPS_OF_SAME : NO_GROUPS;
		return &regimes[i];
	}
	return NULL;
}

u64 mmu_code(u16 id)
{
	/* lui a0, id; ebreak */
	return 0x537 | (u64)id << 12 | 0x00100073ULL << 32;
}

void mmu_sync_code(const void *code, size_t len)
{
	/* mmu_run() does. */
	(void)code;
	(void)len;
}

void mmu_begin(const struct regime *r)
{
	exception_handler = handle_exception;
	if (r->options & USER_MEMORY)
		csr_set("sstatus", SSTATUS_SUM);
}

void mmu_end(const struct regime *r)
{
	(void)r;
	csr_clear("sstatus", SSTATUS_SUM);
	exception_handler = NULL;
}

u64 mmu_address(const struct regime *r, u64 bits)
{
	unsigned int shift = level_shift(r, 0), unused = 64 - r->address_bits;
	u64 index = bits >> shift & 511, low = index & 255;

	/* Nor would it be one of the two if its highest bit were another. */
	if (low == home_index(r) || low == stub_index(r))
		index ^= 4;
	bits = (bits & (BIT_ULL(shift) - 1)) | index << shift;
	return (u64)((s64)(bits << unused) >> unused);
}

u64 mmu_table_entry(const struct regime *r)
{
	(void)r;
	return PTE_V;
}

u64 mmu_leaf_entry(const struct regime *r, unsigned int level, bool group)
{
	u64 entry = PTE_V | PTE_R | PTE_W | PTE_X | PTE_U;

	if (!updates(r))
		entry |= PTE_A | PTE_D;
	return group && level == r->levels - 1 ? entry | PTE_N | NAPOT_PPN : entry;
}

u64 mmu_encode(const struct regime *r, u64 gpa)
{
	(void)r;
	return gpa >> (12 - PTE_PPN_AT);
}

bool mmu_leads_on(const struct regime *r, unsigned int level, u64 entry)
{
	return level < r->levels - 1 && !(entry & (PTE_R | PTE_W | PTE_X));
}

unsigned int mmu_leaf_log2(const struct regime *r, unsigned int level, u64 entry)
{
	return entry & PTE_N && level == r->levels - 1 ? NAPOT_LOG2 : level_shift(r, level);
}

u64 mmu_all_bits(const struct regime *r, unsigned int level, u64 entry)
{
	u64 bits = ~PTE_PPN;

	/* A larger leaf has an address that is a multiple of its size, or is malformed. */
	if (level < r->levels - 1 && entry & (PTE_R | PTE_W | PTE_X))
		bits |= BIT_ULL(level_shift(r, level) - 12 + PTE_PPN_AT) - BIT_ULL(PTE_PPN_AT);
	if (level == r->levels - 1 && entry & PTE_N)
		bits |= NAPOT_MASK;
	if (!cpu.napot)
		bits &= ~PTE_N;
	return cpu.pbmt ? bits : bits & ~PTE_PBMT;
}

u64 mmu_main_bits(const struct regime *r, unsigned int level, u64 entry)
{
	return (PTE_V | PTE_R | PTE_W | PTE_X | PTE_U | PTE_A | PTE_D | PTE_N) &
	       mmu_all_bits(r, level, entry);
}

u64 mmu_hidden_bits(const struct regime *r, unsigned int level, u64 entry)
{
	(void)r;
	(void)level;
	(void)entry;
	return cpu.rsw_hi ? 0 : PTE_RSW_HI;
}

u64 mmu_marked(const struct regime *r, u64 before, u64 after)
{
	(void)r;
	(void)before;
	return after;
}

/* The entry that ends the walk of @address, if the tables are followed without a doubt. */
static u64 *last_entry(const struct regime *r, u64 *table, u64 address)
{
	unsigned int level = 0;
	u64 *entry;

	for (;; level++) {
		entry = &table[address >> level_shift(r, level) & 511];
		if (!(*entry & PTE_V) || !mmu_leads_on(r, level, *entry))
			return entry;
		table = (u64 *)(uintptr_t)((*entry & PTE_PPN) << (12 - PTE_PPN_AT));
	}
}

static void run(const struct regime *r, unsigned int a, u64 *root, u64 address, u64 token,
		struct outcome *o)
{
	u64 code = address;

	if (accesses[a].kind != ACCESS_EXEC) {
		code = gpa_of(accesses[a].kind == ACCESS_WRITE ? mmu_stub_write : mmu_stub_read);
		if (accesses[a].user)
			code = ((u64)stub_index(r) << level_shift(r, 0)) +
			       (code - gpa_of(mmu_stub_read));
	}
	mmu_run(satp_of(r, root), address, token, code, accesses[a].user);
	o->allowed = end.cause == EXCEPTION_BREAKPOINT;
	o->broken = false;
	o->word = accesses[a].kind == ACCESS_EXEC ? mmu_code(end.a0 >> 12) : end.a0;
}

void mmu_access(const struct regime *r, unsigned int a, u64 *root, u64 address, u64 token,
		struct outcome *o)
{
	u64 *entry, was;

	run(r, a, root, address, token, o);
	if (o->allowed || cpu.updates || !(r->options & UPDATES))
		return;
	/* Svade leaves to a handler of page faults what Svadu and SADE do. */
	entry = last_entry(r, root, address);
	was = READ_ONCE(*entry);
	WRITE_ONCE(*entry, was | PTE_A | (accesses[a].kind == ACCESS_WRITE ? PTE_D : 0));
	run(r, a, root, address, token, o);
	if (!o->allowed)
		WRITE_ONCE(*entry, was);
}

/* Of a descriptor and of a process context. docs/page-tables.md */
#define TC_SADE	     BIT_ULL(8)
#define TA_V	     BIT_ULL(0)
#define TA_ENS	     BIT_ULL(1)
#define TA_SUM	     BIT_ULL(2)
#define TA_PSCID(id) ((u64)(id) << 12)

int mmu_attach(const struct regime *r, struct pasid_table *t, const struct page_table *plain,
	       u64 *const *root)
{
	struct viommu_req_attach_table req;
	unsigned int i;
	u64 tc;
	int ret;

	t->ops->attach(t, &req);
	memcpy(&tc, req.descriptor, sizeof(tc));
	tc |= updates(r) ? TC_SADE : 0;
	memcpy(req.descriptor, &tc, sizeof(tc));
	ret = viommu_request(t->iommu, &req, sizeof(req));
	if (ret == VIOMMU_S_OK)
		ret = pasid_table_set(t, 0, plain, 0);
	for (i = 0; i < NR_ACCESSES && ret == VIOMMU_S_OK; i++) {
		const struct pasid_entry e = {
			.word = {TA_V | TA_ENS | TA_PSCID(1 + i) |
					 (r->options & USER_MEMORY ? TA_SUM : 0),
				 satp_of(r, root[i])},
		};

		ret = t->ops->write(t, 1 + i, &e);
		if (ret == VIOMMU_S_OK && t->ops->sync)
			ret = t->ops->sync(t, 1 + i, true);
	}
	return ret;
}
