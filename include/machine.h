/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A whole machine: what the user asked for, what is built from it, and what an
 * architecture supplies.
 */
#ifndef LKVM_MACHINE_H
#define LKVM_MACHINE_H

#include "char/terminal.h"
#include "disk/disk.h"
#include "hw/dma-engine.h"
#include "iommu/iommu.h"
#include "virtio/blk.h"
#include "virtio/console.h"
#include "virtio/iommu.h"
#include "virtio/mmio.h"
#include "virtio/net.h"
#include "virtio/options.h"
#include "virtio/pci.h"
#include "virtio/rng.h"
#include "vm/control.h"
#include "vm/loop.h"
#include "vm/memory-config.h"
#include "vm/pci.h"
#include "vm/vm.h"

struct report;

#define MACHINE_MAX_DISKS   64
#define MACHINE_MAX_NETS    8
#define MACHINE_MAX_ENGINES 8
#define MACHINE_MAX_MMIO    64 /* virtio-mmio slots, where the architecture has as many */
#define MACHINE_MAX_PCI	    30 /* devices on PCI: in slots 1 to 30 */
#define MACHINE_MAX_DEVICES (MACHINE_MAX_PCI + MACHINE_MAX_MMIO)

/* A DMA engine: it has the options of any endpoint. */
struct engine_config {
	struct virtio_options options;
};

/* What --device takes, for the usage text. */
#define MACHINE_DEVICES "dma-engine"
extern const char machine_device_usage[];

/* One --device. Prints the reason; -EINVAL. */
int engine_parse(const char *arg, struct engine_config *config);

struct machine_config {
	const char *name; /* valid; NULL: guest-PID */
	const char *kernel; /* NULL: the embedded guest */
	const char *initrd;
	const char *cmdline;
	struct mem_config mem; /* checked */
	unsigned int nr_vcpus;
	struct blk_config disks[MACHINE_MAX_DISKS];
	unsigned int nr_disks;
	struct net_config nets[MACHINE_MAX_NETS];
	unsigned int nr_nets;
	struct engine_config engines[MACHINE_MAX_ENGINES];
	unsigned int nr_engines;
	bool has_rng;
	struct rng_config rng;
	struct chardev_config serial; /* what the serial port is connected to */
	struct console_config console; /* without ports: there is no such device */
	bool has_iommu;
	struct iommu_config iommu;
	struct virtio_options viommu; /* of the device that carries the IOMMU's requests */
	enum virtio_ring ring; /* of devices whose options leave it open */
	enum virtio_transport transport; /* of devices whose options leave it open */
	unsigned int irqchip; /* 0: the best that the host has; else 1 + index in arch_irqchips */
	const char *dump_dtb; /* where to write the device tree to; NULL: nowhere */
	u32 cpu_without; /* bits, by index in arch_cpu_features: what no vCPU gets */
	bool test_exit; /* the port by which a guest ends the program with a status */
};

struct machine;

/* A kind of virtio device, for machine_add_devices(). */
struct device_type {
	const char *name; /* "disk": for messages */
	const char *word; /* the same in one word, for lists that programs read */
	u32 pci_class; /* 24 bits; for devices on PCI */
	/*
	 * Makes the device of @config, whose DMA is that of @ep (NULL: untranslated).
	 * Prints the reason on failure; -errno.
	 */
	int (*create)(struct machine *m, const void *config, struct iommu_endpoint *ep,
		      struct virtio_device **vdev);
	/* Once it is stopped and no transport uses it. */
	void (*destroy)(struct virtio_device *vdev);
};

/*
 * The endpoint ID of a device on virtio-mmio is its slot with this added; that of a PCI
 * function is its bus, device and function, which have 16 bits.
 */
#define MACHINE_MMIO_ENDPOINTS 0x10000

/* A device that the user asked for, and its place in the machine. */
struct machine_device {
	const struct device_type *type;
	struct virtio_device *vdev; /* one of these is NULL */
	struct dma_engine *engine;
	enum virtio_transport transport; /* PCI or MMIO */
	unsigned int slot; /* PCI device number, or number of the virtio-mmio slot */
	union {
		struct virtio_pci pci;
		struct virtio_mmio mmio;
	};
	struct iommu_endpoint ep; /* if behind_iommu */
	bool behind_iommu;
};

struct machine {
	const struct machine_config *config;
	struct vm vm;
	struct loop loop;
	struct loop_source stop_source;
	struct loop_source signal_source;
	struct terminal term;
	struct chardev *serial; /* the other end of the serial port; NULL: not open yet */
	struct control *control; /* NULL: not served */
	struct loop_source out_source; /* vm.out_fd: a vCPU came out for a pause */
	struct pci_bus pci;
	bool has_iommu; /* iommu is set up */
	struct iommu iommu;
	struct virtio_iommu viommu;
	struct machine_device *viommu_device; /* NULL: there is none */
	struct machine_device *devices[MACHINE_MAX_DEVICES];
	unsigned int nr_devices;
	unsigned int nr_pci, nr_mmio; /* slots in use, the first ones */
	struct arch_board *board; /* what the architecture keeps */
};

