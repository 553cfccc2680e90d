/*
 * weak_memory: every way in which the processors of a weakly ordered machine may execute a few
 * short programs that share memory.
 *
 * The machine is that of Armv8 (Arm ARM for A-profile, B2.3; as a machine: Pulte et al.,
 * "Simplifying ARM concurrency", POPL 2018): there is one memory, and each access takes effect in
 * it for all processors at once, but a processor makes its accesses in any order that these rules
 * allow:
 *
 *   - accesses to one place keep their order; a load may take the value of an earlier store of its
 *     own processor that has not taken effect;
 *   - nothing comes before an acquire load; a release store comes after everything before it; of
 *     sequentially consistent ones, a load also comes after earlier stores (LDAR after STLR; an
 *     acquire load is LDAPR, which does not);
 *   - a store comes after the branches before it and the loads that it depends on; a load may come
 *     before branches: then it is made on a guess, and what was guessed wrong has not happened;
 *   - a read-modify-write is a load and a store (LDXR, STXR), between which no other processor
 *     writes to the place. In between, it may make other accesses. Those of LSE (CAS, LDADD) do
 *     less, so they need no model of their own;
 *   - the system calls of futex(2) are full barriers (kernel/futex/waitwake.c, "Basic futex
 *     operation and ordering guarantees").
 *
 * x86-64 allows less than this. weak_run() tries all of it by a search through the states.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
	WEAK_PLACES = 10,
	WEAK_THREADS = 3,
	WEAK_REGS = 8,
	WEAK_WINDOW = 10, /* accesses that a processor has in hand */
	WEAK_INSNS = 64
};

enum weak_op {
	W_END,
	W_LOAD,  /* reg = place */
	W_UNTIL, /* the same, when the place does not hold `value`: the end of a loop that waits */
	W_STORE, /* place = value (+ src) */
	W_ADD,   /* reg = place, place += value: read-modify-write */
	W_CAS,   /* reg = place; if it was 0: place = value (+ src) */
	W_WAIT,  /* futex: sleep if the place holds value (+ src) */
	W_WAKE,  /* futex: wake what sleeps there */
	W_IF     /* go to `to` if reg holds value (+ src) */
};
struct weak_insn {
	uint8_t op, place, reg, value;
	uint8_t order; /* __ATOMIC_… */
	uint8_t src;   /* 1 + the number of a register, 0: none */
	uint8_t to;
};
enum weak_stage { IN_HAND, HALF_DONE /* the load of a read-modify-write */, IS_DONE };
struct weak_entry {
	uint8_t pc, stage, value, is_guessed;
};
struct weak_thread {
	uint8_t pc, n, asleep; /* asleep: 1 + place */
	uint8_t regs[WEAK_REGS];
	struct weak_entry e[WEAK_WINDOW];
};
struct weak_state {
	uint8_t memory[WEAK_PLACES],
	    owner[WEAK_PLACES]; /* owner: 1 + thread in a read-modify-write */
	struct weak_thread t[WEAK_THREADS];
};

struct weak {
	const struct weak_insn *programs[WEAK_THREADS];
	size_t n_threads;
	/* Is this a right end? */
	bool (*is_right)(const struct weak_state *s);
	struct weak_state *todo; /* states to look at */
	size_t n_todo, cap_todo;
	uint64_t (*seen)[2]; /* hashes of the states that were found */
	size_t n_seen, cap_seen;
	size_t n_made;                   /* accesses made */
	size_t n_ends, n_wrong, n_stuck; /* stuck: a thread sleeps or waits for ever */
};

static inline uint64_t weak_hash(const struct weak_state *s, uint64_t h)
{
	const uint8_t *p = (const uint8_t *)s;
	for (size_t i = 0; i < sizeof(*s); i++) {
		h = (h ^ p[i]) * 0x9e3779b97f4a7c15u;
		h ^= h >> 29;
	}
	return h | 1;
}

/* Remember the state, and look at it later, if it is new. */
static inline void weak_add(struct weak *w, const struct weak_state *s)
{
	if (2 * w->n_seen >= w->cap_seen) {
		size_t cap = w->cap_seen ? 2 * w->cap_seen : 1 << 16;
		uint64_t(*all)[2] = calloc(cap, sizeof(*all));
		for (size_t i = 0; i < w->cap_seen; i++) {
			size_t at = w->seen[i][0] % cap;
			while (w->seen[i][0] && all[at][0])
				at = (at + 1) % cap;
			if (w->seen[i][0])
				memcpy(all[at], w->seen[i], sizeof(*all));
		}
		free(w->seen);
		w->seen = all;
		w->cap_seen = cap;
	}
	uint64_t a = weak_hash(s, 1), b = weak_hash(s, 2);
	size_t at = a % w->cap_seen;
	for (; w->seen[at][0]; at = (at + 1) % w->cap_seen)
		if (w->seen[at][0] == a && w->seen[at][1] == b)
			return;
	w->seen[at][0] = a;
	w->seen[at][1] = b;
	w->n_seen++;
	if (w->n_todo == w->cap_todo) {
		w->cap_todo = w->cap_todo ? 2 * w->cap_todo : 1024;
		w->todo = realloc(w->todo, w->cap_todo * sizeof(*w->todo));
	}
	w->todo[w->n_todo++] = *s;
}

