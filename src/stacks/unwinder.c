/*
 * unwinder: see unwinder.h.
 *
 * One step of a walk:
 *
 *     pc in a module        row from the cache, else made from its call frame information, else
 *                           libunwind
 *     pc elsewhere          trampoline, frame pointer, or the end
 *     apply the row         CFA, then each register; the new sp must be larger than the old one
 */
#include "stacks/unwinder.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash_map.h"
#include "base/monotonic.h"
#include "base/vec.h"
#include "probe/abi.h"
#include "stacks/evaluator.h"
#include "stacks/machine_code.h"
#include "stacks/unwind_lib.h"

/* The form of nearly every row: the CFA counts from a register, the named registers are saved
 * relative to the CFA, the return address is among them, and rsp becomes the CFA. */
struct plain_row {
	uint8_t n_saved; /* 0: the row does not have this form */
	uint8_t cfa_reg, pc_bits;
	uint8_t regs[CFI_REG_COUNT];
	int32_t cfa_off;
	int32_t first_off, last_off; /* lowest and highest place, relative to the CFA */
	int32_t offs[CFI_REG_COUNT];
};

/* A cached row, for one lookup pc. */
struct cached_row {
	uint8_t status; /* enum cfi_status: failures are cached too */
	struct plain_row plain;
	struct cfi_row row;
};

struct unwinder {
	struct modules *modules;
	VEC(struct cached_row) rows;
	struct hash_map rows_by_pc; /* lookup pc → index in rows + 1 */
	struct cfi_scratch scratch;
	const struct evaluator *evaluator; /* NULL: unknown */
	bool has_jit;
	struct unwind_lib *lib; /* NULL until needed */
	bool lib_failed, lib_only, lib_caching;
	bool maps_stale; /* read the maps before the next walk */
	/* how often the maps were read for an unknown pc and had not changed, minus one for each
	 * gap since */
	uint64_t n_in_vain;
	uint64_t rationed_ns; /* CLOCK_MONOTONIC: when that was last computed */
	uint64_t next_stale_ns;
	uint64_t generation;
	struct unwind_counts counts;
};

#define MAX_ROWS       (1u << 18)
#define REFRESH_GAP_NS 20000000ull
#define MAX_IN_VAIN    8u
#define MAX_SCAN_BYTES 4096u

const char *unwinder_stop_text(enum unwind_stop stop)
{
	static const char *const texts[UNWIND_STOP_COUNT] = {
		[UNWIND_COMPLETE] = "complete",
		[UNWIND_SLICE] = "the copied part of the stack ends here",
		[UNWIND_NO_ROW] = "no unwind information",
		[UNWIND_NO_GROWTH] = "the stack does not go on from here",
		[UNWIND_LIMIT] = "too many frames",
	};
	return texts[stop];
}

struct err *unwinder_create(struct modules *modules, struct unwinder **ret)
{
	struct unwinder *u = calloc(1, sizeof(*u));
	if (!u)
		return err_no_memory();
	u->modules = modules;
	u->maps_stale = true;
	*ret = u;
	return NULL;
}

void unwinder_destroy(struct unwinder *u)
{
	if (!u)
		return;
	unwind_lib_destroy(u->lib);
	cfi_scratch_fini(&u->scratch);
	vec_fini(&u->rows);
	hash_map_fini(&u->rows_by_pc);
	free(u);
}

void unwinder_maps_changed(struct unwinder *u)
{
	u->maps_stale = true;
}

const struct unwind_counts *unwinder_counts(const struct unwinder *u)
{
	return &u->counts;
}

bool unwinder_use_libunwind_only(struct unwinder *u, bool on, bool caching)
{
	u->lib_only = on;
	u->lib_caching = caching;
	unwind_lib_destroy(u->lib);
	u->lib = NULL;
	u->lib_failed = false;
	return unwind_lib_is_built();
}

/* ---- the maps ---- */

static void forget_rows(struct unwinder *u)
{
	hash_map_clear(&u->rows_by_pc);
	u->rows.n = 0;
	cfi_scratch_fini(&u->scratch); /* images may be gone */
	unwind_lib_flush(u->lib);
}

