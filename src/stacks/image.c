/*
 * image: see image.h. Only headers are read here: program headers, the note with the build id,
 * .eh_frame_hdr.
 */
#include "stacks/image.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "stacks/namer.h"

#define MAX_TABLE_BYTES (384ull << 20)

struct image_store {
	/* images of files; borrowed: an image is removed with its last reference */
	VEC(struct image *) images;
	uint64_t n_table_bytes; /* granted to images by image_take_bytes() */
	struct namer *namer;    /* NULL until image_store_namer() */
	uint64_t next_id;
};

struct image_store *image_store_create(void)
{
	return calloc(1, sizeof(struct image_store));
}

void image_store_destroy(struct image_store *s)
{
	if (!s)
		return;
	vec_fini(&s->images);
	namer_destroy(s->namer);
	free(s);
}

struct namer *image_store_namer(struct image_store *s)
{
	if (!s->namer)
		s->namer = namer_create();
	return s->namer;
}

uint64_t image_store_new_id(struct image_store *s)
{
	return ++s->next_id;
}

bool image_take_bytes(struct image *i, uint64_t n_bytes)
{
	struct image_store *s = i->store;
	if (!s)
		return true;
	if (n_bytes > MAX_TABLE_BYTES - s->n_table_bytes)
		return false;
	s->n_table_bytes += n_bytes;
	i->n_table_bytes += n_bytes;
	return true;
}

/* ---- reading ---- */

/* Frame information is read in pieces of a few bytes that are close together. Reading a whole page
 * costs no more than reading one piece. */
static bool read_through_windows(struct image *i, void *to, size_t n, uint64_t offset)
{
	uint64_t start = offset & ~(uint64_t)(IMAGE_WINDOW_BYTES - 1);
	struct image_window *w = &i->windows[start / IMAGE_WINDOW_BYTES % IMAGE_WINDOWS];
	if (offset - start + n > IMAGE_WINDOW_BYTES || start >= i->file_bytes)
		return io_read_at(i->fd, to, n, offset);
	if (!w->bytes || w->start != start) {
		uint64_t left = i->file_bytes - start;
		if (!w->bytes && !(w->bytes = malloc(IMAGE_WINDOW_BYTES)))
			return io_read_at(i->fd, to, n, offset);
		w->n_bytes = left < IMAGE_WINDOW_BYTES ? (size_t)left : IMAGE_WINDOW_BYTES;
		w->start = start;
		if (!io_read_at(i->fd, w->bytes, w->n_bytes, start))
			w->n_bytes = 0;
	}
	if (offset - start + n > w->n_bytes)
		return io_read_at(i->fd, to, n, offset);
	memcpy(to, w->bytes + (offset - start), n);
	return true;
}

static bool read_from_file(void *ctx, raddr from, void *to, size_t n)
{
	struct image *i = ctx;
	for (uint32_t k = 0; k < i->n_loads; k++) {
		const struct image_load *l = &i->loads[k];
		uint64_t off = from.v - l->vaddr;
		if (from.v < l->vaddr || off >= l->file_bytes || n > l->file_bytes - off)
			continue;
		if (l->file_offset > i->file_bytes || off > i->file_bytes - l->file_offset)
			return false;
		return read_through_windows(i, to, n, l->file_offset + off);
	}
	return false;
}

static bool read_from_memory(void *ctx, raddr from, void *to, size_t n)
{
	const struct image *i = ctx;
	for (uint32_t k = 0; k < i->n_loads; k++) {
		const struct image_load *l = &i->loads[k];
		uint64_t off = from.v - l->vaddr;
		if (from.v >= l->vaddr && off < l->mem_bytes && n <= l->mem_bytes - off)
			return mem_read(&i->memory, raddr_add(from, i->bias), to, n);
	}
	return false;
}

/* ---- headers ---- */

static bool is_our_elf(const Elf64_Ehdr *e)
{
	return !memcmp(e->e_ident, ELFMAG, SELFMAG) && e->e_ident[EI_CLASS] == ELFCLASS64 &&
	       e->e_ident[EI_DATA] == ELFDATA2LSB && cfi_machine_of(e->e_machine) &&
	       (e->e_type == ET_EXEC || e->e_type == ET_DYN) &&
	       e->e_phentsize == sizeof(Elf64_Phdr) && e->e_phnum;
}

#define MAX_PHDRS      64u
#define MAX_NOTE_BYTES 4096u
#define HEAD_BYTES     2048u

/* The beginning of an image. Linkers put the program headers and the build id right behind the ELF
 * header, so one read usually gets all of it. */
