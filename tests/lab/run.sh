# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# lab run: a script in L1. Sourced by lab.
#
# L1 boots from one initramfs: the kernel's own from the cache, followed by a small one made here
# with l1-init, lkvm, the script and its files, and what lab-guest boots L2 from. Three channels
# lead out of L1: the kernel's console and the script's exit status go to files, its output
# through a pipe to stdout. With -t the third one is a terminal instead.

is_for_arch() # FILE: it is an ELF program of this architecture
{
	[ -x "$1" ] && [ "$(od -An -tu2 -j18 -N2 "$1" | tr -d ' ')" = "$elf_machine" ]
}

find_lkvm() # prints its path
{
	local file

	if [ "${LKVM:-}" ]; then
		is_for_arch "$LKVM" || die "LKVM=$LKVM is not a program for $arch"
		readlink -f "$LKVM"
		return
	fi
	for file in "$tree_dir/build/$arch/lkvm" "$tree_dir/lkvm"; do
		if is_for_arch "$file"; then
			echo "$file"
			return
		fi
	done
	die "no lkvm for $arch in $tree_dir: run make first"
}

add_libraries() # PROGRAM FOLDER: links the shared libraries that the program loads
{
	local file

	[ "$(uname -m)" = "$host_machine" ] || return 0
	for file in $(ldd "$1" 2>/dev/null | grep -o '/[^ ]*'); do
		mkdir -p "$2${file%/*}"
		ln -s "$(readlink -f "$file")" "$2$file"
	done
}

add_files() # FOLDER FILE...: links them under their names
{
	local folder=$1 file

	shift
	for file; do
		[ -r "$file" ] || die "cannot read the file '$file'"
		[ ! -e "$folder/${file##*/}" ] || die "two files are named '${file##*/}'"
		ln -s "$(readlink -f "$file")" "$folder/${file##*/}"
	done
}

set_env() # NAME VALUE: prints it as a shell command
{
	printf "export %s='%s'\n" "$1" "${2//\'/\'\\\'\'}"
}

# What lab-guest and the script find in their environment.
write_env() # GUESTS-FOLDER GUEST-INIT BUSYBOX
{
	local pair

	set_env LAB_GUESTS "$1"
	set_env LAB_GUEST_INIT "$2"
	set_env LAB_BUSYBOX "$3"
	set_env LAB_KERNEL "${guests[0]}"
	set_env LAB_APPEND "$guest_append"
	for pair in "${env[@]}"; do
		set_env "${pair%%=*}" "${pair#*=}"
	done
}

make_l1_initrd() # LKVM SCRIPT [FILE...]: as $tmp/initrd
{
	local stage=$tmp/stage file name image=$cache/$kernel/vmlinux

	[ -e "$image" ] || image=$cache/$kernel/vmlinuz
	mkdir -p "$stage"/{bin,lab/guests,work}
	ln -s "$lab_dir/l1-init" "$stage/init"
	ln -s "$lab_dir/guest-init" "$stage/lab/guest-init"
	ln -s "$lab_dir/lab-guest" "$1" "$stage/bin/"
	[ "${1##*/}" = lkvm ] || mv "$stage/bin/${1##*/}" "$stage/bin/lkvm"
	add_libraries "$1" "$stage"
	for name in "${guests[@]}"; do
		mkdir -p "$stage/lab/guests/$name"
		for file in "$cache/$name"/{vmlinuz,vmlinux,initrd}; do
			[ ! -e "$file" ] || ln -sf "$file" "$stage/lab/guests/$name/"
		done
	done
	ln -s "$2" "$stage/lab/script"
	add_files "$stage/work" "${@:3}"
	{
		write_env /lab/guests /lab/guest-init /bin/busybox
		set_env TERM "${TERM:-linux}"
	} >"$stage/lab/env"
	{
		set_env kvm_module "$kvm_module"
		set_env tty_size "$tty_size"
	} >"$stage/lab/settings"
	# shellcheck disable=SC2015 # whichever fails
	{
		cat "$cache/$kernel/initrd" "$cache/$kernel/l1-initrd" && make_cpio "$stage" -L
	} >"$tmp/initrd" && cp "$image" "$tmp/vmlinuz" ||
		die "cannot write L1's initramfs in $tmp"
	# From here on the cache may change.
	exec 9<&-
}

run_qemu() # ARGUMENT...: in the background
{
	# A signal to lab, even one that it cannot catch, ends QEMU too.
	setpriv --pdeathsig TERM timeout --foreground -k 10 "$limit" setpriv --pdeathsig KILL \
		"${qemu_command[@]}" -accel tcg,thread=multi "${qemu_machine[@]}" \
		-nodefaults -no-user-config -display none -no-reboot -smp "$cpus" -m "$memory" \
		-kernel "$tmp/vmlinuz" -initrd "$tmp/initrd" \
		-append "console=$l1_console panic=-1 quiet $l1_append $append" \
		-serial "file:$tmp/console" -device virtio-serial-pci \
		-chardev "file,id=status,path=$tmp/status" \
		-device virtserialport,chardev=status,name=status \
		"${qemu_args[@]}" "$@" <&0 2>"$tmp/qemu.log" &
	qemu_pid=$!
}