static struct err *refresh_maps(struct unwinder *u, bool *ret_came)
{
	bool lost = false, came = false;
	struct err *err = modules_refresh(u->modules, &lost, &came);
	u->counts.n_refreshes++;
	if (err)
		return err;
	if (lost || came) {
		forget_rows(u); /* including cached failures */
		u->generation++;
	}
	*ret_came = came;
	return NULL;
}

struct err *unwinder_refresh(struct unwinder *u)
{
	bool came;
	u->maps_stale = false;
	return refresh_maps(u, &came);
}

void unwinder_set_evaluator(struct unwinder *u, const struct evaluator *e, bool has_jit)
{
	u->evaluator = e;
	u->has_jit = has_jit;
}

uint64_t unwinder_generation(const struct unwinder *u)
{
	return u->generation;
}

/* Memory may have been mapped since the maps were read: read them again for a pc in no known
 * memory. True if they have changed. Reads without a change are rationed. */
static bool refresh_for_unknown_pc(struct unwinder *u)
{
	uint64_t now = monotonic_ns(), earned = (now - u->rationed_ns) / REFRESH_GAP_NS;
	if (earned) {
		u->n_in_vain = earned < u->n_in_vain ? u->n_in_vain - earned : 0;
		u->rationed_ns = now;
	}
	if (u->n_in_vain >= MAX_IN_VAIN)
		return false;
	bool came = false;
	/* if the target is gone, the known maps are still right for the records that it left */
	err_destroy(refresh_maps(u, &came));
	u->n_in_vain += !came;
	return came;
}

/* ---- rows ---- */

static void make_plain(const struct cfi_row *row, struct plain_row *ret)
{
	struct plain_row p = { .cfa_reg = row->cfa_reg,
			       .pc_bits = row->pc_bits,
			       .cfa_off = row->cfa_off,
			       .first_off = INT32_MAX,
			       .last_off = INT32_MIN };
	*ret = (struct plain_row){ 0 };
	if (row->cfa_deref || row->is_signal_frame || row->rules[CFI_SP].place != CFI_SAME ||
	    row->rules[CFI_PC].place != CFI_AT_CFA)
		return;
	for (unsigned r = 0; r < CFI_REG_COUNT; r++) {
		const struct cfi_rule *rule = &row->rules[r];
		if (rule->place == CFI_SAME)
			continue;
		if (rule->place != CFI_AT_CFA)
			return;
		p.regs[p.n_saved] = (uint8_t)r;
		p.offs[p.n_saved++] = rule->off;
		p.first_off = rule->off < p.first_off ? rule->off : p.first_off;
		p.last_off = rule->off > p.last_off ? rule->off : p.last_off;
	}
	*ret = p;
}

static void make_row(struct unwinder *u, struct module *module, uint64_t lookup, uint64_t pc,
		     struct cached_row *ret)
{
	struct image *image = module_image(u->modules, module);
	const struct cfi_table *table = image ? image_cfi(image) : NULL;
	*ret = (struct cached_row){ .status = CFI_NO_ENTRY };
	if (table)
		ret->status = (uint8_t)cfi_row_find(&image->reader, table, lookup - module->bias,
						    pc - module->bias, &u->scratch, &ret->row);
	if (ret->status == CFI_OK)
		make_plain(&ret->row, &ret->plain);
	u->counts.n_rows++;
}

/* NULL if no module is there. The result is valid until the next call. */
static const struct cached_row *find_row(struct unwinder *u, uint64_t lookup, uint64_t pc)
{
	uint32_t known = hash_map_get(&u->rows_by_pc, lookup);
	if (known)
		return &u->rows.v[known - 1];
	struct module *module = lookup ? modules_find(u->modules, lookup) : NULL;
	if (!module || !module_image(u->modules, module))
		return NULL;
	if (u->rows.n >= MAX_ROWS)
		forget_rows(u);
	uint32_t *at = hash_map_place(&u->rows_by_pc, lookup);
	if (!at || !vec_reserve(&u->rows, 1))
		return NULL;
	make_row(u, module, lookup, pc, &u->rows.v[u->rows.n]);
	*at = (uint32_t)++u->rows.n;
	return &u->rows.v[u->rows.n - 1];
}

