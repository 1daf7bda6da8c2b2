// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "util/log.h"
#include "vm/loop.h"

int loop_init(struct loop *loop)
{
	loop->done = false;
	loop->fd = epoll_create1(EPOLL_CLOEXEC);
	return loop->fd < 0 ? -errno : 0;
}

void loop_destroy(struct loop *loop)
{
	close(loop->fd);
}

static int control(struct loop *loop, int op, struct loop_source *source)
{
	struct epoll_event event = {
		.events = source->out ? EPOLLOUT : EPOLLIN,
		.data.ptr = source,
	};

	return epoll_ctl(loop->fd, op, source->fd, &event) < 0 ? -errno : 0;
}

int loop_add(struct loop *loop, struct loop_source *source)
{
	return control(loop, EPOLL_CTL_ADD, source);
}

void loop_enable(struct loop *loop, struct loop_source *source, bool on)
{
	/* While it is in the set, the end of a pipe is reported whatever is asked for. */
	control(loop, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, source);
}

int loop_run(struct loop *loop)
{
	int ret = 0;

	/* Signals and the control socket are served here, whoever reads stderr. */
	log_never_wait(true);
	while (!loop->done && !ret) {
		struct epoll_event event;
		int n = epoll_wait(loop->fd, &event, 1, -1);

		if (n < 0 && errno != EINTR)
			ret = -errno;
		if (n > 0) {
			struct loop_source *source = event.data.ptr;

			source->ready(source->opaque);
		}
	}
	log_never_wait(false);
	return ret;
}

void loop_quit(struct loop *loop)
{
	loop->done = true;
}
