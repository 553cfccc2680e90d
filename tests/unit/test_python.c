/*
 * python: modules that are byte arrays: symbols, the decoder of the hook list, what is refused, and
 * objects with false contents.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "python/audit_head.h"
#include "python/elf_symbols.h"
#include "python/hook_list.h"
#include "python/layout.h"
#include "python/object.h"
#include "python/python.h"
#include "python/stack_walk.h"
#include "tests/unit/fake_module.h"

static struct fake_module fake;

static size_t from_hex(const char *hex, uint8_t *to, size_t cap)
{
	size_t n = 0;
	unsigned byte;
	for (int used; n < cap && sscanf(hex, " %2x%n", &byte, &used) == 1; hex += used)
		to[n++] = (uint8_t)byte;
	return n;
}

static void symbols(void **state)
{
	for (unsigned sysv = 0; sysv < 2; sysv++) {
		raddr address;
		uint64_t size;
		fake_begin(&fake, sysv);
		fake_symbol(&fake, "first", 0x4010, 8);
		fake_symbol(&fake, "missing", 0, 0);
		fake_symbol(&fake, "last", 0x4020, 1u << 30);
		fake_end(&fake);
		assert_true(elf_symbol_find(&fake.reader, &fake.module, "first", &address, &size));
		assert_int_equal(address.v, FAKE_BASE + 0x4010);
		assert_int_equal(size, 8);
		assert_true(elf_symbol_find(&fake.reader, &fake.module, "last", &address, &size));
		assert_int_equal(size, FAKE_BYTES - 0x4020); /* cut at the end of the module */
		assert_false(
		    elf_symbol_find(&fake.reader, &fake.module, "missing", &address, &size));
		assert_false(elf_symbol_find(&fake.reader, &fake.module, "firs", &address, &size));
		assert_false(
		    elf_symbol_find(&fake.reader, &fake.module, "firstt", &address, &size));
	}
}

/* Every single byte of the headers and tables is broken in several ways: the reader must end, and
 * never read outside (ASan checks this). */
static void broken_modules(void **state)
{
	static const uint8_t values[] = { 0, 1, 0x7f, 0x80, 0xff };
	static const uint8_t code[] = { 0x48, 0x89, 0x98, 0xb0, 5, 0, 0, 0xc3 };
	fake_python(&fake, "3.8.18", code, sizeof(code));
	fake_end(&fake);
	for (unsigned at = 0; at < FAKE_CODE; at++) {
		uint8_t kept = fake.bytes[at];
		if (at >= 0x700 && at < 0x1000)
			continue; /* nothing is at that place */
		for (unsigned i = 0; i < ARRAY_LEN(values); i++) {
			struct python_runtime runtime;
			fake.bytes[at] = values[i];
			err_destroy(python_runtime_find(&fake.reader, &fake.module, &runtime));
		}
		fake.bytes[at] = kept;
	}
	struct python_runtime runtime;
	assert_null(python_runtime_find(&fake.reader, &fake.module, &runtime));
}

