# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Debian packages of any architecture, fetched by apt with package lists of our own: neither the
# machine's package sources nor its architectures change. Sourced by lab and sysroot.
#
# The caller sets $work, a folder for all of this, $debian_arch and the array suites, and has
# die() and need().

keyring=/usr/share/keyrings/debian-archive-keyring.gpg
mirror=${LKVM_LAB_MIRROR:-http://deb.debian.org/debian}

need_apt()
{
	need apt-get apt
	need dpkg dpkg
	[ -e $keyring ] || die "no $keyring: install the package debian-archive-keyring"
}

private_apt() # COMMAND ARG...: apt on package lists of the lab's own; a dead mirror ends it
{
	local command=$1

	shift
	LC_ALL=C timeout 1200 "$command" -c "$work/apt.conf" "$@" </dev/null
}

setup_apt()
{
	local suite

	rm -rf "$work/debs"
	mkdir -p "$work/state/lists/partial" "$work/cache/archives/partial" "$work/debs"
	for suite in "${suites[@]}"; do
		echo "deb [signed-by=$keyring] $mirror $suite main"
	done >"$work/sources.list"
	cat >"$work/apt.conf" <<-EOF
		Dir::Etc::sourcelist "$work/sources.list";
		Dir::Etc::sourceparts "/dev/null";
		Dir::Etc::preferences "/dev/null";
		Dir::Etc::preferencesparts "/dev/null";
		Dir::State "$work/state";
		Dir::State::lists "$work/state/lists";
		Dir::State::status "/dev/null";
		Dir::Cache "$work/cache";
		APT::Architecture "$debian_arch";
		#clear APT::Architectures;
		APT::Architectures { "$debian_arch"; };
		APT::Sandbox::User "";
		APT::Get::List-Cleanup "false";
		#clear APT::Update::Pre-Invoke;
		#clear APT::Update::Post-Invoke;
		#clear APT::Update::Post-Invoke-Success;
		#clear Acquire::IndexTargets::deb::DEP-11;
		Acquire::Languages "none";
		Acquire::Retries "3";
	EOF
	private_apt apt-get -q=2 update || die "cannot fetch Debian's package lists from $mirror"
}

download() # PACKAGE...
{
	local size

	size=$(private_apt apt-get --print-uris download "$@" |
		awk '{ n += $3 } END { printf "%.1f", n / 1000000 }')
	echo "fetching for $debian_arch: $* ($size MB)" >&2
	(cd "$work/debs" && private_apt apt-get -q=2 download "$@" >&2) ||
		die "cannot fetch packages from $mirror"
}

unpack() # PACKAGE FOLDER: adds the package's files to the folder
{
	local deb=("$work/debs/$1"_*.deb)

	dpkg -x "${deb[0]}" "$2" || die "cannot unpack ${deb[0]}"
}
