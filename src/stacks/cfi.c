/*
 * cfi: see cfi.h.
 *
 * The program of an entry is run up to the wanted pc and leaves one row; a big one also leaves
 * marks, from which a later run can start.
 */
#include "stacks/cfi.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "stacks/cfi_bytes.h"
#include "stacks/cfi_expression.h"

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

/* A run of a program. */
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

static enum cfi_status set_cfa_expression(struct machine *k, struct bytes expression)
{
	struct cfi_operand o;
	struct cfi_row *row = &k->row;
	enum cfi_status status = cfi_expression_describe(expression, false, k->fde->machine, k->rip,
							 &o);
	if (status != CFI_OK)
		return status;
	if ((o.kind != CFI_OPERAND_REG && o.kind != CFI_OPERAND_WORD) || o.reg == CFI_PC)
		return CFI_TOO_HARD;
	row->cfa_reg = o.reg;
	row->cfa_deref = o.kind == CFI_OPERAND_WORD;
	row->cfa_off = (int32_t)o.n;
	row->cfa_off2 = (int32_t)o.m;
	return CFI_OK;
}

static enum cfi_status set_rule_expression(const struct machine *k, struct cfi_rule *rule,
					   struct bytes expression, bool is_value)
{
	struct cfi_operand o;
	enum cfi_status status = cfi_expression_describe(expression, true, k->fde->machine, k->rip,
							 &o);
	if (status != CFI_OK)
		return status;
	bool cfa = o.kind == CFI_OPERAND_CFA, reg = o.kind == CFI_OPERAND_REG,
	     word = o.kind == CFI_OPERAND_WORD && is_value && !o.m;
	if (!cfa && !reg && !word)
		return CFI_TOO_HARD;
	*rule = (struct cfi_rule){ .reg = o.reg, .off = (int32_t)o.n };
	if (is_value && !word)
		rule->place = cfa ? CFI_IS_CFA : CFI_IS_REG;
	else
		rule->place = cfa ? CFI_AT_CFA : CFI_AT_REG;
	return CFI_OK;
}

static enum cfi_status set_offset(struct machine *k, uint64_t reg, uint8_t place, int64_t factored)
{
	int column = cfi_machine_column(k->fde->machine, reg);
	int64_t off;
	if (__builtin_mul_overflow(factored, k->fde->data_align, &off) || !bytes_fits(off))
		return CFI_CORRUPT;
	if (column >= 0)
		k->row.rules[column] = (struct cfi_rule){ .place = place, .off = (int32_t)off };
	return CFI_OK; /* registers that a call does not preserve are not tracked */
}

static enum cfi_status set_cfa(struct machine *k, uint64_t reg, int64_t off)
{
	int column = cfi_machine_column(k->fde->machine, reg);
	if (!bytes_fits(off))
		return CFI_CORRUPT;
	if (column < 0 || column == CFI_PC)
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
	int column = cfi_machine_column(k->fde->machine, reg);
	if (column >= 0)
		k->row.rules[column] = (struct cfi_rule){ .place = place };
}

static void restore(struct machine *k, uint64_t reg)
{
	int column = cfi_machine_column(k->fde->machine, reg);
	if (column >= 0)
		k->row.rules[column] = k->initial.rules[column];
}

/* The DW_CFA_* that say where the CFA is. */
static enum cfi_status run_def_cfa(struct machine *k, uint8_t op, struct bytes *b)
{
	struct bytes block;
	uint64_t reg, n;
	int64_t s;
	switch (op) {
	case DW_CFA_def_cfa:
		reg = bytes_take_uleb(b);
		n = bytes_take_uleb(b);
		return n > INT32_MAX ? CFI_CORRUPT : set_cfa(k, reg, (int64_t)n);
	case DW_CFA_def_cfa_sf:
		reg = bytes_take_uleb(b);
		if (__builtin_mul_overflow(bytes_take_sleb(b), k->fde->data_align, &s))
			return CFI_CORRUPT;
		return set_cfa(k, reg, s);
	case DW_CFA_def_cfa_register:
		if (k->row.cfa_deref)
			return CFI_CORRUPT;
		return set_cfa(k, bytes_take_uleb(b), k->row.cfa_off);
	case DW_CFA_def_cfa_offset:
		n = bytes_take_uleb(b);
		if (n > INT32_MAX || k->row.cfa_deref)
			return CFI_CORRUPT;
		k->row.cfa_off = (int32_t)n;
		return CFI_OK;
	case DW_CFA_def_cfa_offset_sf:
		if (__builtin_mul_overflow(bytes_take_sleb(b), k->fde->data_align, &s) ||
		    !bytes_fits(s) || k->row.cfa_deref)
			return CFI_CORRUPT;
		k->row.cfa_off = (int32_t)s;
		return CFI_OK;
	case DW_CFA_def_cfa_expression:
		n = bytes_take_uleb(b);
		if (!bytes_take_block(b, n, &block))
			return CFI_CORRUPT;
		k->cfa_known = k->has_expression = true;
		return set_cfa_expression(k, block);
	default: return CFI_TOO_HARD;
	}
}

