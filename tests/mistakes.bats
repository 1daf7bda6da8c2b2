#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# What people get wrong, one mistake a test: lkvm ends, and one line says what, with which
# value, and what to do about it.

load helpers

setup() {
	need "$LKVM"
	cd "$BATS_TEST_TMPDIR" || return 1
}

teardown() {
	kill_lkvm
}

# Puts the bytes of printf's FORMAT at OFFSET of FILE, which has SIZE bytes, all else zero.
make_file() # FILE SIZE [OFFSET FORMAT]...
{
	local file=$1

	truncate -s "$2" "$file"
	shift 2
	while [ $# -gt 0 ]; do
		# shellcheck disable=SC2059
		printf "$2" | dd of="$file" bs=1 seek="$1" conv=notrunc status=none
		shift 2
	done
}

# A 64-bit ELF executable's header, with the machine in two bytes as for printf.
make_elf() # FILE MACHINE
{
	make_file "$1" 4096 0 '\x7fELF\x02\x01\x01' 16 '\x02\x00' 18 "$2" 20 '\x01' \
		32 '\x40' 52 '\x40\x00\x38\x00\x01\x00'
}

# A bzImage's header: magic, protocol 2.15, relocatable and 64-bit.
make_bzimage() # FILE SIZE
{
	make_file "$1" "$2" 497 '\x01' 500 '\x00\x01\x00\x00' 510 '\x55\xaa' 512 '\xeb\x6a' \
		514 'HdrS\x0f\x02' 529 '\x01' 564 '\x01' 566 '\x03\x00' 568 '\xff\x07' \
		560 '\x00\x00\x20\x00' 600 '\x00\x00\x00\x01' 608 '\x00\x00\x20\x01'
}

# ---- /dev/kvm ----

# lkvm on the host kernel that these settings make up: tests/shims/kvm-shim.c.
on_host() # NAME=VALUE... [OPTION...]
{
	local host=()

	need "$LKVM_TEST_BIN/lkvm-dynamic" "$LKVM_TEST_BIN/kvm-shim.so"
	while [[ ${1:-} == *=* ]]; do
		host+=("$1")
		shift
	done
	lkvm_command=(env "LD_PRELOAD=$LKVM_TEST_BIN/kvm-shim.so" "${host[@]}"
		"$LKVM_TEST_BIN/lkvm-dynamic")
	run_lkvm "$@"
}

@test "mistakes: no /dev/kvm" {
	on_host KVM_SHIM_PATH="$PWD/none"
	expect_error '/dev/kvm does not exist' 'load the kvm-intel or kvm-amd module'
}

@test "mistakes: /dev/kvm without permission" {
	on_host KVM_SHIM_OPEN=13
	expect_error 'no permission to open /dev/kvm' 'group' 'run as root'
}

@test "mistakes: /dev/kvm without a CPU that can" {
	on_host KVM_SHIM_OPEN=19
	expect_error '/dev/kvm has no driver' 'enable virtualisation in the firmware'
}

@test "mistakes: /dev/kvm is another device" {
	on_host KVM_SHIM_PATH=/dev/null
	expect_error '/dev/kvm is not a KVM device'
}

@test "mistakes: /dev/kvm is a file" {
	touch file
	on_host KVM_SHIM_PATH="$PWD/file"
	expect_error '/dev/kvm is not a KVM device'
}

@test "mistakes: /dev/kvm of an old version" {
	need_kvm
	on_host KVM_SHIM_API=11
	expect_error '/dev/kvm speaks API version 11, not 12' 'newer host kernel'
}

@test "mistakes: /dev/kvm is busy" {
	need_kvm
	on_host KVM_SHIM_FAIL=0x01:16
	expect_error '/dev/kvm cannot make a machine: Device or resource busy' 'another hypervisor'
}

@test "mistakes: /dev/kvm cannot be told to return at once" {
	need_kvm
	on_host KVM_SHIM_NO_CAP=136
	expect_error '/dev/kvm is too old' 'KVM_CAP_IMMEDIATE_EXIT' 'Linux 4.13'
}

@test "mistakes: /dev/kvm without irqfd" {
	need_kvm
	on_host KVM_SHIM_NO_CAP=32
	expect_error '/dev/kvm lacks' 'irqfd' 'newer host kernel'
}

@test "mistakes: KVM without an interrupt controller" {
	need_kvm
	on_host KVM_SHIM_FAIL=0x60:25
	expect_error 'KVM cannot make an interrupt controller'
}

@test "mistakes: KVM refuses the memory" {
	need_kvm
	on_host KVM_SHIM_FAIL=0x46:12
	expect_error 'KVM refuses 1024 MiB of memory at 0x0: Cannot allocate memory'
}

@test "mistakes: KVM refuses a vCPU" {
	need_kvm
	on_host KVM_SHIM_FAIL=0x41:17
	expect_error 'KVM cannot make vCPU 0: File exists'
}

# ---- kernel ----

@test "mistakes: the kernel is missing" {
	need_kvm
	run_lkvm -k none
	expect_error "cannot open kernel 'none': No such file or directory"
}

@test "mistakes: the kernel is a directory" {
	need_kvm
	mkdir dir
	run_lkvm -k dir
	expect_error "kernel 'dir' is a directory" 'name a file'
}

@test "mistakes: the kernel is a device" {
	need_kvm
	run_lkvm -k /dev/null
	expect_error "kernel '/dev/null' is a device" 'name a file'
}

@test "mistakes: the kernel is empty" {
	need_kvm
	touch empty
	run_lkvm -k empty
	expect_error "kernel 'empty' is empty"
}

@test "mistakes: the kernel is a text file" {
	need_kvm
	seq 1000 >text
	run_lkvm -k text
	expect_error "kernel 'text' is no kernel" 'bzImage or ELF vmlinux'
}

@test "mistakes: the kernel is a short text file" {
	need_kvm
	echo hello >text
	run_lkvm -k text
	expect_error "kernel 'text' is truncated or no kernel" '6 bytes'
}

@test "mistakes: the kernel is an arm64 Image" {
	need_kvm
	make_file Image 4096 0 'MZ' 56 'ARM\x64'
	run_lkvm -k Image
	expect_error "kernel 'Image' is a kernel for arm64" 'this guest is x86-64'
}

@test "mistakes: the kernel is a RISC-V Image" {
	need_kvm
	make_file Image 4096 0 'MZ' 48 'RISCV\0\0\0RSC\x05'
	run_lkvm -k Image
	expect_error "kernel 'Image' is a kernel for RISC-V" 'this guest is x86-64'
}

@test "mistakes: the kernel is an ELF file for arm64" {
	need_kvm
	make_elf vmlinux '\xb7\x00'
	run_lkvm -k vmlinux
	expect_error "kernel 'vmlinux' is an ELF file for arm64" 'this guest is x86-64'
}

@test "mistakes: the kernel is an ELF file for 32-bit x86" {
	need_kvm
	make_elf vmlinux '\x03\x00'
	run_lkvm -k vmlinux
	expect_error "kernel 'vmlinux' is an ELF file for 32-bit x86" 'this guest is x86-64'
}

@test "mistakes: the kernel is a program" {
	need_kvm
	make_elf program '\x3e\x00'
	make_file program 4096 16 '\x03\x00'
	run_lkvm -k program
	expect_error "kernel 'program' is an ELF file of type 3" 'not an executable with fixed addresses'
}

@test "mistakes: the kernel is compressed" {
	need_kvm
	echo hello | gzip >vmlinux.gz
	run_lkvm -k vmlinux.gz
	expect_error "kernel 'vmlinux.gz' is compressed with gzip" 'unpack it'
}

@test "mistakes: the kernel is an initrd" {
	need_kvm
	make_file initrd 4096 0 '070701'
	run_lkvm -k initrd
	expect_error "kernel 'initrd' is a cpio archive" 'with -i'
}

@test "mistakes: the kernel is a truncated ELF file" {
	need_kvm
	need "$guests/exit.elf"
	head -c 6000 "$guests/exit.elf" >vmlinux
	run_lkvm -k vmlinux
	expect_error "kernel 'vmlinux' is truncated or damaged" '0x1770'
}

@test "mistakes: the kernel is an ELF file cut off in its header" {
	need_kvm
	need "$guests/exit.elf"
	head -c 20 "$guests/exit.elf" >vmlinux
	run_lkvm -k vmlinux
	expect_error "kernel 'vmlinux' is truncated or damaged" '0x14'
}

@test "mistakes: the kernel is a truncated bzImage" {
	need_kvm
	make_bzimage bzImage 3000
	run_lkvm -k bzImage
	expect_error "kernel 'bzImage' is truncated or damaged" '0xbb8'
}

@test "mistakes: the kernel is an old bzImage" {
	need_kvm
	make_bzimage bzImage 8192
	make_file bzImage 8192 518 '\x0b\x02'
	run_lkvm -k bzImage
	expect_error "kernel 'bzImage' has boot protocol 2.11" 'Linux 3.8 or newer'
}

@test "mistakes: the kernel is a 32-bit bzImage" {
	need_kvm
	make_bzimage bzImage 8192
	make_file bzImage 8192 566 '\x02\x00'
	run_lkvm -k bzImage
	expect_error "kernel 'bzImage' is a 32-bit kernel" '64-bit'
}

@test "mistakes: the kernel unpacks itself to more than the memory" {
	need_kvm
	make_bzimage bzImage 8192
	make_file bzImage 8192 608 '\x00\x00\x00\x10'
	run_lkvm -k bzImage -m 64
	expect_error "kernel 'bzImage' needs memory up to 0x11000000" 'at least -m 272'
}

# ---- initrd and command line ----

@test "mistakes: the initrd is missing" {
	need_kvm
	need "$guests/exit.elf"
	run_lkvm -k "$guests/exit.elf" -i none
	expect_error "cannot open initrd 'none': No such file or directory"
}

@test "mistakes: the initrd is a directory" {
	need_kvm
	need "$guests/exit.elf"
	mkdir dir
	run_lkvm -k "$guests/exit.elf" -i dir
	expect_error "initrd 'dir' is a directory" 'name a file'
}

@test "mistakes: the initrd is empty" {
	need_kvm
	need "$guests/exit.elf"
	touch empty
	run_lkvm -k "$guests/exit.elf" -i empty
	expect_error "initrd 'empty' is empty"
}

@test "mistakes: the initrd does not fit into the memory" {
	need_kvm
	need "$guests/exit.elf"
	truncate -s 100M initrd
	run_lkvm -k "$guests/exit.elf" -i initrd -m 64
	expect_error "initrd 'initrd' of 100 MiB does not fit into the 64 MiB" 'at least -m 1'
	# What it recommends is enough.
	[[ $stderr =~ 'at least -m '([0-9]+)$ ]]
	run_lkvm -k "$guests/exit.elf" -i initrd -m "${BASH_REMATCH[1]}"
	[ "$status" -eq 0 ]
}

@test "mistakes: an initrd without a kernel" {
	touch initrd
	run_lkvm -i initrd
	expect_error '--initrd initrd' 'needs a --kernel'
}

@test "mistakes: the command line is too long" {
	need_kvm
	need "$guests/exit.elf"
	run_lkvm -k "$guests/exit.elf" -p "$(printf 'x%.0s' {1..2048})"
	expect_error 'command line has 2048 characters' 'takes up to 2047'
}

# ---- memory and vCPUs ----

@test "mistakes: --mem 10M" {
	run_lkvm --mem 10M
	expect_error '--mem: 10M is too little' '64M or more'
}

@test "mistakes: -m 0" {
	run_lkvm -m 0
	expect_error '--mem: 0 is too little' '64M or more'
}

@test "mistakes: --mem 1P" {
	run_lkvm --mem 1P
	expect_error "--mem: '1P' is not a size" 'K, M, G or T'
}

@test "mistakes: --mem 1000T" {
	run_lkvm --mem 1000T
	expect_error '--mem: 1000T is too much' '64T'
}

@test "mistakes: --mem with more digits than a number has" {
	run_lkvm --mem 99999999999999999999
	expect_error '--mem: 99999999999999999999 is too much' '64T'
}

@test "mistakes: --mem with a word" {
	run_lkvm --mem much
	expect_error "--mem: 'much' is not a size" 'a number of MiB'
}

@test "mistakes: --mem without a number" {
	run_lkvm --mem=
	expect_error "--mem: '' is not a size"
}

@test "mistakes: --mem of a negative number" {
	run_lkvm --mem=-64
	expect_error "--mem: '-64' is not a size"
}

@test "mistakes: --mem that is no whole number of MiB" {
	run_lkvm --mem 65537K
	expect_error '--mem: 65537K is not a multiple of 1M'
}

@test "mistakes: more memory than the host has" {
	local mib

	need_kvm
	mib=$(awk '/^(MemTotal|SwapTotal):/ { kib += $2 } END { print int(kib / 1024) + 100 }' \
		/proc/meminfo)
	run_lkvm --mem "$mib"
	expect_error "$mib MiB of guest memory are more than the" 'this host has' 'smaller -m'
}

@test "mistakes: more memory than a vCPU can address" {
	need_kvm
	on_host KVM_SHIM_ADDRESS_BITS=32 -m 3073M
	expect_error "the guest's memory ends at 0x1000fffff" 'addresses of 32 bits, up to 0xffffffff' \
		'use a smaller -m'
}

@test "mistakes: a bank where no vCPU can address it" {
	need_kvm
	run_lkvm --mem 64M@0 --mem 64M@4096T
	expect_error "the guest's memory ends at 0x10000003ffffff" 'place the bank lower'
}

@test "mistakes: --mem with and without an address" {
	run_lkvm -m 64M@0 -m 128
	expect_error "--mem: '128' has no address, but '64M@0' has" 'SIZE@ADDRESS'
}

@test "mistakes: --mem banks that overlap" {
	run_lkvm -m 64M@32M -m 64M@0
	expect_error "--mem: '64M@0' and '64M@32M' overlap"
}

@test "mistakes: --mem where the PCI devices are" {
	run_lkvm -m 64M@0 -m 2G@2G
	expect_error "--mem: '2G@2G' lies over 0xc0000000-0xffffffff" 'PCI devices'
}

@test "mistakes: --mem at an odd address" {
	run_lkvm -m 64M@1M
	expect_error "--mem: '64M@1M': the address has to be a multiple of 2M"
}

@test "mistakes: --mem without a bank to start in" {
	run_lkvm -m 1G@4G
	expect_error '--mem: a guest starts in the bank at address 0x0' '64M@0x0'
}

@test "mistakes: --mem with something else behind the @" {
	run_lkvm -m 64M@top
	expect_error "--mem: '64M@top': behind the @ belongs an address"
}

@test "mistakes: the kernel unpacks itself to where no bank is" {
	need_kvm
	make_bzimage bzImage 8192
	make_file bzImage 8192 608 '\x00\x00\x00\x10'
	run_lkvm -k bzImage -m 64M@0 -m 64M@1G
	expect_error "kernel 'bzImage' wants to unpack itself to 0x1000000-" 'this guest has no memory'
}

@test "mistakes: huge pages of a size that there is not" {
	run_lkvm --hugepages 4M
	expect_error "--hugepages: '4M' is not one of 2M, 1G, thp and off"
}

@test "mistakes: memory that is no whole number of huge pages" {
	run_lkvm --hugepages=1G -m 1500M
	expect_error '--hugepages=1G: the 1500 MiB of memory are not a multiple'
}

@test "mistakes: more huge pages than the host has" {
	local needed=$(($(awk '/^MemTotal:/ { print int($2 / 2048) }' /proc/meminfo) + 100))

	need_kvm
	run_lkvm --hugepages=2M -m $((2 * needed))
	expect_error "--hugepages=2M: the guest needs $needed of these pages" ' are free: write ' \
		'to /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages'
}

@test "mistakes: more memory than ulimit -v or -d allows" {
	need_kvm
	lkvm_command=(prlimit --as=67108864 "$LKVM")
	run_lkvm --mem 128M
	expect_error '128 MiB of guest memory exceed the address space limit of 65536 KiB' \
		'raise it with ulimit -v'
	lkvm_command=(prlimit --data=67108864 "$LKVM")
	run_lkvm --mem 128M
	expect_error '128 MiB of guest memory exceed the data limit of 65536 KiB' \
		'raise it with ulimit -d'
}

@test "mistakes: -c 0" {
	run_lkvm -c 0
	expect_error "--cpus: '0' is not a number from 1 to 255"
}

@test "mistakes: -c 256" {
	run_lkvm -c 256
	expect_error "--cpus: '256' is not a number from 1 to 255"
}

@test "mistakes: -c 300" {
	run_lkvm -c 300
	expect_error "--cpus: '300' is not a number from 1 to 255"
}

@test "mistakes: --cpus with a word" {
	run_lkvm --cpus two
	expect_error "--cpus: 'two' is not a number from 1 to 255"
}

@test "mistakes: more vCPUs than files may be open" {
	need_kvm
	lkvm_command=(prlimit --nofile=64 "$LKVM")
	run_lkvm -q -c 255
	# Its reason is in the words of the C library.
	expect_error 'KVM cannot make vCPU ' 'file' 'raise it with ulimit -n'
}

# ---- disks ----

@test "mistakes: the disk is missing" {
	need_kvm
	run_lkvm -d none
	expect_error 'disk none: no such file' "'truncate -s 1G none' would make"
}

@test "mistakes: the disk is in no directory" {
	need_kvm
	touch file
	run_lkvm -d file/disk
	expect_error 'disk file/disk: Not a directory'
}

@test "mistakes: the disk is a directory" {
	need_kvm
	mkdir dir
	run_lkvm -d dir
	expect_error 'disk dir: it is a directory' 'name a file or a block device'
}

@test "mistakes: the disk is a character device" {
	need_kvm
	run_lkvm -d /dev/null
	expect_error 'disk /dev/null: it is neither a file nor a block device'
}

@test "mistakes: the disk cannot be written" {
	need_kvm
	truncate -s 1M disk
	chmod 444 disk
	# Root without its privileges is bound by permissions, too.
	if [ "$(id -u)" = 0 ]; then
		lkvm_command=(setpriv --bounding-set=-all --inh-caps=-all "$LKVM")
	fi
	run_lkvm -d disk
	expect_error 'disk disk: it cannot be written: Permission denied' "write '-d disk,ro'"
	run_lkvm -d disk,ro
	[ "$status" -eq 0 ]
}

@test "mistakes: the disk cannot be read" {
	need_kvm
	truncate -s 1M disk
	chmod 0 disk
	if [ "$(id -u)" = 0 ]; then
		lkvm_command=(setpriv --bounding-set=-all --inh-caps=-all "$LKVM")
	fi
	run_lkvm -d disk,ro
	expect_error 'disk disk: Permission denied'
}

@test "mistakes: the disk is in use by another guest" {
	need_kvm
	need "$guests/exit.elf"
	truncate -s 1M disk
	start_lkvm -k "$guests/exit.elf" -p spin -d disk
	wait_line 'exit: spin'
	run_lkvm -d disk
	expect_error 'disk disk: it is in use' "if all of them open it with ',ro'"
	run_lkvm -d disk,ro
	expect_error 'disk disk: it is in use'
	end_lkvm TERM
	[ "$status" -eq 143 ]
	run_lkvm -d disk
	[ "$status" -eq 0 ]
}

@test "mistakes: the disk is in use, and one of two guests may write to it" {
	need_kvm
	need "$guests/exit.elf"
	truncate -s 1M disk
	start_lkvm -k "$guests/exit.elf" -p spin -d disk,ro
	wait_line 'exit: spin'
	run_lkvm -d disk
	expect_error 'disk disk: it is in use'
	run_lkvm -d disk,ro
	[ "$status" -eq 0 ]
	end_lkvm TERM
}

@test "mistakes: the disk is given twice" {
	need_kvm
	truncate -s 1M disk
	run_lkvm -d disk -d ./disk
	expect_error 'disk ./disk: it is in use'
}

@test "mistakes: the disk has 1000 bytes" {
	need_kvm
	truncate -s 1000 disk
	run_lkvm -d disk
	expect_error 'disk disk: its size, 1000 bytes, is not a multiple of 512' \
		"'truncate -s %512 disk' would fill it up"
	truncate -s %512 disk
	run_lkvm -d disk
	[ "$status" -eq 0 ]
}

@test "mistakes: the disk is empty" {
	need_kvm
	touch disk
	run_lkvm -d disk
	expect_error 'disk disk: it is empty' "'truncate -s 1G disk' would give it a size"
}

@test "mistakes: a disk in memory without a size" {
	need_kvm
	run_lkvm -d ram:
	expect_error "disk ram:: '' is not a size" 'ram:512M'
}

@test "mistakes: a disk in memory of 1000 bytes" {
	need_kvm
	run_lkvm -d ram:1000
	expect_error 'disk ram:1000: the size is not a multiple of 512 bytes'
}

@test "mistakes: a disk without a name" {
	run_lkvm -d ,ro
	expect_error "--disk ',ro': a file name or ram:SIZE comes first"
}

@test "mistakes: a disk with a comma too many" {
	run_lkvm -d disk,
	expect_error "--disk 'disk,': nothing follows the comma"
}

@test "mistakes: -d x,queue=2" {
	run_lkvm -d x,queue=2
	expect_error "unknown option 'queue'" "did you mean 'queues'?"
}

@test "mistakes: -d with queues that are too many" {
	run_lkvm -d ram:1M,queues=17
	expect_error 'queues=17: expected a number from 1 to 16'
}

@test "mistakes: -d x,ro=maybe" {
	run_lkvm -d x,ro=maybe
	expect_error 'ro=maybe: expected on or off'
}

@test "mistakes: a disk behind an IOMMU that is not there" {
	run_lkvm -d ram:1M,iommu=on
	expect_error '--disk: iommu=on needs --iommu=virtio'
}

# ---- network devices ----

# Skips where no interface can be made.
need_tun() {
	need "$LKVM_TEST_BIN/tap-run"
	if ! unshare -n "$LKVM_TEST_BIN/tap-run" probe true 2>/dev/null; then
		skip "no network namespace with a usable /dev/net/tun"
	fi
}

# lkvm in a network namespace of its own, where these commands have run.
in_network() # COMMANDS
{
	# shellcheck disable=SC2016 # what expands is said as it is
	lkvm_command=(env PATH="$LKVM_TEST_BIN:$PATH" unshare -n sh -c "$1"' "$0" "$@"' "$LKVM")
}

@test "mistakes: --net without a mode" {
	run_lkvm -n queues=2
	expect_error "--net 'queues=2'" "'new', 'new=NAME', 'tap=NAME' or 'fd=N' comes first"
}

@test "mistakes: --net new,queue=2" {
	run_lkvm -n new,queue=2
	expect_error "unknown option 'queue'" "did you mean 'queues'?"
}

@test "mistakes: --net with a multicast address" {
	run_lkvm -n new,mac=33:33:00:00:00:01
	expect_error 'mac=33:33:00:00:00:01 is a multicast address' 'the first byte has to be even'
}

@test "mistakes: --net with half an address" {
	run_lkvm -n new,mac=02:00:00
	expect_error 'mac=02:00:00: expected six bytes such as 02:00:00:00:00:01'
}

@test "mistakes: --net with an MTU that is too small" {
	run_lkvm -n new,mtu=67
	expect_error 'mtu=67: expected a number from 68 to 65521'
}

@test "mistakes: --net with host-ip for an interface that exists" {
	run_lkvm -n tap=a,host-ip=10.0.0.1/8
	expect_error "host-ip= is for 'new'" "'ip address add'"
}

@test "mistakes: --net with a descriptor that is not open" {
	run_lkvm -n fd=77
	expect_error 'fd=77 is not open'
}

@test "mistakes: --net with a descriptor of something else" {
	run_lkvm -n fd=0
	expect_error "fd=0 is not a tap interface's" 'TUNSETIFF'
}

@test "mistakes: --net behind an IOMMU that is not there" {
	run_lkvm -n new,iommu=on
	expect_error '--net: iommu=on needs --iommu=virtio'
}

@test "mistakes: nine network devices" {
	run_lkvm -n new -n new -n new -n new -n new -n new -n new -n new -n new=x
	expect_error "--net: 'new=x' is one too many, 8 are possible"
}

@test "mistakes: two network devices on one interface" {
	run_lkvm -n new=a -n tap=a
	expect_error '--net: interface a is given twice'
}

@test "mistakes: two network devices with one address" {
	run_lkvm -n new,mac=02:00:00:00:00:01 -n new,mac=02:00:00:00:00:01
	expect_error '--net: mac=02:00:00:00:00:01 is given twice'
}

@test "mistakes: the host has no tun module" {
	need_kvm
	# shellcheck disable=SC2016 # what expands is said as it is
	lkvm_command=(unshare -m sh -c 'mount -t tmpfs none /dev/net && exec "$0" "$@"' "$LKVM")
	unshare -m sh -c 'mount -t tmpfs none /dev/net' 2>/dev/null || skip 'no mount namespace'
	run_lkvm -n new
	expect_error '--net: the host has no /dev/net/tun' "'modprobe tun'"
}

@test "mistakes: the interface does not exist" {
	need_kvm
	run_lkvm -n tap=nothing
	expect_error 'there is no interface nothing' "'ip tuntap add nothing mode tap'" 'new=nothing'
}

@test "mistakes: the interface to be made exists" {
	need_kvm
	need_tun
	in_network 'tap-run persist here true;'
	run_lkvm -n new=here
	expect_error 'an interface here exists already' "'tap=here'"
}

@test "mistakes: the interface is not a tap" {
	need_kvm
	need_tun
	in_network 'tap-run tun persist here true;'
	run_lkvm -n tap=here
	expect_error 'interface here is not a tap'
	run_lkvm -n tap=lo
	expect_error 'interface lo is not a tap'
}

@test "mistakes: the interface has one queue" {
	need_kvm
	need_tun
	in_network 'tap-run persist here true;'
	run_lkvm -n tap=here,queues=2
	expect_error 'interface here has one queue' 'queues=1' 'mode tap multi_queue'
}

@test "mistakes: the interface is busy" {
	need_kvm
	need_tun
	in_network 'exec tap-run here'
	run_lkvm -n tap=here
	expect_error 'interface here is busy: another program uses it'
}

@test "mistakes: no permission to make an interface" {
	need_kvm
	need_tun
	in_network 'exec setpriv --bounding-set=-net_admin --inh-caps=-net_admin'
	run_lkvm -n new
	expect_error 'no permission to make an interface: run as root' 'mode tap user NAME'
}

@test "mistakes: an MTU that no host has, and the largest one" {
	run_lkvm -n new,mtu=65522
	expect_error 'mtu=65522: expected a number from 68 to 65521'
	need "$guests/exit.elf"
	need_kvm
	need_tun
	in_network ''
	run_lkvm -q -n new,mtu=65521 -k "$guests/exit.elf" -p poweroff
	[ "$status" -eq 0 ] && [ -z "$stderr" ]
}

@test "mistakes: an inherited interface without a header, without a second queue, or two" {
	need_kvm
	need_tun
	in_network 'exec tap-run no-header here'
	run_lkvm -n fd=10
	expect_error 'fd=10: interface here was opened without IFF_VNET_HDR'
	in_network 'exec tap-run tun here'
	run_lkvm -n fd=10
	expect_error 'fd=10: interface here was opened without IFF_TAP'
	in_network 'exec tap-run queues=2 here'
	run_lkvm -n fd=10:10
	expect_error 'fd=10 is given twice'
	run_lkvm -n fd=10 -n fd=10
	expect_error 'fd=10 is given twice'
	run_lkvm -n fd=10:12
	expect_error 'fd=12 is not open'
	run_lkvm -n fd=10:11,queues=3
	expect_error 'queues=3, but fd= has 2 descriptors'
}

@test "mistakes: an interface that is down gets a warning, and all modes work" {
	need_kvm
	need_tun
	in_network 'tap-run queues=1 persist here true;'
	run_lkvm -n tap=here
	[ "$status" -eq 0 ]
	[ "$stderr" = "lkvm: warning: --net: interface here is down: 'ip link set here up'" ]
	run_lkvm -q -n tap=here,queues=3
	[ "$status" -eq 0 ]
	in_network 'exec tap-run queues=2 here'
	run_lkvm -q -n fd=10:11 -n new
	[ "$status" -eq 0 ]
	[[ $stderr == *'interface here is down'* ]]
}

# ---- words and options ----

@test "mistakes: the verb is misspelt" {
	lkvm rnu
	expect_error "there is no verb 'rnu'" "did you mean 'run'?"
}

@test "mistakes: the verb is unknown" {
	lkvm teleport
	expect_error "there is no verb 'teleport'" "'lkvm help' lists them"
}

@test "mistakes: the verb to explain is unknown" {
	lkvm help rnu
	expect_error "there is no verb 'rnu'" "did you mean 'run'?"
}

@test "mistakes: an option is misspelt" {
	run_lkvm --iomu=virtio
	expect_error "there is no option '--iomu'" "did you mean '--iommu'?"
}

@test "mistakes: an option is unknown" {
	run_lkvm --teleport
	expect_error "there is no option '--teleport'" "'lkvm help run' lists them"
}

@test "mistakes: a letter is unknown" {
	run_lkvm -y
	expect_error "there is no option '-y'" "'lkvm help run' lists them"
}

@test "mistakes: a stray word" {
	run_lkvm bzImage
	expect_error "'bzImage' belongs to no option" "'lkvm help run' lists them"
}

@test "mistakes: a stray word behind an option that takes none" {
	run_lkvm --quiet bzImage
	expect_error "'bzImage' belongs to no option"
}

@test "mistakes: an option that takes no value has one" {
	run_lkvm --quiet=yes
	expect_error "--quiet takes no value, but has 'yes'"
}

@test "mistakes: the last option lacks its value" {
	run_lkvm --mem
	expect_error '--mem needs a value: --mem SIZE'
}

@test "mistakes: a letter lacks its value" {
	run_lkvm -k
	expect_error '--kernel needs a value: --kernel FILE'
}

@test "mistakes: an option lacks its value, and another one follows" {
	run_lkvm --kernel --mem 64M
	expect_error "--kernel needs a value, but '--mem' follows" '--kernel=--mem'
}

@test "mistakes: a letter lacks its value, and another one follows" {
	run_lkvm -k -m 64M
	expect_error "--kernel needs a value, but '-m' follows" '--kernel=-m'
}

@test "mistakes: --kernel twice" {
	run_lkvm -k one --kernel two
	expect_error "--kernel is given twice: 'one' and 'two'"
}

@test "mistakes: --initrd twice" {
	run_lkvm -k one -i two -i three
	expect_error "--initrd is given twice: 'two' and 'three'"
}

@test "mistakes: --params twice" {
	run_lkvm -p quiet -p debug
	expect_error "--params is given twice: 'quiet' and 'debug'"
}

@test "mistakes: --mem twice" {
	run_lkvm -m 64 -m 128
	expect_error "--mem is given twice: '64' and '128'"
}

@test "mistakes: --cpus twice" {
	run_lkvm -c 1 -c 2
	expect_error "--cpus is given twice: '1' and '2'"
}

@test "mistakes: --rng twice" {
	run_lkvm --rng --rng=iommu=off
	expect_error '--rng is given twice'
}

@test "mistakes: --rng behind no IOMMU" {
	run_lkvm --rng=iommu=on
	expect_error '--rng: iommu=on needs --iommu=virtio'
}

@test "mistakes: --rng with a suboption that there is not" {
	run_lkvm --rng=iomu=off
	expect_error "--rng: unknown option 'iomu', did you mean 'iommu'?"
}

@test "mistakes: --iommu twice" {
	run_lkvm --iommu=virtio --iommu=virtio
	expect_error '--iommu is given twice'
}

@test "mistakes: no trace area" {
	run_lkvm --trace ''
	expect_error "--trace: there is no area ''" 'known: iommu, virtio'
	run_lkvm --trace iommu,
	expect_error "--trace: there is no area ''"
}

@test "mistakes: a trace area that is misspelt" {
	run_lkvm --trace=iomu
	expect_error "there is no area 'iomu'" "did you mean 'iommu'?"
}

# ---- --virtio-ring ----

@test "mistakes: --virtio-ring of another kind" {
	run_lkvm --virtio-ring=round
	expect_error "--virtio-ring: 'round' is neither 'split' nor 'packed'"
}

@test "mistakes: --virtio-ring twice" {
	run_lkvm --virtio-ring packed --virtio-ring packed
	expect_error '--virtio-ring is given twice'
}

@test "mistakes: ring= of another kind" {
	run_lkvm -d ram:1M,ring=round
	expect_error '--disk: ring=round: expected split or packed'
	run_lkvm --iommu=virtio,ring
	expect_error '--iommu: ring=: expected split or packed'
	run_lkvm --iommu=virtio,rnig=packed
	expect_error "--iommu: unknown option 'rnig'" "did you mean 'ring'?"
}

# ---- --iommu ----

@test "mistakes: --iommu without a value" {
	run_lkvm --iommu
	expect_error '--iommu needs a value: --iommu virtio'
}

@test "mistakes: --iommu of another kind" {
	run_lkvm --iommu=intel
	expect_error "--iommu: there is no IOMMU 'intel', only 'virtio'"
}

@test "mistakes: --iommu=virtio,bypas=on" {
	run_lkvm --iommu=virtio,bypas=on
	expect_error "unknown option 'bypas'" "did you mean 'bypass'?"
}

@test "mistakes: --iommu with a comma too many" {
	run_lkvm --iommu=virtio,
	expect_error "--iommu: 'virtio,' has an empty option, remove the extra comma"
}

@test "mistakes: bypass without a value" {
	run_lkvm --iommu=virtio,bypass
	expect_error "'bypass' needs a value: bypass=on|off"
}

@test "mistakes: bypass is neither on nor off" {
	run_lkvm --iommu=virtio,bypass=maybe
	expect_error "bypass=maybe is neither 'on' nor 'off'"
}

@test "mistakes: bypass twice" {
	run_lkvm --iommu=virtio,bypass=on,bypass=off
	expect_error "'bypass' is given twice"
}

@test "mistakes: a granule of 5K" {
	run_lkvm --iommu=virtio,granule=5K
	expect_error 'granule=5K is not a power of two from 4K to 1G'
}

@test "mistakes: a granule larger than the input range" {
	run_lkvm --iommu=virtio,granule=64K,input-bits=12
	expect_error 'a granule of 0x10000 does not fit input-bits=12'
}

@test "mistakes: input-bits=65" {
	run_lkvm --iommu=virtio,input-bits=65
	expect_error 'input-bits=65 is not a number from 12 to 64'
}

@test "mistakes: domain-bits=0" {
	run_lkvm --iommu=virtio,domain-bits=0
	expect_error 'domain-bits=0 is not a number from 1 to 32'
}

@test "mistakes: max-mappings=0" {
	run_lkvm --iommu=virtio,max-mappings=0
	expect_error 'max-mappings=0 is not a number from 1'
}

@test "mistakes: msi=on" {
	run_lkvm --iommu=virtio,msi=on
	expect_error "msi=on is neither 'direct' nor 'mapped'"
}

@test "mistakes: a reserved region over the MSI window" {
	run_lkvm --iommu=virtio,resv=0xfee00000-0xfee00fff
	expect_error 'resv=0xfee00000-0xfee00fff overlaps the MSI region 0xfee00000-0xfeefffff'
}

@test "mistakes: a reserved region around the MSI window" {
	run_lkvm --iommu=virtio,resv=0xf0000000-0xffffffff
	expect_error 'overlaps the MSI region 0xfee00000-0xfeefffff'
}

@test "mistakes: two reserved regions overlap" {
	run_lkvm --iommu=virtio,resv=0x1000-0x2fff,resv=0x2000-0x3fff
	expect_error 'resv=0x2000-0x3fff overlaps the reserved region 0x1000-0x2fff'
}

@test "mistakes: a reserved region outside the input range" {
	run_lkvm --iommu=virtio,resv=0x100000000-0x100000fff,input-bits=32
	expect_error 'resv=0x100000000-0x100000fff lies outside input-bits=32'
}

@test "mistakes: a reserved region that ends before it begins" {
	run_lkvm --iommu=virtio,resv=0x2000-0x1000
	expect_error 'resv=0x2000-0x1000 is not START-END'
}

@test "mistakes: a reserved region without an end" {
	run_lkvm --iommu=virtio,resv=0x1000
	expect_error 'resv=0x1000 is not START-END'
}

# ---- transports ----

@test "mistakes: a transport that there is none of" {
	run_lkvm --virtio-transport ccw
	expect_error "--virtio-transport: 'ccw' is neither 'pci' nor 'mmio'"
}

@test "mistakes: --virtio-transport twice" {
	run_lkvm --virtio-transport pci --virtio-transport mmio
	expect_error '--virtio-transport' 'twice' "'pci'" "'mmio'"
}

@test "mistakes: a disk on a transport that there is none of" {
	run_lkvm -d ram:1M,transport=usb
	expect_error '--disk: transport=usb: expected pci or mmio'
}

@test "mistakes: a disk with a transport without a value" {
	run_lkvm -d ram:1M,transport
	expect_error '--disk: transport=: expected pci or mmio'
}

@test "mistakes: the virtio-iommu on a transport that there is none of" {
	run_lkvm --iommu=virtio,transport=pcie
	expect_error '--iommu: transport=pcie: expected pci or mmio'
}

@test "mistakes: the virtio-iommu with two transports" {
	run_lkvm --iommu=virtio,transport=pci,granule=4K,transport=mmio
	expect_error "--iommu: 'transport' is given twice"
}

@test "mistakes: --iommu=virtio,transprot=mmio" {
	run_lkvm --iommu=virtio,transprot=mmio
	expect_error "--iommu: unknown option 'transprot', did you mean 'transport'?"
}

# lkvm with $1 disks.
with_disks() # N OPTION...
{
	local disks=() n=$1

	shift
	while [ "${#disks[@]}" -lt $((2 * n)) ]; do
		disks+=(-d ram:1M)
	done
	run_lkvm "$@" "${disks[@]}"
}

@test "mistakes: more devices than PCI has room for" {
	need_kvm
	with_disks 31
	expect_error '--disk: PCI is full, it has room for 30 devices: try transport=mmio'
}

@test "mistakes: more devices than there are places on MMIO" {
	need_kvm
	with_disks 64 --iommu=virtio --virtio-transport mmio
	expect_error '--disk: all 64 places for virtio-mmio are in use: try transport=pci'
}

# ---- standard output ----

# With its output as the shell's redirection says; what it says then is in $stderr.
redirected() # REDIRECTION WORD...
{
	local redirection=$1

	shift
	lkvm_command=(bash -c "exec \"\$0\" \"\$@\" $redirection" "$LKVM")
	lkvm "$@"
}

@test "mistakes: a closed stdout, which the guest's console needs" {
	redirected '>&-' run
	expect_error 'standard output is closed' "'>/dev/null'"
}

@test "mistakes: a closed stdout for help" {
	redirected '>&-' help
	expect_error 'cannot write to standard output'
}

@test "mistakes: a full stdout for help" {
	redirected '>/dev/full' help
	expect_error 'cannot write to standard output: No space left on device'
}

@test "mistakes: a disk in memory beyond the limit of file sizes" {
	ulimit -f 70000
	run_lkvm -m 64 -d ram:1G
	expect_error 'ram:1G'
}

@test "mistakes: help for two verbs" {
	lkvm help run version
	expect_error "'version'"
}
