# SPDX-License-Identifier: GPL-2.0-only
# Stock Debian kernels in the lab, connected to their host by a network device: one L1 in
# which tests/linux/net.sh boots three guests, one after the other.

load linux

setup_file()
{
	need "$tools/tap-run"
	"$lab" fetch "$arch"
	"$lab" run --guest "$newest" --guest 6.12 --env IOMMU="$iommu" "$arch" "$scripts/net.sh" \
		"$scripts/net-guest.sh" "$tools/tap-run" >"$BATS_FILE_TMPDIR/output" 2>&1
}

# What net.sh printed in a section is this text.
section() # NAME TEXT
{
	local found

	found=$(awk -v name="== $1" '/^==/ { inside = $0 == name; next } inside' \
		"$BATS_FILE_TMPDIR/output")
	[ "$found" = "$2" ] || {
		cat "$BATS_FILE_TMPDIR/output"
		diff <(echo "$2") <(echo "$found")
	}
}

# What the guest of network 10.0.NET and its host say if all goes well.
both_ways() # NET QUEUE
{
	echo "10.0.$1: the guest reaches the host
10.0.$1: the host reaches the guest
10.0.$1: the guest received what the host sent
10.0.$1: receive queue $2 was at work
10.0.$1: the host received what the guest sent"
}

@test "a new interface: two queue pairs, jumbo frames, offloads, behind a strict IOMMU where there is one" {
	section new "status 0, the host's mtu 9000
10.0.1: 02:00:00:00:00:11, mtu 9000, rx-0 rx-1 tx-0 tx-1
10.0.1: carrier 1, class 0x020000, IOMMU $yes
10.0.1: checksums 11 TSO 1111 USO 11 mergeable 1 MQ 1 packed 0
$(both_ways 1 1)
interfaces:"
}

@test "a persistent interface, without offloads, behind a strict IOMMU where there is one" {
	section tap "status 0
10.0.2: 02:00:00:00:00:12, mtu 1500, rx-0 tx-0
10.0.2: carrier 1, class 0x020000, IOMMU $yes
10.0.2: checksums 00 TSO 0000 USO 00 mergeable 1 MQ 0 packed 0
$(both_ways 2 0)
interfaces: tap7"
}

@test "inherited descriptors, packed queues, no IOMMU, ended by SIGTERM" {
	section fd "status 143
10.0.3: 02:00:00:00:00:13, mtu 1500, rx-0 rx-1 tx-0 tx-1
10.0.3: carrier 1, class 0x020000, IOMMU no
10.0.3: checksums 11 TSO 1111 USO 11 mergeable 1 MQ 1 packed 1
$(both_ways 3 1)
interfaces:"
}

@test "an interface of one queue and one of three vanish with SIGKILL" {
	section SIGKILL 'interfaces:
interfaces:'
}
