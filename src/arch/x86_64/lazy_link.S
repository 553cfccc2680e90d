/*
 * lazy_link: the first hook of a lazy link. It serves a process that must not be stopped until the
 * probe is in place, and again when we leave.
 *
 * The recorder writes this code and its data into dead bytes of the target's text and links an
 * entry that points here, all from outside. A system call can kill the thread that makes it, if
 * that thread has a seccomp filter, and the thread that comes here has not been checked. So this
 * code makes no system call, and does not read the clock (PR_SET_TSC can forbid that). It holds the
 * thread that raises the next event, so that the recorder has a thread that it can stop without a
 * visible effect:
 *
 *   is the interpreter freeing its hooks?
 *         Take our entry out of the list: CPython must not free it.
 *   is LAZY_LINK_GO_ON set in the entry's user data?
 *         Count the event as missed, return 0.
 *   else
 *         Set LAZY_LINK_CAME. Spin until entry.fn is another function, and jump there. After
 *         `spins` turns, or if LAZY_LINK_GO_ON is set: set it, count the event as missed, return 0.
 *
 * It is called as a hook (rdi event, rsi arguments, rdx user data); no libc, no errno, no SSE.
 * lazy_link.c fills in the data.
 */
	.set ENTRY_FN, 8
	.set ENTRY_FLAGS, 16            /* the lowest byte of the user data: enum lazy_link_flag */
	.set ENTRY_MISSED, 22           /* its highest two: lazy_link.h, LAZY_LINK_MISSED_SHIFT */
	.set LAZY_LINK_CAME, 1
	.set LAZY_LINK_GO_ON, 2
	.set MISSED_MAX, 0x7fff

	.section .text.lazy_link, "ax", @progbits
	.globl lazy_link_entry
lazy_link_entry:
	leaq lazy_link_last(%rip), %rcx
	movq %rdi, %rax
1:	movb (%rcx), %r8b
	cmpb %r8b, (%rax)
	jne 2f
	incq %rax
	incq %rcx
	testb %r8b, %r8b
	jnz 1b
	/* the last event: no other thread runs Python any more */
	movq lazy_link_head(%rip), %rcx
	movq lazy_link_entry_at(%rip), %r8
1:	movq (%rcx), %rax
	testq %rax, %rax
	jz 9f
	cmpq %rax, %r8
	je 3f
	movq %rax, %rcx
	jmp 1b
3:	movq (%rax), %rax
	movq %rax, (%rcx)
9:	xorl %eax, %eax
	ret

2:	movq lazy_link_entry_at(%rip), %rcx
	movq lazy_link_spins(%rip), %r8
	leaq lazy_link_entry(%rip), %r9
	testb $LAZY_LINK_GO_ON, ENTRY_FLAGS(%rcx)
	jnz 4f
	lock orb $LAZY_LINK_CAME, ENTRY_FLAGS(%rcx)
1:	cmpq %r9, ENTRY_FN(%rcx)
	jne 5f
	testb $LAZY_LINK_GO_ON, ENTRY_FLAGS(%rcx)
	jnz 4f
	pause
	decq %r8
	jnz 1b
	lock orb $LAZY_LINK_GO_ON, ENTRY_FLAGS(%rcx)
/* Count before the last check of fn: a recorder that changes fn and then reads the count misses no
 * event. */
4:
	cmpw $MISSED_MAX, ENTRY_MISSED(%rcx)
	jae 9b
	lock incw ENTRY_MISSED(%rcx)
	cmpq %r9, ENTRY_FN(%rcx)
	je 9b
	lock decw ENTRY_MISSED(%rcx)
5:	/* the probe is in place: it gets this event */
	movq ENTRY_FN(%rcx), %rax
	jmp *%rax

lazy_link_last:
	.asciz "cpython._PySys_ClearAuditHooks"
	.balign 8
	/* struct lazy_link_data of lazy_link.c */
	.globl lazy_link_data
lazy_link_data:
lazy_link_entry_at:	.quad 0
lazy_link_head:	.quad 0
lazy_link_spins:	.quad 0
	.section .note.GNU-stack, "", @progbits
