// SPDX-License-Identifier: GPL-2.0-only
/* Which bytes of a bank are whose. */
#include <string.h>

#include "internal.h"

/* Both kernels map themselves, and their device tree, in blocks of this size. */
#define BLOCK (2 * MiB)

/* Pages of guests: what an initrd is in is freed in these. */
#define PAGE (64 * KiB)

/* Where kernel and initrd have to be within, on arm64, starts at a multiple of it. */
#define WINDOW_ALIGN (1 * GiB)

/* No sum below exceeds 64 bits where each part is smaller than this. */
#define PART_MAX (1ULL << 60)

/* Of a bank that starts at @gpa; how far it has to go is returned. */
static u64 place(u64 gpa, const struct image_layout *layout, struct image_places *places)
{
	u64 end;

	memset(places, 0, sizeof(*places));
	places->entry = align_up(gpa, BLOCK) + layout->text_offset;
	/*
	 * Linux before 4.2 on arm64 looks for the tree in the first 512 MiB from the kernel on. A
	 * block of its own, so that it needs no more than one.
	 */
	places->fdt = align_up(places->entry + layout->kernel_size, BLOCK);
	end = places->fdt + layout->fdt_max;
	if (layout->initrd_size) {
		places->initrd = align_up(end, PAGE);
		places->initrd_size = layout->initrd_size;
		end = places->initrd + places->initrd_size;
	}
	return end;
}

bool image_place(const struct guest_mem *mem, const struct image_layout *layout,
		 struct image_places *places, u64 *needed)
{
	u64 end;

	*needed = 0;
	if (!mem->nr_banks || max(layout->text_offset, layout->kernel_size) >= PART_MAX ||
	    max(layout->initrd_size, layout->fdt_max) >= PART_MAX)
		return false;
	for (unsigned int i = 0; i < mem->nr_banks; i++) {
		const struct guest_bank *bank = &mem->banks[i];

		if (bank->gpa >= PART_MAX)
			break;
		end = place(bank->gpa, layout, places);
		if (layout->window &&
		    end - align_down(places->entry, WINDOW_ALIGN) > layout->window)
			continue;
		if (end - bank->gpa <= bank->size)
			return true;
		if (!*needed)
			*needed = end - bank->gpa;
	}
	return false;
}
