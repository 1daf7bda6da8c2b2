// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "builtin.h"
#include "iommu/config.h"
#include "machine.h"
#include "util/log.h"
#include "util/options.h"
#include "util/parse.h"
#include "util/trace.h"
#include "vm/runtime.h"

/* What a guest gets that asks for nothing. */
#define DEFAULT_CMDLINE "console=ttyS0"

/* Two in-memory disks for the embedded guest: one to keep apart from the other. */
#define DEMO_DISK     "ram:1M"
#define NR_DEMO_DISKS 2

/* And a device for page tables of each vendor. */
#define DEMO_ENGINE MACHINE_DEVICES ",iommu-format="
static const char *const demo_formats[] = {"smmuv3", "vtd", "amd", "riscv"};

struct run_options {
	struct machine_config machine;
	const char *cpus, *transport, *serial, *irqchip; /* as they were given */
	char cmdline[64]; /* the default one, where it is not DEFAULT_CMDLINE */
	bool want_help;
};

static int set_once(const char **where, const char *value, const char *name)
{
	if (*where) {
		pr_err("--%s is given twice: '%s' and '%s'", name, *where, value);
		return -EINVAL;
	}
	*where = value;
	return 0;
}

static int opt_name(void *opaque, const char *value)
{
	struct run_options *o = opaque;

	if (!guest_name_valid(value)) {
		pr_err("--name: '%s' is not a name: up to %d letters, digits, '.', '_' and '-', "
		       "and neither '.' nor '-' at the start",
		       value, GUEST_NAME_MAX);
		return -EINVAL;
	}
	return set_once(&o->machine.name, value, "name");
}

static int opt_kernel(void *opaque, const char *value)
{
	struct run_options *o = opaque;

	return set_once(&o->machine.kernel, value, "kernel");
}

static int opt_initrd(void *opaque, const char *value)
{
	struct run_options *o = opaque;

	return set_once(&o->machine.initrd, value, "initrd");
}

static int opt_params(void *opaque, const char *value)
{
	struct run_options *o = opaque;

	return set_once(&o->machine.cmdline, value, "params");
}

static int opt_mem(void *opaque, const char *value)
{
	struct run_options *o = opaque;

	return mem_parse(&o->machine.mem, value);
}

static int opt_hugepages(void *opaque, const char *value)
{
	struct run_options *o = opaque;

	return mem_parse_pages(&o->machine.mem, value);
}

static int opt_cpus(void *opaque, const char *value)
{
	struct run_options *o = opaque;
	u64 nr;

	if (set_once(&o->cpus, value, "cpus"))
		return -EINVAL;
	if (parse_u64(value, &nr) || nr < 1 || nr > VM_MAX_VCPUS) {
		pr_err("--cpus: '%s' is not a number from 1 to %d", value, VM_MAX_VCPUS);
		return -EINVAL;
	}
	o->machine.nr_vcpus = nr;
	return 0;
}

static int add_disk(struct machine_config *m, const char *value)
{
	if (m->nr_disks == MACHINE_MAX_DISKS) {
		pr_err("--disk: '%s' is one too many, %d are possible", value, MACHINE_MAX_DISKS);
		return -EINVAL;
	}
	if (blk_parse(value, &m->disks[m->nr_disks]))
		return -EINVAL;
	m->disks[m->nr_disks].index = m->nr_disks;
	m->nr_disks++;
	return 0;
}

static int opt_disk(void *opaque, const char *value)
{
	struct run_options *o = opaque;

	return add_disk(&o->machine, value);
}

static int opt_net(void *opaque, const char *value)
{
	struct run_options *o = opaque;
	struct machine_config *m = &o->machine;

	if (m->nr_nets == MACHINE_MAX_NETS) {
		pr_err("--net: '%s' is one too many, %d are possible", value, MACHINE_MAX_NETS);
		return -EINVAL;
	}
	if (net_parse(value, &m->nets[m->nr_nets]))
		return -EINVAL;
	m->nets[m->nr_nets].index = m->nr_nets;
	m->nr_nets++;
	return 0;
}