run_in_l1() # SCRIPT [FILE...]
{
	local lkvm output='' status qemu_status

	lkvm=$(find_lkvm) || exit 1
	find_qemu
	make_l1_initrd "$lkvm" "$@"
	if [ "$tty_size" ]; then
		tty_state=$(stty -g 2>/dev/null)
		run_qemu -chardev stdio,id=tty,signal=off,mux=on -echr 29 \
			-device virtconsole,chardev=tty
	else
		# QEMU opens a pipe, whatever stdout is: that may be read-write, or a socket.
		exec 3> >(exec cat)
		output=$!
		run_qemu -chardev file,id=out,path=/dev/fd/3 \
			-device virtserialport,chardev=out,name=out </dev/null
		exec 3>&-
	fi
	wait "$qemu_pid"
	qemu_status=$?
	qemu_pid=
	[ -z "$output" ] || wait "$output"

	status=$(cat "$tmp/status" 2>/dev/null)
	if [[ $status =~ ^[0-9]+$ ]]; then
		return "$status"
	fi
	{
		tail -n 20 "$tmp/console" 2>/dev/null | tr -d '\r'
		cat "$tmp/qemu.log"
		if [ "$qemu_status" = 124 ]; then
			echo "lab: the script did not end within $limit seconds; above is the end of" \
				"L1's kernel log"
		else
			echo "lab: L1 ended before the script did (QEMU's status $qemu_status); above" \
				"is the end of its kernel's log"
		fi
	} >&2
	return 1
}

host_has_kvm() # which runs guests in hardware
{
	[ "$(uname -m)" = "$host_machine" ] && [ -r /dev/kvm ] && [ -w /dev/kvm ] &&
		grep -qwE "$kvm_cpu_flags" /proc/cpuinfo
}

run_on_host() # SCRIPT [FILE...]
{
	local lkvm

	lkvm=$(find_lkvm) || exit 1
	mkdir "$tmp/bin" "$tmp/files" "$tmp/work"
	ln -s "$lkvm" "$tmp/bin/lkvm"
	ln -s "$lab_dir/lab-guest" "$tmp/bin/lab-guest"
	add_files "$tmp/files" "${@:2}"
	cp -RL "$tmp/files/." "$tmp/work/" || exit 1
	write_env "$cache" "$lab_dir/guest-init" "$cache/busybox" >"$tmp/env"
	exec 9<&-
	(
		# shellcheck source=/dev/null
		cd "$tmp/work" && . "$tmp/env" && PATH=$tmp/bin:$PATH
		if [ "$tty_size" ]; then
			exec "$cache/busybox" sh "$1"
		fi
		exec "$cache/busybox" sh "$1" </dev/null 2>&1
	)
}

stop() # may be interrupted by itself
{
	if [ "$qemu_pid" ]; then
		kill "$qemu_pid" 2>/dev/null
		wait "$qemu_pid"
	fi
	[ -z "$tty_state" ] || stty "$tty_state"
	rm -rf "$tmp"
}

run() # OPTIONS ARCH SCRIPT [FILE...]
{
	# With more CPUs than one, a guest with two vCPUs ends in a triple fault now and then, or
	# stands still: QEMU's emulated CPUs run side by side then.
	local direct='' kernel='' append='' cpus=1 memory=3072 tty_size='' limit='' name
	local -a env=() qemu_args=() guests=()

	while [[ ${1:-} == -?* ]]; do
		case $1 in
		-t | --tty)
			tty_size=$(stty size 2>/dev/null)
			# A terminal that was just made does not know its size.
			[[ $tty_size =~ ^[1-9][0-9]*\ [1-9][0-9]*$ ]] || tty_size='24 80'
			shift
			continue
			;;
		--direct)
			direct=1
			shift
			continue
			;;
		esac
		[ $# -ge 2 ] || die "$1 needs a value; see lab --help"
		case $1 in
		--env)
			[[ $2 =~ ^[A-Za-z_][A-Za-z_0-9]*= ]] || die "--env $2: expected NAME=VALUE"
			env+=("$2")
			;;
		--kernel) kernel=$2 ;;
		--append) append=$2 ;;
		--qemu)
			# shellcheck disable=SC2206
			qemu_args+=($2)
			;;
		--cpus) cpus=$2 ;;
		--memory) memory=$2 ;;
		--limit) limit=$2 ;;
		--guest) guests+=("$2") ;;
		*) die "no option '$1'; see lab --help" ;;
		esac
		shift 2
	done
	[ $# -ge 1 ] || die "run on which architecture? Choose among $(arch_names)"
	use_arch "$1"
	shift
	[ $# -ge 1 ] || [ "$tty_size" ] || die "run which script? '-' reads it from stdin"
	kernel=${kernel:-$l1_kernel}

	# timeout takes 0 for no limit.
	limit=${limit:-$([ "$tty_size" ] && echo 0 || echo 900)}
	qemu_pid='' tty_state=''
	tmp=$(mktemp -d "${TMPDIR:-/tmp}/lab.XXXXXX") || exit 1
	trap stop EXIT
	trap 'stop; exit 129' HUP
	trap 'stop; exit 130' INT
	trap 'stop; exit 143' TERM

	case ${1:-} in
	'')
		echo 'exec sh -l' >"$tmp/script"
		;;
	-)
		[ -z "$tty_size" ] || die "-t leaves no stdin to read the script from"
		cat >"$tmp/script"
		;;
	*)
		[ -r "$1" ] || die "cannot read the script '$1'"
		cat "$1" >"$tmp/script" || exit 1
		;;
	esac
	need cpio cpio
	[ -e "$cache/.lock" ] && exec 9<"$cache/.lock" && flock -s 9
	[ ${#guests[@]} -gt 0 ] || guests=("${default_kernels[-1]}")
	for name in "$kernel" "${guests[@]}"; do
		[ -e "$cache/$name/l1-initrd" ] ||
			die "no kernel '$name' for $arch in $cache: run '$0 fetch $arch'"
	done
	if [ "$direct" ] && host_has_kvm; then
		run_on_host "$tmp/script" "${@:2}"
	else
		run_in_l1 "$tmp/script" "${@:2}"
	fi
}
