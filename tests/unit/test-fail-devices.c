// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices on a host that runs short: the first, the second, ... thing that a machine's devices take
 * from it is refused, until nothing is. The person is told in one line, all that was taken is given
 * back, and another try succeeds. The same for a driver's start of a device.
 */
#include <endian.h>
#include <errno.h>
#include <linux/kvm.h>
#include <linux/pci_regs.h>
#include <linux/virtio_config.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "capture.h"
#include "fail-nth.h"
#include "fake-kvm.h"
#include "iommu/config.h"
#include "machine.h"
#include "unit.h"

#define RAM	     (16 * MiB)
#define PCI_HOLE     0xc0000000ULL
#define PCI_HOLE_LEN (512 * MiB)
#define RINGS(n)     ((n) * 64 * KiB)
#define RING_SIZE    16

static struct machine m;
static struct machine_config config;
static char dir[64];

/* KVM itself refuses, too. */
int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if ((request == KVM_SET_GSI_ROUTING || request == KVM_IOEVENTFD || request == KVM_IRQFD) &&
	    fail_now()) {
		errno = ENOMEM;
		return -1;
	}
	return fake_kvm_ioctl(fd, request, arg);
}

static u32 intx_gsi(unsigned int dev, unsigned int pin)
{
	return 16 + (dev + pin) % 4;
}

static const char *in_dir(const char *before, const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s%s/%s", before, dir, name);
	return path;
}

static void make_dir(void)
{
	FILE *f;

	strcpy(dir, "/tmp/lkvm-test-fail-XXXXXX");
	if (!mkdtemp(dir))
		exit(2);
	f = fopen(in_dir("", "disk"), "we");
	if (!f || ftruncate(fileno(f), MiB) || fclose(f))
		exit(2);
}

/* Nothing but the disk is there. */
static void remove_dir(void)
{
	unlink(in_dir("", "disk"));
	CHECK_EQ(rmdir(dir), 0);
}

static void add_disk(const char *arg)
{
	struct blk_config *disk = &config.disks[config.nr_disks];

	if (blk_parse(arg, disk))
		exit(2);
	disk->index = config.nr_disks++;
}

static void add_console(const char *arg)
{
	if (console_parse(arg, &config.console))
		exit(2);
}

/* One of everything, on this bus. */
static void ask_for_all(enum virtio_transport transport, bool iommu)
{
	static const struct subopt device_subopts[] = {
		VIRTIO_IOMMU_SUBOPTS,
		{NULL, NULL, false},
	};
	const struct subopt_set device = {device_subopts, &config.viommu};

	memset(&config, 0, sizeof(config));
	config.transport = transport;
	add_disk("ram:1M,queues=2");
	add_disk(in_dir("", "disk"));
	config.has_rng = true;
	config.rng.options.what = "--rng";
	add_console("null");
	add_console(in_dir("socket=", "socket,port=a"));
	add_console(in_dir("pty=", "pty,port=b"));
	if (transport == VIRTIO_TRANSPORT_PCI &&
	    engine_parse(MACHINE_DEVICES, &config.engines[config.nr_engines++]))
		exit(2);
	if (!iommu)
		return;
	config.has_iommu = true;
	config.viommu.what = "--iommu";
	if (iommu_parse("virtio", NULL, NULL, 0, &device, &config.iommu))
		exit(2);
	config.iommu.bypass = true;
}

static void begin(void)
{
	memset(&m, 0, sizeof(m));
	fake_kvm_start(&m.vm, RAM);
	m.vm.phys_bits = 40;
	m.config = &config;
	pci_bus_init(&m.pci, &m.vm, PCI_HOLE, PCI_HOLE_LEN, intx_gsi);
	if (loop_init(&m.loop))
		exit(2);
}

static void end(void)
{
	machine_destroy_devices(&m);
	CHECK_EQ(fake_kvm_nr_doorbells(), 0);
	CHECK_EQ(fake_kvm_nr_irqfds(), 0);
	loop_destroy(&m.loop);
	fake_kvm_end(&m.vm);
}

