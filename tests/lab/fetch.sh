# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# lab fetch: fill the cache from Debian's packages. Sourced by lab.
#
# The cache holds, for each ARCH:
#   ARCH/busybox                 the static busybox of that architecture
#   ARCH/KERNEL/vmlinuz          a stock kernel
#   ARCH/KERNEL/vmlinux          the ELF image in it (x86, from 6.12 on)
#   ARCH/KERNEL/version          what uname -r says in it
#   ARCH/KERNEL/config           what it was built with
#   ARCH/KERNEL/root/            an initramfs for guests: busybox and modules
#   ARCH/KERNEL/initrd           the same as a cpio archive, waiting for an /init
#   ARCH/KERNEL/l1-root/, l1-initrd   the modules that L1 has beyond those
#   ARCH/KERNEL/recipe           what was asked for
#
# A kernel's folder is made beside its place and renamed into it, so what is there is whole.

# The modules to take, and with them those that they need, as far as the kernel has them.
guest_modules=(
	virtio_pci virtio_mmio virtio_iommu virtio_blk virtio_net virtio_console virtio_rng
	virtio_balloon virtio_scsi sd_mod vmw_vsock_virtio_transport
	pvpanic-mmio pvpanic-pci qemu_fw_cfg nvme button gpio_keys evdev ext4
	vfio vfio-pci vfio_iommu_type1 iommufd
	9p 9pnet_virtio virtiofs
)
l1_modules=(
	kvm kvm-amd ccp
	loop brd null_blk nbd overlay squashfs isofs vfat nls_ascii nls_cp437
	tun vhost_net vhost_vsock bridge
)

newest_package() # PATTERN
{
	private_apt apt-cache search --names-only "$1" | cut -d' ' -f1 | sort -V | tail -n 1
}

# A kernel is one package, or binary, modules and base.
kernel_parts() # PACKAGE
{
	echo "$1"
	case $1 in
	linux-binary-*)
		echo "linux-modules-${1#linux-binary-}"
		echo "linux-base-${1#linux-binary-}"
		;;
	esac
}

modinfo_field() # FIELD FILE
{
	tr '\0' '\n' <"$2" | sed -n "s/^$1=//p"
}

