# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The QEMU that runs L1. Sourced by lab.
#
# Before version 10 its emulated SVM does not intercept XSETBV, and loses a guest's flags now and
# then. So where the host's QEMU is older or missing, the cache holds one from Debian's backports,
# in qemu/HOST/PACKAGE; it uses the host's libraries.

qemu_min=10
qemu_suites=(bookworm-backports)

qemu_is_new() # PROGRAM
{
	local version

	version=$("$1" --version 2>/dev/null | sed -n 's/^QEMU emulator version \([0-9]*\).*/\1/p')
	[ "${version:-0}" -ge $qemu_min ]
}

qemu_folder()
{
	echo "${cache%/*}/qemu/$(uname -m)/$qemu_package"
}

find_qemu() # sets qemu_command
{
	local root

	root=$(qemu_folder)
	if qemu_is_new "$qemu"; then
		qemu_command=("$qemu")
	elif [ -x "$root/usr/bin/$qemu" ]; then
		qemu_command=("$root/usr/bin/$qemu" -L "$root/usr/share/qemu"
			-L "$root/usr/share/seabios")
	else
		die "no $qemu $qemu_min or newer on this machine and in the cache:" \
			"run '$0 fetch $arch'"
	fi
}

fetch_qemu() # with the cache locked
{
	local root work suites debian_arch deb

	root=$(qemu_folder)
	if qemu_is_new "$qemu" || [ -x "$root/usr/bin/$qemu" ]; then
		return
	fi
	work=$root.work
	suites=("${qemu_suites[@]}")
	debian_arch=$(dpkg --print-architecture)
	echo "lab: fetching $qemu_package from ${suites[*]} into $root" >&2
	rm -rf "$work"
	setup_apt
	(cd "$work/debs" && private_apt apt-get -q=2 download "$qemu_package" qemu-system-common \
		qemu-system-data ${qemu_firmware:+"$qemu_firmware"} >&2) || die "cannot fetch $qemu_package from $mirror"
	for deb in "$work"/debs/*.deb; do
		dpkg -x "$deb" "$work/root" || die "cannot unpack $deb"
	done
	"$work/root/usr/bin/$qemu" --version >/dev/null ||
		die "$qemu of ${suites[*]} does not run on this machine: for its libraries, install" \
			"the package $qemu_package"
	rm -rf "$root"
	mv "$work/root" "$root"
	rm -rf "$work"
}
