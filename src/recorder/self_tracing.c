/*
 * self_tracing: see self_tracing.h.
 */
#include "recorder/self_tracing.h"

#include <elf.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/attr.h"
#include "system/proc_file.h"
#include "system/remote_io.h"

enum {
	STRINGS_MAX = 4 << 20,
	SYMBOLS_MAX = 65536,
	SEGMENTS_MAX = 64,
	DYNAMIC_MAX = 256,
	KNOWN_MAX = 1024
};

/* Those whose file need not tell: linked statically, or calling ptrace(2) without the C library. To
 * add one, add a row. */
static const char *const debuggers[] = {
	"strace",      "strace-static", "gdb", "gdb-multiarch", "gdbserver", "lldb",
	"lldb-server", "ltrace",        "rr",  "dlv",           "uftrace",   "proot",
	"py-spy",      "radare2",       "r2",  "edb",           "criu",      "reptyr",
	"wineserver",
};

/* Symbols and libraries of the sanitizers that look for leaks: LeakSanitizer, and AddressSanitizer
 * and HWAddressSanitizer, which hold it (compiler-rt and libsanitizer,
 * lib/lsan/lsan_common_linux.cpp, LockStuffAndStopTheWorld()). */
static const char *const leak_words[] = {
	"__lsan_",      "__asan_init",      "__hwasan_init",    "liblsan.so",         "libasan.so",
	"libhwasan.so", "libclang_rt.asan", "libclang_rt.lsan", "libclang_rt.hwasan",
};

/* The dynamic symbols of a file. The file may hold anything: each place is checked before it is
 * read. */
struct strings {
	char *text;
	size_t n;
	Elf64_Sym *symbols;
	size_t n_symbols;
};

static bool read_at(int fd, void *to, size_t n, uint64_t at)
{
	return at <= INT64_MAX && pread(fd, to, n, (off_t)at) == (ssize_t)n;
}

static uint64_t file_place(const Elf64_Phdr *p, size_t n, uint64_t address)
{
	for (size_t i = 0; i < n; i++)
		if (p[i].p_type == PT_LOAD && address >= p[i].p_vaddr &&
		    address - p[i].p_vaddr < p[i].p_filesz)
			return address - p[i].p_vaddr + p[i].p_offset;
	return UINT64_MAX;
}

static bool strings_read(int fd, struct strings *ret)
{
	Elf64_Ehdr head;
	Elf64_Phdr segments[SEGMENTS_MAX];
	Elf64_Dyn dynamic[DYNAMIC_MAX];
	uint64_t text = 0, n_text = 0, table = 0;
	size_t n_dynamic = 0;
	*ret = (struct strings){ 0 };
	if (!read_at(fd, &head, sizeof(head), 0) || memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 ||
	    head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_phentsize != sizeof(Elf64_Phdr) ||
	    head.e_phnum > SEGMENTS_MAX ||
	    !read_at(fd, segments, head.e_phnum * sizeof(segments[0]), head.e_phoff))
		return false;
	for (size_t i = 0; i < head.e_phnum; i++)
		if (segments[i].p_type == PT_DYNAMIC) {
			n_dynamic = segments[i].p_filesz / sizeof(dynamic[0]);
			n_dynamic = n_dynamic < DYNAMIC_MAX ? n_dynamic : DYNAMIC_MAX;
			if (!read_at(fd, dynamic, n_dynamic * sizeof(dynamic[0]),
				     segments[i].p_offset))
				n_dynamic = 0;
		}
	for (size_t i = 0; i < n_dynamic && dynamic[i].d_tag != DT_NULL; i++) {
		text = dynamic[i].d_tag == DT_STRTAB ? dynamic[i].d_un.d_ptr : text;
		n_text = dynamic[i].d_tag == DT_STRSZ ? dynamic[i].d_un.d_val : n_text;
		table = dynamic[i].d_tag == DT_SYMTAB ? dynamic[i].d_un.d_ptr : table;
	}
	if (!text || !n_text || n_text > STRINGS_MAX)
		return false;
	ret->text = malloc(n_text + 1);
	if (!ret->text || !read_at(fd, ret->text, n_text, file_place(segments, head.e_phnum, text)))
		return false;
	ret->text[n_text] = 0;
	ret->n = n_text;
	/* Linkers put the names right behind the symbols; where they do not, nothing is found. */
	size_t n = table && text > table ? (text - table) / sizeof(Elf64_Sym) : 0;
	n = n < SYMBOLS_MAX ? n : SYMBOLS_MAX;
	ret->symbols = n ? malloc(n * sizeof(Elf64_Sym)) : NULL;
	if (ret->symbols && read_at(fd, ret->symbols, n * sizeof(Elf64_Sym),
				    file_place(segments, head.e_phnum, table)))
		ret->n_symbols = n;
	return true;
}