# Copies modules and what they depend on into an initramfs, and writes the tables that modprobe
# reads. This needs no program of the kernel's architecture.
copy_modules() # FOLDER/lib/modules/VERSION INITRAMFS MODULE...
{
	local from=$1 to=$2/lib/modules/${1##*/} queue name file module deps
	local -A files=()

	shift 2
	mkdir -p "$to"
	while read -r file; do
		name=${file##*/}
		name=${name%%.ko*}
		files[${name//-/_}]=$file
	done < <(find "$from" -name '*.ko' -o -name '*.ko.xz')

	queue=("${@//-/_}")
	while [ ${#queue[@]} -gt 0 ]; do
		name=${queue[0]}
		queue=("${queue[@]:1}")
		file=${files[$name]:-}
		[ "$file" ] || continue
		unset "files[$name]"
		module=$to/$name.ko
		case $file in
		*.xz) xz -dc "$file" >"$module" || die "cannot decompress $file" ;;
		*) cp "$file" "$module" ;;
		esac
		deps=$(modinfo_field depends "$module" | tr ',-' ' _')
		# shellcheck disable=SC2206
		queue+=($deps)
		echo "$name $deps" >>"$to/depends"
		modinfo_field alias "$module" | sed "s/.*/alias & $name/" >>"$to/modules.alias"
	done

	# modules.dep wants all of a module's dependencies, each before those that it needs.
	awk '
		function walk(m,	i, n, d) {
			n = split(deps[m], d, " ")
			for (i = 1; i <= n; i++)
				if (d[i] in deps) {
					out = out " " d[i] ".ko"
					walk(d[i])
				}
		}
		{ m = $1; $1 = ""; deps[m] = $0 }
		END { for (m in deps) { out = ""; walk(m); print m ".ko:" out } }
	' "$to/depends" >"$to/modules.dep"
	rm "$to/depends"
	cp "$from/modules.builtin" "$to/"
}

make_root() # FOLDER: an initramfs with busybox in it
{
	mkdir -p "$1"/{bin,sbin,usr/bin,usr/sbin,dev,proc,sys,tmp,run,root,etc,mnt,lab,work}
	cp "$cache/busybox" "$1/bin/busybox"
	ln -s busybox "$1/bin/sh"
	ln -s ../bin/busybox "$1/sbin/modprobe"
	echo 'root:x:0:0:root:/root:/bin/sh' >"$1/etc/passwd"
	echo 'root:x:0:' >"$1/etc/group"
}

make_kernel() # NAME PACKAGE
{
	local tree=$work/tree new=$work/new part version modules_dir

	rm -rf "$tree" "$new"
	mkdir -p "$tree" "$new/root"
	for part in $(kernel_parts "$2"); do
		unpack "$part" "$tree"
	done
	version=${2#linux-image-}
	version=${version#linux-binary-}
	modules_dir=$tree/lib/modules/$version
	if [ -d "$tree/usr/lib/modules/$version" ]; then
		modules_dir=$tree/usr/lib/modules/$version
	fi
	# Debian's riscv64 calls it vmlinux.
	cp "$tree/boot/vmlinu"[xz]"-$version" "$new/vmlinuz" 2>/dev/null ||
		cp "$modules_dir/vmlinu"[xz] "$new/vmlinuz" || die "no kernel in the package $2"
	cp "$tree/boot/config-$version" "$new/config" 2>/dev/null ||
		cp "$modules_dir/config" "$new/config" || die "no config in the package $2"
	echo "$version" >"$new/version"
	if [ "$(type -t extract_elf)" ]; then
		extract_elf "$new/vmlinuz" "$new/vmlinux" || die "cannot unpack the kernel in $2"
	fi

	make_root "$new/root"
	copy_modules "$modules_dir" "$new/root" "${guest_modules[@]}"
	make_cpio "$new/root" >"$new/initrd" || die "cannot write $new/initrd"
	copy_modules "$modules_dir" "$new/l1-root" "${guest_modules[@]}" "${l1_modules[@]}"
	(cd "$new/root" && find . -name '*.ko') | (cd "$new/l1-root" && xargs rm)
	make_cpio "$new/l1-root" >"$new/l1-initrd" || die "cannot write $new/l1-initrd"
	recipe "$1" >"$new/recipe"

	rm -rf "${cache:?}/$1"
	mv "$new" "$cache/$1" || die "cannot write $cache/$1"
	rm -rf "$tree"
}

# What a kernel's folder depends on: when this changes, it is made anew. The number stands for
# the rest of this file.
recipe() # NAME
{
	echo "3 $(kernel_packages "$1") ${guest_modules[*]} / ${l1_modules[*]}"
}

fetch() # [KERNEL...]
{
	local name pattern package part
	local -a missing=() parts=() suites=()
	local -A packages=()

	need_apt
	need xz xz-utils
	need zstd zstd
	need cpio cpio
	[ $# -gt 0 ] || set -- "${default_kernels[@]}"
	for name; do
		[ "$(kernel_packages "$name")" ] ||
			die "no kernel '$name' for $arch: choose among ${default_kernels[*]}" \
				"${optional_kernels[*]}"
	done

	mkdir -p "$cache" || exit 1
	work=$cache/.work
	exec 9>"$cache/.lock"
	flock 9
	fetch_qemu
	for name; do
		if ! recipe "$name" | cmp -s - "$cache/$name/recipe"; then
			missing+=("$name")
		fi
	done
	[ ${#missing[@]} -gt 0 ] || return 0

	echo "lab: fetching Debian's package lists for $arch" >&2
	suites=("$base_suite")
	for name in "${missing[@]}"; do
		[[ " ${suites[*]} " == *" $(kernel_suite "$name") "* ]] ||
			suites+=("$(kernel_suite "$name")")
	done
	setup_apt
	parts=(busybox-static)
	for name in "${missing[@]}"; do
		pattern=$(kernel_packages "$name")
		package=$(newest_package "$pattern")
		[ "$package" ] || die "no package matches '$pattern' in ${suites[*]} of $mirror"
		packages[$name]=$package
		mapfile -t -O ${#parts[@]} parts < <(kernel_parts "$package")
	done
	download "${parts[@]}"

	rm -rf "$work/tree"
	unpack busybox-static "$work/tree"
	find "$work/tree" -name busybox -type f -exec mv {} "$cache/busybox" \;
	for name in "${missing[@]}"; do
		make_kernel "$name" "${packages[$name]}"
	done
	rm -rf "$work"
	flock -u 9
}
