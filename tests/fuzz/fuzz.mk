# SPDX-License-Identifier: GPL-2.0-only
#
#   make fuzz T=SECONDS [F=TARGET]   runs each fuzz target, or one, for so long: docs/testing.md
#
# A target is a tests/fuzz/fuzz-NAME.c, or in the folder of its architecture. Everything is built
# once more for them, by clang. Included from the top-level Makefile.

FUZZ := $(BUILD)/fuzz
FUZZ_SRCS := $(wildcard tests/fuzz/fuzz-*.c tests/fuzz/$(ARCH)/fuzz-*.c)
FUZZ_TARGETS := $(patsubst fuzz-%.c,%,$(notdir $(FUZZ_SRCS)))
FUZZ_HELPERS := $(filter-out tests/fuzz/fuzz-%,$(wildcard tests/fuzz/*.c))
FUZZ_ALWAYS := $(FUZZ)/tests/fuzz/fuzz.o $(FUZZ)/tests/fuzz/memory-cache.o
fuzz_wrap = $(foreach f,$(1),-Wl$(comma)--wrap=$(f))
FUZZ_SANITIZE := -fsanitize=address$(comma)undefined -fno-sanitize-recover=all

$(FUZZ)/%: private CC := clang
$(FUZZ)/%: private CFLAGS := -O1 -g

$(eval $(call build-rules,$(FUZZ),$(FUZZ_SANITIZE) -fsanitize=fuzzer-no-link))

$(FUZZ)/tests/fuzz/%.o: private LKVM_CFLAGS += -Itests/unit -Itests/fuzz

$(FUZZ)/fuzz.a: $(FUZZ_HELPERS:%.c=$(FUZZ)/%.o)
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $^

# What this folder has takes the place of what the other archives have.
$(FUZZ_TARGETS:%=$(FUZZ)/fuzz-%): $(FUZZ)/fuzz-%: $(FUZZ_ALWAYS) $(FUZZ)/fuzz.a \
		$(FUZZ)/tests/helpers.a $(FUZZ)/lkvm.a
	$(if $(Q),@echo "  LD      $@")
	$(Q)$(CC) $(CFLAGS) $(FUZZ_SANITIZE) -fsanitize=fuzzer -pthread -o $@ $(filter %.o,$^) \
		$(filter %.a,$^) $(ARCH_LIBS) \
		$(call fuzz_wrap,guest_mem_add_bank guest_mem_destroy $(FUZZ_WRAP))
$(foreach s,$(FUZZ_SRCS),$(eval $(FUZZ)/$(basename $(notdir $(s))): $(s:%.c=$(FUZZ)/%.o)))

# Their walks are watched.
$(FUZZ)/fuzz-walk-%: FUZZ_WRAP := guest_mem_load64 guest_mem_cmpxchg64

# Time goes by when it is looked at, and what is waited for happens then.
$(FUZZ)/fuzz-iommu-requests: FUZZ_WRAP := clock_gettime syscall

# Of a machine without a board.
$(FUZZ)/fuzz-control: FUZZ_WRAP := guest_listen guest_name arch_power_button arch_vm_resuming send

# A host that has its ways.
$(FUZZ)/fuzz-raw: FUZZ_WRAP := preadv pwritev fcntl statx fallocate

# The host's random numbers are always the same.
$(FUZZ)/fuzz-rng $(FUZZ)/fuzz-machine: FUZZ_WRAP := getrandom

# The loader of the other architectures is tested here, too.
ifeq ($(filter boot,$(ARCH_ROOMS)),)
$(FUZZ)/fuzz-image: $(patsubst %.c,$(FUZZ)/%.o,$(wildcard boot/*.c) tests/unit/fdt/images.c)
endif

# What other architectures have.
ifeq ($(filter riscv,$(ARCH_ROOMS)),)
$(FUZZ)/fuzz-plic: $(FUZZ)/riscv/plic.o
$(FUZZ)/fuzz-devices: $(FUZZ)/riscv/sbi.o
endif

fuzz-targets: $(FUZZ_TARGETS:%=$(FUZZ)/fuzz-%)

T ?= 60
fuzz: deps-check
	$(Q)$(MAKE) $(if $(F),$(FUZZ)/fuzz-$(F),fuzz-targets)
	$(Q)tests/fuzz/run $(ARCH) $(T) $(or $(F),$(FUZZ_TARGETS))

.PHONY: fuzz fuzz-targets