/* _PyRuntime is 0x2000 bytes at FAKE_BASE + 0x5000, the code at FAKE_BASE + 0x2200. */
static void hook_list_decoder(void **state)
{
	static const struct {
		const char *what, *code;
		uint32_t expected, want;
	} rows[] = {
		{ "store off a base register", "48 89 98 b0 05 00 00 c3", 0, 1456 },
		{ "store off r12", "49 89 84 24 88 02 00 00", 0, 648 },
		{ "store, rip-relative: 0x5288 - 0x2207", "48 89 05 81 30 00 00", 0, 648 },
		{ "stack slots are none", "48 89 84 24 88 02 00 00", 0, 0 },
		{ "locals below rbp are none", "48 89 85 78 ff ff ff", 0, 0 },
		{ "outside of _PyRuntime", "48 89 98 00 00 01 00", 0, 0 },
		{ "not aligned", "48 89 98 b1 05 00 00", 0, 0 },
		{ "32-bit store is none", "89 98 b0 05 00 00", 0, 0 },
		{ "two different stores", "48 89 98 b0 05 00 00 48 89 98 b8 05 00 00", 0, 0 },
		{ "two stores, the table decides", "48 89 98 b0 05 00 00 48 89 98 b8 05 00 00",
		  1464, 1464 },
		{ "two stores, the table knows neither",
		  "48 89 98 b0 05 00 00 48 89 98 b8 05 00 00", 1472, 0 },
		{ "the same store twice", "48 89 98 b0 05 00 00 90 48 89 88 b0 05 00 00", 0, 1456 },
		{ "lock and store agree", "f0 0f b0 8b a8 05 00 00 48 89 9b b0 05 00 00", 0, 1456 },
		{ "lock alone", "f0 0f b0 8b a8 05 00 00", 0, 1456 },
		{ "lock with a REX prefix", "f0 41 0f b0 8d a8 05 00 00", 0, 1456 },
		{ "lock and store disagree", "f0 0f b0 8b a8 05 00 00 48 89 9b c8 05 00 00", 0, 0 },
		{ "two locks agree with nothing", "f0 0f b0 8b a8 05 00 00 f0 0f b0 8b c8 05 00 00",
		  0, 0 },
		{ "clang: address and load", "48 8b 83 b0 05 00 00 48 8d bb b0 05 00 00", 0, 1456 },
		{ "address of one, load of another", "48 8b 83 b0 05 00 00 48 8d bb b8 05 00 00", 0,
		  0 },
		{ "in a callee: call +11",
		  "e8 0b 00 00 00 c3 90 90 90 90 90 90 90 90 90 90 48 89 98 b0 05 00 00 c3", 0,
		  1456 },
		{ "behind the callee's end",
		  "e8 0b 00 00 00 c3 90 90 90 90 90 90 90 90 90 90 c3 48 89 98 b0 05 00 00", 0, 0 },
		{ "cut in the middle", "48 89 98 b0 05", 0, 0 },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t code[64];
		size_t n = from_hex(rows[i].code, code, sizeof(code));
		struct elf_symbols s;
		bool callee = strstr(rows[i].what, "callee") != NULL;
		fake_begin(&fake, false);
		fake_put(&fake, 0x2200, code, n);
		fake_end(&fake);
		assert_true(elf_symbols_open(&fake.reader, &fake.module, &s));
		const struct elf_found function = { FAKE_BASE + 0x2200, callee ? 6 : n, 1 };
		const struct elf_found runtime = { FAKE_BASE + 0x5000, 0x2000, 2 };
		/* A callee is read with the zero bytes that follow it. */
		struct audit_head got = audit_head_decode(&s, &function, &runtime,
							  rows[i].expected);
		assert_non_null(got.how);
		if (got.offset != rows[i].want)
			fail_msg("%s: %u instead of %u (%s)", rows[i].what, got.offset,
				 rows[i].want, got.how);
	}
}

