// SPDX-License-Identifier: GPL-2.0-only
/* DMA engines of a machine: what the option says, and their places on PCI. */
#include <errno.h>
#include <string.h>

#include "machine.h"
#include "util/log.h"
#include "util/parse.h"

static const struct subopt subopts[] = {
	VIRTIO_ENDPOINT_SUBOPTS,
	{NULL, NULL, false},
};

const char machine_device_usage[] = "a DMA engine, which moves memory as a driver tells it;\n"
				    "may be repeated; suboptions:\n" VIRTIO_ENDPOINT_SUBOPTS_USAGE;

static const struct device_type engine_type = {
	.name = "DMA engine",
	.word = MACHINE_DEVICES,
	.pci_class = DMA_ENGINE_CLASS,
};

int engine_parse(const char *arg, struct engine_config *config)
{
	size_t len = strcspn(arg, ",");

	*config = (struct engine_config){
		.options = {.what = "--device", .transport = VIRTIO_TRANSPORT_PCI},
	};
	if (len != strlen(MACHINE_DEVICES) || strncmp(arg, MACHINE_DEVICES, len)) {
		pr_err("--device: there is no device '%.*s', only '" MACHINE_DEVICES "'", (int)len,
		       arg);
		return -EINVAL;
	}
	if (!arg[len])
		return 0;
	if (!arg[len + 1]) {
		pr_err("--device: '%s' has an empty option, remove the extra comma", arg);
		return -EINVAL;
	}
	return parse_subopts(config->options.what, arg + len + 1, subopts, config);
}

int machine_add_engine(struct machine *m, const struct engine_config *config)
{
	struct machine_device *d;
	int ret = machine_new_device(m, &engine_type, &config->options, DMA_ENGINE_PASID_BITS, &d);

	if (ret)
		return ret;
	ret = dma_engine_create(&d->engine, &m->vm, d->behind_iommu ? &d->ep : NULL);
	if (!ret)
		ret = dma_engine_plug(d->engine, &m->pci, d->slot);
	if (ret)
		pr_err("cannot make a DMA engine: %s", strerror(-ret));
	return ret;
}
