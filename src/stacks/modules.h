/*
 * modules: the ELF images mapped in one target, for unwinding and naming.
 *
 * A module is an ELF image at its place. The list is read from /proc/PID/maps; modules that stay
 * where they are keep their image. Files are opened through /proc/PID/map_files (needs root; works
 * for deleted files and other mount namespaces), then /proc/PID/root, then by path. A file is used
 * only if it is the mapped one (inode, program headers, build id); otherwise the bytes come from
 * the target's memory. Not thread-safe. The images are shared through the store.
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
	uint64_t first_end;  /* end of the first mapping; part of its name in map_files */
	uint64_t dev, inode; /* as in maps */
	char *path;          /* " (deleted)" removed; "[vdso]" */
	const char *name;    /* its last component */
	bool is_deleted;
	bool tried;          /* the image has been searched for */
	struct image *image; /* NULL until module_image(), or no ELF image */
	uint64_t bias;       /* address = bias + p_vaddr */
	uint32_t id;         /* unique during the life of the list; a module that stays keeps it */
};

struct modules;

/* Nothing is read yet. `mem` and `store` must outlive the list. pid 0: the list comes from
 * modules_set_maps() only (tests). */
MUST_CHECK struct err *modules_create(pid_t pid, const struct mem_reader *mem,
				      struct image_store *store, struct modules **ret);
void modules_destroy(struct modules *m);
DEFINE_CLEANUP(modules);

/*
 * Read the target's maps again. If they cannot be read (ERR_TARGET_GONE, …), the list stays as it
 * was. *ret_lost: modules were removed; pointers to them are invalid, and their rows and names must
 * be forgotten. *ret_new: modules or executable memory were added. Either may be NULL.
 */
MUST_CHECK struct err *modules_refresh(struct modules *m, bool *ret_lost, bool *ret_new);
/* The same with mappings that the caller has read; `maps` is not kept. */
MUST_CHECK struct err *modules_set_maps(struct modules *m, const struct maps *maps, bool *ret_lost,
					bool *ret_new);

/* Copy the list of the process that this one was forked from. Modules without a file (the vdso) are
 * read again. */
MUST_CHECK struct err *modules_copy(struct modules *m, const struct modules *from);

/* Share the images that are known of the process that this one was forked from, for the modules
 * that are still at the same place: this process may end before its own could be opened. */
void modules_adopt_images(struct modules *m, const struct modules *from);

/* The module that covers pc; NULL if none does. Valid until the next refresh. */
struct module *modules_find(struct modules *m, uint64_t pc);
/* Is pc in executable memory, in a module or not (JIT, trampolines)? */
bool modules_is_executable(const struct modules *m, uint64_t pc);
/* Was pc in executable memory that has been unmapped since? The last 64 such ranges are
 * remembered. */
bool modules_was_executable(const struct modules *m, uint64_t pc);
/* The module's image, opened on first use; NULL if the memory there is not an ELF image. */
struct image *module_image(struct modules *m, struct module *module);

const struct mem_reader *modules_memory(const struct modules *m);
struct image_store *modules_images(const struct modules *m); /* borrowed */
pid_t modules_pid(const struct modules *m);
size_t modules_count(const struct modules *m);
struct module *modules_get(struct modules *m, size_t i);
