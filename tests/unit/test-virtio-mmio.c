// SPDX-License-Identifier: GPL-2.0-only
/* Registers, interrupts and kicks of the MMIO transport: virtio 1.3, 4.2. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "capture.h"
#include "unit.h"
#include "virtio-pci-guest.h"
#include "virtio/mmio.h"

#define BASE	 0xd0005000ULL
#define MMIO_GSI 9

enum {
	R_MAGIC = 0x000,
	R_VERSION = 0x004,
	R_DEVICE_ID = 0x008,
	R_VENDOR_ID = 0x00c,
	R_DEVICE_FEATURES = 0x010,
	R_DEVICE_FEATURES_SEL = 0x014,
	R_DRIVER_FEATURES = 0x020,
	R_DRIVER_FEATURES_SEL = 0x024,
	R_QUEUE_SEL = 0x030,
	R_QUEUE_SIZE_MAX = 0x034,
	R_QUEUE_SIZE = 0x038,
	R_QUEUE_READY = 0x044,
	R_NOTIFY = 0x050,
	R_ISR = 0x060,
	R_ACK = 0x064,
	R_STATUS = 0x070,
	R_DESC = 0x080,
	R_DRIVER = 0x090,
	R_DEVICE = 0x0a0,
	R_SHM_SEL = 0x0ac,
	R_SHM_LEN = 0x0b0,
	R_SHM_BASE = 0x0b8,
	R_QUEUE_RESET = 0x0c0,
	R_GENERATION = 0x0fc,
	R_CONFIG = 0x100,
};

#define ALL_OK (ACK | DRIVER | FEATURES_OK | DRIVER_OK)

static struct virtio_mmio vmmio;

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	return fake_kvm_ioctl(fd, request, arg);
}

static void begin(const struct virtio_ops *ops, bool behind_iommu)
{
	thing_make(ops, behind_iommu);
	if (virtio_mmio_init(&vmmio, &m.vdev, &m.vm, BASE, MMIO_GSI))
		exit(2);
}

static void end(void)
{
	virtio_mmio_destroy(&vmmio);
	CHECK(!fake_kvm_wire(MMIO_GSI));
	CHECK_EQ(mem_read(BASE, 4), UINT32_MAX);
	thing_free();
}

static u32 get(u64 off)
{
	return mem_read(BASE + off, 4);
}

static void set(u64 off, u32 val)
{
	mem_write(BASE + off, 4, val);
}

static void accept_features(u64 features)
{
	for (u32 i = 0; i < 2; i++) {
		set(R_DRIVER_FEATURES_SEL, i);
		set(R_DRIVER_FEATURES, features >> 32 * i);
	}
}

static bool agree(u64 features)
{
	set(R_STATUS, 0);
	set(R_STATUS, ACK | DRIVER);
	accept_features(features);
	set(R_STATUS, ACK | DRIVER | FEATURES_OK);
	return get(R_STATUS) & FEATURES_OK;
}

static void set_up_queue(u32 index)
{
	set(R_QUEUE_SEL, index);
	set(R_QUEUE_SIZE, 16);
	set(R_DESC, 0x10000);
	set(R_DRIVER, 0x11000);
	set(R_DEVICE, 0x12000);
}

/* All features and queue @index, up to DRIVER_OK. */
static void run(u32 index)
{
	CHECK(agree(m.vdev.offered));
	set_up_queue(index);
	set(R_QUEUE_READY, 1);
	set(R_STATUS, ALL_OK);
	CHECK_EQ(get(R_STATUS), ALL_OK);
}

static void interrupt(struct virtq *vq)
{
	m.vdev.transport->interrupt(&m.vdev, vq);
}

/* Registers: 4.2.2. */

