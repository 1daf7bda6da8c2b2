# SPDX-License-Identifier: GPL-2.0-only
# Runs in the lab: the built-in guest for each row of the table,
#
#   OPTIONS|TEXT
#
# Prints each row with "done" if all checks passed, if there were many and if TEXT is in what the
# guest printed.
while IFS='|' read -r options text <&9; do
	# shellcheck disable=SC2086
	timeout -k 5 100 lkvm run $options </dev/null >output 2>errors
	status=$?
	checks=$(sed -n 's/^lkvm-demo: \([0-9]*\) checks passed, 0 failed$/\1/p' output)
	if [ $status = 0 ] && [ "${checks:-0}" -gt 20 ] && grep -qF -- "$text" output; then
		echo "$options: done"
	else
		echo "$options: status $status"
		cat errors output
	fi
done 9<table
