/*
 * symbols: see symbols.h. Symbol tables belong to the images, so all processes that map a file
 * share them. The texts of the last answer are kept here.
 */
#include "stacks/symbols.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stacks/namer.h"
#include "stacks/symbol_table.h"

struct symbols {
	struct modules *modules;
	struct symbols_options options;
	char *debug_folder;
	char *text; /* the last name that was allocated */
	char *file; /* the last source file */
};

struct err *symbols_create(struct modules *modules, const struct symbols_options *options,
			   struct symbols **ret)
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
	*ret = s;
	return NULL;
}

void symbols_destroy(struct symbols *s)
{
	if (!s)
		return;
	free(s->debug_folder);
	free(s->text);
	free(s->file);
	free(s);
}

static struct symbol_table *table_of(struct symbols *s, struct image *i)
{
	if (!i->symbols) {
		struct symbol_table *t = symbol_table_create(i, modules_pid(s->modules),
							     s->debug_folder);
		if (t && !image_take_bytes(i, t->n * sizeof(*t->symbols) + t->texts_bytes))
			symbol_table_clear(t);
		i->symbols = t;
		i->symbols_free = symbol_table_destroy;
	}
	return i->symbols;
}

/* ---- C++ ---- */

static const char *demangle(struct symbols *s, const char *name)
{
	struct image_store *store = modules_images(s->modules);
	struct namer *namer = name[0] == '_' && name[1] == 'Z' && store ? image_store_namer(store)
									: NULL;
	const char *found = namer ? namer_demangle(namer, name) : NULL;
	char *text = found ? strdup(found) : NULL;
	if (!text)
		return name;
	free(s->text); /* it may be `name` itself, which is no longer needed */
	return s->text = text;
}

/* ---- lines ---- */

static void find_line(struct symbols *s, struct symbol_table *t, uint64_t vaddr,
		      struct symbol_info *ret)
{
	struct image_store *store = modules_images(s->modules);
	struct namer *namer = t->lines_fd >= 0 && store ? image_store_namer(store) : NULL;
	const char *file;
	uint32_t line;
	if (!namer)
		return;
	if (!t->lines_id)
		t->lines_id = image_store_new_id(store);
	if (!namer_line(namer, t->lines_id, t->lines_fd, vaddr, &file, &line))
		return;
	free(s->file);
	s->file = strdup(file);
	ret->file = s->file;
	ret->line = s->file ? line : 0;
}

/* ---- answers ---- */

/* The function that covers `lookup`. *ret_is_signal: it is a signal trampoline, whose own name
 * means nothing to the user. */
static bool function_at(struct symbols *s, uint64_t lookup, uint64_t *ret_start, uint64_t *ret_end,
			bool *ret_is_signal)
{
	struct module *module = modules_find(s->modules, lookup);
	struct image *i = module ? module_image(s->modules, module) : NULL;
	const struct cfi_table *table = i ? image_cfi(i) : NULL;
	struct cfi_buffers buffers = { 0 };
	struct cfi_fde f;
	uint64_t start, fde;
	bool ok = table && cfi_table_find(table, lookup - module->bias, &start, &fde) &&
		  cfi_fde_read(&i->reader, fde, &buffers, &f) == CFI_OK &&
		  lookup - module->bias >= f.start && lookup - module->bias < f.end;
	if (ok) {
		*ret_start = f.start + module->bias;
		*ret_end = f.end + module->bias;
		*ret_is_signal = f.is_signal_frame;
	}
	cfi_buffers_fini(&buffers);
	return ok;
}

bool symbols_function_range(struct symbols *s, uint64_t lookup, uint64_t *ret_start,
			    uint64_t *ret_end)
{
	bool is_signal;
	return function_at(s, lookup, ret_start, ret_end, &is_signal);
}

/* The name without what linkers add to it: the version that .symtab of some libraries contains
 * ("clock_nanosleep@@GLIBC_2.17"), and gcc's suffix for a static function in a link-time optimised
 * program. */
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
	const struct symbol *symbol = symbol_table_find(t, lookup - module->bias,
							has_range ? start - module->bias : 0);
	if (is_signal) {
		ret->function = "<signal handler called>"; /* as gdb shows it */
		ret->offset = pc - start;
		ret->is_named = true;
	} else if (symbol) {
		ret->function = demangle(s, as_in_source(s, t->texts + symbol->name));
		ret->offset = pc - module->bias - symbol->start;
		ret->is_named = true;
	} else if (has_range) {
		char *text;
		if (asprintf(&text, "%s+0x%llx", module->name,
			     (unsigned long long)(start - module->bias)) >= 0) {
			free(s->text);
			ret->function = s->text = text;
			ret->offset = pc - start;
		}
	}
	if (!s->options.no_lines)
		find_line(s, t, lookup - module->bias, ret);
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