TEST(identity)
{
	begin(&plain_ops, false);
	CHECK_EQ(get(R_MAGIC), 0x74726976);
	CHECK_EQ(get(R_VERSION), 2);
	CHECK_EQ(get(R_DEVICE_ID), DEVICE_ID);
	CHECK(get(R_VENDOR_ID));
	CHECK_STR_EQ(m.vdev.where, "mmio@d0005000");
	/* Whatever region is asked for: there is none. */
	for (u32 i = 0; i < 3; i++) {
		set(R_SHM_SEL, i ? i : UINT32_MAX);
		CHECK_EQ(get(R_SHM_LEN), UINT32_MAX);
		CHECK_EQ(get(R_SHM_LEN + 4), UINT32_MAX);
		CHECK_EQ(get(R_SHM_BASE), UINT32_MAX);
		CHECK_EQ(get(R_SHM_BASE + 4), UINT32_MAX);
	}
	end();
}

TEST(feature_bits_by_halves)
{
	begin(&plain_ops, true);
	CHECK(m.vdev.offered & ACCESS_PLATFORM);
	CHECK_EQ(get(R_DEVICE_FEATURES), (u32)m.vdev.offered);
	set(R_DEVICE_FEATURES_SEL, 1);
	CHECK_EQ(get(R_DEVICE_FEATURES), m.vdev.offered >> 32);
	set(R_DEVICE_FEATURES_SEL, 2);
	CHECK_EQ(get(R_DEVICE_FEATURES), 0);
	set(R_DEVICE_FEATURES_SEL, UINT32_MAX);
	CHECK_EQ(get(R_DEVICE_FEATURES), 0);

	accept_features(0x123456789abcdef0);
	CHECK_EQ(m.vdev.accepted, 0x123456789abcdef0);
	set(R_DRIVER_FEATURES_SEL, 2);
	set(R_DRIVER_FEATURES, UINT32_MAX);
	CHECK_EQ(m.vdev.accepted, 0x123456789abcdef0);
	CHECK(agree(m.vdev.offered));
	CHECK(!agree(m.vdev.offered & ~ACCESS_PLATFORM));
	CHECK(!agree(m.vdev.offered | BIT_ULL(63)));
	end();
}

TEST(status_is_a_byte_and_only_0_resets)
{
	static const u32 none[] = {0x100, 0xffffff00, 0x80000000, 0x10f};

	begin(&plain_ops, false);
	run(0);
	for (unsigned int i = 0; i < ARRAY_SIZE(none); i++) {
		set(R_STATUS, none[i]);
		CHECK_EQ(get(R_STATUS), ALL_OK);
	}
	CHECK_EQ(m.resets, 1);
	CHECK_EQ(m.stops[0], 0);
	set(R_STATUS, 0);
	CHECK_EQ(get(R_STATUS), 0);
	CHECK_EQ(m.resets, 2);
	CHECK_EQ(m.stops[0], 1);
	end();
}

TEST(reset_makes_it_all_new)
{
	u32 before[R_CONFIG / 4], after[R_CONFIG / 4] = {0};

	begin(&plain_ops, false);
	for (unsigned int i = 0; i < ARRAY_SIZE(before); i++)
		before[i] = get(4 * i);
	set(R_DEVICE_FEATURES_SEL, 1);
	run(0);
	CHECK_EQ(m.starts[0], 1);
	set_up_queue(1);
	interrupt(&m.vdev.vqs[0]);
	virtio_config_changed(&m.vdev);
	CHECK(fake_kvm_wire(MMIO_GSI));

	set(R_STATUS, 0);
	CHECK_EQ(m.stops[0], 1);
	CHECK_EQ(m.stops[1], 0);
	CHECK(!fake_kvm_wire(MMIO_GSI));
	before[R_GENERATION / 4]++;
	for (unsigned int i = 0; i < ARRAY_SIZE(after); i++)
		after[i] = get(4 * i);
	CHECK(!memcmp(before, after, sizeof(before)));
	for (unsigned int i = 0; i < NR_VQS; i++) {
		CHECK(!m.vdev.vqs[i].enabled);
		CHECK_EQ(m.vdev.vqs[i].size, VQ_SIZE);
		CHECK_EQ(m.vdev.vqs[i].desc, 0);
	}
	/* And it works as before. */
	run(0);
	CHECK_EQ(m.starts[0], 2);
	set(R_NOTIFY, 0);
	CHECK_EQ(m.kicks[0], 1);
	interrupt(&m.vdev.vqs[0]);
	CHECK_EQ(get(R_ISR), 1);
	CHECK(fake_kvm_wire(MMIO_GSI));
	end();
}