/* ---- one step ---- */

static bool slice_read(const struct unwind_state *s, uint64_t at, uint64_t *ret)
{
	uint64_t off = at - s->slice_start;
	if (at < s->slice_start || off > s->slice_bytes || s->slice_bytes - off < sizeof(*ret))
		return false;
	memcpy(ret, s->slice + off, sizeof(*ret));
	return true;
}

static bool is_known(const struct unwind_state *s, unsigned reg)
{
	return s->known & (1u << reg);
}

/* Is an address outside the slice further out on the stack, or nonsense? */
static enum unwind_stop unreadable(const struct unwind_state *s, uint64_t at)
{
	return at >= s->slice_start + s->slice_bytes || at + 8 > s->slice_start + s->slice_bytes
		   ? UNWIND_SLICE
		   : UNWIND_NO_ROW;
}

/* A return address without its signature (arm64, pointer authentication): its low `bits` bits. */
static uint64_t address_of(uint64_t pc, unsigned bits)
{
	return bits < 64 ? pc & ((1ull << bits) - 1) : pc;
}

/* The return address at `at`, as the last row has it. */
static bool read_pc(const struct unwind_state *s, uint64_t at, struct unwind_state *next)
{
	uint64_t pc;
	if (!slice_read(s, at, &pc))
		return false;
	next->regs[CFI_PC] = address_of(pc, s->pc_bits);
	return true;
}

/* False: the row is not plain, or a part of it is outside the slice; then use apply_row(). */
static bool apply_plain(struct unwind_state *s, const struct plain_row *p)
{
	uint64_t cfa = s->regs[p->cfa_reg] + (uint64_t)(int64_t)p->cfa_off;
	uint64_t first = cfa + (uint64_t)(int64_t)p->first_off - s->slice_start;
	uint64_t end = cfa + (uint64_t)(int64_t)p->last_off + 8 - s->slice_start;
	if (!p->n_saved || !is_known(s, p->cfa_reg) || first > s->slice_bytes ||
	    end > s->slice_bytes || end < first)
		return false;
	const uint8_t *at = s->slice + (cfa - s->slice_start);
	for (unsigned i = 0; i < p->n_saved; i++) {
		memcpy(&s->regs[p->regs[i]], at + p->offs[i], sizeof(s->regs[0]));
		s->known |= 1u << p->regs[i];
	}
	s->regs[CFI_PC] = address_of(s->regs[CFI_PC], p->pc_bits);
	s->regs[CFI_SP] = cfa;
	s->known |= 1u << CFI_SP;
	s->pc_is_exact = false;
	s->pc_bits = p->pc_bits;
	return true;
}

/* Returns UNWIND_STOP_COUNT if the state moved to the caller. */
static enum unwind_stop apply_row(struct unwind_state *s, const struct cfi_row *row)
{
	struct unwind_state next = *s;
	if (!is_known(s, row->cfa_reg))
		return UNWIND_NO_ROW;
	uint64_t cfa = s->regs[row->cfa_reg] + (uint64_t)(int64_t)row->cfa_off;
	if (row->cfa_deref) {
		uint64_t word;
		if (!slice_read(s, cfa, &word))
			return unreadable(s, cfa);
		cfa = word + (uint64_t)(int64_t)row->cfa_off2;
	}
	for (unsigned r = 0; r < CFI_REG_COUNT; r++) {
		const struct cfi_rule *rule = &row->rules[r];
		uint64_t off = (uint64_t)(int64_t)rule->off, at;
		switch ((enum cfi_place)rule->place) {
		case CFI_SAME:
			if (r == CFI_SP) {
				next.regs[r] = cfa;
				next.known |= 1u << r;
			}
			continue;
		case CFI_UNDEFINED:
			if (r == CFI_PC)
				return UNWIND_COMPLETE;
			next.known &= ~(1u << r);
			continue;
		case CFI_IS_CFA: next.regs[r] = cfa + off; break;
		case CFI_IS_REG:
			if (!is_known(s, rule->reg))
				return UNWIND_NO_ROW;
			next.regs[r] = s->regs[rule->reg] + off;
			break;
		case CFI_AT_CFA:
		case CFI_AT_REG:
			if (rule->place == CFI_AT_REG && !is_known(s, rule->reg))
				return UNWIND_NO_ROW;
			at = (rule->place == CFI_AT_CFA ? cfa : s->regs[rule->reg]) + off;
			if (!slice_read(s, at, &next.regs[r])) {
				if (r == CFI_PC || r == CFI_SP)
					return unreadable(s, at);
				next.known &= ~(1u << r);
				continue;
			}
			break;
		}
		next.known |= 1u << r;
	}
	next.regs[CFI_PC] = address_of(next.regs[CFI_PC], row->pc_bits);
	next.pc_is_exact = row->is_signal_frame;
	next.pc_bits = row->pc_bits;
	*s = next;
	return UNWIND_STOP_COUNT;
}

