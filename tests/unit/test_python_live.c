/*
 * python, live: find the runtime of every Python on this machine, and read objects whose contents
 * it prints.
 *
 * Each target runs known_objects.py, which prints where each object is and what it holds; nothing
 * is stopped while it is read, and one of its threads is busy. Covers detect.c, audit_head.c,
 * elf_symbols.c, layouts.c, object.c, names.c, maps.c, remote_mem.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "arch/arch.h"
#include "base/attr.h"
#include "base/monotonic.h"
#include "python/line_table.h"
#include "python/object.h"
#include "python/python.h"
#include "tests/unit/pythons.h"
#include "system/maps.h"
#include "system/remote_mem.h"

enum { TRIES = 100 };

struct target {
	pid_t pid;
	int to, from; /* pipes */
	char *text;   /* everything that it printed up to "ready" */
};

struct live {
	const struct test_python *python;
	const struct mem_reader *mem;
	struct python_runtime runtime;
	struct object_view view;
	uint64_t address;
	char *words[420];
	unsigned n_words;
	unsigned n_checked;
	uint64_t line; /* the line in main() */
};

/* ---- the target ---- */

static struct target target_start(const struct test_python *python, const char *script)
{
	int in[2], out[2];
	struct target t = { 0 };
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	t.pid = fork();
	assert_true(t.pid >= 0);
	if (t.pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		execl(python->program, python->program, script, (char *)NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	t.to = in[1];
	t.from = out[0];
	return t;
}

/* Read until a line "ready"; at most 60 s. */
static bool target_wait(struct target *t)
{
	size_t n = 0, cap = 1 << 20;
	t->text = malloc(cap);
	assert_non_null(t->text);
	uint64_t end = monotonic_ns() + 60000000000u;
	while (monotonic_ns() < end && n < cap - 1) {
		struct pollfd p = { .fd = t->from, .events = POLLIN };
		if (poll(&p, 1, 1000) <= 0)
			continue;
		ssize_t got = read(t->from, t->text + n, cap - 1 - n);
		if (got <= 0)
			return false;
		n += (size_t)got;
		t->text[n] = 0;
		if (n >= 6 && strcmp(t->text + n - 6, "ready\n") == 0)
			return true;
	}
	return false;
}

static void target_end(struct target *t, bool kill_it)
{
	int status;
	if (kill_it)
		kill(t->pid, SIGKILL);
	close(t->to);
	assert_int_equal(waitpid(t->pid, &status, 0), t->pid);
	close(t->from);
	free(t->text);
	if (!kill_it && status != 0)
		fail_msg("the target ended with status %#x", status);
}

/* ---- reading as the recorder does ---- */

static const char *hex_of(const char *bytes, long n, char *to, size_t cap)
{
	if (n < 0)
		return "unreadable";
	if (n == 0)
		return "-";
	for (long i = 0; i < n && (size_t)(2 * i + 3) < cap; i++)
		snprintf(to + 2 * i, 3, "%02x", (unsigned char)bytes[i]);
	return to;
}

static const char *str_hex(const struct live *t, uint64_t object)
{
	static char bytes[8192], hex[2 * 8192 + 1];
	return hex_of(
	    bytes, python_str_read(t->mem, &t->runtime.layout, RADDR(object), bytes, sizeof(bytes)),
	    hex, sizeof(hex));
}

static uint64_t u64_at(const struct live *t, uint64_t at)
{
	uint64_t value = 0;
	if (!mem_read_u64(t->mem, RADDR(at), &value))
		print_error("cannot read %#lx\n", (unsigned long)at);
	return value;
}

static uint32_t u32_at(const struct live *t, uint64_t at)
{
	uint32_t value = 0;
	mem_read(t->mem, RADDR(at), &value, sizeof(value));
	return value;
}

static bool same(const struct live *t, const char *what, const char *got, const char *want)
{
	if (strcmp(got, want) == 0)
		return true;
	print_error("%s: %s at %#lx: %.80s instead of %.80s\n", t->python->version, what,
		    (unsigned long)t->address, got, want);
	return false;
}

static bool same_number(const struct live *t, const char *what, uint64_t got, uint64_t want)
{
	if (got == want)
		return true;
	print_error("%s: %s at %#lx: %#lx instead of %#lx\n", t->python->version, what,
		    (unsigned long)t->address, (unsigned long)got, (unsigned long)want);
	return false;
}

static uint64_t hex_word(const struct live *t, unsigned i)
{
	return i < t->n_words ? strtoull(t->words[i], NULL, 16) : UINT64_MAX;
}

static uint64_t decimal_word(const struct live *t, unsigned i)
{
	return i < t->n_words ? strtoull(t->words[i], NULL, 10) : UINT64_MAX;
}

static bool check_str(struct live *t)
{
	return same(t, "str", str_hex(t, t->address), t->words[0]);
}

static bool check_int(struct live *t)
{
	const struct probe_layout *l = &t->runtime.layout;
	uint64_t size = u64_at(t, t->address + l->int_tag), n;
	bool negative;
	if (l->int_has_tag) {
		n = size >> 3;
		negative = (size & 3) == 2;
	} else {
		negative = (int64_t)size < 0;
		n = negative ? -size : size;
	}
	unsigned __int128 low = 0;
	for (uint64_t i = 0; i < n && i < 4; i++)
		low |= (unsigned __int128)u32_at(t, t->address + l->int_digits + 4 * i) << (30 * i);
	size_t n_hex = strlen(t->words[0]);
	/* The low 64 bits, the number of digits and the sign. */
	const char *tail = n_hex > 16 ? t->words[0] + n_hex - 16 : t->words[0];
	uint64_t digits = (n_hex * 4 -
			   (strspn(t->words[0], "0") == n_hex ? 4
			    : t->words[0][0] < '2'            ? 3
			    : t->words[0][0] < '4'            ? 2
			    : t->words[0][0] < '8'            ? 1
							      : 0) +
			   29) /
			  30;
	uint64_t value;
	bool readable = object_int(&t->view, t->address, &value);
	uint64_t want = strtoull(tail, NULL, 16);
	if (readable && (negative || value != want))
		return same_number(t, "int by object_int", value, want);
	return same_number(t, "int", (uint64_t)low, want) &&
	       same_number(t, "int sign", negative, decimal_word(t, 1)) &&
	       same_number(t, "int digits", l->int_has_tag && want == 0 && n == 1 ? 0 : n,
			   digits) &&
	       same_number(t, "int readable", readable, !negative && n <= 2);
}

static bool check_doubles(struct live *t, uint64_t offset)
{
	for (unsigned i = 0; i < t->n_words; i++) {
		double got, want = strtod(t->words[i], NULL);
		mem_read(t->mem, RADDR(t->address + offset + 8 * i), &got, 8);
		if (memcmp(&got, &want, 8) != 0)
			return same(t, "float", "something else", t->words[i]);
	}
	return t->n_words > 0;
}

static bool check_float(struct live *t)
{
	return check_doubles(t, t->runtime.layout.float_value);
}

static bool check_complex(struct live *t)
{
	return check_doubles(t, t->runtime.layout.complex_value);
}

static bool check_raw(struct live *t, uint64_t data)
{
	char bytes[64] = "", hex[200] = "";
	uint64_t n = u64_at(t, t->address + t->runtime.layout.ob_size);
	if (n > sizeof(bytes) || !mem_read(t->mem, RADDR(data), bytes, n))
		return same(t, "bytes", "unreadable", t->words[0]);
	return same(t, "bytes", hex_of(bytes, (long)n, hex, sizeof(hex)), t->words[0]);
}

static bool check_bytes(struct live *t)
{
	return check_raw(t, t->address + t->runtime.layout.bytes_data);
}

static bool check_bytearray(struct live *t)
{
	return check_raw(t, u64_at(t, t->address + t->runtime.layout.bytearray_start));
}

static bool check_items(struct live *t)
{
	uint64_t array, n;
	if (!object_items(&t->view, t->address, &array, &n) ||
	    !same_number(t, "count", n, t->n_words))
		return false;
	for (unsigned i = 0; i < n; i++)
		if (!same(t, "item", str_hex(t, u64_at(t, array + 8 * i)), t->words[i]))
			return false;
	return true;
}

struct dict_check {
	struct live *t;
	unsigned n;
	bool ok;
};

static bool check_entry(void *arg, uint64_t key, uint64_t value)
{
	struct dict_check *c = arg;
	if (!object_has_flag(&c->t->view, key, TYPE_FLAG_STR))
		return true;
	char pair[2048];
	snprintf(pair, sizeof(pair), "%s=", str_hex(c->t, key));
	snprintf(pair + strlen(pair), sizeof(pair) - strlen(pair), "%s", str_hex(c->t, value));
	c->ok = c->ok && c->n < c->t->n_words && same(c->t, "entry", pair, c->t->words[c->n]);
	c->n++;
	return c->ok;
}

static bool check_dict(struct live *t)
{
	struct dict_check c = { .t = t, .ok = true };
	return object_dict_each(&t->view, t->address, check_entry, &c) && c.ok &&
	       same_number(t, "entries", c.n, t->n_words);
}

static bool check_dict_len(struct live *t)
{
	return same_number(t, "dict length", u64_at(t, t->address + t->runtime.layout.dict_used),
			   decimal_word(t, 0)) ||
	       t->n_words == 0;
}

static bool check_set(struct live *t)
{
	const struct probe_layout *l = &t->runtime.layout;
	uint64_t mask = u64_at(t, t->address + l->set_mask),
		 table = u64_at(t, t->address + l->set_table), n = 0;
	if (!same_number(t, "set used", u64_at(t, t->address + l->set_used), t->n_words) ||
	    !same_number(t, "set fill", u64_at(t, t->address + l->set_fill), t->n_words) ||
	    mask > 64)
		return false;
	for (uint64_t i = 0; i <= mask; i++) {
		uint64_t key = u64_at(t, table + 16 * i);
		bool found = !key;
		for (unsigned k = 0; key && k < t->n_words; k++)
			if (strcmp(str_hex(t, key), t->words[k]) == 0)
				found = true;
		if (!found)
			return same(t, "set", str_hex(t, key), "one of its items");
		n += key != 0;
	}
	return same_number(t, "set items", n, t->n_words);
}

static bool check_set_fill(struct live *t)
{
	const struct probe_layout *l = &t->runtime.layout;
	return same_number(t, "set fill", u64_at(t, t->address + l->set_fill),
			   decimal_word(t, 0)) &&
	       same_number(t, "set used", u64_at(t, t->address + l->set_used), decimal_word(t, 1));
}

static const char *from_hex(const char *hex)
{
	static char text[256];
	size_t n = 0;
	unsigned byte;
	while (n < sizeof(text) - 1 && sscanf(hex + 2 * n, "%2x", &byte) == 1)
		text[n++] = (char)byte;
	text[n] = 0;
	return text;
}

static bool check_attribute(struct live *t)
{
	uint64_t value = object_attribute(&t->view, t->address, from_hex(t->words[0]));
	return value ? same(t, "attribute", str_hex(t, value), t->words[1])
		     : same(t, "attribute", "none", t->words[1]);
}

static bool check_no_attribute(struct live *t)
{
	return same_number(t, "deleted attribute",
			   object_attribute(&t->view, t->address, from_hex(t->words[0])), 0);
}

static bool check_bytes_at(struct live *t, const char *what, uint64_t at, const char *want)
{
	size_t n = strlen(want) / 2;
	char *bytes = malloc(n + 1), *hex = malloc(2 * n + 3);
	assert_non_null(bytes);
	assert_non_null(hex);
	bool ok = mem_read(t->mem, RADDR(at), bytes, n) &&
		  same(t, what, hex_of(bytes, (long)n, hex, 2 * n + 3), want);
	free(bytes);
	free(hex);
	return ok;
}

static bool check_code(struct live *t)
{
	const struct probe_layout *l = &t->runtime.layout;
	uint64_t table = u64_at(t, t->address + l->code_linetable);
	return same(t, "co_filename", str_hex(t, u64_at(t, t->address + l->code_filename)),
		    t->words[0]) &&
	       same(t, "co_name", str_hex(t, u64_at(t, t->address + l->code_name)), t->words[1]) &&
	       (l->code_qualname == OFF_NONE ||
		same(t, "co_qualname", str_hex(t, u64_at(t, t->address + l->code_qualname)),
		     t->words[2])) &&
	       same_number(t, "co_firstlineno", u32_at(t, t->address + l->code_firstlineno),
			   decimal_word(t, 3)) &&
	       same_number(t, "line table bytes", u64_at(t, table + l->ob_size),
			   strlen(t->words[4]) / 2) &&
	       check_bytes_at(t, "line table", table + l->bytes_data, t->words[4]) &&
	       (l->code_instructions == OFF_NONE ||
		(t->words[5][0] != '-' &&
		 check_bytes_at(t, "instructions", t->address + l->code_instructions,
				t->words[5])));
}

/* Of two code objects made one after the other. */
static bool check_code_version(struct live *t)
{
	uint16_t off = t->runtime.layout.code_version;
	if (!off)
		return same_number(t, "has versions", t->python->minor >= 12, 0);
	uint32_t first = u32_at(t, t->address + off), second = u32_at(t, hex_word(t, 0) + off);
	return first && same_number(t, "co_version", second, first + 1);
}

static bool check_function(struct live *t)
{
	const struct probe_layout *l = &t->runtime.layout;
	return same(t, "func_module", str_hex(t, u64_at(t, t->address + l->function_module)),
		    t->words[0]) &&
	       same(t, "func_name", str_hex(t, u64_at(t, t->address + l->function_name)),
		    t->words[1]) &&
	       same(t, "func_qualname", str_hex(t, u64_at(t, t->address + l->function_qualname)),
		    t->words[2]) &&
	       same_number(t, "func_code", u64_at(t, t->address + l->function_code),
			   hex_word(t, 3));
}

static bool check_method(struct live *t)
{
	const struct probe_layout *l = &t->runtime.layout;
	return same_number(t, "im_func", u64_at(t, t->address + l->method_function),
			   hex_word(t, 0)) &&
	       same_number(t, "im_self", u64_at(t, t->address + l->method_self), hex_word(t, 1));
}

static bool check_builtin(struct live *t)
{
	const struct probe_layout *l = &t->runtime.layout;
	char name[64] = "";
	mem_read_cstr(t->mem, RADDR(u64_at(t, u64_at(t, t->address + l->cfunction_ml))), name,
		      sizeof(name));
	return same(t, "ml_name", name, from_hex(t->words[0])) &&
	       same(t, "m_module", str_hex(t, u64_at(t, t->address + l->cfunction_module)),
		    t->words[1]) &&
	       same_number(t, "m_self", u64_at(t, t->address + l->cfunction_self), hex_word(t, 2));
}

static bool check_heap_type(struct live *t)
{
	const struct probe_layout *l = &t->runtime.layout;
	return same(t, "ht_name", str_hex(t, u64_at(t, t->address + l->heaptype_name)),
		    t->words[0]) &&
	       same(t, "ht_qualname", str_hex(t, u64_at(t, t->address + l->heaptype_qualname)),
		    t->words[1]) &&
	       same_number(t, "tp_base", u64_at(t, t->address + l->tp_base), hex_word(t, 2)) &&
	       same_number(t, "tp_basicsize", u64_at(t, t->address + l->tp_basicsize),
			   decimal_word(t, 3)) &&
	       same(t, "__module__ in tp_dict",
		    str_hex(t, object_dict_get(&t->view, u64_at(t, t->address + l->type_dict),
					       "__module__")),
		    "5f5f6d61696e5f5f");
}

static bool check_tp_name(struct live *t)
{
	char name[64] = "";
	mem_read_cstr(t->mem, RADDR(u64_at(t, t->address + t->runtime.layout.tp_name)), name,
		      sizeof(name));
	return same(t, "tp_name", name, from_hex(t->words[0]));
}

static bool check_module(struct live *t)
{
	const struct probe_layout *l = &t->runtime.layout;
	return same(t, "md_name", str_hex(t, u64_at(t, t->address + l->module_name)),
		    t->words[0]) &&
	       same_number(t, "md_dict", u64_at(t, t->address + l->module_dict), hex_word(t, 1));
}

static bool check_socket(struct live *t)
{
	const struct probe_layout *l = &t->runtime.layout;
	return same_number(t, "sock_fd", u32_at(t, t->address + l->socket_fd),
			   decimal_word(t, 0)) &&
	       same_number(t, "sock_family", u32_at(t, t->address + l->socket_family),
			   decimal_word(t, 1)) &&
	       same_number(t, "sock_type", u32_at(t, t->address + l->socket_type) & 15,
			   decimal_word(t, 2)) &&
	       same_number(t, "sock_proto", u32_at(t, t->address + l->socket_proto),
			   decimal_word(t, 3));
}

static bool check_path(struct live *t)
{
	const struct probe_layout *l = &t->runtime.layout;
	uint64_t array, n;
	if (!same(t, "PurePath._str", str_hex(t, u64_at(t, t->address + l->path_str)),
		  t->words[0]) ||
	    !same(t, "PurePath._drv", str_hex(t, u64_at(t, t->address + l->path_drv)), "-") ||
	    !same(t, "PurePath._root", str_hex(t, u64_at(t, t->address + l->path_root)), "2f"))
		return false;
	if (t->n_words == 1)
		return l->path_raw_paths == OFF_NONE;
	return object_items(&t->view, u64_at(t, t->address + l->path_raw_paths), &array, &n) &&
	       same_number(t, "raw paths", n, 2) &&
	       same(t, "raw path", str_hex(t, u64_at(t, array)), t->words[1]) &&
	       same(t, "raw path", str_hex(t, u64_at(t, array + 8)), t->words[2]);
}

static bool check_path_parts(struct live *t)
{
	uint64_t at = t->address;
	t->address = u64_at(t, at + t->runtime.layout.path_parts);
	return check_items(t) &&
	       same_number(t, "PurePath._str", u64_at(t, at + t->runtime.layout.path_str), 0);
}

static bool check_is(struct live *t)
{
	const struct probe_layout *l = &t->runtime.layout;
	const struct {
		const char *name;
		uint64_t at;
	} known[] = {
		{ "none", l->none },
		{ "true", l->true_ },
		{ "false", l->false_ },
		{ "ellipsis", l->ellipsis },
		{ "type_code", l->type_code },
		{ "type_module", l->type_module },
		{ "type_function", l->type_function },
		{ "type_cfunction", l->type_cfunction },
		{ "type_method", l->type_method },
		{ "type_type", l->type_type },
		{ "type_float", l->type_float },
		{ "type_complex", l->type_complex },
		{ "type_bytearray", l->type_bytearray },
		{ "type_set", l->type_set },
		{ "type_frozenset", l->type_frozenset },
		{ "type_bool", l->type_bool },
	};
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strcmp(known[i].name, t->words[0]) == 0)
			return same_number(t, t->words[0], known[i].at, t->address);
	return false;
}

/* The hook that the target itself added must be at the head; its function is Py_IsInitialized. */
static bool check_hook(struct live *t)
{
	const struct probe_layout *l = &t->runtime.layout;
	uint64_t entry = u64_at(t, l->audit_head);
	return entry && same_number(t, "hook's function", u64_at(t, entry + 8), t->address) &&
	       same_number(t, "hook's data", u64_at(t, entry + 16), hex_word(t, 0)) &&
	       same_number(t, "Py_IsInitialized", l->fn_neutral, t->address);
}

static bool check_thread(struct live *t)
{
	char name[64] = "", hex[200];
	bool by_ident = python_thread_name(t->mem, &t->runtime, t->address, NULL, name,
					   sizeof(name)) &&
			same(t, "thread by ident",
			     hex_of(name, (long)strlen(name), hex, sizeof(hex)), t->words[0]);
	bool by_tid = python_thread_name(t->mem, &t->runtime, decimal_word(t, 1), NULL, name,
					 sizeof(name)) &&
		      same(t, "thread by tid", hex_of(name, (long)strlen(name), hex, sizeof(hex)),
			   t->words[0]);
	return same_number(t, "thread found", by_ident && by_tid, 1) &&
	       !python_thread_name(t->mem, &t->runtime, 12345, NULL, name, sizeof(name));
}

static bool check_version(struct live *t)
{
	char version[32];
	snprintf(version, sizeof(version), "%.20s", t->words[0]);
	version[strcspn(version, "+")] = 0;
	return same_number(t, "version", t->runtime.layout.version_hex, t->address) &&
	       same(t, "version", t->runtime.version, version);
}

static bool check_sys_path(struct live *t)
{
	char paths[4096], hex[4096];
	long n = python_sys_path_read(t->mem, &t->runtime, paths, sizeof(paths));
	if (n < 2 || paths[n - 1] || paths[n - 2])
		return same(t, "sys.path", "unreadable", t->words[0]);
	const char *p = paths;
	for (unsigned i = 0; i < t->n_words; i++, p += strlen(p) + 1)
		if (!same(t, "sys.path", hex_of(p, (long)strlen(p), hex, sizeof(hex)), t->words[i]))
			return false;
	return same_number(t, "end of sys.path", (uint64_t)(p - paths), (uint64_t)n - 1);
}

/* 3.10-3.12: the chain of C frames ends in the root_cframe inside the thread state (v3.10.0
 * Include/cpython/pystate.h). */
static bool check_cframes(struct live *t, uint64_t thread, uint64_t frame)
{
	const struct probe_layout *l = &t->runtime.layout;
	if (l->tstate_cframe == OFF_NONE)
		return same_number(t, "has cframes",
				   t->python->minor >= 10 && t->python->minor <= 12, 0);
	uint64_t cframe = u64_at(t, thread + l->tstate_cframe);
	if (l->has_cframe &&
	    !same_number(t, "cframe's frame", u64_at(t, cframe + l->cframe_current), frame))
		return false;
	unsigned n = 0;
	while (n < 20 && (cframe < thread || cframe >= thread + 1024)) {
		cframe = u64_at(t, cframe + l->cframe_previous);
		n++;
	}
	return same_number(t, "end of the cframes", n > 0 && n < 20, 1);
}

/* The frames of the main thread, which waits in read(): names by code object, innermost first, and
 * main()'s line. */
static bool check_frames(struct live *t)
{
	const struct probe_layout *l = &t->runtime.layout;
	const struct layout_row *row = t->runtime.row;
	uint64_t interpreter = u64_at(t, l->runtime + row->runtime_interpreters_main);
	uint64_t thread = u64_at(t, interpreter + row->interp_threads_head);
	/* There is only one. */
	if (!same_number(t, "interpreters.head",
			 u64_at(t, l->runtime + row->runtime_interpreters_head), interpreter) ||
	    !same_number(t, "interpreter id", u64_at(t, interpreter + l->interp_id), 0))
		return false;
	while (thread && u64_at(t, thread + row->tstate_ident) != t->address)
		thread = u64_at(t, thread + row->tstate_next);
	if (!thread ||
	    !same_number(t, "tstate->interp", u64_at(t, thread + l->tstate_interp), interpreter))
		return same(t, "thread state", "none", "the main thread's");
	uint64_t frame = u64_at(t, thread + l->tstate_frame);
	if (l->has_cframe)
		frame = u64_at(t, frame + l->cframe_current);
	if (!check_cframes(t, thread, frame))
		return false;
	unsigned n = 0, n_entries = 0;
	for (unsigned i = 0; frame && i < 100; i++, frame = u64_at(t, frame + l->frame_previous)) {
		uint8_t owner = 0;
		if (l->frame_owner != OFF_NONE)
			mem_read(t->mem, RADDR(frame + l->frame_owner), &owner, 1);
		if (owner >= l->owner_skip)
			continue;
		if (l->frame_is_entry_3_11) {
			uint8_t is_entry = 0;
			mem_read(t->mem, RADDR(frame + l->frame_is_entry_3_11), &is_entry, 1);
			if (!same_number(t, "is_entry", is_entry & ~1u, 0))
				return false;
			n_entries += is_entry;
		}
		uint64_t code = u64_at(t, frame + l->frame_code) & ~(uint64_t)l->code_tag_mask;
		/* The innermost frames are those of the codec of stdin; while read() decodes
		 * nothing, there are none. */
		if (n < t->n_words && !same_number(t, "frame's code", code, hex_word(t, n)))
			return false;
		if (n + 1 == t->n_words) {
			uint8_t table[4096];
			uint64_t at = u64_at(t, code + l->code_linetable),
				 bytes = u64_at(t, at + l->ob_size), lasti;
			struct source_position where;
			if (bytes > sizeof(table) ||
			    !mem_read(t->mem, RADDR(at + l->bytes_data), table, bytes))
				return same(t, "line table", "unreadable", "main()'s");
			if (l->position_kind == POSITION_POINTER)
				lasti = u64_at(t, frame + l->frame_position) - code -
					l->code_instructions;
			else
				lasti = u32_at(t, frame + l->frame_position) *
					(l->position_kind == POSITION_LASTI_UNITS ? 2 : 1);
			if (!line_table_decode(l->minor, table, bytes,
					       u32_at(t, code + l->code_firstlineno),
					       (uint32_t)lasti, &where))
				return same(t, "line of main()", "none", "one");
			t->line = where.line;
		}
		n++;
	}
	/* Evaluator runs: one of the module, one of the generator, which list() calls. */
	return same_number(t, "frames", n, t->n_words + 1) &&
	       same_number(t, "entry frames", n_entries, l->frame_is_entry_3_11 ? 2 : 0);
}

static bool check_line(struct live *t)
{
	return same_number(t, "line of main()", t->line, t->address + 2);
}

static const struct {
	const char *kind;
	bool (*check)(struct live *);
} checks[] = {
	{ "str", check_str },
	{ "int", check_int },
	{ "float", check_float },
	{ "complex", check_complex },
	{ "bytes", check_bytes },
	{ "bytearray", check_bytearray },
	{ "items", check_items },
	{ "dict", check_dict },
	{ "dict_len", check_dict_len },
	{ "set", check_set },
	{ "set_fill", check_set_fill },
	{ "attribute", check_attribute },
	{ "no_attribute", check_no_attribute },
	{ "code", check_code },
	{ "code_version", check_code_version },
	{ "function", check_function },
	{ "method", check_method },
	{ "builtin", check_builtin },
	{ "heap_type", check_heap_type },
	{ "tp_name", check_tp_name },
	{ "module", check_module },
	{ "socket", check_socket },
	{ "path", check_path },
	{ "path_parts", check_path_parts },
	{ "is", check_is },
	{ "at_hook", check_hook },
	{ "at_thread", check_thread },
	{ "at_version", check_version },
	{ "at_sys_path", check_sys_path },
	{ "at_frames", check_frames },
	{ "at_line", check_line },
};

/* Check one printed line. */
static bool check_one(struct live *t, char *line)
{
	char *kind = strtok(line, " "), *address = strtok(NULL, " ");
	if (!kind || !address)
		return false;
	t->address = strtoull(address, NULL, 16);
	t->n_words = 0;
	for (char *word; t->n_words < ARRAY_LEN(t->words) && (word = strtok(NULL, " "));)
		t->words[t->n_words++] = word;
	for (size_t i = 0; i < ARRAY_LEN(checks); i++)
		if (strcmp(checks[i].kind, kind) == 0) {
			t->n_checked++;
			return checks[i].check(t);
		}
	print_error("unknown kind %s\n", kind);
	return false;
}

static unsigned check_target(const struct test_python *python, struct target *target)
{
	struct maps *maps;
	struct remote_mem *memory;
	struct live live = { .python = python };
	assert_null(maps_read(target->pid, &maps));
	assert_null(remote_mem_open(target->pid, &memory));
	live.mem = remote_mem_reader(memory);
	assert_null(maps_find_modules(maps, live.mem));
	unsigned n_found = 0, n_wrong = 0;
	for (size_t i = 0; i < maps->n_modules; i++) {
		struct python_runtime runtime;
		struct err *err = python_runtime_find(live.mem, &maps->modules[i], &runtime);
		if (!err) {
			live.runtime = runtime;
			n_found++;
		} else if (err->code != ERR_NOT_PYTHON) {
			print_error("%s: %s\n", python->version, err->message);
			n_wrong++;
		}
		err_destroy(err);
	}
	if (n_found != 1) {
		print_error("%s: %u runtimes found\n", python->version, n_found);
		n_wrong++;
	} else {
		const struct python_runtime *rt = &live.runtime;
		uint64_t head = rt->layout.audit_head - rt->layout.runtime;
		uint32_t known = layout_audit_head(rt->layout.version_hex, rt->layout.free_threaded,
						   rt->layout.debug_build, ARCH_E_MACHINE);
		if ((known && known != head) ||
		    (!rt->layout.debug_build && strstr(rt->row->source, rt->version) &&
		     layout_row_audit_head(rt->row, ARCH_E_MACHINE) != head)) {
			print_error(
			    "%s: the tables say the hook list is at %u and %u, the code %lu\n",
			    python->version, known, rt->row->audit_head, (unsigned long)head);
			n_wrong++;
		}
		live.view = (struct object_view){ live.mem, &rt->layout, rt->row };
		print_message("%-13s %s; slack %zu\n", python->version, rt->how, rt->slack_bytes);
		if (!rt->is_initialised || rt->is_finalising || rt->slack_bytes < 32 ||
		    rt->slack_is_used ||
		    rt->layout.free_threaded != (strchr(python->version, 't') != NULL) ||
		    rt->layout.debug_build != (strchr(python->version, 'd') != NULL)) {
			print_error("%s: wrong state: initialised %d, finalising %d, slack %zu\n",
				    python->version, rt->is_initialised, rt->is_finalising,
				    rt->slack_bytes);
			n_wrong++;
		}
		char *text = strdup(target->text); /* another try reads it again */
		assert_non_null(text);
		for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
			*end = 0;
			if (strcmp(line, "ready") != 0)
				n_wrong += !check_one(&live, line);
		}
		free(text);
		assert_true(live.n_checked > 70);
	}
	remote_mem_close(memory);
	maps_destroy(maps);
	return n_wrong;
}

