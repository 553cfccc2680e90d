/*
 * cfi: see cfi.h.
 *
 * There are two readers. Each works on bytes that were copied and measured first (the search table
 * is in cfi_table.c):
 *   one entry          CIE (augmentation, alignment, first rules) and FDE (range, program)
 *   the program        runs up to the wanted pc and leaves one row; a big one also leaves marks,
 *                      from which a later run can start
 * Expressions are not executed but described: an operand is a constant, reg + n, or the word at reg
 * + n (plus m). That covers what compilers, PLTs and signal trampolines contain; anything else is
 * CFI_TOO_HARD.
 */
#include "stacks/cfi.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "stacks/cfi_bytes.h"

/* ---- one entry ---- */

static bool scratch_grow(uint8_t **p, size_t *cap, size_t want)
{
	if (want <= *cap)
		return true;
	uint8_t *grown = realloc(*p, want + want / 2);
	if (!grown)
		return false;
	*p = grown;
	*cap = want + want / 2;
	return true;
}

static enum cfi_status read_entry(const struct mem_reader *m, uint64_t at, uint8_t **buf,
				  size_t *cap, uint64_t *ret_body, struct bytes *ret)
{
	uint64_t body, n;
	enum cfi_status status = cfi_entry_extent(m, at, &body, &n);
	if (status != CFI_OK)
		return status == CFI_NO_ENTRY ? CFI_CORRUPT : status;
	if (!scratch_grow(buf, cap, n) || !mem_read(m, RADDR(body), *buf, n))
		return CFI_CORRUPT;
	*ret = (struct bytes){ .p = *buf, .end = *buf + n };
	*ret_body = body;
	return CFI_OK;
}

/* b starts after the length word. */
static enum cfi_status parse_cie(struct bytes b, struct cfi_fde *f, bool *ret_has_size)
{
	if (take(&b, 4) != 0) /* LSB: the CIE id in .eh_frame is 0 */
		return CFI_CORRUPT;
	unsigned version = (unsigned)take(&b, 1);
	if (version != 1 && version != 3 && version != 4)
		return b.bad ? CFI_CORRUPT : CFI_TOO_HARD;
	const char *augmentation = (const char *)b.p;
	const uint8_t *nul = b.p < b.end ? memchr(b.p, 0, (size_t)(b.end - b.p)) : NULL;
	if (!nul)
		return CFI_CORRUPT;
	b.p = nul + 1;
	if (version == 4) {
		unsigned address_bytes = (unsigned)take(&b, 1),
			 segment_bytes = (unsigned)take(&b, 1);
		if (address_bytes != 8 || segment_bytes)
			return CFI_TOO_HARD;
	}
	f->code_align = take_uleb(&b);
	f->data_align = take_sleb(&b);
	uint64_t ra = version == 1 ? take(&b, 1) : take_uleb(&b);
	if (b.bad)
		return CFI_CORRUPT;
	if (ra != 16)
		return CFI_TOO_HARD;
	f->pointer_encoding = DW_EH_PE_absptr;
	f->is_signal_frame = false;
	*ret_has_size = *augmentation == 'z';
	if (*ret_has_size) {
		struct bytes data;
		uint64_t n = take_uleb(&b);
		if (!take_block(&b, n, &data))
			return CFI_CORRUPT;
		for (const char *a = augmentation + 1; *a; a++) {
			uint64_t ignored;
			switch (*a) {
			case 'R': f->pointer_encoding = (uint8_t)take(&data, 1); break;
			case 'L': take(&data, 1); break;
			case 'S': f->is_signal_frame = true; break;
			case 'P': {
				uint8_t encoding = (uint8_t)take(&data, 1);
				if (!take_pointer(&data, encoding & 0x0f, 0, 0, &ignored))
					return CFI_TOO_HARD;
				break;
			}
			default: return CFI_TOO_HARD;
			}
		}
		if (data.bad)
			return CFI_CORRUPT;
	} else if (*augmentation) {
		return CFI_TOO_HARD;
	}
	f->cie_program = b.p;
	f->cie_program_bytes = (size_t)(b.end - b.p);
	return CFI_OK;
}

