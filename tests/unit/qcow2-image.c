// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "qcow2-image.h"
#include "unit.h"

#define OFFSET	   GENMASK_ULL(55, 9)
#define COPIED	   BIT_ULL(63)
#define COMPRESSED BIT_ULL(62)

u64 image_get(const struct image *image, u64 off, unsigned int bytes)
{
	u64 val = 0;

	while (bytes--)
		val = val << 8 | (off < image->len ? image->data[off] : 0), off++;
	return val;
}

void image_put(struct image *image, u64 off, unsigned int bytes, u64 val)
{
	if (!image_room(image, off, bytes))
		abort();
	while (bytes--) {
		image->data[off + bytes] = val;
		val >>= 8;
	}
}

bool image_room(struct image *image, u64 off, u64 len)
{
	if (off > IMAGE_MAX || len > IMAGE_MAX - off)
		return false;
	if (off + len > image->len) {
		memset(image->data + image->len, 0, off + len - image->len);
		image->len = off + len;
	}
	return true;
}

/* What an image's header says, for the functions below. */
struct layout {
	u64 cluster, size, l1, l1_size, reftable, reftable_size;
	unsigned int bits, ref_order, entry;
};

static void read_layout(const struct image *image, struct layout *l)
{
	bool v3 = image_get(image, 4, 4) == 3;

	l->bits = image_get(image, 20, 4);
	l->cluster = 1ULL << l->bits;
	l->size = image_get(image, 24, 8);
	l->l1_size = image_get(image, 36, 4);
	l->l1 = image_get(image, 40, 8);
	l->reftable = image_get(image, 48, 8);
	l->reftable_size = image_get(image, 56, 4) << l->bits;
	l->ref_order = v3 ? image_get(image, 96, 4) : 4;
	l->entry = v3 && image_get(image, 72, 8) & 16 ? 16 : 8;
}

/* Bit number in the file of the refcount of @cluster; 0: there is no block for it. */
static u64 count_at(const struct image *image, const struct layout *l, u64 cluster)
{
	u64 per_block = l->cluster * 8 >> l->ref_order;
	u64 index = cluster / per_block * 8;
	u64 block = index < l->reftable_size ? image_get(image, l->reftable + index, 8) : 0;

	return block ? block * 8 + ((cluster % per_block) << l->ref_order) : 0;
}

static u64 get_count(const struct image *image, const struct layout *l, u64 cluster)
{
	u64 at = count_at(image, l, cluster);

	if (!at)
		return 0;
	if (l->ref_order >= 3)
		return image_get(image, at / 8, 1 << (l->ref_order - 3));
	return image_get(image, at / 8, 1) >> at % 8 & ((1 << (1 << l->ref_order)) - 1);
}

static void put_count(struct image *image, const struct layout *l, u64 cluster, u64 val)
{
	u64 at = count_at(image, l, cluster);
	u64 mask;

	if (!at)
		abort();
	if (l->ref_order >= 3) {
		image_put(image, at / 8, 1 << (l->ref_order - 3), val);
		return;
	}
	mask = ((1ULL << (1 << l->ref_order)) - 1) << at % 8;
	image_put(image, at / 8, 1, (image_get(image, at / 8, 1) & ~mask) | (val << at % 8 & mask));
}

static u64 round_up(u64 bytes, u64 cluster)
{
	return (bytes + cluster - 1) / cluster;
}

