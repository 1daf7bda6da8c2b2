// SPDX-License-Identifier: GPL-2.0-only
/*
 * A host that runs short, for a dynamically linked lkvm, by LD_PRELOAD: of the calls that take
 * something from the host (memory, descriptors, threads, files, what KVM makes), one fails.
 *   FAIL_SHIM_NTH=N     the N-th one, counted from 1; none without this
 *   FAIL_SHIM_ONWARD=1  and all that follow it
 *   FAIL_SHIM_LOG=FILE  gets a line for each that failed, or for all if none is to fail: what it
 *                       was, and where it was called, for addr2line
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

static unsigned long nth;
static bool onward;
static const char *log_path;
static atomic_ulong calls;

__attribute__((constructor)) static void begin(void)
{
	const char *env = getenv("FAIL_SHIM_NTH");

	log_path = getenv("FAIL_SHIM_LOG");
	onward = getenv("FAIL_SHIM_ONWARD");
	/* What the C library did before this is not counted. */
	atomic_store(&calls, 0);
	nth = env ? strtoul(env, NULL, 10) : 0;
}

/* By system calls alone: nothing here may be counted. */
static void note(const char *what, const void *caller)
{
	char line[PATH_MAX + 64];
	int fd, len;
	Dl_info in;

	if (!log_path || !dladdr(caller, &in))
		return;
	fd = syscall(SYS_openat, AT_FDCWD, log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
		     0600);
	len = snprintf(line, sizeof(line), "%s %s 0x%lx\n", what, in.dli_fname,
		       (unsigned long)caller - (unsigned long)in.dli_fbase);
	if (fd < 0 || syscall(SYS_write, fd, line, len) != len)
		abort();
	syscall(SYS_close, fd);
}

/* Whether the call of @what fails, with @err in errno. */
static bool fails(const char *what, const void *caller, int err)
{
	unsigned long n = atomic_fetch_add(&calls, 1) + 1;
	int saved = errno;

	if (nth && (n < nth || (n > nth && !onward)))
		return false;
	note(what, caller);
	errno = nth ? err : saved;
	return nth;
}

#define FAILS(what, err) fails(what, __builtin_return_address(0), err)

/* The C library's own, under names that cannot be taken from it. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t nr, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t align, size_t size);

void *malloc(size_t size)
{
	return FAILS("malloc", ENOMEM) ? NULL : __libc_malloc(size);
}

void *calloc(size_t nr, size_t size)
{
	return FAILS("calloc", ENOMEM) ? NULL : __libc_calloc(nr, size);
}

void *realloc(void *old, size_t size)
{
	return FAILS("realloc", ENOMEM) ? NULL : __libc_realloc(old, size);
}

void *aligned_alloc(size_t align, size_t size)
{
	return FAILS("aligned_alloc", ENOMEM) ? NULL : __libc_memalign(align, size);
}

int posix_memalign(void **out, size_t align, size_t size)
{
	void *mem = FAILS("posix_memalign", ENOMEM) ? NULL : __libc_memalign(align, size);

	if (!mem)
		return ENOMEM;
	*out = mem;
	return 0;
}

void *mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	if (FAILS("mmap", ENOMEM))
		return MAP_FAILED;
	return (void *)syscall(SYS_mmap, addr, len, prot, flags, fd, off);
}

int open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list args;

	va_start(args, flags);
	if (flags & O_CREAT)
		mode = va_arg(args, mode_t);
	va_end(args);
	return FAILS("open", EMFILE) ? -1 : syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int openat(int dir, const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list args;

	va_start(args, flags);
	if (flags & O_CREAT)
		mode = va_arg(args, mode_t);
	va_end(args);
	return FAILS("openat", EMFILE) ? -1 : syscall(SYS_openat, dir, path, flags, mode);
}

int eventfd(unsigned int count, int flags)
{
	return FAILS("eventfd", EMFILE) ? -1 : syscall(SYS_eventfd2, count, flags);
}

int memfd_create(const char *name, unsigned int flags)
{
	return FAILS("memfd_create", EMFILE) ? -1 : syscall(SYS_memfd_create, name, flags);
}

int ftruncate(int fd, off_t size)
{
	return FAILS("ftruncate", ENOSPC) ? -1 : syscall(SYS_ftruncate, fd, size);
}

int timerfd_create(clockid_t clock, int flags)
{
	return FAILS("timerfd_create", EMFILE) ? -1 : syscall(SYS_timerfd_create, clock, flags);
}

int signalfd(int fd, const sigset_t *mask, int flags)
{
	return FAILS("signalfd", EMFILE) ? -1
					 : syscall(SYS_signalfd4, fd, mask, (_NSIG - 1) / 8, flags);
}

int epoll_create1(int flags)
{
	return FAILS("epoll_create1", EMFILE) ? -1 : syscall(SYS_epoll_create1, flags);
}

/* To watch a descriptor takes memory; to end that takes none. */
int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
	if (op == EPOLL_CTL_ADD && FAILS("epoll_ctl", ENOMEM))
		return -1;
	return syscall(SYS_epoll_ctl, epfd, op, fd, event);
}

int socket(int domain, int type, int protocol)
{
	return FAILS("socket", EMFILE) ? -1 : syscall(SYS_socket, domain, type, protocol);
}

int bind(int fd, const struct sockaddr *addr, socklen_t len)
{
	return FAILS("bind", ENOSPC) ? -1 : syscall(SYS_bind, fd, addr, len);
}

int listen(int fd, int backlog)
{
	return FAILS("listen", EADDRINUSE) ? -1 : syscall(SYS_listen, fd, backlog);
}

int symlink(const char *target, const char *path)
{
	return FAILS("symlink", ENOSPC) ? -1 : syscall(SYS_symlinkat, target, AT_FDCWD, path);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
	static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

	if (FAILS("pthread_create", EAGAIN))
		return EAGAIN;
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
	return real(thread, attr, run, arg);
}

/* What KVM makes nothing for, and the guest's running and interrupts, which are not counted. */
static bool takes_nothing(unsigned long request)
{
	switch (request) {
	case KVM_GET_API_VERSION:
	case KVM_GET_VCPU_MMAP_SIZE:
	case KVM_CHECK_EXTENSION:
	case KVM_RUN:
	case KVM_IRQ_LINE:
	case KVM_SIGNAL_MSI:
		return true;
	}
	return _IOC_TYPE(request) != KVMIO;
}

int ioctl(int fd, unsigned long request, ...)
{
	char what[32];
	va_list args;
	long arg;

	va_start(args, request);
	arg = va_arg(args, long);
	va_end(args);
	snprintf(what, sizeof(what), "ioctl-0x%lx", (unsigned long)_IOC_NR(request));
	if (!takes_nothing(request) && FAILS(what, ENOMEM))
		return -1;
	return syscall(SYS_ioctl, fd, request, arg);
}
