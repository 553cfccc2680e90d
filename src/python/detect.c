/*
 * detect: find a CPython runtime in a module and fill its layout. See python.h.
 *
 *   symbols ─▶ is it CPython, which version ─▶ row of layouts.c ─▶ _Py_DebugOffsets over it (3.13+)
 *           ─▶ hook list decoded from code, checked with the table
 *           ─▶ known types read through the layout as a last check
 */
#include "python/python.h"

#include <elf.h>
#include <stdio.h>
#include <string.h>

#include "python/aarch64_code.h"
#include "python/audit_head.h"
#include "python/elf_symbols.h"
#include "python/layout.h"
#include "python/task_layout.h"

#define DEBUG_OFFSETS_BYTES 1024u

/*
 * Positions in struct _Py_DebugOffsets, bytes, per minor version from 3.13: offsetof compiled from
 * the headers of 3.13.18 (pycore_runtime.h), 3.14.10 and 3.15.2 (pycore_debug_offsets.h); 0 = not
 * in that version. To add a version: a column.
 */
struct debug_field {
	uint16_t at[3];
	uint16_t field; /* offset in struct probe_layout */
	uint8_t width;  /* of that field, bytes */
};
#define F(name) offsetof(struct probe_layout, name), sizeof(((struct probe_layout *)0)->name)
/* clang-format off */
static const struct debug_field debug_fields[] = {
	{ { 176, 200, 200 }, F(tstate_interp) },
	{ { 184, 208, 208 }, F(tstate_frame) },
	{ {  56,  56,  56 }, F(interp_id) },
	{ { 232, 256, 320 }, F(frame_previous) },
	{ { 240, 264, 328 }, F(frame_code) },
	{ { 248, 272, 336 }, F(frame_position) },
	{ { 256, 280, 344 }, F(frame_locals) },
	{ { 264, 288, 352 }, F(frame_owner) },
	{ { 280, 320, 384 }, F(code_filename) },
	{ { 288, 328, 392 }, F(code_name) },
	{ { 296, 336, 400 }, F(code_qualname) },
	{ { 304, 344, 408 }, F(code_linetable) },
	{ { 312, 352, 416 }, F(code_firstlineno) },
	{ { 344, 384, 448 }, F(code_instructions) },
	{ { 360, 408, 472 }, F(ob_type) },
	{ { 376, 424, 488 }, F(tp_name) },
	{ { 392, 440, 504 }, F(tp_flags) },
	{ { 408, 456, 552 }, F(tuple_items) },
	{ { 416, 464, 560 }, F(ob_size) },
	{ { 432, 480, 576 }, F(list_items) },
	{ {   0, 504, 600 }, F(set_used) },
	{ {   0, 512, 608 }, F(set_table) },
	{ {   0, 520, 616 }, F(set_mask) },
	{ { 456, 536, 632 }, F(dict_keys) },
	{ { 464, 544, 640 }, F(dict_values) },
	{ { 480, 560, 656 }, F(float_value) },
	{ { 496, 576, 672 }, F(int_tag) },
	{ { 504, 584, 680 }, F(int_digits) },
	{ { 528, 608, 704 }, F(bytes_data) },
	{ { 544, 624, 720 }, F(str_state) },
	{ { 552, 632, 728 }, F(str_length) },
	{ { 560, 640, 736 }, F(str_ascii_data) },
};
/* Free-threaded builds only. */
static const struct debug_field debug_fields_ft[] = {
	{ { 0, 304, 368 }, F(frame_tlbc_index) },
	{ { 0, 392, 456 }, F(code_tlbc) },
};
static const uint16_t debug_imports_modules[] = { 88, 96, 96 };
static const uint16_t debug_sysdict[] = { 96, 104, 104 };
static const uint16_t debug_tstate_bytes[] = { 152, 176, 176 };
/* clang-format on */

static bool find_address(const struct elf_symbols *s, const char *name, uint64_t *ret)
{
	struct elf_found found;
	if (!elf_symbols_find(s, name, &found))
		return false;
	*ret = found.address;
	return true;
}