/* The same for arm64 code. The bytes are those of an assembler. */
static void hook_list_decoder_aarch64(void **state)
{
	static const struct {
		const char *what, *code;
		uint32_t want, n;
	} rows[] = {
		/* adrp x0, 0x5000; add x0, x0, #0; str x1, [x0, #656]; ret */
		{ "adrp, add and store", "000000f0 00000091 014801f9 c0035fd6", 656, 16 },
		/* adrp x8, 0x7000; ldr x8, [x8, …]; mov x19, x8; bl .; str x20, [x19, #1472] */
		{ "the GOT entry is still zero", "280000b0 080140f9 f30308aa 00000094 74e202f9", 0,
		  20 },
		{ "address from the GOT, kept over a call",
		  "280000b0 088140f9 f30308aa 00000094 74e202f9", 1472, 20 },
		/* adrp x8, 0x5000; bl .; str x20, [x8, #1472] */
		{ "a call may change x8", "080000f0 00000094 14e102f9", 0, 12 },
		{ "store off an unknown register", "410800f9 c0035fd6", 0, 8 },
		/* adrp x0, 0x5000; add x0, x0, #0x290; ldr x1, [x0] */
		{ "clang: address and load", "000000f0 00400a91 010040f9", 656, 12 },
		{ "not aligned to an instruction", "00 000000f0 00000091 014801f9 c0035fd6", 0,
		  17 },
		{ "two stores", "000000f0 014801f9 014c01f9", 0, 12 },
		/* bl +16; ret; two nops; then the callee */
		{ "in a callee", "04000094 c0035fd6 1f2003d5 1f2003d5 000000f0 014801f9 c0035fd6",
		  656, 8 },
		{ "behind the callee's end",
		  "04000094 c0035fd6 1f2003d5 1f2003d5 c0035fd6 000000f0 014801f9", 0, 8 },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t code[64];
		size_t n = from_hex(rows[i].code, code, sizeof(code));
		struct elf_symbols s;
		fake_begin(&fake, false);
		fake.bytes[offsetof(Elf64_Ehdr, e_machine)] = EM_AARCH64;
		fake_put(&fake, 0x2200, code, n);
		fake_put64(&fake, 0x7100, FAKE_BASE + 0x5000); /* the GOT */
		fake_end(&fake);
		assert_true(elf_symbols_open(&fake.reader, &fake.module, &s));
		assert_int_equal(s.e_machine, EM_AARCH64);
		const struct elf_found function = { FAKE_BASE + 0x2200, rows[i].n, 1 };
		const struct elf_found runtime = { FAKE_BASE + 0x5000, 0x2000, 2 };
		struct audit_head got = audit_head_decode(&s, &function, &runtime, 0);
		if (got.offset != rows[i].want)
			fail_msg("%s: %u instead of %u (%s)", rows[i].what, got.offset,
				 rows[i].want, got.how);
	}
}

/* A 3.8 as for arm64: the version is found in code, and the list is 16 bytes further. */
static void runtime_found_aarch64(void **state)
{
	/* adrp x0, _PyRuntime; str x1, [x0, #1472] */
	static const uint8_t add_hook[] = { 0, 0, 0, 0xf0, 0x01, 0xe0, 0x02, 0xf9 };
	static const uint8_t nothing[] = { 0xc0, 0x03, 0x5f, 0xd6 };
	for (unsigned is_decoded = 0; is_decoded < 2; is_decoded++) {
		struct python_runtime rt;
		fake_python(&fake, "3.8.18", is_decoded ? add_hook : nothing,
			    is_decoded ? sizeof(add_hook) : sizeof(nothing));
		fake_python_aarch64(&fake);
		fake_end(&fake);
		struct err *err = python_runtime_find(&fake.reader, &fake.module, &rt);
		if (err)
			fail_msg("%s", err->message);
		assert_string_equal(rt.version, "3.8.18");
		assert_int_equal(rt.layout.audit_head, FAKE_BASE + FAKE_RUNTIME + 1456 + 16);
	}
}

static const uint8_t add_hook[] = { 0x48, 0x89, 0x98, 0xb0, 5, 0, 0, 0xc3 };

static void runtime_found(void **state)
{
	struct python_runtime rt;
	fake_python(&fake, "3.8.18", add_hook, sizeof(add_hook));
	fake_end(&fake);
	assert_null(python_runtime_find(&fake.reader, &fake.module, &rt));
	assert_string_equal(rt.version, "3.8.18");
	assert_int_equal(rt.layout.version_hex, 0x030812f0);
	assert_int_equal(rt.layout.audit_head, FAKE_BASE + FAKE_RUNTIME + 1456);
	assert_int_equal(rt.layout.fn_tstate_get, FAKE_BASE + FAKE_CODE + 0x20);
	assert_true(rt.is_initialised);
	assert_false(rt.is_finalising);
	assert_int_equal(rt.slack.v, FAKE_BASE + FAKE_END);
	assert_int_equal(rt.slack_bytes, FAKE_BYTES - FAKE_END);
	assert_false(rt.slack_is_used);

	/* A chain of two hooks there is valid. */
	fake_put64(&fake, FAKE_RUNTIME + 1456, FAKE_BASE + FAKE_DATA + 0x500);
	fake_put64(&fake, FAKE_DATA + 0x500, FAKE_BASE + FAKE_DATA + 0x520);
	fake_put64(&fake, FAKE_DATA + 0x508, FAKE_BASE + FAKE_CODE);
	fake_put64(&fake, FAKE_DATA + 0x528, FAKE_BASE + FAKE_CODE);
	fake.bytes[FAKE_BYTES - 1] = 1;
	assert_null(python_runtime_find(&fake.reader, &fake.module, &rt));
	assert_true(rt.slack_is_used);
}

