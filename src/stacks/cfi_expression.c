/*
 * cfi_expression: see cfi_expression.h.
 */
#include "stacks/cfi_expression.h"

#include <dwarf.h>
#include <stddef.h>

#include "stacks/cfi_machine.h"

#define MAX_OPERANDS 16

/* Add without overflow; false if the sum would not fit into a row. */
static bool add_small(int64_t *a, int64_t b)
{
	if (!bytes_fits(*a) || !bytes_fits(b) || !bytes_fits(*a + b))
		return false;
	*a += b;
	return true;
}

static bool operand_add(struct cfi_operand *o, int64_t n)
{
	if (o->kind == CFI_OPERAND_CONST) {
		o->n = (int64_t)((uint64_t)o->n + (uint64_t)n);
		return true;
	}
	return add_small(o->kind == CFI_OPERAND_WORD ? &o->m : &o->n, n);
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

static bool binary(uint8_t op, struct cfi_operand *a, const struct cfi_operand *b)
{
	uint64_t v;
	if (op == DW_OP_plus && a->kind == CFI_OPERAND_CONST) {
		struct cfi_operand sum = *b;
		bool ok = operand_add(&sum, a->n);
		*a = sum;
		return ok;
	}
	if (op == DW_OP_plus && b->kind == CFI_OPERAND_CONST)
		return operand_add(a, b->n);
	if (op == DW_OP_minus && b->kind == CFI_OPERAND_CONST && b->n != INT64_MIN)
		return operand_add(a, -b->n);
	if (a->kind != CFI_OPERAND_CONST || b->kind != CFI_OPERAND_CONST ||
	    !fold_constants(op, (uint64_t)a->n, (uint64_t)b->n, &v))
		return false;
	a->n = (int64_t)v;
	return true;
}

static bool set_register(struct cfi_operand *o, uint64_t reg, int64_t n,
			 const struct cfi_machine *machine, uint64_t rip)
{
	int column = cfi_machine_column(machine, reg);
	if (column == CFI_PC) {
		*o = (struct cfi_operand){ .kind = CFI_OPERAND_CONST,
					   .n = (int64_t)(rip + (uint64_t)n) };
		return true;
	}
	if (column < 0 || !bytes_fits(n))
		return false;
	*o = (struct cfi_operand){ .kind = CFI_OPERAND_REG, .reg = (uint8_t)column, .n = n };
	return true;
}

/* The stack of one expression. */
struct operands {
	struct cfi_operand v[MAX_OPERANDS];
	size_t n;
	const struct cfi_machine *machine;
	uint64_t rip;
};

/* Read the operand that `op` pushes. *ret_pushes: it is such an operation. */
static enum cfi_status read_operand(const struct operands *s, uint8_t op, struct bytes *b,
				    struct cfi_operand *ret, bool *ret_pushes)
{
	struct cfi_operand o = { .kind = CFI_OPERAND_CONST };
	uint64_t reg = UINT64_MAX;
	*ret_pushes = true;
	if (op >= DW_OP_lit0 && op <= DW_OP_lit31) {
		o.n = op - DW_OP_lit0;
	} else if (op >= DW_OP_breg0 && op <= DW_OP_breg31) {
		reg = op - DW_OP_breg0;
	} else {
		switch (op) {
		case DW_OP_const1u: o.n = (int64_t)bytes_take(b, 1); break;
		case DW_OP_const1s: o.n = (int8_t)bytes_take(b, 1); break;
		case DW_OP_const2u: o.n = (int64_t)bytes_take(b, 2); break;
		case DW_OP_const2s: o.n = (int16_t)bytes_take(b, 2); break;
		case DW_OP_const4u: o.n = (int64_t)bytes_take(b, 4); break;
		case DW_OP_const4s: o.n = (int32_t)bytes_take(b, 4); break;
		case DW_OP_const8u:
		case DW_OP_const8s:
		case DW_OP_addr: o.n = (int64_t)bytes_take(b, 8); break;
		case DW_OP_constu: o.n = (int64_t)bytes_take_uleb(b); break;
		case DW_OP_consts: o.n = bytes_take_sleb(b); break;
		case DW_OP_bregx: reg = bytes_take_uleb(b); break;
		case DW_OP_dup:
			if (!s->n)
				return CFI_CORRUPT;
			o = s->v[s->n - 1];
			break;
		default: *ret_pushes = false; return CFI_OK;
		}
	}
	bool is_register = op == DW_OP_bregx || (op >= DW_OP_breg0 && op <= DW_OP_breg31);
	if (is_register && !set_register(&o, reg, bytes_take_sleb(b), s->machine, s->rip))
		return b->bad ? CFI_CORRUPT : CFI_TOO_HARD;
	*ret = o;
	return CFI_OK;
}

/* An operation on the operands that are there. */
static enum cfi_status apply(struct operands *s, uint8_t op, struct bytes *b)
{
	struct cfi_operand *last = s->n ? &s->v[s->n - 1] : NULL;
	uint64_t v;
	switch (op) {
	case DW_OP_nop: return CFI_OK;
	case DW_OP_plus_uconst:
		v = bytes_take_uleb(b);
		if (!last || b->bad)
			return CFI_CORRUPT;
		return v <= INT32_MAX && operand_add(last, (int64_t)v) ? CFI_OK : CFI_TOO_HARD;
	case DW_OP_deref:
		if (!last)
			return CFI_CORRUPT;
		if (last->kind != CFI_OPERAND_REG)
			return CFI_TOO_HARD;
		last->kind = CFI_OPERAND_WORD;
		return CFI_OK;
	case DW_OP_drop:
		if (!last)
			return CFI_CORRUPT;
		s->n--;
		return CFI_OK;
	default:
		if (s->n < 2 || !binary(op, &s->v[s->n - 2], last))
			return CFI_TOO_HARD;
		s->n--;
		return CFI_OK;
	}
}

enum cfi_status cfi_expression_describe(struct bytes b, bool with_cfa,
					const struct cfi_machine *machine, uint64_t rip,
					struct cfi_operand *ret)
{
	struct operands s = { .machine = machine, .rip = rip };
	if (with_cfa)
		s.v[s.n++] = (struct cfi_operand){ .kind = CFI_OPERAND_CFA };
	while (b.p < b.end) {
		uint8_t op = bytes_take_byte(&b);
		struct cfi_operand o;
		bool pushes;
		enum cfi_status status = read_operand(&s, op, &b, &o, &pushes);
		if (status == CFI_OK && !pushes)
			status = apply(&s, op, &b);
		if (status != CFI_OK)
			return status;
		if (!pushes)
			continue;
		if (b.bad)
			return CFI_CORRUPT;
		if (s.n == MAX_OPERANDS)
			return CFI_TOO_HARD;
		s.v[s.n++] = o;
	}
	if (b.bad || !s.n)
		return CFI_CORRUPT;
	*ret = s.v[s.n - 1];
	return CFI_OK;
}
