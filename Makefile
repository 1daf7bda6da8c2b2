# SPDX-License-Identifier: GPL-2.0-only
#
#   make run        install what the build needs, build, run the built-in guest
#   make run-linux  the same with a stock Debian guest, to its shell
#   make check      all tests, on x86 those of the other architectures, too
#   make fuzz       hostile input for T=SECONDS a target: docs/testing.md
#   make bench      what lkvm costs, in numbers: docs/performance.md
#   make lint       formatting, static analysis, scripts and man page
#   make            only build
#   make install    with PREFIX, DESTDIR; make uninstall
#
# CC, CFLAGS, LDFLAGS and CROSS_COMPILE are the user's, and LIBC, see below; V=1 shows the commands.

VERSION := 0.1
comma := ,
HOST_ARCH := $(patsubst aarch64,arm64,$(patsubst x86_64,x86,$(shell uname -m)))
ARCH ?= $(HOST_ARCH)
ifneq ($(ARCH),$(HOST_ARCH))
CROSS_COMPILE_arm64 := aarch64-linux-gnu-
CROSS_COMPILE_riscv64 := riscv64-linux-gnu-
CROSS_COMPILE ?= $(CROSS_COMPILE_$(ARCH))
endif
CROSS_COMPILE ?=
ifeq ($(origin CC),default)
CC := $(CROSS_COMPILE)gcc
endif
ifeq ($(origin AR),default)
AR := $(CROSS_COMPILE)ar
endif
CFLAGS ?= -O2 -g
LDFLAGS ?= -static
PREFIX ?= /usr/local
BINDIR = $(PREFIX)/bin
MANDIR = $(PREFIX)/share/man
COMPLETIONDIR = $(PREFIX)/share/bash-completion/completions
DOCDIR = $(PREFIX)/share/doc/lkvm
# README.md names the others by these paths.
DOCS := README.md $(wildcard docs/*.md)
Q := $(if $(V),,@)

BUILD := build/$(ARCH)

# An architecture's own folder, and what the machines share that a device tree describes.
ARCH_ROOMS_x86 := x86
ARCH_ROOMS_arm64 := boot fdt arm
ARCH_ROOMS_riscv64 := boot fdt riscv
ARCH_LIBS_x86 := -lz -lzstd
ARCH_LIBS_arm64 := -lfdt -lz -lzstd
ARCH_LIBS_riscv64 := -lfdt -lz -lzstd
MACHINE_x86 := x86_64
MACHINE_arm64 := aarch64
MACHINE_riscv64 := riscv64
ifndef ARCH_ROOMS_$(ARCH)
$(error ARCH=$(ARCH) is none of x86, arm64 and riscv64)
endif
ARCH_ROOMS := $(ARCH_ROOMS_$(ARCH))
ARCH_LIBS := $(ARCH_LIBS_$(ARCH))

# The C library of lkvm: LIBC=musl, which makes it small and is linked statically, or LIBC=system,
# the compiler's own. Musl where Debian's package is installed, or tests/sysroot fetches packages.
STATIC := $(filter -static,$(LDFLAGS))
MUSL_FOUND := $(filter $(CROSS_COMPILE_$(ARCH)),$(CROSS_COMPILE))$(wildcard \
	/usr/lib/$(MACHINE_$(ARCH))-linux-musl/libc.a)
LIBC ?= $(if $(and $(STATIC),$(MUSL_FOUND)),musl,system)
ifeq ($(filter system musl-static,$(LIBC)$(if $(filter musl,$(LIBC)),$(STATIC))),)
$(error LIBC=$(LIBC) is neither system, nor musl with LDFLAGS=-static)
endif

# Where the libraries are, and musl, if the compiler does not know them; see tests/sysroot.
ifneq ($(ARCH_LIBS)$(filter musl,$(LIBC)),)
SYSROOT := $(BUILD)/sysroot
SYSROOT_READY := $(BUILD)/sysroot.$(LIBC)
ARCH_LIBS := -L$(SYSROOT)/lib $(ARCH_LIBS)
endif

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes
ifdef WERROR
WARNINGS += -Werror
endif
LKVM_CFLAGS := -std=gnu11 -D_GNU_SOURCE -DLKVM_VERSION='"$(VERSION)"' -pthread $(WARNINGS) \
	-Iinclude $(if $(SYSROOT),-isystem $(SYSROOT)/include) \
	-ffile-prefix-map=$(CURDIR)=. -MMD -MP

ROOMS := util vm char iommu disk net virtio hw $(ARCH_ROOMS)
LIB_SRCS := $(wildcard machine*.c builtin-*.c) control-client.c \
	$(foreach r,$(ROOMS),$(wildcard $(r)/*.c))
# tests/unit/$(ARCH) holds what makes sense for that architecture only, tests/unit/fdt what does
# where a device tree describes the machine.
UNIT_SRCS := $(wildcard tests/unit/*.c tests/unit/$(ARCH)/*.c) \
	$(if $(filter fdt,$(ARCH_ROOMS)),$(wildcard tests/unit/fdt/*.c))
UNIT_TESTS := $(filter test-%,$(basename $(notdir $(UNIT_SRCS))))
UNIT_HELPERS := $(foreach s,$(UNIT_SRCS),$(if $(filter test-%,$(notdir $(s))),,$(s)))
# Those that have threads, of their own or of devices.
THREAD_TESTS := $(filter $(addprefix test-,blk-batch blk-queues blk-revoke chardev console control \
	dma-engine dma-revoke iommu-batch iommu-events iommu-poll iommu-tables iommu-waiting \
	mapping-lookup net net-ctrl qcow2-load revoke-stress rng virtio-mmio virtio-pci-msi), \
	$(UNIT_TESTS))
BENCHES := $(patsubst tests/bench/%.c,%,$(wildcard tests/bench/bench-*.c))

all: lkvm

# The last one that was built, of whatever architecture.
lkvm: $(BUILD)/lkvm FORCE
	$(Q)cmp -s $< $@ || cp -f $< $@

FORCE:

include guest/guest.mk

ifdef SYSROOT
$(SYSROOT_READY): tests/sysroot
	@mkdir -p $(@D)
	$(Q)tests/sysroot $(ARCH) $(LIBC) $(SYSROOT) $(CC) $(CFLAGS) $(LDFLAGS)
	@rm -f $(SYSROOT).* && touch $@
endif

FAILING_CALLS := malloc calloc realloc aligned_alloc posix_memalign strdup free mmap memfd_create \
	eventfd epoll_create1 epoll_ctl timerfd_create signalfd socket bind listen symlink open \
	pthread_create pthread_join

# The same sources in four ways: as they are, with sanitizers, with one that finds data races, and
# for lkvm with musl. $(1) is the folder, $(2) what is added to the flags.
define build-rules
$(1)/%.o: %.c | $(SYSROOT_READY)
	@mkdir -p $$(@D)
	$$(if $$(Q),@echo "  CC      $$@")
	$$(Q)$$(CC) $$(LKVM_CFLAGS) $$(CFLAGS) $(2) -c -o $$@ $$<

$(1)/guest/embed.o: guest/embed.S $$(GUEST_DEMO)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) -DDEMO='"$$(GUEST_DEMO)"' -c -o $$@ $$<

$(1)/lkvm.a: $$(LIB_SRCS:%.c=$(1)/%.o) $(1)/guest/embed.o
	$$(Q)rm -f $$@
	$$(Q)$$(AR) rcs $$@ $$^

$(1)/tests/helpers.a: $$(UNIT_HELPERS:%.c=$(1)/%.o)
	@mkdir -p $$(@D)
	$$(Q)rm -f $$@
	$$(Q)$$(AR) rcs $$@ $$^

$(1)/tests/unit/%.o: LKVM_CFLAGS += -Itests/unit

# It makes up what an architecture adds to the tree: the first definition counts.
$(1)/tests/test-board: TEST_LDFLAGS := -Wl$(comma)-z$(comma)muldefs

# Calls that lead to tests/unit/fail-nth.c.
$(1)/tests/test-fail-%: TEST_LDFLAGS := $(FAILING_CALLS:%=-Wl$(comma)--wrap=%)

# It has the clock of the device's threads.
$(1)/tests/test-blk-batch: TEST_LDFLAGS := -Wl$(comma)--wrap=clock_gettime

$(UNIT_TESTS:%=$(1)/tests/%): $(1)/tests/%: $(1)/tests/helpers.a $(1)/lkvm.a
	@mkdir -p $$(@D)
	$$(if $$(Q),@echo "  LD      $$@")
	$$(Q)$$(CC) $$(CFLAGS) $(2) $$(TEST_LDFLAGS) -pthread -o $$@ $$(filter %.o,$$^) \
		$$(TEST_ARCHIVES) $$(filter %.a,$$^) $(ARCH_LIBS)
$(foreach s,$(UNIT_SRCS),$(if $(filter test-%,$(notdir $(s))),
$(1)/tests/$(basename $(notdir $(s))): $(s:%.c=$(1)/%.o)))

# The architecture's own, before what the helpers have in their places.
$(foreach s,$(wildcard tests/unit/$(ARCH)/test-*.c),
$(1)/tests/$(basename $(notdir $(s))): TEST_ARCHIVES := $(1)/lkvm.a)

-include $$(shell find $(1) -name '*.d' 2>/dev/null)
endef

$(eval $(call build-rules,$(BUILD),))
$(eval $(call build-rules,$(BUILD)/san,-fsanitize=address$(comma)undefined -fno-sanitize-recover=all))
# Where Debian's gcc has that one.
TSAN := $(filter x86 arm64,$(ARCH))
# Fences are executed, but not understood: nothing may rely on one for what is not atomic.
$(eval $(call build-rules,$(BUILD)/tsan,-fsanitize=thread -Wno-tsan -Wno-stringop-overread))
$(eval $(call build-rules,$(BUILD)/musl,$$(MUSL_CFLAGS)))

# What a compiler for another C library has to be told. Without tables to unwind a stack, which
# nothing does at run time.
MUSL := $(SYSROOT)/musl
MUSL_CFLAGS = -nostdinc -isystem $(MUSL)/include -isystem $(MUSL)/kernel \
	-isystem $(shell $(CC) -print-file-name=include) -ffunction-sections -fdata-sections \
	-fno-unwind-tables -fno-asynchronous-unwind-tables
MUSL_START := -nostdlib -Wl,--gc-sections $(MUSL)/lib/crt1.o $(MUSL)/lib/crti.o
MUSL_LIBS_riscv64 := -latomic
MUSL_LIBS = $(ARCH_LIBS) $(MUSL_LIBS_$(ARCH)) -L$(MUSL)/lib -Wl,--start-group -lc \
	$(shell $(CC) -print-libgcc-file-name) -Wl,--end-group $(MUSL)/lib/crtn.o

ifeq ($(LIBC),musl)
LKVM_OUT := $(BUILD)/musl
link-lkvm = $(CC) $(CFLAGS) $(LDFLAGS) $(MUSL_START) -o $@ $(filter %.o %.a,$^) $(MUSL_LIBS)
else
LKVM_OUT := $(BUILD)
link-lkvm = $(CC) $(CFLAGS) $(LDFLAGS) -pthread -o $@ $(filter %.o %.a,$^) $(ARCH_LIBS)
endif

# What it links is linked anew when the C library changes.
$(BUILD)/lkvm.libc: FORCE
	@mkdir -p $(@D)
	@echo $(LIBC) | cmp -s - $@ || echo $(LIBC) >$@

$(BUILD)/lkvm: $(LKVM_OUT)/main.o $(LKVM_OUT)/lkvm.a $(BUILD)/lkvm.libc
	$(if $(Q),@echo "  LD      $@")
	$(Q)$(link-lkvm)

# With the C library that lkvm has. They build guest tables as the unit tests do.
$(LKVM_OUT)/tests/bench/%.o: LKVM_CFLAGS += -Itests/unit

$(BUILD)/tests/bench-%: $(LKVM_OUT)/tests/bench/bench-%.o $(LKVM_OUT)/tests/bench/timing.o \
		$(LKVM_OUT)/tests/helpers.a $(LKVM_OUT)/lkvm.a
	@mkdir -p $(@D)
	$(Q)$(link-lkvm)

unit-tests: $(UNIT_TESTS:%=$(BUILD)/tests/%) $(UNIT_TESTS:%=$(BUILD)/san/tests/%) \
	$(if $(TSAN),$(THREAD_TESTS:%=$(BUILD)/tsan/tests/%))

# Those that are about the architecture, to run under QEMU's user mode on another one.
CROSS_TESTS := $(filter test-%,$(basename $(notdir \
	$(wildcard tests/unit/fdt/*.c tests/unit/$(ARCH)/*.c))))

cross-tests: $(CROSS_TESTS:%=$(BUILD)/tests/%)

# What the .bats files use: a terminal to drive lkvm on, a client of its sockets, a command with
# a tap interface, and an lkvm that is linked so that another host can be put under it.
SHIMS := $(patsubst tests/shims/%.c,$(BUILD)/tests/%.so,$(wildcard tests/shims/*.c))
test-shims: lab-tools $(SHIMS) $(BUILD)/tests/lkvm-dynamic \
	$(if $(TSAN),$(BUILD)/tests/lkvm-tsan)

# Linked as lkvm, to be compared with it and to run in the lab, too.
BENCH_TOOLS := $(BUILD)/tests/exec-time $(BUILD)/tests/vm-floor
$(BENCH_TOOLS): $(BUILD)/tests/%: $(LKVM_OUT)/tests/bench/%.o $(BUILD)/lkvm.libc
	@mkdir -p $(@D)
	$(Q)$(link-lkvm)

LAB_TOOLS := $(addprefix $(BUILD)/tests/,pty-run socket-cat tap-run vfio-dma)
lab-tools: $(LAB_TOOLS)
$(LAB_TOOLS): $(BUILD)/tests/%: $(BUILD)/tests/tools/%.o
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^

$(SHIMS): $(BUILD)/tests/%.so: tests/shims/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(LKVM_CFLAGS) $(CFLAGS) -fPIC -shared -o $@ $<

$(BUILD)/tests/lkvm-dynamic: $(BUILD)/main.o $(BUILD)/lkvm.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -pthread -o $@ $^ $(ARCH_LIBS)

$(BUILD)/tests/lkvm-tsan: $(BUILD)/tsan/main.o $(BUILD)/tsan/lkvm.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -fsanitize=thread -pthread -o $@ $^ $(ARCH_LIBS)

# What a fresh Debian machine lacks; see tests/deps.
deps-%:
	$(Q)tests/deps $*

# Another architecture's guests run in the lab.
DEPS_BUILD := $(if $(filter $(HOST_ARCH),$(ARCH)),deps-build,deps-lab-$(ARCH))

run: $(DEPS_BUILD)
	$(Q)$(MAKE) lkvm
	$(Q)tests/run-demo $(ARCH)

run-linux: $(DEPS_BUILD)
	$(Q)$(MAKE) lkvm
	$(Q)tests/run-linux $(ARCH)

# On x86 the other architectures are tested in the lab, unless one was asked for.
CHECK_ARCHES := $(ARCH)
ifneq ($(origin ARCH),command line)
ifeq ($(HOST_ARCH),x86)
CHECK_ARCHES := x86 arm64 riscv64
endif
endif

check: deps-check
	$(Q)for arch in $(CHECK_ARCHES); do \
		$(MAKE) $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc)) ARCH=$$arch WERROR=1 \
			check-build || exit 1; done
	$(Q)ARCHES="$(CHECK_ARCHES)" tests/check

# What tests/check runs.
check-build: $(BUILD)/lkvm guests lab-tools \
	$(if $(filter $(HOST_ARCH),$(ARCH)),lkvm unit-tests test-shims fuzz-targets,cross-tests)

include tests/fuzz/fuzz.mk
include tests/lint.mk

# Those that need no guest run where they are built for.
RUN_BENCHES := $(if $(filter $(HOST_ARCH),$(ARCH)),$(BENCHES))

bench: deps-$(if $(filter x86,$(ARCH)),lab,lab-$(ARCH))
	$(Q)$(MAKE) lkvm guests $(RUN_BENCHES:%=$(BUILD)/tests/%) $(BENCH_TOOLS)
	$(Q)tests/lab/lab fetch $(ARCH)
	$(Q)CROSS_COMPILE=$(CROSS_COMPILE) tests/bench/run $(ARCH)

install: lkvm
	install -D -m 755 lkvm $(DESTDIR)$(BINDIR)/lkvm
	install -D -m 644 docs/lkvm.1 $(DESTDIR)$(MANDIR)/man1/lkvm.1
	install -D -m 644 completions/lkvm $(DESTDIR)$(COMPLETIONDIR)/lkvm
	for doc in $(DOCS); do \
		install -D -m 644 $$doc $(DESTDIR)$(DOCDIR)/$$doc || exit 1; done

# Leaves folders that others may use, too.
uninstall:
	rm -f $(DESTDIR)$(BINDIR)/lkvm $(DESTDIR)$(MANDIR)/man1/lkvm.1 \
		$(DESTDIR)$(COMPLETIONDIR)/lkvm
	rm -rf $(DESTDIR)$(DOCDIR)

# The sources of the commit that is checked out, the same for everybody.
dist:
	git archive --prefix=lkvm-$(VERSION)/ -o lkvm-$(VERSION).tar HEAD

clean:
	rm -rf build lkvm

.PHONY: all unit-tests cross-tests lab-tools test-shims run run-linux check check-build bench install uninstall dist clean
.SECONDARY:
.PRECIOUS: $(BUILD)/%.o $(BUILD)/san/%.o
.DELETE_ON_ERROR:
