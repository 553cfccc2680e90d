/*
 * stub: a list of system calls that one thread of the target makes on its own, and then continues
 * where it was.
 *
 * The recorder writes this code into dead bytes of the target's text and a struct stub_data below
 * the thread's stack pointer, and sets rip and rsp in one PTRACE_SETREGS. From then on nothing
 * depends on the recorder: if it is killed, the thread completes the list, restores every register
 * and jumps back. The code has no call and no ret (shadow stacks), no SSE, and nothing that blocks.
 * The layout of the struct is in stub.h; change both together.
 */
	.include "ops.inc"

	.section .text.stub, "ax", @progbits
	.globl stub_entry
stub_entry:
	pushfq
	pushq %rax
	pushq %rcx
	pushq %rdx
	pushq %rbx
	pushq %rbp
	pushq %rsi
	pushq %rdi
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %r12
	cld
	leaq 104(%rsp), %rbp            /* struct stub_data */
	leaq 40(%rbp), %rbx             /* ops */
	movq 32(%rbp), %r12             /* n_ops */
1:	testq %r12, %r12
	jz 8f
	decq %r12
	op_load %rax
	btq $OP_ADD_BASE, %rax
	jnc 2f
	addq (%rbp), %rdi
2:	btq $OP_FD_R8, %rax
	jnc 2f
	movq 8(%rbp), %r8
2:	btq $OP_FD_RDI, %rax
	jnc 2f
	movq 8(%rbp), %rdi
2:	btq $OP_LINK, %rax
	jc 4f
	btq $OP_UNLINK, %rax
	jc 5f
	btq $OP_STORE, %rax
	jc 6f
	movl %eax, %eax
	syscall
	cmpq $-4096, %rax
	ja 7f
	movq (%rbx), %rcx
	btq $OP_SAVE_BASE, %rcx
	jnc 2f
	movq %rax, (%rbp)
2:	btq $OP_SAVE_FD, %rcx
	jnc 3f
	movq %rax, 8(%rbp)
3:	addq $OP_BYTES, %rbx
	jmp 1b

4:	/* link: rdi = &head, rsi = entry; entry->next = head; head = entry */
	movq (%rdi), %rax
2:	cmpq %rsi, %rax
	je 3b
	movq %rax, (%rsi)
	lock cmpxchgq %rsi, (%rdi)
	jne 2b
	jmp 3b

	/* unlink, if we are first: head = entry->next. A hook that another thread appends to
	 * entry->next meanwhile is kept. */
5:
	movq (%rsi), %rdx
	movq %rsi, %rax
	lock cmpxchgq %rdx, (%rdi)
	jne 2f
	movq (%rsi), %rcx
	cmpq %rcx, %rdx
	je 3b
	movq %rdx, %rax
	lock cmpxchgq %rcx, (%rdi)
	jmp 3b
2:	movq $-2, %rax                  /* -ENOENT: not the first */
	jmp 7f

6:	/* store: *rdi = rsi */
	movq %rsi, (%rdi)
	jmp 3b

7:	/* a call failed: undo the reservation and close the descriptor, report the error */
	movq %rax, %r12
	movq (%rbp), %rdi
	testq %rdi, %rdi
	jz 2f
	movq 16(%rbp), %rsi             /* total_bytes */
	testq %rsi, %rsi
	jz 2f
	movl $11, %eax                  /* munmap */
	syscall
2:	movq 8(%rbp), %rdi
	cmpq $0, %rdi
	jl 2f
	movl $3, %eax                   /* close */
	syscall
2:	movq %r12, %rax
	jmp 9f
8:	movq (%rbp), %rax
	testq %rax, %rax
	jnz 9f
	incq %rax                       /* done, but nothing was mapped: 1 */
9:	movq 24(%rbp), %rcx             /* mailbox */
	movq %rax, (%rcx)
	popq %r12
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rdi
	popq %rsi
	popq %rbp
	popq %rbx
	popq %rdx
	popq %rcx
	popq %rax
	popfq
	movq stub_saved_rsp(%rip), %rsp
	jmp *stub_saved_rip(%rip)
	.balign 8
	.globl stub_saved_rip
stub_saved_rip:
	.quad 0
	.globl stub_saved_rsp
stub_saved_rsp:
	.quad 0
	.section .note.GNU-stack, "", @progbits
