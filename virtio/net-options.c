// SPDX-License-Identifier: GPL-2.0-only
/* What people write after --net. */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/log.h"
#include "util/parse.h"
#include "virtio/net.h"

#define MIN_MTU 68
/* A tap interface's: a frame of the kernel has 65535 bytes, with its Ethernet header. */
#define MAX_MTU (65535 - ETH_HLEN)

#define MODES "'new', 'new=NAME', 'tap=NAME' or 'fd=N'"

static int parse_queues(void *opaque, const char *value)
{
	struct net_config *config = opaque;
	u64 n;

	if (virtio_parse_number(&config->options, "queues", value, 1, NET_MAX_QUEUES, &n))
		return -EINVAL;
	config->has_queues = true;
	config->tap.nr_queues = n;
	return 0;
}

static int parse_mtu(void *opaque, const char *value)
{
	struct net_config *config = opaque;
	u64 n;

	if (virtio_parse_number(&config->options, "mtu", value, MIN_MTU, MAX_MTU, &n))
		return -EINVAL;
	config->tap.mtu = n;
	return 0;
}

static int parse_mac(void *opaque, const char *value)
{
	static const u8 none[ETH_ALEN];
	struct net_config *config = opaque;
	const char *p = value ? value : "";

	for (unsigned int i = 0; i < ETH_ALEN; i++) {
		char *end;

		if (!isxdigit((u8)p[0]) || !isxdigit((u8)p[1]))
			goto err;
		config->mac[i] = strtoul((char[]){p[0], p[1], '\0'}, &end, 16);
		p += 2;
		if (*p++ != (i == ETH_ALEN - 1 ? '\0' : ':'))
			goto err;
	}
	if (config->mac[0] & 1) {
		pr_err("%s: mac=%s is a multicast address: the first byte has to be even",
		       config->options.what, value);
		return -EINVAL;
	}
	if (!memcmp(config->mac, none, ETH_ALEN)) {
		pr_err("%s: mac=%s is no address: all of it is zero", config->options.what, value);
		return -EINVAL;
	}
	config->has_mac = true;
	return 0;

err:
	pr_err("%s: mac=%s: expected six bytes such as 02:00:00:00:00:01", config->options.what,
	       value ? value : "");
	return -EINVAL;
}

static int parse_host_ip(void *opaque, const char *value)
{
	struct net_config *config = opaque;
	const char *slash = value ? strchr(value, '/') : NULL;
	char text[INET_ADDRSTRLEN];
	u64 prefix_len;
	u8 first;

	if (!slash || (size_t)(slash - value) >= sizeof(text) ||
	    parse_u64(slash + 1, &prefix_len) || prefix_len < 1 || prefix_len > 32)
		goto err;
	memcpy(text, value, slash - value);
	text[slash - value] = '\0';
	if (inet_pton(AF_INET, text, &config->tap.ip) != 1)
		goto err;
	first = ntohl(config->tap.ip.s_addr) >> 24;
	if (first == 0 || first >= 224)
		goto err;
	config->tap.prefix_len = prefix_len;
	config->tap.has_ip = true;
	return 0;

err:
	pr_err("%s: host-ip=%s: expected an IPv4 address with its prefix length, such as "
	       "192.168.77.1/24",
	       config->options.what, value ? value : "");
	return -EINVAL;
}

static int parse_offload(void *opaque, const char *value)
{
	struct net_config *config = opaque;

	return virtio_parse_flag(&config->options, "offload", value, &config->offload);
}

static const struct subopt net_subopts[] = {
	{"mac", parse_mac, false},
	{"queues", parse_queues, false},
	{"mtu", parse_mtu, false},
	{"host-ip", parse_host_ip, false},
	{"offload", parse_offload, false},
	VIRTIO_SUBOPTS,
	{NULL, NULL, false},
};

/* What the kernel takes as a name, and what it does not take for a pattern. */
static int take_name(struct net_config *config, const char *mode, const char *name, size_t len)
{
	bool ok = len > 0 && len < IFNAMSIZ;

	for (size_t i = 0; ok && i < len; i++)
		ok = name[i] > ' ' && name[i] <= '~' && !strchr("/:%", name[i]);
	if (!ok || !strncmp(name, ".", len) || !strncmp(name, "..", len)) {
		pr_err("%s: %s=%.*s: expected the name of an interface, 1 to %d characters without "
		       "'/', ':' or '%%'",
		       config->options.what, mode, (int)len, name, IFNAMSIZ - 1);
		return -EINVAL;
	}
	memcpy(config->tap.name, name, len);
	return 0;
}

/* "N:M:..." */
static int take_fds(struct net_config *config, const char *list, size_t len)
{
	struct tap_config *tap = &config->tap;
	const char *end = list + len;

	tap->nr_queues = 0;
	do {
		size_t part = strcspn(list, ":,");
		char number[16];
		u64 fd;

		if (part == 0 || part >= sizeof(number))
			goto err;
		memcpy(number, list, part);
		number[part] = '\0';
		if (parse_u64(number, &fd) || fd > INT32_MAX)
			goto err;
		if (tap->nr_queues == NET_MAX_QUEUES) {
			pr_err("%s: fd=%.*s: more than %d descriptors", config->options.what,
			       (int)len, end - len, NET_MAX_QUEUES);
			return -EINVAL;
		}
		tap->fds[tap->nr_queues++] = fd;
		list += part;
	} while (list++ < end);
	return 0;

err:
	pr_err("%s: fd=%.*s: expected the number of a descriptor, or several with ':' in between",
	       config->options.what, (int)len, end - len);
	return -EINVAL;
}