/* ---- what an instruction is ---- */

static inline bool weak_acquires(const struct weak_insn *i)
{
	return i->op != W_STORE && i->op != W_IF &&
	       (i->order == __ATOMIC_ACQUIRE || i->order == __ATOMIC_ACQ_REL ||
		i->order == __ATOMIC_SEQ_CST);
}

static inline bool weak_releases(const struct weak_insn *i)
{
	return (i->op == W_STORE || i->op == W_ADD || i->op == W_CAS) &&
	       (i->order == __ATOMIC_RELEASE || i->order == __ATOMIC_ACQ_REL ||
		i->order == __ATOMIC_SEQ_CST);
}

static inline bool weak_is_rmw(const struct weak_insn *i)
{
	return i->op == W_ADD || i->op == W_CAS;
}

static inline bool weak_is_call(const struct weak_insn *i)
{
	return i->op == W_WAIT || i->op == W_WAKE;
}

static inline bool weak_writes_reg(const struct weak_insn *i)
{
	return i->op == W_LOAD || i->op == W_UNTIL || weak_is_rmw(i);
}

/* The value of a register before entry `n`; false: not known yet. */
static inline bool weak_reg(const struct weak_insn *program, const struct weak_thread *t, size_t n,
			    uint8_t reg, uint8_t *ret)
{
	for (size_t k = n; k--;) {
		const struct weak_insn *i = &program[t->e[k].pc];
		if (weak_writes_reg(i) && i->reg == reg) {
			*ret = t->e[k].value;
			return t->e[k].stage != IN_HAND;
		}
	}
	*ret = t->regs[reg];
	return true;
}

/* value (+ src) */
static inline bool weak_operand(const struct weak_insn *program, const struct weak_thread *t,
				size_t n, uint8_t *ret)
{
	const struct weak_insn *i = &program[t->e[n].pc];
	uint8_t more = 0;
	if (i->src && !weak_reg(program, t, n, (uint8_t)(i->src - 1), &more))
		return false;
	*ret = (uint8_t)(i->value + more);
	return true;
}

/* ---- fetching: what a processor has in hand ---- */

/* Retire what is done, and look at branches whose registers are known. False: one was guessed
 * wrong, so this has not happened. */
static inline bool weak_settle(const struct weak_insn *program, struct weak_thread *t)
{
	for (size_t n = 0; n < t->n; n++) {
		const struct weak_insn *i = &program[t->e[n].pc];
		uint8_t is, want;
		if (i->op != W_IF || t->e[n].stage == IS_DONE ||
		    !weak_reg(program, t, n, i->reg, &is) || !weak_operand(program, t, n, &want))
			continue;
		if ((is == want) != t->e[n].is_guessed)
			return false;
		t->e[n].stage = IS_DONE;
	}
	size_t n_done = 0;
	for (; n_done < t->n && t->e[n_done].stage == IS_DONE; n_done++)
		if (weak_writes_reg(&program[t->e[n_done].pc]))
			t->regs[program[t->e[n_done].pc].reg] = t->e[n_done].value;
	t->n = (uint8_t)(t->n - n_done);
	memmove(t->e, t->e + n_done, t->n * sizeof(t->e[0]));
	memset(t->e + t->n, 0, (WEAK_WINDOW - t->n) * sizeof(t->e[0]));
	return true;
}

/* Fill the hands of all processors and add the states that come of it: two for each guess. */
static inline void weak_fetch(struct weak *w, struct weak_state *s)
{
	for (size_t k = 0; k < w->n_threads;) {
		struct weak_thread *t = &s->t[k];
		const struct weak_insn *i = &w->programs[k][t->pc];
		if (!weak_settle(w->programs[k], t))
			return;
		/* behind a system call nothing is made before it */
		bool is_full = t->n == WEAK_WINDOW ||
			       (t->n && weak_is_call(&w->programs[k][t->e[t->n - 1].pc]));
		if (i->op == W_END || is_full) {
			k++;
			continue;
		}
		t->e[t->n++] = (struct weak_entry){ .pc = t->pc };
		t->pc++;
		if (i->op != W_IF)
			continue;
		uint8_t is, want;
		size_t n = t->n - 1u;
		bool is_known = weak_reg(w->programs[k], t, n, i->reg, &is) &&
				weak_operand(w->programs[k], t, n, &want);
		if (is_known ? is == want : true) {
			if (!is_known) { /* the other guess */
				struct weak_state other = *s;
				weak_fetch(w, &other);
				t = &s->t[k];
			}
			t->e[n].is_guessed = true;
			t->pc = i->to;
		}
	}
	weak_add(w, s);
}

/* ---- making accesses ---- */

/* May entry n of the thread be made now, as far as those before it are concerned? *ret_from: 1 +
 * the entry of an earlier store whose value a load takes, 0: memory. */