TEST(words_only_and_aligned)
{
	u32 before[R_CONFIG / 4];

	begin(&plain_ops, false);
	run(0);
	interrupt(&m.vdev.vqs[0]);
	for (unsigned int i = 0; i < ARRAY_SIZE(before); i++)
		before[i] = get(4 * i);
	for (unsigned int len = 1; len <= 8; len *= 2) {
		for (u64 off = 0; off < R_CONFIG; off++) {
			if (len == 4 && off % 4 == 0)
				continue;
			mem_write(BASE + off, len, 0);
			mem_write(BASE + off, len, 1);
			mem_write(BASE + off, len, UINT64_MAX);
			if (!CHECK_EQ(mem_read(BASE + off, len), 0))
				break;
		}
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(before); i++)
		CHECK_EQ(get(4 * i), before[i]);
	CHECK_EQ(m.stops[0], 0);
	CHECK_EQ(m.kicks[0], 0);
	CHECK(fake_kvm_wire(MMIO_GSI));
	end();
}

TEST(what_is_no_register)
{
	begin(&plain_ops, false);
	set(R_STATUS, ACK | DRIVER);
	/* Only read, or nothing at all: the legacy ones too. */
	static const u16 offs[] = {0x000, 0x004, 0x008, 0x00c, 0x010, 0x018, 0x01c, 0x028,
				   0x02c, 0x034, 0x03c, 0x040, 0x048, 0x054, 0x060, 0x074,
				   0x0a8, 0x0b0, 0x0b8, 0x0c4, 0x0f8, 0x0fc};
	for (unsigned int i = 0; i < ARRAY_SIZE(offs); i++) {
		u32 was = get(offs[i]);

		set(offs[i], 0x5a5a5a5a);
		CHECK_EQ(get(offs[i]), was);
	}
	/* Only written. */
	set(R_QUEUE_SEL, 1);
	set_up_queue(1);
	for (u64 off = 0x014; off < 0x0c0; off += 4) {
		if (off == R_DEVICE_FEATURES_SEL || off == R_DRIVER_FEATURES ||
		    off == R_DRIVER_FEATURES_SEL || off == R_QUEUE_SEL || off == R_QUEUE_SIZE ||
		    off == R_NOTIFY || off == R_ACK || (off >= R_DESC && off <= R_SHM_SEL))
			CHECK_EQ(get(off), 0);
	}
	CHECK_EQ(get(R_STATUS), ACK | DRIVER);
	end();
}

/* The device configuration. */

TEST(device_configuration)
{
	begin(&plain_ops, false);
	CHECK_EQ(mem_read(BASE + R_CONFIG, 1), 0x40);
	CHECK_EQ(mem_read(BASE + R_CONFIG + 3, 2), 0x4443);
	CHECK_EQ(mem_read(BASE + R_CONFIG + CONFIG_SIZE - 8, 8), 0x535251504f4e4d4c);
	mem_write(BASE + R_CONFIG + 5, 1, 0xaa);
	mem_write(BASE + R_CONFIG + 6, 2, 0xccbb);
	CHECK_EQ(mem_read(BASE + R_CONFIG + 4, 4), 0xccbbaa44);
	/* Nothing behind its end, not even a part; nothing across its start. */
	CHECK_EQ(mem_read(BASE + R_CONFIG + CONFIG_SIZE, 1), 0);
	CHECK_EQ(mem_read(BASE + R_CONFIG + CONFIG_SIZE - 2, 4), 0);
	mem_write(BASE + R_CONFIG + CONFIG_SIZE - 2, 4, 0);
	CHECK_EQ(mem_read(BASE + R_CONFIG + CONFIG_SIZE - 2, 2), 0x5352);
	CHECK_EQ(mem_read(BASE + R_CONFIG - 4, 8), 0);
	mem_write(BASE + R_CONFIG - 4, 8, 0);
	CHECK_EQ(mem_read(BASE + R_CONFIG, 1), 0x40);
	/* The last bytes of the page, and none of the next. */
	CHECK_EQ(mem_read(BASE + VIRTIO_MMIO_SIZE - 8, 8), 0);
	CHECK_EQ(mem_read(BASE + VIRTIO_MMIO_SIZE - 4, 8), UINT64_MAX);
	CHECK_EQ(mem_read(BASE + VIRTIO_MMIO_SIZE, 4), UINT32_MAX);
	end();
}