static bool has_symbol(const struct elf_symbols *s, const char *name)
{
	struct elf_found found;
	return elf_symbols_find(s, name, &found);
}

static void version_format(uint32_t hex, char *to, size_t cap)
{
	unsigned level = (hex >> 4) & 15, serial = hex & 15;
	int n = snprintf(to, cap, "%u.%u.%u", hex >> 24, (hex >> 16) & 255, (hex >> 8) & 255);
	if (level != 15 && n > 0 && (size_t)n < cap)
		snprintf(to + n, cap - (size_t)n, "%s%u",
			 level == 10   ? "a"
			 : level == 11 ? "b"
				       : "rc",
			 serial);
}

/* "3.8.18", "3.9.0rc2+" → 0x030812f0. False if it is not a version of Python 2 or 3. */
static bool version_parse(const char *text, uint32_t *ret)
{
	unsigned major, minor, micro, serial = 0;
	int n = 0;
	if (sscanf(text, "%1u.%2u.%3u%n", &major, &minor, &micro, &n) != 3 || major < 2 ||
	    major > 3 || micro > 255)
		return false;
	unsigned level = 15;
	const char *rest = text + n;
	if (*rest && *rest != '+') {
		level = *rest == 'a'                  ? 10
			: *rest == 'b'                ? 11
			: strncmp(rest, "rc", 2) == 0 ? 12
						      : 0;
		if (!level || sscanf(rest + (level == 12 ? 2 : 1), "%2u%n", &serial, &n) != 1 ||
		    serial > 15)
			return false;
		rest += (level == 12 ? 2 : 1) + n;
		if (*rest && *rest != '+')
			return false;
	}
	*ret = major << 24 | minor << 16 | micro << 8 | level << 4 | serial;
	return true;
}

/* Is there a text in the module at this address that is a version? */
static bool version_at(const struct elf_symbols *s, uint64_t at, uint32_t *ret)
{
	char text[16];
	return at >= s->start && at < s->end &&
	       mem_read_cstr(s->mem, RADDR(at), text, sizeof(text)) && text[1] == '.' &&
	       version_parse(text, ret);
}

/* For versions without Py_Version: Py_GetVersion() formats PY_VERSION (v3.8.0 Python/getversion.c),
 * so its code holds the address of that string, relative or absolute. */
static bool version_from_code(const struct elf_symbols *s, uint32_t *ret)
{
	struct elf_found function;
	uint8_t code[512];
	if (!elf_symbols_find(s, "Py_GetVersion", &function) || !function.size)
		return false;
	size_t n = function.size < sizeof(code) ? (size_t)function.size : sizeof(code);
	if (!mem_read(s->mem, RADDR(function.address), code, n))
		return false;
	struct aarch64_follower f = { .mem = s->mem };
	for (size_t i = 0; s->e_machine == EM_AARCH64 && i + 4 <= n; i += 4) {
		uint64_t to;
		if (aarch64_follow(&f, aarch64_insn(code + i), function.address + i, &to) ==
			AARCH64_ADDRESS &&
		    version_at(s, to, ret))
			return true;
	}
	for (size_t i = 0; s->e_machine == EM_X86_64 && i + 4 <= n; i++) {
		int32_t rel;
		memcpy(&rel, code + i, 4);
		uint64_t to[2] = { function.address + i + 4 + (uint64_t)(int64_t)rel,
				   (uint64_t)(int64_t)rel };
		for (int k = 0; k < 2; k++)
			if (version_at(s, to[k], ret))
				return true;
	}
	return false;
}

/* The version, at least major.minor; *ret_exact says whether the micro version is known too. 0 if
 * this is not CPython 3. */
