/*
 * modules: what is mapped in one target, for unwinding and naming.
 *
 * A module is an ELF image at its place. The list is read from /proc/PID/maps; modules that stay
 * where they are keep their image. Files are opened through /proc/PID/map_files (root; works for
 * deleted files and other mount namespaces), then /proc/PID/root, then by path, and only used if
 * they are the mapped ones (inode, program headers, build id); else the bytes come from the
 * target's memory. Not thread-safe; the images are shared through the store.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/mem_read.h"
#include "stacks/image.h"
#include "system/maps.h"

struct module {
	uint64_t start, end; /* lowest and highest mapped address, half-open */
	uint64_t first_end;  /* end of the first mapping, as map_files names it */
	uint64_t dev, inode; /* as in maps */
	char *path;          /* " (deleted)" removed; "[vdso]" */
	const char *name;    /* its last component */
	bool is_deleted;
	bool tried;          /* the image has been looked for */
	struct image *image; /* NULL until module_image(), or no ELF image */
	uint64_t bias;       /* address = bias + p_vaddr */
	uint32_t id;         /* unique in this list's life; a module that stays keeps it */
};

struct modules;

/* Nothing is read yet. `mem` and `store` must outlive the list. pid 0: maps come by
 * modules_set_maps() alone (tests). */
MUST_CHECK struct err *modules_create(pid_t pid, const struct mem_reader *mem,
				      struct image_store *store, struct modules **ret);
void modules_destroy(struct modules *m);
DEFINE_CLEANUP(modules);

/*
 * Read the target's maps again. The list stays as it was when they cannot be read (ERR_TARGET_GONE,
 * …). Pointers to modules that left are invalid afterwards; *ret_lost says that there were such
 * (rows and names of theirs must be forgotten), *ret_new that modules or executable memory came.
 * Either may be NULL.
 */
MUST_CHECK struct err *modules_refresh(struct modules *m, bool *ret_lost, bool *ret_new);
/* The same from mappings read elsewhere; nothing of `maps` is kept. */
MUST_CHECK struct err *modules_set_maps(struct modules *m, const struct maps *maps, bool *ret_lost,
					bool *ret_new);

/* Take over the list of a process that this one was forked from. Modules without a file (the vdso)
 * are looked for anew. */
MUST_CHECK struct err *modules_copy(struct modules *m, const struct modules *from);

/* The module that covers pc, NULL if none does. Until the next refresh. */
struct module *modules_find(struct modules *m, uint64_t pc);
/* Whether pc lies in executable memory, in a module or not (JIT, trampolines). */
bool modules_is_executable(const struct modules *m, uint64_t pc);
/* Whether pc lay in executable memory outside of modules that has been unmapped since (the last 64
 * such ranges). */
bool modules_was_executable(const struct modules *m, uint64_t pc);
/* The module's image, opened on first use; NULL if what is mapped there is no ELF image. */
struct image *module_image(struct modules *m, struct module *module);

const struct mem_reader *modules_memory(const struct modules *m);
struct image_store *modules_images(const struct modules *m); /* borrowed */
pid_t modules_pid(const struct modules *m);
size_t modules_count(const struct modules *m);
struct module *modules_get(struct modules *m, size_t i);
