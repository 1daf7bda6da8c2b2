# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034
# The lab's settings for x86: sourced by lab.

debian_arch=amd64
elf_machine=62

# What to fetch. The last of default_kernels is lab-guest's default.
default_kernels=(6.1 6.12 7)
optional_kernels=(7-full)

# The Debian releases to take them from, and busybox.
base_suite=bookworm
kernel_suite() # NAME
{
	case $1 in
	6.1) echo bookworm ;;
	6.12) echo bookworm-backports ;;
	*) echo trixie-backports ;;
	esac
}

kernel_packages() # NAME -> a pattern of package names, of which the newest is taken
{
	case $1 in
	6.1) echo '^linux-image-6\.1\.0-[0-9]+-cloud-amd64$' ;;
	6.12) echo '^linux-image-6\.12\.[0-9.]+\+deb12[0-9.]*-cloud-amd64$' ;;
	7) echo '^linux-binary-7\.[0-9.]+\+deb13[0-9.]*-cloud-amd64$' ;;
	7-full) echo '^linux-binary-7\.[0-9.]+\+deb13[0-9.]*-amd64$' ;;
	esac
}

le32() # FILE OFFSET
{
	od -An -tu4 --endian=little -j "$2" -N 4 "$1" | tr -d ' '
}

# The ELF image in a bzImage (Linux boot protocol: setup_sects, payload_offset, payload_length), if
# the payload is one of zstd, as Debian's are since 6.12. Behind it stands its length.
extract_elf() # BZIMAGE ELF
{
	local sects start length

	sects=$(od -An -tu1 -j 497 -N 1 "$1" | tr -d ' ')
	start=$(((sects + 1) * 512 + $(le32 "$1" 584)))
	length=$(le32 "$1" 588)
	if [ "$(od -An -tx4 --endian=big -j $start -N 4 "$1" | tr -d ' ')" = 28b52ffd ]; then
		tail -c +$((start + 1)) "$1" | head -c $((length - 4)) | zstd -q -dc >"$2"
	fi
}

# L1. QEMU's emulated SVM leaves the type of the guest's last exception in EXITINTINFO, if not its
# valid bit, and since Linux 6.14 KVM takes any type there for an event that was being delivered: a
# guest that meets a page fault, and MMIO right after, ends with internal error 3. So L1 is older.
# Five levels of paging would cost time.
l1_kernel=6.12
qemu=qemu-system-x86_64
qemu_package=qemu-system-x86
qemu_firmware=seabios
qemu_machine=(-machine q35 -cpu "max,la57=off")
l1_console=ttyS0
l1_append='no_timer_check tsc=reliable'
kvm_module=kvm-amd

# A host of this architecture whose KVM has hardware support
host_machine=x86_64
kvm_cpu_flags='vmx|svm'

# lab-guest
guest_append='console=ttyS0 panic=-1 no_timer_check tsc=reliable'