enum cfi_status cfi_fde_read(const struct mem_reader *m, uint64_t fde, struct cfi_scratch *s,
			     struct cfi_fde *ret)
{
	struct bytes b, cie;
	uint64_t body, cie_body;
	struct cfi_fde f = { .fde = fde };
	bool has_size = false;
	enum cfi_status status = read_entry(m, fde, &s->fde, &s->fde_cap, &body, &b);
	if (status != CFI_OK)
		return status;
	const uint8_t *first = b.p;
	uint64_t back = take(&b, 4); /* distance from here back to the CIE, bytes */
	if (!back)
		return CFI_CORRUPT; /* it is itself a CIE */
	f.cie = body - back;
	status = read_entry(m, f.cie, &s->cie, &s->cie_cap, &cie_body, &cie);
	if (status == CFI_OK)
		status = parse_cie(cie, &f, &has_size);
	if (status != CFI_OK)
		return status;
	uint64_t n;
	if (!take_pointer(&b, f.pointer_encoding, body + (uint64_t)(b.p - first), 0, &f.start) ||
	    !take_pointer(&b, f.pointer_encoding & 0x0f, 0, 0, &n))
		return b.bad ? CFI_CORRUPT : CFI_TOO_HARD;
	f.end = f.start + n;
	if (f.end < f.start)
		return CFI_CORRUPT;
	if (has_size) {
		struct bytes data;
		uint64_t n_data = take_uleb(&b);
		if (!take_block(&b, n_data, &data))
			return CFI_CORRUPT;
	}
	f.program = b.p;
	f.program_bytes = (size_t)(b.end - b.p);
	f.program_address = body + (uint64_t)(b.p - first);
	*ret = f;
	return CFI_OK;
}

/* ---- describe expressions ---- */

struct operand {
	/* CONST: n; REG: reg + n; WORD: the word at reg + n, + m; CFA: CFA + n */
	enum { OPERAND_CONST, OPERAND_REG, OPERAND_WORD, OPERAND_CFA } kind;
	uint8_t reg;
	int64_t n, m;
};
#define MAX_OPERANDS 16

static int column_of(uint64_t dwarf_register)
{
	static const int8_t columns[17] = {
		[0] = -1,       [1] = -1,       [2] = -1,       [3] = CFI_RBX,  [4] = -1,
		[5] = -1,       [6] = CFI_RBP,  [7] = CFI_RSP,  [8] = -1,       [9] = -1,
		[10] = -1,      [11] = -1,      [12] = CFI_R12, [13] = CFI_R13, [14] = CFI_R14,
		[15] = CFI_R15, [16] = CFI_RIP,
	};
	return dwarf_register < ARRAY_LEN(columns) ? columns[dwarf_register] : -1;
}

/* Add without overflow; false if the sum would not fit into a row. */
static bool add_small(int64_t *a, int64_t b)
{
	if (!fits(*a) || !fits(b) || !fits(*a + b))
		return false;
	*a += b;
	return true;
}

static bool operand_add(struct operand *o, int64_t n)
{
	if (o->kind == OPERAND_CONST) {
		o->n = (int64_t)((uint64_t)o->n + (uint64_t)n);
		return true;
	}
	return add_small(o->kind == OPERAND_WORD ? &o->m : &o->n, n);
}