static uint32_t version_find(const struct elf_symbols *s, bool *ret_exact)
{
	uint64_t at;
	uint32_t hex;
	*ret_exact = true;
	/* v3.11.0 Python/getversion.c: const unsigned long Py_Version = PY_VERSION_HEX */
	if (find_address(s, "Py_Version", &at) && mem_read(s->mem, RADDR(at), &hex, sizeof(hex)) &&
	    hex >> 24 == 3)
		return hex;
	if (version_from_code(s, &hex))
		return hex;
	*ret_exact = false;
	if (!has_symbol(s, "PySys_AddAuditHook"))
		return 0;
	if (has_symbol(s, "PyType_GetName"))
		return 0x030b0000;
	if (has_symbol(s, "PyIter_Send"))
		return 0x030a0000;
	return has_symbol(s, "PyCMethod_New") ? 0x03090000 : 0x03080000;
}

static void set_field(struct probe_layout *l, const struct debug_field *f, uint64_t value)
{
	uint32_t wide = (uint32_t)value;
	uint16_t narrow = (uint16_t)value;
	if (f->width == 4)
		memcpy((char *)l + f->field, &wide, 4);
	else
		memcpy((char *)l + f->field, &narrow, 2);
}

static uint64_t get_field(const struct probe_layout *l, const struct debug_field *f)
{
	uint32_t wide = 0;
	memcpy(&wide, (const char *)l + f->field, f->width);
	return wide;
}

static void apply_debug_fields(const uint8_t *debug, unsigned column,
			       const struct debug_field *fields, size_t n, struct probe_layout *l,
			       unsigned *n_different)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t value;
		if (!fields[i].at[column])
			continue;
		memcpy(&value, debug + fields[i].at[column], sizeof(value));
		if (value >= (fields[i].width == 4 ? 1u << 24 : 1u << 14))
			continue;
		if (value != get_field(l, &fields[i]))
			++*n_different;
		set_field(l, &fields[i], value);
	}
}

/* 3.13+: apply the offsets that the target publishes. v3.13.0 Include/internal/pycore_runtime.h,
 * _Py_DebugOffsets at _PyRuntime + 0. */
static struct err *debug_offsets_apply(const struct mem_reader *mem,
				       const struct elf_found *runtime, uint32_t version,
				       struct python_runtime *rt, unsigned *n_different,
				       uint64_t *ret_tstate_bytes)
{
	uint8_t debug[DEBUG_OFFSETS_BYTES];
	struct {
		char cookie[8];
		uint64_t version, free_threaded, runtime_bytes;
	} head;
	if (runtime->size < sizeof(debug) ||
	    !mem_read(mem, RADDR(runtime->address), debug, sizeof(debug)))
		return err_create(ERR_UNSUPPORTED, "_PyRuntime cannot be read");
	memcpy(&head, debug, sizeof(head));
	if (memcmp(head.cookie, "xdebugpy", 8) != 0)
		return err_create(
		    ERR_UNSUPPORTED,
		    "_PyRuntime does not begin with the debug offsets every 3.13+ has");
	if (head.version != version)
		return err_create(ERR_UNSUPPORTED,
				  "_PyRuntime says version %#llx, Py_Version says %#x",
				  (unsigned long long)head.version, version);
	unsigned minor = (version >> 16) & 255, column = minor - 13;
	rt->row = layout_find(minor, head.free_threaded != 0);
	if (!rt->row || column >= ARRAY_LEN(debug_imports_modules))
		return NULL; /* the caller reports it */
	rt->layout = rt->row->layout;
	apply_debug_fields(debug, column, debug_fields, ARRAY_LEN(debug_fields), &rt->layout,
			   n_different);
	if (head.free_threaded)
		apply_debug_fields(debug, column, debug_fields_ft, ARRAY_LEN(debug_fields_ft),
				   &rt->layout, n_different);
	uint64_t modules, sysdict;
	memcpy(&modules, debug + debug_imports_modules[column], 8);
	memcpy(&sysdict, debug + debug_sysdict[column], 8);
	memcpy(ret_tstate_bytes, debug + debug_tstate_bytes[column], 8);
	rt->interp_modules = modules < 1u << 24 ? (uint32_t)modules : rt->row->interp_modules;
	rt->interp_sysdict = sysdict < 1u << 24 ? (uint32_t)sysdict : rt->row->interp_sysdict;
	return NULL;
}

