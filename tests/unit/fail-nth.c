// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "fail-nth.h"
#include "unit.h"

static _Atomic bool armed;
static _Atomic unsigned int left; /* calls until the first that fails */
static bool all_after;
static _Atomic bool failed;

static _Atomic s64 nr_blocks;
/* That were made and not joined: what the kernel counts may have ended without being gone yet. */
static _Atomic unsigned int nr_threads;

void fail_begin(unsigned int nth, bool onward)
{
	atomic_store(&failed, false);
	atomic_store(&left, nth);
	all_after = onward;
	atomic_store(&armed, true);
}

bool fail_end(void)
{
	atomic_store(&armed, false);
	return atomic_load(&failed);
}

bool fail_now(void)
{
	if (!atomic_load(&armed))
		return false;
	if (atomic_load(&failed))
		return all_after;
	if (atomic_fetch_sub(&left, 1) != 1)
		return false;
	atomic_store(&failed, true);
	return true;
}

static bool fails_with(int err)
{
	if (!fail_now())
		return false;
	errno = err;
	return true;
}

/*
 * What the linker makes of a function's name and of its calls: --wrap. The prototypes are those of
 * the functions themselves.
 */
#define WRAP(name)                      \
	__typeof__(name) __real_##name; \
	__typeof__(name) __wrap_##name;

WRAP(malloc)
WRAP(calloc)
WRAP(realloc)
WRAP(aligned_alloc)
WRAP(posix_memalign)
WRAP(strdup)
WRAP(free)
WRAP(mmap)
WRAP(memfd_create)
WRAP(eventfd)
WRAP(epoll_create1)
WRAP(epoll_ctl)
WRAP(timerfd_create)
WRAP(signalfd)
WRAP(socket)
WRAP(bind)
WRAP(listen)
WRAP(symlink)
WRAP(open)
WRAP(pthread_create)
WRAP(pthread_join)

static void *count_block(void *block)
{
	if (block)
		atomic_fetch_add(&nr_blocks, 1);
	return block;
}

void *__wrap_malloc(size_t size)
{
	return fails_with(ENOMEM) ? NULL : count_block(__real_malloc(size));
}

void *__wrap_calloc(size_t nr, size_t size)
{
	return fails_with(ENOMEM) ? NULL : count_block(__real_calloc(nr, size));
}

void *__wrap_realloc(void *old, size_t size)
{
	void *block = fails_with(ENOMEM) ? NULL : __real_realloc(old, size);

	return old ? block : count_block(block);
}

void *__wrap_aligned_alloc(size_t align, size_t size)
{
	return fails_with(ENOMEM) ? NULL : count_block(__real_aligned_alloc(align, size));
}

int __wrap_posix_memalign(void **out, size_t align, size_t size)
{
	int ret = fail_now() ? ENOMEM : __real_posix_memalign(out, align, size);

	if (!ret)
		count_block(*out);
	return ret;
}

char *__wrap_strdup(const char *s)
{
	return fails_with(ENOMEM) ? NULL : count_block(__real_strdup(s));
}

void __wrap_free(void *block)
{
	if (block)
		atomic_fetch_sub(&nr_blocks, 1);
	__real_free(block);
}

void *__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	return fails_with(ENOMEM) ? MAP_FAILED : __real_mmap(addr, len, prot, flags, fd, off);
}

int __wrap_memfd_create(const char *name, unsigned int flags)
{
	return fails_with(EMFILE) ? -1 : __real_memfd_create(name, flags);
}

int __wrap_eventfd(unsigned int count, int flags)
{
	return fails_with(EMFILE) ? -1 : __real_eventfd(count, flags);
}

int __wrap_epoll_create1(int flags)
{
	return fails_with(EMFILE) ? -1 : __real_epoll_create1(flags);
}

int __wrap_epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
	if (op == EPOLL_CTL_ADD && fails_with(ENOMEM))
		return -1;
	return __real_epoll_ctl(epfd, op, fd, event);
}

int __wrap_timerfd_create(clockid_t clock, int flags)
{
	return fails_with(EMFILE) ? -1 : __real_timerfd_create(clock, flags);
}

int __wrap_signalfd(int fd, const sigset_t *mask, int flags)
{
	return fails_with(EMFILE) ? -1 : __real_signalfd(fd, mask, flags);
}

int __wrap_socket(int domain, int type, int protocol)
{
	return fails_with(EMFILE) ? -1 : __real_socket(domain, type, protocol);
}

int __wrap_bind(int fd, const struct sockaddr *addr, socklen_t len)
{
	return fails_with(ENOSPC) ? -1 : __real_bind(fd, addr, len);
}

int __wrap_listen(int fd, int backlog)
{
	return fails_with(EADDRINUSE) ? -1 : __real_listen(fd, backlog);
}

int __wrap_symlink(const char *target, const char *path)
{
	return fails_with(ENOSPC) ? -1 : __real_symlink(target, path);
}

int __wrap_open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list args;

	va_start(args, flags);
	if (flags & O_CREAT)
		mode = va_arg(args, mode_t);
	va_end(args);
	return fails_with(EMFILE) ? -1 : __real_open(path, flags, mode);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
			  void *arg)
{
	int ret = fail_now() ? EAGAIN : __real_pthread_create(thread, attr, run, arg);

	if (!ret)
		atomic_fetch_add(&nr_threads, 1);
	return ret;
}

int __wrap_pthread_join(pthread_t thread, void **result)
{
	int ret = __real_pthread_join(thread, result);

	if (!ret)
		atomic_fetch_sub(&nr_threads, 1);
	return ret;
}

struct stock take_stock(void)
{
	return (struct stock){
		.blocks = atomic_load(&nr_blocks),
		.fds = unit_open_fds(),
		.threads = atomic_load(&nr_threads),
	};
}

bool same_stock(const struct stock *before)
{
	struct stock now = take_stock();
	bool same = CHECK_EQ(now.blocks, before->blocks);

	same = CHECK_EQ(now.fds, before->fds) && same;
	return CHECK_EQ(now.threads, before->threads) && same;
}
