// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "util/types.h"
#include "vm/features.h"

#ifndef KVM_CAP_GUEST_MEMFD
#define KVM_CAP_GUEST_MEMFD 234
#endif

static const struct kvm_ext exts[] = {
	{"irqfd", KVM_CAP_IRQFD},
	{"irqfd-resample", KVM_CAP_IRQFD_RESAMPLE},
	{"ioeventfd", KVM_CAP_IOEVENTFD},
	{"ioeventfd-any-length", KVM_CAP_IOEVENTFD_ANY_LENGTH},
	{"immediate-exit", KVM_CAP_IMMEDIATE_EXIT},
	{"signal-msi", KVM_CAP_SIGNAL_MSI},
	{"irq-routing", KVM_CAP_IRQ_ROUTING},
	{"readonly-memory", KVM_CAP_READONLY_MEM},
	{"coalesced-mmio", KVM_CAP_COALESCED_MMIO},
	{"device-control", KVM_CAP_DEVICE_CTRL},
	{"guest-memfd", KVM_CAP_GUEST_MEMFD},
	{NULL, 0},
};

/* 0 where KVM does not know it, or is not there (@fd is -1). */
static u64 extension(int fd, long cap)
{
	int ret = fd < 0 ? 0 : ioctl(fd, KVM_CHECK_EXTENSION, cap);

	return ret < 0 ? 0 : ret;
}

static void report_exts(struct report *r, int fd, const struct kvm_ext *ext)
{
	for (; ext->name; ext++) {
		char name[64];

		snprintf(name, sizeof(name), "host.kvm.%s", ext->name);
		report_bool(r, name, extension(fd, ext->cap));
	}
}

void kvm_features(struct report *r)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	const char *reason = fd < 0 ? strerror(errno) : "none";
	int api = fd < 0 ? 0 : ioctl(fd, KVM_GET_API_VERSION, 0);
	u64 vcpus;

	if (api < 0) {
		reason = "/dev/kvm is not a KVM device";
		close(fd);
		fd = -1;
		api = 0;
	} else if (fd >= 0 && api != KVM_API_VERSION) {
		reason = "it speaks another version of the API";
	}
	report_bool(r, "host.kvm", fd >= 0 && api == KVM_API_VERSION);
	report_str(r, "host.kvm.obstacle", reason);
	report_u64(r, "host.kvm.api", api);
	/* As KVM's documentation has it: 4 where it does not say. */
	vcpus = extension(fd, KVM_CAP_NR_VCPUS);
	report_u64(r, "host.kvm.recommended-vcpus", fd >= 0 && !vcpus ? 4 : vcpus);
	if (extension(fd, KVM_CAP_MAX_VCPUS))
		vcpus = extension(fd, KVM_CAP_MAX_VCPUS);
	report_u64(r, "host.kvm.max-vcpus", fd >= 0 && !vcpus ? 4 : vcpus);
	report_u64(r, "host.kvm.memory-slots", extension(fd, KVM_CAP_NR_MEMSLOTS));
	report_exts(r, fd, exts);
	report_exts(r, fd, arch_kvm_exts);
	arch_kvm_features(r, fd);
	if (fd >= 0)
		close(fd);
}

static bool read_line(const char *path, char *line, size_t size)
{
	FILE *f = fopen(path, "re");
	bool ok;

	if (!f)
		return false;
	ok = fgets(line, size, f);
	fclose(f);
	if (ok)
		line[strcspn(line, "\n")] = '\0';
	return ok;
}

/* Explicit huge pages, by size. Sizes that the host does not have are not there. */
static void report_hugepages(struct report *r)
{
	DIR *dir = opendir("/sys/kernel/mm/hugepages");
	const struct dirent *d;

	while (dir && (d = readdir(dir))) {
		char path[128], line[32], name[64];
		u64 kib, nr;

		if (sscanf(d->d_name, "hugepages-%" SCNu64 "kB", &kib) != 1)
			continue;
		snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/%.40s/free_hugepages",
			 d->d_name);
		if (!read_line(path, line, sizeof(line)) || sscanf(line, "%" SCNu64, &nr) != 1)
			continue;
		snprintf(name, sizeof(name), "host.hugepages.%" PRIu64 "%s.free",
			 kib < 1024  ? kib
			 : kib < MiB ? kib / 1024
				     : kib / MiB,
			 kib < 1024  ? "K"
			 : kib < MiB ? "M"
				     : "G");
		report_u64(r, name, nr);
	}
	if (dir)
		closedir(dir);
}

/* The choice in brackets of "always [madvise] never". */
static void report_transparent(struct report *r)
{
	char line[128], *begin = NULL;

	if (read_line("/sys/kernel/mm/transparent_hugepage/enabled", line, sizeof(line)))
		begin = strchr(line, '[');
	if (begin)
		begin[strcspn(begin, "]")] = '\0';
	report_str(r, "host.hugepages.transparent", begin ? begin + 1 : "none");
}

void host_features(struct report *r)
{
	struct utsname uts;

	report_str(r, "host.kernel", uname(&uts) ? "none" : uts.release);
	report_str(r, "host.machine", uname(&uts) ? "none" : uts.machine);
	report_u64(r, "host.cpus", sysconf(_SC_NPROCESSORS_ONLN));
	report_u64(r, "host.page-size", sysconf(_SC_PAGESIZE));
	report_hugepages(r);
	report_transparent(r);
	/* Whether this user may open them. */
	report_bool(r, "host.tun", !access("/dev/net/tun", R_OK | W_OK));
	report_bool(r, "host.iommufd", !access("/dev/iommu", R_OK | W_OK));
	report_bool(r, "host.vfio", !access("/dev/vfio/vfio", R_OK | W_OK));
}