static struct err *refuse_unknown_version(const char *version, bool free_threaded)
{
	return err_with_hint(err_create(ERR_UNSUPPORTED, "python %s%s is newer than this program",
					version, free_threaded ? " (free-threaded)" : ""),
			     "supported are 3.8 to 3.15; a newer auditview may know it");
}

static struct err *layout_fill(const struct mem_reader *mem, const struct elf_symbols *s,
			       const struct elf_found *runtime, uint32_t version,
			       struct python_runtime *rt, unsigned *n_different)
{
	unsigned minor = (version >> 16) & 255;
	bool free_threaded = false;
	uint64_t tstate_bytes = 0;
	if (!layout_find(minor, false))
		return refuse_unknown_version(rt->version, false);
	if (minor >= 13) {
		struct err *err = debug_offsets_apply(mem, runtime, version, rt, n_different,
						      &tstate_bytes);
		if (err)
			return err;
		free_threaded = has_symbol(s, "_Py_MergeZeroLocalRefcount");
	} else {
		rt->row = layout_find(minor, false);
		if (rt->row) {
			rt->layout = rt->row->layout;
			rt->interp_modules = rt->row->interp_modules;
			rt->interp_sysdict = rt->row->interp_sysdict;
		}
	}
	if (!rt->row)
		return refuse_unknown_version(rt->version, free_threaded);
	if (minor >= 13 && free_threaded != rt->row->free_threaded)
		return err_create(ERR_UNSUPPORTED,
				  "_PyRuntime and the symbols disagree about free threading");
	struct probe_layout *l = &rt->layout;
	l->version_hex = version;
	l->runtime = runtime->address;
	/* Py_REF_DEBUG, which Py_DEBUG defines */
	l->debug_build = has_symbol(s, "_Py_NegativeRefcount");
	task_layout_fill(l, tstate_bytes, rt->interp_modules);
	/* Py_TRACE_REFS puts two pointers before every object header (v3.8.0 … v3.12.0
	 * Include/object.h). */
	if (minor <= 12 && has_symbol(s, "_Py_AddToAllObjects"))
		return err_create(
		    ERR_UNSUPPORTED,
		    "python %s was built with Py_TRACE_REFS, whose objects look different",
		    rt->version);
	return NULL;
}

static struct err *audit_head_find(const struct elf_symbols *s, const struct elf_found *runtime,
				   bool exact, struct python_runtime *rt, const char **ret_how)
{
	struct probe_layout *l = &rt->layout;
	struct elf_found function;
	if (!elf_symbols_find(s, "PySys_AddAuditHook", &function))
		return err_create(ERR_UNSUPPORTED, "python %s has no PySys_AddAuditHook",
				  rt->version);
	uint32_t known = exact ? layout_audit_head(l->version_hex, l->free_threaded, l->debug_build,
						   s->e_machine)
			       : 0;
	/* The table's offset for that minor version may choose between several candidates, but it
	 * never decides alone. */
	struct audit_head found = audit_head_decode(
	    s, &function, runtime, known ? known : layout_row_audit_head(rt->row, s->e_machine));
	if (!found.offset && known) {
		found.offset = known;
		found.how = "table, this exact version";
	}
	if (!found.offset)
		return err_with_hint(
		    err_create(ERR_UNSUPPORTED,
			       "the list of audit hooks of python %s could not be located (%s)",
			       rt->version, found.how),
		    "this build is unknown; a report of its version and origin would help");
	if (known && known != found.offset)
		*ret_how = "code, which differs from the table";
	else
		*ret_how = found.how;
	if (!audit_head_is_sane(s->mem, runtime->address + found.offset))
		return err_create(ERR_UNSUPPORTED,
				  "what was taken for the list of audit hooks of python %s is none",
				  rt->version);
	l->audit_head = runtime->address + found.offset;
	return NULL;
}

