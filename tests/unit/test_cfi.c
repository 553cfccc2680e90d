/*
 * test_cfi: programs and the rows they must give, large ones in any order; entries and tables with
 * false contents; every byte of a valid image damaged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cfi_builder.h"
#include "stacks/cfi.h"

#define CODE       0x10000u
#define CODE_BYTES 64u

/* clang-format off */
#define SAME { CFI_SAME, 0, 0, 0 }
#define AT_CFA(off) { CFI_AT_CFA, 0, 0, off }
/* clang-format on */

struct program_case {
	const char *name;
	uint8_t program[64];
	size_t n;
	uint64_t at; /* pc, from CODE */
	enum cfi_status status;
	uint8_t cfa_reg;
	bool cfa_deref;
	int32_t cfa_off, cfa_off2;
	enum cfi_reg reg; /* the register whose rule is checked in addition to rip */
	struct cfi_rule rule;
	struct cfi_rule rip;
};

#define P(...) { __VA_ARGS__ }, sizeof((uint8_t[]){ __VA_ARGS__ })
static const struct program_case cases[] = {
	{ "nothing but the CIE", P(0), 0, CFI_OK, CFI_SP, false, 8, 0, CFI_FP, SAME, AT_CFA(-8) },
	{ "before push rbp", P(0x41, 0x0e, 16, 0x86, 2), 0, CFI_OK, CFI_SP, false, 8, 0, CFI_FP,
	  SAME, AT_CFA(-8) },
	{ "after push rbp", P(0x41, 0x0e, 16, 0x86, 2), 1, CFI_OK, CFI_SP, false, 16, 0, CFI_FP,
	  AT_CFA(-16), AT_CFA(-8) },
	{ "frame pointer", P(0x41, 0x0e, 16, 0x86, 2, 0x43, 0x0d, 6), 9, CFI_OK, CFI_FP, false, 16,
	  0, CFI_FP, AT_CFA(-16), AT_CFA(-8) },
	{ "advance_loc1/2/4", P(2, 1, 3, 1, 0, 4, 1, 0, 0, 0, 0x0e, 24), 3, CFI_OK, CFI_SP, false,
	  24, 0, CFI_S0, SAME, AT_CFA(-8) },
	{ "advance not reached", P(2, 1, 3, 1, 0, 4, 1, 0, 0, 0, 0x0e, 24), 2, CFI_OK, CFI_SP,
	  false, 8, 0, CFI_S0, SAME, AT_CFA(-8) },
	{ "remember and restore", P(0x0e, 32, 0x83, 3, 0x0a, 0x41, 0x0e, 8, 0xc3, 0x41, 0x0b), 2,
	  CFI_OK, CFI_SP, false, 32, 0, CFI_S0, AT_CFA(-24), AT_CFA(-8) },
	{ "between them", P(0x0e, 32, 0x83, 3, 0x0a, 0x41, 0x0e, 8, 0xc3, 0x41, 0x0b), 1, CFI_OK,
	  CFI_SP, false, 8, 0, CFI_S0, SAME, AT_CFA(-8) },
	{ "rip undefined: outermost",
	  P(7, 16),
	  0,
	  CFI_OK,
	  CFI_SP,
	  false,
	  8,
	  0,
	  CFI_S0,
	  SAME,
	  { CFI_UNDEFINED, 0, 0, 0 } },
	{ "register in another",
	  P(9, 12, 3),
	  0,
	  CFI_OK,
	  CFI_SP,
	  false,
	  8,
	  0,
	  CFI_S1,
	  { CFI_IS_REG, CFI_S0, 0, 0 },
	  AT_CFA(-8) },
	{ "rip in an unfollowed register", P(9, 16, 1), 0, CFI_TOO_HARD, 0, false, 0, 0, 0, SAME,
	  SAME },
	{ "val_offset",
	  P(0x14, 13, 2),
	  0,
	  CFI_OK,
	  CFI_SP,
	  false,
	  8,
	  0,
	  CFI_S2,
	  { CFI_IS_CFA, 0, 0, -16 },
	  AT_CFA(-8) },
	{ "offset_extended_sf", P(0x11, 14, 0x7e), 0, CFI_OK, CFI_SP, false, 8, 0, CFI_S3,
	  AT_CFA(16), AT_CFA(-8) },
	{ "def_cfa_sf", P(0x12, 6, 0x7e), 0, CFI_OK, CFI_FP, false, 16, 0, CFI_S3, SAME,
	  AT_CFA(-8) },
	/* gcc, stack realigned: CFA = word at rbp - 8 */
	{ "CFA from memory", P(0x0f, 3, 0x76, 0x78, 0x06), 0, CFI_OK, CFI_FP, true, -8, 0, CFI_S0,
	  SAME, AT_CFA(-8) },
	/* gcc, stack realigned: rbx at rbp - 16 */
	{ "saved at rbp - 16",
	  P(0x10, 3, 2, 0x76, 0x70),
	  0,
	  CFI_OK,
	  CFI_SP,
	  false,
	  8,
	  0,
	  CFI_S0,
	  { CFI_AT_REG, CFI_FP, 0, -16 },
	  AT_CFA(-8) },
	/* glibc, __restore_rt: rsp is the word at rsp + 160 */
	{ "signal frame",
	  P(0x0f, 4, 0x77, 0xa0, 1, 0x06, 0x10, 16, 3, 0x77, 0xa8, 1),
	  0,
	  CFI_OK,
	  CFI_SP,
	  true,
	  160,
	  0,
	  CFI_S0,
	  SAME,
	  { CFI_AT_REG, CFI_SP, 0, 168 } },
	/* binutils, .plt: rsp + 8 + ((rip & 15) >= 11) << 3 */
	{ "PLT, before the push",
	  P(0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22), 5, CFI_OK,
	  CFI_SP, false, 8, 0, CFI_S0, SAME, AT_CFA(-8) },
	{ "PLT, behind the push",
	  P(0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22), 11, CFI_OK,
	  CFI_SP, false, 16, 0, CFI_S0, SAME, AT_CFA(-8) },
	{ "CFA in r10, but only before", P(0x0c, 10, 0, 0x41, 0x0c, 6, 16), 1, CFI_OK, CFI_FP,
	  false, 16, 0, CFI_S0, SAME, AT_CFA(-8) },
	{ "CFA in r10", P(0x0c, 10, 0, 0x41, 0x0c, 6, 16), 0, CFI_TOO_HARD, 0, false, 0, 0, 0, SAME,
	  SAME },
	{ "double dereference", P(0x0f, 4, 0x76, 0, 0x06, 0x06), 0, CFI_TOO_HARD, 0, false, 0, 0, 0,
	  SAME, SAME },
	{ "unknown operation", P(0x3f), 0, CFI_TOO_HARD, 0, false, 0, 0, 0, SAME, SAME },
	/* programs that no compiler writes */
	{ "restore without remember", P(0x0b), 0, CFI_CORRUPT, 0, false, 0, 0, 0, SAME, SAME },
	{ "17 states remembered",
	  P(10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10), 0, CFI_TOO_HARD, 0,
	  false, 0, 0, 0, SAME, SAME },
	{ "expression beyond the end", P(0x0f, 0x40, 0x77), 0, CFI_CORRUPT, 0, false, 0, 0, 0, SAME,
	  SAME },
	{ "empty expression", P(0x0f, 0), 0, CFI_CORRUPT, 0, false, 0, 0, 0, SAME, SAME },
	{ "operand from nowhere", P(0x0f, 1, 0x06), 0, CFI_CORRUPT, 0, false, 0, 0, 0, SAME, SAME },
	{ "17 operands",
	  P(0x0f, 17, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30,
	    0x30, 0x30, 0x30, 0x30),
	  0, CFI_TOO_HARD, 0, false, 0, 0, 0, SAME, SAME },
	{ "offset of 2^40", P(0x0e, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20), 0, CFI_CORRUPT, 0, false,
	  0, 0, 0, SAME, SAME },
	{ "LEB128 without end",
	  P(0x0e, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), 0,
	  CFI_CORRUPT, 0, false, 0, 0, 0, SAME, SAME },
};