/*
 * Opens the back end of a console, which may be the machine's terminal. Prints the reason, which
 * @what opens, on failure; -errno as chardev_open().
 */
int machine_open_chardev(struct machine *m, const char *what, const struct chardev_config *config,
			 struct chardev **out);

/* Builds the machine, runs the guest to its end; the exit status of the program. */
int machine_run(const struct machine_config *config);

/*
 * All devices of the configuration, the virtio-iommu first. Prints the reason on failure;
 * what was made before that is for machine_destroy_devices().
 */
int machine_add_devices(struct machine *m);

/*
 * For those who make devices: a new entry of m->devices of this type, on PCI or MMIO as @options
 * and the type say, with an endpoint of @pasid_bits if it is behind the IOMMU. Prints the reason;
 * -errno.
 */
int machine_new_device(struct machine *m, const struct device_type *type,
		       const struct virtio_options *options, unsigned int pasid_bits,
		       struct machine_device **out);

/* A DMA engine. Prints the reason; -errno. */
int machine_add_engine(struct machine *m, const struct engine_config *config);

/* When no vCPU runs any more: stops all devices, then frees them. */
void machine_destroy_devices(struct machine *m);

/*
 * Serves the control socket of the claimed name from the main loop until
 * machine_control_stop(), which is harmless without. Prints the reason; -errno.
 */
int machine_control_start(struct machine *m);
void machine_control_stop(struct machine *m);

/*
 * Counters of the whole machine into an open object of @r. In the main thread: what a device
 * has locked for longer than a moment is left out, and the device is said to be busy.
 */
void machine_stat(struct machine *m, struct report *r);

/* Until when the main loop may wait for such things: a moment from now, CLOCK_MONOTONIC. */
struct timespec machine_patience(void);

/*
 * What an architecture supplies, in the order of the calls. Each prints the reason
 * on failure.
 *
 * arch_init_memory: adds the banks of config->mem, and places those that are not placed.
 * arch_init_irqchip: the interrupt controller, after the memory, before the vCPUs.
 * arch_init_board: the PCI bus, the serial port on m->serial and other fixed devices.
 * arch_load: after all devices are there: kernel, description of the machine, and
 *            the state of the vCPUs.
 */
int arch_init_memory(struct machine *m);
int arch_init_irqchip(struct machine *m);
int arch_init_board(struct machine *m);
int arch_load(struct machine *m);
void arch_destroy(struct machine *m);

/*
 * A place for a virtio-mmio device: the GPA of its VIRTIO_MMIO_SIZE bytes of registers, and
 * a level-triggered GSI that others may have, too.
 */
struct mmio_slot {
	u64 base;
	u32 gsi;
};

/* Slot @n, counted from 0; false if there are not as many. */
bool arch_mmio_slot(unsigned int n, struct mmio_slot *slot);

/* Where memory starts, unless the user says where banks are: one of them has to be there. */
extern const u64 arch_mem_start;

/*
 * Where no bank can be, because the machine has something else there; returns how many.
 * May be called before there is a machine.
 */
#define ARCH_MAX_HOLES 8
unsigned int arch_mem_holes(struct mem_hole *holes, unsigned int max);

/* The guest is asked to power off, once it runs. Whether it does is its own matter. */
void arch_power_button(struct machine *m);

/* The kinds of devices that there are. */
feature_source machine_features;

/* "x86" */
extern const char arch_name[];

/* What --kernel and --test-exit mean here, for the usage text. */
extern const char arch_kernel_usage[];
extern const char arch_test_exit_usage[];

/*
 * The interrupt controllers to choose among, ended by NULL, and what --irqchip takes and means.
 * arch_irqchip_arg is "" where there is no choice, and no such option.
 */
extern const char *const arch_irqchips[];
extern const char arch_irqchip_arg[];
extern const char arch_irqchip_usage[];

/*
 * What vCPUs have if the host does and a guest can go without: names ended by NULL, and the same
 * for --cpu-without. arch_cpu_without_arg is "" where there is nothing, and no such option.
 */
extern const char *const arch_cpu_features[];
extern const char arch_cpu_without_arg[];
extern const char arch_cpu_without_usage[];

/* What --dump-dtb takes; "": no device tree describes the machine, and there is no such option. */
extern const char arch_dump_dtb_arg[];

/* The format of page tables that endpoints take if nobody says another. */
extern const struct iommu_format *const arch_iommu_format;

/* IOVAs that an IOMMU of this architecture never translates; returns how many. */
unsigned int arch_iommu_resv(struct iommu_resv *resv, unsigned int max);

/* The embedded guest: an ELF image on x86, an Image elsewhere. */
extern const unsigned char guest_demo_start[], guest_demo_end[];

#endif /* LKVM_MACHINE_H */
