/*
 * boot: the hook of a process that must not be stopped, until the probe is there.
 *
 * The recorder writes this code and its data into dead bytes of the target's text and links an entry that points here, all
 * from outside. The next event's own thread then makes the calls that an attach (or a leave) needs:
 *
 *   the interpreter frees its hooks?   take our entry out of the list: it is not CPython's to free
 *   mailbox open, and this process?    claim it; make the list of calls; put the answer into the mailbox;
 *                                      wait at most `wait` ns for the recorder to let entry.fn point to the probe
 *   else                               return 0
 *
 * Called as a hook (rdi event, rsi arguments, rdx user data); no libc, no errno, no SSE. boot.c fills the data.
 */
	.include "ops.inc"

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

2:	movq boot_mailbox(%rip), %rcx
	movq (%rcx), %rax
	cmpq boot_open(%rip), %rax
	jne 9b
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	pushq %rdi
	pushq %rsi
	movq %rcx, %r13
	movl $39, %eax                  /* getpid: a forked child has the entry too, but its own mailbox */
	syscall
	cmpq boot_pid(%rip), %rax
	jne 8f
	movq boot_open(%rip), %rax
	movq boot_claimed(%rip), %rcx
	lock cmpxchgq %rcx, (%r13)
	jne 8f
	leaq boot_ops(%rip), %rbx
	movq boot_n_ops(%rip), %r12
	xorl %ebp, %ebp                 /* base */
	movq $-1, %r15                  /* fd */
1:	testq %r12, %r12
	jz 5f
	decq %r12
	op_load %r14
	btq $OP_ADD_BASE, %r14
	jnc 2f
	addq %rbp, %rdi
2:	btq $OP_FD_R8, %r14
	jnc 2f
	movq %r15, %r8
2:	btq $OP_FD_RDI, %r14
	jnc 2f
	movq %r15, %rdi
	movq $-1, %r15                  /* the call closes it */
2:	movl %r14d, %eax
	syscall
	cmpq $-4096, %rax
	ja 4f
	btq $OP_SAVE_BASE, %r14
	jnc 3f
	movq %rax, %rbp
3:	btq $OP_SAVE_FD, %r14
	jnc 3f
	movq %rax, %r15
3:	addq $OP_BYTES, %rbx
	jmp 1b

4:	/* a call failed: undo the reservation, close the descriptor, tell the error */
	movq %rax, %r12
	movq %rbp, %rdi
	testq %rdi, %rdi
	jz 2f
	movq boot_total(%rip), %rsi
	movl $11, %eax                  /* munmap */
	syscall
2:	movq %r15, %rdi
	testq %rdi, %rdi
	js 2f
	movl $3, %eax                   /* close */
	syscall
2:	movq %r12, (%r13)
	jmp 8f

5:	testq %rbp, %rbp
	jnz 2f
	movq $1, (%r13)
	jmp 8f
2:	/* who we are, for the recorder, where the context will be */
	movq %fs:0, %rax
	movq %rax, (%rbp)
	movq %rsp, 8(%rbp)
	movl $186, %eax                 /* gettid */
	syscall
	movq %rax, 16(%rbp)
	movq %rbp, (%r13)
	movq boot_entry_at(%rip), %rbp
	subq $16, %rsp
	xorl %r14d, %r14d               /* until when */
1:	movl $24, %eax                  /* sched_yield */
	syscall
	movq 8(%rbp), %rbx
	leaq boot_entry(%rip), %rcx
	cmpq %rcx, %rbx
	jne 7f
	movl $228, %eax                 /* clock_gettime(CLOCK_MONOTONIC) */
	movl $1, %edi
	movq %rsp, %rsi
	syscall
	imulq $1000000000, (%rsp), %rax
	addq 8(%rsp), %rax
	testq %r14, %r14
	jnz 2f
	movq %rax, %r14
	addq boot_wait(%rip), %r14
2:	cmpq %r14, %rax
	jb 1b
	addq $16, %rsp
8:	popq %rsi
	popq %rdi
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	xorl %eax, %eax
	ret
7:	/* the probe is there: it gets this event */
	movq %rbx, %rax
	movq 16(%rbp), %rdx
	addq $16, %rsp
	popq %rsi
	popq %rdi
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	jmp *%rax

boot_last:
	.asciz "cpython._PySys_ClearAuditHooks"
	.balign 8
	/* struct boot_data of boot.c; its calls follow, and the path of an open() */
	.globl boot_data
boot_data:
boot_mailbox:	.quad 0
boot_entry_at:	.quad 0
boot_head:	.quad 0
boot_open:	.quad 0
boot_claimed:	.quad 0
boot_total:	.quad 0
boot_pid:	.quad 0
boot_wait:	.quad 0
boot_n_ops:	.quad 0
boot_path:	.quad 0
boot_ops:
	.section .note.GNU-stack, "", @progbits
