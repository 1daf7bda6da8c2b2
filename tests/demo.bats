#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# The built-in guest, which checks the virtio-iommu and the disks behind it itself, on
# machines of all kinds.

load helpers

setup() {
	need "$LKVM"
	need_kvm
}

# All checks of the demo pass.
passes() # TEXT...: each is in what it prints
{
	local text last=${lines[-1]}

	[ "$status" -eq 0 ] || return 1
	[[ $last =~ ^'lkvm-demo: '([0-9]+)' checks passed, 0 failed'$ ]] || return 1
	[ "${BASH_REMATCH[1]}" -gt 0 ] || return 1
	[[ $output != *FAIL* ]] || return 1
	[[ $stderr != *error* ]] || return 1
	for text; do
		if [[ $output != *"$text"* ]]; then
			echo "not there: $text"
			return 1
		fi
	done
}

# How many checks it made; a part of the demo that is left out shows in that.
checks() {
	local count=${lines[-1]#lkvm-demo: }

	echo "${count%% *}"
}

@test "demo: a virtio-iommu and two disks" {
	run_lkvm --iommu=virtio
	passes 'bypass is 0' 'granule 0x1000' 'input range 0x0-0xffffffffffffffff' \
		'domain range 0x0-0xffffffff' 'MSI region 0xfee00000-0xfeefffff' \
		'00:02.0' '00:03.0'
	[ "$(checks)" -gt 100 ]
}

@test "demo: page tables of each vendor" {
	local text="Page tables of the guest"

	run_lkvm --iommu=virtio
	passes 'BYPASS_CONFIG ATTACH_TABLE' "$text: VT-d, at 00:04.0" "$text: SMMUv3, at 00:05.0" \
		"$text: AMD, GCR3 table in memory, at" "$text: RISC-V, process directory in memory, at"
	[ "$(grep -c "a fault, with PASID 5" <<<"$output")" = 4 ]
}

@test "demo: page tables in another format that is asked for, too" {
	run_lkvm --iommu=virtio,tables=amd-pt
	passes 'guest: AMD, GCR3 table of the device, at 00:04.0' \
		'guest: AMD, GCR3 table in memory, at'
	[ "$(grep -c "a fault, with PASID 5" <<<"$output")" = 5 ]
}

@test "demo: map=off, page tables are all there is" {
	run_lkvm --iommu=virtio,map=off
	passes 'without MAP_UNMAP, ATTACH_TABLE is offered' 'guest: RISC-V'
	[[ $output != *'its 5 pages mapped'* ]]
}

@test "demo: tables=none, no page tables" {
	run_lkvm --iommu=virtio,tables=none
	passes '00:03.0'
	[[ $output != *ATTACH_TABLE* && $output != *'00:04.0'* ]]
}

@test "demo: no virtio-iommu" {
	run_lkvm
	passes 'There is no virtio-iommu' 'untranslated'
}

@test "demo: bypass=on" {
	run_lkvm --iommu=virtio,bypass=on
	passes 'bypass is 1'
	[ "$(checks)" -gt 100 ]
}

@test "demo: packed virtqueues, for the virtio-iommu and the disks" {
	run_lkvm --iommu=virtio,ring=packed --virtio-ring packed
	passes 'both packed queues set up' 'started, with a packed ring'
	[ "$(checks)" -gt 100 ]
}

@test "demo: packed virtqueues for all, by the default" {
	run_lkvm --iommu=virtio --virtio-ring=packed
	passes 'both packed queues set up' 'started, with a packed ring'
	[ "$(checks)" -gt 100 ]
}

@test "demo: packed virtqueues for one disk only, its granule 64K" {
	run_lkvm --iommu=virtio,granule=64K -d ram:1M,ring=packed -d ram:1M
	passes 'both queues set up' 'started, with a packed ring' 'started, with rings'
	[ "$(checks)" -gt 100 ]
}

@test "demo: a device with ring=split where packed is the default" {
	run_lkvm --iommu=virtio,ring=split --virtio-ring packed -d ram:1M -d ram:1M,ring=split
	passes 'both queues set up' 'started, with a packed ring' 'started, with rings'
}

@test "demo: granule=64K" {
	run_lkvm --iommu=virtio,granule=64K
	passes 'granule 0x10000'
	[ "$(checks)" -gt 100 ]
}

@test "demo: messages through the IOMMU, by doorbells that it maps" {
	run_lkvm --iommu=virtio,msi=mapped
	passes 'Interrupt messages through the domain' 'a message to where it was: OK, fault at' \
		"a message to the doorbell's own address: OK, fault at 0xfee00000" \
		"is in memory, and there is no interrupt"
	[[ $output != *'MSI region'* ]]
	[ "$(checks)" -gt 160 ]
}

@test "demo: messages through the IOMMU, packed virtqueues, bypass=on, granule=64K" {
	run_lkvm --iommu=virtio,msi=mapped,bypass=on,granule=64K --virtio-ring packed
	passes 'bypass is 1' 'a message to where it was: OK, fault at'
	[ "$(checks)" -gt 160 ]
}

@test "demo: messages through the IOMMU, but not those of a disk on MMIO" {
	run_lkvm --iommu=virtio,msi=mapped --virtio-transport=mmio
	passes "the disk's wire"
	[[ $output != *'Interrupt messages through'* ]]
}

@test "demo: input-bits=40" {
	run_lkvm --iommu=virtio,input-bits=40
	passes 'input range 0x0-0xffffffffff'$'\n'
	[ "$(checks)" -gt 100 ]
}

@test "demo: domain-bits=8" {
	run_lkvm --iommu=virtio,domain-bits=8
	passes 'domain range 0x0-0xff'$'\n'
	[ "$(checks)" -gt 100 ]
}

@test "demo: msi=mapped, the guest maps the doorbells" {
	local granule

	for granule in 4K 16K 64K; do
		run_lkvm --iommu=virtio,msi=mapped,granule=$granule -d ram:1M -d ram:1M
		passes 'Interrupt messages through the domain'
		[[ $output != *'MSI region'* ]]
	done
}

@test "demo: msi=mapped with bypass=on, packed rings, a disk that is not behind the IOMMU" {
	run_lkvm --iommu=virtio,msi=mapped,bypass=on --virtio-ring=packed -d ram:1M \
		-d ram:1M,iommu=off
	passes 'Interrupt messages through the domain'
}

@test "demo: max-mappings=64" {
	run_lkvm --iommu=virtio,max-mappings=64
	passes
	[ "$(checks)" -gt 100 ]
}

@test "demo: poll=1000" {
	run_lkvm --iommu=virtio,poll=1000
	passes
}

@test "demo: a max-mappings that is too small for it, which it says" {
	run_lkvm --iommu=virtio,max-mappings=2 --trace=iommu
	[ "$status" -eq 1 ]
	[[ $output == *'FAIL  its '*' pages mapped'* ]]
	[[ $stderr == *': NOMEM'* ]]
	[[ ${lines[-1]} =~ ^'lkvm-demo: '[0-9]+' checks passed, '[1-9][0-9]*' failed'$ ]]
}

@test "demo: a reserved region" {
	run_lkvm --iommu=virtio,resv=0x10000000-0x1fffffff
	passes 'reserved region 0x10000000-0x1fffffff' 'MSI region 0xfee00000-0xfeefffff'
	[ "$(checks)" -gt 100 ]
}

@test "demo: a reserved region where it would map its buffers" {
	run_lkvm --iommu=virtio,resv=0x1234567000-0x1234ffffff
	passes 'reserved region 0x1234567000-0x1234ffffff'
	[ "$(checks)" -gt 100 ]
}

@test "demo: every suboption at once" {
	run_lkvm --iommu=virtio,bypass=on,granule=16K,input-bits=44,domain-bits=12,max-mappings=128,resv=0-0xffff
	passes 'bypass is 1' 'granule 0x4000' 'input range 0x0-0xfffffffffff'$'\n' \
		'domain range 0x0-0xfff'$'\n' 'reserved region 0x0-0xffff'
}

@test "demo: one disk of its own in memory" {
	run_lkvm --iommu=virtio -d ram:2M
	passes '2 disks'
	[ "$(checks)" -gt 100 ]
}

@test "demo: three disks" {
	run_lkvm --iommu=virtio -d ram:1M -d ram:1M,queues=4 -d ram:1M,serial=third
	passes '3 disks' '00:04.0'
}

@test "demo: a disk that is a file is as blank afterwards" {
	truncate -s 1M "$BATS_TEST_TMPDIR/blank"
	run_lkvm --iommu=virtio -d "$BATS_TEST_TMPDIR/blank"
	passes
	[ "$(checks)" -gt 100 ]
	cmp -n 1M "$BATS_TEST_TMPDIR/blank" /dev/zero
	[ "$(stat -c %s "$BATS_TEST_TMPDIR/blank")" -eq 1048576 ]
}

@test "demo: a disk with data on it is left alone" {
	head -c 1M /dev/urandom >"$BATS_TEST_TMPDIR/data"
	cp "$BATS_TEST_TMPDIR/data" "$BATS_TEST_TMPDIR/before"
	run_lkvm --iommu=virtio -d "$BATS_TEST_TMPDIR/data"
	passes 'left alone'
	cmp "$BATS_TEST_TMPDIR/data" "$BATS_TEST_TMPDIR/before"
}

@test "demo: a read-only disk is left alone" {
	truncate -s 1M "$BATS_TEST_TMPDIR/disk"
	run_lkvm --iommu=virtio -d "$BATS_TEST_TMPDIR/disk,ro"
	passes 'read-only: left alone'
}

@test "demo: one disk behind the virtio-iommu, one not" {
	run_lkvm --iommu=virtio -d ram:1M,iommu=off -d ram:1M,iommu=on
	passes 'untranslated' 'in domain'
}

@test "demo: no disk behind the virtio-iommu is a failure that it names" {
	run_lkvm --iommu=virtio -d ram:1M,iommu=off -d ram:1M,iommu=off
	[ "$status" -eq 1 ]
	[[ $output == *'FAIL  2 disks, at least one of them behind the virtio-iommu'* ]]
	[[ ${lines[-1]} =~ ^'lkvm-demo: '[0-9]+' checks passed, 1 failed'$ ]]
}

@test "demo: the virtio-iommu on MMIO, the disks on PCI" {
	run_lkvm --iommu=virtio,transport=mmio
	passes 'ACPI VIOT names it at mmio@d0000000' '00:01.0' '00:02.0'
	[ "$(checks)" -gt 100 ]
}

@test "demo: everything on MMIO" {
	run_lkvm --iommu=virtio --virtio-transport mmio
	passes 'ACPI VIOT names it at mmio@d0000000' 'mmio@d0001000, virtio device 2' \
		"the disk's wire, GSI 6, comes in as an interrupt, with status 0x1" \
		'a fault report comes with an interrupt'
	[ "$(checks)" -gt 100 ]
	[[ $output != *'PCI 1af4'* ]]
}

@test "demo: a disk on PCI and one on MMIO" {
	run_lkvm --iommu=virtio -d ram:1M -d ram:1M,transport=mmio
	passes 'ACPI VIOT names it at 00:01.0' 'Two endpoints, 00:02.0 and mmio@d0000000'
	[ "$(checks)" -gt 100 ]
}

@test "demo: everything on MMIO but one disk" {
	run_lkvm --virtio-transport mmio --iommu=virtio -d ram:1M,transport=pci -d ram:1M
	passes 'names it at mmio@d0000000' 'Two endpoints, 00:01.0 and mmio@d0001000'
}

@test "demo: the virtio-iommu on PCI while the rest is on MMIO, one disk not behind it" {
	run_lkvm --virtio-transport mmio --iommu=virtio,transport=pci -d ram:1M \
		-d ram:1M,iommu=off
	passes 'names it at 00:01.0' 'Disk mmio@d0001000, untranslated' \
		"the disk's wire, GSI 6, comes in"
}

@test "demo: disks on MMIO without a virtio-iommu" {
	run_lkvm --virtio-transport=mmio
	passes 'Disk mmio@d0001000, untranslated' "the disk's wire, GSI 5, comes in"
}

@test "demo: as many devices as there are places on MMIO" {
	local disks=() i

	for ((i = 0; i < 63; i++)); do
		disks+=(-d ram:1M)
	done
	run_lkvm --iommu=virtio --virtio-transport mmio "${disks[@]}"
	passes 'mmio@d003f000, virtio device 2, endpoint 0x1003f: PROBE OK'
}

@test "demo: page tables of its own, a format of each vendor" {
	run_lkvm --iommu=virtio,tables=none --device dma-engine,iommu-format=smmuv3 \
		--device dma-engine,iommu-format=vtd --device dma-engine,iommu-format=amd \
		--device dma-engine,iommu-format=amd-pt --device dma-engine,iommu-format=riscv \
		--device dma-engine,iommu-format=riscv-gipc --device dma-engine
	passes 'tables of the guest: SMMUv3' 'VT-d, at' 'AMD, GCR3 table in memory' \
		'AMD, GCR3 table of the device' 'RISC-V, process directory in memory' \
		'RISC-V, process directory of the device' 'has mappings only'
}

# $1 in MiB. The host has to have more, though hardly any of it gets used.
with_memory() # MIB
{
	local kib

	kib=$(awk '/^(MemTotal|SwapTotal):/ {n += $2} END {print n}' /proc/meminfo)
	[ "$((kib / 1024))" -gt "$1" ] || skip "the host has less memory"
	run_lkvm --iommu=virtio -m "$1"
	passes
	[ "$(checks)" -gt 100 ]
}

@test "demo: 64 MiB of memory" {
	with_memory 64
	[[ $output == *", "6[23]" MiB of memory"* ]]
}

@test "demo: 3 GiB of memory, up to the hole" {
	with_memory 3072
}

@test "demo: 4 GiB of memory, one behind the hole" {
	with_memory 4096
}

@test "demo: 6 GiB of memory" {
	with_memory 6144
}

@test "demo: one vCPU, said so" {
	run_lkvm --iommu=virtio -c 1
	passes
}

@test "demo: two vCPUs" {
	run_lkvm --iommu=virtio -c 2
	passes
	[ "$(checks)" -gt 100 ]
}

@test "demo: --quiet leaves the guest's own output alone" {
	run_lkvm --quiet --iommu=virtio
	passes
	[[ $stderr != *$'\nlkvm: '[!w]* ]]
}

@test "demo: --trace=iommu shows its requests and faults" {
	run_lkvm --iommu=virtio --trace=iommu
	passes
	[[ $stderr == *'iommu: attach domain='*'endpoint=0x10'*': OK'* ]]
	[[ $stderr == *'iommu: map domain='*'iova='*': OK'* ]]
	[[ $stderr == *'iommu: fault endpoint=0x10'* ]]
}