struct image_parts {
	struct builder b;
	size_t cie, fde;
	uint64_t hdr;
};

static void build_with(struct image_parts *p, size_t (*cie)(struct builder *),
		       const uint8_t *program, size_t n, uint8_t table_encoding)
{
	*p = (struct image_parts){ .b = { .address = 0x20000 } };
	uint64_t start = CODE;
	p->cie = cie(&p->b);
	p->fde = build_fde(&p->b, p->cie, CODE, CODE_BYTES, program, n);
	build_u32(&p->b, 0); /* terminator */
	p->hdr = build_header(&p->b, p->cie, &start, &p->fde, 1, table_encoding);
}

static size_t plain_cie(struct builder *b)
{
	return build_cie(b, false);
}

static void build(struct image_parts *p, const uint8_t *program, size_t n, uint8_t table_encoding)
{
	build_with(p, plain_cie, program, n, table_encoding);
}

static enum cfi_status row_of(struct image_parts *p, uint64_t pc, struct cfi_row *ret)
{
	struct mem_reader m = builder_reader(&p->b);
	struct cfi_table t = { 0 };
	struct cfi_scratch s = { 0 };
	enum cfi_status status = cfi_table_load(&m, p->hdr, p->b.address + p->b.n - p->hdr, &t);
	if (status == CFI_OK)
		status = cfi_row_find(&m, &t, pc, pc, &s, ret);
	cfi_table_fini(&t);
	cfi_scratch_fini(&s);
	return status;
}

