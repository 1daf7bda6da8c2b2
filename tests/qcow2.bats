#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# qcow2 images of qemu-img: requests of all kinds, held against a flat file, and what qemu-img says
# of the image afterwards. tests/unit/test-qcow2-load.c makes the requests.

load helpers

setup() {
	need "$LKVM" "$LKVM_TEST_BIN/test-qcow2-load"
	cd "$BATS_TEST_TMPDIR" || return 1
}

create() # QEMU-IMG-OPTION...
{
	rm -f image.qcow2
	qemu-img create -q -f qcow2 "$@"
}

# The file model is what the image is to hold.
work() # STEPS THREADS [,SUBOPTION...]
{
	"$LKVM_TEST_BIN/test-qcow2-load" work "image.qcow2${3:-}" model "$1" "$2"
	qemu-img check -q image.qcow2
	qemu-img compare -q -f qcow2 -F raw image.qcow2 model
}

@test "qcow2: clusters, refcounts and versions" {
	local options

	for options in cluster_size=512,refcount_bits=1 cluster_size=512,compat=0.10 \
		cluster_size=1k,refcount_bits=64 cluster_size=4k,refcount_bits=2 cluster_size=64k \
		cluster_size=64k,compat=0.10 cluster_size=2M,refcount_bits=8 \
		cluster_size=16k,extended_l2=on cluster_size=64k,extended_l2=on,lazy_refcounts=on \
		cluster_size=64k,preallocation=metadata; do
		echo "$options"
		create -o "$options" image.qcow2 5M
		rm -f model
		truncate -s 5M model
		work 80 1
		work 40 4
	done
}

@test "qcow2: past the host's page cache" {
	create -o cluster_size=512 image.qcow2 3000k
	truncate -s 3000k model
	work 80 2 ,direct
}

@test "qcow2: compressed clusters" {
	local options

	seq 1 2000000 | head -c 5M >plain
	for options in cluster_size=64k cluster_size=4k,compat=0.10 \
		cluster_size=64k,compression_type=zstd cluster_size=64k,extended_l2=on \
		cluster_size=2M,compression_type=zstd; do
		echo "$options"
		rm -f image.qcow2
		qemu-img convert -q -c -O qcow2 -o "$options" plain image.qcow2
		cp plain model
		work 30 3 ,ro
		work 50 3
	done
}

@test "qcow2: backing files, shorter than the image, and internal snapshots" {
	local options

	head -c 3000000 /dev/urandom >base.raw
	truncate -s 3000001 base.raw
	qemu-img convert -q -c -O qcow2 -o compat=1.1 -f raw base.raw base.qcow2
	truncate -s 5M base.raw
	for options in cluster_size=64k cluster_size=4k,compat=0.10 cluster_size=64k,extended_l2=on; do
		echo "$options"
		create -o "$options" -b base.raw -F raw image.qcow2 6M
		cp base.raw model
		truncate -s 6M model
		work 50 3
		create -o "$options" -b base.qcow2 -F qcow2 image.qcow2 6M
		cp base.raw model
		truncate -s 6M model
		work 40 1
		qemu-img snapshot -c one image.qcow2
		cp model one
		work 50 3
		qemu-img snapshot -c two image.qcow2
		work 40 1
		qemu-img snapshot -d two image.qcow2
		work 40 1
		qemu-img snapshot -a one image.qcow2
		cp one model
		work 40 3
	done
}

@test "qcow2: qemu-io and lkvm take turns" {
	create -o cluster_size=64k,lazy_refcounts=on image.qcow2 4M
	truncate -s 4M model
	for i in 1 2 3; do
		qemu-io -f qcow2 -c "write -P $i ${i}00k 300k" -c "write -z $((i * 7))01k 100k" \
			-c "discard $((i * 9))00k 256k" image.qcow2 >/dev/null
		qemu-img convert -q -f qcow2 -O raw image.qcow2 model
		work 50 2
	done
}

# What a killed program had not flushed may be lost, and clusters counted that nothing uses.
@test "qcow2: killed in the middle" {
	local status options

	for options in cluster_size=512 cluster_size=4k cluster_size=64k,extended_l2=on; do
		create -o "$options" image.qcow2 4M
		truncate -s 4M model
		for i in 20 50 100; do
			run "$LKVM_TEST_BIN/test-qcow2-load" kill image.qcow2 model "$i" 3
			qemu-img convert -q -f qcow2 -O raw image.qcow2 model
			status=0
			qemu-img check -q image.qcow2 || status=$?
			echo "$options: after $i steps $status"
			[ "$status" = 0 ] || [ "$status" = 3 ]
		done
		qemu-img check -q -r leaks image.qcow2
		qemu-img convert -q -f qcow2 -O raw image.qcow2 model
		work 50 3
	done
}

@test "qcow2: the dirty bit, which a killed QEMU leaves" {
	create -o lazy_refcounts=on image.qcow2 4M
	run qemu-io -f qcow2 -c 'write -P 7 0 64k' -c abort image.qcow2
	[ "$status" = 134 ]
	run_lkvm -d image.qcow2
	expect_error 'not closed by its last user' "'qemu-img check -r all' mends it, or open it with ',ro'"
	qemu-img check -q -r all image.qcow2
	truncate -s 4M model
	qemu-img convert -q -f qcow2 -O raw image.qcow2 model
	work 20 1
}

@test "qcow2: what is refused, with the way out" {
	truncate -s 1M data plain
	create -o data_file=data,data_file_raw=on image.qcow2 1M
	run_lkvm -d image.qcow2
	expect_error 'its data is in another file' "'qemu-img convert -O qcow2'"
	qemu-img create -q -f qcow2 --object secret,id=s,data=abc \
		-o encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10 luks.qcow2 1M
	run_lkvm -d luks.qcow2
	expect_error 'it is encrypted' "'qemu-img convert'"
	mkdir folder
	qemu-img create -q -f qcow2 -b "$PWD/plain" -F raw folder/image.qcow2
	run_lkvm -d folder/image.qcow2
	expect_error 'is not in the folder of the image' "'-d folder/image.qcow2,backing=FILE'"
	cp image.qcow2 disk.img
	run_lkvm -d disk.img
	expect_error 'it begins as a qcow2 image does' "'-d disk.img,format=qcow2'"
	run_lkvm -d plain,format=qcow2
	expect_error 'it is no qcow2 image' "'-d plain,format=raw'"
	run_lkvm -d ram:1M,format=qcow2
	expect_error 'memory is neither qcow2'
	run_lkvm -d plain,format=vmdk
	expect_error '--disk: format=vmdk: it is raw or qcow2'
	run_lkvm -d plain,backing
	expect_error '--disk: backing= needs a file name'
}

@test "qcow2: the built-in guest's disk, with a backing file" {
	need_kvm
	truncate -s 4M base
	create -b base -F raw image.qcow2 16M
	run_lkvm --iommu=virtio -d image.qcow2,queues=2 -d ram:1M
	[ "$status" -eq 0 ]
	[[ $output == *'a disk that is writable and blank'* ]]
	qemu-img check -q image.qcow2
	truncate -s 16M base
	qemu-img compare -q -f qcow2 -F raw image.qcow2 base
}
