# SPDX-License-Identifier: GPL-2.0-only
# A table of lines MEASURE|WHO|VALUE|UNIT in any order. The first WHO of a MEASURE is its
# baseline: what the ratios of all others are to. A value may be a word.
BEGIN { FS = "|" }

NF == 4 {
	if (!($1 in base)) {
		measures[++nr] = $1
		base[$1] = $3
	}
	n = ++count[$1]
	who[$1, n] = $2
	value[$1, n] = $3
	unit[$1, n] = $4
}

END {
	format = "%-50s %-22s %12s %-8s %8s\n"
	printf format, "measure", "of", "value", "", "ratio"
	for (i = 1; i <= nr; i++) {
		m = measures[i]
		for (n = 1; n <= count[m]; n++) {
			ratio = base[m] > 0 && value[m, n] ~ /^[0-9.]+$/ ? \
				sprintf("%.2f", value[m, n] / base[m]) : "-"
			printf format, n == 1 ? m : "", who[m, n], value[m, n], unit[m, n],
				n == 1 ? "1" : ratio
		}
	}
}
