// SPDX-License-Identifier: GPL-2.0-only
/* Counters of a running machine. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "machine.h"
#include "util/counter.h"
#include "util/lock.h"
#include "util/report.h"

/* How long all devices together are waited for, in nanoseconds: the main loop stands still. */
#define PATIENCE_NS 50000000

static void report_vcpu(const struct vcpu *vcpu, struct report *r)
{
	static const char *const names[VCPU_NR_EXITS] = {
		[VCPU_EXIT_IO] = "io",
		[VCPU_EXIT_MMIO] = "mmio",
		[VCPU_EXIT_HALT] = "halt",
		[VCPU_EXIT_INTR] = "intr",
		[VCPU_EXIT_HYPERCALL] = "hypercall",
		[VCPU_EXIT_OTHER] = "other",
	};

	report_object_begin(r, NULL);
	report_u64(r, "index", vcpu->index);
	report_object_begin(r, "exits");
	for (unsigned int i = 0; i < VCPU_NR_EXITS; i++)
		report_u64(r, names[i], counter_get(&vcpu->exits[i]));
	report_object_end(r);
	report_object_end(r);
}

/* A line "FIELD:   N kB" of /proc/self/status, in bytes. */
static u64 own_status(FILE *status, const char *field)
{
	unsigned long long kib = 0;
	char line[256];

	if (fseek(status, 0, SEEK_SET))
		return 0;
	while (fgets(line, sizeof(line), status)) {
		if (!strncmp(line, field, strlen(field)) &&
		    sscanf(line + strlen(field), ": %llu", &kib) == 1)
			break;
	}
	return kib * KiB;
}

static void report_memory(const struct guest_mem *mem, struct report *r)
{
	u64 resident = guest_mem_resident(mem);
	FILE *status = fopen("/proc/self/status", "re");

	report_object_begin(r, "memory");
	report_u64(r, "size", guest_mem_size(mem));
	report_u64(r, "resident", resident);
	if (status) {
		u64 anonymous = own_status(status, "RssAnon");

		/* Guest memory is in it, but for that of a pool, and may have become more. */
		if (mem_page_size(mem->pages) == 1)
			anonymous -= min(anonymous, resident);
		report_u64(r, "lkvm_anonymous", anonymous);
		report_u64(r, "lkvm_files", own_status(status, "RssFile"));
		fclose(status);
	}
	report_object_end(r);
}

/* With the device's lock, but for the counters. */
static void report_queue(const struct virtq *vq, struct report *r, bool locked)
{
	report_object_begin(r, NULL);
	report_u64(r, "index", vq->index);
	if (locked) {
		report_bool(r, "enabled", vq->enabled);
		report_u64(r, "size", vq->size);
	}
	report_u64(r, "requests", counter_get(&vq->nr_requests));
	report_u64(r, "interrupts", counter_get(&vq->nr_interrupts));
	if (vq->dma.ep) {
		report_u64(r, "iotlb_hits", counter_get(&vq->dma.tlb_hits));
		report_u64(r, "iotlb_misses", counter_get(&vq->dma.tlb_misses));
	}
	report_object_end(r);
}

/* Whether the device is translated, and as whom. */
static void report_place(const struct machine_device *d, struct report *r)
{
	report_bool(r, "behind_iommu", d->behind_iommu);
	if (d->behind_iommu) {
		report_hex(r, "endpoint", d->ep.id);
		report_u64(r, "faults", counter_get(&d->ep.faults));
	}
}

static void report_engine(const struct machine_device *d, struct report *r)
{
	char where[16];

	snprintf(where, sizeof(where), "00:%02x.0", d->slot);
	report_object_begin(r, NULL);
	report_str(r, "where", where);
	report_str(r, "type", d->type->word);
	report_place(d, r);
	dma_engine_report(d->engine, r);
	report_object_end(r);
}

static void report_device(const struct machine_device *d, struct report *r,
			  const struct timespec *deadline)
{
	struct virtio_device *vdev = d->vdev;
	/* Whoever has it may be waiting for a disk, or for who reads a message. */
	bool locked = mutex_lock_until(&vdev->lock, deadline);

	report_object_begin(r, NULL);
	report_str(r, "where", vdev->where);
	report_str(r, "type", vdev->ops->name);
	report_bool(r, "busy", !locked);
	report_hex(r, "status", atomic_load(&vdev->status));
	report_hex(r, "features_offered", vdev->offered);
	if (locked)
		report_hex(r, "features_accepted", vdev->accepted);
	report_place(d, r);
	report_list_begin(r, "queues");
	for (unsigned int i = 0; i < vdev->nr_vqs; i++)
		report_queue(&vdev->vqs[i], r, locked);
	report_list_end(r);
	if (locked && vdev->ops->stat)
		vdev->ops->stat(vdev, r);
	if (locked)
		pthread_mutex_unlock(&vdev->lock);
	report_object_end(r);
}

struct timespec machine_patience(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_nsec += PATIENCE_NS;
	if (t.tv_nsec >= 1000000000) {
		t.tv_nsec -= 1000000000;
		t.tv_sec++;
	}
	return t;
}

void machine_stat(struct machine *m, struct report *r)
{
	struct timespec deadline = machine_patience();

	report_list_begin(r, "vcpus");
	for (unsigned int i = 0; i < m->vm.nr_vcpus; i++)
		report_vcpu(&m->vm.vcpus[i], r);
	report_list_end(r);
	report_memory(&m->vm.mem, r);
	report_object_begin(r, "serial_port");
	report_u64(r, "bytes_dropped", counter_get(&m->serial->dropped));
	report_object_end(r);
	report_list_begin(r, "devices");
	for (unsigned int i = 0; i < m->nr_devices; i++) {
		if (m->devices[i]->vdev)
			report_device(m->devices[i], r, &deadline);
		else if (m->devices[i]->engine)
			report_engine(m->devices[i], r);
	}
	report_list_end(r);
}