static int opt_device(void *opaque, const char *value)
{
	struct run_options *o = opaque;
	struct machine_config *m = &o->machine;

	if (m->nr_engines == MACHINE_MAX_ENGINES) {
		pr_err("--device: '%s' is one too many, %d are possible", value,
		       MACHINE_MAX_ENGINES);
		return -EINVAL;
	}
	return engine_parse(value, &m->engines[m->nr_engines++]);
}

/* What the embedded guest shows, as far as the user has not said it. */
static int add_demo_devices(struct machine_config *m)
{
	const struct iommu_format *format = m->iommu.format;
	char engine[sizeof(DEMO_ENGINE) + 16];

	m->test_exit = true;
	while (m->nr_disks < NR_DEMO_DISKS) {
		if (add_disk(m, DEMO_DISK))
			return -EINVAL;
	}
	if (!m->has_iommu || !format || m->nr_engines)
		return 0;
	if (engine_parse(MACHINE_DEVICES, &m->engines[m->nr_engines++]))
		return -EINVAL;
	for (unsigned int i = 0; i < ARRAY_SIZE(demo_formats); i++) {
		if (!strcmp(format->name, demo_formats[i]))
			continue;
		snprintf(engine, sizeof(engine), DEMO_ENGINE "%s", demo_formats[i]);
		if (engine_parse(engine, &m->engines[m->nr_engines++]))
			return -EINVAL;
	}
	return 0;
}

static int opt_rng(void *opaque, const char *value)
{
	struct run_options *o = opaque;

	if (o->machine.has_rng) {
		pr_err("--rng is given twice");
		return -EINVAL;
	}
	o->machine.has_rng = true;
	return rng_parse(value, &o->machine.rng);
}

static int opt_serial(void *opaque, const char *value)
{
	struct run_options *o = opaque;

	if (set_once(&o->serial, value, "serial"))
		return -EINVAL;
	return chardev_parse("--serial", value, strlen(value), &o->machine.serial);
}

static int opt_console(void *opaque, const char *value)
{
	struct run_options *o = opaque;

	return console_parse(value, &o->machine.console);
}

static int opt_iommu(void *opaque, const char *value)
{
	static const struct subopt device_subopts[] = {
		VIRTIO_IOMMU_SUBOPTS,
		{NULL, NULL, false},
	};
	struct run_options *o = opaque;
	const struct subopt_set device = {device_subopts, &o->machine.viommu};
	struct iommu_resv resv[IOMMU_MAX_RESV];
	unsigned int nr = arch_iommu_resv(resv, ARRAY_SIZE(resv));

	if (o->machine.has_iommu) {
		pr_err("--iommu is given twice");
		return -EINVAL;
	}
	o->machine.has_iommu = true;
	o->machine.viommu.what = "--iommu";
	return iommu_parse(value, arch_iommu_format, resv, nr, &device, &o->machine.iommu);
}

static int opt_virtio_ring(void *opaque, const char *value)
{
	struct run_options *o = opaque;

	if (o->machine.ring) {
		pr_err("--virtio-ring is given twice");
		return -EINVAL;
	}
	if (virtio_ring_by_name(value, &o->machine.ring)) {
		pr_err("--virtio-ring: '%s' is neither 'split' nor 'packed'", value);
		return -EINVAL;
	}
	return 0;
}

static int opt_virtio_transport(void *opaque, const char *value)
{
	struct run_options *o = opaque;

	if (set_once(&o->transport, value, "virtio-transport"))
		return -EINVAL;
	if (virtio_transport_by_name(value, &o->machine.transport)) {
		pr_err("--virtio-transport: '%s' is neither 'pci' nor 'mmio'", value);
		return -EINVAL;
	}
	return 0;
}

static int opt_irqchip(void *opaque, const char *value)
{
	struct run_options *o = opaque;

	if (set_once(&o->irqchip, value, "irqchip"))
		return -EINVAL;
	for (unsigned int i = 0; arch_irqchips[i]; i++) {
		if (!strcmp(arch_irqchips[i], value)) {
			o->machine.irqchip = i + 1;
			return 0;
		}
	}
	pr_err("--irqchip: '%s' is none of %s", value, arch_irqchip_arg);
	return -EINVAL;
}

