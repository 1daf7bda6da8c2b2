// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests of all kinds to a qcow2 disk, from several threads, held against a flat file. By
 * itself it does that with an image of its own; tests/qcow2.bats does it with those of qemu-img:
 *
 *   test-qcow2-load work IMAGE[,...] MODEL STEPS THREADS
 *   test-qcow2-load kill IMAGE[,...] MODEL STEPS THREADS   which ends itself in the middle
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "disk/disk.h"
#include "qcow2-image.h"
#include "unit.h"
#include "virtio/blk.h"

#define BLOCK	 4096U /* whose owner is one thread */
#define MAX_LEN	 (4 * MiB)
#define MAX_IOVS 96

static struct {
	struct disk *disk;
	int model;
	u64 big; /* blocks of the second half */
	u64 steps;
	unsigned int nr_threads;
	bool kill; /* one thread ends the program, the others go on until then */
} load;

struct worker {
	pthread_t thread;
	unsigned int index;
	u64 random;
	u8 *buf, *other;
	bool failed;
};

/* Each thread has its own sequence. */
static u64 rnd(struct worker *w, u64 below)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return (w->random >> 11) % below;
}

/* In one piece, or in pieces of any size and alignment. */
static int transfer(struct worker *w, bool write, u8 *buf, u64 len, u64 off)
{
	struct disk *disk = load.disk;
	struct iovec iov[MAX_IOVS];
	unsigned int nr = 0, max = rnd(w, 3) ? 1 : 1 + rnd(w, MAX_IOVS - 1);

	while (nr < max - 1 && len > 1) {
		u64 part = 1 + rnd(w, min(len - 1, (u64)8192));

		iov[nr++] = (struct iovec){.iov_base = buf, .iov_len = part};
		buf += part;
		len -= part;
	}
	iov[nr++] = (struct iovec){.iov_base = buf, .iov_len = len};
	return write ? disk->ops->pwritev(disk, iov, nr, off)
		     : disk->ops->preadv(disk, iov, nr, off);
}

static void check(struct worker *w, u64 off, u64 len)
{
	memset(w->buf, 0xa5, len);
	if (!CHECK_EQ(transfer(w, false, w->buf, len, off), 0) ||
	    !CHECK_EQ(pread(load.model, w->other, len, off), (ssize_t)len) ||
	    !CHECK_EQ(memcmp(w->buf, w->other, len), 0)) {
		printf("# read of %llu bytes at %llu\n", (unsigned long long)len,
		       (unsigned long long)off);
		for (u64 i = 0; i < len; i++) {
			if (w->buf[i] == w->other[i])
				continue;
			printf("# differs at %llu: %02x, not %02x\n", (unsigned long long)(off + i),
			       w->buf[i], w->other[i]);
			break;
		}
		w->failed = true;
	}
}

/*
 * A range of the thread's own: in the first half of the disk pieces of clusters, in the second
 * half several whole ones.
 */
static void pick(struct worker *w, u64 *off, u64 *len)
{
	u64 half = align_down(load.disk->size / 2, load.big), size = load.disk->size;
	bool big = rnd(w, 2) || half < load.nr_threads * BLOCK;
	u64 block = big ? load.big : BLOCK, base = big ? half : 0;
	u64 nr = ((big ? size - half : half) + block - 1) / block;
	u64 i = rnd(w, (nr + load.nr_threads - 1) / load.nr_threads) * load.nr_threads + w->index;
	u64 start, room;

	if (i >= nr)
		i = w->index % nr;
	start = base + i * block;
	room = min(block, size - start);
	/* All that is there for one alone. */
	if (load.nr_threads == 1)
		room = min(size - start, 4 * block);
	*off = 0;
	*len = room;
	if (rnd(w, 3)) {
		*off = rnd(w, room / 512) * 512;
		*len = 512 + rnd(w, (room - *off) / 512) * 512;
	}
	*len = min(*len, MAX_LEN);
	*off += start;
}

static void step(struct worker *w)
{
	struct disk *disk = load.disk;
	u64 off, len;
	int ret = 0;

	pick(w, &off, &len);
	if (load.nr_threads > 1 && load.nr_threads > (disk->size / load.big))
		return;
	switch (disk->read_only ? 5 : rnd(w, 16)) {
	case 0:
		ret = disk->ops->flush(disk);
		break;
	case 1:
	case 2:
		ret = disk->ops->write_zeroes(disk, off, len, rnd(w, 2));
		memset(w->other, 0, len);
		CHECK_EQ(pwrite(load.model, w->other, len, off), (ssize_t)len);
		break;
	case 3:
	case 4:
		ret = disk->ops->discard(disk, off, len);
		/* What it is now, it stays. */
		if (!ret)
			ret = transfer(w, false, w->other, len, off);
		CHECK_EQ(pwrite(load.model, w->other, len, off), (ssize_t)len);
		break;
	case 5:
	case 6:
	case 7:
	case 8:
		break;
	default:
		memset(w->other, rnd(w, 256), len);
		for (u64 i = 0; i < len; i += 8)
			memcpy(w->other + i, &w->random, 8);
		memcpy(w->buf, w->other, len);
		ret = transfer(w, true, w->buf, len, off);
		CHECK_EQ(pwrite(load.model, w->other, len, off), (ssize_t)len);
	}
	if (!CHECK_EQ(ret, 0)) {
		w->failed = true;
		return;
	}
	check(w, off, len);
}

