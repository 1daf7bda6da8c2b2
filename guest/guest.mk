# SPDX-License-Identifier: GPL-2.0-only
#
# Bare-metal guests: guest/demo.c, which lkvm carries in its binary, and every
# tests/guests/NAME.c, each linked with the runtime in guest/rt and the architecture's
# folder to build/$(ARCH)/guest/NAME.elf on x86, and to NAME.img, which begins with an
# Image header, on the others. NAME.elf.debug has the symbols.
# A new guest is a new file in tests/guests that defines guest_main().
#
# A guest in tests/guests/$(ARCH)/NAME.S does without the runtime and is all of its program.
#
# Included from the top-level Makefile; "make guests" builds them all.

ARCH ?= x86
OBJCOPY ?= $(CROSS_COMPILE)objcopy

guest-room-x86 := guest/x86
guest-room-arm64 := guest/arm
guest-room-riscv64 := guest/riscv
GUEST_ROOM := $(guest-room-$(ARCH))

# What a guest's program ends in.
guest-suffix-x86 := elf
guest-suffix-arm64 := img
guest-suffix-riscv64 := img
GUEST_SUFFIX := $(guest-suffix-$(ARCH))

GUEST_BUILD := build/$(ARCH)/guest

# What lkvm carries: packed where it unpacks kernels.
GUEST_DEMO := $(GUEST_BUILD)/demo.$(GUEST_SUFFIX)$(if $(filter img,$(GUEST_SUFFIX)),.gz)

