/*
 * boot: the first hook of a process that must not be stopped, until the probe is there; and the last one, when we leave.
 *
 * The recorder writes this code and its data into unused bytes of the target's text and links an entry that points here, all
 * from outside. A system call can kill the thread that makes it, if that thread has a seccomp filter, and nobody has looked
 * at the thread that comes here. So this code makes no system call, and reads no clock (PR_SET_TSC can forbid that). It
 * holds the thread that raises the next event, so that the recorder finds one that it can stop without showing:
 *
 *   the interpreter frees its hooks?      take our entry out of the list: it is not CPython's to free
 *   BOOT_GO_ON in the entry's user data?  count the event as missed, return 0
 *   else                                  set BOOT_CAME; spin until entry.fn is another function, and go there;
 *                                         after `spins` turns, or when BOOT_GO_ON is set: set it, count, return 0
 *
 * Called as a hook (rdi event, rsi arguments, rdx user data); no libc, no errno, no SSE. boot.c fills the data.
 */
	.set ENTRY_FN, 8
	.set ENTRY_FLAGS, 16            /* the lowest byte of the user data: enum boot_flag */
	.set ENTRY_MISSED, 22           /* its highest two: boot.h, BOOT_MISSED_SHIFT */
	.set BOOT_CAME, 1
	.set BOOT_GO_ON, 2
	.set MISSED_MAX, 0x7fff

	.section .text.boot, "ax", @progbits
	.globl boot_entry
boot_entry:
	leaq boot_last(%rip), %rcx
	movq %rdi, %rax
1:	movb (%rcx), %r8b
	cmpb %r8b, (%rax)
	jne 2f
	incq %rax
	incq %rcx
	testb %r8b, %r8b
	jnz 1b
	/* the last event: no other thread runs Python any more */
	movq boot_head(%rip), %rcx
	movq boot_entry_at(%rip), %r8
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

2:	movq boot_entry_at(%rip), %rcx
	movq boot_spins(%rip), %r8
	leaq boot_entry(%rip), %r9
	testb $BOOT_GO_ON, ENTRY_FLAGS(%rcx)
	jnz 4f
	lock orb $BOOT_CAME, ENTRY_FLAGS(%rcx)
1:	cmpq %r9, ENTRY_FN(%rcx)
	jne 5f
	testb $BOOT_GO_ON, ENTRY_FLAGS(%rcx)
	jnz 4f
	pause
	decq %r8
	jnz 1b
	lock orb $BOOT_GO_ON, ENTRY_FLAGS(%rcx)
4:	/* Counted before the last look at fn: whoever changes fn and reads the count afterwards misses no event. */
	cmpw $MISSED_MAX, ENTRY_MISSED(%rcx)
	jae 9b
	lock incw ENTRY_MISSED(%rcx)
	cmpq %r9, ENTRY_FN(%rcx)
	je 9b
	lock decw ENTRY_MISSED(%rcx)
5:	/* the probe is there: it gets this event */
	movq ENTRY_FN(%rcx), %rax
	jmp *%rax

boot_last:
	.asciz "cpython._PySys_ClearAuditHooks"
	.balign 8
	/* struct boot_data of boot.c */
	.globl boot_data
boot_data:
boot_entry_at:	.quad 0
boot_head:	.quad 0
boot_spins:	.quad 0
	.section .note.GNU-stack, "", @progbits
