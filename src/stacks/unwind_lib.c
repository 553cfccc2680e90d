/*
 * unwind_lib: see unwind_lib.h.
 *
 * libunwind gets a remote address space whose memory is the slice and the modules' images, and
 * whose registers are those of the walk. The modules' .eh_frame_hdr tables are passed to
 * libunwind's search as UNW_INFO_FORMAT_REMOTE_TABLE.
 */
#include "stacks/unwind_lib.h"

#include <stdlib.h>
#include <string.h>

#ifdef HAVE_LIBUNWIND
#include <libunwind-x86_64.h>

/* Exported by libunwind-x86_64, but not declared in the header of every version. */
extern int UNW_OBJ(dwarf_search_unwind_table)(unw_addr_space_t, unw_word_t, unw_dyn_info_t *,
					      unw_proc_info_t *, int, void *);

struct unwind_lib {
	struct modules *modules;
	unw_addr_space_t space;
	struct unwind_state *state; /* of the current step */
	bool left_slice;            /* the step needed a part of the stack that was not copied */
	uint32_t n_accesses;        /* words read in this step */
};

/* an ordinary step takes some hundred; one through glibc's signal trampoline takes 60 */
#define STEP_ACCESSES 65536u

static const uint8_t columns[] = {
	[UNW_X86_64_RBX] = CFI_S0, [UNW_X86_64_RBP] = CFI_FP, [UNW_X86_64_R12] = CFI_S1,
	[UNW_X86_64_R13] = CFI_S2, [UNW_X86_64_R14] = CFI_S3, [UNW_X86_64_R15] = CFI_S4,
	[UNW_X86_64_RSP] = CFI_SP, [UNW_X86_64_RIP] = CFI_PC,
};

static int column_of(unw_regnum_t r)
{
	bool has = r == UNW_X86_64_RBX || r == UNW_X86_64_RBP ||
		   (r >= UNW_X86_64_R12 && r <= UNW_X86_64_R15) || r == UNW_X86_64_RSP ||
		   r == UNW_X86_64_RIP;
	return has ? columns[r] : -1;
}

static bool read_module(struct unwind_lib *l, uint64_t at, void *to, size_t n)
{
	struct module *module = modules_find(l->modules, at);
	struct image *image = module ? module_image(l->modules, module) : NULL;
	return image && image_read(image, at - module->bias, to, n);
}

static int access_mem(unw_addr_space_t space, unw_word_t at, unw_word_t *value, int write,
		      void *arg)
{
	struct unwind_lib *l = arg;
	const struct unwind_state *s = l->state;
	uint64_t off = at - s->slice_start;
	(void)space;
	if (write)
		return -UNW_EREADONLYREG;
	/* libunwind runs expressions of the image, which may branch backwards (src/dwarf/Gexpr.c,
	 * DW_OP_skip), and reads each operation through here: without this limit an image could
	 * make us loop forever. */
	if (l->n_accesses++ >= STEP_ACCESSES)
		return -UNW_EUNSPEC;
	if (at >= s->slice_start && off <= s->slice_bytes &&
	    s->slice_bytes - off >= sizeof(*value)) {
		memcpy(value, s->slice + off, sizeof(*value));
		return 0;
	}
	if (read_module(l, at, value, sizeof(*value)))
		return 0;
	/* libunwind reads tables in whole words, so it reads a little beyond the end of a
	 * segment. */
	*value = 0;
	for (size_t n = sizeof(*value) - 1; n; n--)
		if (read_module(l, at, value, n))
			return 0;
	if (at >= s->slice_start)
		l->left_slice = true;
	return -UNW_EUNSPEC;
}

static int access_reg(unw_addr_space_t space, unw_regnum_t reg, unw_word_t *value, int write,
		      void *arg)
{
	struct unwind_lib *l = arg;
	int column = column_of(reg);
	(void)space;
	if (write)
		return -UNW_EREADONLYREG;
	/* libunwind first reads all registers; those that a call does not preserve are never used
	 * for the caller. */
	*value = column >= 0 && (l->state->known & (1u << column)) ? l->state->regs[column] : 0;
	return 0;
}

static int access_fpreg(unw_addr_space_t space, unw_regnum_t reg, unw_fpreg_t *value, int write,
			void *arg)
{
	(void)space, (void)reg, (void)value, (void)write, (void)arg;
	return -UNW_EBADREG;
}

static int find_proc_info(unw_addr_space_t space, unw_word_t ip, unw_proc_info_t *info,
			  int need_unwind_info, void *arg)
{
	struct unwind_lib *l = arg;
	struct module *module = modules_find(l->modules, ip);
	struct image *image = module ? module_image(l->modules, module) : NULL;
	const struct cfi_table *table = image ? image_cfi(image) : NULL;
	if (!table || !table->table)
		return -UNW_ENOINFO;
	unw_dyn_info_t di = {
		.start_ip = module->start,
		.end_ip = module->end,
		.format = UNW_INFO_FORMAT_REMOTE_TABLE,
		/* table_len counts machine words; an entry is two 32-bit numbers: one word. */
		.u.rti = { .segbase = table->base + module->bias,
			   .table_data = table->table + module->bias,
			   .table_len = table->n * sizeof(struct cfi_entry) / sizeof(unw_word_t) },
	};
	return UNW_OBJ(dwarf_search_unwind_table)(space, ip, &di, info, need_unwind_info, arg);
}

