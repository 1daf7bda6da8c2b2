#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# What packagers do: install, uninstall, build again, and build in other ways.

load helpers

# What a make around the tests has set is not for the ones in here.
unset MAKEFLAGS MFLAGS MAKELEVEL CC CFLAGS LDFLAGS

setup()
{
	cd "$BATS_TEST_TMPDIR" || return 1
}

make_here() # ARGUMENT...
{
	make -C "$tree" "$@" >make.out 2>&1 || {
		cat make.out
		return 1
	}
}

@test "install: DESTDIR and PREFIX are honoured" {
	make_here install DESTDIR="$PWD/root" PREFIX=/opt/lkvm
	[ "$(find root -type f | LC_ALL=C sort)" = "$(
		cd "$tree"
		{
			printf 'root/opt/lkvm/%s\n' bin/lkvm share/man/man1/lkvm.1 \
				share/bash-completion/completions/lkvm
			printf 'root/opt/lkvm/share/doc/lkvm/%s\n' README.md docs/*.md
		} | LC_ALL=C sort
	)" ]
	run root/opt/lkvm/bin/lkvm version
	[ "$status" = 0 ]
	[[ $output == "lkvm "* ]]
}

@test "install: uninstall takes everything away again, and nothing else" {
	mkdir -p root/usr/local/bin root/usr/local/share/doc/other
	touch root/usr/local/bin/other root/usr/local/share/doc/other/README
	make_here install DESTDIR="$PWD/root"
	[ -x root/usr/local/bin/lkvm ]
	make_here uninstall DESTDIR="$PWD/root"
	[ "$(find root -type f | LC_ALL=C sort)" = $'root/usr/local/bin/other\nroot/usr/local/share/doc/other/README' ]
	make_here uninstall DESTDIR="$PWD/root"
}

@test "install: the completion is found where bash-completion looks for it" {
	make_here install DESTDIR="$PWD/root" PREFIX=/usr
	run bash --norc -c '
		source root/usr/share/bash-completion/completions/lkvm
		complete -p lkvm'
	[ "$output" = 'complete -F _lkvm lkvm' ]
}

@test "install: the man page has no warnings" {
	run env LC_ALL=C.UTF-8 man --warnings -E UTF-8 -l -Tutf8 -Z "$tree/docs/lkvm.1"
	[ "$status" = 0 ]
	[[ $output != *"lkvm.1:"* ]]
}

@test "install: the man page is of the version that the program has" {
	version=$("$LKVM" version)
	grep -q "^\.TH LKVM 1 [0-9-]* \"$version\" " "$tree/docs/lkvm.1"
}

# A copy of the sources, in a folder of this name.
copy_tree() # FOLDER
{
	mkdir "$1"
	tar -C "$tree" --exclude=./build --exclude=./.git --exclude=./lkvm -cf - . | tar -C "$1" -xf -
}

@test "install: two builds, at other times and in other folders, are the same" {
	copy_tree one
	mkdir deep
	copy_tree deep/two
	find deep/two -exec touch -d '2001-01-01' {} +
	make -j2 -C one CFLAGS='-O0 -g' lkvm >/dev/null
	make -j2 -C deep/two CFLAGS='-O0 -g' lkvm >/dev/null
	cmp one/lkvm deep/two/lkvm
}

@test "install: LDFLAGS= links dynamically" {
	make_here BUILD="$PWD/build" LDFLAGS= CFLAGS=-O0 "$PWD/build/lkvm"
	run ldd build/lkvm
	[[ $output == *libc.so* ]]
	build/lkvm version
}

@test "install: with musl and without symbols, the program has less than 700 KiB" {
	local checked=

	for machine in x86:x86_64 arm64:aarch64 riscv64:riscv64; do
		build=$tree/build/${machine%:*}
		[ -e "$build/lkvm" ] && [ "$(cat "$build/lkvm.libc")" = musl ] || continue
		"${machine#*:}-linux-gnu-strip" -o stripped "$build/lkvm"
		[ "$(stat -c %s stripped)" -lt $((700 * 1024)) ]
		checked=1
	done
	[ "$checked" ] || skip "no musl"
}

@test "install: LIBC=system links with the compiler's C library" {
	make_here BUILD="$PWD/build" LIBC=system CFLAGS=-O0 "$PWD/build/lkvm"
	[ ! -e build/musl ]
	build/lkvm version
}

@test "install: a C library that is not known, or cannot be linked so, is refused" {
	local args

	for args in LIBC=glibc 'LIBC=musl LDFLAGS='; do
		# shellcheck disable=SC2086
		run make -C "$tree" -n $args
		[ "$status" -ne 0 ]
		[[ $output == *"${args%% *} is neither system, nor musl"* ]]
	done
}
