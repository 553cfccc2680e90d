/*
 * symbol_table: see symbol_table.h.
 *
 * .dynsym is found through PT_DYNAMIC, so it needs no section headers and works from memory;
 * .symtab and .gnu_debuglink through the section headers of a file.
 */
#include "stacks/symbol_table.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/vec.h"
#include "system/remote_io.h"

#define MAX_SECTIONS    65536u
#define MAX_SYMBOLS     (1u << 21)
#define MAX_TEXTS_BYTES (128u << 20)
#define MAX_DYNAMIC     512u

/* ---- sections of a file ---- */

struct sections {
	int fd;
	uint64_t file_bytes;
	Elf64_Shdr *v;
	size_t n;
	char *names;
	size_t names_bytes;
};

static bool file_read(const struct sections *s, uint64_t at, void *to, size_t n)
{
	if (at > s->file_bytes || n > s->file_bytes - at)
		return false;
	return io_read_at(s->fd, to, n, at);
}

static void sections_fini(struct sections *s)
{
	free(s->v);
	free(s->names);
}

/* The bytes of a section, malloc'ed, followed by a NUL; NULL if the file does not contain them or
 * they are too many. */
static char *section_dup(const struct sections *s, const Elf64_Shdr *h, size_t max)
{
	if (h->sh_type == SHT_NOBITS || h->sh_size > max || h->sh_size > s->file_bytes)
		return NULL;
	char *p = malloc(h->sh_size + 1);
	if (p && !file_read(s, h->sh_offset, p, h->sh_size)) {
		free(p);
		return NULL;
	}
	if (p)
		p[h->sh_size] = 0;
	return p;
}

static bool sections_read(int fd, struct sections *s)
{
	struct stat st;
	Elf64_Ehdr e;
	Elf64_Shdr first;
	*s = (struct sections){ .fd = fd };
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	s->file_bytes = (uint64_t)st.st_size;
	if (!file_read(s, 0, &e, sizeof(e)) || memcmp(e.e_ident, ELFMAG, SELFMAG) != 0 ||
	    e.e_ident[EI_CLASS] != ELFCLASS64 || e.e_ident[EI_DATA] != ELFDATA2LSB || !e.e_shoff ||
	    e.e_shentsize != sizeof(Elf64_Shdr) || !file_read(s, e.e_shoff, &first, sizeof(first)))
		return false;
	/* gABI: numbers too large for the header are in sh_size and sh_link of the first section
	 * header. */
	uint64_t n = e.e_shnum ? e.e_shnum : first.sh_size;
	uint32_t names = e.e_shstrndx == SHN_XINDEX ? first.sh_link : e.e_shstrndx;
	if (!n || n > MAX_SECTIONS || names >= n)
		return false;
	s->v = malloc(n * sizeof(*s->v));
	s->n = n;
	if (s->v && file_read(s, e.e_shoff, s->v, n * sizeof(*s->v))) {
		s->names = section_dup(s, &s->v[names], 1u << 24);
		s->names_bytes = s->names ? s->v[names].sh_size : 0;
	}
	if (!s->names) {
		sections_fini(s);
		return false;
	}
	return true;
}

static const Elf64_Shdr *section_find(const struct sections *s, const char *name)
{
	for (size_t i = 1; i < s->n; i++)
		if (s->v[i].sh_name < s->names_bytes && !strcmp(s->names + s->v[i].sh_name, name))
			return &s->v[i];
	return NULL;
}

/* ---- symbols ---- */

static int compare_symbols(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;
	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	if (x->size != y->size)
		return x->size < y->size ? -1 : 1;
	return x->rank < y->rank ? -1 : x->rank > y->rank;
}

/* Keep the functions among raw[n]; takes ownership of texts. False if out of memory. */
static bool take_symbols(struct symbol_table *t, const Elf64_Sym *raw, size_t n, char *texts,
			 size_t texts_bytes, enum symbol_source source)
{
	struct symbol *v = malloc((n ? n : 1) * sizeof(*v));
	size_t kept = 0;
	if (!v) {
		free(texts);
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		unsigned type = ELF64_ST_TYPE(raw[i].st_info), bind = ELF64_ST_BIND(raw[i].st_info);
		bool code = type == STT_FUNC || type == STT_GNU_IFUNC || type == STT_NOTYPE;
		if (!code || raw[i].st_shndx == SHN_UNDEF || raw[i].st_shndx == SHN_ABS ||
		    !raw[i].st_value || raw[i].st_name >= texts_bytes || !texts[raw[i].st_name])
			continue;
		if (raw[i].st_value + raw[i].st_size < raw[i].st_value)
			continue;
		/* A function is preferred to a bare label; a global name to a weak or local alias;
		 * a public name to a reserved one. */
		uint8_t rank = (uint8_t)((type != STT_NOTYPE) * 8 +
					 (bind == STB_GLOBAL ? 4
					  : bind == STB_WEAK ? 2
							     : 0) +
					 (texts[raw[i].st_name] != '_'));
		v[kept++] = (struct symbol){ raw[i].st_value, raw[i].st_size, raw[i].st_name,
					     rank };
	}
	if (!kept) {
		free(v);
		free(texts);
		return true;
	}
	qsort(v, kept, sizeof(*v), compare_symbols);
	free(t->symbols);
	free(t->texts);
	t->symbols = v;
	t->n = kept;
	t->texts = texts;
	t->texts_bytes = texts_bytes;
	t->source = source;
	return true;
}

