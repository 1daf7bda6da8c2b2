# SPDX-License-Identifier: GPL-2.0-only
#
#   make fuzz T=SECONDS [F=TARGET]   runs each fuzz target, or one, for so long: docs/testing.md
#
# A target is a tests/fuzz/fuzz-NAME.c. Everything is built once more for them, by clang. Included
# from the top-level Makefile.

FUZZ := $(BUILD)/fuzz
FUZZ_TARGETS := $(patsubst tests/fuzz/fuzz-%.c,%,$(wildcard tests/fuzz/fuzz-*.c))
FUZZ_HELPERS := $(filter-out tests/fuzz/fuzz-%,$(wildcard tests/fuzz/*.c))
FUZZ_SANITIZE := -fsanitize=address$(comma)undefined -fno-sanitize-recover=all

$(FUZZ)/%: private CC := clang
$(FUZZ)/%: private CFLAGS := -O1 -g

$(eval $(call build-rules,$(FUZZ),$(FUZZ_SANITIZE) -fsanitize=fuzzer-no-link))

$(FUZZ)/tests/fuzz/%.o: private LKVM_CFLAGS += -Itests/unit

$(FUZZ)/fuzz.a: $(FUZZ_HELPERS:%.c=$(FUZZ)/%.o)
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $^

# What this folder has takes the place of what the other archives have.
$(FUZZ_TARGETS:%=$(FUZZ)/fuzz-%): $(FUZZ)/fuzz-%: $(FUZZ)/tests/fuzz/fuzz-%.o $(FUZZ)/fuzz.a \
		$(FUZZ)/tests/helpers.a $(FUZZ)/lkvm.a
	$(if $(Q),@echo "  LD      $@")
	$(Q)$(CC) $(CFLAGS) $(FUZZ_SANITIZE) -fsanitize=fuzzer -pthread -o $@ $^ $(ARCH_LIBS) \
		$(FUZZ_LDFLAGS)

# Their walks are watched.
$(FUZZ)/fuzz-walk-%: FUZZ_LDFLAGS := -Wl$(comma)--wrap=guest_mem_load64$(comma)--wrap=guest_mem_cmpxchg64

fuzz-targets: $(FUZZ_TARGETS:%=$(FUZZ)/fuzz-%)

T ?= 60
fuzz: deps-check
	$(Q)$(MAKE) $(if $(F),$(FUZZ)/fuzz-$(F),fuzz-targets)
	$(Q)tests/fuzz/run $(ARCH) $(T) $(or $(F),$(FUZZ_TARGETS))

.PHONY: fuzz fuzz-targets