void image_make(struct image *image, const struct image_format *f)
{
	u64 cluster = 1ULL << f->cluster_bits;
	u64 entry = f->subclusters ? 16 : 8;
	u64 l1_size = round_up(f->size, cluster * (cluster / entry));
	u64 l1_clusters = round_up(l1_size * 8, cluster), used = 3 + l1_clusters;
	u64 at = f->version == 3 ? 112 : 72;
	struct layout l;

	image->len = 0;
	image_put(image, 0, 4, 0x514649fb);
	image_put(image, 4, 4, f->version);
	image_put(image, 20, 4, f->cluster_bits);
	image_put(image, 24, 8, f->size);
	image_put(image, 36, 4, l1_size);
	image_put(image, 40, 8, 3 * cluster);
	image_put(image, 48, 8, cluster);
	image_put(image, 56, 4, 1);
	if (f->version == 3) {
		image_put(image, 72, 8, f->subclusters ? 16 : 0);
		image_put(image, 96, 4, f->ref_order);
		image_put(image, 100, 4, at);
	}
	if (f->backing_format) {
		image_put(image, at, 4, 0xe2792aca);
		image_put(image, at + 4, 4, strlen(f->backing_format));
		image_room(image, at + 8, 16);
		memcpy(image->data + at + 8, f->backing_format, strlen(f->backing_format));
		at += 8 + align_up(strlen(f->backing_format), 8);
	}
	image_put(image, at, 8, 0);
	if (f->backing) {
		at += 8;
		image_put(image, 8, 8, at);
		image_put(image, 16, 4, strlen(f->backing));
		image_room(image, at, strlen(f->backing));
		memcpy(image->data + at, f->backing, strlen(f->backing));
	}
	image_put(image, cluster, 8, 2 * cluster);
	image_room(image, 0, used * cluster);
	read_layout(image, &l);
	for (u64 i = 0; i < used; i++)
		put_count(image, &l, i, 1);
}

/* One more for what an L2 entry points to. */
static void share(struct image *image, const struct layout *l, u64 at)
{
	u64 entry = image_get(image, at, 8);
	u64 host = (entry & OFFSET) >> l->bits;

	image_put(image, at, 8, entry & ~COPIED);
	if (host && count_at(image, l, host))
		put_count(image, l, host, get_count(image, l, host) + 1);
}

void image_snapshot(struct image *image)
{
	u64 end, table;
	struct layout l;

	read_layout(image, &l);
	end = align_up(image->len, l.cluster);
	while (!get_count(image, &l, (end >> l.bits) - 1))
		end -= l.cluster;
	for (u64 i = 0; i < l.l1_size; i++) {
		u64 l1 = image_get(image, l.l1 + i * 8, 8);

		table = l1 & OFFSET;
		image_put(image, l.l1 + i * 8, 8, l1 & ~COPIED);
		image_put(image, end + i * 8, 8, table);
		if (!table)
			continue;
		put_count(image, &l, table >> l.bits, get_count(image, &l, table >> l.bits) + 1);
		for (u64 at = table; at < table + l.cluster; at += l.entry)
			share(image, &l, at);
	}
	table = end + align_up(l.l1_size * 8, l.cluster);
	image_put(image, table, 8, end);
	image_put(image, table + 8, 4, l.l1_size);
	image_put(image, table + 12, 4, 1 << 16 | 1);
	image_put(image, table + 36, 4, 16);
	image_put(image, table + 48, 8, l.size);
	image_put(image, table + 56, 8, 0x3161ULL << 48);
	image_put(image, 60, 4, 1);
	image_put(image, 64, 8, table);
	for (u64 at = end; at <= table; at += l.cluster)
		put_count(image, &l, at >> l.bits, 1);
	image_room(image, table, l.cluster);
}

static void error(struct image_state *state, const char *fmt, ...) __printf(2, 3);

static void error(struct image_state *state, const char *fmt, ...)
{
	va_list args;

	if (state->errors++)
		return;
	va_start(args, fmt);
	vsnprintf(state->what, sizeof(state->what), fmt, args);
	va_end(args);
}

/* How often a cluster is used. What has COPIED has to be 1. */
struct use {
	u32 *nr;
	u8 *copied;
	u64 clusters;
};

static void add_use(struct use *use, struct image_state *state, const struct layout *l, u64 off,
		    u64 len, bool copied, const char *what)
{
	if (!len)
		return;
	for (u64 i = off >> l->bits; i <= (off + len - 1) >> l->bits; i++) {
		if (i >= use->clusters) {
			error(state, "%s at 0x%llx", what, (unsigned long long)off);
			return;
		}
		use->nr[i]++;
		use->copied[i] |= copied;
	}
}

