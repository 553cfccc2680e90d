/*
 * entry: int hook(const char *event, PyObject *args, void *context), the first byte of the blob.
 *
 * The callee-saved registers are pushed in the layout of struct saved_regs (probe_cpu.h). Together
 * with the return address and the stack pointer before the call they are all that an unwinder
 * needs. The code does not change them, so nothing is restored. Always returns 0: the probe watches
 * and never vetoes.
 */
	.set PROBE_BLOB_OFF, 4096       /* abi.h */
	.section .text.entry, "ax", @progbits
	.globl probe_entry
	.type probe_entry, @function
probe_entry:
	endbr64
	pushq %rbp
	pushq %rbx
	pushq %r15
	pushq %r14
	pushq %r13
	pushq %r12
	/* Find the context from our own address: its address is also in the user data, but that may
	 * contain a count of the first hook as well (visit/lazy_link.h). */
	leaq probe_entry - PROBE_BLOB_OFF(%rip), %rdx
	movq %rsp, %rcx
	subq $8, %rsp
	call probe_hook
	addq $56, %rsp
	xorl %eax, %eax
	ret
	.size probe_entry, . - probe_entry

/* void at_exit(void): CPython calls it when it is finalised. */
	.globl probe_at_exit
	.type probe_at_exit, @function
probe_at_exit:
	endbr64
	jmp probe_all_is_over
	.size probe_at_exit, . - probe_at_exit
	.section .note.GNU-stack, "", @progbits
