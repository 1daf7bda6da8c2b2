/* SPDX-License-Identifier: GPL-2.0-only */
/* What the command line can say of any virtio device, whatever it is. */
#ifndef LKVM_VIRTIO_OPTIONS_H
#define LKVM_VIRTIO_OPTIONS_H

#include "iommu/format.h"
#include "util/types.h"

enum virtio_choice {
	VIRTIO_CHOICE_DEFAULT, /* the user said nothing */
	VIRTIO_CHOICE_ON,
	VIRTIO_CHOICE_OFF,
};

/* The layout of virtqueues that a device offers. */
enum virtio_ring {
	VIRTIO_RING_DEFAULT, /* the user said nothing */
	VIRTIO_RING_SPLIT,
	VIRTIO_RING_PACKED, /* or split, if the driver prefers that */
};

/* How the guest gets to a device. */
enum virtio_transport {
	VIRTIO_TRANSPORT_DEFAULT, /* the user said nothing */
	VIRTIO_TRANSPORT_PCI,
	VIRTIO_TRANSPORT_MMIO,
};

/*
 * The first member of the configuration of each device, so that the functions of
 * VIRTIO_SUBOPTS can be in the device's table of suboptions.
 */
struct virtio_options {
	const char *what; /* the option, "--disk": opens messages */
	enum virtio_choice iommu; /* behind the virtio-iommu */
	/* Of page tables that its endpoint takes: NULL, none, if it has one. */
	bool has_format;
	const struct iommu_format *format;
	enum virtio_ring ring;
	enum virtio_transport transport;
};

int virtio_parse_iommu(void *opaque, const char *value);
int virtio_parse_iommu_format(void *opaque, const char *value);
int virtio_parse_ring(void *opaque, const char *value);
int virtio_parse_transport(void *opaque, const char *value);

/* What --virtio-ring and --virtio-transport take, for the usage text. */
#define VIRTIO_RINGS	  "split|packed"
#define VIRTIO_TRANSPORTS "pci|mmio"
extern const char virtio_ring_usage[];
extern const char virtio_transport_usage[];

/* One of these names. Print nothing; -EINVAL. */
int virtio_ring_by_name(const char *name, enum virtio_ring *ring);
int virtio_transport_by_name(const char *name, enum virtio_transport *transport);

/* For the virtio-iommu, which is behind no other. */
#define VIRTIO_IOMMU_SUBOPTS                               \
	{"ring", virtio_parse_ring, false},                \
	{                                                  \
		"transport", virtio_parse_transport, false \
	}

/* For any device that accesses memory. */
#define VIRTIO_ENDPOINT_SUBOPTS                                  \
	{"iommu", virtio_parse_iommu, false},                    \
	{                                                        \
		"iommu-format", virtio_parse_iommu_format, false \
	}

/* For all other devices. */
#define VIRTIO_SUBOPTS VIRTIO_ENDPOINT_SUBOPTS, VIRTIO_IOMMU_SUBOPTS

/* The same for the usage texts. */
#define VIRTIO_IOMMU_SUBOPTS_USAGE                                  \
	"  ring=" VIRTIO_RINGS "\n"                                 \
	"                   layout of virtqueues (--virtio-ring)\n" \
	"  transport=" VIRTIO_TRANSPORTS "\n"                       \
	"                   how the guest gets to it (--virtio-transport)"
#define VIRTIO_ENDPOINT_SUBOPTS_USAGE                                       \
	"  iommu=on|off     behind the virtio-iommu (on if there is one)\n" \
	"  iommu-format=FORMAT\n"                                           \
	"                   of page tables that it takes (what tables=\n"   \
	"                   says of all)"
#define VIRTIO_SUBOPTS_USAGE VIRTIO_ENDPOINT_SUBOPTS_USAGE "\n" VIRTIO_IOMMU_SUBOPTS_USAGE

/*
 * For suboptions that are flags: "name", "name=on" or "name=off". Prints the reason;
 * -EINVAL.
 */
int virtio_parse_flag(const struct virtio_options *options, const char *name, const char *value,
		      bool *out);

/* For suboptions that are numbers from @lo to @hi. Prints the reason; -EINVAL. */
int virtio_parse_number(const struct virtio_options *options, const char *name, const char *value,
			u64 lo, u64 hi, u64 *out);

#endif /* LKVM_VIRTIO_OPTIONS_H */
