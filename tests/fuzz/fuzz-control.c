// SPDX-License-Identifier: GPL-2.0-only
/*
 * The control socket of a machine with a virtio-iommu, another device and a vCPU that comes out
 * when it likes: clients that come, send anything in pieces, read or do not, and go. And the other
 * side: a guest that answers anything.
 */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "control-client.h"
#include "fake-ioctl.h"
#include "fake-kvm.h"
#include "fuzz.h"
#include "inline-worker.h"
#include "machine.h"
#include "toy-format.h"

#define RAM	   (1 * MiB)
#define NR_CLIENTS (CONTROL_MAX_CLIENTS + 4)
#define EP_ID	   8
#define DOMAINS	   4

/* Of sources that are ready without end, no more than a few hundred are expected. */
#define MAX_TURNS 10000

static struct machine m;
static struct vcpu vcpu;
static struct machine_device viommu, rng;
static struct virtio_rng *rng_device;
static struct chardev back_end;
static struct sockaddr_un addr;
static socklen_t addr_len;
static int clients[NR_CLIENTS]; /* -1: none */

/* In the places of those that need a runtime directory, and a board. */
int __wrap_guest_listen(void);
const char *__wrap_guest_name(void);
void __wrap_arch_power_button(struct machine *machine);
void __wrap_arch_vm_resuming(struct vm *vm, u64 ns);
ssize_t __wrap_send(int fd, const void *buf, size_t len, int flags);
ssize_t __real_send(int fd, const void *buf, size_t len, int flags);

int __wrap_guest_listen(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	/* An abstract address of the kernel's choice. */
	addr = (struct sockaddr_un){.sun_family = AF_UNIX};
	addr_len = sizeof(addr);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(sa_family_t)) ||
	    listen(fd, NR_CLIENTS) || getsockname(fd, (struct sockaddr *)&addr, &addr_len))
		exit(2);
	return fd;
}

const char *__wrap_guest_name(void)
{
	return "guest";
}

void __wrap_arch_power_button(struct machine *machine)
{
	CHECK(machine == &m);
}

void __wrap_arch_vm_resuming(struct vm *vm, u64 ns)
{
	(void)ns;
	CHECK(vm == &m.vm);
}

/* A part of an answer, or nothing yet. Clients do not come by here. */
ssize_t __wrap_send(int fd, const void *buf, size_t len, int flags)
{
	switch (unit_below(8)) {
	case 1:
		errno = EAGAIN;
		return -1;
	case 2:
		errno = EINTR;
		return -1;
	case 3:
		len = 1 + len / 2;
	}
	return __real_send(fd, buf, len, flags);
}

/* Until nothing is to be done. */
static void serve(void)
{
	struct epoll_event event;
	unsigned int turns = 0;

	while (epoll_wait(m.loop.fd, &event, 1, 0) > 0) {
		struct loop_source *source = event.data.ptr;

		CHECK(turns++ < MAX_TURNS);
		source->ready(source->opaque);
	}
}

static void leave(unsigned int i)
{
	if (clients[i] >= 0)
		close(clients[i]);
	clients[i] = -1;
}

