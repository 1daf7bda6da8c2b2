// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arm IHI 0069, chapters 5 and 6: LPIs, and the ITS that makes them of messages. Each event of a
 * device has an LPI of its own, and all go to the first CPU, by one collection.
 */
#include "arm.h"
#include "rt/arch.h"
#include "rt/core.h"
#include "rt/fdt.h"

#define GITS_CTLR	       0x0000
#define GITS_CTLR_ENABLED      BIT(0)
#define GITS_TYPER	       0x0008
#define TYPER_DEVBITS(t)       (((t) >> 13 & 0x1f) + 1)
#define TYPER_PTA	       BIT_ULL(19)
#define GITS_CBASER	       0x0080
#define GITS_CWRITER	       0x0088
#define GITS_CREADR	       0x0090
#define GITS_BASER(n)	       (0x0100 + 8 * (n))
#define NR_BASERS	       8
#define BASER_TYPE(b)	       ((b) >> 56 & 7)
#define BASER_TYPE_DEVICES     1
#define BASER_TYPE_COLLECTIONS 4
#define BASER_ENTRY(b)	       (((b) >> 48 & 0x1f) + 1)
#define BASER_PAGE_MASK	       (3ULL << 8)
#define BASER_PAGE_64K	       (2ULL << 8)
#define TABLE_PAGE	       (64 * KiB)
#define MAX_TABLE_PAGES	       256
#define GITS_TRANSLATER	       0x10040
#define GITS_SIZE	       0x20000

/* Of CBASER and BASER: write-back, inner shareable. */
#define BASE_VALID  BIT_ULL(63)
#define BASE_CACHED (7ULL << 59 | 1 << 10)

#define GICR_CTLR	 0x0000
#define GICR_CTLR_LPIS	 BIT(0)
#define GICR_TYPER	 0x0008
#define GICR_PROPBASER	 0x0070
#define GICR_PENDBASER	 0x0078
#define LPI_CACHED	 (1 << 10 | 7 << 7)
#define PENDBASER_ZEROED BIT_ULL(62)
#define LPI_ID_BITS	 14
#define LPI_ENABLED	 1

#define CMD_SYNC   0x05
#define CMD_MAPD   0x08
#define CMD_MAPC   0x09
#define CMD_MAPTI  0x0a
#define CMD_INV	   0x0c
#define CMD_VALID  BIT_ULL(63)
#define CMD_SIZE   32
#define QUEUE_SIZE (64 * KiB)
#define HANG_MS	   10000

#define COLLECTION 0
#define EVENT_BITS 3 /* an event for each line */

#define MAX_DEVICES 64
#define MAX_EVENTS  (MAX_DEVICES * IRQ_LINES)

_Static_assert(IRQ_LINES <= 1 << EVENT_BITS, "a device's events");

static u8 *its; /* NULL: there is none */
static u64 its_gpa;
static u32 its_phandle;
static u8 *queue;
static u32 queue_end;
static u64 target; /* the first CPU, as commands name it */
static u8 *lpi_config;
static u32 devices[MAX_DEVICES];
static unsigned int nr_devices;
static struct {
	u32 device, event;
} events[MAX_EVENTS]; /* by LPI */
static unsigned int nr_events;

static void command(u64 w0, u64 w1, u64 w2)
{
	u64 *cmd = (u64 *)(queue + queue_end);

	cmd[0] = w0;
	cmd[1] = w1;
	cmd[2] = w2;
	cmd[3] = 0;
	queue_end = (queue_end + CMD_SIZE) % QUEUE_SIZE;
	dsb();
	mmio_write64(its + GITS_CWRITER, queue_end);
	timeout_start(HANG_MS);
	while (mmio_read64(its + GITS_CREADR) != queue_end) {
		if (timeout_expired())
			panic("the ITS stopped at command 0x%lx", mmio_read64(its + GITS_CREADR));
		cpu_relax();
	}
}

