/*
 * fuzz_elf: python/elf_symbols.c, detect.c, audit_head.c: an ELF module in another process's
 * memory, its dynamic symbols, the runtime in it, and the machine code from which the place of the
 * hook list is decoded.
 *
 * Input: a memory image that begins at BASE. The seed is this very program as it is mapped: it
 * exports the names that CPython exports, so the search reaches its end.
 */
#include "fuzz.h"

#include <link.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "python/python.h"

#define BASE   0x7f0000000000ull
#define EXPORT __attribute__((visibility("default"), used))

/* Names that make a module look like CPython 3.12. Their contents do not matter; the fuzzer changes
 * them. */
extern char _PyRuntime[];
extern const unsigned long Py_Version;
extern void *hook_head;
EXPORT char _PyRuntime[65536];
EXPORT const unsigned long Py_Version = 0x030c01f0;
EXPORT void *hook_head = _PyRuntime + 3064;
int PySys_AddAuditHook(void *hook, void *user);
EXPORT int PySys_AddAuditHook(void *hook, void *user)
{
	void **entry = malloc(24);
	if (!entry)
		return -1;
	entry[0] = NULL;
	entry[1] = hook;
	entry[2] = user;
	*(void *volatile *)(_PyRuntime + 3064) = entry;
	return 0;
}
#define NAME(name)                                                                                 \
	int name(void);                                                                            \
	EXPORT int name(void)                                                                      \
	{                                                                                          \
		return 0;                                                                          \
	}
NAME(Py_IsInitialized)
NAME(_PyThreadState_UncheckedGet)
NAME(PyThreadState_GetUnchecked)
NAME(PyIter_Send)
NAME(PyCMethod_New)
NAME(_Py_NoneStruct)
NAME(_Py_TrueStruct)
NAME(_Py_FalseStruct)
NAME(_Py_EllipsisObject)
NAME(PyCode_Type)
NAME(PyModule_Type)
NAME(PyFunction_Type)
NAME(PyType_Type)
NAME(PyFloat_Type)
NAME(PyBool_Type)

struct image {
	const uint8_t *bytes;
	size_t n;
};

static bool read_image(void *ctx, raddr from, void *to, size_t n_bytes)
{
	const struct image *image = ctx;
	uint64_t at = from.v - BASE;
	if (at > image->n || n_bytes > image->n - at)
		return false;
	memcpy(to, image->bytes + at, n_bytes);
	return true;
}

void fuzz_one(const uint8_t *bytes, size_t n_bytes)
{
	struct image image = { bytes, n_bytes };
	struct mem_reader mem = { .read = read_image, .ctx = &image };
	struct elf_module module = { .base = RADDR(BASE),
				     .start = RADDR(BASE),
				     .end = RADDR(BASE + n_bytes),
				     .path = "/lib/libfuzz.so" };
	raddr address;
	uint64_t size;
	elf_symbol_find(&mem, &module, "_PyRuntime", &address, &size);
	elf_symbol_find(&mem, &module, "no such symbol", &address, &size);
	struct python_runtime runtime;
	struct err *err = python_runtime_find(&mem, &module, &runtime);
	if (!err && runtime.version[sizeof runtime.version - 1] != 0)
		abort();
	err_destroy(err);
}

/* Copy this program as the kernel mapped it: segments at their places, zeros between, and its
 * pointers to itself moved to BASE, so that the seed is the same wherever it is loaded. */
__attribute__((no_sanitize("address"))) static int copy_program(struct dl_phdr_info *info,
								size_t size, void *ctx)
{
	struct image *to = ctx;
	(void)size;
	if (info->dlpi_name[0])
		return 0;
	uint8_t *bytes = (uint8_t *)(uintptr_t)to->bytes;
	size_t cap = to->n;
	to->n = 0;
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		if (p->p_type != PT_LOAD || p->p_vaddr >= cap)
			continue;
		size_t n = p->p_memsz < cap - p->p_vaddr ? p->p_memsz : cap - p->p_vaddr;
		/* byte by byte: AddressSanitizer does not let memcpy read the gaps between
		 * variables */
		for (size_t k = 0; k < n; k++)
			bytes[p->p_vaddr + k] =
			    ((const volatile uint8_t *)info->dlpi_addr)[p->p_vaddr + k];
		if (p->p_vaddr + n > to->n)
			to->n = p->p_vaddr + n;
	}
	for (size_t at = 0; at + 8 <= to->n; at += 8) {
		uint64_t word;
		memcpy(&word, bytes + at, 8);
		if (word >= info->dlpi_addr && word - info->dlpi_addr < to->n) {
			word = word - info->dlpi_addr + BASE;
			memcpy(bytes + at, &word, 8);
		}
	}
	return 1;
}

size_t fuzz_seed(unsigned number, uint8_t *to, size_t cap)
{
	struct image image = { to, cap < 512 << 10 ? cap : 512 << 10 };
	if (number > 1)
		return 0;
	memset(to, 0, image.n);
	dl_iterate_phdr(copy_program, &image);
	if (number == 1) /* its code is random bytes to the decoders of another CPU */
		to[offsetof(Elf64_Ehdr, e_machine)] ^= EM_X86_64 ^ EM_AARCH64;
	return image.n;
}