/* A program that is not position-independent has its own copy of a variable, which all modules
 * use. */
static void copied_variables(void **state)
{
	struct python_runtime rt;
	fake_python(&fake, "3.8.18", add_hook, sizeof(add_hook));
	fake_symbol(&fake, "_Py_NoneStruct", FAKE_DATA + 0x600, 16);
	/* another type of relocation: its slot does not hold the variable's address */
	fake_relocation(&fake, FAKE_DATA + 0x700, R_X86_64_64, 0x404100);
	fake_relocation(&fake, FAKE_DATA + 0x708, R_X86_64_GLOB_DAT, 0x404380);
	fake_symbol(&fake, "_Py_TrueStruct", FAKE_DATA + 0x620, 16);
	fake_relocation(&fake, FAKE_DATA + 0x710, R_X86_64_GLOB_DAT, 0); /* not relocated yet */
	fake_symbol(&fake, "_Py_FalseStruct", FAKE_DATA + 0x640, 16);
	fake_end(&fake);
	assert_null(python_runtime_find(&fake.reader, &fake.module, &rt));
	assert_int_equal(rt.layout.none, 0x404380);
	assert_int_equal(rt.layout.true_, FAKE_BASE + FAKE_DATA + 0x620);
	assert_int_equal(rt.layout.false_, FAKE_BASE + FAKE_DATA + 0x640);
	assert_int_equal(rt.layout.ellipsis, 0);
}

enum change { AS_IT_IS, NO_HOOK_CODE, WRONG_TYPES, CIRCULAR_CHAIN, NO_FUNCTION, TRACE_REFS, PYPY };