struct head {
	Elf64_Ehdr e;
	Elf64_Phdr ph[MAX_PHDRS];
	uint8_t bytes[HEAD_BYTES]; /* from offset 0 of the file */
	size_t n_bytes;            /* bytes that could be read */
};

static void find_build_id(struct image *i, const uint8_t *notes, size_t n)
{
	for (size_t at = 0; n - at >= sizeof(Elf64_Nhdr);) {
		Elf64_Nhdr h;
		memcpy(&h, notes + at, sizeof(h));
		at += sizeof(h);
		size_t name = ((size_t)h.n_namesz + 3) & ~(size_t)3,
		       desc = ((size_t)h.n_descsz + 3) & ~(size_t)3;
		if (name > n - at || desc > n - at - name)
			return;
		if (h.n_type == NT_GNU_BUILD_ID && h.n_namesz == 4 &&
		    !memcmp(notes + at, "GNU", 4) && h.n_descsz &&
		    h.n_descsz <= IMAGE_MAX_BUILD_ID) {
			i->n_build_id = h.n_descsz;
			memcpy(i->build_id, notes + at + name, h.n_descsz);
			return;
		}
		at += name + desc;
	}
}

static bool take_headers(struct image *i, const struct head *h)
{
	for (unsigned k = 0; k < h->e.e_phnum; k++) {
		const Elf64_Phdr *p = &h->ph[k];
		if (p->p_type == PT_LOAD && i->n_loads < IMAGE_MAX_LOADS &&
		    p->p_vaddr + p->p_memsz >= p->p_vaddr && p->p_filesz <= p->p_memsz)
			i->loads[i->n_loads++] = (struct image_load){ p->p_vaddr, p->p_memsz,
								      p->p_offset, p->p_filesz,
								      p->p_flags };
		if (p->p_type == PT_GNU_EH_FRAME) {
			i->eh_hdr = p->p_vaddr;
			i->eh_hdr_bytes = p->p_memsz;
		}
		if (p->p_type == PT_DYNAMIC) {
			i->dynamic = p->p_vaddr;
			i->dynamic_bytes = p->p_memsz;
		}
	}
	return i->n_loads > 0;
}

static void take_notes(struct image *i, const struct head *h)
{
	uint8_t buffer[MAX_NOTE_BYTES];
	for (unsigned k = 0; k < h->e.e_phnum && !i->n_build_id; k++) {
		const Elf64_Phdr *p = &h->ph[k];
		size_t n = p->p_memsz < sizeof(buffer) ? (size_t)p->p_memsz : sizeof(buffer);
		/* In the segment that begins with the header, offsets in the file equal offsets
		 * from the header in memory. */
		bool in_head = p->p_offset < h->n_bytes && n <= h->n_bytes - p->p_offset &&
			       p->p_vaddr - p->p_offset ==
				   i->loads[0].vaddr - i->loads[0].file_offset;
		if (p->p_type != PT_NOTE)
			continue;
		if (in_head)
			find_build_id(i, h->bytes + p->p_offset, n);
		else if (image_read(i, p->p_vaddr, buffer, n))
			find_build_id(i, buffer, n);
	}
}

/* Read n bytes at `offset` of the file, or at the same distance from the header in memory. */
static bool read_raw(void *to, size_t n, uint64_t offset, int fd, const struct mem_reader *m,
		     raddr header)
{
	return fd >= 0 ? io_read_at(fd, to, n, offset)
		       : mem_read(m, raddr_add(header, offset), to, n);
}

static bool head_read(struct head *h, int fd, const struct mem_reader *m, raddr header)
{
	h->n_bytes = read_raw(h->bytes, HEAD_BYTES, 0, fd, m, header) ? HEAD_BYTES : 0;
	if (h->n_bytes)
		memcpy(&h->e, h->bytes, sizeof(h->e));
	/* the file is shorter than HEAD_BYTES */
	else if (!read_raw(&h->e, sizeof(h->e), 0, fd, m, header))
		return false;
	if (!is_our_elf(&h->e) || h->e.e_phnum > MAX_PHDRS || h->e.e_phoff > UINT32_MAX)
		return false;
	size_t n = h->e.e_phnum * sizeof(*h->ph);
	if (h->e.e_phoff > h->n_bytes || n > h->n_bytes - h->e.e_phoff)
		return read_raw(h->ph, n, h->e.e_phoff, fd, m, header);
	memcpy(h->ph, h->bytes + h->e.e_phoff, n);
	return true;
}