/* Find the types and singletons by which the probe dispatches. */
static void known_objects_find(const struct elf_symbols *s, struct probe_layout *l)
{
	const struct {
		const char *name;
		uint64_t *to;
	} objects[] = {
		{ "_Py_NoneStruct", &l->none },
		{ "_Py_TrueStruct", &l->true_ },
		{ "_Py_FalseStruct", &l->false_ },
		{ "_Py_EllipsisObject", &l->ellipsis },
		{ "PyCode_Type", &l->type_code },
		{ "PyModule_Type", &l->type_module },
		{ "PyFunction_Type", &l->type_function },
		{ "PyCFunction_Type", &l->type_cfunction },
		{ "PyMethod_Type", &l->type_method },
		{ "PyType_Type", &l->type_type },
		{ "PyFloat_Type", &l->type_float },
		{ "PyComplex_Type", &l->type_complex },
		{ "PyByteArray_Type", &l->type_bytearray },
		{ "PySet_Type", &l->type_set },
		{ "PyFrozenSet_Type", &l->type_frozenset },
		{ "PyBool_Type", &l->type_bool },
	};
	struct elf_found found[ARRAY_LEN(objects)] = { 0 };
	for (size_t i = 0; i < ARRAY_LEN(objects); i++)
		if (!elf_symbols_find(s, objects[i].name, &found[i]))
			found[i] = (struct elf_found){ 0 };
	elf_symbols_resolve(s, found, ARRAY_LEN(found));
	for (size_t i = 0; i < ARRAY_LEN(objects); i++)
		*objects[i].to = found[i].address;
}

/* Read two types through the layout. Before ld.so has relocated the module there is nothing to
 * read, and the check passes. */
static struct err *layout_check(const struct mem_reader *mem, const struct elf_module *module,
				struct python_runtime *rt)
{
	const struct probe_layout *l = &rt->layout;
	const struct {
		uint64_t type;
		const char *name;
	} checks[] = { { l->type_type, "type" }, { l->type_float, "float" } };
	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		uint64_t type, name;
		char text[8] = "";
		if (!checks[i].type)
			return err_create(ERR_UNSUPPORTED,
					  "python %s does not export its basic types", rt->version);
		if (!mem_read_u64(mem, RADDR(checks[i].type + l->ob_type), &type) ||
		    !mem_read_u64(mem, RADDR(checks[i].type + l->tp_name), &name))
			return err_create(ERR_UNSUPPORTED, "the types of python %s cannot be read",
					  rt->version);
		if (type == 0 || (module->base.v && type == l->type_type - module->base.v))
			return NULL;
		if (type != l->type_type || !mem_read_cstr(mem, RADDR(name), text, sizeof(text)) ||
		    strcmp(text, checks[i].name) != 0)
			return err_with_hint(
			    err_create(ERR_UNSUPPORTED,
				       "objects of python %s do not look as they should: the type "
				       "%s could not be read",
				       rt->version, checks[i].name),
			    "this build is unknown; a report of its version and origin would help");
	}
	rt->is_relocated = true;
	return NULL;
}

bool elf_slack_find(const struct mem_reader *mem, const struct elf_module *module,
		    raddr *ret_address, size_t *ret_bytes, bool *ret_is_used)
{
	struct elf_symbols s;
	uint64_t address, n_bytes;
	uint8_t bytes[4096];
	(void)elf_symbols_open(mem, module, &s);
	if (!elf_symbols_slack(&s, &address, &n_bytes) ||
	    !mem_read(mem, RADDR(address), bytes, (size_t)n_bytes))
		return false;
	*ret_is_used = false;
	for (size_t i = 0; i < n_bytes; i++)
		if (bytes[i])
			*ret_is_used = true;
	*ret_address = RADDR(address);
	*ret_bytes = (size_t)n_bytes;
	return true;
}

void python_runtime_refresh(const struct mem_reader *mem, struct python_runtime *rt)
{
	uint32_t initialised;
	uint64_t finalising, interpreters = 0;
	rt->is_initialised = mem_read(mem, RADDR(rt->layout.runtime + rt->row->runtime_initialized),
				      &initialised, sizeof(initialised)) &&
			     initialised != 0;
	/* The finalising thread stays stored there until the next Py_Initialize; the interpreters
	 * are gone when finalisation is done (v3.8.0 Python/pylifecycle.c, Py_FinalizeEx, to
	 * v3.15.0). */
	rt->is_finalising = mem_read_u64(mem,
					 RADDR(rt->layout.runtime + rt->row->runtime_finalizing),
					 &finalising) &&
			    finalising != 0 &&
			    mem_read_u64(
				mem, RADDR(rt->layout.runtime + rt->row->runtime_interpreters_head),
				&interpreters) &&
			    interpreters != 0;
}