/* Load .symtab of a file; true if it has functions. */
static bool load_symtab(struct symbol_table *t, const struct sections *s, enum symbol_source source)
{
	const Elf64_Shdr *h = NULL;
	for (size_t i = 1; i < s->n && !h; i++)
		if (s->v[i].sh_type == SHT_SYMTAB && s->v[i].sh_entsize == sizeof(Elf64_Sym) &&
		    s->v[i].sh_link < s->n)
			h = &s->v[i];
	if (!h)
		return false;
	size_t n = h->sh_size / sizeof(Elf64_Sym);
	const Elf64_Shdr *texts_h = &s->v[h->sh_link];
	Elf64_Sym *raw = (Elf64_Sym *)(void *)section_dup(s, h, MAX_SYMBOLS * sizeof(Elf64_Sym));
	char *texts = raw ? section_dup(s, texts_h, MAX_TEXTS_BYTES) : NULL;
	bool ok = texts && take_symbols(t, raw, n, texts, texts_h->sh_size + 1, source);
	free(raw);
	return ok && t->source == source;
}

/* ---- .dynsym, from memory or file ---- */

/* Decode a pointer of the dynamic section: ld.so relocates some of them in memory; files and the
 * vdso hold them unrelocated. */
static bool in_image(const struct image *i, uint64_t vaddr)
{
	uint8_t c;
	return image_read(i, vaddr, &c, 1);
}

static uint64_t dynamic_pointer(const struct image *i, uint64_t v)
{
	return i->fd < 0 && v >= i->bias && i->bias && in_image(i, v - i->bias) ? v - i->bias : v;
}

/* The number of symbols, from the hash tables: the program headers do not contain the section's
 * size. */
static size_t count_by_gnu_hash(const struct image *i, uint64_t at)
{
	/* number of buckets, index of the first hashed symbol, bloom words, shift */
	uint32_t head[4], last = 0;
	if (!image_read(i, at, head, sizeof(head)) || !head[0] || head[0] > MAX_SYMBOLS ||
	    head[2] > MAX_SYMBOLS)
		return 0;
	uint64_t buckets = at + sizeof(head) + (uint64_t)head[2] * 8,
		 chains = buckets + (uint64_t)head[0] * 4;
	for (uint32_t b = 0; b < head[0];) {
		uint32_t part[256];
		uint32_t n = head[0] - b < ARRAY_LEN(part) ? head[0] - b
							   : (uint32_t)ARRAY_LEN(part);
		if (!image_read(i, buckets + (uint64_t)b * 4, part, n * sizeof(*part)))
			return 0;
		for (uint32_t k = 0; k < n; k++)
			if (part[k] > last)
				last = part[k];
		b += n;
	}
	if (last < head[1])
		return head[1];
	for (; last < MAX_SYMBOLS; last++) {
		uint32_t chain;
		if (!image_read(i, chains + (uint64_t)(last - head[1]) * 4, &chain, sizeof(chain)))
			return 0;
		if (chain & 1)
			return (size_t)last + 1;
	}
	return 0;
}

