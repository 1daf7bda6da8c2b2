// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests to the virtio-iommu in any order and shape, in either layout of queues, served by vCPUs
 * or by the thread that looks for them, with endpoints that take tables of several formats, and
 * accesses of theirs between them. What a request means is for fuzz-iommu-model; here each one is
 * answered, and nothing breaks.
 */
#include <endian.h>
#include <errno.h>
#include <linux/futex.h>
#include <linux/virtio_config.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "build-aarch64.h"
#include "build-x86.h"
#include "fake-packed.h"
#include "fake-time.h"
#include "fuzz.h"
#include "inline-worker.h"
#include "iommu-guest.h"
#include "iommu/format.h"
#include "iommu/report.h"
#include "util/report.h"

#define TABLES	  DATA_BASE
#define NR_TABLES 32
#define ANSWERS	  (SCRATCH + 64 * KiB)
#define RINGS	  (64 * KiB)
#define MOST_SEGS 6
#define POLL_US	  64

/* In the places of g.requestq and g.eventq, if they are packed. */
static struct packed_queue requests, events;
static bool is_packed;

/* Requests, and their descriptors, that are not used yet. */
static unsigned int nr_waiting, descs_waiting;
static unsigned int nr_buffers; /* for events */

/* Accesses that go on over requests, for which these may have to wait. */
#define MAX_OPEN 6
static struct {
	struct dma_chan *chan;
	dma_handle_t handle;
} accesses[MAX_OPEN];
static unsigned int nr_accesses;

/* While the thread looks for requests, the driver goes on. */
static bool driver_goes_on;

long __wrap_syscall(long number, ...);
long __real_syscall(long number, ...);

static void end_access(unsigned int i)
{
	dma_unmap(accesses[i].chan, accesses[i].handle);
	accesses[i] = accesses[--nr_accesses];
}