/* The pc is behind the call of a trampoline that CPython copies into anonymous memory for every
 * code object, so the code there shows the form of the frame (machine_code.c). */
static bool step_trampoline(struct unwinder *u, struct unwind_state *s,
			    const uint8_t code[MACHINE_TRAMPOLINE_BYTES])
{
	struct unwind_state next = *s;
	if (s->pc_is_exact)
		return false;
	enum machine_trampoline form = machine_trampoline_behind_call(code);
	bool pops_fp = form == MACHINE_TRAMPOLINE_FRAME;
	if (form == MACHINE_NO_TRAMPOLINE ||
	    (pops_fp && !slice_read(s, s->regs[CFI_SP], &next.regs[CFI_FP])) ||
	    !read_pc(s, s->regs[CFI_SP] + 8, &next) ||
	    !modules_is_executable(u->modules, next.regs[CFI_PC]))
		return false;
	next.regs[CFI_SP] += 16;
	if (pops_fp)
		next.known |= 1u << CFI_FP;
	*s = next;
	u->counts.n_trampolines++;
	return true;
}

/* Is `pc` behind a call instruction of a module? */
static bool follows_call(struct unwinder *u, uint64_t pc)
{
	uint8_t code[MACHINE_CALL_BYTES];
	struct module *module = modules_find(u->modules, pc);
	struct image *i = module ? module_image(u->modules, module) : NULL;
	const struct machine_code *machine = i ? machine_code_of(i->e_machine) : NULL;
	return machine && image_read(i, pc - sizeof(code) - module->bias, code, sizeof(code)) &&
	       machine->ends_with_call(code);
}

/*
 * The same if the code no longer exists: CPython frees it when it ends (v3.12.1
 * Python/perf_trampoline.c, free_code_arenas), before the last records are read, and the addresses
 * may have been used for other memory since. The trampoline calls the evaluator and is called by
 * the evaluator's module (py_trampoline_evaluator). If its frame pointer points to the top of its
 * frame, it has saved that of its caller there (machine_code.c, 3.13).
 */
static bool step_vanished_trampoline(struct unwinder *u, struct unwind_state *s)
{
	struct unwind_state next = *s;
	const struct module *inner = modules_find(u->modules, s->inner_lookup);
	if (s->pc_is_exact || !u->evaluator || !evaluator_contains(u->evaluator, s->inner_lookup) ||
	    !inner || !read_pc(s, s->regs[CFI_SP] + 8, &next) ||
	    modules_find(u->modules, next.regs[CFI_PC]) != inner ||
	    !follows_call(u, next.regs[CFI_PC]) ||
	    (is_known(s, CFI_FP) && s->regs[CFI_FP] == s->regs[CFI_SP] &&
	     !slice_read(s, s->regs[CFI_SP], &next.regs[CFI_FP])))
		return false;
	next.regs[CFI_SP] += 16;
	*s = next;
	u->counts.n_trampolines++;
	return true;
}

/* JIT code that keeps frame pointers. CPython 3.15 keeps them in every frame; 3.14 does not, and
 * mostly fails these checks. */