static void load_dynsym(struct symbol_table *t, const struct image *i)
{
	Elf64_Dyn dyn[MAX_DYNAMIC];
	size_t n_dyn = i->dynamic_bytes / sizeof(*dyn), n = 0;
	uint64_t symtab = 0, strtab = 0, str_bytes = 0, hash = 0, gnu_hash = 0;
	if (n_dyn > MAX_DYNAMIC)
		n_dyn = MAX_DYNAMIC;
	if (!n_dyn || !image_read(i, i->dynamic, dyn, n_dyn * sizeof(*dyn)))
		return;
	for (size_t k = 0; k < n_dyn && dyn[k].d_tag != DT_NULL; k++) {
		uint64_t v = dyn[k].d_un.d_val;
		switch (dyn[k].d_tag) {
		case DT_SYMTAB: symtab = dynamic_pointer(i, v); break;
		case DT_STRTAB: strtab = dynamic_pointer(i, v); break;
		case DT_STRSZ: str_bytes = v; break;
		case DT_HASH: hash = dynamic_pointer(i, v); break;
		case DT_GNU_HASH: gnu_hash = dynamic_pointer(i, v); break;
		default: break;
		}
	}
	uint32_t sysv[2];
	if (gnu_hash)
		n = count_by_gnu_hash(i, gnu_hash);
	else if (hash && image_read(i, hash, sysv, sizeof(sysv)))
		n = sysv[1];
	if (!n || n > MAX_SYMBOLS || !str_bytes || str_bytes > MAX_TEXTS_BYTES)
		return;
	Elf64_Sym *raw = malloc(n * sizeof(*raw));
	char *texts = malloc(str_bytes + 1);
	if (raw && texts && image_read(i, symtab, raw, n * sizeof(*raw)) &&
	    image_read(i, strtab, texts, str_bytes)) {
		texts[str_bytes] = 0;
		(void)take_symbols(t, raw, n, take_ptr(texts), str_bytes + 1, SYMBOLS_DYNSYM);
	}
	free(raw);
	free(texts);
}

/* ---- debug files ---- */

static bool has_build_id(const struct sections *s, const struct image *i)
{
	const Elf64_Shdr *h = section_find(s, ".note.gnu.build-id");
	uint8_t note[16 + IMAGE_MAX_BUILD_ID];
	Elf64_Nhdr n;
	if (!h || !i->n_build_id || h->sh_type != SHT_NOTE || h->sh_size < 16u + i->n_build_id ||
	    !file_read(s, h->sh_offset, note, 16u + i->n_build_id))
		return false;
	memcpy(&n, note, sizeof(n));
	return n.n_type == NT_GNU_BUILD_ID && n.n_namesz == 4 && n.n_descsz == i->n_build_id &&
	       !memcmp(note + 16, i->build_id, i->n_build_id);
}

/* CRC-32 as in .gnu_debuglink (IEEE 802.3, reflected). */
static uint32_t file_crc(const struct sections *s)
{
	uint32_t table[256], crc = ~0u;
	uint8_t part[65536];
	for (uint32_t k = 0; k < 256; k++) {
		uint32_t c = k;
		for (int bit = 0; bit < 8; bit++)
			c = c & 1 ? c >> 1 ^ 0xedb88320u : c >> 1;
		table[k] = c;
	}
	for (uint64_t at = 0; at < s->file_bytes;) {
		size_t n = s->file_bytes - at < sizeof(part) ? (size_t)(s->file_bytes - at)
							     : sizeof(part);
		if (!file_read(s, at, part, n))
			return 0;
		for (size_t k = 0; k < n; k++)
			crc = table[(crc ^ part[k]) & 0xff] ^ crc >> 8;
		at += n;
	}
	return ~crc;
}

/* Use a candidate if its build id matches, or, if the image has none, its checksum. Takes ownership
 * of fd. */
static bool try_debug_file(struct symbol_table *t, const struct image *i, int fd,
			   const uint32_t *crc, enum symbol_source source)
{
	struct sections s;
	bool ok = false;
	if (fd < 0)
		return false;
	if (!sections_read(fd, &s)) {
		close(fd);
		return false;
	}
	if (i->n_build_id ? has_build_id(&s, i) : crc && file_crc(&s) == *crc) {
		ok = load_symtab(t, &s, source);
		if (t->lines_fd < 0 && section_find(&s, ".debug_line")) {
			t->lines_fd = fd;
			fd = -1;
		}
	}
	sections_fini(&s);
	if (fd >= 0)
		close(fd);
	return ok;
}

/* Open root + path. */
static int open_below(const struct remote_io *io, const char *root, const char *path)
{
	char full[8192];
	if ((size_t)snprintf(full, sizeof(full), "%s%s", root ? root : "", path) >= sizeof(full))
		return -1;
	return remote_io_open_file(io, full);
}

static bool load_by_build_id(struct symbol_table *t, const struct image *i,
			     const struct remote_io *io, const char *root, const char *folder)
{
	char path[4096];
	if (i->n_build_id < 2)
		return false;
	int n = snprintf(path, sizeof(path), "%s/.build-id/%02x/", folder, i->build_id[0]);
	if (n < 0 || (size_t)n + 2 * IMAGE_MAX_BUILD_ID + 8 > sizeof(path))
		return false;
	for (uint32_t k = 1; k < i->n_build_id; k++)
		n += snprintf(path + n, sizeof(path) - (size_t)n, "%02x", i->build_id[k]);
	memcpy(path + n, ".debug", 7);
	return (root && try_debug_file(t, i, open_below(io, root, path), NULL, SYMBOLS_BUILD_ID)) ||
	       try_debug_file(t, i, open_below(io, NULL, path), NULL, SYMBOLS_BUILD_ID);
}

