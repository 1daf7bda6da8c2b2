// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>

#include "char/chardev.h"
#include "util/log.h"
#include "util/parse.h"

struct kind_name {
	const char *name;
	enum chardev_kind kind;
	bool may_have_path, must_have_path;
};

static const struct kind_name kinds[] = {
	{"tty", CHARDEV_TERMINAL, false, false}, {"stdio", CHARDEV_TERMINAL, false, false},
	{"pty", CHARDEV_PTY, true, false},	 {"file", CHARDEV_FILE, true, true},
	{"socket", CHARDEV_SOCKET, true, true},	 {"null", CHARDEV_NULL, false, false},
};

static const struct kind_name *find_kind(const char *what, const char *name, size_t len)
{
	const char *names[ARRAY_SIZE(kinds) + 1] = {NULL};
	char word[16];
	const char *near;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		names[i] = kinds[i].name;
		if (strlen(names[i]) == len && !memcmp(names[i], name, len))
			return &kinds[i];
	}
	memcpy(word, name, min(len, sizeof(word) - 1));
	word[min(len, sizeof(word) - 1)] = '\0';
	near = nearest_name(word, names);
	if (near)
		pr_err("%s: there is no '%.*s', did you mean '%s'?", what, (int)len, name, near);
	else
		pr_err("%s: there is no '%.*s', expected " CHARDEV_BACKENDS, what, (int)len, name);
	return NULL;
}

int chardev_parse(const char *what, const char *arg, size_t len, struct chardev_config *out)
{
	const char *value = memchr(arg, '=', len);
	size_t name_len = value ? (size_t)(value - arg) : len;
	const struct kind_name *kind = find_kind(what, arg, name_len);
	size_t path_len = value ? len - name_len - 1 : 0;

	memset(out, 0, sizeof(*out));
	if (!kind)
		return -EINVAL;
	if (value && !kind->may_have_path) {
		pr_err("%s: '%.*s': %s takes no value", what, (int)len, arg, kind->name);
		return -EINVAL;
	}
	if (!path_len && (value || kind->must_have_path)) {
		pr_err("%s: %s= needs a path", what, kind->name);
		return -EINVAL;
	}
	if (path_len >= sizeof(out->path)) {
		pr_err("%s: the path is longer than %zu bytes", what, sizeof(out->path) - 1);
		return -ENAMETOOLONG;
	}
	out->kind = kind->kind;
	if (path_len)
		memcpy(out->path, value + 1, path_len);
	return 0;
}

int chardev_open(struct chardev **out, const char *what, const struct chardev_config *config,
		 struct loop *loop)
{
	switch (config->kind) {
	case CHARDEV_NULL:
		return null_chardev_open(out);
	case CHARDEV_PTY:
		return pty_chardev_open(out, what, config->path, loop);
	case CHARDEV_FILE:
		return file_chardev_open(out, what, config->path);
	case CHARDEV_SOCKET:
		return socket_chardev_open(out, what, config->path, loop);
	case CHARDEV_TERMINAL:
		break;
	}
	return -EINVAL;
}

void chardev_close(struct chardev *dev)
{
	dev->ops->close(dev);
}

void chardev_connect(struct chardev *dev, const struct chardev_user *user, void *opaque)
{
	dev->user = user;
	dev->opaque = opaque;
	dev->ops->connect(dev);
}

void chardev_resume(struct chardev *dev)
{
	dev->ops->resume(dev);
}

size_t chardev_write(struct chardev *dev, const u8 *data, size_t len)
{
	return len ? dev->ops->write(dev, data, len) : 0;
}

void chardev_poll_room(struct chardev *dev, struct pollfd *room)
{
	dev->ops->poll_room(dev, room);
}

void chardev_count_dropped(struct chardev *dev, size_t len)
{
	atomic_fetch_add_explicit(&dev->dropped, len, memory_order_relaxed);
}

void chardev_put(struct chardev *dev, const u8 *data, size_t len)
{
	for (;;) {
		struct pollfd fds[2] = {{.fd = -1}, {.fd = dev->stop_fd, .events = POLLIN}};
		size_t n = chardev_write(dev, data, len);

		data += n;
		len -= n;
		if (!len)
			return;
		if (dev->stop_fd < 0) {
			chardev_count_dropped(dev, len);
			return;
		}
		/* The signal that stops a vCPU comes in here, too. */
		chardev_poll_room(dev, &fds[0]);
		if (poll(fds, ARRAY_SIZE(fds), -1) < 0)
			continue;
		if (!fds[0].revents)
			return;
	}
}
