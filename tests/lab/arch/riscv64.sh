# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034
# The lab's settings for riscv64: sourced by lab.

debian_arch=riscv64
elf_machine=243

# What to fetch. The last of default_kernels is lab-guest's default.
default_kernels=(6.12)
optional_kernels=(7)

# The Debian releases to take them from, and busybox.
base_suite=trixie
kernel_suite() # NAME
{
	case $1 in
	6.12) echo trixie ;;
	*) echo trixie-backports ;;
	esac
}

kernel_packages() # NAME -> a pattern of package names, of which the newest is taken
{
	case $1 in
	6.12) echo '^linux-image-6\.12\.[0-9.]+\+deb13[0-9.]*-riscv64$' ;;
	7) echo '^linux-binary-7\.[0-9.]+\+deb13[0-9.]*-riscv64$' ;;
	esac
}

# L1. Five levels of paging would cost time. A host without AIA: --qemu '-machine aia=none'.
l1_kernel=6.12
qemu=qemu-system-riscv64
qemu_package=qemu-system-riscv
qemu_firmware=opensbi
qemu_machine=(-machine virt,aia=aplic-imsic -cpu "rv64,h=true,sv57=off")
l1_console=ttyS0
l1_append=
kvm_module=kvm

# A host of this architecture whose KVM has hardware support
host_machine=riscv64
kvm_cpu_flags='h|hypervisor'

# lab-guest
guest_append='console=ttyS0 panic=-1'