static int opt_cpu_without(void *opaque, const char *value)
{
	struct run_options *o = opaque;

	do {
		size_t len = strcspn(value, ",");
		unsigned int i = 0;

		while (arch_cpu_features[i] && (strlen(arch_cpu_features[i]) != len ||
						strncmp(arch_cpu_features[i], value, len) != 0))
			i++;
		if (!arch_cpu_features[i]) {
			pr_err("--cpu-without: there is no feature '%.*s'; it takes %s", (int)len,
			       value, arch_cpu_without_arg);
			return -EINVAL;
		}
		o->machine.cpu_without |= BIT(i);
		value += len;
	} while (*value++);
	return 0;
}

static int opt_trace(void *opaque, const char *value)
{
	(void)opaque;
	return trace_parse(value);
}

static int opt_dump_dtb(void *opaque, const char *value)
{
	struct run_options *o = opaque;

	return set_once(&o->machine.dump_dtb, value, "dump-dtb");
}

static int opt_test_exit(void *opaque, const char *value)
{
	struct run_options *o = opaque;

	(void)value;
	o->machine.test_exit = true;
	return 0;
}

static int opt_quiet(void *opaque, const char *value)
{
	(void)opaque;
	(void)value;
	log_set_quiet(true);
	return 0;
}

static int opt_help(void *opaque, const char *value)
{
	struct run_options *o = opaque;

	(void)value;
	o->want_help = true;
	return 0;
}

static const struct option_def options[] = {
	{"kernel", 'k', "FILE", arch_kernel_usage, opt_kernel},
	{"initrd", 'i', "FILE", "initial RAM disk", opt_initrd},
	{"params", 'p', "TEXT",
	 "kernel command line (" DEFAULT_CMDLINE ", or of the console\nthat has the terminal)",
	 opt_params},
	{"mem", 'm', "SIZE[@ADDRESS]", mem_usage, opt_mem},
	{"hugepages", 0, MEM_PAGES, mem_pages_usage, opt_hugepages},
	{"cpus", 'c', "N", VM_VCPUS_USAGE, opt_cpus},
	{"disk", 'd', "FILE[,...]", blk_usage, opt_disk},
	{"net", 'n', "MODE[,...]", net_usage, opt_net},
	{"rng", 0, "[=...]", rng_usage, opt_rng},
	{"device", 0, MACHINE_DEVICES "[,...]", machine_device_usage, opt_device},
	{"serial", 0, "BACKEND",
	 "what the serial port is (tty, if no --console is):\n" CHARDEV_USAGE, opt_serial},
	{"console", 0, "BACKEND[,...]", console_usage, opt_console},
	{"iommu", 0, "virtio[,...]", IOMMU_USAGE "\n" VIRTIO_IOMMU_SUBOPTS_USAGE, opt_iommu},
	{"virtio-ring", 0, VIRTIO_RINGS, virtio_ring_usage, opt_virtio_ring},
	{"virtio-transport", 0, VIRTIO_TRANSPORTS, virtio_transport_usage, opt_virtio_transport},
	{"irqchip", 0, arch_irqchip_arg, arch_irqchip_usage, opt_irqchip},
	{"cpu-without", 0, arch_cpu_without_arg, arch_cpu_without_usage, opt_cpu_without},
	{"trace", 0, "AREA[,AREA]...", trace_usage, opt_trace},
	{"name", 0, "NAME", GUEST_NAME_USAGE, opt_name},
	{"dump-dtb", 0, arch_dump_dtb_arg,
	 "write the machine's device tree to the file at the start", opt_dump_dtb},
	{"test-exit", 0, NULL, arch_test_exit_usage, opt_test_exit},
	{"quiet", 'q', NULL, "print errors and warnings only", opt_quiet},
	{"help", 'h', NULL, "print this", opt_help},
	{NULL, 0, NULL, NULL, NULL},
};

void builtin_run_usage(void)
{
	printf("usage: lkvm run [OPTIONS]\n\n");
	print_options(options);
	printf("\nThe terminal is the guest's serial console, or that of '--console tty'; ctrl-a x "
	       "leaves it\nand ends the guest.\n"
	       "The exit status is 0 when the guest powers off or reboots.\n");
}

