// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>

#include "util/log.h"
#include "util/parse.h"
#include "virtio/options.h"

int virtio_parse_iommu(void *opaque, const char *value)
{
	struct virtio_options *options = opaque;
	bool on;

	if (parse_bool(value, &on)) {
		pr_err("%s: iommu=%s: expected on or off", options->what, value ? value : "");
		return -EINVAL;
	}
	options->iommu = on ? VIRTIO_CHOICE_ON : VIRTIO_CHOICE_OFF;
	return 0;
}

int virtio_parse_iommu_format(void *opaque, const char *value)
{
	struct virtio_options *options = opaque;

	if (!value || iommu_format_by_name(value, &options->format)) {
		pr_err("%s: iommu-format=%s: expected one of " IOMMU_FORMATS, options->what,
		       value ? value : "");
		return -EINVAL;
	}
	options->has_format = true;
	return 0;
}

const char virtio_ring_usage[] = "layout of virtqueues that devices offer: split, or\n"
				 "packed as well (split)";

const char virtio_transport_usage[] = "how the guest gets to devices that do not say it (pci)";

int virtio_ring_by_name(const char *name, enum virtio_ring *ring)
{
	if (!strcmp(name, "split"))
		*ring = VIRTIO_RING_SPLIT;
	else if (!strcmp(name, "packed"))
		*ring = VIRTIO_RING_PACKED;
	else
		return -EINVAL;
	return 0;
}

int virtio_transport_by_name(const char *name, enum virtio_transport *transport)
{
	if (!strcmp(name, "pci"))
		*transport = VIRTIO_TRANSPORT_PCI;
	else if (!strcmp(name, "mmio"))
		*transport = VIRTIO_TRANSPORT_MMIO;
	else
		return -EINVAL;
	return 0;
}

int virtio_parse_ring(void *opaque, const char *value)
{
	struct virtio_options *options = opaque;

	if (!value || virtio_ring_by_name(value, &options->ring)) {
		pr_err("%s: ring=%s: expected split or packed", options->what, value ? value : "");
		return -EINVAL;
	}
	return 0;
}

int virtio_parse_transport(void *opaque, const char *value)
{
	struct virtio_options *options = opaque;

	if (!value || virtio_transport_by_name(value, &options->transport)) {
		pr_err("%s: transport=%s: expected pci or mmio", options->what, value ? value : "");
		return -EINVAL;
	}
	return 0;
}

int virtio_parse_flag(const struct virtio_options *options, const char *name, const char *value,
		      bool *out)
{
	if (!value) {
		*out = true;
		return 0;
	}
	if (parse_bool(value, out)) {
		pr_err("%s: %s=%s: expected on or off, or '%s' alone", options->what, name, value,
		       name);
		return -EINVAL;
	}
	return 0;
}

int virtio_parse_number(const struct virtio_options *options, const char *name, const char *value,
			u64 lo, u64 hi, u64 *out)
{
	if (!value || parse_u64(value, out) || *out < lo || *out > hi) {
		pr_err("%s: %s=%s: expected a number from %llu to %llu", options->what, name,
		       value ? value : "", (unsigned long long)lo, (unsigned long long)hi);
		return -EINVAL;
	}
	return 0;
}