TEST(config_change_counts_generations)
{
	u32 gen;

	begin(&plain_ops, false);
	gen = get(R_GENERATION);
	/* Nobody to tell before DRIVER_OK. */
	virtio_config_changed(&m.vdev);
	CHECK_EQ(get(R_GENERATION), gen + 1);
	CHECK_EQ(get(R_ISR), 0);
	run(0);
	for (unsigned int i = 2; i < 300; i++) {
		virtio_config_changed(&m.vdev);
		CHECK_EQ(get(R_GENERATION), gen + i);
	}
	CHECK_EQ(get(R_ISR), 2);
	end();
}

/* Queues. */

TEST(queue_select)
{
	static const u32 none[] = {NR_VQS, 0xffff, 0x10000, 0x80000000, UINT32_MAX};

	begin(&plain_ops, false);
	CHECK(agree(m.vdev.offered));
	for (u32 i = 0; i < NR_VQS; i++) {
		set(R_QUEUE_SEL, i);
		CHECK_EQ(get(R_QUEUE_SIZE_MAX), VQ_SIZE);
		CHECK_EQ(get(R_QUEUE_READY), 0);
		set(R_DESC, 0x1000 * (i + 1));
		set(R_DESC + 4, i);
		set(R_DRIVER + 4, 0x10 + i);
		set(R_DRIVER, 0x20);
		set(R_DEVICE + 4, 0x30 + i);
	}
	for (u32 i = 0; i < NR_VQS; i++) {
		CHECK_EQ(m.vdev.vqs[i].desc, (u64)i << 32 | 0x1000 * (i + 1));
		CHECK_EQ(m.vdev.vqs[i].avail, (0x10ULL + i) << 32 | 0x20);
		CHECK_EQ(m.vdev.vqs[i].used, (0x30ULL + i) << 32);
	}
	/* A queue that is not there has no size and takes nothing. */
	for (unsigned int i = 0; i < ARRAY_SIZE(none); i++) {
		set(R_QUEUE_SEL, none[i]);
		CHECK_EQ(get(R_QUEUE_SIZE_MAX), 0);
		set(R_QUEUE_SIZE, 1);
		set(R_DESC, 0x5000);
		set(R_QUEUE_READY, 1);
		CHECK_EQ(get(R_QUEUE_READY), 0);
		set(R_QUEUE_RESET, 1);
	}
	CHECK_EQ(m.vdev.vqs[0].size, VQ_SIZE);
	CHECK_EQ(m.vdev.vqs[0].desc, 0x1000);
	CHECK_EQ(get(R_STATUS), ACK | DRIVER | FEATURES_OK);
	end();
}

TEST(queue_of_odd_size_needs_a_reset)
{
	static const u32 sizes[] = {0, 3, 2 * VQ_SIZE, 0xffff, 0x10000 + VQ_SIZE, UINT32_MAX};

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		begin(&plain_ops, false);
		CHECK(agree(VERSION_1));
		set(R_QUEUE_SIZE, sizes[i]);
		capture_begin();
		set(R_QUEUE_READY, 1);
		CHECK(capture_one_line(capture_end(), "thing at mmio@d0005000"));
		CHECK_EQ(get(R_QUEUE_READY), 0);
		CHECK(get(R_STATUS) & NEEDS_RESET);
		set(R_STATUS, 0);
		CHECK_EQ(get(R_STATUS), 0);
		run(0);
		end();
	}
}