/* Whether the descriptors are what they should be, all of one interface. */
static int check_fds(struct net_config *config)
{
	const char *what = config->options.what;
	struct tap_config *tap = &config->tap;

	for (unsigned int i = 0; i < tap->nr_queues; i++) {
		char name[IFNAMSIZ];
		bool multi_queue;
		int ret;

		for (unsigned int j = 0; j < i; j++) {
			if (tap->fds[i] == tap->fds[j]) {
				pr_err("%s: fd=%d is given twice", what, tap->fds[i]);
				return -EINVAL;
			}
		}
		ret = tap_check_fd(what, tap->fds[i], name, &multi_queue);
		if (ret)
			return ret;
		if (!i) {
			memcpy(tap->name, name, sizeof(name));
		} else if (strcmp(tap->name, name)) {
			pr_err("%s: fd=%d is of interface %s, fd=%d of %s: give each a --net of "
			       "its own",
			       what, tap->fds[0], tap->name, tap->fds[i], name);
			return -EINVAL;
		}
		if (tap->nr_queues > 1 && !multi_queue) {
			pr_err("%s: fd=%d: interface %s was opened without IFF_MULTI_QUEUE, which "
			       "%u queues need",
			       what, tap->fds[i], name, tap->nr_queues);
			return -EINVAL;
		}
	}
	return 0;
}

static int take_mode(struct net_config *config, const char *arg, size_t len)
{
	const char *equals = memchr(arg, '=', len);
	size_t word = equals ? (size_t)(equals - arg) : len;
	const char *value = equals ? equals + 1 : arg + len;
	size_t value_len = len - (value - arg);

	if (word == 3 && !memcmp(arg, "new", 3)) {
		config->tap.mode = TAP_NEW;
		return equals ? take_name(config, "new", value, value_len) : 0;
	}
	if (word == 3 && !memcmp(arg, "tap", 3)) {
		config->tap.mode = TAP_EXISTING;
		return take_name(config, "tap", value, value_len);
	}
	if (word == 2 && !memcmp(arg, "fd", 2)) {
		config->tap.mode = TAP_FDS;
		return take_fds(config, value, value_len);
	}
	pr_err("--net '%.*s': " MODES " comes first", (int)len, arg);
	return -EINVAL;
}

int net_parse(const char *arg, struct net_config *out)
{
	size_t len = strcspn(arg, ",");
	unsigned int nr_fds;
	int ret;

	memset(out, 0, sizeof(*out));
	out->options.what = "--net";
	out->offload = true;
	out->tap.nr_queues = 1;
	ret = take_mode(out, arg, len);
	if (ret)
		return ret;
	nr_fds = out->tap.nr_queues;
	if (arg[len] && !arg[len + 1]) {
		pr_err("--net '%s': nothing follows the comma, remove it", arg);
		return -EINVAL;
	}
	if (arg[len]) {
		ret = parse_subopts(out->options.what, arg + len + 1, net_subopts, out);
		if (ret)
			return ret;
	}
	if (out->tap.has_ip && out->tap.mode != TAP_NEW) {
		pr_err("--net: host-ip= is for 'new': use 'ip address add' for an interface that "
		       "exists");
		return -EINVAL;
	}
	if (out->tap.mode != TAP_FDS)
		return 0;
	if (out->has_queues && out->tap.nr_queues != nr_fds) {
		pr_err("--net: queues=%u, but fd= has %u descriptors: one for each queue",
		       out->tap.nr_queues, nr_fds);
		return -EINVAL;
	}
	return check_fds(out);
}

static int check_pair(const struct net_config *a, const struct net_config *b)
{
	for (unsigned int i = 0; a->tap.mode == TAP_FDS && i < a->tap.nr_queues; i++) {
		for (unsigned int j = 0; b->tap.mode == TAP_FDS && j < b->tap.nr_queues; j++) {
			if (a->tap.fds[i] == b->tap.fds[j]) {
				pr_err("--net: fd=%d is given twice", a->tap.fds[i]);
				return -EINVAL;
			}
		}
	}
	if (*a->tap.name && a->tap.mode != TAP_FDS && b->tap.mode != TAP_FDS &&
	    !strcmp(a->tap.name, b->tap.name)) {
		pr_err("--net: interface %s is given twice", a->tap.name);
		return -EINVAL;
	}
	if (a->has_mac && b->has_mac && !memcmp(a->mac, b->mac, ETH_ALEN)) {
		pr_err("--net: mac=%02x:%02x:%02x:%02x:%02x:%02x is given twice", a->mac[0],
		       a->mac[1], a->mac[2], a->mac[3], a->mac[4], a->mac[5]);
		return -EINVAL;
	}
	return 0;
}

int net_check_all(const struct net_config *configs, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		for (unsigned int j = 0; j < i; j++) {
			if (check_pair(&configs[j], &configs[i]))
				return -EINVAL;
		}
	}
	return 0;
}

const char net_usage[] =
	"network device; may be repeated. Its other side on the host:\n"
	"  new[=NAME]       an interface that lkvm makes (lkvm0, ...)\n"
	"  tap=NAME         a tap interface that exists\n"
	"  fd=N[:M]...      open descriptors of one, one a queue\n"
	"then, with commas, suboptions:\n"
	"  mac=ADDRESS      the guest's address (random)\n"
	"  queues=N         pairs of queues, 1 to 8 (1)\n"
	"  mtu=N            68 to 65521, for the guest and 'new'\n"
	"  host-ip=IP/LEN   the host's address on 'new'\n"
	"  offload=on|off   checksums and segmentation (on)\n" VIRTIO_SUBOPTS_USAGE;
