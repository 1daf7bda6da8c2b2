# SPDX-License-Identifier: GPL-2.0-only
# What make install puts where, and that the man page is clean.

@test "make install honours DESTDIR and PREFIX" {
	run make -C "$BATS_TEST_DIRNAME/.." install DESTDIR="$BATS_TEST_TMPDIR" PREFIX=/opt/lkvm
	echo "$output"
	[ "$status" = 0 ]
	run "$BATS_TEST_TMPDIR/opt/lkvm/bin/lkvm" version
	[ "$status" = 0 ]
	[[ $output == "lkvm "* ]]
	[ -f "$BATS_TEST_TMPDIR/opt/lkvm/share/man/man1/lkvm.1" ]
}

@test "the man page has no warnings and names every option" {
	page=$BATS_TEST_DIRNAME/../docs/lkvm.1
	run env LC_ALL=C.UTF-8 man --warnings -E UTF-8 -l "$page"
	[ "$status" = 0 ]
	[[ $output != *"lkvm.1:"* ]]
	for option in $("${LKVM:-$BATS_TEST_DIRNAME/../lkvm}" help run | grep -o -- '--[a-z-]*' | sort -u); do
		grep -q -- "${option//-/\\\\-}" "$page" || {
			echo "the man page lacks $option"
			return 1
		}
	done
}