static bool load_by_link(struct symbol_table *t, const struct image *i, const struct sections *s,
			 const struct remote_io *io, const char *root, const char *debug_folder)
{
	const Elf64_Shdr *h = section_find(s, ".gnu_debuglink");
	char *link = h && h->sh_size >= 8 ? section_dup(s, h, 4096) : NULL;
	bool ok = false;
	if (!link)
		return false;
	/* A file name, padded with NULs to a multiple of 4, followed by the checksum. */
	size_t n = strlen(link), at = (n + 4) & ~(size_t)3;
	const char *slash = i->path ? strrchr(i->path, '/') : NULL;
	if (n && !strchr(link, '/') && slash && at + 4 <= h->sh_size) {
		uint32_t crc;
		int folder_bytes = (int)(slash - i->path);
		char path[8192];
		memcpy(&crc, link + at, sizeof(crc));
		for (int place = 0; place < 3 && !ok; place++) {
			snprintf(path, sizeof(path), "%s%.*s/%s%s", place == 2 ? debug_folder : "",
				 folder_bytes, i->path, place == 1 ? ".debug/" : "", link);
			if (!strcmp(path, i->path))
				continue;
			ok = (root && try_debug_file(t, i, open_below(io, root, path), &crc,
						     SYMBOLS_DEBUG_LINK)) ||
			     try_debug_file(t, i, open_below(io, NULL, path), &crc,
					    SYMBOLS_DEBUG_LINK);
		}
	}
	free(link);
	return ok;
}

/* ---- the table ---- */

struct symbol_table *symbol_table_create(const struct image *i, pid_t pid, const char *debug_folder)
{
	struct symbol_table *t = calloc(1, sizeof(*t));
	struct sections s;
	if (!t)
		return NULL;
	char below[32];
	const char *root = pid ? below : NULL;
	struct remote_io io = { .is_direct = true };
	if (pid)
		io = remote_io_of(pid);
	snprintf(below, sizeof(below), "/proc/%d/root", (int)pid);
	t->lines_fd = -1;
	if (!debug_folder)
		debug_folder = "/usr/lib/debug";
	bool has_sections = i->fd >= 0 && sections_read(i->fd, &s), done = false;
	if (has_sections) {
		done = load_symtab(t, &s, SYMBOLS_SYMTAB);
		if (section_find(&s, ".debug_line"))
			t->lines_fd = fcntl(i->fd, F_DUPFD_CLOEXEC, 0);
	}
	done = done || load_by_build_id(t, i, &io, root, debug_folder);
	done = done || (has_sections && load_by_link(t, i, &s, &io, root, debug_folder));
	if (!done)
		load_dynsym(t, i);
	if (has_sections)
		sections_fini(&s);
	return t;
}

void symbol_table_clear(struct symbol_table *t)
{
	free(t->symbols);
	free(t->texts);
	t->symbols = NULL;
	t->texts = NULL;
	t->n = t->texts_bytes = 0;
}

void symbol_table_destroy(struct symbol_table *t)
{
	if (!t)
		return;
	if (t->lines_fd >= 0)
		close(t->lines_fd);
	symbol_table_clear(t);
	free(t);
}

/* how many symbols before the address are checked for one that covers it */
#define MAX_OVERLAPPING 64

const struct symbol *symbol_table_find(const struct symbol_table *t, uint64_t vaddr,
				       uint64_t function_start)
{
	size_t low = 0, high = t->n;
	const struct symbol *best = NULL;
	while (low < high) { /* find the first symbol that starts behind vaddr */
		size_t mid = low + (high - low) / 2;
		if (t->symbols[mid].start <= vaddr)
			low = mid + 1;
		else
			high = mid;
	}
	for (size_t i = low, steps = 0; i && steps < MAX_OVERLAPPING; i--, steps++) {
		const struct symbol *s = &t->symbols[i - 1];
		if (best && s->start != best->start)
			break;
		bool covers = s->size ? vaddr - s->start < s->size
				      : function_start && s->start == function_start;
		if (covers && (!best || s->rank > best->rank))
			best = s;
	}
	return best;
}

const struct symbol *symbol_table_find_name(const struct symbol_table *t, const char *name)
{
	for (size_t i = 0; i < t->n; i++)
		if (!strcmp(t->texts + t->symbols[i].name, name))
			return &t->symbols[i];
	return NULL;
}
