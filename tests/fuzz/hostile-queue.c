// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <errno.h>
#include <linux/virtio_config.h>
#include <string.h>

#include "fuzz.h"
#include "hostile-queue.h"
#include "queue-guest.h"

/* Those of any layout are in the first 2 KiB, with queues of at most so many. */
#define RING_AREA (2 * KiB)
#define MOST_SIZE 64

static bool behind_iommu;
static u16 heads[MAX_SIZE];
static unsigned int nr_heads;

/* Where something may be: what the driver's buffers and tables are in, and what is nowhere. */
static u64 address(void)
{
	u64 base = behind_iommu ? IOVA_BASE + 4 * PAGE : TABLE;

	switch (unit_below(8)) {
	case 0:
		return fuzz_number();
	case 1:
		return t.rings + unit_below(RING_AREA);
	case 2:
		return base + unit_below(4) * PAGE + unit_below(64) * 16;
	default:
		return base + fuzz_int(2);
	}
}

static u32 length(void)
{
	return fuzz_bool() ? unit_below(64) * 16 : fuzz_number();
}

static void write_anything(void)
{
	u64 val = fuzz_int(8);

	fake_write(&t.drv, t.rings + unit_below(RING_AREA), &val, 1 + unit_below(8));
}

/* A descriptor of the ring, or one of a table. */
static void write_descriptor(bool packed)
{
	u64 table = t.rings, addr = address();
	u16 flags = fuzz_int(1) & (VRING_DESC_F_NEXT | VRING_DESC_F_WRITE | VRING_DESC_F_INDIRECT);
	u16 size = packed ? t.p.size : t.q.size, i = unit_below(MOST_SIZE), next = fuzz_int(1);
	struct fake_queue elsewhere = {.drv = &t.drv};

	if (fuzz_bool())
		table = (behind_iommu ? IOVA_BASE + 4 * PAGE : TABLE) + unit_below(4) * PAGE;
	else
		i %= size;
	if (packed) {
		flags |= fuzz_bool() ? packed_avail_flags(&t.p) : fuzz_int(2);
		packed_desc(&t.drv, table, i, addr, length(), next, flags);
		if (fuzz_bool())
			packed_advance(&t.p);
		return;
	}
	elsewhere.desc = table;
	fake_desc(&elsewhere, i, addr, length(), flags, next % (fuzz_bool() ? size : 256));
}

/* Chains as they should be, to come to where something can go wrong. */
static void offer(bool packed)
{
	unsigned int nr_out = unit_below(4), nr_in = unit_below(4);
	u64 table = (behind_iommu ? IOVA_BASE + 4 * PAGE : TABLE) + unit_below(4) * PAGE;
	bool indirect = fuzz_bool() && virtio_has_feature(&t.vdev, VIRTIO_RING_F_INDIRECT_DESC);
	struct fake_seg segs[8];

	if (!nr_out && !nr_in)
		nr_out = 1;
	for (unsigned int i = 0; i < nr_out + nr_in; i++)
		segs[i] = (struct fake_seg){address(), length()};
	if (packed && nr_out + nr_in > t.p.size)
		return;
	if (!packed && nr_out + nr_in > t.q.size)
		return;
	if (packed && indirect)
		packed_offer_indirect(&t.p, fuzz_int(2), segs, nr_out, nr_in, table);
	else if (packed)
		packed_offer(&t.p, fuzz_int(2), segs, nr_out, nr_in);
	else if (indirect)
		fake_offer(&t.q, fake_chain_indirect(&t.q, segs, nr_out, nr_in, table));
	else
		fake_offer(&t.q, fake_chain(&t.q, segs, nr_out, nr_in));
}

static void move_index(bool packed)
{
	if (packed) {
		packed_driver_event(&t.p, fuzz_int(2), fuzz_int(2), fuzz_bool());
		return;
	}
	if (fuzz_bool())
		fake_offer(&t.q, fuzz_int(1));
	else
		fake_put16(&t.drv, t.q.avail + 2, fuzz_int(2));
	fake_avail_flags(&t.q, unit_below(4));
	fake_used_event(&t.q, fuzz_int(2));
}

static void check_iov(const struct iovec *iov, unsigned int nr, u64 most)
{
	const struct guest_bank *bank = &t.mem.banks[0];

	for (unsigned int i = 0; i < nr; i++) {
		u64 off = (u8 *)iov[i].iov_base - bank->hva;

		CHECK(off < bank->size && iov[i].iov_len <= bank->size - off);
		CHECK(iov[i].iov_len <= most);
		most -= iov[i].iov_len;
	}
}