/* A register and an unsigned offset follow, in units of the data alignment. */
static enum cfi_status take_offset(struct machine *k, struct bytes *b, uint8_t place, int sign)
{
	uint64_t reg = bytes_take_uleb(b), n = bytes_take_uleb(b);
	return n > INT32_MAX ? CFI_CORRUPT : set_offset(k, reg, place, sign * (int64_t)n);
}

/* The same with a signed offset. */
static enum cfi_status take_signed_offset(struct machine *k, struct bytes *b, uint8_t place)
{
	uint64_t reg = bytes_take_uleb(b);
	return set_offset(k, reg, place, bytes_take_sleb(b));
}

/* The DW_CFA_* that take operands from the byte stream; run() handles the three packed ones. */
static enum cfi_status run_extended(struct machine *k, uint8_t op, struct bytes *b)
{
	const struct cfi_machine *machine = k->fde->machine;
	struct bytes block;
	uint64_t reg, n;
	if (op && op == machine->sign_op) /* pc_bits says how it is handled */
		return CFI_OK;
	switch (op) {
	case DW_CFA_nop: return CFI_OK;
	case DW_CFA_offset_extended: return take_offset(k, b, CFI_AT_CFA, 1);
	case DW_CFA_offset_extended_sf: return take_signed_offset(k, b, CFI_AT_CFA);
	case DW_CFA_GNU_negative_offset_extended: return take_offset(k, b, CFI_AT_CFA, -1);
	case DW_CFA_val_offset: return take_offset(k, b, CFI_IS_CFA, 1);
	case DW_CFA_val_offset_sf: return take_signed_offset(k, b, CFI_IS_CFA);
	case DW_CFA_restore_extended:
		reg = bytes_take_uleb(b);
		restore(k, reg);
		return CFI_OK;
	case DW_CFA_undefined: set_place(k, bytes_take_uleb(b), CFI_UNDEFINED); return CFI_OK;
	case DW_CFA_same_value:
		reg = bytes_take_uleb(b);
		if (cfi_machine_column(machine, reg) == CFI_SP) {
			k->row.rules[CFI_SP] = (struct cfi_rule){ .place = CFI_IS_REG,
								  .reg = CFI_SP };
			return CFI_OK;
		}
		set_place(k, reg, CFI_SAME);
		return CFI_OK;
	case DW_CFA_register: {
		reg = bytes_take_uleb(b);
		n = bytes_take_uleb(b);
		int to = cfi_machine_column(machine, reg), from = cfi_machine_column(machine, n);
		if (to < 0)
			return CFI_OK;
		/* A register that is not tracked (rcx …): the value is lost, and for rip no row can
		 * express it. */
		if (from < 0 && to == CFI_PC)
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
	case DW_CFA_def_cfa_sf:
	case DW_CFA_def_cfa_register:
	case DW_CFA_def_cfa_offset:
	case DW_CFA_def_cfa_offset_sf:
	case DW_CFA_def_cfa_expression: return run_def_cfa(k, op, b);
	case DW_CFA_expression:
	case DW_CFA_val_expression:
		reg = bytes_take_uleb(b);
		n = bytes_take_uleb(b);
		if (!bytes_take_block(b, n, &block))
			return CFI_CORRUPT;
		if (cfi_machine_column(machine, reg) < 0)
			return CFI_OK;
		k->has_expression = true;
		return set_rule_expression(k, &k->row.rules[cfi_machine_column(machine, reg)],
					   block, op == DW_CFA_val_expression);
	case DW_CFA_GNU_args_size: bytes_take_uleb(b); return CFI_OK;
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
		uint8_t op = bytes_take_byte(&b), low = op & 0x3f;
		enum cfi_status status = CFI_OK;
		uint64_t step = 0, to;
		bool moves = true;
		switch (op & 0xc0) {
		case DW_CFA_advance_loc: step = low; break;
		case DW_CFA_offset: {
			uint64_t n = bytes_take_uleb(&b);
			status = n > INT32_MAX ? CFI_CORRUPT
					       : set_offset(k, low, CFI_AT_CFA, (int64_t)n);
			moves = false;
			break;
		}
		case DW_CFA_restore:
			restore(k, low);
			moves = false;
			break;
		default:
			switch (op) {
			case DW_CFA_advance_loc1: step = bytes_take_byte(&b); break;
			case DW_CFA_advance_loc2: step = bytes_take(&b, 2); break;
			case DW_CFA_advance_loc4: step = bytes_take(&b, 4); break;
			case DW_CFA_set_loc: {
				uint64_t here = k->fde->program_address + (uint64_t)(b.p - program);
				if (!bytes_take_pointer(&b, k->fde->pointer_encoding, here, 0, &to))
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
	k->row.pc_bits = f->machine->pc_bits;
	if (!f->machine->return_address_in_register)
		k->row.rules[CFI_PC].place = CFI_UNDEFINED; /* until the program says where it is */
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
	cfi_buffers_fini(&s->buffers);
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
	p->bytes = s->buffers.fde;
	s->buffers.fde = NULL;
	s->buffers.fde_cap = 0;
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
		enum cfi_status status = cfi_fde_read(m, fde, &s->buffers, &f);
		if (status != CFI_OK)
			return status;
		p = program_add(s, m, &f);
	}
	return p ? program_row(p, lookup, rip, ret) : cfi_fde_row(&f, lookup, rip, ret);
}
