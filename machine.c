// SPDX-License-Identifier: GPL-2.0-only
/* From what the user asked for to a running guest, and back. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "iommu/revocation.h"
#include "machine.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/log.h"
#include "vm/runtime.h"

static void stop_ready(void *opaque)
{
	struct machine *m = opaque;

	loop_quit(&m->loop);
}

/*
 * Stops as SIGTSTP does by default, which is not at all if there is no shell that could let the
 * program go on.
 */
static void suspend(void)
{
	sigset_t stop;

	terminal_suspend();
	sigemptyset(&stop);
	sigaddset(&stop, SIGTSTP);
	raise(SIGTSTP);
	pthread_sigmask(SIG_UNBLOCK, &stop, NULL);
	/* SIGCONT came. */
	pthread_sigmask(SIG_BLOCK, &stop, NULL);
	terminal_again();
}

static void signal_ready(void *opaque)
{
	struct machine *m = opaque;
	struct signalfd_siginfo info;

	if (read(m->signal_source.fd, &info, sizeof(info)) != sizeof(info))
		return;
	switch (info.ssi_signo) {
	case SIGTSTP:
		suspend();
		return;
	case SIGCONT:
		/* The shell has used the terminal meanwhile. */
		terminal_again();
		return;
	}
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
	m->stop_source = (struct loop_source){
		.fd = m->vm.stop_fd,
		.ready = stop_ready,
		.opaque = m,
	};
	return loop_add(&m->loop, &m->stop_source);
}

/*
 * Threads inherit the mask, so that only the main loop sees these signals. Before it runs
 * they end the program as guest_claim() says: what is loaded may come from a pipe that never
 * ends.
 */
static int take_signals(struct machine *m)
{
	struct sigaction action;
	sigset_t signals;

	guest_ending_signals(&signals);
	sigdelset(&signals, KICK_SIGNAL);
	sigaddset(&signals, SIGCONT);
	/*
	 * SIGTTIN and SIGTTOU are for a program in the background, which has no terminal to leave
	 * in order; and a read would fail where it has to wait for the foreground.
	 */
	if (!sigaction(SIGTSTP, NULL, &action) && action.sa_handler != SIG_IGN)
		sigaddset(&signals, SIGTSTP);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);

	m->signal_source = (struct loop_source){.ready = signal_ready, .opaque = m};
	m->signal_source.fd = signalfd(-1, &signals, SFD_CLOEXEC);
	if (m->signal_source.fd < 0)
		return -errno;
	return loop_add(&m->loop, &m->signal_source);
}

int machine_open_chardev(struct machine *m, const char *what, const struct chardev_config *config,
			 struct chardev **out)
{
	if (config->kind != CHARDEV_TERMINAL)
		return chardev_open(out, what, config, &m->loop);
	*out = &m->term.dev;
	return 0;
}

static int init_machine(struct machine *m)
{
	const struct mem_config *mem = &m->config->mem;
	int ret = guest_mem_set_pages(&m->vm.mem, mem->pages, mem_config_size(mem));

	if (!ret)
		ret = arch_init_memory(m);
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
	if (!ret)
		ret = machine_open_chardev(m, "--serial", &m->config->serial, &m->serial);
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
	ret = machine_control_start(m);
	if (ret)
		return 1;
	terminal_make_raw(&m->term);
	/* What did not start stops at once what did. */
	vm_start(&m->vm);
	ret = loop_run(&m->loop);
	if (ret) {
		pr_err("the event loop failed: %s", strerror(-ret));
		vm_stop(&m->vm, 1);
	}
	machine_control_stop(m);
	/* A vCPU may be about to sleep until a device ends an access. */
	if (m->has_iommu)
		iommu_wake(&m->iommu);
	vm_join(&m->vm);
	terminal_restore();
	return atomic_load(&m->vm.status);
}

/* Of a signal that ends lkvm at once. */
static void before_end(void)
{
	cleanup_run();
	terminal_restore();
}

static int claim_name(const struct machine_config *config)
{
	char name[32];

	snprintf(name, sizeof(name), "guest-%d", (int)getpid());
	return guest_claim(config->name ? config->name : name, before_end);
}

int machine_run(const struct machine_config *config)
{
	struct machine *m = calloc(1, sizeof(*m));
	int status = 1;

	if (!m) {
		pr_err("out of memory");
		return 1;
	}
	signal(SIGPIPE, SIG_IGN);
	/* A file that would exceed the user's limit is an error of that file. */
	signal(SIGXFSZ, SIG_IGN);
	if (terminal_check() || claim_name(config))
		goto out_free;
	m->config = config;
	m->term.wake_source.fd = -1;
	m->term.size_source.fd = -1;
	m->loop.fd = -1;
	m->signal_source.fd = -1;
	/* Devices use a few file descriptors for each queue. */
	raise_fd_limit();
	if (vm_init(&m->vm))
		goto out_free;
	if (init_machine(m))
		goto out_vm;
	if (!machine_add_devices(m))
		status = run(m);
	machine_control_stop(m);
	machine_destroy_devices(m);

out_vm:
	arch_destroy(m);
	if (m->serial)
		chardev_close(m->serial);
	terminal_destroy(&m->term);
	if (m->signal_source.fd >= 0)
		close(m->signal_source.fd);
	if (m->loop.fd >= 0)
		loop_destroy(&m->loop);
	vm_destroy(&m->vm);
out_free:
	guest_release();
	free(m);
	return status;
}