/* The one line of a failure, or none. What is worth knowing is not an error. */
static bool is_error(const char *text)
{
	const char *line = strstr(text, "lkvm: error: ");

	return line && !strstr(line + 1, "lkvm: error: ");
}

/* Returns whether something was refused. */
static bool add_devices(unsigned int nth, bool onward)
{
	struct stock before = take_stock();
	const char *text;
	bool failed;
	int ret;

	begin();
	capture_begin();
	fail_begin(nth, onward);
	ret = machine_add_devices(&m);
	failed = fail_end();
	text = capture_end();
	/* It may have gone on without. */
	if (!CHECK(failed || !ret) || !CHECK(ret ? is_error(text) : !strstr(text, "error")))
		printf("# call %u: %s\n", nth, text);
	end();
	same_stock(&before);
	return failed;
}

static void each_fails(enum virtio_transport transport, bool iommu)
{
	unsigned int n = 1;

	make_dir();
	ask_for_all(transport, iommu);
	while (add_devices(n, false)) {
		add_devices(n, true);
		n++;
	}
	/* A few for each queue alone. */
	CHECK(n > 50);
	remove_dir();
}

TEST(devices_on_pci)
{
	each_fails(VIRTIO_TRANSPORT_PCI, false);
}

TEST(devices_on_pci_behind_an_iommu)
{
	each_fails(VIRTIO_TRANSPORT_PCI, true);
}

TEST(devices_on_mmio_behind_an_iommu)
{
	each_fails(VIRTIO_TRANSPORT_MMIO, true);
}

static void status_set(struct virtio_device *vdev, u8 bits)
{
	pthread_mutex_lock(&vdev->lock);
	virtio_set_status(vdev, bits ? atomic_load(&vdev->status) | bits : 0);
	pthread_mutex_unlock(&vdev->lock);
}

