// SPDX-License-Identifier: GPL-2.0-only
/*
 * Demo guest: requests to the virtio-iommu and the status that each gets (virtio
 * 1.x, "IOMMU Device", "Device operations"). No endpoint accesses memory here.
 */
#include "demo.h"

#define NO_ENDPOINT 0xfffffff0U

static u32 scratch; /* the domain used here */
static u32 unused; /* a domain that does not exist */

static u64 answer[PAGE_SIZE / 8]; /* to a PROBE */

static struct viommu_req_attach attach_req(u32 domain, u32 endpoint)
{
	return (struct viommu_req_attach){
		.head.type = VIOMMU_T_ATTACH,
		.domain = domain,
		.endpoint = endpoint,
	};
}

static void demo_attach(u32 endpoint)
{
	struct viommu_req_attach req = attach_req(scratch, endpoint);

	section("ATTACH");
	check_status(viommu_attach(&iommu, scratch, NO_ENDPOINT, 0), VIOMMU_S_NOENT,
		     "an endpoint that does not exist");
	req.reserved[2] = 1;
	check_status(viommu_request(&iommu, &req, sizeof(req)), VIOMMU_S_INVAL,
		     "a reserved byte that is not zero");
	req = attach_req(scratch, endpoint);
	req.flags = BIT(31);
	check_status(viommu_request(&iommu, &req, sizeof(req)), VIOMMU_S_INVAL, "an unknown flag");
	if (iommu.domain_last != ~0U)
		check_status(viommu_attach(&iommu, iommu.domain_last + 1, endpoint, 0),
			     VIOMMU_S_RANGE, "a domain after the last one");
	check_status(viommu_map(&iommu, scratch, iova_take(1), gpa_of(page_alloc()), granule(),
				VIOMMU_MAP_READ),
		     VIOMMU_S_NOENT, "MAP after all that, for no domain has come to be");
	req = attach_req(scratch, endpoint);
	req.head.reserved[0] = 0xff;
	check_status(viommu_request(&iommu, &req, sizeof(req)), VIOMMU_S_OK,
		     "a good one, reserved bytes of the head ignored");
	check_status(viommu_attach(&iommu, scratch, endpoint, 0), VIOMMU_S_OK,
		     "the same again, to where the endpoint is");
}

static void demo_map(void)
{
	u64 g = granule(), iova = iova_take(8), gpa = gpa_of(mem_alloc(2 * g, g));
	u32 rw = VIOMMU_MAP_READ | VIOMMU_MAP_WRITE;

	section("MAP");
	check_status(viommu_map(&iommu, unused, iova, gpa, g, rw), VIOMMU_S_NOENT,
		     "a domain that does not exist");
	check_status(viommu_map(&iommu, scratch, iova + g / 2, gpa, g, rw), VIOMMU_S_RANGE,
		     "start and end in the middle of a granule");
	check_status(viommu_map(&iommu, scratch, iova, gpa, g / 2, rw), VIOMMU_S_RANGE,
		     "an end in the middle of a granule");
	check_status(viommu_map(&iommu, scratch, iova, gpa + 8, g, rw), VIOMMU_S_RANGE,
		     "a physical address in the middle of a granule");
	check_status(viommu_map(&iommu, scratch, iova, gpa, g, BIT(30)), VIOMMU_S_INVAL,
		     "an unknown flag");
	if (iommu.input_end != ~0ULL)
		check_status(viommu_map(&iommu, scratch, iommu.input_end + 1, gpa, g, rw),
			     VIOMMU_S_RANGE, "a range after the end of the input range");
	if (iommu.input_start)
		check_status(viommu_map(&iommu, scratch, 0, gpa, g, rw), VIOMMU_S_RANGE,
			     "a range before the start of the input range");
	check_status(viommu_map(&iommu, scratch, iova + 2 * g, gpa, 2 * g, rw), VIOMMU_S_OK,
		     "two granules");
	check_status(viommu_map(&iommu, scratch, iova + 2 * g, gpa, 2 * g, rw), VIOMMU_S_INVAL,
		     "the same again");
	check_status(viommu_map(&iommu, scratch, iova + 3 * g, gpa, 2 * g, rw), VIOMMU_S_INVAL,
		     "one that overlaps the end of it");
	check_status(viommu_map(&iommu, scratch, iova, gpa, 5 * g, rw), VIOMMU_S_INVAL,
		     "one around it");
	check_status(viommu_map(&iommu, scratch, iova + 4 * g, gpa, g, rw), VIOMMU_S_OK,
		     "the granule right after, by the same memory");

	section("UNMAP");
	check_status(viommu_unmap(&iommu, unused, iova, iova + g - 1), VIOMMU_S_NOENT,
		     "a domain that does not exist");
	check_status(viommu_unmap(&iommu, scratch, iova + 2 * g, iova + 3 * g - 1), VIOMMU_S_RANGE,
		     "the first half of a mapping");
	check_status(viommu_unmap(&iommu, scratch, iova + 3 * g, iova + 8 * g - 1), VIOMMU_S_RANGE,
		     "the second half, and the next mapping");
	check_status(viommu_map(&iommu, scratch, iova + 4 * g, gpa, g, rw), VIOMMU_S_INVAL,
		     "MAP where that next mapping still is");
	check_status(viommu_unmap(&iommu, scratch, iova, iova + g - 1), VIOMMU_S_OK,
		     "where nothing is mapped");
	check_status(viommu_unmap(&iommu, scratch, iova, iova + 8 * g - 1), VIOMMU_S_OK,
		     "both, and the holes around them");
	check_status(viommu_map(&iommu, scratch, iova, gpa, 5 * g, rw), VIOMMU_S_OK,
		     "MAP over all of it, which is free again");
	check_status(viommu_unmap(&iommu, scratch, iommu.input_start, iommu.input_end), VIOMMU_S_OK,
		     "the whole input range");
}