static void examine_l2(const struct image *image, const struct layout *l, struct use *use,
		       struct image_state *state, u64 table, bool active)
{
	for (u64 at = table; at < table + l->cluster; at += l->entry) {
		u64 entry = image_get(image, at, 8), off, sectors;
		unsigned int shift = 62 - (l->bits - 8);

		if (entry & COMPRESSED) {
			entry &= COMPRESSED - 1;
			off = entry & ((1ULL << shift) - 1);
			sectors = (entry >> shift) + 1;
			add_use(use, state, l, off, sectors * 512 - off % 512, false, "packed");
		} else if (entry & OFFSET) {
			if (entry & OFFSET & (l->cluster - 1))
				error(state, "entry 0x%llx", (unsigned long long)entry);
			add_use(use, state, l, entry & OFFSET, l->cluster,
				active && (entry & COPIED), "data");
		}
		if (l->entry == 16 && !(entry & COMPRESSED)) {
			u64 subs = image_get(image, at + 8, 8);

			if ((u32)subs & subs >> 32 || ((u32)subs && !(entry & OFFSET)))
				error(state, "subclusters 0x%llx", (unsigned long long)subs);
		}
	}
}

static void examine_l1(const struct image *image, const struct layout *l, struct use *use,
		       struct image_state *state, u64 l1, u64 nr, bool active)
{
	add_use(use, state, l, l1, nr * 8, false, "L1");
	for (u64 i = 0; i < nr; i++) {
		u64 entry = image_get(image, l1 + i * 8, 8), table = entry & OFFSET;

		if (!table)
			continue;
		if (table & (l->cluster - 1))
			error(state, "L1 entry 0x%llx", (unsigned long long)entry);
		add_use(use, state, l, table, l->cluster, active && (entry & COPIED), "L2");
		examine_l2(image, l, use, state, table, active);
	}
}

void image_examine(const struct image *image, struct image_state *state)
{
	struct use use;
	struct layout l;
	u64 snapshot;

	memset(state, 0, sizeof(*state));
	read_layout(image, &l);
	use.clusters = round_up(image->len, l.cluster);
	use.nr = calloc(use.clusters, sizeof(*use.nr));
	use.copied = calloc(use.clusters, 1);
	add_use(&use, state, &l, 0, l.cluster, false, "header");
	add_use(&use, state, &l, l.reftable, l.reftable_size, false, "refcount table");
	for (u64 i = 0; i < l.reftable_size; i += 8) {
		u64 block = image_get(image, l.reftable + i, 8);

		if (block)
			add_use(&use, state, &l, block, l.cluster, false, "refcount block");
	}
	examine_l1(image, &l, &use, state, l.l1, l.l1_size, true);
	if (image_get(image, 60, 4)) {
		snapshot = image_get(image, 64, 8);
		add_use(&use, state, &l, snapshot, 64, false, "snapshot table");
		examine_l1(image, &l, &use, state, image_get(image, snapshot, 8),
			   image_get(image, snapshot + 8, 4), false);
	}
	for (u64 i = 0; i < use.clusters; i++) {
		u64 count = get_count(image, &l, i);

		if (use.nr[i] > count || (use.copied[i] && use.nr[i] > 1))
			error(state, "cluster 0x%llx: %u uses, refcount %llu%s",
			      (unsigned long long)i, use.nr[i], (unsigned long long)count,
			      use.copied[i] ? ", copied" : "");
		else if (count > use.nr[i])
			state->leaks++;
	}
	free(use.nr);
	free(use.copied);
}

bool image_read(struct image *image, int fd)
{
	u64 len = lseek(fd, 0, SEEK_END);

	if (len > IMAGE_MAX)
		return false;
	for (image->len = 0; image->len < len;) {
		ssize_t n = pread(fd, image->data + image->len, len - image->len, image->len);

		if (n <= 0)
			abort();
		image->len += n;
	}
	return true;
}

void image_store(const struct image *image, int fd)
{
	if (ftruncate(fd, 0) || pwrite(fd, image->data, image->len, 0) != (ssize_t)image->len)
		abort();
}
