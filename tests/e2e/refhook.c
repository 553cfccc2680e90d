/*
 * refhook: the independent reference hook of the end-to-end tests.
 *
 * It is a library to be preloaded. Its constructor runs before main() and adds a hook with
 * PySys_AddAuditHook(), the documented way, so that it sees each event from the interpreter's first
 * to its last. Every event is written down through the public C API (nothing here knows how CPython
 * lays out its objects), so everything in a capture can be compared with it:
 *
 *   per process one file $REFHOOK_DIR/PID.N, mapped shared, so that it is complete even if the
 *   process is killed; per (thread, event name): how many, and the sum of the CRC-32 of each
 *   event's text; per thread, under the empty name: how many in all, and one CRC-32 chained over
 *   its events in their order.
 *
 * With REFHOOK_LOG=1 each event's text is also written to $REFHOOK_DIR/PID.N.log, to find out what
 * differed. The text of an event ("canonical text") is described in refhook.py, which makes the
 * same text from JSON lines.
 *
 * No header of Python is used: one build serves every version. The types below are opaque, the
 * names are looked up with dlsym(); a process without PySys_AddAuditHook (sh, gzip …) is left
 * alone.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef struct object object;
typedef int (*audit_hook)(const char *event, object *args, void *user);

/* The functions used; all are in the stable ABI or older than 3.8. */
#define API(X)                                                                                     \
	X(int, PySys_AddAuditHook, (audit_hook, void *))                                           \
	X(object *, PyObject_Type, (object *))                                                     \
	X(unsigned long, PyType_GetFlags, (object *))                                              \
	X(int, PyType_IsSubtype, (object *, object *))                                             \
	X(void, Py_DecRef, (object *))                                                             \
	X(long, PyUnicode_GetLength, (object *))                                                   \
	X(uint32_t, PyUnicode_ReadChar, (object *, long))                                          \
	X(int, PyBytes_AsStringAndSize, (object *, char **, long *))                               \
	X(char *, PyByteArray_AsString, (object *))                                                \
	X(long, PyByteArray_Size, (object *))                                                      \
	X(long long, PyLong_AsLongLongAndOverflow, (object *, int *))                              \
	X(object *, PyNumber_ToBase, (object *, int))                                              \
	X(double, PyFloat_AsDouble, (object *))                                                    \
	X(double, PyComplex_RealAsDouble, (object *))                                              \
	X(double, PyComplex_ImagAsDouble, (object *))                                              \
	X(long, PyTuple_Size, (object *))                                                          \
	X(object *, PyTuple_GetItem, (object *, long))                                             \
	X(long, PyList_Size, (object *))                                                           \
	X(object *, PyList_GetItem, (object *, long))                                              \
	X(long, PyDict_Size, (object *))                                                           \
	X(int, PyDict_Next, (object *, long *, object **, object **))                              \
	X(long, PySet_Size, (object *))                                                            \
	X(object *, PyObject_GetIter, (object *))                                                  \
	X(object *, PyIter_Next, (object *))                                                       \
	X(void, PyErr_Clear, (void))

#define DATA(X)                                                                                    \
	X(_Py_NoneStruct)                                                                          \
	X(_Py_TrueStruct)                                                                          \
	X(_Py_FalseStruct)                                                                         \
	X(_Py_EllipsisObject)                                                                      \
	X(PyFloat_Type)                                                                            \
	X(PyComplex_Type)                                                                          \
	X(PyByteArray_Type)                                                                        \
	X(PySet_Type)                                                                              \
	X(PyFrozenSet_Type)

static struct {
#define X(type, name, args) type(*name) args;
	API(X)
#undef X
#define X(name) object *name;
	DATA(X)
#undef X
} py;

/* Bits of tp_flags, Include/object.h, the same since 3.0. */
enum {
	IS_LONG = 1u << 24,
	IS_LIST = 1u << 25,
	IS_TUPLE = 1u << 26,
	IS_BYTES = 1u << 27,
	IS_UNICODE = 1u << 28,
	IS_DICT = 1u << 29
};