static bool step_frame_pointer(struct unwinder *u, struct unwind_state *s)
{
	struct unwind_state next = *s;
	uint64_t fp = s->regs[CFI_FP];
	if (!is_known(s, CFI_FP) || fp < s->regs[CFI_SP] || fp % 8 ||
	    !slice_read(s, fp, &next.regs[CFI_FP]) || !read_pc(s, fp + 8, &next) ||
	    !modules_is_executable(u->modules, next.regs[CFI_PC]))
		return false;
	next.regs[CFI_SP] = fp + 16;
	/* it is unknown what the code did with the other registers */
	next.known = (1u << CFI_FP) | (1u << CFI_PC) | (1u << CFI_SP);
	next.pc_is_exact = false;
	*s = next;
	u->counts.n_frame_pointers++;
	return true;
}

/* Would the evaluator's row, with this frame pointer, lead from `next` to another return
 * address? */
static bool leads_on(struct unwinder *u, const struct unwind_state *next, const struct cfi_row *row)
{
	struct unwind_state outer = *next;
	return apply_row(&outer, row) == UNWIND_STOP_COUNT &&
	       outer.regs[CFI_SP] > next->regs[CFI_SP] &&
	       outer.regs[CFI_SP] - next->regs[CFI_SP] < MAX_SCAN_BYTES &&
	       follows_call(u, outer.regs[CFI_PC]);
}

/*
 * Code that keeps no frame pointer and was called by the evaluator (CPython 3.14's JIT), or code
 * that no longer exists: search the stack for the evaluator's frame. It is at a return address into
 * the evaluator whose row leads to another return address. If that row counts from the frame
 * pointer (gcc 16 on x86-64), it needs its value: the current one, or one that the code in between
 * has saved. The other registers that this code has changed come from the evaluator's frame, which
 * saves all of them.
 */
static bool step_to_evaluator(struct unwinder *u, struct unwind_state *s)
{
	uint64_t sp = s->regs[CFI_SP], pc, saved;
	if (!u->evaluator || !u->evaluator->n)
		return false;
	for (uint64_t at = sp; at < sp + MAX_SCAN_BYTES && slice_read(s, at, &pc); at += 8) {
		if (!evaluator_contains(u->evaluator, pc - 1) || !follows_call(u, pc))
			continue;
		const struct cached_row *row = find_row(u, pc - 1, pc);
		struct unwind_state next = *s;
		next.regs[CFI_PC] = pc;
		next.regs[CFI_SP] = at + 8;
		next.known &= (1u << CFI_PC) | (1u << CFI_SP) | (1u << CFI_FP);
		next.pc_is_exact = false;
		if (!row || row->status != CFI_OK || row->row.cfa_deref ||
		    (row->row.cfa_reg != CFI_SP && row->row.cfa_reg != CFI_FP))
			continue;
		bool found = leads_on(u, &next, &row->row);
		next.known |= 1u << CFI_FP;
		for (uint64_t from = sp; !found && row->row.cfa_reg == CFI_FP && from < at &&
					 slice_read(s, from, &saved);
		     from += 8) {
			next.regs[CFI_FP] = saved;
			found = leads_on(u, &next, &row->row);
		}
		if (!found)
			continue;
		if (row->row.cfa_reg != CFI_FP)
			next.known &= ~(1u << CFI_FP);
		*s = next;
		u->counts.n_evaluators_found++;
		return true;
	}
	return false;
}

/* A step from a pc that is in no image. */
static bool step_without_rows(struct unwinder *u, struct unwind_state *s)
{
	uint8_t code[MACHINE_TRAMPOLINE_BYTES];
	bool is_readable = mem_read(modules_memory(u->modules), RADDR(s->regs[CFI_PC]), code,
				    sizeof(code));
	if (is_readable && step_trampoline(u, s, code))
		return true;
	/* If there is no JIT, only trampolines are code without a file that calls the evaluator:
	 * what can be read there now is something else. */
	if ((!is_readable || !u->has_jit) && step_vanished_trampoline(u, s))
		return true;
	uint64_t pc = s->regs[CFI_PC];
	if ((modules_is_executable(u->modules, pc) || modules_was_executable(u->modules, pc)) &&
	    step_frame_pointer(u, s))
		return true;
	return u->has_jit && step_to_evaluator(u, s);
}