static inline bool weak_is_free(const struct weak_insn *program, const struct weak_thread *t,
				size_t n, bool is_store, size_t *ret_from)
{
	const struct weak_insn *i = &program[t->e[n].pc];
	*ret_from = 0;
	for (size_t k = 0; k < n; k++) {
		const struct weak_insn *b = &program[t->e[k].pc];
		uint8_t stage = t->e[k].stage;
		if (stage == IS_DONE)
			continue;
		if (weak_is_call(i) || weak_is_call(b) || (is_store && weak_releases(i)))
			return false;
		if (b->op == W_IF) {
			if (is_store)
				return false;
			continue;
		}
		if (weak_acquires(b) && stage == IN_HAND)
			return false;
		if (!is_store && weak_releases(b) && b->order == __ATOMIC_SEQ_CST &&
		    i->order == __ATOMIC_SEQ_CST)
			return false;
		if (b->place != i->place)
			continue;
		if (is_store || b->op != W_STORE || weak_is_rmw(i))
			return false;
		*ret_from = k + 1; /* the last one */
	}
	return true;
}

static inline void weak_load(struct weak *w, const struct weak_state *s, size_t k, size_t n)
{
	struct weak_state next = *s;
	const struct weak_insn *program = w->programs[k], *i = &program[s->t[k].e[n].pc];
	struct weak_entry *e = &next.t[k].e[n];
	size_t from;
	if (!weak_is_free(program, &s->t[k], n, false, &from))
		return;
	if (from ? !weak_operand(program, &s->t[k], from - 1, &e->value) : false)
		return;
	if (!from)
		e->value = s->memory[i->place];
	if (i->op == W_UNTIL && e->value == i->value)
		return;
	w->n_made++;
	e->stage = IS_DONE;
	if (i->op == W_ADD || (i->op == W_CAS && !e->value)) {
		if (s->owner[i->place]) {
			w->n_made--;
			return;
		}
		next.owner[i->place] = (uint8_t)(k + 1);
		e->stage = HALF_DONE;
	}
	weak_fetch(w, &next);
}

static inline void weak_store(struct weak *w, const struct weak_state *s, size_t k, size_t n)
{
	struct weak_state next = *s;
	const struct weak_insn *program = w->programs[k], *i = &program[s->t[k].e[n].pc];
	struct weak_entry *e = &next.t[k].e[n];
	uint8_t value, owner = s->owner[i->place];
	size_t from;
	if (!weak_is_free(program, &s->t[k], n, true, &from) ||
	    !weak_operand(program, &s->t[k], n, &value) || (owner && owner != k + 1))
		return;
	next.memory[i->place] = (uint8_t)(i->op == W_ADD ? e->value + value : value);
	next.owner[i->place] = 0;
	w->n_made++;
	e->stage = IS_DONE;
	weak_fetch(w, &next);
}

static inline void weak_call(struct weak *w, const struct weak_state *s, size_t k, size_t n)
{
	struct weak_state next = *s;
	const struct weak_insn *program = w->programs[k], *i = &program[s->t[k].e[n].pc];
	size_t from;
	uint8_t value;
	if (!weak_is_free(program, &s->t[k], n, true, &from) ||
	    !weak_operand(program, &s->t[k], n, &value))
		return;
	w->n_made++;
	next.t[k].e[n].stage = IS_DONE;
	if (i->op == W_WAIT && s->memory[i->place] == value)
		next.t[k].asleep = (uint8_t)(i->place + 1);
	for (size_t o = 0; o < w->n_threads && i->op == W_WAKE; o++)
		if (next.t[o].asleep == i->place + 1)
			next.t[o].asleep = 0;
	weak_fetch(w, &next);
}

static inline void weak_step(struct weak *w, const struct weak_state *s)
{
	size_t before = w->n_made, n_left = 0, n_half = 0;
	for (size_t k = 0; k < w->n_threads; k++) {
		const struct weak_thread *t = &s->t[k];
		n_left += t->n || t->asleep;
		for (size_t n = 0; n < t->n && !t->asleep; n++) {
			const struct weak_insn *i = &w->programs[k][t->e[n].pc];
			n_half += t->e[n].stage == HALF_DONE;
			if (t->e[n].stage == IS_DONE || i->op == W_IF)
				continue;
			if (weak_is_call(i))
				weak_call(w, s, k, n);
			else if (i->op == W_STORE || t->e[n].stage == HALF_DONE)
				weak_store(w, s, k, n);
			else
				weak_load(w, s, k, n);
		}
	}
	if (!n_left) {
		w->n_ends++;
		w->n_wrong += !w->is_right(s);
	} else if (w->n_made == before && !n_half) /* else a read-modify-write begins anew */
		w->n_stuck++;
}

/* All memory is 0 at first, but for `memory`. The caller frees nothing; counts are in *w. */
static inline void weak_run(struct weak *w, const uint8_t memory[WEAK_PLACES])
{
	struct weak_state s = { 0 };
	memcpy(s.memory, memory, sizeof(s.memory));
	weak_fetch(w, &s);
	while (w->n_todo) {
		s = w->todo[--w->n_todo];
		weak_step(w, &s);
	}
	free(w->todo);
	free(w->seen);
}