static void put_unwind_info(unw_addr_space_t space, unw_proc_info_t *info, void *arg)
{
	(void)space, (void)info, (void)arg;
}

static int get_dyn_info_list_addr(unw_addr_space_t space, unw_word_t *ret, void *arg)
{
	(void)space, (void)ret, (void)arg;
	return -UNW_ENOINFO;
}

static int resume(unw_addr_space_t space, unw_cursor_t *cursor, void *arg)
{
	(void)space, (void)cursor, (void)arg;
	return -UNW_EINVAL;
}

static int get_proc_name(unw_addr_space_t space, unw_word_t at, char *to, size_t n, unw_word_t *off,
			 void *arg)
{
	(void)space, (void)at, (void)to, (void)n, (void)off, (void)arg;
	return -UNW_ENOINFO;
}

static unw_accessors_t accessors = {
	.find_proc_info = find_proc_info,
	.put_unwind_info = put_unwind_info,
	.get_dyn_info_list_addr = get_dyn_info_list_addr,
	.access_mem = access_mem,
	.access_reg = access_reg,
	.access_fpreg = access_fpreg,
	.resume = resume,
	.get_proc_name = get_proc_name,
};

bool unwind_lib_is_built(void)
{
	return true;
}

struct unwind_lib *unwind_lib_create(struct modules *modules, bool caching)
{
	struct unwind_lib *l = calloc(1, sizeof(*l));
	if (!l)
		return NULL;
	l->modules = modules;
	l->space = unw_create_addr_space(&accessors, 0);
	if (!l->space) {
		free(l);
		return NULL;
	}
	/* Caching is off by default for a remote space, which makes it 10-20 times slower
	 * (libunwind 1.6.2). */
	unw_set_caching_policy(l->space, caching ? UNW_CACHE_GLOBAL : UNW_CACHE_NONE);
	if (caching)
		unw_set_cache_size(l->space, 8192, 0);
	return l;
}

void unwind_lib_destroy(struct unwind_lib *l)
{
	if (!l)
		return;
	unw_destroy_addr_space(l->space);
	free(l);
}

void unwind_lib_flush(struct unwind_lib *l)
{
	if (l)
		unw_flush_cache(l->space, 0, 0);
}

enum unwind_stop unwind_lib_step(struct unwind_lib *l, struct unwind_state *s)
{
	unw_cursor_t cursor;
	l->state = s;
	l->left_slice = false;
	l->n_accesses = 0;
	/*
	 * unw_init_remote() takes the first pc as exact, as it is for a stopped thread. For a
	 * return address the pc of the call is passed instead: rows are looked up with it, and no
	 * rule except a PLT's depends on the value of the pc.
	 */
	uint64_t pc = s->regs[CFI_PC];
	s->regs[CFI_PC] -= !s->pc_is_exact;
	int status = unw_init_remote(&cursor, l->space, l);
	bool is_signal = false;
	if (status >= 0) {
		is_signal = unw_is_signal_frame(&cursor) > 0;
		status = unw_step(&cursor);
	}
	s->regs[CFI_PC] = pc;
	l->state = s;
	if (status < 0)
		return l->left_slice ? UNWIND_SLICE : UNWIND_NO_ROW;
	if (status == 0)
		return l->left_slice ? UNWIND_SLICE : UNWIND_COMPLETE;
	struct unwind_state next = *s;
	for (unw_regnum_t r = 0; r <= UNW_X86_64_RIP; r++) {
		int column = column_of(r);
		unw_word_t value;
		if (column < 0)
			continue;
		if (unw_get_reg(&cursor, r, &value) == 0) {
			next.regs[column] = value;
		} else {
			if (column == CFI_PC || column == CFI_SP)
				return l->left_slice ? UNWIND_SLICE : UNWIND_NO_ROW;
			next.known &= ~(1u << column);
		}
	}
	next.pc_is_exact = is_signal;
	*s = next;
	return UNWIND_STOP_COUNT;
}

#else

bool unwind_lib_is_built(void)
{
	return false;
}

struct unwind_lib *unwind_lib_create(struct modules *modules, bool caching)
{
	(void)modules, (void)caching;
	return NULL;
}

void unwind_lib_destroy(struct unwind_lib *l)
{
	(void)l;
}

void unwind_lib_flush(struct unwind_lib *l)
{
	(void)l;
}

enum unwind_stop unwind_lib_step(struct unwind_lib *l, struct unwind_state *s)
{
	(void)l, (void)s;
	return UNWIND_NO_ROW;
}
#endif