static void assert_rule(const char *name, struct cfi_rule got, struct cfi_rule want)
{
	if (got.place != want.place || got.reg != want.reg || got.off != want.off)
		fail_msg("%s: rule %u reg %u off %d, expected %u %u %d", name, got.place, got.reg,
			 got.off, want.place, want.reg, want.off);
}

static void check_case(const struct program_case *c, enum cfi_status status,
		       const struct cfi_row *row)
{
	if (status != c->status)
		fail_msg("%s: status %d, expected %d", c->name, status, c->status);
	if (status != CFI_OK)
		return;
	if (row->cfa_reg != c->cfa_reg || row->cfa_deref != c->cfa_deref ||
	    row->cfa_off != c->cfa_off || row->cfa_off2 != c->cfa_off2)
		fail_msg("%s: CFA reg %u %s%d+%d", c->name, row->cfa_reg, row->cfa_deref ? "*" : "",
			 row->cfa_off, row->cfa_off2);
	assert_rule(c->name, row->rules[c->reg], c->rule);
	assert_rule(c->name, row->rules[CFI_PC], c->rip);
}

static void test_programs(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct program_case *c = &cases[i];
		struct image_parts p;
		struct cfi_row row;
		build(&p, c->program, c->n, 0x3b);
		check_case(c, row_of(&p, CODE + c->at, &row), &row);
	}
}