GUEST_NAMES := demo $(patsubst tests/guests/%.c,%,$(wildcard tests/guests/*.c))
GUEST_BARE := $(patsubst tests/guests/$(ARCH)/%.S,%,$(wildcard tests/guests/$(ARCH)/*.S))
GUESTS := $(patsubst %,$(GUEST_BUILD)/%.$(GUEST_SUFFIX),$(GUEST_NAMES) $(GUEST_BARE))

# Tables of the guest's own for endpoints.
guest-tables-lib := guest/page-table.o guest/pasid-table.o guest/pasid-table-amd.o \
	guest/pasid-table-arm.o guest/pasid-table-intel.o guest/pasid-table-riscv.o

# A guest of several files names the others here, as objects below guest/ or tests/.
guest-demo-y := guest/demo-disk.o guest/demo-domain.o guest/demo-requests.o guest/demo-tables.o \
	$(guest-tables-lib)
guest-bench-y := $(guest-tables-lib)
guest-mmu-y := tests/guests/mmu/cases.o tests/guests/mmu/compare.o tests/guests/mmu/$(ARCH).o \
	$(guest-tables-lib)
guest-smp-y := $(GUEST_ROOM)/smp.o $(if $(filter x86,$(ARCH)),,guest/rt/fdt-smp.o)
guest-tables-y := tests/guests/tables/kinds.o tests/guests/tables/requests.o \
	tests/guests/tables/scenarios.o tests/guests/tables/shared.o tests/guests/tables/steps.o \
	$(guest-tables-lib)

guest-rt-y := guest/rt/check.o guest/rt/dma-engine.o guest/rt/firmware.o guest/rt/irq.o \
	guest/rt/mem.o guest/rt/pages.o guest/rt/pci.o guest/rt/print.o guest/rt/start.o guest/rt/virtio.o guest/rt/virtio-blk.o \
	guest/rt/virtio-iommu.o guest/rt/virtio-mmio.o guest/rt/virtio-pci.o guest/rt/virtio-ring.o

# An Image runs wherever it is loaded, and relocates itself.
guest-cflags-x86 := -m64 -mgeneral-regs-only -mno-red-zone -fcf-protection=none -fno-pie
guest-cflags-arm64 := -mgeneral-regs-only -mno-outline-atomics -fpie
guest-cflags-riscv64 := -march=rv64imac_zicsr -mabi=lp64 -mcmodel=medany -fpie
guest-ldflags-x86 := -static
guest-ldflags-arm64 := -static-pie -Wl,--no-warn-rwx-segments
guest-ldflags-riscv64 := -static-pie -Wl,--no-warn-rwx-segments -march=rv64imac_zicsr -mabi=lp64

guest-rt-x86 := guest/rt/acpi.o guest/x86/start.o guest/x86/boot.o guest/x86/irq.o \
	guest/x86/serial.o
guest-rt-fdt := guest/rt/fdt.o guest/rt/fdt-machine.o guest/rt/uart.o
guest-rt-arm64 := $(guest-rt-fdt) guest/arm/start.o guest/arm/boot.o guest/arm/irq.o \
	guest/arm/gicv2.o guest/arm/gicv3.o guest/arm/its.o
guest-rt-riscv64 := $(guest-rt-fdt) guest/riscv/start.o guest/riscv/boot.o guest/riscv/irq.o \
	guest/riscv/aia.o guest/riscv/plic.o

GUEST_CFLAGS := -std=gnu11 -O2 -g -Wall -Wextra -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Werror -ffreestanding -fno-stack-protector \
	-fno-strict-aliasing -fno-asynchronous-unwind-tables -fno-tree-vectorize \
	$(guest-cflags-$(ARCH)) -Iguest -I$(GUEST_ROOM) -Iinclude
GUEST_LDFLAGS := -nostdlib $(guest-ldflags-$(ARCH)) -Wl,--build-id=none -Wl,-z,noexecstack \
	-Wl,-z,max-page-size=4096 -Wl,-T,$(GUEST_ROOM)/guest.ld

guest-rt-objs := $(addprefix $(GUEST_BUILD)/,$(guest-rt-y) $(guest-rt-$(ARCH)))

guests: $(GUESTS)
.PHONY: guests

$(GUEST_BUILD)/%.o: %.c | $(SYSROOT_READY)
	@mkdir -p $(@D)
	$(if $(Q),@echo "  CC      $@")
	$(Q)$(CC) $(GUEST_CFLAGS) -MMD -MP -c -o $@ $<

$(GUEST_BUILD)/%.o: %.S | $(SYSROOT_READY)
	@mkdir -p $(@D)
	$(if $(Q),@echo "  CC      $@")
	$(Q)$(CC) $(GUEST_CFLAGS) -MMD -MP -c -o $@ $<

# $(1): name, $(2): its source without .c
define guest-rule
$(GUEST_BUILD)/$(1).elf.debug: $(GUEST_BUILD)/$(2).o $(addprefix $(GUEST_BUILD)/,$(guest-$(1)-y)) \
		$(guest-rt-objs) $(GUEST_ROOM)/guest.ld
	$$(if $$(Q),@echo "  LD      $$@")
	$$(Q)$$(CC) $$(GUEST_LDFLAGS) -o $$@ $$(filter %.o,$$^)

$(GUEST_BUILD)/$(1).elf: $(GUEST_BUILD)/$(1).elf.debug
	$$(Q)$$(OBJCOPY) -S $$< $$@

$(GUEST_BUILD)/$(1).img: $(GUEST_BUILD)/$(1).elf.debug
	$$(Q)$$(OBJCOPY) -O binary $$< $$@

$(GUEST_BUILD)/$(1).img.gz: $(GUEST_BUILD)/$(1).img
	$$(Q)gzip -9n <$$< >$$@
endef

$(foreach g,$(GUEST_NAMES),$(eval $(call guest-rule,$(g),$(if $(filter demo,$(g)),guest/demo,tests/guests/$(g)))))

$(GUEST_BARE:%=$(GUEST_BUILD)/%.elf): $(GUEST_BUILD)/%.elf: $(GUEST_BUILD)/tests/guests/$(ARCH)/%.o
	$(if $(Q),@echo "  LD      $@")
	$(Q)$(CC) -nostdlib -static -Wl,--build-id=none -Wl,-z,noexecstack -Wl,--nmagic \
		-Wl,--strip-all -Wl,-Ttext=0x100000 -o $@ $<

$(GUEST_BARE:%=$(GUEST_BUILD)/%.img): $(GUEST_BUILD)/%.img: $(GUEST_BUILD)/%.elf
	$(Q)$(OBJCOPY) -O binary $< $@

.SECONDARY: $(guest-rt-objs)
-include $(shell find $(GUEST_BUILD) -name '*.d' 2>/dev/null)
