// SPDX-License-Identifier: GPL-2.0-only
/* Requests to the virtio entropy device. */
#include <stdlib.h>

#include "fake-random.h"
#include "fuzz.h"
#include "hostile-driver.h"
#include "inline-worker.h"
#include "virtio/rng.h"

void fuzz_begin(void)
{
	fake_random_install();
}

void fuzz_one(void)
{
	struct iommu_endpoint *ep = hostile_begin();
	struct virtio_rng *rng;
	u8 out[16] = {0};

	if (virtio_rng_create(&rng, &hd.mem, ep))
		exit(2);
	hostile_start(&rng->vdev, 1);
	while (fuzz_more()) {
		u8 step = fuzz_int(1);

		if (step < 160)
			hostile_request(0, out, unit_below(sizeof(out)),
					step & 1 ? fuzz_int(1) : unit_below(64 * KiB));
		else if (step < 224)
			hostile_ring(0);
		else if (step < 248)
			hostile_iommu();
		else
			hostile_restart();
		inline_workers_run();
		CHECK(hostile_take(0));
	}
	fake_driver_status(&hd.drv, 0);
	virtio_rng_destroy(rng);
	hostile_end();
}