/* Functions of arm64, as gcc 12 describes them. */
static void test_aarch64(void **state)
{
	static const struct program_case aarch64[] = {
		{ "x30 is the return address", P(0), 0, CFI_OK, CFI_SP, false, 0, 0, CFI_FP, SAME,
		  SAME },
		/* stp x29, x30, [sp, -32]!; str x19, [sp, 16] */
		{ "before stp", P(0x41, 0x0e, 32, 0x9d, 4, 0x9e, 3, 0x93, 2), 3, CFI_OK, CFI_SP,
		  false, 0, 0, CFI_S0, SAME, SAME },
		{ "after stp", P(0x41, 0x0e, 32, 0x9d, 4, 0x9e, 3, 0x93, 2), 4, CFI_OK, CFI_SP,
		  false, 32, 0, CFI_S0, AT_CFA(-16), AT_CFA(-24) },
		{ "x28 is the last", P(0x0e, 32, 0x9c, 2, 0x9e, 1), 0, CFI_OK, CFI_SP, false, 32, 0,
		  CFI_S9, AT_CFA(-16), AT_CFA(-8) },
		{ "frame pointer", P(0x0c, 29, 32, 0x9d, 4, 0x9e, 3), 0, CFI_OK, CFI_FP, false, 32,
		  0, CFI_FP, AT_CFA(-32), AT_CFA(-24) },
		{ "paciasp", P(0x41, 0x2d, 0x0e, 16, 0x9d, 2, 0x9e, 1), 4, CFI_OK, CFI_SP, false,
		  16, 0, CFI_FP, AT_CFA(-16), AT_CFA(-8) },
		{ "restored", P(0x0e, 16, 0x9e, 1, 0xde, 0x0e, 0), 0, CFI_OK, CFI_SP, false, 0, 0,
		  CFI_FP, SAME, SAME },
		{ "a vector register is not tracked", P(0x05, 72, 2), 0, CFI_OK, CFI_SP, false, 0,
		  0, CFI_FP, SAME, SAME },
		{ "no caller",
		  P(7, 30),
		  0,
		  CFI_OK,
		  CFI_SP,
		  false,
		  0,
		  0,
		  CFI_FP,
		  SAME,
		  { CFI_UNDEFINED, 0, 0, 0 } },
		{ "CFA in x9", P(0x0c, 9, 16), 0, CFI_TOO_HARD, 0, false, 0, 0, 0, SAME, SAME },
		{ "register 31 is sp: breg31", P(0x0f, 2, 0x8f, 48), 0, CFI_OK, CFI_SP, false, 48,
		  0, CFI_FP, SAME, SAME },
		{ "unknown operation", P(0x3f), 0, CFI_TOO_HARD, 0, false, 0, 0, 0, SAME, SAME },
	};
	for (size_t i = 0; i < ARRAY_LEN(aarch64); i++) {
		const struct program_case *c = &aarch64[i];
		struct image_parts p;
		struct cfi_row row;
		build_with(&p, build_cie_aarch64, c->program, c->n, 0x3b);
		check_case(c, row_of(&p, CODE + c->at, &row), &row);
		if (c->status == CFI_OK)
			assert_int_equal(row.pc_bits, 48);
	}
	/* paciasp is an operation of arm64 alone */
	struct image_parts p;
	struct cfi_row row;
	build(&p, (const uint8_t[]){ 0x2d }, 1, 0x3b);
	assert_int_equal(row_of(&p, CODE, &row), CFI_TOO_HARD);
	p.b.bytes[p.cie + 14] = 17; /* the return address of no CPU we know */
	assert_int_equal(row_of(&p, CODE, &row), CFI_TOO_HARD);
}

static void test_outside(void **state)
{
	static const uint8_t nop = 0;
	struct image_parts p;
	struct cfi_row row;
	build(&p, &nop, 1, 0x3b);
	assert_int_equal(row_of(&p, CODE - 1, &row), CFI_NO_ENTRY);
	assert_int_equal(row_of(&p, CODE + CODE_BYTES, &row), CFI_NO_ENTRY);
	assert_int_equal(row_of(&p, CODE + CODE_BYTES - 1, &row), CFI_OK);
}

/* A header without a table, or with a table in an encoding that is not read directly: .eh_frame
 * itself is scanned. */
static void test_scan(void **state)
{
	static const uint8_t program[] = { 0x0e, 40 }, encodings[] = { 0xff, 0x0c, 0x3c };
	for (size_t i = 0; i < ARRAY_LEN(encodings); i++) {
		struct image_parts p;
		struct cfi_row row;
		build(&p, program, sizeof(program), encodings[i]);
		assert_int_equal(row_of(&p, CODE + 3, &row), CFI_OK);
		assert_int_equal(row.cfa_off, 40);
	}
}

