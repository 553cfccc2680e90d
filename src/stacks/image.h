/*
 * image: one ELF file as it is mapped somewhere: its bytes, its unwind table and its names.
 *
 * Addresses here are the file's own (p_vaddr); the load bias belongs to the module that uses the
 * image (modules.h). The bytes come from the file while it is known to be the mapped one, else from
 * the target's memory (deleted or replaced files, the vdso). Images of files are shared by all
 * processes that map them: an image_store keeps them by device, inode, size and time of change.
 * Everything read is hostile: counts, sizes and offsets are checked against the file or capped.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/attr.h"
#include "base/mem_read.h"
#include "base/vec.h"
#include "stacks/cfi.h"

#define IMAGE_MAX_LOADS    16u
#define IMAGE_MAX_BUILD_ID 64u

struct symbol_table; /* symbols.h */
struct image_store;

struct image_load {
	uint64_t vaddr, mem_bytes, file_offset, file_bytes;
	uint32_t flags; /* PF_R, PF_W, PF_X */
};

#define IMAGE_WINDOWS      64u
#define IMAGE_WINDOW_BYTES 4096u
struct image_window { /* a page of the file as it was read last */
	uint64_t start;
	size_t n_bytes;
	uint8_t *bytes; /* NULL: not used yet */
};

struct image {
	uint32_t n_refs;
	int fd; /* the file, -1: the bytes come from memory */
	struct image_window windows[IMAGE_WINDOWS];
	uint64_t file_bytes;
	uint64_t dev, inode; /* of the file (fstat) */
	struct timespec changed;
	struct mem_reader memory; /* of the target; used with `bias` when fd is -1 */
	uint64_t bias;
	/* reads this image at its own addresses, whatever the source */
	struct mem_reader reader;
	char *path; /* for looking for debug files; may be NULL */
	uint32_t n_loads;
	struct image_load loads[IMAGE_MAX_LOADS];
	uint64_t eh_hdr, eh_hdr_bytes; /* PT_GNU_EH_FRAME; 0 none */
	uint64_t dynamic, dynamic_bytes;
	struct image_store *store; /* that bounds its tables; NULL none */
	uint64_t n_table_bytes;    /* taken by image_take_bytes() */
	uint32_t n_build_id;
	uint8_t build_id[IMAGE_MAX_BUILD_ID];
	struct cfi_table cfi; /* loaded by image_cfi() */
	bool cfi_tried;
	struct symbol_table *symbols; /* loaded by symbols.c */
	void (*symbols_free)(struct symbol_table *);
};

struct namer; /* namer.h */

struct image_store *image_store_create(void); /* NULL when memory is short */
void image_store_destroy(struct image_store *s);
DEFINE_CLEANUP(image_store);

/* The process that runs libdw and the demangler for all images of the store; NULL when memory is
 * short. Borrowed. */
struct namer *image_store_namer(struct image_store *s);
/* A number that this store gave to nobody before. */
uint64_t image_store_new_id(struct image_store *s);

/*
 * Ask for memory for a table of the image; given back by image_unref(). False when the tables of
 * all images of the store would take more than a bound: a target can map any number of images, each
 * with the largest tables.
 */
bool image_take_bytes(struct image *i, uint64_t n_bytes);

/*
 * The image of an open file; takes fd (closed if the store has that file already, or on failure).
 * NULL if it is no x86-64 ELF file or memory is short. `path` is copied. A reference is handed out:
 * image_unref() it.
 */
struct image *image_of_file(struct image_store *s, int fd, const char *path);
/* The image mapped with its ELF header at `header`. `memory` must outlive the image. */
struct image *image_of_memory(const struct mem_reader *memory, raddr header, const char *path);
/* NULL is fine; s may be NULL for images of memory */
void image_unref(struct image_store *s, struct image *i);

/* The load bias that an image has when its ELF header lies at `header`. */
uint64_t image_bias_at(const struct image *i, raddr header);

/* Copy [vaddr, vaddr + n_bytes) of the image; false if any of it lies outside its loaded segments.
 */
static inline bool image_read(const struct image *i, uint64_t vaddr, void *to, size_t n_bytes)
{
	return mem_read(&i->reader, RADDR(vaddr), to, n_bytes);
}

/* The sorted table of its frame descriptions; NULL if it has none. Belongs to the image. */
const struct cfi_table *image_cfi(struct image *i);

/* Whether the header and program headers in memory at `header` are those of this file. */
bool image_matches_memory(const struct image *i, const struct mem_reader *memory, raddr header);
