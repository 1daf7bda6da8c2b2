#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# That every option that lkvm knows is in what people read: the man page, README.md and the
# completion of the shell. What lkvm knows is what "lkvm help" prints.

load helpers

setup()
{
	need "$LKVM"
	man_page=$tree/docs/lkvm.1
	readme=$tree/README.md
}

verbs()
{
	"$LKVM" help | sed -nE 's/^  ([a-z][a-z-]*)  .*/\1/p'
}

# "--disk", "--disk queues" for its suboption, and with "values" what may come before these:
# "--net tap=". What may have nothing behind it is without the "=": "--net new".
options() # VERB [values]
{
	local line option='' kind=values

	while IFS= read -r line; do
		if [[ $line =~ ^\ +(-[[:alnum:]],\ )?(--[a-z0-9-]+) ]]; then
			option=${BASH_REMATCH[2]}
			kind=values
			[ "${2:-}" ] || echo "$option"
		elif [[ $option && $line =~ ^\ {28}([a-z][a-z0-9-]*)(=)?([^ ]*)(\ |$) ]]; then
			case $kind${2:-} in
			valuesvalues) echo "$option ${BASH_REMATCH[1]}${BASH_REMATCH[2]}" ;;
			suboptions) echo "$option ${BASH_REMATCH[1]}" ;;
			esac
		fi
		[[ $line != *suboptions: ]] || kind=suboptions
	done < <("$LKVM" help "$1")
}

# "-d --disk"
letters() # VERB
{
	"$LKVM" help "$1" | sed -nE 's/^  (-[[:alnum:]]), (--[a-z0-9-]+).*/\1 \2/p'
}

# The man page without its fonts.
man_text()
{
	sed 's/\\-/-/g; s/\\f[RBI]//g' "$man_page"
}

# Its lines on an option, from the .TP that names it to that of another option.
man_part() # --OPTION
{
	man_text | awk -v option="$1" '
		/^\.S[HS]/ { on = 0 }
		tag {
			text = $0
			gsub(/[^-a-zA-Z0-9]/, " ", text)
			if (text ~ / --[a-z]/)
				on = index(text " ", " " option " ")
		}
		{ tag = $0 == ".TP" }
		on'
}

@test "help: the lists are not empty" {
	[ "$(verbs | wc -l)" -ge 3 ]
	[ "$(options run | grep -c '^--[^ ]*$')" -ge 10 ]
	[ "$(options run | grep -c '^--disk ')" -ge 5 ]
	[ "$(options run | grep -c '^--iommu ')" -ge 6 ]
	[ "$(options run values)" = "$(printf -- '--%s\n' 'net new' 'net tap=' 'net fd=' \
		{serial,console}\ {tty,pty,socket=,file=,null})" ]
	[ "$(letters run | wc -l)" -ge 8 ]
	[ "$(letters stop)" = $'-f --force\n-t --timeout\n-h --help' ]
}

@test "help: 'lkvm VERB --help' prints what 'lkvm help VERB' prints" {
	local verb

	for verb in $(verbs); do
		lkvm help "$verb"
		[ "$status" -eq 0 ]
		[ "${#stderr}" -eq 0 ]
		[[ $output == "usage: lkvm $verb"* ]]
		expected=$output
		for option in --help -h; do
			lkvm "$verb" "$option"
			[ "$status" -eq 0 ]
			[ "$output" = "$expected" ]
		done
	done
}

@test "help: the man page has each verb and option, and README.md those of run" {
	local verb option sub missing=

	for verb in $(verbs); do
		man_text | grep -qE "^\.B lkvm .*\<$verb\>|^\.B lkvm $verb\$" ||
			missing+="man page: lkvm $verb"$'\n'
		while read -r option sub; do
			{
				if [ "$verb" = run ]; then man_part "$option"; else man_text; fi
			} | grep -qE -- "^\.[BI].*[^a-z-]${sub:-$option}([^a-z-]|$)" ||
				missing+="man page: lkvm $verb $option $sub"$'\n'
			[ "$verb" = run ] && [ "$option" != --help ] || continue
			grep -E -- "^\|.*\`.*${option}[^a-z-]" "$readme" |
				grep -qE -- "[^a-z-]${sub:-$option}([^a-z-]|$)" ||
				missing+="README.md: $option $sub"$'\n'
		done < <(options "$verb")
	done
	echo "$missing"
	[ -z "$missing" ]
}

@test "help: the man page and README.md have each letter, and the values of run" {
	local verb letter option value missing=

	for verb in $(verbs); do
		while read -r letter option; do
			man_text | grep -qE -- "^\.B.*${letter}[ \",|]+$option" ||
				missing+="man page: $letter, $option"$'\n'
			[ "$option" != --help ] || continue
			grep -qE -- "^\|.*[^a-z-]$letter(\`, \`|\\\\\|)$option" "$readme" ||
				missing+="README.md: $letter, $option"$'\n'
		done < <(letters "$verb")
	done
	while read -r option value; do
		man_text | grep -qE "^\.B[IR]? $value( |\$)" || missing+="man page: $value"$'\n'
		grep -qE "^\|.*[^a-z-]$value" "$readme" || missing+="README.md: $value"$'\n'
	done < <(options run values)
	echo "$missing"
	[ -z "$missing" ]
}

@test "help: what it says of --trace is what there is" {
	local area

	for area in $("$LKVM" help run | sed -n 's/.*areas: //p' | tr -d ,); do
		lkvm run --trace "$area" --nonsense
		expect_error "--nonsense"
	done
	lkvm run --trace qqqqqqqq
	[ "${stderr#*known: }" = "$("$LKVM" help run | sed -n 's/.*areas: //p')" ]
}