uint64_t image_bias_at(const struct image *i, raddr header)
{
	/* gABI 2.4: the header is in the segment with the lowest address, whose p_offset is a
	 * multiple of the page size. */
	return header.v - (i->loads[0].vaddr - i->loads[0].file_offset);
}

/* file_bytes: size of the file that fd refers to. */
static struct image *image_create(int fd, uint64_t file_bytes, const struct mem_reader *m,
				  raddr header, const char *path)
{
	struct head h;
	if (!head_read(&h, fd, m, header))
		return NULL;
	struct image *i = calloc(1, sizeof(*i));
	if (!i)
		return NULL;
	i->n_refs = 1;
	i->e_machine = h.e.e_machine;
	i->fd = fd;
	i->file_bytes = file_bytes;
	i->path = path ? strdup(path) : NULL;
	if (!take_headers(i, &h) || (path && !i->path)) {
		free(i->path);
		free(i);
		return NULL;
	}
	if (fd < 0) {
		i->memory = *m;
		i->bias = image_bias_at(i, header);
	}
	i->reader = (struct mem_reader){ .read = fd >= 0 ? read_from_file : read_from_memory,
					 .ctx = i };
	take_notes(i, &h);
	return i;
}

struct image *image_of_memory(const struct mem_reader *memory, raddr header, const char *path)
{
	return image_create(-1, 0, memory, header, path);
}

struct image *image_of_file(struct image_store *s, int fd, const char *path)
{
	struct stat st;
	struct image *i = NULL;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		goto out;
	for (size_t k = 0; k < s->images.n; k++) {
		struct image *old = s->images.v[k];
		if (old->dev == st.st_dev && old->inode == st.st_ino &&
		    old->file_bytes == (uint64_t)st.st_size &&
		    old->changed.tv_sec == st.st_ctim.tv_sec &&
		    old->changed.tv_nsec == st.st_ctim.tv_nsec) {
			old->n_refs++;
			close(fd);
			return old;
		}
	}
	if (!vec_reserve(&s->images, 1))
		goto out;
	i = image_create(fd, (uint64_t)st.st_size, NULL, RADDR(0), path);
	if (!i)
		goto out;
	i->store = s;
	i->dev = st.st_dev;
	i->inode = st.st_ino;
	i->changed = st.st_ctim;
	s->images.v[s->images.n++] = i;
	return i;
out:
	close(fd);
	return NULL;
}

void image_unref(struct image_store *s, struct image *i)
{
	if (!i || --i->n_refs)
		return;
	for (size_t k = 0; s && k < s->images.n; k++) {
		if (s->images.v[k] == i) {
			s->images.v[k] = s->images.v[--s->images.n];
			break;
		}
	}
	if (i->store)
		i->store->n_table_bytes -= i->n_table_bytes;
	if (i->symbols)
		i->symbols_free(i->symbols);
	cfi_table_fini(&i->cfi);
	if (i->fd >= 0)
		close(i->fd);
	for (unsigned k = 0; k < IMAGE_WINDOWS; k++)
		free(i->windows[k].bytes);
	free(i->path);
	free(i);
}

const struct cfi_table *image_cfi(struct image *i)
{
	if (!i->cfi_tried) {
		i->cfi_tried = true;
		if (!i->eh_hdr ||
		    cfi_table_load(&i->reader, i->eh_hdr, i->eh_hdr_bytes, &i->cfi) != CFI_OK)
			i->cfi = (struct cfi_table){ 0 };
		if (!image_take_bytes(i, i->cfi.n * sizeof(struct cfi_entry)))
			cfi_table_fini(&i->cfi);
	}
	return i->cfi.n ? &i->cfi : NULL;
}

bool image_matches_memory(const struct image *i, const struct mem_reader *memory, raddr header)
{
	struct head a, b;
	if (i->fd < 0)
		return true;
	/* Section headers may have been stripped from only one of them, so e_shoff and related
	 * fields are not compared. */
	if (!head_read(&a, i->fd, NULL, header) || !head_read(&b, -1, memory, header) ||
	    a.e.e_phnum != b.e.e_phnum || memcmp(a.ph, b.ph, a.e.e_phnum * sizeof(*a.ph)))
		return false;
	struct image other = { .fd = -1, .memory = *memory };
	if (!take_headers(&other, &b))
		return false;
	other.bias = image_bias_at(&other, header);
	other.reader = (struct mem_reader){ .read = read_from_memory, .ctx = &other };
	take_notes(&other, &b);
	return other.n_build_id == i->n_build_id &&
	       !memcmp(other.build_id, i->build_id, i->n_build_id);
}
