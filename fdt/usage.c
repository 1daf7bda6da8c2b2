// SPDX-License-Identifier: GPL-2.0-only
/* What is said in other words than on x86. */
#include "machine.h"

const char arch_kernel_usage[] = "Image, plain or packed by gzip or zstd, or EFI zboot\n"
				 "image; without it a built-in guest runs that shows\n"
				 "the machine at work";

const char arch_test_exit_usage[] = "let the guest end lkvm with the status that it writes\n"
				    "to address 0x01030000";