static bool fold_constants(uint8_t op, uint64_t a, uint64_t b, uint64_t *ret)
{
	switch (op) {
	case DW_OP_and: *ret = a & b; return true;
	case DW_OP_or: *ret = a | b; return true;
	case DW_OP_xor: *ret = a ^ b; return true;
	case DW_OP_mul: *ret = a * b; return true;
	case DW_OP_shl: *ret = b < 64 ? a << b : 0; return true;
	case DW_OP_shr: *ret = b < 64 ? a >> b : 0; return true;
	case DW_OP_eq: *ret = a == b; return true;
	case DW_OP_ne: *ret = a != b; return true;
	case DW_OP_ge: *ret = (int64_t)a >= (int64_t)b; return true;
	case DW_OP_gt: *ret = (int64_t)a > (int64_t)b; return true;
	case DW_OP_le: *ret = (int64_t)a <= (int64_t)b; return true;
	case DW_OP_lt: *ret = (int64_t)a < (int64_t)b; return true;
	default: return false;
	}
}

static bool binary(uint8_t op, struct operand *a, const struct operand *b)
{
	uint64_t v;
	if (op == DW_OP_plus && a->kind == OPERAND_CONST) {
		struct operand sum = *b;
		bool ok = operand_add(&sum, a->n);
		*a = sum;
		return ok;
	}
	if (op == DW_OP_plus && b->kind == OPERAND_CONST)
		return operand_add(a, b->n);
	if (op == DW_OP_minus && b->kind == OPERAND_CONST && b->n != INT64_MIN)
		return operand_add(a, -b->n);
	if (a->kind != OPERAND_CONST || b->kind != OPERAND_CONST ||
	    !fold_constants(op, (uint64_t)a->n, (uint64_t)b->n, &v))
		return false;
	a->n = (int64_t)v;
	return true;
}

static bool push_register(struct operand *o, uint64_t reg, int64_t n, uint64_t rip)
{
	int column = column_of(reg);
	if (column == CFI_RIP) {
		*o = (struct operand){ .kind = OPERAND_CONST, .n = (int64_t)(rip + (uint64_t)n) };
		return true;
	}
	if (column < 0 || !fits(n))
		return false;
	*o = (struct operand){ .kind = OPERAND_REG, .reg = (uint8_t)column, .n = n };
	return true;
}

/* Describe the value that the expression leaves on its stack. with_cfa: the stack initially holds
 * the CFA. */
static enum cfi_status describe(struct bytes b, bool with_cfa, uint64_t rip, struct operand *ret)
{
	struct operand stack[MAX_OPERANDS];
	size_t n = 0;
	if (with_cfa)
		stack[n++] = (struct operand){ .kind = OPERAND_CFA };
	while (b.p < b.end) {
		uint8_t op = (uint8_t)take(&b, 1);
		struct operand o = { .kind = OPERAND_CONST };
		bool push = true;
		if (op >= DW_OP_lit0 && op <= DW_OP_lit31) {
			o.n = op - DW_OP_lit0;
		} else if (op >= DW_OP_breg0 && op <= DW_OP_breg31) {
			int64_t off = take_sleb(&b);
			if (!push_register(&o, op - DW_OP_breg0, off, rip))
				return b.bad ? CFI_CORRUPT : CFI_TOO_HARD;
		} else {
			switch (op) {
			case DW_OP_const1u: o.n = (int64_t)take(&b, 1); break;
			case DW_OP_const1s: o.n = (int8_t)take(&b, 1); break;
			case DW_OP_const2u: o.n = (int64_t)take(&b, 2); break;
			case DW_OP_const2s: o.n = (int16_t)take(&b, 2); break;
			case DW_OP_const4u: o.n = (int64_t)take(&b, 4); break;
			case DW_OP_const4s: o.n = (int32_t)take(&b, 4); break;
			case DW_OP_const8u:
			case DW_OP_const8s:
			case DW_OP_addr: o.n = (int64_t)take(&b, 8); break;
			case DW_OP_constu: o.n = (int64_t)take_uleb(&b); break;
			case DW_OP_consts: o.n = take_sleb(&b); break;
			case DW_OP_bregx: {
				uint64_t reg = take_uleb(&b);
				int64_t off = take_sleb(&b);
				if (!push_register(&o, reg, off, rip))
					return b.bad ? CFI_CORRUPT : CFI_TOO_HARD;
				break;
			}
			case DW_OP_dup:
				if (!n)
					return CFI_CORRUPT;
				o = stack[n - 1];
				break;
			default: push = false;
			}
			if (!push && op == DW_OP_nop)
				continue;
			if (!push && op == DW_OP_plus_uconst) {
				uint64_t v = take_uleb(&b);
				if (!n || b.bad)
					return CFI_CORRUPT;
				if (v > INT32_MAX || !operand_add(&stack[n - 1], (int64_t)v))
					return CFI_TOO_HARD;
				continue;
			}
			if (!push && op == DW_OP_deref) {
				if (!n)
					return CFI_CORRUPT;
				if (stack[n - 1].kind != OPERAND_REG)
					return CFI_TOO_HARD;
				stack[n - 1].kind = OPERAND_WORD;
				continue;
			}
			if (!push && op == DW_OP_drop) {
				if (!n)
					return CFI_CORRUPT;
				n--;
				continue;
			}
			if (!push) {
				if (n < 2)
					return CFI_TOO_HARD;
				if (!binary(op, &stack[n - 2], &stack[n - 1]))
					return CFI_TOO_HARD;
				n--;
				continue;
			}
		}
		if (b.bad)
			return CFI_CORRUPT;
		if (n == MAX_OPERANDS)
			return CFI_TOO_HARD;
		stack[n++] = o;
	}
	if (b.bad || !n)
		return CFI_CORRUPT;
	*ret = stack[n - 1];
	return CFI_OK;
}