static void come(unsigned int i)
{
	leave(i);
	clients[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (clients[i] < 0)
		exit(2);
	if (!connect(clients[i], (struct sockaddr *)&addr, addr_len))
		return;
	/* There are too many that nobody has looked at. */
	serve();
	if (connect(clients[i], (struct sockaddr *)&addr, addr_len))
		exit(2);
}

static void say(unsigned int i, const void *bytes, size_t len)
{
	/* Whoever has been answered is not heard any more. */
	if (sendto(clients[i], bytes, len, MSG_NOSIGNAL, NULL, 0) < 0)
		CHECK(errno == EPIPE || errno == ECONNRESET || errno == EAGAIN);
}

/* Words that there are, others, and anything in between. */
static void say_request(unsigned int i)
{
	static const char *const words[] = {
		"info",	    "stat",	"iommu",   "pause",  "resume", "power-button",
		"json",	    "mappings", "domain=", "from=0", "from=",  "domain=1",
		"domain=2", "1",	"0x",	   "\n",     "\n",     " ",
	};
	char line[2 * CONTROL_MAX_REQUEST];
	size_t len = 0;

	for (unsigned int n = 1 + unit_below(8); n--;) {
		u8 how = fuzz_int(1);

		if (how < 192)
			len += sprintf(line + len, "%s", fuzz_pick(words));
		else if (how < 224)
			len += sprintf(line + len, "%llx", (unsigned long long)fuzz_number());
		else
			line[len++] = fuzz_int(1);
		if (how & 1)
			line[len++] = ' ';
	}
	if (unit_below(4))
		line[len++] = '\n';
	say(i, line, len);
}

static void say_anything(unsigned int i)
{
	u8 bytes[2 * CONTROL_MAX_REQUEST];
	size_t len = fuzz_int(2) % sizeof(bytes);

	memset(bytes, 'x', sizeof(bytes));
	fuzz_take(bytes, min(len, (size_t)32));
	say(i, bytes, len);
}

/* What is there of an answer. */
static void hear(unsigned int i)
{
	char bytes[512];
	ssize_t n;

	do {
		n = recv(clients[i], bytes, sizeof(bytes), 0);
	} while (n > 0 && fuzz_bool());
}

/* A whole answer is what docs/control.md says. False if it is an error, or there is none. */
static bool hear_all(unsigned int i)
{
	static char bytes[CONTROL_MAX_ANSWER + 64];
	size_t len = 0, size;
	ssize_t n;
	char *end;

	serve();
	while ((n = recv(clients[i], bytes + len, sizeof(bytes) - 1 - len, 0)) > 0) {
		len += n;
		serve();
	}
	bytes[len] = '\0';
	if (n || !len)
		return false;
	if (strncmp(bytes, "ok ", 3)) {
		CHECK(!strncmp(bytes, "error ", 6) && bytes[len - 1] == '\n');
		return false;
	}
	size = strtoull(bytes + 3, &end, 10);
	CHECK(*end == '\n' && end + 1 + size == bytes + len);
	return true;
}

/* More than there is room for. */
static void crowd(void)
{
	for (unsigned int i = 0; i < NR_CLIENTS; i++) {
		if (clients[i] < 0)
			come(i);
	}
	serve();
}

static void client_step(void)
{
	unsigned int i = unit_below(NR_CLIENTS);

	if (clients[i] < 0)
		come(i);
	switch (unit_below(8)) {
	case 0:
		leave(i);
		break;
	case 1:
		hear(i);
		break;
	case 2:
		say_anything(i);
		break;
	case 3:
		come(i);
		say_request(i);
		hear_all(i);
		break;
	case 4:
		/* Whatever others do, what is asked for well is answered. */
		come(i);
		say(i, "stat json\n", 10);
		CHECK(hear_all(i));
		break;
	default:
		say_request(i);
	}
	if (fuzz_bool())
		serve();
}

static void change_iommu(void)
{
	u32 domain = unit_below(DOMAINS);
	struct toy_descriptor desc = {.pasid = htole32(unit_below(2))};
	u8 bytes[IOMMU_DESCRIPTOR_SIZE];
	struct mapping map;
	u32 pasid;

	switch (unit_below(4)) {
	case 0:
		iommu_attach(&m.iommu, domain, EP_ID, fuzz_bool());
		break;
	case 1:
		memcpy(bytes, &desc, sizeof(bytes));
		iommu_attach_table(&m.iommu, domain, EP_ID, desc.pasid ? TOY_PASID : TOY_BASE,
				   bytes, &pasid);
		break;
	default:
		map.start = fuzz_number() & ~4095ULL;
		map.last = map.start | 4095;
		map.gpa = 0;
		map.flags = unit_below(4);
		iommu_map(&m.iommu, domain, &map);
	}
}

/* Once it is out, whoever waits for that has an answer. */
static void vcpu_step(void)
{
	bool in = fuzz_bool();

	if (in && atomic_load(&m.vm.pausing))
		return;
	atomic_store(&vcpu.in_guest, in);
	if (!in)
		eventfd_write(m.vm.out_fd, 1);
}

static void start(void)
{
	static const struct iommu_config config = {
		.page_size_mask = ~4095ULL,
		.input_last = UINT64_MAX,
		.domain_last = DOMAINS,
		.max_mappings = 100,
		.offer_tables = true,
	};
	static const struct iommu_limits limits = {.pa_bits = 40, .pasid_bits = 20};

	memset(&m, 0, sizeof(m));
	fake_kvm_start(&m.vm, RAM);
	m.vm.go_fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	m.vm.out_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	vcpu = (struct vcpu){.vm = &m.vm};
	m.vm.vcpus = &vcpu;
	m.vm.nr_vcpus = 1;
	m.serial = &back_end;
	m.has_iommu = fuzz_int(1) != 0;
	if (m.vm.go_fd < 0 || m.vm.out_fd < 0 || loop_init(&m.loop))
		exit(2);
	memset(&rng, 0, sizeof(rng));
	memset(&viommu, 0, sizeof(viommu));
	if (m.has_iommu) {
		if (iommu_init(&m.iommu, &config) || iommu_add_endpoint(&m.iommu, &rng.ep, EP_ID) ||
		    virtio_iommu_init(&m.viommu, &m.iommu, &m.vm.mem, &m.vm.stopping))
			exit(2);
		iommu_set_format(&rng.ep, &toy_format, &limits);
		rng.behind_iommu = true;
		viommu.vdev = &m.viommu.vdev;
		m.viommu_device = &viommu;
		m.devices[m.nr_devices++] = &viommu;
	}
	if (virtio_rng_create(&rng_device, &m.vm.mem, m.has_iommu ? &rng.ep : NULL))
		exit(2);
	rng.vdev = &rng_device->vdev;
	m.devices[m.nr_devices++] = &rng;
	if (machine_control_start(&m))
		exit(2);
	for (unsigned int i = 0; i < NR_CLIENTS; i++)
		clients[i] = -1;
}

static void end(void)
{
	machine_control_stop(&m);
	for (unsigned int i = 0; i < NR_CLIENTS; i++)
		leave(i);
	virtio_rng_destroy(rng_device);
	if (m.has_iommu) {
		virtio_iommu_destroy(&m.viommu);
		iommu_destroy(&m.iommu);
	}
	loop_destroy(&m.loop);
	close(m.vm.go_fd);
	close(m.vm.out_fd);
	fake_kvm_end(&m.vm);
}

/* The verbs' side: the input is what comes, and then nothing. */
static void answer_anything(void)
{
	struct timespec deadline = client_deadline(1000);
	char *payload = NULL;
	const u8 *rest;
	size_t len;
	int ret, fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds))
		exit(2);
	rest = fuzz_rest(&len);
	if (write(fds[1], rest, min(len, (size_t)4096)) < 0)
		exit(2);
	close(fds[1]);
	len = 0;
	ret = guest_receive(fds[0], &payload, &len, &deadline);
	CHECK(ret <= 0);
	if (!ret || ret == -EREMOTEIO)
		CHECK(!payload[len]);
	else
		CHECK(!payload);
	free(payload);
}

void fuzz_begin(void)
{
	fake_ioctl_install();
}

void fuzz_one(void)
{
	if (unit_below(8) == 0) {
		answer_anything();
		return;
	}
	start();
	while (fuzz_more()) {
		u8 step = fuzz_int(1);

		if (step < 192)
			client_step();
		else if (step < 208)
			vcpu_step();
		else if (step < 212)
			crowd();
		else if (m.has_iommu)
			change_iommu();
	}
	serve();
	inline_workers_run();
	end();
}
