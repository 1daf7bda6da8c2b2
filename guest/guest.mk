# SPDX-License-Identifier: GPL-2.0-only
#
# Bare-metal guests: guest/demo.c, which lkvm carries in its binary, and every
# tests/guests/NAME.c, each linked with the runtime in guest/rt and guest/$(ARCH)
# to build/$(ARCH)/guest/NAME.elf (stripped; NAME.elf.debug has the symbols).
# A new guest is a new file in tests/guests that defines guest_main().
#
# A guest in tests/guests/NAME.S does without the runtime and is all of its program.
#
# Included from the top-level Makefile; "make guests" builds them all.

ARCH ?= x86
OBJCOPY ?= $(CROSS_COMPILE)objcopy

GUEST_BUILD := build/$(ARCH)/guest
GUEST_NAMES := demo $(patsubst tests/guests/%.c,%,$(wildcard tests/guests/*.c))
GUEST_BARE := $(patsubst tests/guests/%.S,%,$(wildcard tests/guests/*.S))
GUEST_ELFS := $(patsubst %,$(GUEST_BUILD)/%.elf,$(GUEST_NAMES) $(GUEST_BARE))

# A guest of several files names the others here, as objects below guest/ or tests/.
guest-demo-y := guest/demo-disk.o guest/demo-domain.o guest/demo-requests.o

guest-rt-y := guest/rt/check.o guest/rt/firmware.o guest/rt/irq.o guest/rt/mem.o guest/rt/pci.o \
	guest/rt/print.o guest/rt/start.o guest/rt/virtio.o guest/rt/virtio-blk.o \
	guest/rt/virtio-iommu.o guest/rt/virtio-mmio.o guest/rt/virtio-pci.o guest/rt/virtio-ring.o

guest-cflags-x86 := -m64 -mgeneral-regs-only -mno-red-zone -fcf-protection=none
guest-rt-x86 := guest/rt/acpi.o guest/x86/start.o guest/x86/boot.o guest/x86/irq.o \
	guest/x86/serial.o

GUEST_CFLAGS := -std=gnu11 -O2 -g -Wall -Wextra -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Werror -ffreestanding -fno-pie -fno-stack-protector \
	-fno-strict-aliasing -fno-asynchronous-unwind-tables -fno-tree-vectorize \
	$(guest-cflags-$(ARCH)) -Iguest -Iguest/$(ARCH) -Iinclude
GUEST_LDFLAGS := -nostdlib -static -Wl,--build-id=none -Wl,-z,noexecstack \
	-Wl,-z,max-page-size=4096 -Wl,-T,guest/$(ARCH)/guest.ld

guest-rt-objs := $(addprefix $(GUEST_BUILD)/,$(guest-rt-y) $(guest-rt-$(ARCH)))

guests: $(GUEST_ELFS)
.PHONY: guests

$(GUEST_BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(if $(Q),@echo "  CC      $@")
	$(Q)$(CC) $(GUEST_CFLAGS) -MMD -MP -c -o $@ $<

$(GUEST_BUILD)/%.o: %.S
	@mkdir -p $(@D)
	$(if $(Q),@echo "  CC      $@")
	$(Q)$(CC) $(GUEST_CFLAGS) -MMD -MP -c -o $@ $<

# $(1): name, $(2): its source without .c
define guest-rule
$(GUEST_BUILD)/$(1).elf.debug: $(GUEST_BUILD)/$(2).o $(addprefix $(GUEST_BUILD)/,$(guest-$(1)-y)) \
		$(guest-rt-objs) guest/$(ARCH)/guest.ld
	$$(if $$(Q),@echo "  LD      $$@")
	$$(Q)$$(CC) $$(GUEST_LDFLAGS) -o $$@ $$(filter %.o,$$^)

$(GUEST_BUILD)/$(1).elf: $(GUEST_BUILD)/$(1).elf.debug
	$$(Q)$$(OBJCOPY) -S $$< $$@
endef

$(foreach g,$(GUEST_NAMES),$(eval $(call guest-rule,$(g),$(if $(filter demo,$(g)),guest/demo,tests/guests/$(g)))))

$(GUEST_BARE:%=$(GUEST_BUILD)/%.elf): $(GUEST_BUILD)/%.elf: $(GUEST_BUILD)/tests/guests/%.o
	$(if $(Q),@echo "  LD      $@")
	$(Q)$(CC) -nostdlib -static -Wl,--build-id=none -Wl,-z,noexecstack -Wl,--nmagic \
		-Wl,--strip-all -Wl,-Ttext=0x100000 -o $@ $<

.SECONDARY: $(guest-rt-objs)
-include $(shell find $(GUEST_BUILD) -name '*.d' 2>/dev/null)