static void demo_resv_mem(u32 endpoint)
{
	const struct viommu_property *p;
	bool bad = false;
	u64 g = granule();
	u32 pos = 0;
	int ret;

	if (iommu.probe_size + sizeof(struct viommu_tail) > sizeof(answer) ||
	    viommu_probe(&iommu, endpoint, answer))
		return;
	while ((p = viommu_next_property(&iommu, answer, &pos, &bad))) {
		const struct viommu_resv_mem *r = (const void *)p;

		if (p->type != VIOMMU_PROBE_RESV_MEM)
			continue;
		ret = viommu_map(&iommu, scratch, align_down(r->start, g), gpa_of(page_alloc()), g,
				 VIOMMU_MAP_WRITE);
		check(ret > VIOMMU_S_OK, "MAP over the reserved region at 0x%lx: %s", r->start,
		      viommu_status_name(ret));
	}
}

static void demo_probe(u32 endpoint)
{
	struct viommu_req_probe req = {.head.type = VIOMMU_T_PROBE, .endpoint = endpoint};
	u32 len = iommu.probe_size + sizeof(struct viommu_tail), used_len;
	u8 *byte = (u8 *)answer;

	if (len > sizeof(answer))
		return;
	section("PROBE");
	check_status(viommu_probe(&iommu, NO_ENDPOINT, answer), VIOMMU_S_NOENT,
		     "an endpoint that does not exist");
	memset(req.reserved, 0xff, sizeof(req.reserved));
	viommu_request_raw(&iommu, &req, sizeof(req), answer, len, &used_len);
	check(used_len == len && byte[iommu.probe_size] == VIOMMU_S_OK,
	      "reserved bytes that are not zero: ignored, %u bytes used", used_len);
	demo_resv_mem(endpoint);
}