enum { MAX_DEPTH = 5, MAX_ITEMS = 12, TEXT_BYTES = 1 << 20, ROWS = 8192, NAME_BYTES = 88 };
/* Bytes kept of a string: of those events whose strings auditview itself keeps little of, and of
 * all others. */
enum { HEAD_BULK = 240, HEAD = 4000 };

struct row {
	uint32_t tid, used;
	uint64_t count, sum; /* under the empty name, sum is the chained CRC-32 */
	char name[NAME_BYTES];
};
struct table {
	char magic[8]; /* "REFHOOK1" */
	uint32_t pid, row_bytes, n_rows, overflow;
	struct row rows[ROWS];
};

static struct table *table;
static int log_fd = -1;
static pid_t table_pid;
static atomic_flag busy = ATOMIC_FLAG_INIT;
static char text[TEXT_BYTES];
static size_t n_text;
static uint32_t crc_table[256];

static void put(const void *bytes, size_t n)
{
	if (n > TEXT_BYTES - n_text)
		n = TEXT_BYTES - n_text;
	memcpy(text + n_text, bytes, n);
	n_text += n;
}

__attribute__((format(printf, 1, 2))) static void put_format(const char *format, ...)
{
	char digits[48];
	va_list arguments;
	va_start(arguments, format);
	int n = vsnprintf(digits, sizeof digits, format, arguments);
	va_end(arguments);
	put(digits, (size_t)n);
}

static void put_double(double value)
{
	uint64_t bits;
	memcpy(&bits, &value, sizeof bits);
	if (value != value)
		put("dnan;", 5);
	else
		put_format("d%016llx;", (unsigned long long)bits);
}

