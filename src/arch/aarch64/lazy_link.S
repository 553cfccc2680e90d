/*
 * lazy_link: the first hook of a lazy link. It serves a process that must not be stopped until the
 * probe is in place, and again when we leave. What it does and why: arch/x86_64/lazy_link.S, which
 * this follows step by step.
 *
 * It is called as a hook (x0 event, x1 arguments, x2 user data); no system call, no libc, no errno,
 * no SIMD, no atomics of ARMv8.1. lazy_link.c fills in the data.
 */
	.set ENTRY_FN, 8
	.set ENTRY_FLAGS, 16            /* the lowest byte of the user data: enum lazy_link_flag */
	.set ENTRY_MISSED, 22           /* its highest two: lazy_link.h, LAZY_LINK_MISSED_SHIFT */
	.set LAZY_LINK_CAME, 1
	.set LAZY_LINK_GO_ON, 2
	.set LAZY_LINK_GO_ON_BIT, 1
	.set MISSED_MAX, 0x7fff

	.section .text.lazy_link, "ax", @progbits
	.globl lazy_link_entry
lazy_link_entry:
	hint #34                        /* bti c: the text it is in may be guarded */
	adr x9, lazy_link_last
	mov x10, x0
1:	ldrb w11, [x9], #1
	ldrb w12, [x10], #1
	cmp w11, w12
	b.ne 2f
	cbnz w11, 1b
	/* the last event: no other thread runs Python any more */
	ldr x9, lazy_link_head
	ldr x10, lazy_link_entry_at
1:	ldr x11, [x9]
	cbz x11, 9f
	cmp x11, x10
	b.eq 3f
	mov x9, x11
	b 1b
3:	ldr x11, [x11]
	str x11, [x9]
9:	mov w0, #0
	ret

2:	ldr x9, lazy_link_entry_at
	ldr x10, lazy_link_spins
	adr x11, lazy_link_entry
	add x13, x9, #ENTRY_FLAGS
	add x14, x9, #ENTRY_FN
	ldarb w12, [x13]
	tbnz w12, #LAZY_LINK_GO_ON_BIT, 4f
1:	ldaxrb w12, [x13]
	orr w12, w12, #LAZY_LINK_CAME
	stlxrb w15, w12, [x13]
	cbnz w15, 1b
	dmb ish
1:	ldar x15, [x14]
	cmp x15, x11
	b.ne 5f
	ldarb w12, [x13]
	tbnz w12, #LAZY_LINK_GO_ON_BIT, 4f
	isb                             /* takes longer than yield */
	subs x10, x10, #1
	b.ne 1b
1:	ldaxrb w12, [x13]
	orr w12, w12, #LAZY_LINK_GO_ON
	stlxrb w15, w12, [x13]
	cbnz w15, 1b
/* Count before the last check of fn: a recorder that changes fn and then reads the count misses no
 * event. */
4:
	add x13, x9, #ENTRY_MISSED
	mov w10, #MISSED_MAX
1:	ldaxrh w12, [x13]
	cmp w12, w10
	b.hs 3f
	add w12, w12, #1
	stlxrh w15, w12, [x13]
	cbnz w15, 1b
	dmb ish
	ldar x15, [x14]
	cmp x15, x11
	b.eq 9b
1:	ldaxrh w12, [x13]
	sub w12, w12, #1
	stlxrh w15, w12, [x13]
	cbnz w15, 1b
5:	/* the probe is in place: it gets this event */
	ldar x16, [x14]
	isb
	br x16
3:	clrex
	b 9b

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
