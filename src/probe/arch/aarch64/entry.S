/*
 * entry: int hook(const char *event, PyObject *args, void *context), the first byte of the blob.
 *
 * The callee-saved registers are stored in the layout of struct saved_regs (probe_cpu.h). Together
 * with the return address, which is x30, and the stack pointer before the call they are all that an
 * unwinder needs. The code does not change them, so only x29 and x30 are restored. Always returns
 * 0: the probe watches and never vetoes.
 *
 * A caller in text that is guarded by BTI may come by an indirect branch: hint #34 is "bti c", and
 * does nothing on processors that do not know it.
 */
	.set PROBE_BLOB_OFF, 65536      /* abi.h */
	.section .text.entry, "ax", @progbits
	.globl probe_entry
	.type probe_entry, @function
probe_entry:
	hint #34
	stp x29, x30, [sp, #-96]!
	stp x19, x20, [sp, #16]
	stp x21, x22, [sp, #32]
	stp x23, x24, [sp, #48]
	stp x25, x26, [sp, #64]
	stp x27, x28, [sp, #80]
	mov x29, sp
	/* Find the context from our own address: its address is also in the user data, but that may
	 * contain a count of the first hook as well (visit/lazy_link.h). */
	adr x2, probe_entry - PROBE_BLOB_OFF
	mov x3, sp
	bl probe_hook
	ldp x29, x30, [sp], #96
	mov w0, #0
	ret
	.size probe_entry, . - probe_entry

/* void at_exit(void): CPython calls it when it is finalised. */
	.globl probe_at_exit
	.type probe_at_exit, @function
probe_at_exit:
	hint #34
	b probe_all_is_over
	.size probe_at_exit, . - probe_at_exit
	.section .note.GNU-stack, "", @progbits