static void *run(void *opaque)
{
	struct worker *w = opaque;
	void *mem, *other;

	if (posix_memalign(&mem, BLOCK, MAX_LEN) || posix_memalign(&other, BLOCK, MAX_LEN))
		abort();
	w->buf = mem;
	w->other = other;
	for (u64 i = 0; (i < load.steps || (load.kill && w->index)) && !w->failed; i++)
		step(w);
	if (load.kill)
		kill(getpid(), SIGKILL);
	free(mem);
	free(other);
	return NULL;
}

static bool run_load(void)
{
	struct worker workers[16] = {0};
	bool failed = false;

	for (unsigned int i = 0; i < load.nr_threads; i++) {
		workers[i].index = i;
		workers[i].random = unit_rand() | 1;
		if (pthread_create(&workers[i].thread, NULL, run, &workers[i]))
			abort();
	}
	for (unsigned int i = 0; i < load.nr_threads; i++) {
		pthread_join(workers[i].thread, NULL);
		failed |= workers[i].failed;
	}
	return !failed;
}

static int work(const char *arg, const char *model, u64 steps, unsigned int nr_threads)
{
	struct blk_config config;
	struct worker w = {.random = 1};
	int ret;

	if (blk_parse(arg, &config) || disk_open(&load.disk, &config.disk))
		return 1;
	load.model = open(model, O_RDWR | O_CLOEXEC);
	load.steps = steps;
	load.nr_threads = nr_threads;
	load.big = max(load.disk->discard_granularity, BLOCK) * 2;
	/* A cluster's size is no property of a disk that has subclusters. */
	if (load.big < 128 * KiB && load.disk->size >= 4 * MiB)
		load.big = 128 * KiB;
	unit_seed();
	ret = load.model < 0 || !run_load();
	if (!ret) {
		w.buf = calloc(1, MAX_LEN);
		w.other = calloc(1, MAX_LEN);
		load.nr_threads = 1;
		for (u64 off = 0; off < load.disk->size && !w.failed; off += MAX_LEN)
			check(&w, off, min(load.disk->size - off, MAX_LEN));
		free(w.buf);
		free(w.other);
		ret = w.failed;
	}
	disk_close(load.disk);
	close(load.model);
	return ret;
}

/* With an image of its own, where every request finds another one at its heels. */
static void own_image(struct image_format format)
{
	static char dir[] = "/tmp/lkvm-qcow2-XXXXXX";
	struct image image = {.data = malloc(IMAGE_MAX)};
	struct image_state state;
	char path[64], model[64];
	int fd;

	if (!mkdtemp(dir))
		abort();
	snprintf(path, sizeof(path), "%s/image.qcow2", dir);
	snprintf(model, sizeof(model), "%s/model", dir);
	format.size = 2 * MiB;
	image_make(&image, &format);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	image_store(&image, fd);
	close(open(model, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	CHECK_EQ(truncate(model, format.size), 0);
	CHECK_EQ(work(path, model, 200, 5), 0);
	if (CHECK(image_read(&image, fd = open(path, O_RDONLY | O_CLOEXEC)))) {
		image_examine(&image, &state);
		if (!CHECK_EQ(state.errors, 0))
			printf("# %s\n", state.what);
		CHECK_EQ(state.leaks, 0);
	}
	close(fd);
	free(image.data);
	unlink(path);
	unlink(model);
	CHECK_EQ(rmdir(dir), 0);
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
}

TEST(clusters_of_4k)
{
	own_image((struct image_format){.version = 3, .cluster_bits = 12, .ref_order = 4});
}

TEST(clusters_of_512)
{
	own_image((struct image_format){.version = 2, .cluster_bits = 9, .ref_order = 4});
}

TEST(subclusters)
{
	own_image((struct image_format){
		.version = 3, .cluster_bits = 14, .ref_order = 0, .subclusters = true});
}

int unit_main_hook(int argc, char **argv)
{
	load.kill = !strcmp(argv[1], "kill");
	if (argc == 6 && (load.kill || !strcmp(argv[1], "work")))
		return work(argv[2], argv[3], strtoull(argv[4], NULL, 0), atoi(argv[5]));
	return -1;
}