static enum cfi_status set_cfa_expression(struct cfi_row *row, struct bytes expression,
					  uint64_t rip)
{
	struct operand o;
	enum cfi_status status = describe(expression, false, rip, &o);
	if (status != CFI_OK)
		return status;
	if ((o.kind != OPERAND_REG && o.kind != OPERAND_WORD) || o.reg == CFI_RIP)
		return CFI_TOO_HARD;
	row->cfa_reg = o.reg;
	row->cfa_deref = o.kind == OPERAND_WORD;
	row->cfa_off = (int32_t)o.n;
	row->cfa_off2 = (int32_t)o.m;
	return CFI_OK;
}

static enum cfi_status set_rule_expression(struct cfi_rule *rule, struct bytes expression,
					   bool is_value, uint64_t rip)
{
	struct operand o;
	enum cfi_status status = describe(expression, true, rip, &o);
	if (status != CFI_OK)
		return status;
	bool cfa = o.kind == OPERAND_CFA, reg = o.kind == OPERAND_REG,
	     word = o.kind == OPERAND_WORD && is_value && !o.m;
	if (!cfa && !reg && !word)
		return CFI_TOO_HARD;
	*rule = (struct cfi_rule){ .reg = o.reg, .off = (int32_t)o.n };
	if (is_value && !word)
		rule->place = cfa ? CFI_IS_CFA : CFI_IS_REG;
	else
		rule->place = cfa ? CFI_AT_CFA : CFI_AT_REG;
	return CFI_OK;
}

/* ---- the program ---- */

#define BIG_PROGRAM_BYTES 512u
#define MARK_EVERY_BYTES  64u
#define MAX_MARKS         512u /* in one program; the marks of longer programs are further apart */
/* no mark is made where more states are remembered: compilers nest one */
#define MARK_STATES 2u

/* The state of a machine before one step of its program. */
struct mark {
	uint64_t location;
	uint32_t at; /* bytes into the program */
	uint16_t n_states;
	bool cfa_known;
	struct cfi_row row, states[MARK_STATES];
};

struct cfi_program {
	const void *reader; /* ctx of its mem_reader */
	struct cfi_fde fde; /* points into `bytes`; the CIE's program is not kept */
	uint8_t *bytes;
	struct cfi_row initial;
	struct mark *marks; /* ascending; [0] is the start */
	uint32_t n_marks, gap_bytes;
};