/* What a device does with a chain. */
static void use_chain(void)
{
	struct virtq_chain *c = &t.chain;
	u8 buf[256];
	bool in = fuzz_bool();
	u64 off = fuzz_number(), len = fuzz_number(), sum = 0;
	unsigned int nr_handles;
	dma_handle_t handles[16];
	struct iovec iov[16];
	int ret;

	for (unsigned int i = 0; i < c->nr_out + c->nr_in; i++)
		sum += c->segs[i].len;
	CHECK_EQ(sum, c->out_len + c->in_len);
	CHECK(c->nr_out + c->nr_in <= VIRTQ_MAX_SEGS && sum <= 4 * GiB);

	memset(buf, 0x55, sizeof(buf));
	if (in)
		ret = virtq_copy_in(t.vq, c, off, buf, len % sizeof(buf));
	else
		ret = virtq_copy_out(t.vq, c, off, buf, len % sizeof(buf));
	CHECK(ret <= (int)(len % sizeof(buf)));
	ret = virtq_map(t.vq, c, in, off, len, iov, handles, ARRAY_SIZE(iov), &nr_handles);
	if (ret < 0)
		return;
	check_iov(iov, ret, len);
	virtq_unmap(t.vq, handles, nr_handles);
}

static void take(bool packed)
{
	int ret = virtq_pop(t.vq, &t.chain);

	CHECK(ret == 1 || ret == 0 || ret == -EIO);
	if (ret != 1)
		return;
	CHECK(t.chain.head < t.vq->size);
	for (unsigned int i = 0; i < nr_heads && packed; i++)
		CHECK(heads[i] != t.chain.head);
	use_chain();
	if (nr_heads < ARRAY_SIZE(heads))
		heads[nr_heads++] = t.chain.head;
	else
		virtq_push(t.vq, t.chain.head, 0);
}

static void give_back(void)
{
	unsigned int i;

	if (nr_heads) {
		i = unit_below(nr_heads);
		virtq_push(t.vq, heads[i], fuzz_number());
		heads[i] = heads[--nr_heads];
	}
	if (fuzz_bool())
		virtq_publish(t.vq);
	if (fuzz_bool())
		virtq_enable_kick(t.vq);
	else
		virtq_disable_kick(t.vq);
}

static void map_or_unmap(void)
{
	unsigned int page = unit_below(NR_PAGES);
	struct mapping m = {
		.start = IOVA_BASE + page * PAGE,
		.last = IOVA_BASE + page * PAGE + PAGE - 1,
		.gpa = scattered(IOVA_BASE + page * PAGE),
	};

	m.flags = unit_below(4);
	if (!behind_iommu)
		return;
	iommu_unmap(&t.iommu, 1, m.start, m.last);
	if (m.flags)
		iommu_map(&t.iommu, 1, &m);
}

static u16 queue_size(bool packed)
{
	return packed ? 1 + unit_below(MOST_SIZE) : 1U << unit_below(7);
}

static void restart(bool packed)
{
	u64 features = ALL_FEATURES;

	nr_heads = 0;
	if (unit_below(4)) {
		pthread_mutex_lock(&t.vdev.lock);
		virtio_queue_reset(&t.vdev, 0);
		pthread_mutex_unlock(&t.vdev.lock);
	}
	if (fuzz_bool())
		features &= ~EVENT_IDX;
	if (fuzz_bool())
		features &= ~BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC);
	driver_start(features, queue_size(packed), t.rings);
}

void hostile_queue(bool packed)
{
	u16 size = queue_size(packed);

	behind_iommu = fuzz_bool();
	nr_heads = 0;
	if (behind_iommu && packed)
		packed_start_behind_iommu(size, IOVA_BASE);
	else if (behind_iommu)
		device_start_behind_iommu(size, IOVA_BASE);
	else if (packed)
		packed_start(ALL_FEATURES, size);
	else
		device_start(ALL_FEATURES, size);
	while (fuzz_more()) {
		u8 step = fuzz_int(1);

		if (step < 32)
			write_anything();
		else if (step < 80)
			write_descriptor(packed);
		else if (step < 112)
			offer(packed);
		else if (step < 144)
			move_index(packed);
		else if (step < 200)
			take(packed);
		else if (step < 244)
			give_back();
		else if (step < 252)
			map_or_unmap();
		else
			restart(packed);
	}
	device_end();
}
