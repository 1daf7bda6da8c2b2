// SPDX-License-Identifier: GPL-2.0-only
/* From what the user asked for to a running guest, and back. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "machine.h"
#include "util/log.h"

#define CLASS_IOMMU   0x080600
#define CLASS_STORAGE 0x018000

/* Slot 0 is the host bridge. */
#define FIRST_SLOT 1

/* Devices use a few file descriptors for each queue: take what the host allows. */
static void raise_fd_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static void stop_ready(void *opaque)
{
	struct machine *m = opaque;

	loop_quit(&m->loop);
}

static void signal_ready(void *opaque)
{
	struct machine *m = opaque;
	struct signalfd_siginfo info;

	if (read(m->signal_source.fd, &info, sizeof(info)) != sizeof(info))
		return;
	vm_stop(&m->vm, 128 + info.ssi_signo);
	pr_info("ended by signal %u (%s)", info.ssi_signo, strsignal(info.ssi_signo));
}

static void leave(void *opaque)
{
	struct machine *m = opaque;

	vm_stop(&m->vm, 0);
}

static int init_loop(struct machine *m)
{
	int ret = loop_init(&m->loop);

	if (ret)
		return ret;
	signal(SIGPIPE, SIG_IGN);
	/* A file that would exceed the user's limit is an error of that file. */
	signal(SIGXFSZ, SIG_IGN);
	m->stop_source = (struct loop_source){
		.fd = m->vm.stop_fd,
		.ready = stop_ready,
		.opaque = m,
	};
	return loop_add(&m->loop, &m->stop_source);
}

/*
 * Threads inherit the mask, so that only the main loop sees these signals. Before it runs
 * they end the program as ever: what is loaded may come from a pipe that never ends.
 */
static int take_signals(struct machine *m)
{
	static const int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	struct sigaction action;
	sigset_t signals;

	sigemptyset(&signals);
	/* nohup and shells start a program with signals that it has to go on ignoring. */
	for (size_t i = 0; i < ARRAY_SIZE(ending); i++) {
		if (!sigaction(ending[i], NULL, &action) && action.sa_handler != SIG_IGN)
			sigaddset(&signals, ending[i]);
	}
	pthread_sigmask(SIG_BLOCK, &signals, NULL);

	m->signal_source = (struct loop_source){.ready = signal_ready, .opaque = m};
	m->signal_source.fd = signalfd(-1, &signals, SFD_CLOEXEC);
	if (m->signal_source.fd < 0)
		return -errno;
	return loop_add(&m->loop, &m->signal_source);
}

static int init_iommu(struct machine *m)
{
	int ret = iommu_init(&m->iommu, &m->config->iommu);

	if (!ret)
		ret = virtio_iommu_init(&m->viommu, &m->iommu, &m->vm.mem, &m->vm.stopping);
	if (!ret)
		ret = virtio_pci_init(&m->viommu_pci, &m->viommu.vdev, &m->pci, FIRST_SLOT,
				      CLASS_IOMMU, NULL);
	if (ret)
		pr_err("cannot make the virtio-iommu: %s", strerror(-ret));
	return ret;
}

static int add_disk(struct machine *m, const struct blk_config *config)
{
	struct machine_disk *d = &m->disks[m->nr_disks];
	unsigned int slot = FIRST_SLOT + 1 + m->nr_disks;
	struct iommu_endpoint *ep = NULL;
	int ret;

	ret = disk_open(&d->disk, config);
	if (ret)
		return ret;
	d->behind_iommu = m->config->has_iommu && config->iommu != BLK_IOMMU_OFF;
	if (d->behind_iommu) {
		ep = &d->ep;
		/* An endpoint's ID is its bus, device and function. */
		ret = iommu_add_endpoint(&m->iommu, ep, slot << 3);
		if (ret) {
			pr_err("cannot put the disk %s behind the virtio-iommu: %s", config->path,
			       strerror(-ret));
			goto err_disk;
		}
	}
	ret = virtio_blk_create(&d->blk, config, d->disk, &m->vm.mem, ep);
	if (ret)
		goto err_disk;
	ret = virtio_pci_init(&d->pci, &d->blk->vdev, &m->pci, slot, CLASS_STORAGE, ep);
	if (ret) {
		pr_err("cannot put the disk %s on the PCI bus: %s", config->path, strerror(-ret));
		virtio_blk_destroy(d->blk);
		return ret;
	}
	m->nr_disks++;
	return 0;

err_disk:
	disk_close(d->disk);
	return ret;
}