struct machine {
	const struct cfi_fde *fde;
	uint64_t lookup, rip;
	struct cfi_row row, initial;
	struct cfi_row states[CFI_MAX_STATES];
	size_t n_states;
	bool cfa_known;
	/* an expression was run: its meaning may depend on the rip of this look-up */
	bool has_expression;
	struct cfi_program *marked; /* add marks to this program; NULL: none */
	uint64_t location;          /* first pc that the current row applies to */
};

static enum cfi_status set_offset(struct machine *k, uint64_t reg, uint8_t place, int64_t factored)
{
	int column = column_of(reg);
	int64_t off;
	if (__builtin_mul_overflow(factored, k->fde->data_align, &off) || !fits(off))
		return CFI_CORRUPT;
	if (column >= 0)
		k->row.rules[column] = (struct cfi_rule){ .place = place, .off = (int32_t)off };
	return CFI_OK; /* registers that a call does not preserve are not tracked */
}

static enum cfi_status set_cfa(struct machine *k, uint64_t reg, int64_t off)
{
	int column = column_of(reg);
	if (!fits(off))
		return CFI_CORRUPT;
	if (column < 0 || column == CFI_RIP)
		/* for example r10 while a function aligns its stack; this fails only if the row of
		 * this pc is asked for */
		k->row.cfa_reg = UINT8_MAX;
	else
		k->row.cfa_reg = (uint8_t)column;
	k->row.cfa_deref = false;
	k->row.cfa_off = (int32_t)off;
	k->row.cfa_off2 = 0;
	k->cfa_known = true;
	return CFI_OK;
}

static void set_place(struct machine *k, uint64_t reg, uint8_t place)
{
	int column = column_of(reg);
	if (column >= 0)
		k->row.rules[column] = (struct cfi_rule){ .place = place };
}