TEST(queue_is_fixed_while_it_is_ready)
{
	begin(&plain_ops, false);
	/* Not before the features are. */
	set_up_queue(1);
	set(R_QUEUE_READY, 1);
	CHECK_EQ(get(R_QUEUE_READY), 0);
	run(1);
	CHECK_EQ(m.starts[1], 1);
	set(R_QUEUE_SIZE, 32);
	set(R_DESC, 0x20000);
	set(R_DRIVER, 0x20000);
	set(R_DEVICE, 0x20000);
	set(R_QUEUE_READY, 1);
	set(R_QUEUE_READY, 2);
	set(R_QUEUE_READY, UINT32_MAX);
	CHECK_EQ(get(R_QUEUE_READY), 1);
	CHECK_EQ(m.vdev.vqs[1].size, 16);
	CHECK_EQ(m.vdev.vqs[1].desc, 0x10000);
	CHECK_EQ(m.vdev.vqs[1].avail, 0x11000);
	CHECK_EQ(m.vdev.vqs[1].used, 0x12000);
	CHECK_EQ(m.starts[1], 1);
	CHECK_EQ(m.stops[1], 0);
	end();
}

TEST(queue_that_is_no_longer_ready)
{
	begin(&plain_ops, false);
	run(1);
	set(R_QUEUE_READY, 0);
	CHECK_EQ(get(R_QUEUE_READY), 0);
	CHECK_EQ(m.stops[1], 1);
	set(R_QUEUE_READY, 0);
	CHECK_EQ(m.stops[1], 1);
	set(R_NOTIFY, 1);
	CHECK_EQ(m.kicks[1], 0);
	/* It can be changed now, and begins anew. */
	set(R_QUEUE_SIZE, 8);
	m.vdev.vqs[1].split.last_avail = 5;
	set(R_QUEUE_READY, 1);
	CHECK_EQ(get(R_QUEUE_READY), 1);
	CHECK_EQ(m.starts[1], 2);
	CHECK_EQ(m.vdev.vqs[1].size, 8);
	CHECK_EQ(m.vdev.vqs[1].desc, 0x10000);
	CHECK_EQ(m.vdev.vqs[1].split.last_avail, 0);
	set(R_NOTIFY, 1);
	CHECK_EQ(m.kicks[1], 1);
	end();
}

TEST(queue_reset)
{
	begin(&plain_ops, false);
	run(1);
	set(R_QUEUE_RESET, 0);
	set(R_QUEUE_RESET, 2);
	CHECK_EQ(m.stops[1], 0);
	set(R_QUEUE_RESET, 1);
	CHECK_EQ(get(R_QUEUE_RESET), 0);
	CHECK_EQ(get(R_QUEUE_READY), 0);
	CHECK_EQ(m.stops[1], 1);
	CHECK_EQ(m.vdev.vqs[1].desc, 0);
	CHECK_EQ(m.vdev.vqs[1].size, VQ_SIZE);
	set_up_queue(1);
	set(R_QUEUE_READY, 1);
	CHECK_EQ(m.starts[1], 2);

	/* Only if that was agreed on. */
	CHECK(agree(VERSION_1));
	set_up_queue(1);
	set(R_QUEUE_READY, 1);
	set(R_QUEUE_RESET, 1);
	CHECK_EQ(get(R_QUEUE_READY), 1);
	end();
}

/* Interrupts. */

TEST(acknowledge_what_was_seen)
{
	begin(&plain_ops, false);
	run(0);
	CHECK_EQ(get(R_ISR), 0);
	interrupt(&m.vdev.vqs[0]);
	CHECK(fake_kvm_wire(MMIO_GSI));
	/* Reading changes nothing, and neither does an acknowledgement of something else. */
	CHECK_EQ(get(R_ISR), 1);
	CHECK_EQ(get(R_ISR), 1);
	set(R_ACK, 0);
	set(R_ACK, 2);
	set(R_ACK, 0xfffffffe);
	CHECK_EQ(get(R_ISR), 1);
	CHECK(fake_kvm_wire(MMIO_GSI));
	set(R_ACK, 1);
	CHECK_EQ(get(R_ISR), 0);
	CHECK(!fake_kvm_wire(MMIO_GSI));
	set(R_ACK, 1);
	set(R_ACK, UINT32_MAX);
	CHECK(!fake_kvm_wire(MMIO_GSI));
	end();
}