static void every_python(void **state)
{
	static struct test_python pythons[TEST_PYTHONS_MAX];
	size_t n = test_pythons_find(pythons, "");
	unsigned n_wrong = 0;
	char script[600];
	if (!n) {
		print_message("no Python of 3.8 or newer here\n");
		skip();
	}
	snprintf(script, sizeof(script), "%s/tests/unit/known_objects.py", getenv("SOURCE_ROOT"));
	for (size_t i = 0; i < n; i++) {
		struct target target = target_start(&pythons[i], script);
		bool ready = target_wait(&target);
		/* The frames of a target that has printed "ready", but does not sleep yet, may
		 * change while we read them: read them again. */
		for (unsigned tries = 0; ready && tries < TRIES; tries++) {
			unsigned n_now = check_target(&pythons[i], &target);
			if (!n_now)
				break;
			if (tries == TRIES - 1)
				n_wrong += n_now;
			poll(NULL, 0, 200);
		}
		if (!ready)
			print_error("%s: known_objects.py did not get ready\n", pythons[i].version);
		n_wrong += !ready;
		target_end(&target, !ready);
	}
	assert_int_equal(n_wrong, 0);
}

/* A Python without audit events is refused, with the reason. */
static void older_pythons(void **state)
{
	static struct test_python pythons[TEST_PYTHONS_MAX];
	size_t n = test_pythons_find(pythons, "--old"), n_old = 0;
	for (size_t i = 0; i < n; i++) {
		unsigned major = 0;
		if (sscanf(pythons[i].version, "%u", &major) != 1 ||
		    (major == 3 && pythons[i].minor >= 8))
			continue;
		n_old++;
		char script[64] = "/tmp/auditview-test-XXXXXX";
		int fd = mkstemp(script);
		static const char text[] =
		    "import sys\nprint('ready')\nsys.stdout.flush()\nsys.stdin.read()\n";
		assert_true(fd >= 0 &&
			    write(fd, text, sizeof(text) - 1) == (ssize_t)sizeof(text) - 1);
		close(fd);
		struct target target = target_start(&pythons[i], script);
		assert_true(target_wait(&target));
		unlink(script);
		struct maps *maps;
		struct remote_mem *memory;
		assert_null(maps_read(target.pid, &maps));
		assert_null(remote_mem_open(target.pid, &memory));
		assert_null(maps_find_modules(maps, remote_mem_reader(memory)));
		bool refused = false;
		for (size_t k = 0; k < maps->n_modules; k++) {
			struct python_runtime runtime;
			struct err *err = python_runtime_find(remote_mem_reader(memory),
							      &maps->modules[k], &runtime);
			assert_non_null(err);
			if (err->code == ERR_UNSUPPORTED) {
				assert_non_null(strstr(err->message, pythons[i].version));
				assert_non_null(err->hint);
				refused = true;
			}
			err_destroy(err);
		}
		assert_true(refused);
		remote_mem_close(memory);
		maps_destroy(maps);
		target_end(&target, false);
	}
	if (!n_old) {
		print_message("no Python older than 3.8 here\n");
		skip();
	}
}