static enum unwind_stop step_libunwind(struct unwinder *u, struct unwind_state *s)
{
	if (!u->lib && !u->lib_failed) {
		u->lib = unwind_lib_create(u->modules, u->lib_only ? u->lib_caching : true);
		u->lib_failed = !u->lib;
	}
	if (!u->lib)
		return UNWIND_NO_ROW;
	u->counts.n_libunwind_steps++;
	return unwind_lib_step(u->lib, s);
}

static enum unwind_stop step(struct unwinder *u, struct unwind_state *s)
{
	uint64_t pc = s->regs[CFI_PC], lookup = pc - !s->pc_is_exact, sp = s->regs[CFI_SP];
	enum unwind_stop stop;
	if (!pc)
		return UNWIND_COMPLETE;
	const struct cached_row *row = find_row(u, lookup, pc);
	if (!row && !modules_is_executable(u->modules, pc) && refresh_for_unknown_pc(u))
		row = find_row(u, lookup, pc);
	if (row && u->lib_only)
		stop = step_libunwind(u, s);
	else if (row && row->status == CFI_OK)
		stop = apply_plain(s, &row->plain) ? UNWIND_STOP_COUNT : apply_row(s, &row->row);
	else if (row && row->status == CFI_TOO_HARD)
		stop = step_libunwind(u, s);
	else if (row)
		stop = UNWIND_NO_ROW;
	else
		stop = step_without_rows(u, s) ? UNWIND_STOP_COUNT : UNWIND_NO_ROW;
	if (stop != UNWIND_STOP_COUNT)
		return stop;
	return s->regs[CFI_SP] > sp ? UNWIND_STOP_COUNT : UNWIND_NO_GROWTH;
}

size_t unwinder_walk(struct unwinder *u, const struct record_native *regs, bool pc_is_exact,
		     const uint8_t *slice, size_t n_bytes, struct unwind_frame *frames, size_t max,
		     enum unwind_stop *ret_stop)
{
	struct unwind_state s = {
		.regs = { [CFI_FP] = regs->fp, [CFI_SP] = regs->sp, [CFI_PC] = regs->pc },
		.known = (1u << CFI_REG_COUNT) - 1,
		.pc_is_exact = pc_is_exact,
		.pc_bits = 64,
		.slice = slice,
		.slice_start = regs->sp,
		.slice_bytes = n_bytes,
	};
	_Static_assert(NATIVE_SAVED <= CFI_S9 - CFI_S0 + 1, "a column for each");
	memcpy(&s.regs[CFI_S0], regs->saved, sizeof(regs->saved));
	enum unwind_stop stop = UNWIND_LIMIT;
	size_t n = 0;
	if (max > UNWIND_MAX_FRAMES)
		max = UNWIND_MAX_FRAMES;
	if (regs->sp + n_bytes < regs->sp)
		s.slice_bytes = 0;
	if (u->maps_stale && monotonic_ns() >= u->next_stale_ns) {
		bool came;
		u->maps_stale = false;
		err_destroy(refresh_maps(u, &came));
		u->next_stale_ns = monotonic_ns() + REFRESH_GAP_NS;
	}
	while (n < max) {
		frames[n++] = (struct unwind_frame){ s.regs[CFI_PC], s.regs[CFI_SP],
						     s.regs[CFI_PC] - !s.pc_is_exact };
		stop = step(u, &s);
		s.inner_lookup = frames[n - 1].lookup;
		if (stop != UNWIND_STOP_COUNT || !s.regs[CFI_PC]) {
			if (stop == UNWIND_STOP_COUNT)
				stop = UNWIND_COMPLETE;
			break;
		}
	}
	if (stop == UNWIND_STOP_COUNT)
		stop = UNWIND_LIMIT;
	u->counts.n_walks++;
	u->counts.n_frames += n;
	*ret_stop = stop;
	return n;
}