/* What a driver does up to DRIVER_OK, with empty rings. */
static void get_ready(struct virtio_device *vdev)
{
	u8 *ram = guest_mem_ptr(&m.vm.mem, 0, RAM);

	memset(ram, 0, RINGS(vdev->nr_vqs));
	status_set(vdev, 0);
	status_set(vdev, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	pthread_mutex_lock(&vdev->lock);
	virtio_set_features(vdev, vdev->offered);
	pthread_mutex_unlock(&vdev->lock);
	status_set(vdev, VIRTIO_CONFIG_S_FEATURES_OK);
	pthread_mutex_lock(&vdev->lock);
	for (unsigned int i = 0; i < vdev->nr_vqs; i++) {
		struct virtq *vq = &vdev->vqs[i];

		vq->size = RING_SIZE;
		vq->desc = RINGS(i);
		vq->avail = RINGS(i) + 16 * KiB;
		vq->used = RINGS(i) + 32 * KiB;
		virtio_queue_enable(vdev, i);
	}
	pthread_mutex_unlock(&vdev->lock);
}

/*
 * A device that cannot start says so to its driver, and once to the person; after a reset it can.
 * Returns whether something was refused.
 */
static bool start_device(struct virtio_device *vdev, unsigned int nth)
{
	struct stock before;
	bool failed, stopped;

	get_ready(vdev);
	before = take_stock();
	capture_begin();
	fail_begin(nth, false);
	status_set(vdev, VIRTIO_CONFIG_S_DRIVER_OK);
	failed = fail_end();
	stopped = atomic_load(&vdev->status) & VIRTIO_CONFIG_S_NEEDS_RESET;
	status_set(vdev, 0);
	capture_end();
	CHECK_EQ(stopped, failed);
	same_stock(&before);
	CHECK_EQ(fake_kvm_nr_doorbells(), 0);

	get_ready(vdev);
	status_set(vdev, VIRTIO_CONFIG_S_DRIVER_OK);
	CHECK(!(atomic_load(&vdev->status) & VIRTIO_CONFIG_S_NEEDS_RESET));
	status_set(vdev, 0);
	return failed;
}

/* There are doorbells only where registers are. */
static void enable_memory(unsigned int slot)
{
	u16 command = htole16(PCI_COMMAND_MEMORY);

	pci_config_access(&m.pci, slot << 3, PCI_COMMAND, &command, sizeof(command), true);
}

static void each_start_fails(enum virtio_transport transport)
{
	const char *text;
	int ret;

	make_dir();
	ask_for_all(transport, true);
	begin();
	capture_begin();
	ret = machine_add_devices(&m);
	text = capture_end();
	if (!CHECK_EQ(ret, 0))
		printf("# %s\n", text);
	for (unsigned int i = 0; !ret && i < m.nr_devices; i++) {
		struct virtio_device *vdev = m.devices[i]->vdev;
		unsigned int n = 1;

		if (!vdev)
			continue;
		if (transport == VIRTIO_TRANSPORT_PCI)
			enable_memory(m.devices[i]->slot);
		while (start_device(vdev, n))
			n++;
		/* A doorbell for each queue that has a thread. */
		CHECK(n - 1 >= (vdev->ops->threaded ? vdev->nr_vqs : 0));
	}
	end();
	remove_dir();
}

TEST(starts_on_pci)
{
	each_start_fails(VIRTIO_TRANSPORT_PCI);
}

TEST(starts_on_mmio)
{
	each_start_fails(VIRTIO_TRANSPORT_MMIO);
}

/* A network device, whose back end is a pair of sockets. */

static int set_offloads(struct net_backend *backend, u32 offloads)
{
	(void)backend;
	(void)offloads;
	return 0;
}

static int set_queue(struct net_backend *backend, unsigned int index, bool attached)
{
	(void)backend;
	(void)index;
	(void)attached;
	return 0;
}

static void close_backend(struct net_backend *backend)
{
	for (unsigned int i = 0; i < backend->nr_queues; i++)
		close(backend->fds[i]);
}

static const struct net_backend_ops backend_ops = {
	.set_offloads = set_offloads,
	.set_queue = set_queue,
	.close = close_backend,
};

static bool make_net(unsigned int nth, bool onward)
{
	const struct net_config net_config = {.options.what = "--net"};
	struct net_backend backend = {.ops = &backend_ops, .name = "test0", .nr_queues = 2};
	struct stock before = take_stock();
	struct virtio_net *net;
	const char *text;
	bool failed;
	int ret;

	begin();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, backend.fds))
		exit(2);
	capture_begin();
	fail_begin(nth, onward);
	ret = virtio_net_create(&net, &net_config, &backend, &m.vm.mem, NULL);
	failed = fail_end();
	text = capture_end();
	CHECK_EQ(!ret, !failed);
	CHECK(ret ? is_error(text) : !text[0]);
	if (ret)
		close_backend(&backend);
	else
		virtio_net_destroy(net);
	end();
	same_stock(&before);
	return failed;
}

TEST(network_device)
{
	unsigned int n = 1;

	while (make_net(n, false)) {
		make_net(n, true);
		n++;
	}
	/* A channel, a doorbell and a thread for each of the five queues. */
	CHECK(n > 15);
}

/* Memory of the guest. */
static bool add_bank(unsigned int nth)
{
	struct stock before = take_stock();
	struct guest_mem mem = {0};
	const char *text;
	bool failed;
	int ret;

	capture_begin();
	fail_begin(nth, false);
	ret = guest_mem_add_bank(&mem, 4 * GiB, 2 * MiB);
	failed = fail_end();
	text = capture_end();
	CHECK_EQ(!ret, !failed);
	CHECK(ret ? is_error(text) : !text[0]);
	CHECK_EQ(mem.nr_banks, !ret);
	guest_mem_destroy(&mem);
	same_stock(&before);
	return failed;
}

TEST(memory)
{
	unsigned int n = 1;

	while (add_bank(n))
		n++;
	/* Room for it, and the memory. */
	CHECK(n > 2);
}