/* A program without Python in it. */
static void no_python(void **state)
{
	struct maps *maps;
	struct remote_mem *memory;
	assert_null(maps_read(getpid(), &maps));
	assert_null(remote_mem_open(getpid(), &memory));
	assert_null(maps_find_modules(maps, remote_mem_reader(memory)));
	assert_true(maps->n_modules > 3);
	for (size_t i = 0; i < maps->n_modules; i++) {
		struct python_runtime runtime;
		struct err *err = python_runtime_find(remote_mem_reader(memory), &maps->modules[i],
						      &runtime);
		assert_non_null(err);
		assert_int_equal(err->code, ERR_NOT_PYTHON);
		err_destroy(err);
	}
	raddr address;
	uint64_t size;
	bool found = false;
	for (size_t i = 0; i < maps->n_modules; i++)
		if (strstr(maps->modules[i].path, "libc.so") &&
		    elf_symbol_find(remote_mem_reader(memory), &maps->modules[i], "getpid",
				    &address, &size)) {
			found = true;
			assert_false(elf_symbol_find(remote_mem_reader(memory), &maps->modules[i],
						     "no_such", &address, &size));
		}
	assert_true(found);
	remote_mem_close(memory);
	maps_destroy(maps);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_python),
		cmocka_unit_test(older_pythons),
		cmocka_unit_test(every_python),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