static void test_lying_lengths(void **state)
{
	static const uint8_t nop = 0;
	static const uint32_t lengths[] = { 1,          3,          0x7fffffff,
					    0xfffffff0, 0xffffffff, CFI_MAX_ENTRY_BYTES + 1 };
	struct image_parts p;
	struct cfi_row row;
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		build(&p, &nop, 1, 0x3b);
		patch_u32(&p.b, p.fde, lengths[i]);
		assert_int_equal(row_of(&p, CODE, &row), CFI_CORRUPT);
		build(&p, &nop, 1, 0x3b);
		patch_u32(&p.b, p.cie, lengths[i]);
		assert_int_equal(row_of(&p, CODE, &row), CFI_CORRUPT);
	}
	build(&p, &nop, 1, 0x3b);
	patch_u32(&p.b, p.fde + 4, 0); /* an FDE that claims to be a CIE */
	assert_int_equal(row_of(&p, CODE, &row), CFI_CORRUPT);
	build(&p, &nop, 1, 0x3b);
	patch_u32(&p.b, p.fde + 4, (uint32_t)(p.fde + 4 - p.fde)); /* its own CIE */
	assert_int_equal(row_of(&p, CODE, &row), CFI_CORRUPT);
	build(&p, &nop, 1, 0x3b);
	/* entries that do not exist: the scan still finds it */
	patch_u32(&p.b, (size_t)(p.hdr - p.b.address) + 8, 0x40000000);
	assert_int_equal(row_of(&p, CODE, &row), CFI_OK);
}

/* Every byte of an image is set to each of these values: the decoder must return, and stay within
 * the bytes (ASan checks this). */
static void test_damage(void **state)
{
	static const uint8_t program[] = { 0x41, 0x0e, 16, 0x86, 2,    0x43, 0x0d, 6,
					   0x0a, 0x0f, 3,  0x76, 0x78, 0x06, 0x0b };
	static const uint8_t values[] = { 0, 1, 0x7f, 0x80, 0xff };
	struct image_parts p, damaged;
	struct cfi_row row;
	unsigned n_changed = 0;
	build(&p, program, sizeof(program), 0x3b);
	assert_int_equal(row_of(&p, CODE + 8, &row), CFI_OK);
	for (size_t i = 0; i < p.b.n; i++) {
		for (size_t k = 0; k < ARRAY_LEN(values); k++) {
			damaged = p;
			damaged.b.bytes[i] = values[k];
			enum cfi_status status = row_of(&damaged, CODE + 8, &row);
			assert_in_range(status, CFI_OK, CFI_CORRUPT);
			n_changed += status != CFI_OK;
		}
	}
	assert_true(n_changed > 50); /* most of the bytes matter */
	/* Cut off anywhere before the header's pointer to .eh_frame; after it the table can be made
	 * again. */
	for (size_t n = 0; n < (size_t)(p.hdr - p.b.address) + 8; n++) {
		damaged = p;
		damaged.b.n = n;
		assert_int_not_equal(row_of(&damaged, CODE + 8, &row), CFI_OK);
	}
}

/* Make a program like an evaluator's, from the steps that compilers use, with a random generator of
 * its own. */
