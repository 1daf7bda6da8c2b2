// SPDX-License-Identifier: GPL-2.0-only
/* What a running machine answers at its control socket: docs/control.md. */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "iommu/report.h"
#include "machine.h"
#include "util/log.h"
#include "util/parse.h"
#include "util/report.h"
#include "vm/runtime.h"

static const char *state_name(const struct machine *m)
{
	if (atomic_load(&m->vm.stopping))
		return "stopping";
	return vm_is_paused(&m->vm) ? "paused" : "running";
}

static u64 uptime(const struct machine *m)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec - m->vm.started.tv_sec - (now.tv_nsec < m->vm.started.tv_nsec);
}

static void report_info(const struct machine *m, struct report *r)
{
	report_str(r, "name", guest_name());
	report_u64(r, "pid", getpid());
	report_str(r, "state", state_name(m));
	report_u64(r, "uptime", uptime(m));
}

/* The next word of @args, which then begins behind it; "" at the end. */
static char *next_word(char **args)
{
	char *word = *args + strspn(*args, " ");
	char *end = word + strcspn(word, " ");

	*args = *end ? end + 1 : end;
	*end = '\0';
	return word;
}

/* The answer to @client, unless the report failed; it is freed. */
static void answer_report(struct control_client *client, struct report *r)
{
	const char *text;
	size_t len;

	report_object_end(r);
	text = report_text(r, &len);
	if (text)
		control_ok(client, text, len);
	else
		control_error(client, "the answer is too long, or there is no memory for it");
	report_free(r);
}

/* A report with its outermost object open; NULL after an answer. */
static struct report *begin_report(struct control_client *client, bool json)
{
	struct report *r = report_new(json, CONTROL_MAX_ANSWER);

	if (r)
		report_object_begin(r, NULL);
	else
		control_error(client, "out of memory");
	return r;
}

/* For requests that know no word but "json". False after an answer. */
static bool only_json(struct control_client *client, char *args, bool *json)
{
	char *word = next_word(&args);

	*json = !strcmp(word, "json");
	if ((*word && !*json) || *next_word(&args)) {
		control_error(client, "the request takes nothing but 'json'");
		return false;
	}
	return true;
}

/* For requests that take nothing but 'json'. NULL once the client has its error. */
static struct report *begin_plain_report(struct control_client *client, char *args)
{
	bool json;

	return only_json(client, args, &json) ? begin_report(client, json) : NULL;
}

static void run_info(void *opaque, struct control_client *client, char *args)
{
	struct machine *m = opaque;
	struct report *r = begin_plain_report(client, args);

	if (!r)
		return;
	report_info(m, r);
	report_u64(r, "vcpus", m->vm.nr_vcpus);
	report_u64(r, "memory", guest_mem_size(&m->vm.mem));
	answer_report(client, r);
}

static void run_stat(void *opaque, struct control_client *client, char *args)
{
	struct machine *m = opaque;
	struct report *r = begin_plain_report(client, args);

	if (!r)
		return;
	report_info(m, r);
	machine_stat(m, r);
	answer_report(client, r);
}

/* "json", "mappings", "domain=ID" and, only with "mappings", "from=IOVA", in any order. */
static int parse_filter(char *args, struct iommu_report_filter *filter, bool *json)
{
	bool from = false;
	char *word;

	while (*(word = next_word(&args))) {
		u64 value;

		if (!strcmp(word, "json")) {
			*json = true;
		} else if (!strcmp(word, "mappings")) {
			filter->mappings = true;
		} else if (!strncmp(word, "domain=", 7)) {
			if (parse_u64(word + 7, &value) || value > UINT32_MAX)
				return -EINVAL;
			filter->one_domain = true;
			filter->domain = value;
		} else if (!strncmp(word, "from=", 5)) {
			if (parse_u64(word + 5, &filter->from))
				return -EINVAL;
			from = true;
		} else {
			return -EINVAL;
		}
	}
	return from && !filter->mappings ? -EINVAL : 0;
}

static void run_iommu(void *opaque, struct control_client *client, char *args)
{
	struct timespec deadline = machine_patience();
	struct iommu_report_filter filter = {0};
	struct machine *m = opaque;
	struct report *r;
	bool json = false;
	int ret;

	if (parse_filter(args, &filter, &json)) {
		control_error(client, "the request takes 'json', 'domain=ID', 'mappings' and "
				      "with that 'from=IOVA'");
		return;
	}
	if (!m->has_iommu) {
		control_error(client, "the guest has no IOMMU: it runs without --iommu");
		return;
	}
	r = begin_report(client, json);
	if (!r)
		return;
	ret = iommu_report(&m->iommu, r, &filter, &deadline);
	if (!ret) {
		answer_report(client, r);
		return;
	}
	if (ret == -ENOENT)
		control_error(client, "there is no domain %u", filter.domain);
	else
		control_error(client, "the IOMMU waits for a device to end an access; try again");
	report_free(r);
}

static void run_pause(void *opaque, struct control_client *client, char *args)
{
	struct machine *m = opaque;
	bool woken = !args;

	if (!woken)
		vm_pause(&m->vm);
	if (vm_is_paused(&m->vm))
		control_ok(client, NULL, 0);
	else if (atomic_load(&m->vm.pausing))
		control_wait(client);
	else
		control_error(client, "somebody else resumed the guest meanwhile");
}

static void run_resume(void *opaque, struct control_client *client, char *args)
{
	struct machine *m = opaque;

	(void)args;
	vm_resume(&m->vm);
	control_ok(client, NULL, 0);
	control_wake(m->control);
}

static void run_power_button(void *opaque, struct control_client *client, char *args)
{
	struct machine *m = opaque;

	(void)args;
	if (atomic_load(&m->vm.pausing)) {
		control_error(client, "it is paused and cannot power off: resume it first");
		return;
	}
	arch_power_button(m);
	control_ok(client, NULL, 0);
}

static const struct control_verb verbs[] = {
	{"info", run_info},   {"stat", run_stat},     {"iommu", run_iommu},
	{"pause", run_pause}, {"resume", run_resume}, {"power-button", run_power_button},
	{NULL, NULL},
};

static void vcpu_out(void *opaque)
{
	struct machine *m = opaque;
	eventfd_t count;

	eventfd_read(m->out_source.fd, &count);
	if (vm_is_paused(&m->vm))
		control_wake(m->control);
}

int machine_control_start(struct machine *m)
{
	int ret, fd = guest_listen();

	if (fd < 0)
		return fd;
	ret = control_start(&m->control, &m->loop, fd, verbs, m);
	m->out_source = (struct loop_source){.fd = m->vm.out_fd, .ready = vcpu_out, .opaque = m};
	if (!ret)
		ret = loop_add(&m->loop, &m->out_source);
	if (ret)
		pr_err("cannot serve the control socket: %s", strerror(-ret));
	return ret;
}

void machine_control_stop(struct machine *m)
{
	control_stop(m->control);
	m->control = NULL;
}
