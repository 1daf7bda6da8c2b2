// SPDX-License-Identifier: GPL-2.0-only
/* The MMIO transport of virtio devices: any accesses to its registers. */
#include <stdlib.h>

#include "fake-ioctl.h"
#include "fuzz.h"
#include "unit.h"
#include "virtio-pci-guest.h"
#include "virtio/mmio.h"

#define BASE	 0xd0005000ULL
#define MMIO_GSI 9
#define STATUS	 0x70

static const unsigned int lengths[] = {1, 2, 4, 8};

void fuzz_begin(void)
{
	fake_ioctl_install();
}

static void set(u64 off, u32 val)
{
	mem_write(BASE + off, 4, val);
}

/* As a driver does it. */
static void start(void)
{
	static const u16 addresses[] = {0x80, 0x90, 0xa0};

	set(STATUS, 0);
	set(STATUS, ACK | DRIVER);
	for (u32 i = 0; i < 2; i++) {
		set(0x24, i);
		set(0x20, fuzz_bool() ? m.vdev.offered >> 32 * i : fuzz_int(4));
	}
	set(STATUS, ACK | DRIVER | FEATURES_OK);
	for (u32 i = unit_below(NR_VQS + 1); i--;) {
		set(0x30, i);
		set(0x38, 16);
		for (unsigned int n = 0; n < 3; n++)
			set(addresses[n], 0x10000 * (n + 1));
		set(0x44, 1);
	}
	set(STATUS, ACK | DRIVER | FEATURES_OK | DRIVER_OK);
}

static void access_register(void)
{
	unsigned int len = unit_below(8) ? 4 : fuzz_pick(lengths);
	u64 off = fuzz_int(1) * 4;

	if (unit_below(16) == 0)
		off = fuzz_int(2) % VIRTIO_MMIO_SIZE;
	if (fuzz_bool())
		mem_write(BASE + off, len, fuzz_bool() ? unit_below(16) : fuzz_number());
	else
		mem_read(BASE + off, len);
}

void fuzz_one(void)
{
	struct virtio_mmio vmmio;
	bool plain = fuzz_bool();

	thing_make(plain ? &plain_ops : &threaded_ops, fuzz_bool());
	if (virtio_mmio_init(&vmmio, &m.vdev, &m.vm, BASE, MMIO_GSI))
		exit(2);
	m.refuse_features = unit_below(16) == 0;
	while (fuzz_more()) {
		u8 step = fuzz_int(1);

		if (step < 200)
			access_register();
		else if (step < 224)
			start();
		else
			m.vdev.transport->interrupt(
				&m.vdev, fuzz_bool() ? &m.vdev.vqs[unit_below(NR_VQS)] : NULL);
	}
	set(STATUS, 0);
	virtio_mmio_destroy(&vmmio);
	CHECK(!fake_kvm_wire(MMIO_GSI));
	thing_free();
}
