# SPDX-License-Identifier: GPL-2.0-only
# Runs in the lab: tests/guests/tables.c for each row of the table,
#
#   OPTIONS|TEXT|...
#
# Prints each row with "done" if all checks passed and if a line begins with each TEXT.
while IFS='|' read -r options texts <&9; do
	# shellcheck disable=SC2086
	timeout -k 5 100 lkvm run --test-exit -k tables.img $options </dev/null >output 2>errors
	status=$?
	checks=$(sed -n 's/^tables: \([0-9]*\) checks passed, 0 failed$/\1/p' output)
	if [ $status != 0 ] || [ "${checks:-0}" -lt 9 ] || [ -s errors ]; then
		echo "$options: status $status"
		cat errors output
		continue
	fi
	missing=$(echo "$texts" | tr '|' '\n' | while IFS= read -r text; do
		grep -q -- "^$text" output || echo "not there: $text"
	done)
	echo "$options: ${missing:-done}"
done 9<table