/* Write the UTF-8 of one code point; surrogates like any other. Returns the number of bytes. */
static size_t encode(uint32_t c, char *to)
{
	if (c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (char)(0xc0 | c >> 6);
		to[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		to[0] = (char)(0xe0 | c >> 12);
		to[1] = (char)(0x80 | (c >> 6 & 0x3f));
		to[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | c >> 18);
	to[1] = (char)(0x80 | (c >> 12 & 0x3f));
	to[2] = (char)(0x80 | (c >> 6 & 0x3f));
	to[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

static void put_str(object *value, size_t head)
{
	long length = py.PyUnicode_GetLength(value);
	put_format("s%llu:", (unsigned long long)length);
	size_t kept = 0;
	for (long i = 0; i < length; i++) {
		char bytes[4];
		size_t n = encode(py.PyUnicode_ReadChar(value, i), bytes);
		if (kept + n > head)
			return;
		kept += n;
		put(bytes, n);
	}
}

static void put_bytes(const char *bytes, long length, size_t head)
{
	put_format("b%llu:", (unsigned long long)length);
	put(bytes, (size_t)length < head ? (size_t)length : head);
}

/* 'i', then hexadecimal digits with a sign and without 0x, then ';'. */
static void put_int(object *value)
{
	int overflow = 0;
	long long small = py.PyLong_AsLongLongAndOverflow(value, &overflow);
	if (!overflow) {
		put("i", 1);
		if (small < 0)
			put("-", 1);
		put_format("%llx;", small < 0 ? 0ull - (unsigned long long)small
					      : (unsigned long long)small);
		return;
	}
	object *hex = py.PyNumber_ToBase(value, 16);
	long length = hex ? py.PyUnicode_GetLength(hex) : 0;
	put("i", 1);
	for (long i = 0; i < length; i++) {
		char c = (char)py.PyUnicode_ReadChar(hex, i);
		bool is_prefix = i <= 2 &&
				 (c == 'x' ||
				  (c == '0' && (char)py.PyUnicode_ReadChar(hex, i + 1) == 'x'));
		if (!is_prefix)
			put(&c, 1);
	}
	put(";", 1);
	if (hex)
		py.Py_DecRef(hex);
	else
		py.PyErr_Clear();
}

static uint32_t crc32_of(const char *bytes, size_t n, uint32_t before)
{
	uint32_t c = ~before;
	for (size_t i = 0; i < n; i++)
		c = crc_table[(c ^ (uint8_t)bytes[i]) & 0xff] ^ c >> 8;
	return ~c;
}

static void put_value(object *value, int depth, size_t head);

/* A set has no reliable order: take the sum of its elements' CRCs. */
static void put_set(object *value, int depth, size_t head)
{
	put_format("<%llu:", (unsigned long long)py.PySet_Size(value));
	uint64_t sum = 0;
	object *iterator = py.PyObject_GetIter(value);
	for (object *item; iterator && (item = py.PyIter_Next(iterator)); py.Py_DecRef(item)) {
		size_t before = n_text;
		put_value(item, depth + 1, head);
		sum += crc32_of(text + before, n_text - before, 0);
		n_text = before;
	}
	if (iterator)
		py.Py_DecRef(iterator);
	put_format("%llx>", (unsigned long long)sum);
}

static void put_value(object *value, int depth, size_t head)
{
	if (!value || value == py._Py_NoneStruct) {
		put("n", 1);
		return;
	}
	if (value == py._Py_TrueStruct || value == py._Py_FalseStruct) {
		put(value == py._Py_TrueStruct ? "t" : "f", 1);
		return;
	}
	if (value == py._Py_EllipsisObject) {
		put("e", 1);
		return;
	}
	object *type = py.PyObject_Type(value);
	unsigned long flags = py.PyType_GetFlags(type);
	if (flags & IS_UNICODE) {
		put_str(value, head);
	} else if (flags & IS_LONG) {
		put_int(value);
	} else if (flags & IS_BYTES) {
		char *bytes;
		long length;
		py.PyBytes_AsStringAndSize(value, &bytes, &length);
		put_bytes(bytes, length, head);
	} else if (flags & (IS_TUPLE | IS_LIST)) {
		bool is_tuple = flags & IS_TUPLE;
		long length = is_tuple ? py.PyTuple_Size(value) : py.PyList_Size(value);
		put_format("[%llu:", (unsigned long long)length);
		for (long i = 0; depth < MAX_DEPTH && i < length && i < MAX_ITEMS; i++)
			put_value(is_tuple ? py.PyTuple_GetItem(value, i)
					   : py.PyList_GetItem(value, i),
				  depth + 1, head);
		put("]", 1);
	} else if (flags & IS_DICT) {
		put_format("{%llu:", (unsigned long long)py.PyDict_Size(value));
		long at = 0;
		object *key, *item;
		for (int i = 0;
		     depth < MAX_DEPTH && i < MAX_ITEMS && py.PyDict_Next(value, &at, &key, &item);
		     i++) {
			put_value(key, depth + 1, head);
			put_value(item, depth + 1, head);
		}
		put("}", 1);
	} else if (py.PyType_IsSubtype(type, py.PyFloat_Type)) {
		put_double(py.PyFloat_AsDouble(value));
	} else if (py.PyType_IsSubtype(type, py.PyComplex_Type)) {
		put("c", 1);
		put_double(py.PyComplex_RealAsDouble(value));
		put_double(py.PyComplex_ImagAsDouble(value));
	} else if (py.PyType_IsSubtype(type, py.PyByteArray_Type)) {
		put_bytes(py.PyByteArray_AsString(value), py.PyByteArray_Size(value), head);
	} else if (py.PyType_IsSubtype(type, py.PySet_Type) ||
		   py.PyType_IsSubtype(type, py.PyFrozenSet_Type)) {
		if (depth < MAX_DEPTH)
			put_set(value, depth, head);
		else
			put_format("<%llu:>", (unsigned long long)py.PySet_Size(value));
	} else {
		put_format("o@%llx;", (unsigned long long)(uintptr_t)value);
	}
	py.Py_DecRef(type);
}

/* Open a file for this process. Also called in a forked child at its first event. */
static void open_table(void)
{
	const char *folder = getenv("REFHOOK_DIR");
	table = NULL;
	table_pid = getpid();
	if (!folder)
		return;
	for (int n = 0; n < 1000; n++) {
		char path[4096];
		snprintf(path, sizeof path, "%s/%d.%d", folder, (int)table_pid, n);
		int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0)
			continue;
		if (ftruncate(fd, sizeof *table) == 0) {
			table = mmap(NULL, sizeof *table, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
				     0);
			if (table == MAP_FAILED)
				table = NULL;
		}
		close(fd);
		if (getenv("REFHOOK_LOG")) {
			strncat(path, ".log", sizeof path - strlen(path) - 1);
			if (log_fd >= 0)
				close(log_fd);
			log_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
		}
		break;
	}
	if (table) {
		memcpy(table->magic, "REFHOOK1", 8);
		table->pid = (uint32_t)table_pid;
		table->row_bytes = sizeof(struct row);
		table->n_rows = ROWS;
	}
}

static struct row *find_row(uint32_t tid, const char *name)
{
	uint32_t at = crc32_of(name, strlen(name), tid * 2654435761u) % ROWS;
	for (uint32_t i = 0; i < ROWS; i++, at = (at + 1) % ROWS) {
		struct row *row = &table->rows[at];
		if (row->used && (row->tid != tid || strncmp(row->name, name, NAME_BYTES - 1) != 0))
			continue;
		if (!row->used) {
			row->tid = tid;
			strncpy(row->name, name, NAME_BYTES - 1);
			row->used = 1;
		}
		return row;
	}
	table->overflow++;
	return NULL;
}

static int hook(const char *event, object *args, void *user)
{
	(void)user;
	/* Interpreters with a GIL of their own run at the same time, and so do free threads. */
	while (atomic_flag_test_and_set_explicit(&busy, memory_order_acquire))
		sched_yield();
	if (table_pid != getpid())
		open_table();
	if (table) {
		bool is_bulk = !strcmp(event, "marshal.loads") || !strcmp(event, "compile") ||
			       !strcmp(event, "code.__new__");
		uint32_t tid = (uint32_t)syscall(SYS_gettid);
		n_text = 0;
		put(event, strlen(event));
		put("\n", 1);
		put_value(args, 0, is_bulk ? HEAD_BULK : HEAD);
		struct row *row = find_row(tid, event);
		if (row) {
			row->count++;
			row->sum += crc32_of(text, n_text, 0);
		}
		row = find_row(tid, "");
		if (row) {
			row->count++;
			row->sum = crc32_of(text, n_text, (uint32_t)row->sum);
		}
		if (log_fd >= 0) {
			char head[48];
			int n = snprintf(head, sizeof head, "%u %zu\n", tid, n_text);
			if (write(log_fd, head, (size_t)n) != n ||
			    write(log_fd, text, n_text) != (ssize_t)n_text ||
			    write(log_fd, "\n", 1) != 1)
				table->overflow++;
		}
	}
	atomic_flag_clear_explicit(&busy, memory_order_release);
	return 0;
}

/* Another thread may have been inside when this one forked. */
static void in_child(void)
{
	atomic_flag_clear(&busy);
}

__attribute__((constructor)) static void start(void)
{
	bool is_complete = true;
#define X(type, name, args)                                                                        \
	*(void **)&py.name = dlsym(RTLD_DEFAULT, #name);                                           \
	is_complete = is_complete && py.name;
	API(X)
#undef X
#define X(name)                                                                                    \
	py.name = dlsym(RTLD_DEFAULT, #name);                                                      \
	is_complete = is_complete && py.name;
	DATA(X)
#undef X
	if (!py.PySys_AddAuditHook)
		return;
	if (!is_complete) {
		fprintf(
		    stderr,
		    "refhook: this Python exports PySys_AddAuditHook but not all that is needed\n");
		return;
	}
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;
		for (int k = 0; k < 8; k++)
			c = c & 1 ? 0xedb88320u ^ c >> 1 : c >> 1;
		crc_table[i] = c;
	}
	open_table();
	pthread_atfork(NULL, NULL, in_child);
	py.PySys_AddAuditHook(hook, NULL);
}
