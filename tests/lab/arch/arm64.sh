# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034
# The lab's settings for arm64: sourced by lab.

debian_arch=arm64
elf_machine=183

# What to fetch. The last of default_kernels is lab-guest's default.
default_kernels=(6.1 6.12 7-16k 7)
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
	6.1) echo '^linux-image-6\.1\.0-[0-9]+-cloud-arm64$' ;;
	6.12) echo '^linux-image-6\.12\.[0-9.]+\+deb12[0-9.]*-cloud-arm64$' ;;
	7) echo '^linux-binary-7\.[0-9.]+\+deb13[0-9.]*-cloud-arm64$' ;;
	7-16k) echo '^linux-binary-7\.[0-9.]+\+deb13[0-9.]*-arm64-16k$' ;;
	7-full) echo '^linux-binary-7\.[0-9.]+\+deb13[0-9.]*-arm64$' ;;
	esac
}

# L1. Pointer authentication as the architecture has it would cost time, and so do addresses of 52
# bits with pages of 4 KiB. A host with a GICv2: --qemu '-machine gic-version=2'.
l1_kernel=7
qemu=qemu-system-aarch64
qemu_package=qemu-system-arm
qemu_firmware=
qemu_machine=(-machine virt,virtualization=on,gic-version=3 -cpu "max,pauth-impdef=on,lpa2=off,sme=off")
l1_console=ttyAMA0
l1_append=
kvm_module=

# A host of this architecture whose KVM has hardware support
host_machine=aarch64
kvm_cpu_flags='Features'

# lab-guest. Linux waits 10 seconds for the driver of an IOMMU that a device tree names, and then
# does without; loading modules can take longer here.
guest_append='console=ttyS0 panic=-1 deferred_probe_timeout=-1'
