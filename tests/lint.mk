# SPDX-License-Identifier: GPL-2.0-only
#
# make lint: what programs can say of the sources without running them. Included from the
# top-level Makefile. The analyzer's answers are kept as build/$(ARCH)/lint/FILE.ok, so that
# only what changed is analyzed again; tests/lint does the rest.

LINT_OUT := $(BUILD)/lint

# What is an architecture's own has its name.
LINT_OTHERS := $(filter-out $(ARCH),x86 arm64 riscv64)
LINT_GUEST := $(filter-out $(LINT_OTHERS:%=tests/guests/mmu/%.c),$(wildcard \
	guest/*.c guest/rt/*.c $(GUEST_ROOM)/*.c tests/guests/*.c tests/guests/*/*.c))
LINT_SRCS := main.c $(LIB_SRCS) \
	$(wildcard $(addsuffix /*.c,tests/unit tests/unit/$(ARCH) tests/fuzz tests/fuzz/$(ARCH) tests/bench tests/tools tests/shims))

# Of another architecture only what is its own.
ifneq ($(ARCH),$(HOST_ARCH))
LINT_GUEST := $(filter $(GUEST_ROOM)/% guest/rt/fdt% guest/rt/uart% tests/guests/mmu/$(ARCH).c,$(LINT_GUEST))
LINT_SRCS := $(foreach r,$(ARCH_ROOMS),$(wildcard $(r)/*.c)) \
	$(wildcard tests/unit/fdt/*.c tests/unit/$(ARCH)/*.c)
LINT_TARGET := --target=$(CROSS_COMPILE:-=) -idirafter /usr/$(CROSS_COMPILE:-=)/include
endif

ANALYZE := clang --analyze --analyzer-output text -Xclang -analyzer-werror

$(LINT_GUEST:%.c=$(LINT_OUT)/%.ok): LINT_CFLAGS = $(LINT_TARGET) $(filter-out -march=%,$(GUEST_CFLAGS))
$(LINT_SRCS:%.c=$(LINT_OUT)/%.ok): LINT_CFLAGS = $(LINT_TARGET) $(LKVM_CFLAGS) -Itests/unit -Itests/fuzz

# The second run of the compiler only lists what the file includes.
$(LINT_OUT)/%.ok: %.c | $(SYSROOT_READY)
	@mkdir -p $(@D)
	$(if $(Q),@echo "  ANALYZE $<")
	$(Q)$(ANALYZE) $(filter-out -MMD -MP,$(LINT_CFLAGS)) -o $(@:.ok=.plist) $<
	$(Q)clang $(filter-out -MMD -MP,$(LINT_CFLAGS)) -MM -MP -MT $@ -MF $(@:.ok=.d) $<
	$(Q)touch $@

lint-analyze: $(LINT_GUEST:%.c=$(LINT_OUT)/%.ok) $(LINT_SRCS:%.c=$(LINT_OUT)/%.ok)
	@:

lint: deps-lint
	$(Q)+ARCHES="$(CHECK_ARCHES)" tests/lint $(MAKE)

-include $(shell find $(LINT_OUT) -name '*.d' 2>/dev/null)

.PHONY: lint lint-analyze