/* The DW_CFA_* that take operands from the byte stream; run() handles the three packed ones. */
static enum cfi_status run_extended(struct machine *k, uint8_t op, struct bytes *b)
{
	struct bytes block;
	uint64_t reg, n;
	int64_t s;
	switch (op) {
	case DW_CFA_nop: return CFI_OK;
	case DW_CFA_offset_extended:
		reg = take_uleb(b);
		n = take_uleb(b);
		return n > INT32_MAX ? CFI_CORRUPT : set_offset(k, reg, CFI_AT_CFA, (int64_t)n);
	case DW_CFA_offset_extended_sf:
		reg = take_uleb(b);
		s = take_sleb(b);
		return set_offset(k, reg, CFI_AT_CFA, s);
	case DW_CFA_GNU_negative_offset_extended:
		reg = take_uleb(b);
		n = take_uleb(b);
		return n > INT32_MAX ? CFI_CORRUPT : set_offset(k, reg, CFI_AT_CFA, -(int64_t)n);
	case DW_CFA_val_offset:
		reg = take_uleb(b);
		n = take_uleb(b);
		return n > INT32_MAX ? CFI_CORRUPT : set_offset(k, reg, CFI_IS_CFA, (int64_t)n);
	case DW_CFA_val_offset_sf:
		reg = take_uleb(b);
		s = take_sleb(b);
		return set_offset(k, reg, CFI_IS_CFA, s);
	case DW_CFA_restore_extended:
		reg = take_uleb(b);
		if (column_of(reg) >= 0)
			k->row.rules[column_of(reg)] = k->initial.rules[column_of(reg)];
		return CFI_OK;
	case DW_CFA_undefined: set_place(k, take_uleb(b), CFI_UNDEFINED); return CFI_OK;
	case DW_CFA_same_value:
		reg = take_uleb(b);
		if (column_of(reg) == CFI_RSP) {
			k->row.rules[CFI_RSP] = (struct cfi_rule){ .place = CFI_IS_REG,
								   .reg = CFI_RSP };
			return CFI_OK;
		}
		set_place(k, reg, CFI_SAME);
		return CFI_OK;
	case DW_CFA_register: {
		reg = take_uleb(b);
		n = take_uleb(b);
		int to = column_of(reg), from = column_of(n);
		if (to < 0)
			return CFI_OK;
		/* A register that is not tracked (rcx …): the value is lost, and for rip no row can
		 * express it. */
		if (from < 0 && to == CFI_RIP)
			return CFI_TOO_HARD;
		k->row.rules[to] = (struct cfi_rule){ .place = from < 0 ? CFI_UNDEFINED
									: CFI_IS_REG,
						      .reg = from < 0 ? 0 : (uint8_t)from };
		return CFI_OK;
	}
	case DW_CFA_remember_state:
		if (k->n_states == CFI_MAX_STATES)
			return CFI_TOO_HARD;
		k->states[k->n_states++] = k->row;
		return CFI_OK;
	case DW_CFA_restore_state:
		if (!k->n_states)
			return CFI_CORRUPT;
		k->row = k->states[--k->n_states];
		return CFI_OK;
	case DW_CFA_def_cfa:
		reg = take_uleb(b);
		n = take_uleb(b);
		return n > INT32_MAX ? CFI_CORRUPT : set_cfa(k, reg, (int64_t)n);
	case DW_CFA_def_cfa_sf:
		reg = take_uleb(b);
		if (__builtin_mul_overflow(take_sleb(b), k->fde->data_align, &s))
			return CFI_CORRUPT;
		return set_cfa(k, reg, s);
	case DW_CFA_def_cfa_register:
		if (k->row.cfa_deref)
			return CFI_CORRUPT;
		return set_cfa(k, take_uleb(b), k->row.cfa_off);
	case DW_CFA_def_cfa_offset:
		n = take_uleb(b);
		if (n > INT32_MAX || k->row.cfa_deref)
			return CFI_CORRUPT;
		k->row.cfa_off = (int32_t)n;
		return CFI_OK;
	case DW_CFA_def_cfa_offset_sf:
		if (__builtin_mul_overflow(take_sleb(b), k->fde->data_align, &s) || !fits(s) ||
		    k->row.cfa_deref)
			return CFI_CORRUPT;
		k->row.cfa_off = (int32_t)s;
		return CFI_OK;
	case DW_CFA_def_cfa_expression:
		n = take_uleb(b);
		if (!take_block(b, n, &block))
			return CFI_CORRUPT;
		k->cfa_known = k->has_expression = true;
		return set_cfa_expression(&k->row, block, k->rip);
	case DW_CFA_expression:
	case DW_CFA_val_expression:
		reg = take_uleb(b);
		n = take_uleb(b);
		if (!take_block(b, n, &block))
			return CFI_CORRUPT;
		if (column_of(reg) < 0)
			return CFI_OK;
		k->has_expression = true;
		return set_rule_expression(&k->row.rules[column_of(reg)], block,
					   op == DW_CFA_val_expression, k->rip);
	case DW_CFA_GNU_args_size: take_uleb(b); return CFI_OK;
	default: return CFI_TOO_HARD;
	}
}

static void mark_leave(const struct machine *k, struct cfi_program *p, size_t at)
{
	struct mark *m = &p->marks[p->n_marks - 1];
	if (at < m->at + p->gap_bytes || k->has_expression || k->n_states > MARK_STATES ||
	    p->n_marks == MAX_MARKS)
		return;
	*++m = (struct mark){ .location = k->location,
			      .at = (uint32_t)at,
			      .n_states = (uint16_t)k->n_states,
			      .cfa_known = k->cfa_known,
			      .row = k->row };
	for (size_t i = 0; i < k->n_states; i++)
		m->states[i] = k->states[i];
	p->n_marks++;
}