# ---- completion ----

# What bash offers for the words, of which the last one is under the cursor, taken apart at
# "=" and ":" as bash does it. One a line.
complete_line() # WORD...
{
	PATH=${LKVM%/*}:$PATH bash --norc -c '
		source "$0"
		COMP_WORDS=("$@")
		COMP_CWORD=$(($# - 1))
		_lkvm
		printf "%s\n" "${COMPREPLY[@]}"' "$tree/completions/lkvm" "$LKVM" "$@"
}

@test "completion: all verbs" {
	run complete_line ''
	[ "$output" = "$(verbs)" ]
	run complete_line help r
	[ "$output" = "$(verbs | grep ^r)" ]
}

@test "completion: all options and suboptions of all verbs" {
	local verb option sub

	for verb in $(verbs); do
		while read -r option sub; do
			if [ -z "$sub" ]; then
				complete_line "$verb" "${option%?}" | grep -qx -- "$option"
			elif "$LKVM" help "$verb" | grep -qF -- "${option}[="; then
				complete_line "$verb" "$option" = "${sub%?}" | grep -qxE -- "$sub=?"
				complete_line "$verb" "$option" = "x,${sub%?}" | grep -qxE -- "x,$sub=?"
			else
				complete_line "$verb" "$option" "x,${sub%?}" | grep -qxE -- "x,$sub=?"
				complete_line "$verb" "$option" = "x,$sub" | grep -qxE -- "x,$sub=?"
			fi
		done < <(options "$verb")
	done
}

@test "completion: values" {
	cd "$BATS_TEST_TMPDIR"
	touch 'disk one.img' disk2.img
	run complete_line run --iommu = virtio,bypass = o
	[ "$output" = $'on\noff' ]
	run complete_line run --iommu = ''
	[ "$output" = virtio ]
	run complete_line run -d disk2.img,ro,iommu =
	[ "$output" = $'on\noff' ]
	run complete_line run -d disk
	[ "$(LC_ALL=C sort <<<"$output")" = $'disk one.img\ndisk2.img' ]
	run complete_line run --disk = disk2
	[ "$output" = disk2.img ]
	run complete_line run --disk = ram : 1M,ser
	[ "$output" = 1M,serial= ]
	run complete_line run -d disk2.img,ro,ro
	[ "$output" = '' ]
	run complete_line run --trace iommu,v
	[ "$output" = iommu,virtio ]
	run complete_line run --trace iommu,
	[ "$output" = iommu,virtio ]
	run complete_line run --trace = iommu,
	[ "$output" = iommu,virtio ]
	run complete_line run --mem 1
	[ "$output" = '' ]
	run complete_line run --hugepages ''
	[ "$output" = $'2M\n1G\nthp\noff' ]
	run complete_line run --hugepages = t
	[ "$output" = thp ]
	run complete_line run -n ''
	[ "$output" = $'new\ntap=\nfd=' ]
	run complete_line run -n new,
	[[ $output == $'new,mac=\nnew,queues='* && $output != *tap* ]]
	run complete_line run --net new = vm0,mtu
	[ "$output" = vm0,mtu= ]
	run complete_line run --net tap =
	[ "$output" = '' ]
}

@test "completion: back ends, and the files behind them" {
	local option backends=$'tty\npty\nsocket=\nfile=\nnull'

	cd "$BATS_TEST_TMPDIR"
	touch 'log one' other
	for option in --serial --console; do
		run complete_line run "$option" ''
		[ "$output" = "$backends" ]
		run complete_line run "$option" = ''
		[ "$output" = "$backends" ]
		run complete_line run "$option" file = l
		[ "$output" = 'log one' ]
		run complete_line run "$option" = socket = o
		[ "$output" = other ]
		run complete_line run "$option" pty = o
		[ "$output" = other ]
		run complete_line run "$option" null = o
		[ "$output" = '' ]
	done
	run complete_line run --console tty,p
	[ "$output" = tty,port= ]
}

@test "completion: nothing, and no complaint, where there is nothing" {
	run complete_line nonsense ''
	[ "$status" = 0 ]
	[ "$output" = '' ]
	run complete_line run --nonsense
	[ "$output" = '' ]
	LKVM=/nonexistent/lkvm run complete_line r
	[ "$output" = '' ]
}

@test "completion: names of guests, from 'lkvm list'" {
	cat >"$BATS_TEST_TMPDIR/lkvm" <<-'END'
		#!/bin/sh
		case "$*" in
		help*) exec "$REAL_LKVM" "$@" ;;
		'list --names') printf 'guest-1\nother\n' ;;
		esac
	END
	chmod +x "$BATS_TEST_TMPDIR/lkvm"
	export REAL_LKVM=$LKVM
	LKVM=$BATS_TEST_TMPDIR/lkvm
	run complete_line stat ''
	[ "$output" = $'guest-1\nother' ]
	run complete_line stat o
	[ "$output" = other ]
	run complete_line stop --timeout 5 ''
	[ "$output" = $'guest-1\nother' ]
	# One is enough, and a new guest must not have the name of one that runs.
	run complete_line stop other ''
	[ "$output" = $'--force\n--timeout\n--json\n--help' ]
	run complete_line stop -t 5 other g
	[ "$output" = '' ]
	run complete_line run --name ''
	[ "$output" = '' ]
	run complete_line run --name = g
	[ "$output" = '' ]
}