static int check_device(struct machine_config *m, const struct virtio_options *device)
{
	if (device->iommu == VIRTIO_CHOICE_ON && !m->has_iommu) {
		pr_err("%s: iommu=on needs --iommu=virtio", device->what);
		return -EINVAL;
	}
	if (device->has_format && (!m->has_iommu || device->iommu == VIRTIO_CHOICE_OFF)) {
		pr_err("%s: iommu-format= is for devices behind an IOMMU: %s", device->what,
		       m->has_iommu ? "this one has iommu=off" : "add --iommu=virtio");
		return -EINVAL;
	}
	m->iommu.offer_tables |= device->has_format && device->format;
	return 0;
}

/* All devices, whatever they are. */
static int check_devices(struct machine_config *m)
{
	int ret = 0;

	m->iommu.offer_tables = m->iommu.format;
	for (unsigned int i = 0; !ret && i < m->nr_disks; i++)
		ret = check_device(m, &m->disks[i].options);
	if (!ret && m->console.nr_ports)
		ret = check_device(m, &m->console.options);
	for (unsigned int i = 0; !ret && i < m->nr_nets; i++)
		ret = check_device(m, &m->nets[i].options);
	if (!ret && m->has_rng)
		ret = check_device(m, &m->rng.options);
	for (unsigned int i = 0; !ret && i < m->nr_engines; i++)
		ret = check_device(m, &m->engines[i].options);
	if (!ret && m->iommu.no_map && !m->iommu.offer_tables) {
		pr_err("--iommu: with map=off and no table format a driver can do nothing: choose "
		       "one by tables=");
		ret = -EINVAL;
	}
	return ret;
}

/* What options allow one by one, but not together. */
static int check(struct machine_config *m)
{
	struct mem_hole holes[ARCH_MAX_HOLES];
	unsigned int nr_holes = arch_mem_holes(holes, ARRAY_SIZE(holes));

	if (mem_config_check(&m->mem, arch_mem_start, holes, nr_holes))
		return -EINVAL;
	if (m->initrd && !m->kernel) {
		pr_err("--initrd %s: an initrd needs a --kernel", m->initrd);
		return -EINVAL;
	}
	if (check_devices(m))
		return -EINVAL;
	return net_check_all(m->nets, m->nr_nets);
}

/* Who has the terminal, and what a Linux guest is told of that. */
static int set_up_consoles(struct run_options *o)
{
	struct machine_config *m = &o->machine;
	bool on_console = console_has_terminal(&m->console);
	int hvc = console_terminal_hvc(&m->console);

	if (on_console && o->serial && m->serial.kind == CHARDEV_TERMINAL) {
		pr_err("--serial %s and --console tty: the terminal can have one of them",
		       o->serial);
		return -EINVAL;
	}
	if (on_console && !m->kernel) {
		pr_err("--console tty: the built-in guest prints to the serial port only, give a "
		       "--kernel");
		return -EINVAL;
	}
	if (!o->serial)
		m->serial.kind = on_console ? CHARDEV_NULL : CHARDEV_TERMINAL;
	if (m->cmdline)
		return 0;
	m->cmdline = DEFAULT_CMDLINE;
	if (hvc < 0)
		return 0;
	/* The last one is /dev/console. */
	snprintf(o->cmdline, sizeof(o->cmdline), "%sconsole=hvc%d",
		 m->serial.kind == CHARDEV_NULL ? "" : DEFAULT_CMDLINE " ", hvc);
	m->cmdline = o->cmdline;
	return 0;
}

int builtin_run(int argc, char **argv)
{
	struct run_options *o = calloc(1, sizeof(*o));
	struct machine_config *m;
	int status = 1;

	if (!o) {
		pr_err("out of memory");
		return 1;
	}
	m = &o->machine;
	m->nr_vcpus = 1;
	if (parse_options("run", argc, argv, options, o))
		goto out;
	if (o->want_help) {
		builtin_run_usage();
		status = 0;
		goto out;
	}
	if (!m->kernel && add_demo_devices(m))
		goto out;
	if (check(m) || set_up_consoles(o))
		goto out;
	status = machine_run(m);
out:
	free(o);
	return status;
}
