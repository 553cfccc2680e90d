/*
 * native_ext: a C extension whose C frames are known by name. Written against the stable ABI by
 * hand, so that one file serves every Python 3.8-3.15, with headers or without: PyModuleDef and
 * PyMethodDef have not changed since 3.2 (PEP 384). Free-threaded builds have another PyObject
 * head, hence the second layout.
 *
 *     call(f)     call_outer → call_middle → call_inner → f()
 *     sort(f)     sort_outer → qsort(3), f() from compare()
 *     clear(list) clear_outer → clear_inner drops the last reference to the list's elements
 *     elsewhere(f) elsewhere_outer → elsewhere_inner → f() on a stack of our own between pages that
 * cannot be read
 */
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

typedef struct object PyObject;
typedef PyObject *(*PyCFunction)(PyObject *, PyObject *);

PyObject *PyObject_CallObject(PyObject *callable, PyObject *args);
PyObject *PyModule_Create2(void *def, int api_version);
int PySequence_DelSlice(PyObject *o, ptrdiff_t i, ptrdiff_t j);
ptrdiff_t PySequence_Size(PyObject *o);
void Py_DecRef(PyObject *o);
void Py_IncRef(PyObject *o);
PyObject *Py_BuildValue(const char *format, ...);

struct method {
	const char *name;
	PyCFunction fn;
	int flags;
	const char *doc;
};

#define NOINLINE __attribute__((noinline, noclone))
#define METH_O   8
#define STAY()                                                                                     \
	__asm__ volatile(                                                                          \
	    "" ::                                                                                  \
		: "memory") /* no tail calls: every function keeps its frame          \
					  */

static NOINLINE PyObject *call_inner(PyObject *f)
{
	PyObject *result = PyObject_CallObject(f, NULL);
	STAY();
	return result;
}

static NOINLINE PyObject *call_middle(PyObject *f)
{
	PyObject *result = call_inner(f);
	STAY();
	return result;
}

static NOINLINE PyObject *call_outer(PyObject *self, PyObject *f)
{
	(void)self;
	PyObject *result = call_middle(f);
	STAY();
	return result;
}

static PyObject *sort_callable;

static NOINLINE int compare(const void *a, const void *b)
{
	(void)a, (void)b;
	PyObject *result = PyObject_CallObject(sort_callable, NULL);
	if (result)
		Py_DecRef(result);
	STAY();
	return 0;
}

static NOINLINE PyObject *sort_outer(PyObject *self, PyObject *f)
{
	(void)self;
	int two[2] = { 2, 1 };
	PyObject *before = sort_callable;
	sort_callable = f;
	qsort(two, 2, sizeof(two[0]), compare);
	sort_callable = before;
	STAY();
	return Py_BuildValue("");
}

static NOINLINE int clear_inner(PyObject *list)
{
	int result = PySequence_DelSlice(list, 0, PySequence_Size(list));
	STAY();
	return result;
}

static NOINLINE PyObject *clear_outer(PyObject *self, PyObject *list)
{
	(void)self;
	int result = clear_inner(list);
	STAY();
	return result ? NULL : Py_BuildValue("");
}

static ucontext_t here, there;
static PyObject *elsewhere_callable, *elsewhere_result;

static NOINLINE void elsewhere_inner(void)
{
	elsewhere_result = PyObject_CallObject(elsewhere_callable, NULL);
	STAY();
}

static NOINLINE PyObject *elsewhere_outer(PyObject *self, PyObject *f)
{
	const size_t page = 4096, n = 64 * page;
	(void)self;
	char *block = mmap(NULL, n + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (block == MAP_FAILED || mprotect(block + page, n, PROT_READ | PROT_WRITE) ||
	    getcontext(&there))
		return NULL;
	elsewhere_callable = f;
	there.uc_stack.ss_sp = block + page;
	there.uc_stack.ss_size = n;
	there.uc_link = &here;
	makecontext(&there, elsewhere_inner, 0);
	swapcontext(&here, &there);
	munmap(block, n + 2 * page);
	STAY();
	return elsewhere_result;
}

static struct method methods[] = {
	{ "call", call_outer, METH_O, NULL },
	{ "sort", sort_outer, METH_O, NULL },
	{ "clear", clear_outer, METH_O, NULL },
	{ "elsewhere", elsewhere_outer, METH_O, NULL },
	{ NULL, NULL, 0, NULL },
};

struct definition_tail {
	PyObject *(*init)(void);
	ptrdiff_t index;
	PyObject *copy;
	const char *name, *doc;
	ptrdiff_t size;
	struct method *methods;
	void *slots, *traverse, *clear, *free;
};

#ifdef FREE_THREADED
static struct {
	/* tid, flags, mutex, bits; shared count; type: filled in by the interpreter (immortal:
	 * local count ~0) */
	size_t head[4];
	struct definition_tail t;
} definition = { .head = { 0, 0xffffffff00000000u, 0, 0 },
#else
static struct {
	size_t head[2]; /* reference count, type */
	struct definition_tail t;
} definition = { .head = { 1, 0 },
#endif
		 .t = { .name = "native_ext", .size = -1, .methods = methods } };

__attribute__((visibility("default"))) PyObject *PyInit_native_ext(void);
PyObject *PyInit_native_ext(void)
{
	/* PYTHON_API_VERSION since 3.0; 3 with the stable ABI */
	return PyModule_Create2(&definition, 1013);
}
