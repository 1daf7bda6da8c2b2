# SPDX-License-Identifier: GPL-2.0-only
#
# make lint: what programs can say of the sources without running them. Included from the
# top-level Makefile. The analyzer's answers are kept as build/$(ARCH)/lint/FILE.ok, so that
# only what changed is analyzed again; tests/lint does the rest.

LINT_OUT := $(BUILD)/lint

LINT_GUEST := $(wildcard guest/*.c guest/rt/*.c $(GUEST_ROOM)/*.c tests/guests/*.c)
LINT_SRCS := main.c $(LIB_SRCS) \
	$(wildcard $(addsuffix /*.c,tests/unit tests/unit/$(ARCH) tests/bench tests/tools tests/shims))

ANALYZE := clang --analyze --analyzer-output text -Xclang -analyzer-werror

$(LINT_GUEST:%.c=$(LINT_OUT)/%.ok): LINT_CFLAGS = $(GUEST_CFLAGS)
$(LINT_SRCS:%.c=$(LINT_OUT)/%.ok): LINT_CFLAGS = $(LKVM_CFLAGS) -Itests/unit

# The second run of the compiler only lists what the file includes.
$(LINT_OUT)/%.ok: %.c
	@mkdir -p $(@D)
	$(if $(Q),@echo "  ANALYZE $<")
	$(Q)$(ANALYZE) $(filter-out -MMD -MP,$(LINT_CFLAGS)) -o $(@:.ok=.plist) $<
	$(Q)clang $(filter-out -MMD -MP,$(LINT_CFLAGS)) -MM -MP -MT $@ -MF $(@:.ok=.d) $<
	$(Q)touch $@

lint-analyze: $(LINT_GUEST:%.c=$(LINT_OUT)/%.ok) $(LINT_SRCS:%.c=$(LINT_OUT)/%.ok)
	@:

lint: deps-lint
	$(Q)+tests/lint $(MAKE) ARCH=$(ARCH)

-include $(shell find $(LINT_OUT) -name '*.d' 2>/dev/null)

.PHONY: lint lint-analyze
