/*
 * stub: a list of system calls that one thread of the target makes on its own, and then continues
 * where it was.
 *
 * The recorder writes this code into dead bytes of the target's text and a struct stub_data below
 * the thread's stack pointer, and sets pc and sp in one PTRACE_SETREGSET. From then on nothing
 * depends on the recorder: if it is killed, the thread completes the list, restores every register
 * and jumps back. The code has no call and no ret (shadow stacks), no SIMD, and nothing that
 * blocks. The layout of the struct is in stub.h; change both together.
 *
 * No instruction of this CPU loads pc from memory and leaves all general registers alone. So the
 * last instructions are elsewhere: 12 bytes within reach of a direct branch to where the thread
 * was, the way back (arch.c, arch_stub_set_back()). The stub restores all registers but x16 and
 * x17, puts these right below the old stack pointer, and jumps there. sp is the old one less
 * STUB_DATA_BYTES, so an addition restores it.
 *
 * x7 is not touched: while a thread is stopped for a system call, the kernel shows 0 or 1 in it,
 * and what a tracer writes there is lost (arch/arm64/kernel/ptrace.c, report_syscall()).
 */
	.include "ops.inc"
	.set FRAME, 144
	.set STUB_DATA_BYTES, 864       /* arch.c */

	.section .text.stub, "ax", @progbits
	.globl stub_entry
stub_entry:
	hint #38                        /* bti jc */
	sub sp, sp, #FRAME
	stp x0, x1, [sp]
	stp x2, x3, [sp, #16]
	stp x4, x5, [sp, #32]
	stp x6, x8, [sp, #48]
	stp x9, x10, [sp, #64]
	stp x11, x12, [sp, #80]
	stp x13, x14, [sp, #96]
	mrs x9, nzcv
	stp x15, x9, [sp, #112]
	stp x16, x17, [sp, #128]
	add x12, sp, #FRAME             /* struct stub_data */
	add x13, x12, #40               /* ops */
	ldr x15, [x12, #32]             /* n_ops */
1:	cbz x15, 8f
	sub x15, x15, #1
	op_load x14
	tbz x14, #OP_ADD_BASE, 2f
	ldr x9, [x12]
	add x0, x0, x9
2:	tbz x14, #OP_FD_R8, 2f
	ldr x4, [x12, #8]
2:	tbz x14, #OP_FD_RDI, 2f
	ldr x0, [x12, #8]
2:	tbnz x14, #OP_LINK, 4f
	tbnz x14, #OP_UNLINK, 5f
	tbnz x14, #OP_STORE, 6f
	mov w8, w14
	svc #0
	cmn x0, #4095                   /* an error: -4095 … -1 */
	b.hs 7f
	tbz x14, #OP_SAVE_BASE, 2f
	str x0, [x12]
2:	tbz x14, #OP_SAVE_FD, 3f
	str x0, [x12, #8]
3:	add x13, x13, #OP_BYTES
	b 1b

4:	/* link: x0 = &head, x1 = entry; entry->next = head; head = entry */
	ldar x9, [x0]
	cmp x9, x1
	b.eq 3b
	str x9, [x1]
2:	ldaxr x10, [x0]
	cmp x10, x9
	b.ne 4b
	stlxr w11, x1, [x0]
	cbnz w11, 2b
	dmb ish
	b 3b

	/* unlink, if we are first: head = entry->next. A hook that another thread appends to
	 * entry->next meanwhile is kept. */
5:
	ldar x9, [x1]
2:	ldaxr x10, [x0]
	cmp x10, x1
	b.ne 2f
	stlxr w11, x9, [x0]
	cbnz w11, 2b
	dmb ish
	ldar x10, [x1]
	cmp x10, x9
	b.eq 3b
1:	ldaxr x11, [x0]                 /* if head is still what was put there: what is next now */
	cmp x11, x9
	b.ne 1f
	stlxr w11, x10, [x0]
	cbnz w11, 1b
	dmb ish
	b 3b
1:	clrex
	b 3b
2:	clrex
	mov x0, #-2                     /* -ENOENT: not the first */
	b 7f

6:	/* store: *x0 = x1 */
	stlr x1, [x0]
	b 3b

7:	/* a call failed: undo the reservation and close the descriptor, report the error */
	mov x15, x0
	ldr x0, [x12]
	cbz x0, 2f
	ldr x1, [x12, #16]              /* total_bytes */
	cbz x1, 2f
	mov x8, #215                    /* munmap */
	svc #0
2:	ldr x0, [x12, #8]
	tbnz x0, #63, 2f
	mov x8, #57                     /* close */
	svc #0
2:	mov x9, x15
	b 9f
8:	ldr x9, [x12]
	cbnz x9, 9f
	mov x9, #1                      /* done, but nothing was mapped: 1 */
9:	ldr x10, [x12, #24]             /* mailbox */
	stlr x9, [x10]
	ldp x15, x9, [sp, #112]
	msr nzcv, x9
	ldp x13, x14, [sp, #96]
	ldp x11, x12, [sp, #80]
	ldp x9, x10, [sp, #64]
	ldp x6, x8, [sp, #48]
	ldp x4, x5, [sp, #32]
	ldp x2, x3, [sp, #16]
	ldp x0, x1, [sp]
	ldp x16, x17, [sp, #128]
	add sp, sp, #(FRAME + STUB_DATA_BYTES - 16)
	stp x16, x17, [sp]
	ldr x16, stub_way_back
	br x16                          /* to: bti jc; ldp x16, x17, [sp], #16; b where it was */
	.balign 8
	.globl stub_way_back
stub_way_back:                          /* the recorder fills in the last 16 bytes */
	.quad 0
	.quad 0
	.section .note.GNU-stack, "", @progbits
