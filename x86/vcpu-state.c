// SPDX-License-Identifier: GPL-2.0-only
/* A vCPU's state in words, for who looks for the reason of its end. */
#include <linux/kvm.h>
#include <sys/ioctl.h>

#include "util/log.h"
#include "vm/vm.h"

static void show_events(const struct vcpu *vcpu)
{
	struct kvm_vcpu_events events;

	if (ioctl(vcpu->fd, KVM_GET_VCPU_EVENTS, &events) < 0)
		return;
	if (events.exception.injected || events.exception.pending)
		pr_info("vCPU %u: exception %u with error code 0x%x on its way", vcpu->index,
			events.exception.nr, events.exception.error_code);
	if (events.interrupt.injected)
		pr_info("vCPU %u: interrupt %u on its way", vcpu->index, events.interrupt.nr);
}

void arch_vcpu_show(const struct vcpu *vcpu)
{
	struct kvm_sregs s;
	struct kvm_regs r;

	if (ioctl(vcpu->fd, KVM_GET_REGS, &r) < 0 || ioctl(vcpu->fd, KVM_GET_SREGS, &s) < 0)
		return;
	pr_info("vCPU %u: rip 0x%llx cs 0x%x rsp 0x%llx ss 0x%x rflags 0x%llx", vcpu->index, r.rip,
		s.cs.selector, r.rsp, s.ss.selector, r.rflags);
	pr_info("vCPU %u: cr0 0x%llx cr2 0x%llx cr3 0x%llx cr4 0x%llx efer 0x%llx", vcpu->index,
		s.cr0, s.cr2, s.cr3, s.cr4, s.efer);
	pr_info("vCPU %u: idt 0x%llx gdt 0x%llx tr 0x%llx", vcpu->index, s.idt.base, s.gdt.base,
		s.tr.base);
	show_events(vcpu);
}