static struct err *refuse_other(const struct elf_symbols *s, const struct elf_module *module)
{
	if (has_symbol(s, "rpython_startup_code") || has_symbol(s, "pypy_main_startup") ||
	    has_symbol(s, "PyPy_Initialize"))
		return err_with_hint(
		    err_create(ERR_UNSUPPORTED, "%s is PyPy, not CPython", module->path),
		    "PyPy has audit events (PEP 578) but no hook list that could be joined from "
		    "outside");
	return NULL;
}

struct err *python_runtime_find(const struct mem_reader *mem, const struct elf_module *module,
				struct python_runtime *ret)
{
	struct elf_symbols s;
	struct elf_found runtime;
	struct python_runtime rt = { .module = *module };
	if (!elf_symbols_open(mem, module, &s))
		return err_create(ERR_NOT_PYTHON, "%s has no dynamic symbols", module->path);
	struct err *err = refuse_other(&s, module);
	if (err)
		return err;
	bool exact, has_runtime = elf_symbols_find(&s, "_PyRuntime", &runtime);
	if (!has_runtime && !has_symbol(&s, "Py_GetVersion"))
		return err_create(ERR_NOT_PYTHON, "%s has neither _PyRuntime nor Py_GetVersion",
				  module->path);
	uint32_t version = version_find(&s, &exact);
	version_format(version, rt.version, sizeof(rt.version));
	if (!exact)
		snprintf(rt.version, sizeof(rt.version), "3.%u+", (version >> 16) & 255);
	if (version < 0x03080000)
		return err_with_hint(err_create(ERR_UNSUPPORTED, "python %s has no audit events",
						version ? rt.version : "before 3.8"),
				     "they came with Python 3.8 (PEP 578)");
	if (!has_runtime || runtime.size < 64)
		return err_create(ERR_UNSUPPORTED, "python %s in %s does not export _PyRuntime",
				  rt.version, module->path);

	unsigned n_different = 0;
	const char *head_how = "";
	struct probe_layout *l = &rt.layout;
	err = layout_fill(mem, &s, &runtime, version, &rt, &n_different);
	if (err)
		return err;
	err = audit_head_find(&s, &runtime, exact, &rt, &head_how);
	if (err)
		return err;
	known_objects_find(&s, l);
	err = layout_check(mem, module, &rt);
	if (err)
		return err;
	unsigned minor = l->minor;
	if (!find_address(
		&s, minor >= 13 ? "PyThreadState_GetUnchecked" : "_PyThreadState_UncheckedGet",
		&l->fn_tstate_get) ||
	    !find_address(&s, "Py_IsInitialized", &l->fn_neutral))
		return err_create(ERR_UNSUPPORTED,
				  "python %s in %s does not export its thread state", rt.version,
				  module->path);
	if (!find_address(&s, "Py_AtExit", &l->fn_at_exit))
		l->fn_at_exit = 0;
	if (l->free_threaded && !find_address(&s, "PyMutex_Unlock", &l->fn_mutex_unlock))
		l->fn_mutex_unlock = 0;
	if (!elf_slack_find(mem, module, &rt.slack, &rt.slack_bytes, &rt.slack_is_used))
		rt.slack_bytes = 0;
	python_runtime_refresh(mem, &rt);
	snprintf(rt.how, sizeof(rt.how), "%s%s%s; hook list at _PyRuntime+%llu: %s", rt.row->source,
		 minor >= 13 ? ", debug offsets" : "",
		 n_different ? " (they differ: a build of its own kind)" : "",
		 (unsigned long long)(l->audit_head - l->runtime), head_how);
	*ret = rt;
	return NULL;
}