static void make_table(unsigned int n, u64 type)
{
	u64 baser = mmio_read64(its + GITS_BASER(n)), entries = 1, size;

	if (BASER_TYPE(baser) == BASER_TYPE_DEVICES)
		entries = 1ULL << TYPER_DEVBITS(type);
	else if (BASER_TYPE(baser) != BASER_TYPE_COLLECTIONS)
		return;
	size = min(align_up(entries * BASER_ENTRY(baser), TABLE_PAGE),
		   MAX_TABLE_PAGES * TABLE_PAGE);
	mmio_write64(its + GITS_BASER(n), BASE_VALID | BASE_CACHED | BASER_PAGE_64K |
						  gpa_of(mem_alloc(size, TABLE_PAGE)) |
						  (size / TABLE_PAGE - 1));
	if ((mmio_read64(its + GITS_BASER(n)) & BASER_PAGE_MASK) != BASER_PAGE_64K)
		panic("the tables of the ITS have no pages of 64 KiB");
}

static void enable_lpis(u8 *rd)
{
	u64 size = BIT_ULL(LPI_ID_BITS);

	lpi_config = mem_alloc(size - FIRST_LPI, 64 * KiB);
	mmio_write64(rd + GICR_PROPBASER, gpa_of(lpi_config) | LPI_CACHED | (LPI_ID_BITS - 1));
	mmio_write64(rd + GICR_PENDBASER,
		     gpa_of(mem_alloc(size / 8, 64 * KiB)) | LPI_CACHED | PENDBASER_ZEROED);
	dsb();
	mmio_write32(rd + GICR_CTLR, mmio_read32(rd + GICR_CTLR) | GICR_CTLR_LPIS);
}

void its_init(int gic, u8 *rd)
{
	int node = DT_NONE;
	unsigned int n;
	u64 type;

	while ((node = dt_next_child(gic, node)) != DT_NONE) {
		if (dt_is_compatible(node, "arm,gic-v3-its"))
			break;
	}
	if (!dt_reg(node, 0, &its_gpa, NULL))
		return;
	its_phandle = dt_cell(node, "phandle", 0, 0);
	its = map_phys(its_gpa, GITS_SIZE);
	type = mmio_read64(its + GITS_TYPER);
	for (n = 0; n < NR_BASERS; n++)
		make_table(n, type);
	enable_lpis(rd);
	queue = mem_alloc(QUEUE_SIZE, 64 * KiB);
	mmio_write64(its + GITS_CBASER,
		     BASE_VALID | BASE_CACHED | gpa_of(queue) | (QUEUE_SIZE / PAGE_SIZE - 1));
	mmio_write64(its + GITS_CWRITER, 0);
	mmio_write32(its + GITS_CTLR, GITS_CTLR_ENABLED);
	target = type & TYPER_PTA ? gpa_of(rd) : (mmio_read64(rd + GICR_TYPER) >> 8 & 0xffff) << 16;
	command(CMD_MAPC, 0, CMD_VALID | target | COLLECTION);
	command(CMD_SYNC, 0, target);
}

static bool map_device(u32 device)
{
	unsigned int i;

	for (i = 0; i < nr_devices; i++) {
		if (devices[i] == device)
			return true;
	}
	if (nr_devices == MAX_DEVICES)
		return false;
	devices[nr_devices++] = device;
	/* A page has room for the few events, whatever the size of an entry. */
	command(CMD_MAPD | (u64)device << 32, EVENT_BITS - 1, CMD_VALID | gpa_of(page_alloc()));
	return true;
}

static void map_event(u32 device, u32 event)
{
	unsigned int i;
	u32 lpi;

	for (i = 0; i < nr_events; i++) {
		if (events[i].device == device && events[i].event == event)
			return;
	}
	lpi = FIRST_LPI + nr_events;
	events[nr_events].device = device;
	events[nr_events++].event = event;
	irq_set_line(lpi, event);
	lpi_config[lpi - FIRST_LPI] = IRQ_PRIORITY | LPI_ENABLED;
	command(CMD_MAPTI | (u64)device << 32, event | (u64)lpi << 32, COLLECTION);
	command(CMD_INV | (u64)device << 32, event, 0);
	command(CMD_SYNC, 0, target);
}

bool its_message(u16 bdf, unsigned int line, u64 *addr, u32 *data)
{
	u32 phandle = 0, device = bdf;

	if (!its)
		return false;
	if (!dt_map_id("msi-map", bdf, &phandle, &device))
		phandle = dt_cell(dt_pci_host(), "msi-parent", 0, 0);
	if (phandle != its_phandle || !map_device(device))
		return false;
	map_event(device, line);
	*addr = its_gpa + GITS_TRANSLATER;
	*data = line;
	return true;
}
