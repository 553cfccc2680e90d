/*
 * image: one ELF file as it is mapped somewhere: its bytes, its unwind table and its names.
 *
 * Addresses here are the file's own (p_vaddr); the load bias belongs to the module that uses the
 * image (modules.h). The bytes come from the file while it is known to be the mapped one, otherwise
 * from the target's memory (deleted or replaced files, the vdso). Images of files are shared by all
 * processes that map them: an image_store keeps them by device, inode, size and time of change. All
 * input is hostile: counts, sizes and offsets are checked against the file or limited.
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
struct image_window { /* a page of the file that was read earlier */
	uint64_t start;
	size_t n_bytes;
	uint8_t *bytes; /* NULL: not used yet */
};

struct image {
	uint32_t n_refs;
	uint16_t e_machine; /* of its ELF header */
	int fd;             /* the file; -1: the bytes come from memory */
	struct image_window windows[IMAGE_WINDOWS];
	uint64_t file_bytes;
	uint64_t dev, inode; /* of the file (fstat) */
	struct timespec changed;
	struct mem_reader memory; /* of the target; used with `bias` when fd is -1 */
	uint64_t bias;
	/* reads this image at its own addresses, from the file or from memory */
	struct mem_reader reader;
	char *path; /* where to look for debug files; may be NULL */
	uint32_t n_loads;
	struct image_load loads[IMAGE_MAX_LOADS];
	uint64_t eh_hdr, eh_hdr_bytes; /* PT_GNU_EH_FRAME; 0 none */
	uint64_t dynamic, dynamic_bytes;
	struct image_store *store; /* the store that limits the image's tables; NULL none */
	uint64_t n_table_bytes;    /* granted by image_take_bytes() */
	uint32_t n_build_id;
	uint8_t build_id[IMAGE_MAX_BUILD_ID];
	struct cfi_table cfi; /* loaded by image_cfi() */
	bool cfi_tried;
	struct symbol_table *symbols; /* loaded by symbols.c */
	void (*symbols_free)(struct symbol_table *);
};

struct namer; /* namer.h */

struct image_store *image_store_create(void); /* NULL if out of memory */
void image_store_destroy(struct image_store *s);
DEFINE_CLEANUP(image_store);

/* The process that runs libdw and the demangler for all images of the store; NULL if out of memory.
 * Borrowed. */
struct namer *image_store_namer(struct image_store *s);
/* A number that this store has never returned before. */
uint64_t image_store_new_id(struct image_store *s);

/*
 * Request memory for a table of the image; image_unref() returns it. False if the tables of all
 * images of the store would exceed a limit: a target can map any number of images, each with tables
 * of the largest size.
 */
bool image_take_bytes(struct image *i, uint64_t n_bytes);

/*
 * The image of an open file; takes fd (and closes it if the store has that file already, or on
 * failure). NULL if it is not an x86-64 ELF file, or out of memory. `path` is copied. The caller
 * owns a reference: release it with image_unref().
 */
struct image *image_of_file(struct image_store *s, int fd, const char *path);
/* The image mapped with its ELF header at `header`. `memory` must outlive the image. */
struct image *image_of_memory(const struct mem_reader *memory, raddr header, const char *path);
/* NULL is fine; s may be NULL for images of memory */
void image_unref(struct image_store *s, struct image *i);

/* The load bias of an image whose ELF header is at `header`. */
uint64_t image_bias_at(const struct image *i, raddr header);

/* Copy [vaddr, vaddr + n_bytes) of the image; false if any of it is outside its loaded segments. */
static inline bool image_read(const struct image *i, uint64_t vaddr, void *to, size_t n_bytes)
{
	return mem_read(&i->reader, RADDR(vaddr), to, n_bytes);
}

/* The sorted table of the image's frame descriptions, owned by the image; NULL if it has none. */
const struct cfi_table *image_cfi(struct image *i);

/* Are the header and program headers in memory at `header` those of this file? */
bool image_matches_memory(const struct image *i, const struct mem_reader *memory, raddr header);