static void runtime_refused(void **state)
{
	static const struct {
		const char *version;
		enum change change;
		enum err_code code;
		const char *says;
	} rows[] = {
		{ "3.7.16", AS_IT_IS, ERR_UNSUPPORTED, "3.7.16" },
		{ "2.7.18", AS_IT_IS, ERR_UNSUPPORTED, "2.7.18" },
		{ "3.16.0a3", AS_IT_IS, ERR_UNSUPPORTED, "3.16.0a3" },
		{ "3.99.0", AS_IT_IS, ERR_UNSUPPORTED, "3.99.0" },
		/* 3.13+ describes its own layout; this one does not. */
		{ "3.13.0", AS_IT_IS, ERR_UNSUPPORTED, "debug offsets" },
		{ "3.8.5", NO_HOOK_CODE, ERR_UNSUPPORTED, "list of audit hooks" },
		{ "3.8.5", WRONG_TYPES, ERR_UNSUPPORTED, "type type" },
		{ "3.8.5", CIRCULAR_CHAIN, ERR_UNSUPPORTED, "none" },
		{ "3.8.5", NO_FUNCTION, ERR_UNSUPPORTED, "thread state" },
		{ "3.9.1", TRACE_REFS, ERR_UNSUPPORTED, "Py_TRACE_REFS" },
		{ "3.10.14", PYPY, ERR_UNSUPPORTED, "PyPy" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		static const uint8_t nothing[] = { 0xc3 };
		struct python_runtime rt;
		bool no_code = rows[i].change == NO_HOOK_CODE;
		fake_python(&fake, rows[i].version, no_code ? nothing : add_hook,
			    no_code ? 1 : sizeof(add_hook));
		if (rows[i].change == WRONG_TYPES)
			fake_put(&fake, FAKE_DATA + 0x400, "tube", 5);
		if (rows[i].change == CIRCULAR_CHAIN) {
			fake_put64(&fake, FAKE_RUNTIME + 1456, FAKE_BASE + FAKE_DATA + 0x500);
			fake_put64(&fake, FAKE_DATA + 0x500, FAKE_BASE + FAKE_DATA + 0x500);
			fake_put64(&fake, FAKE_DATA + 0x508, FAKE_BASE + FAKE_CODE);
		}
		if (rows[i].change == NO_FUNCTION)
			memset(fake.bytes + 0x1000 + 24 * 4, 0, 24);
		if (rows[i].change == TRACE_REFS)
			fake_symbol(&fake, "_Py_AddToAllObjects", FAKE_CODE, 8);
		if (rows[i].change == PYPY)
			fake_symbol(&fake, "rpython_startup_code", FAKE_CODE, 8);
		fake_end(&fake);
		struct err *err = python_runtime_find(&fake.reader, &fake.module, &rt);
		if (!err || err->code != rows[i].code || !strstr(err->message, rows[i].says))
			fail_msg("row %zu: %s", i, err ? err->message : "accepted");
		err_destroy(err);
	}
	/* There is no Python at all. */
	struct python_runtime rt;
	fake_begin(&fake, false);
	fake_symbol(&fake, "main", FAKE_CODE, 8);
	fake_end(&fake);
	struct err *err = python_runtime_find(&fake.reader, &fake.module, &rt);
	assert_non_null(err);
	assert_int_equal(err->code, ERR_NOT_PYTHON);
	err_destroy(err);
	/* The exact version is known: its table is used if the code shows nothing. */
	static const uint8_t nothing[] = { 0xc3 };
	fake_python(&fake, "3.8.18", nothing, sizeof(nothing));
	fake_end(&fake);
	assert_null(python_runtime_find(&fake.reader, &fake.module, &rt));
	assert_int_equal(rt.layout.audit_head, FAKE_BASE + FAKE_RUNTIME + 1456);
}

/* Objects of a 3.12 whose sizes and pointers are invalid. */
static void lying_objects(void **state)
{
	const struct layout_row *row = layout_find(12, false);
	assert_non_null(row);
	const struct probe_layout *l = &row->layout;
	const uint64_t type = FAKE_BASE + FAKE_DATA, object = FAKE_BASE + FAKE_DATA + 0x400;
	struct object_view v = { &fake.reader, l, row };
	char text[64];
	uint64_t number, array, n;
	fake_begin(&fake, false);
	fake_end(&fake);

	assert_int_equal(python_str_read(&fake.reader, l, RADDR(0), text, sizeof(text)), -1);
	assert_int_equal(python_str_read(&fake.reader, l, RADDR(object), text, sizeof(text)), -1);
	fake_put64(&fake, FAKE_DATA + 0x400 + l->ob_type, type);
	fake_put64(&fake, FAKE_DATA + l->tp_flags, TYPE_FLAG_STR);
	/* compact, ASCII, one byte each; much longer than the memory, then with a length below zero
	 */
	uint32_t bits = 1u << l->str_kind_shift | 1u << l->str_compact_shift |
			1u << l->str_ascii_shift;
	fake_put(&fake, FAKE_DATA + 0x400 + l->str_state, &bits, 4);
	fake_put64(&fake, FAKE_DATA + 0x400 + l->str_length, 1ull << 40);
	memset(fake.bytes + FAKE_DATA + 0x400 + l->str_ascii_data, 'x', 100);
	assert_int_equal(python_str_read(&fake.reader, l, RADDR(object), text, sizeof(text)),
			 sizeof(text));
	fake_put64(&fake, FAKE_DATA + 0x400 + l->str_length, UINT64_MAX);
	assert_int_equal(python_str_read(&fake.reader, l, RADDR(object), text, sizeof(text)), -1);
	/* two bytes each: é é, cut where the second does not fit */
	bits = 2u << l->str_kind_shift | 1u << l->str_compact_shift;
	fake_put(&fake, FAKE_DATA + 0x400 + l->str_state, &bits, 4);
	fake_put64(&fake, FAKE_DATA + 0x400 + l->str_length, 2);
	fake_put(&fake, FAKE_DATA + 0x400 + l->str_compact_data, "\xe9\0\xe9", 4);
	assert_int_equal(python_str_read(&fake.reader, l, RADDR(object), text, 3), 2);
	assert_memory_equal(text, "\xc3\xa9", 2);
	bits = 3u << l->str_kind_shift | 1u << l->str_compact_shift;
	fake_put(&fake, FAKE_DATA + 0x400 + l->str_state, &bits, 4);
	assert_int_equal(python_str_read(&fake.reader, l, RADDR(object), text, sizeof(text)), -1);

	fake_put64(&fake, FAKE_DATA + l->tp_flags, TYPE_FLAG_INT);
	fake_put64(&fake, FAKE_DATA + 0x400 + l->int_tag, 1ull << 60);
	assert_false(object_int(&v, object, &number));
	fake_put64(&fake, FAKE_DATA + 0x400 + l->int_tag, 3 << 3);
	memset(fake.bytes + FAKE_DATA + 0x400 + l->int_digits, 0, 12);
	fake.bytes[FAKE_DATA + 0x400 + l->int_digits + 8] = 8; /* 2^63 */
	assert_false(object_int(&v, object, &number));

	fake_put64(&fake, FAKE_DATA + l->tp_flags, TYPE_FLAG_LIST);
	fake_put64(&fake, FAKE_DATA + 0x400 + l->ob_size, 1ull << 40);
	assert_false(object_items(&v, object, &array, &n));

	/* A dict whose keys claim a billion entries, then entries beyond the memory. */
	fake_put64(&fake, FAKE_DATA + l->tp_flags, TYPE_FLAG_DICT);
	fake_put64(&fake, FAKE_DATA + 0x400 + l->dict_keys, FAKE_BASE + FAKE_DATA + 0x800);
	fake_put64(&fake, FAKE_DATA + 0x400 + l->dict_values, 0);
	fake_put64(&fake, FAKE_DATA + 0x800 + l->keys_nentries, 1000000000);
	assert_int_equal(object_dict_get(&v, object, "x"), 0);
	fake_put64(&fake, FAKE_DATA + 0x800 + l->keys_nentries, 100000);
	assert_int_equal(object_dict_get(&v, object, "x"), 0);
	fake_put64(&fake, FAKE_DATA + 0x800 + l->keys_nentries, 3);
	fake.bytes[FAKE_DATA + 0x800 + l->keys_log2_index_bytes] = 200;
	assert_int_equal(object_dict_get(&v, object, "x"), 0);
	/* It is its own type: an instance dict that is the object itself. */
	fake_put64(&fake, FAKE_DATA + l->tp_flags, TYPE_FLAG_MANAGED_DICT);
	assert_int_equal(object_attribute(&v, object, "x"), 0);
}

/* A list in memory that a target can write: a head at 0, entries at multiples of 32. */
struct words {
	uint64_t v[32];
};

static bool words_read(void *ctx, raddr from, void *to, size_t n_bytes)
{
	const struct words *w = ctx;
	if (from.v > sizeof(w->v) || n_bytes > sizeof(w->v) - from.v)
		return false;
	memcpy(to, (const char *)w->v + from.v, n_bytes);
	return true;
}

static bool memory_read(void *ctx, raddr from, void *to, size_t n_bytes)
{
	if (from.v > 4096 || n_bytes > 4096 - from.v)
		return false;
	memcpy(to, (const char *)ctx + from.v, n_bytes);
	return true;
}

static void hook_list_walked(void **state)
{
	struct words w = { .v = { [0] = 32, [4] = 96, [12] = 64 } };
	const struct mem_reader mem = { words_read, &w };
	raddr link = RADDR(7);
	assert_int_equal(hook_list_find(&mem, RADDR(0), RADDR(32), &link), HOOK_ENTRY);
	assert_int_equal(link.v, 0);
	assert_int_equal(hook_list_find(&mem, RADDR(0), RADDR(64), &link), HOOK_ENTRY);
	assert_int_equal(link.v, 96);
	link = RADDR(7);
	assert_int_equal(hook_list_find(&mem, RADDR(0), RADDR(128), &link), HOOK_END);
	assert_int_equal(hook_list_find(&mem, RADDR(1000), RADDR(32), &link), HOOK_UNREADABLE);
	w.v[8] = 1u << 20; /* the third entry leads out of the memory */
	assert_int_equal(hook_list_find(&mem, RADDR(0), RADDR(128), &link), HOOK_UNREADABLE);
	w.v[8] = 32; /* and back to the first */
	assert_int_equal(hook_list_find(&mem, RADDR(0), RADDR(128), &link), HOOK_TOO_MANY);
	assert_int_equal(link.v, 7);
	/* As many entries as asked for are no fault; one more is. */
	w.v[8] = 0;
	struct hook_walk walk = hook_walk_begin(&mem, RADDR(0), 3);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(hook_walk_next(&walk), HOOK_ENTRY);
	assert_int_equal(hook_walk_next(&walk), HOOK_END);
	walk = hook_walk_begin(&mem, RADDR(0), 2);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(hook_walk_next(&walk), HOOK_ENTRY);
	assert_int_equal(hook_walk_next(&walk), HOOK_TOO_MANY);
}

/* A thread of 3.11 or 3.12 that runs a generator: thread state, cframe, frames and a code object in
 * memory of words. `last` is the frame below the generator's, 0 none. */
static enum stack_end generator_walked(unsigned minor, uint64_t last, uint8_t gen_state)
{
	enum { TSTATE = 1024, CFRAME = 1536, CODE = 2048, GENERATOR = 2560, ENTRY = 3072 };
	static uint8_t bytes[4096];
	const struct layout_row *row = layout_find(minor, false);
	struct python_runtime rt = { .layout = row->layout };
	struct probe_layout *l = &rt.layout;
	const struct mem_reader mem = { memory_read, bytes };
	struct stack_frame frames[4];
	size_t n;
	const struct {
		uint64_t at, value;
	} words[] = {
		{ TSTATE + l->tstate_frame, CFRAME },
		{ CFRAME + l->cframe_current, GENERATOR },
		{ CODE + l->ob_type, 4711 },
		{ GENERATOR + l->frame_code, CODE },
		{ GENERATOR + l->frame_position, CODE + l->code_instructions },
		{ GENERATOR + l->frame_previous, last ? ENTRY : 0 },
		{ ENTRY + l->frame_code, CODE },
		{ ENTRY + l->frame_position, CODE + l->code_instructions },
	};
	memset(bytes, 0, sizeof(bytes));
	l->type_code = 4711;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		memcpy(bytes + words[i].at, &words[i].value, 8);
	bytes[GENERATOR + l->frame_owner] = 1;
	bytes[GENERATOR - 5] = gen_state;
	bytes[ENTRY + l->frame_owner] = (uint8_t)(last - 1);
	enum stack_end end = stack_walk(&mem, &rt, TSTATE, frames, 4, &n);
	assert_true(n > 0 && frames[0].frame == GENERATOR);
	return end;
}

/* A frame whose caller is not linked yet is not shown as a whole stack. */
static void frames_not_linked_yet(void **state)
{
	enum { THREADS_FRAME = 1, C_FRAME = 4, SUSPENDED = 0xff };
	assert_int_equal(generator_walked(12, C_FRAME, 0), STACK_WHOLE);
	assert_int_equal(generator_walked(12, 0, 0), STACK_BROKEN);
	assert_int_equal(generator_walked(12, THREADS_FRAME, 0), STACK_BROKEN);
	assert_int_equal(generator_walked(11, THREADS_FRAME, 0), STACK_WHOLE);
	/* a generator that C code calls in a new thread */
	assert_int_equal(generator_walked(11, 0, 0), STACK_WHOLE);
	assert_int_equal(generator_walked(11, 0, SUSPENDED), STACK_BROKEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_not_linked_yet),
		cmocka_unit_test(hook_list_walked),
		cmocka_unit_test(symbols),
		cmocka_unit_test(broken_modules),
		cmocka_unit_test(hook_list_decoder),
		cmocka_unit_test(runtime_found),
		cmocka_unit_test(copied_variables),
		cmocka_unit_test(runtime_refused),
		cmocka_unit_test(lying_objects),
		cmocka_unit_test(hook_list_decoder_aarch64),
		cmocka_unit_test(runtime_found_aarch64),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