TEST(event_between_a_look_and_its_acknowledgement)
{
	u32 seen;

	begin(&plain_ops, false);
	run(0);
	interrupt(&m.vdev.vqs[0]);
	seen = get(R_ISR);
	virtio_config_changed(&m.vdev);
	set(R_ACK, seen);
	CHECK_EQ(get(R_ISR), 2);
	CHECK(fake_kvm_wire(MMIO_GSI));
	seen = get(R_ISR);
	interrupt(&m.vdev.vqs[1]);
	set(R_ACK, seen);
	CHECK_EQ(get(R_ISR), 1);
	CHECK(fake_kvm_wire(MMIO_GSI));
	/* The same event again, before its acknowledgement: once is enough. */
	interrupt(&m.vdev.vqs[0]);
	set(R_ACK, 1);
	CHECK(!fake_kvm_wire(MMIO_GSI));
	/* And after it: a new one. */
	interrupt(&m.vdev.vqs[0]);
	CHECK(fake_kvm_wire(MMIO_GSI));
	end();
}

TEST(interrupt_during_a_reset_and_after_it)
{
	begin(&plain_ops, false);
	run(0);
	interrupt(NULL);
	set(R_STATUS, 0);
	CHECK_EQ(get(R_ISR), 0);
	CHECK(!fake_kvm_wire(MMIO_GSI));
	set(R_ACK, 2);
	CHECK(!fake_kvm_wire(MMIO_GSI));
	run(0);
	CHECK_EQ(get(R_ISR), 0);
	/* A device that the guest left with its wire up lowers it in the end. */
	interrupt(NULL);
	CHECK(fake_kvm_wire(MMIO_GSI));
	end();
}

#define ROUNDS 20000

static void *interrupt_often(void *opaque)
{
	(void)opaque;
	for (unsigned int i = 0; i < ROUNDS; i++)
		interrupt(i & 1 ? NULL : &m.vdev.vqs[0]);
	return NULL;
}

TEST(wire_is_up_while_something_is_pending)
{
	pthread_t thread;

	begin(&plain_ops, false);
	run(0);
	if (pthread_create(&thread, NULL, interrupt_often, NULL))
		exit(2);
	for (unsigned int i = 0; i < ROUNDS; i++)
		set(R_ACK, get(R_ISR));
	pthread_join(thread, NULL);
	CHECK_EQ(fake_kvm_wire(MMIO_GSI), get(R_ISR) != 0);
	set(R_ACK, get(R_ISR));
	CHECK(!fake_kvm_wire(MMIO_GSI));
	end();
}

TEST(two_devices_on_a_wire)
{
	static struct virtio_device other;
	static struct virtio_mmio other_mmio;

	begin(&plain_ops, false);
	if (virtio_device_init(&other, &plain_ops, 0, 1, VQ_SIZE, &m.vm.mem, NULL))
		exit(2);
	/* Not in the same place. */
	CHECK_EQ(virtio_mmio_init(&other_mmio, &other, &m.vm, BASE, MMIO_GSI), -EEXIST);
	CHECK_EQ(virtio_mmio_init(&other_mmio, &other, &m.vm, BASE + VIRTIO_MMIO_SIZE, MMIO_GSI),
		 0);
	interrupt(&m.vdev.vqs[0]);
	other.transport->interrupt(&other, NULL);
	CHECK_EQ(get(R_ISR), 1);
	CHECK_EQ(mem_read(BASE + VIRTIO_MMIO_SIZE + R_ISR, 4), 2);
	set(R_ACK, 3);
	CHECK(fake_kvm_wire(MMIO_GSI));
	mem_write(BASE + VIRTIO_MMIO_SIZE + R_ACK, 4, 2);
	CHECK(!fake_kvm_wire(MMIO_GSI));
	virtio_mmio_destroy(&other_mmio);
	virtio_device_destroy(&other);
	end();
}