/* Stops what a device does before what it uses goes away. */
static void stop_device(struct virtio_device *vdev)
{
	pthread_mutex_lock(&vdev->lock);
	virtio_set_status(vdev, 0);
	pthread_mutex_unlock(&vdev->lock);
}

static void destroy_devices(struct machine *m, bool has_iommu)
{
	for (unsigned int i = 0; i < m->nr_disks; i++)
		stop_device(&m->disks[i].blk->vdev);
	if (has_iommu)
		stop_device(&m->viommu.vdev);
	while (m->nr_disks) {
		struct machine_disk *d = &m->disks[--m->nr_disks];

		virtio_pci_destroy(&d->pci);
		virtio_blk_destroy(d->blk);
	}
	if (has_iommu) {
		virtio_pci_destroy(&m->viommu_pci);
		virtio_iommu_destroy(&m->viommu);
		iommu_destroy(&m->iommu);
	}
}

static int init_machine(struct machine *m)
{
	int ret = arch_init_memory(m);

	if (!ret)
		ret = vm_set_memory(&m->vm);
	if (!ret)
		ret = arch_init_irqchip(m);
	if (!ret)
		ret = vm_create_vcpus(&m->vm, m->config->nr_vcpus);
	if (ret)
		return ret;
	ret = init_loop(m);
	if (ret) {
		pr_err("cannot make the event loop: %s", strerror(-ret));
		return ret;
	}
	ret = terminal_init(&m->term, &m->loop, m->vm.stop_fd, leave, m);
	return ret ? ret : arch_init_board(m);
}

static int run(struct machine *m)
{
	int ret = arch_load(m);

	if (ret)
		return 1;
	ret = take_signals(m);
	if (ret) {
		pr_err("cannot take signals: %s", strerror(-ret));
		return 1;
	}
	terminal_make_raw();
	/* What did not start stops at once what did. */
	vm_start(&m->vm);
	ret = loop_run(&m->loop);
	if (ret) {
		pr_err("the event loop failed: %s", strerror(-ret));
		vm_stop(&m->vm, 1);
	}
	vm_join(&m->vm);
	terminal_restore();
	return atomic_load(&m->vm.status);
}

int machine_run(const struct machine_config *config)
{
	struct machine *m = calloc(1, sizeof(*m));
	bool has_iommu = false;
	int status = 1;

	if (!m) {
		pr_err("out of memory");
		return 1;
	}
	if (terminal_check())
		goto out_free;
	m->config = config;
	m->term.wake_source.fd = -1;
	m->loop.fd = -1;
	m->signal_source.fd = -1;
	raise_fd_limit();
	if (vm_init(&m->vm))
		goto out_free;
	if (init_machine(m))
		goto out_vm;
	if (config->has_iommu) {
		if (init_iommu(m))
			goto out_vm;
		has_iommu = true;
	}
	for (unsigned int i = 0; i < config->nr_disks; i++) {
		if (add_disk(m, &config->disks[i]))
			goto out_devices;
	}
	status = run(m);

out_devices:
	destroy_devices(m, has_iommu);
out_vm:
	arch_destroy(m);
	terminal_destroy(&m->term);
	if (m->signal_source.fd >= 0)
		close(m->signal_source.fd);
	if (m->loop.fd >= 0)
		loop_destroy(&m->loop);
	vm_destroy(&m->vm);
out_free:
	free(m);
	return status;
}