/* Run from program[at] until the location passes `lookup`. */
static enum cfi_status run(struct machine *k, const uint8_t *program, size_t n_bytes, size_t at)
{
	struct bytes b = { .p = program + at, .end = program + n_bytes };
	while (b.p < b.end) {
		if (k->marked)
			mark_leave(k, k->marked, (size_t)(b.p - program));
		uint8_t op = take_byte(&b), low = op & 0x3f;
		enum cfi_status status = CFI_OK;
		uint64_t step = 0, to;
		bool moves = true;
		switch (op & 0xc0) {
		case DW_CFA_advance_loc: step = low; break;
		case DW_CFA_offset: {
			uint64_t n = take_uleb(&b);
			status = n > INT32_MAX ? CFI_CORRUPT
					       : set_offset(k, low, CFI_AT_CFA, (int64_t)n);
			moves = false;
			break;
		}
		case DW_CFA_restore:
			if (column_of(low) >= 0)
				k->row.rules[column_of(low)] = k->initial.rules[column_of(low)];
			moves = false;
			break;
		default:
			switch (op) {
			case DW_CFA_advance_loc1: step = take_byte(&b); break;
			case DW_CFA_advance_loc2: step = take(&b, 2); break;
			case DW_CFA_advance_loc4: step = take(&b, 4); break;
			case DW_CFA_set_loc: {
				uint64_t here = k->fde->program_address + (uint64_t)(b.p - program);
				if (!take_pointer(&b, k->fde->pointer_encoding, here, 0, &to))
					return b.bad ? CFI_CORRUPT : CFI_TOO_HARD;
				if (to < k->location)
					return CFI_CORRUPT;
				if (to > k->lookup)
					return CFI_OK;
				k->location = to;
				moves = false;
				break;
			}
			default: moves = false; status = run_extended(k, op, &b);
			}
		}
		if (b.bad)
			return CFI_CORRUPT;
		if (status != CFI_OK)
			return status;
		if (!moves)
			continue;
		if (__builtin_mul_overflow(step, k->fde->code_align, &step) ||
		    __builtin_add_overflow(k->location, step, &to))
			return CFI_CORRUPT;
		if (to > k->lookup)
			return CFI_OK;
		k->location = to;
	}
	return CFI_OK;
}

/* Set up a machine in the state after the CIE's program. */
static enum cfi_status start(struct machine *k, const struct cfi_fde *f, uint64_t rip)
{
	*k = (struct machine){ .fde = f, .lookup = UINT64_MAX, .rip = rip };
	k->row.is_signal_frame = f->is_signal_frame;
	k->row.rules[CFI_RIP].place = CFI_UNDEFINED; /* until the program says where it is saved */
	enum cfi_status status = run(k, f->cie_program, f->cie_program_bytes, 0);
	k->initial = k->row;
	k->n_states = 0;
	k->location = f->start;
	return status;
}

static enum cfi_status finish(struct machine *k, uint64_t lookup, size_t at, struct cfi_row *ret)
{
	k->lookup = lookup;
	enum cfi_status status = run(k, k->fde->program, k->fde->program_bytes, at);
	if (status != CFI_OK)
		return status;
	if (!k->cfa_known)
		return CFI_CORRUPT;
	if (k->row.cfa_reg == UINT8_MAX)
		return CFI_TOO_HARD;
	*ret = k->row;
	return CFI_OK;
}

enum cfi_status cfi_fde_row(const struct cfi_fde *f, uint64_t lookup, uint64_t rip,
			    struct cfi_row *ret)
{
	struct machine k;
	if (lookup < f->start || lookup >= f->end)
		return CFI_NO_ENTRY;
	enum cfi_status status = start(&k, f, rip);
	return status == CFI_OK ? finish(&k, lookup, 0, ret) : status;
}

/* ---- cache of big programs ---- */

static void program_destroy(struct cfi_program *p)
{
	if (!p)
		return;
	free(p->bytes);
	free(p->marks);
	free(p);
}