/* Whoever sleeps waits for an access: then one ends. */
long __wrap_syscall(long number, ...)
{
	long arg[6];
	va_list args;

	va_start(args, number);
	for (unsigned int i = 0; i < ARRAY_SIZE(arg); i++)
		arg[i] = va_arg(args, long);
	va_end(args);
	if (number != SYS_futex || arg[1] != FUTEX_WAIT_PRIVATE)
		return __real_syscall(number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
	CHECK(nr_accesses);
	end_access(unit_below(nr_accesses));
	return 0;
}

static u64 table_page(void)
{
	return TABLES + unit_below(NR_TABLES) * GRANULE;
}

static u32 domain_id(void)
{
	return fuzz_int(1) & 0x80 ? fuzz_int(4) : unit_below(4);
}

static u32 endpoint_id(void)
{
	u32 n = unit_below(16);

	return n < 14 ? ep_id(n % NR_ENDPOINTS) : UNKNOWN_EP;
}

static u64 address(void)
{
	return fuzz_bool() ? unit_below(64) * GRANULE : fuzz_number();
}

/* A table of a PASID, the device's directory, or a table or a directory here. */
static void fill_riscv(bool gipc, u8 *desc)
{
	u64 fsc = table_page() >> 12 | (u64)(fuzz_bool() ? 8 + unit_below(3) : unit_below(4)) << 60;
	u64 ta = unit_below(4) << 12, tc = 1 | unit_below(64) << 4;
	bool pasid = gipc && fuzz_bool();

	x86_put_desc(desc, 16, 8, pasid ? 0 : gipc ? 0x21 | (tc & 0x300) : tc);
	x86_put_desc(desc, 24, 8, (gipc && !pasid) || (!gipc && tc & 0x20) ? 0 : ta);
	x86_put_desc(desc, 32, 8, gipc && !pasid ? 0 : fsc);
	x86_put_desc(desc, 40, 4, pasid ? unit_below(4) : 0);
	x86_put_desc(desc, 44, 4, gipc ? 2 - pasid : 0);
}

/* As a driver would fill it in, offsets as in docs/page-tables.md. */
static void fill_good(const struct iommu_format *format, u8 wire, u8 *desc)
{
	u32 pasid = unit_below(4);

	switch (wire) {
	case VIOMMU_TABLE_ARM_SMMU3:
		x86_put_desc(desc, 16, 8, table_page() | (u64)unit_below(8) << 59 | 0xb);
		x86_put_desc(desc, 24, 8, unit_below(3));
		break;
	case VIOMMU_TABLE_INTEL_PT:
		x86_put_desc(desc, 16, 8, table_page());
		x86_put_desc(desc, 24, 4, fuzz_bool() ? pasid : 0);
		x86_put_desc(desc, 28, 4, unit_below(8) | (fuzz_bool() ? 0x100 : 0));
		x86_put_desc(desc, 32, 4, fuzz_bool() ? 57 : 48);
		break;
	case VIOMMU_TABLE_RISCV:
		fill_riscv(format->pasid_format, desc);
		break;
	case VIOMMU_TABLE_AMD_GCR3:
		x86_put_desc(desc, 16, 8, format->pasid_format ? 0 : table_page());
		for (unsigned int at = 24; at < 29; at++)
			x86_put_desc(desc, at, 1, at == 27 ? 0 : unit_below(2));
		break;
	case VIOMMU_TABLE_AMD_PT:
		x86_put_desc(desc, 16, 8, table_page());
		x86_put_desc(desc, 24, 4, pasid);
		break;
	}
}

/* A good descriptor, or a few fields of one that is otherwise 0. */
static void fill_descriptor(const struct iommu_format *format, u8 wire, u8 *desc)
{
	unsigned int nr = unit_below(16);

	if (nr >= 8 && format) {
		fill_good(format, wire, desc);
		return;
	}
	if (nr == 7) {
		fuzz_take(desc, 48);
		return;
	}
	for (nr %= 8; nr--;) {
		unsigned int at = 3 + unit_below(40);
		u64 val = htole64(fuzz_bool() ? table_page() | fuzz_int(2) << 48 | fuzz_int(1)
					      : fuzz_number());

		memcpy(desc + at, &val, min(sizeof(val), (size_t)IOMMU_DESCRIPTOR_SIZE - at));
	}
}

/* Mostly for an endpoint that there is, in a format of its own. */
static void fill_attach_table(struct viommu_attach_table *r)
{
	unsigned int n = unit_below(NR_ENDPOINTS);
	const struct iommu_format *format = g.eps[n].format;
	u8 how = fuzz_int(1);

	r->domain = htole32(domain_id());
	r->endpoint = htole32(how & 0x70 ? ep_id(n) : endpoint_id());
	if (!format || how & 0x80)
		r->format = how;
	else
		r->format = how & 1 ? format->pasid_format : format->base_format;
	fill_descriptor(format, r->format, r->descriptor);
}

union request {
	struct viommu_head head;
	struct viommu_attach attach;
	struct viommu_detach detach;
	struct viommu_map map;
	struct viommu_unmap unmap;
	struct viommu_probe probe;
	struct viommu_attach_table table;
	struct viommu_invalidate invalidate;
	u8 bytes[256];
};

/* Likely to be good; the length that it has to have. */
static u32 fill_request(union request *r)
{
	memset(r, 0, sizeof(*r));
	r->head.type = 1 + unit_below(VIOMMU_T_INVALIDATE);
	switch (r->head.type) {
	case VIOMMU_T_ATTACH:
		r->attach.domain = htole32(domain_id());
		r->attach.endpoint = htole32(endpoint_id());
		r->attach.flags = htole32(unit_below(4));
		return sizeof(r->attach);
	case VIOMMU_T_DETACH:
		r->detach.domain = htole32(domain_id());
		r->detach.endpoint = htole32(endpoint_id());
		r->detach.flags = htole32(unit_below(4));
		r->detach.pasid = htole32(fuzz_number());
		return sizeof(r->detach);
	case VIOMMU_T_MAP:
		r->map.domain = htole32(domain_id());
		r->map.virt_start = htole64(address());
		r->map.virt_end = htole64(le64toh(r->map.virt_start) + address() - 1);
		r->map.phys_start = htole64(address());
		r->map.flags = htole32(fuzz_int(1));
		return sizeof(r->map);
	case VIOMMU_T_UNMAP:
		r->unmap.domain = htole32(domain_id());
		r->unmap.virt_start = htole64(address());
		r->unmap.virt_end = htole64(le64toh(r->unmap.virt_start) + address() - 1);
		return sizeof(r->unmap);
	case VIOMMU_T_PROBE:
		r->probe.endpoint = htole32(endpoint_id());
		return sizeof(r->probe);
	case VIOMMU_T_ATTACH_TABLE:
		fill_attach_table(&r->table);
		return sizeof(r->table);
	default:
		r->invalidate.scope = unit_below(5);
		r->invalidate.caches = unit_below(5);
		r->invalidate.flags = htole16(unit_below(32));
		r->invalidate.domain = htole32(domain_id());
		r->invalidate.pasid = htole32(fuzz_bool() ? fuzz_number() : 0);
		r->invalidate.id = htole64(fuzz_bool() ? fuzz_number() : 0);
		r->invalidate.address = htole64(fuzz_bool() ? address() : 0);
		r->invalidate.nr_pages = htole64(fuzz_bool() ? fuzz_number() : 0);
		r->invalidate.page_size = fuzz_bool() ? fuzz_int(1) : 0;
		return sizeof(r->invalidate);
	}
}

static void offer_chain(const struct fake_seg *segs, unsigned int nr_out, unsigned int nr_in)
{
	nr_waiting++;
	descs_waiting += nr_out + nr_in;
	if (is_packed)
		packed_offer(&requests, requests.avail, segs, nr_out, nr_in);
	else
		fake_offer(&g.requestq, fake_chain(&g.requestq, segs, nr_out, nr_in));
}

/* One request, cut into descriptors as the input says; a few bytes may be anything. */
static void offer_request(void)
{
	struct fake_seg segs[MOST_SEGS];
	unsigned int nr_out = 1 + unit_below(3), nr_in = unit_below(4), i;
	union request r;
	u32 len = fill_request(&r);
	u64 at = SCRATCH;

	for (i = unit_below(4); i; i--) {
		u8 where = fuzz_int(1);

		r.bytes[where % len] = fuzz_int(1);
	}
	if (unit_below(8) == 0)
		len = fuzz_int(1);
	fake_write(&g.drv, at, r.bytes, len);
	for (i = 0; i < nr_out; i++) {
		segs[i] = (struct fake_seg){at, i == nr_out - 1 ? len : unit_below(len + 1)};
		at += segs[i].len;
		len -= segs[i].len;
	}
	at = ANSWERS;
	for (; i < nr_out + nr_in; i++) {
		segs[i] = (struct fake_seg){at, fuzz_bool() ? fuzz_int(2) : 4};
		at += segs[i].len;
	}
	if (unit_below(16) == 0) {
		u64 addr = fuzz_int(8);

		/* Not in the rings, of which the driver has to know what is in them. */
		segs[unit_below(nr_out + nr_in)].addr = max(addr, (u64)SCRATCH);
	}
	offer_chain(segs, nr_out, nr_in);
}

static void take_used(void)
{
	u32 id, len;

	while (is_packed ? packed_take_used(&requests, &id, &len)
			 : fake_take_used(&g.requestq, &id, &len)) {
		CHECK(id < QUEUE_SIZE);
		CHECK(nr_waiting--);
	}
	if (!nr_waiting)
		descs_waiting = 0;
}

static bool is_broken(void)
{
	return g.viommu.vdev.vqs[VIOMMU_REQUESTQ].broken;
}

static void kick(void)
{
	virtio_kick(&g.viommu.vdev, VIOMMU_REQUESTQ);
	take_used();
	/* Whatever they were, they are done. */
	CHECK(!nr_waiting || is_broken());
}

/* Behind it there may be some that the device has not been told of. */
static void offer_some(void)
{
	for (unsigned int nr = 1 + unit_below(4); nr; nr--) {
		if (descs_waiting + MOST_SEGS <= QUEUE_SIZE)
			offer_request();
	}
}

static void step_requests(void)
{
	offer_some();
	kick();
}

/* From one look of the thread to the next. */
static void driver_turn(void)
{
	if (!driver_goes_on || !fuzz_more())
		return;
	driver_goes_on = false;
	if (unit_below(4) == 0) {
		offer_some();
		/* It may be that it is not told to be quiet yet. */
		if (fuzz_bool())
			virtio_kick(&g.viommu.vdev, VIOMMU_REQUESTQ);
	}
	driver_goes_on = true;
}

static bool kick_wanted(void)
{
	return is_packed ? packed_kick_wanted(&requests, descs_waiting)
			 : fake_kick_wanted(&g.requestq, nr_waiting);
}

/* The thread's turn, if there is one. What it leaves behind waits for a kick that it asked for. */
static void step_poll(void)
{
	static const u16 steps[] = {1, 10, 60, 150, 1000};

	fake_time.step_us = fuzz_pick(steps);
	if (fuzz_bool())
		fake_time.now_us += 2000000;
	offer_some();
	driver_goes_on = fuzz_bool();
	inline_workers_run();
	driver_goes_on = false;
	take_used();
	CHECK(!nr_waiting || kick_wanted() || is_broken());
}

/* A context descriptor of an SMMUv3, at the start of a page, that leads to a table there. */
static void put_context(void)
{
	struct table_memory tm = {.mem = g.mem};
	struct a64_space lower = {&tm, 12, 25, false, table_page()};
	struct a64_space upper = {&tm, 12, 25, true, table_page()};
	u64 cd[8];

	cd_fill(cd, &lower, unit_below(4));
	cd_add(cd, &upper);
	cd_put(&tm, table_page(), cd);
}

/* An entry of a table, or anything else. */
static void put_entry(void)
{
	u64 at = table_page() + unit_below(512) * 8;
	u64 val =
		htole64(fuzz_bool() ? table_page() | fuzz_int(2) | fuzz_int(1) << 56 : fuzz_int(8));

	if (fuzz_bool())
		val = htole64(table_page() >> 2 | fuzz_int(1));
	fake_write(&g.drv, at, &val, sizeof(val));
}

static void step_memory(void)
{
	if (unit_below(8) == 0) {
		put_context();
		return;
	}
	put_entry();
}

static void step_access(void)
{
	unsigned int n = unit_below(NR_ENDPOINTS), flags = fuzz_int(1), nr;
	u32 pasid = flags & 0x80 ? DMA_NO_PASID : flags & 0x40 ? fuzz_int(3) : 0;
	dma_handle_t handle;
	struct iovec iov[4];
	u32 dir = flags & (DMA_READ | DMA_WRITE | DMA_PRIV);
	u64 len = fuzz_number();
	int ret;

	if (flags & DMA_EXEC)
		dir |= DMA_READ | DMA_EXEC;
	if (!(dir & (DMA_READ | DMA_WRITE)))
		dir |= DMA_WRITE;

	ret = dma_map(&g.chans[n], pasid, address(), len, dir, iov, ARRAY_SIZE(iov), &handle);
	if (ret < 0)
		return;
	nr = ret;
	for (unsigned int i = 0; i < nr; i++) {
		const struct guest_bank *bank = &g.mem.banks[0];
		u64 off = (u8 *)iov[i].iov_base - bank->hva;

		CHECK(off < bank->size && iov[i].iov_len <= bank->size - off);
		CHECK(iov[i].iov_len <= len);
		len -= iov[i].iov_len;
	}
	CHECK_EQ(len, 0);
	if (flags & 0x20 && nr_accesses < MAX_OPEN) {
		accesses[nr_accesses].chan = &g.chans[n];
		accesses[nr_accesses++].handle = handle;
		return;
	}
	dma_unmap(&g.chans[n], handle);
}

/* A buffer for faults. */
static void step_event(void)
{
	const struct fake_seg seg = {EVENT_BASE, unit_below(32)};
	u32 id, len;

	while (is_packed ? packed_take_used(&events, &id, &len)
			 : fake_take_used(&g.eventq, &id, &len)) {
		CHECK(len <= sizeof(struct viommu_fault));
		nr_buffers--;
	}
	if (fuzz_bool() && nr_buffers < QUEUE_SIZE) {
		if (is_packed)
			packed_offer(&events, events.avail, &seg, 0, 1);
		else
			fake_offer(&g.eventq, fake_chain(&g.eventq, &seg, 0, 1));
		nr_buffers++;
		virtio_kick(&g.viommu.vdev, VIOMMU_EVENTQ);
	}
}

/* What there is can be told. */
static void step_report(void)
{
	struct iommu_report_filter filter = {
		.one_domain = fuzz_bool(),
		.domain = unit_below(4),
		.mappings = fuzz_bool(),
		.from = address(),
	};
	struct report *r = report_new(fuzz_bool(), 1 * MiB);
	const struct timespec never = {0};
	size_t len;
	int ret;

	if (!r)
		exit(2);
	report_object_begin(r, NULL);
	ret = iommu_report(&g.iommu, r, &filter, &never);
	report_object_end(r);
	CHECK(ret == 0 || (ret == -ENOENT && filter.one_domain));
	CHECK(report_text(r, &len));
	report_free(r);
}

static void start(u64 features)
{
	guest_negotiate(features);
	is_packed = virtio_has_feature(&g.viommu.vdev, VIRTIO_F_RING_PACKED);
	if (is_packed) {
		packed_setup(&requests, &g.drv, VIOMMU_REQUESTQ, QUEUE_SIZE, RINGS);
		packed_setup(&events, &g.drv, VIOMMU_EVENTQ, QUEUE_SIZE, RINGS + 64 * KiB);
	} else {
		guest_setup_queues();
	}
	nr_waiting = descs_waiting = nr_buffers = 0;
	fake_driver_status(&g.drv, VIRTIO_CONFIG_S_DRIVER_OK);
}

static void step_reset(void)
{
	u64 features = ALL_FEATURES;

	if (unit_below(4)) {
		write_bypass(fuzz_int(1) & 3);
		return;
	}
	if (fuzz_bool())
		features &= ~BIT_ULL(unit_below(8));
	start(features);
}

/* What is counted is there. */
static void check_counts(void)
{
	const struct iommu_domain *domain;
	u64 mappings = 0;

	list_for_each_entry (domain, &g.iommu.domains, node) {
		mappings += domain->mappings ? mapping_store_count(domain->mappings) : 0;
		CHECK(!list_empty(&domain->endpoints));
	}
	CHECK_EQ(mappings, g.iommu.nr_mappings);
	CHECK(g.iommu.nr_tables <= g.config.max_mappings);
}

void fuzz_one(void)
{
	static void (*const steps[])(void) = {
		step_requests, step_requests, step_requests, step_memory,
		step_access,   step_access,   step_event,    step_reset,
		step_requests, step_poll,     step_requests, step_memory,
		step_access,   step_report,   step_event,    step_poll,
	};
	struct iommu_config config = default_config;
	const struct iommu_limits limits = {
		.pa_bits = 32 + unit_below(21),
		.pasid_bits = unit_below(21),
	};
	u8 how;

	config.offer_tables = unit_below(16);
	config.no_map = !unit_below(16);
	config.max_mappings = 8;
	config.input_last = fuzz_bool() ? UINT64_MAX : 256 * GRANULE - 1;
	config.resv[0] = (struct iommu_resv){16 * GRANULE, 18 * GRANULE - 1, IOMMU_RESV_MSI};
	how = fuzz_int(1);
	config.nr_resv = how & 1;
	config.poll_us = how & 2 ? POLL_US : 0;
	fake_time = (struct fake_time){.on = true, .step_us = 1, .looked = driver_turn};
	guest_create(&config);
	if (how & 4)
		g.viommu.vdev.offered |= BIT_ULL(VIRTIO_F_RING_PACKED);
	for (unsigned int n = 0; n < NR_ENDPOINTS; n++)
		iommu_set_format(&g.eps[n], iommu_formats[unit_below(7)], &limits);
	start(ALL_FEATURES);
	while (fuzz_more())
		fuzz_pick(steps)();
	check_counts();
	while (nr_accesses)
		end_access(0);
	guest_end();
	fake_time.on = false;
}
