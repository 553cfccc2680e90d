/*
 * symbols: see symbols.h. Symbol tables belong to the images and so are shared by all processes that map a file; the
 * answers are remembered here, per process, by address.
 */
#include "tracer/symbols.h"

#include <dlfcn.h>
#include <elfutils/libdw.h>
#include <libelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tracer/symbol_table.h"

#define MAX_LINES_FILE_BYTES (1ull << 30)  /* libdw reads whole sections */
#define MAX_UNITS_SCANNED 20000u           /* for a file without .debug_aranges */
#define MAX_MANGLED_BYTES 2048u

typedef char *demangle_fn(const char *mangled, char *to, size_t *n, int *status);

struct symbols {
	struct modules *modules;
	struct symbols_options options;
	char root[32];
	char *debug_folder;
	demangle_fn *demangle;
	bool demangle_tried;
	void *libstdcxx;
	char *text;                  /* the last name that had to be made */
};

struct err *symbols_create(struct modules *modules, const struct symbols_options *options, struct symbols **ret)
{
	struct symbols *s = calloc(1, sizeof(*s));
	if (!s)
		return err_no_memory();
	s->modules = modules;
	s->options = *options;
	if (options->debug_folder) {
		s->debug_folder = strdup(options->debug_folder);
		if (!s->debug_folder) {
			free(s);
			return err_no_memory();
		}
	}
	if (modules_pid(modules))
		snprintf(s->root, sizeof(s->root), "/proc/%d/root", (int)modules_pid(modules));
	*ret = s;
	return NULL;
}

void symbols_destroy(struct symbols *s)
{
	if (!s)
		return;
	free(s->debug_folder);
	free(s->text);
	if (s->libstdcxx)
		dlclose(s->libstdcxx);
	free(s);
}

static struct symbol_table *table_of(struct symbols *s, struct image *i)
{
	if (!i->symbols) {
		i->symbols = symbol_table_create(i, s->root[0] ? s->root : NULL, s->debug_folder);
		i->symbols_free = symbol_table_destroy;
	}
	return i->symbols;
}

/* ---- C++ ---- */

/* The ABI's demangler, if a C++ library can be had; not linked, so that nothing depends on one. */
static const char *demangle(struct symbols *s, const char *name)
{
	if (name[0] != '_' || name[1] != 'Z' || strnlen(name, MAX_MANGLED_BYTES) == MAX_MANGLED_BYTES)
		return name;
	if (!s->demangle_tried) {
		s->demangle_tried = true;
		s->libstdcxx = dlopen("libstdc++.so.6", RTLD_NOW | RTLD_LOCAL);
		void *fn = s->libstdcxx ? dlsym(s->libstdcxx, "__cxa_demangle") : NULL;
		memcpy(&s->demangle, &fn, sizeof(fn));
	}
	int status = -1;
	char *text = s->demangle ? s->demangle(name, NULL, NULL, &status) : NULL;
	if (!text)
		return name;
	free(s->text); /* maybe `name` itself, which is done with */
	return s->text = text;
}

/* ---- lines ---- */

static void dwarf_close(struct symbol_table *t)
{
	if (t->dwarf)
		dwarf_end(t->dwarf);
	if (t->elf)
		elf_end(t->elf);
}

static Dwarf *dwarf_of(struct symbol_table *t)
{
	struct stat st;
	if (t->dwarf_tried)
		return t->dwarf;
	t->dwarf_tried = true;
	t->dwarf_free = dwarf_close;
	if (t->lines_fd < 0 || fstat(t->lines_fd, &st) < 0 || (uint64_t)st.st_size > MAX_LINES_FILE_BYTES)
		return NULL;
	elf_version(EV_CURRENT);
	/* Read, not mapped: a file that shrinks while it is mapped would kill us. */
	t->elf = elf_begin(t->lines_fd, ELF_C_READ, NULL);
	if (t->elf)
		t->dwarf = dwarf_begin_elf(t->elf, DWARF_C_READ, NULL);
	return t->dwarf;
}

static bool unit_at(Dwarf *dwarf, uint64_t vaddr, Dwarf_Die *ret)
{
	Dwarf_Aranges *aranges;
	size_t n = 0;
	if (dwarf_getaranges(dwarf, &aranges, &n) == 0 && n)
		return dwarf_addrdie(dwarf, vaddr, ret) != NULL;
	/* clang writes no .debug_aranges */
	Dwarf_CU *cu = NULL;
	for (unsigned k = 0; k < MAX_UNITS_SCANNED && dwarf_get_units(dwarf, cu, &cu, NULL, NULL, ret, NULL) == 0; k++)
		if (dwarf_haspc(ret, vaddr) > 0)
			return true;
	return false;
}