static size_t make_big(uint8_t *to, size_t cap, uint32_t seed, unsigned max_states,
		       bool with_expression)
{
	size_t n = 0;
	unsigned n_states = 0;
	bool is_kept = false; /* from here on the CFA is an expression's result */
	while (n + 16 < cap) {
		seed = seed * 1664525u + 1013904223u;
		uint8_t v = (uint8_t)(seed >> 16), step = (uint8_t)(seed >> 28);
		switch (is_kept && (step == 0 || step > 4) ? 15 : step) {
		/* def_cfa_offset */
		case 0: to[n++] = 0x0e, to[n++] = v & 0x78; break;
		/* offset rbx */
		case 1: to[n++] = 0x83, to[n++] = v & 0x3f; break;
		/* offset r14, two bytes */
		case 2: to[n++] = 0x8e, to[n++] = 0x80 | v, to[n++] = 1; break;
		/* restore rbx */
		case 3: to[n++] = 0xc3; break;
		/* advance_loc1 */
		case 4: to[n++] = 2, to[n++] = v; break;
		/* def_cfa rbp, rsp */
		case 5: to[n++] = 0x0c, to[n++] = v & 1 ? 6 : 7, to[n++] = 16; break;
		case 6:
		case 7:
			if (n_states < max_states)
				n_states++, to[n++] = 0x0a;
			break;
		case 8:
		case 9:
			if (n_states)
				n_states--, to[n++] = 0x0b;
			break;
		case 10: /* as in a PLT: its result depends on the pc */
			if (with_expression && n > cap / 2) {
				static const uint8_t plt[] = { 0x0f, 11,   0x77, 8,    0x80,
							       0,    0x3f, 0x1a, 0x3b, 0x2a,
							       0x33, 0x24, 0x22 };
				memcpy(to + n, plt, sizeof(plt));
				n += sizeof(plt);
				with_expression = false;
				is_kept = true;
				break;
			}
			__attribute__((fallthrough));
		/* advance_loc, also by 0 */
		default: to[n++] = 0x40 | (v & 0x0f); break;
		}
	}
	return n;
}

/* The rows of a large program, read in any order, equal those from running it from its start. */
static void test_marks(void **state)
{
	static const struct {
		size_t n_bytes;
		unsigned max_states;
		bool with_expression;
	} kinds[] = { { 560, 1, false },
		      { 4000, 1, false },
		      { 4000, 4, false },
		      { 4000, 1, true },
		      { 40000, 2, false } };
	enum { BIG_CODE = 1 << 20, LOOKUPS = 1000 };
	for (size_t i = 0; i < ARRAY_LEN(kinds) * 3; i++) {
		size_t kind = i % ARRAY_LEN(kinds);
		uint8_t *program = malloc(kinds[kind].n_bytes);
		struct builder *b = calloc(1, sizeof(*b));
		assert_true(program && b && kinds[kind].n_bytes + 200 < sizeof(b->bytes));
		size_t n = make_big(program, kinds[kind].n_bytes, (uint32_t)i + 1,
				    kinds[kind].max_states, kinds[kind].with_expression);
		b->address = 0x20000;
		uint64_t start = CODE;
		size_t cie = build_cie(b, false),
		       fde = build_fde(b, cie, CODE, BIG_CODE, program, n);
		build_u32(b, 0);
		uint64_t hdr = build_header(b, cie, &start, &fde, 1, 0x3b);
		struct mem_reader m = builder_reader(b);
		struct cfi_table t = { 0 };
		struct cfi_scratch kept = { 0 };
		struct cfi_buffers other = { 0 };
		struct cfi_fde f;
		assert_int_equal(cfi_table_load(&m, hdr, b->address + b->n - hdr, &t), CFI_OK);
		uint32_t seed = (uint32_t)i, n_rows = 0;
		for (unsigned k = 0; k < LOOKUPS; k++) {
			seed = seed * 1664525u + 1013904223u;
			uint64_t at = CODE +
				      (seed >> 8) % (uint32_t)(k % 8 ? n * 12 : BIG_CODE + 2);
			struct cfi_row got = { 0 }, want = { 0 };
			enum cfi_status status = cfi_row_find(&m, &t, at, at + 1, &kept, &got);
			assert_int_equal(cfi_fde_read(&m, b->address + fde, &other, &f), CFI_OK);
			assert_int_equal(status, cfi_fde_row(&f, at, at + 1, &want));
			assert_memory_equal(&got, &want, sizeof(got));
			n_rows += status == CFI_OK;
		}
		assert_true(n_rows > LOOKUPS / 2);
		assert_non_null(kept.programs[0]);
		cfi_table_fini(&t);
		cfi_scratch_fini(&kept);
		cfi_buffers_fini(&other);
		free(b);
		free(program);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_programs), cmocka_unit_test(test_outside),
		cmocka_unit_test(test_scan),     cmocka_unit_test(test_lying_lengths),
		cmocka_unit_test(test_damage),   cmocka_unit_test(test_marks),
		cmocka_unit_test(test_aarch64),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
