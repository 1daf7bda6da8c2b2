// SPDX-License-Identifier: GPL-2.0-only
/* What people write after --console. */
#include <errno.h>
#include <string.h>

#include "util/log.h"
#include "util/parse.h"
#include "virtio/console.h"

/* While one argument is parsed. */
struct port_parse {
	struct virtio_options options; /* first, for VIRTIO_SUBOPTS */
	struct console_port_config port;
};

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("._-", c));
}

/* The name becomes one of a file in the guest. */
static int parse_port(void *opaque, const char *value)
{
	struct port_parse *p = opaque;
	size_t len = value ? strlen(value) : 0;

	if (!len || len > CONSOLE_NAME_LEN) {
		pr_err("%s: port=%s: a name has 1 to %d characters", p->options.what,
		       value ? value : "", CONSOLE_NAME_LEN);
		return -EINVAL;
	}
	for (size_t i = 0; i < len; i++) {
		if (!is_name_char(value[i]) || (!i && value[0] == '.')) {
			pr_err("%s: port=%s: a name has letters, digits, '.', '_' and '-', "
			       "and no '.' at first",
			       p->options.what, value);
			return -EINVAL;
		}
	}
	strcpy(p->port.name, value);
	return 0;
}

static const struct subopt console_subopts[] = {
	{"port", parse_port, false},
	VIRTIO_SUBOPTS,
	{NULL, NULL, false},
};

static int add_port(struct console_config *config, const struct port_parse *p)
{
	struct virtio_options none;

	memset(&none, 0, sizeof(none));
	none.what = p->options.what;
	if (!config->nr_ports) {
		config->options = p->options;
	} else if (memcmp(&none, &p->options, sizeof(none))) {
		pr_err("%s: all are ports of one device: options of the device belong to the "
		       "first --console",
		       p->options.what);
		return -EINVAL;
	}
	for (unsigned int i = 0; i < config->nr_ports && p->port.name[0]; i++) {
		if (!strcmp(config->ports[i].name, p->port.name)) {
			pr_err("%s: port=%s: two ports have this name", p->options.what,
			       p->port.name);
			return -EINVAL;
		}
	}
	if (p->port.chardev.kind == CHARDEV_TERMINAL && console_has_terminal(config)) {
		pr_err("%s tty is given twice: the terminal can have one console", p->options.what);
		return -EINVAL;
	}
	config->ports[config->nr_ports++] = p->port;
	return 0;
}

int console_parse(const char *arg, struct console_config *config)
{
	size_t len = strcspn(arg, ",");
	struct port_parse p;
	int ret;

	memset(&p, 0, sizeof(p));
	p.options.what = "--console";
	if (config->nr_ports == CONSOLE_MAX_PORTS) {
		pr_err("--console: '%s' is one too many, %d are possible", arg, CONSOLE_MAX_PORTS);
		return -EINVAL;
	}
	ret = chardev_parse(p.options.what, arg, len, &p.port.chardev);
	if (ret)
		return ret;
	if (arg[len] && !arg[len + 1]) {
		pr_err("--console '%s': nothing follows the comma, remove it", arg);
		return -EINVAL;
	}
	if (arg[len])
		ret = parse_subopts(p.options.what, arg + len + 1, console_subopts, &p);
	return ret ? ret : add_port(config, &p);
}

bool console_has_terminal(const struct console_config *config)
{
	for (unsigned int i = 0; i < config->nr_ports; i++) {
		if (config->ports[i].chardev.kind == CHARDEV_TERMINAL)
			return true;
	}
	return false;
}

int console_terminal_hvc(const struct console_config *config)
{
	int hvc = 0;

	for (unsigned int i = 0; i < config->nr_ports; i++) {
		if (config->ports[i].name[0])
			continue;
		if (config->ports[i].chardev.kind == CHARDEV_TERMINAL)
			return hvc;
		hvc++;
	}
	return -ENOENT;
}

const char console_usage[] =
	"virtio console; up to 16, as ports of one device:\n" CHARDEV_USAGE "suboptions:\n"
	"  port=NAME        no console (hvc0, hvc1...) but a channel\n"
	"                   with this name\n" VIRTIO_SUBOPTS_USAGE;