static void find_line(struct symbol_table *t, uint64_t vaddr, struct symbol_info *ret)
{
	Dwarf *dwarf = dwarf_of(t);
	Dwarf_Die unit;
	int line;
	if (!dwarf || !unit_at(dwarf, vaddr, &unit))
		return;
	Dwarf_Line *l = dwarf_getsrc_die(&unit, vaddr);
	const char *file = l ? dwarf_linesrc(l, NULL, NULL) : NULL;
	if (file && dwarf_lineno(l, &line) == 0 && line > 0) {
		ret->file = file;
		ret->line = (uint32_t)line;
	}
}

/* ---- answers ---- */

/* A signal trampoline has no name of its own that tells anything. */
static bool function_at(struct symbols *s, uint64_t lookup, uint64_t *ret_start, uint64_t *ret_end, bool *ret_is_signal)
{
	struct module *module = modules_find(s->modules, lookup);
	struct image *i = module ? module_image(s->modules, module) : NULL;
	const struct cfi_table *table = i ? image_cfi(i) : NULL;
	struct cfi_scratch scratch = { 0 };
	struct cfi_fde f;
	uint64_t start, fde;
	bool ok = table && cfi_table_find(table, lookup - module->bias, &start, &fde) &&
		  cfi_fde_read(&i->reader, fde, &scratch, &f) == CFI_OK && lookup - module->bias >= f.start &&
		  lookup - module->bias < f.end;
	if (ok) {
		*ret_start = f.start + module->bias;
		*ret_end = f.end + module->bias;
		*ret_is_signal = f.is_signal_frame;
	}
	cfi_scratch_fini(&scratch);
	return ok;
}

bool symbols_function_range(struct symbols *s, uint64_t lookup, uint64_t *ret_start, uint64_t *ret_end)
{
	bool is_signal;
	return function_at(s, lookup, ret_start, ret_end, &is_signal);
}

/* Without what linkers add to the name in the source: the version that .symtab of some libraries carries
 * ("clock_nanosleep@@GLIBC_2.17"), and gcc's mark of a static function in a link-time optimised program. */
static const char *as_in_source(struct symbols *s, const char *name)
{
	const char *at = strchr(name, '@');
	if (!at)
		at = strstr(name, ".lto_priv.");
	char *text = at && at > name ? strndup(name, (size_t)(at - name)) : NULL;
	if (!text)
		return name;
	free(s->text);
	return s->text = text;
}

bool symbols_resolve(struct symbols *s, uint64_t lookup, uint64_t pc, struct symbol_info *ret)
{
	struct module *module = modules_find(s->modules, lookup);
	struct image *i = module ? module_image(s->modules, module) : NULL;
	struct symbol_table *t = i ? table_of(s, i) : NULL;
	uint64_t start = 0, end;
	*ret = (struct symbol_info){ .offset = pc };
	if (!module)
		return false;
	ret->module = module->name;
	ret->offset = pc - module->start;
	if (!t)
		return true;
	ret->offset = pc - module->bias;
	bool is_signal = false, has_range = function_at(s, lookup, &start, &end, &is_signal);
	const struct symbol *symbol = symbol_table_find(t, lookup - module->bias, has_range ? start - module->bias : 0);
	if (is_signal) {
		ret->function = "<signal handler called>"; /* gdb's words */
		ret->offset = pc - start;
		ret->is_named = true;
	} else if (symbol) {
		ret->function = demangle(s, as_in_source(s, t->texts + symbol->name));
		ret->offset = pc - module->bias - symbol->start;
		ret->is_named = true;
	} else if (has_range) {
		char *text;
		if (asprintf(&text, "%s+0x%llx", module->name, (unsigned long long)(start - module->bias)) >= 0) {
			free(s->text);
			ret->function = s->text = text;
			ret->offset = pc - start;
		}
	}
	if (!s->options.no_lines)
		find_line(t, lookup - module->bias, ret);
	return true;
}

bool symbols_find(struct symbols *s, struct module *module, const char *name, uint64_t *ret_start)
{
	struct image *i = module_image(s->modules, module);
	struct symbol_table *t = i ? table_of(s, i) : NULL;
	const struct symbol *symbol = t ? symbol_table_find_name(t, name) : NULL;
	if (symbol)
		*ret_start = symbol->start + module->bias;
	return symbol != NULL;
}