void cfi_scratch_fini(struct cfi_scratch *s)
{
	for (unsigned i = 0; i < CFI_PROGRAMS; i++)
		program_destroy(s->programs[i]);
	free(s->fde);
	free(s->cie);
	*s = (struct cfi_scratch){ 0 };
}

static struct cfi_program *program_find(const struct cfi_scratch *s, const struct mem_reader *m,
					uint64_t fde)
{
	for (unsigned i = 0; i < CFI_PROGRAMS && s->programs[i]; i++)
		if (s->programs[i]->reader == m->ctx && s->programs[i]->fde.fde == fde)
			return s->programs[i];
	return NULL;
}

/* Cache the program that cfi_fde_read() has just put into the scratch memory, and take that memory.
 * NULL: the program is not cached, or out of memory. */
static struct cfi_program *program_add(struct cfi_scratch *s, const struct mem_reader *m,
				       const struct cfi_fde *f)
{
	struct machine k;
	if (f->program_bytes < BIG_PROGRAM_BYTES || start(&k, f, 0) != CFI_OK || k.has_expression)
		return NULL;
	struct cfi_program *p = calloc(1, sizeof(*p));
	size_t max_marks = f->program_bytes / MARK_EVERY_BYTES + 1;
	if (!p || !(p->marks = malloc((max_marks < MAX_MARKS ? max_marks : MAX_MARKS) *
				      sizeof(*p->marks)))) {
		program_destroy(p);
		return NULL;
	}
	p->reader = m->ctx;
	p->fde = *f;
	p->fde.cie_program = NULL;
	p->fde.cie_program_bytes = 0;
	p->bytes = s->fde;
	s->fde = NULL;
	s->fde_cap = 0;
	p->initial = k.initial;
	p->marks[0] = (struct mark){ .location = f->start, .cfa_known = k.cfa_known, .row = k.row };
	p->n_marks = 1;
	p->gap_bytes = max_marks < MAX_MARKS ? MARK_EVERY_BYTES
					     : (uint32_t)(f->program_bytes / (MAX_MARKS - 1)) + 1;
	program_destroy(s->programs[s->next_program]);
	s->programs[s->next_program] = p;
	s->next_program = (s->next_program + 1) % CFI_PROGRAMS;
	return p;
}

static enum cfi_status program_row(struct cfi_program *p, uint64_t lookup, uint64_t rip,
				   struct cfi_row *ret)
{
	struct machine k = { .fde = &p->fde, .rip = rip, .initial = p->initial };
	uint32_t low = 0, high = p->n_marks;
	if (lookup < p->fde.start || lookup >= p->fde.end)
		return CFI_NO_ENTRY;
	while (high - low > 1) { /* find the last mark at or before `lookup` */
		uint32_t mid = low + (high - low) / 2;
		if (p->marks[mid].location <= lookup)
			low = mid;
		else
			high = mid;
	}
	const struct mark *m = &p->marks[low];
	k.row = m->row;
	k.location = m->location;
	k.cfa_known = m->cfa_known;
	k.n_states = m->n_states;
	for (size_t i = 0; i < m->n_states; i++)
		k.states[i] = m->states[i];
	k.marked = p;
	return finish(&k, lookup, m->at, ret);
}

enum cfi_status cfi_row_find(const struct mem_reader *m, const struct cfi_table *t, uint64_t lookup,
			     uint64_t rip, struct cfi_scratch *s, struct cfi_row *ret)
{
	uint64_t first, fde;
	struct cfi_fde f;
	if (!cfi_table_find(t, lookup, &first, &fde))
		return CFI_NO_ENTRY;
	struct cfi_program *p = program_find(s, m, fde);
	if (!p) {
		enum cfi_status status = cfi_fde_read(m, fde, s, &f);
		if (status != CFI_OK)
			return status;
		p = program_add(s, m, &f);
	}
	return p ? program_row(p, lookup, rip, ret) : cfi_fde_row(&f, lookup, rip, ret);
}