/* Tails and lengths, whatever the request. */
static void demo_framing(u32 endpoint)
{
	struct viommu_req_attach attach = attach_req(scratch, endpoint);
	struct viommu_req_map map = {
		.head.type = VIOMMU_T_MAP,
		.domain = scratch,
		.virt_start = iova_take(1),
		.phys_start = gpa_of(mem_alloc(granule(), granule())),
		.flags = VIOMMU_MAP_READ,
	};
	struct viommu_req_attach all[8];
	struct viommu_tail tail, tails[8];
	struct vq *q = &iommu.reqq;
	unsigned int i, in_order;
	u32 used_len;

	section("Framing");
	viommu_request_raw(&iommu, &attach, sizeof(attach), &tail, sizeof(tail), &used_len);
	check(used_len == sizeof(tail) && tail.status == VIOMMU_S_OK &&
		      !(tail.reserved[0] | tail.reserved[1] | tail.reserved[2]),
	      "success: %u bytes used, reserved bytes of the tail are zero", used_len);
	attach.endpoint = NO_ENDPOINT;
	viommu_request_raw(&iommu, &attach, sizeof(attach), &tail, sizeof(tail), &used_len);
	check(used_len == sizeof(tail) && tail.status == VIOMMU_S_NOENT &&
		      !(tail.reserved[0] | tail.reserved[1] | tail.reserved[2]),
	      "error: the same");
	attach.head.type = 0x7f;
	viommu_request_raw(&iommu, &attach, sizeof(attach), &tail, sizeof(tail), &used_len);
	check(!used_len && tail.status == VIOMMU_TAIL_FILL,
	      "unknown type: nothing written, %u bytes used", used_len);

	/* The specification leaves it to the driver how a message is cut into descriptors. */
	map.virt_end = map.virt_start + granule() - 1;
	memset(&tail, VIOMMU_TAIL_FILL, sizeof(tail));
	vq_set_desc(q, 0, gpa_of(&map), 5, VQ_DESC_NEXT, 1);
	vq_set_desc(q, 1, gpa_of(&map) + 5, 1, VQ_DESC_NEXT, 2);
	vq_set_desc(q, 2, gpa_of(&map) + 6, sizeof(map) - 6, VQ_DESC_NEXT, 3);
	vq_set_desc(q, 3, gpa_of(&tail), 1, VQ_DESC_WRITE | VQ_DESC_NEXT, 4);
	vq_set_desc(q, 4, gpa_of(&tail) + 1, sizeof(tail) - 1, VQ_DESC_WRITE, 0);
	vq_publish(q, 0);
	vq_kick(q);
	used_len = 0;
	vq_wait_used(q, NULL, &used_len);
	check(used_len == sizeof(tail) && tail.status == VIOMMU_S_OK,
	      "MAP in five descriptors: %s, %u bytes used", viommu_status_name(tail.status),
	      used_len);

	for (i = 0; i < ARRAY_SIZE(all); i++) {
		all[i] = attach_req(scratch, i & 1 ? NO_ENDPOINT : endpoint);
		viommu_queue(&iommu, &all[i], sizeof(all[i]), &tails[i], sizeof(tails[i]));
	}
	viommu_send(&iommu);
	for (i = in_order = 0; i < ARRAY_SIZE(all); i++)
		in_order += iommu.used_len[i] == sizeof(tails[i]) &&
			    tails[i].status == (i & 1 ? VIOMMU_S_NOENT : VIOMMU_S_OK);
	check(in_order == ARRAY_SIZE(all), "%u good and bad requests in one kick: each its own",
	      (u32)ARRAY_SIZE(all));
}

static void demo_detach_requests(u32 endpoint)
{
	struct viommu_req_detach req = {
		.head.type = VIOMMU_T_DETACH,
		.domain = scratch,
		.endpoint = endpoint,
	};

	section("DETACH");
	if (iommu.v.features & VIOMMU_F_BYPASS_CONFIG)
		check_status(viommu_attach(&iommu, scratch, endpoint, VIOMMU_ATTACH_BYPASS),
			     VIOMMU_S_INVAL, "ATTACH as bypass, to a domain that translates");
	check_status(viommu_detach(&iommu, scratch, NO_ENDPOINT), VIOMMU_S_NOENT,
		     "an endpoint that does not exist");
	req.pasid = ~0U;
	req.flags = ~0U;
	check_status(viommu_request(&iommu, &req, sizeof(req)), VIOMMU_S_OK,
		     "a good one, reserved bytes ignored");
	check_status(viommu_unmap(&iommu, scratch, iommu.input_start, iommu.input_end),
		     VIOMMU_S_NOENT, "UNMAP in the domain, which ended with its last endpoint");
}

void demo_requests(u32 endpoint)
{
	scratch = scratch_domain();
	unused = iommu.domain_last;
	demo_attach(endpoint);
	demo_map();
	if (iommu.v.features & VIOMMU_F_PROBE)
		demo_probe(endpoint);
	demo_framing(endpoint);
	demo_detach_requests(endpoint);
}

/* Last of all: not every virtual machine monitor survives these. */
void demo_little_room(u32 endpoint)
{
	struct viommu_req_attach attach = attach_req(scratch, endpoint);
	struct viommu_req_probe probe = {.head.type = VIOMMU_T_PROBE, .endpoint = endpoint};
	u32 len = iommu.probe_size, used_len;
	struct viommu_tail tail;
	u8 *byte = (u8 *)answer;

	section("Answers with too little room");
	viommu_request_raw(&iommu, &attach, sizeof(attach), &tail, 3, &used_len);
	check(!used_len && tail.status == VIOMMU_TAIL_FILL,
	      "3 bytes, not a whole tail: nothing written, %u bytes used", used_len);
	check_status(viommu_attach(&iommu, scratch, endpoint, 0), VIOMMU_S_OK,
		     "the next request, a good ATTACH");
	if (!(iommu.v.features & VIOMMU_F_PROBE) || len < 8 || len > sizeof(answer))
		return;
	if (virtio_status(&iommu.v) & VIRTIO_S_NEEDS_RESET)
		viommu_start(&iommu, IOMMU_FEATURES);
	viommu_request_raw(&iommu, &probe, sizeof(probe), answer, len, &used_len);
	check(used_len == len && byte[len - 4] == VIOMMU_S_INVAL,
	      "PROBE with %u bytes instead of %u: %s, %u bytes used", len, len + 4,
	      viommu_status_name(byte[len - 4]), used_len);
}