static bool has_symbol(const struct strings *s, const char *name)
{
	for (size_t i = 0; i < s->n_symbols; i++)
		if (s->symbols[i].st_name < s->n &&
		    strcmp(s->text + s->symbols[i].st_name, name) == 0)
			return true;
	return false;
}

static bool has_leak_word(const char *text, size_t n)
{
	for (size_t i = 0; i < ARRAY_LEN(leak_words); i++)
		if (memmem(text, n, leak_words[i], strlen(leak_words[i])))
			return true;
	return false;
}

static enum self_tracing kind_of_file(int fd)
{
	struct strings s;
	enum self_tracing kind = TRACES_NOTHING;
	if (strings_read(fd, &s))
		kind = has_leak_word(s.text, s.n) ? TRACES_ITSELF
		       : has_symbol(&s, "ptrace") ? TRACES_CHILDREN
						  : TRACES_NOTHING;
	free(s.text);
	free(s.symbols);
	return kind;
}

static bool is_debugger(pid_t pid)
{
	char path[4096];
	if (proc_link_read(pid, "exe", path, sizeof(path)) <= 0)
		return false;
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	for (size_t i = 0; i < ARRAY_LEN(debuggers); i++)
		if (strcmp(name, debuggers[i]) == 0)
			return true;
	return false;
}

static bool preloads_leak_finder(pid_t pid)
{
	char text[32768];
	ssize_t n = proc_file_read(pid, "environ", text, sizeof(text));
	for (ssize_t i = 0; i < n; i += (ssize_t)strnlen(text + i, (size_t)(n - i)) + 1)
		if (strncmp(text + i, "LD_PRELOAD=", 11) == 0)
			return has_leak_word(text + i, strlen(text + i));
	return false;
}

static enum self_tracing look_at_file(struct self_tracing_cache *cache, pid_t pid)
{
	char path[48];
	struct stat st;
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	struct remote_io io = remote_io_of(pid);
	int fd = remote_io_open_file(&io, path);
	if (fd < 0)
		return TRACES_NOTHING;
	enum self_tracing kind = TRACES_NOTHING;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		for (size_t i = 0; i < cache->known.n; i++) {
			const struct program_key *k = &cache->known.v[i];
			if (k->dev == st.st_dev && k->inode == st.st_ino &&
			    k->mtime.tv_sec == st.st_mtim.tv_sec &&
			    k->mtime.tv_nsec == st.st_mtim.tv_nsec) {
				close(fd);
				return k->kind;
			}
		}
		kind = kind_of_file(fd);
		struct program_key key = { st.st_dev, st.st_ino, st.st_mtim, kind };
		if (cache->known.n >= KNOWN_MAX)
			cache->known.n = 0;
		if (!vec_push(&cache->known, key))
			cache->known.n = 0;
	}
	close(fd);
	return kind;
}

enum self_tracing self_tracing_of(struct self_tracing_cache *cache, pid_t pid)
{
	if (preloads_leak_finder(pid))
		return TRACES_ITSELF;
	return is_debugger(pid) ? TRACES_CHILDREN : look_at_file(cache, pid);
}