/* Kicks. */

TEST(kick_of_a_plain_queue)
{
	begin(&plain_ops, false);
	set(R_NOTIFY, 0);
	run(2);
	set(R_NOTIFY, 2);
	CHECK_EQ(m.kicks[2], 1);
	set(R_NOTIFY, 0);
	set(R_NOTIFY, NR_VQS);
	set(R_NOTIFY, 0x10002);
	set(R_NOTIFY, UINT32_MAX);
	CHECK_EQ(m.kicks[0] + m.kicks[1] + m.kicks[2], 1);
	/* Whatever queue is selected. */
	set(R_QUEUE_SEL, 77);
	set(R_NOTIFY, 2);
	CHECK_EQ(m.kicks[2], 2);
	set(R_STATUS, 0);
	set(R_NOTIFY, 2);
	CHECK_EQ(m.kicks[2], 2);
	CHECK_EQ(fake_kvm_nr_doorbells(), 0);
	end();
}

static int doorbell(u32 index)
{
	return fake_kvm_doorbell_for(BASE + R_NOTIFY, 4, index);
}

static bool rings(unsigned int index)
{
	u64 count;

	return read(m.vdev.vqs[index].kick_fd, &count, 8) == 8;
}

TEST(doorbells_of_queues_that_run)
{
	begin(&threaded_ops, false);
	CHECK_EQ(fake_kvm_nr_doorbells(), 0);
	CHECK(agree(m.vdev.offered));
	for (u32 i = 0; i < NR_VQS; i++) {
		set_up_queue(i);
		set(R_QUEUE_READY, 1);
	}
	CHECK_EQ(fake_kvm_nr_doorbells(), 0);
	set(R_STATUS, ALL_OK);
	CHECK_EQ(fake_kvm_nr_doorbells(), NR_VQS);
	for (u32 i = 0; i < NR_VQS; i++)
		CHECK_EQ(doorbell(i), m.vdev.vqs[i].kick_fd);
	CHECK_EQ(doorbell(NR_VQS), -1);
	/* A kick that comes as an exit all the same is not lost. */
	set(R_NOTIFY, 1);
	CHECK(rings(1));
	CHECK(!rings(0) && !rings(2));
	CHECK_EQ(m.kicks[1], 0);

	set(R_QUEUE_SEL, 1);
	set(R_QUEUE_READY, 0);
	CHECK_EQ(doorbell(1), -1);
	CHECK_EQ(fake_kvm_nr_doorbells(), NR_VQS - 1);
	set(R_QUEUE_READY, 1);
	CHECK_EQ(doorbell(1), m.vdev.vqs[1].kick_fd);
	set(R_QUEUE_RESET, 1);
	CHECK_EQ(doorbell(1), -1);
	set(R_STATUS, 0);
	CHECK_EQ(fake_kvm_nr_doorbells(), 0);
	/* And one that runs at the end. */
	run(0);
	CHECK_EQ(fake_kvm_nr_doorbells(), 1);
	end();
}

TEST(doorbell_that_the_host_refuses)
{
	begin(&threaded_ops, false);
	fake_kvm_refuse(ENOSPC);
	CHECK(agree(VERSION_1));
	set_up_queue(0);
	set(R_QUEUE_READY, 1);
	capture_begin();
	set(R_STATUS, ALL_OK);
	CHECK(capture_one_line(capture_end(), "ioeventfd"));
	CHECK(get(R_STATUS) & NEEDS_RESET);
	/* The driver ran already, so it is told. */
	CHECK_EQ(get(R_ISR), 2);
	CHECK_EQ(m.starts[0], 0);
	fake_kvm_refuse(0);
	run(0);
	CHECK_EQ(m.starts[0], 1);
	end();
}
