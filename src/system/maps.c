/*
 * maps: see maps.h. The form of a line is that of Linux v6.1 fs/proc/task_mmu.c, show_map_vma:
 *
 *     55d0c0a00000-55d0c0a01000 r--p 00000000 fd:00 1234      /usr/bin/python3.11 (deleted)
 *
 * The path goes to the end of the line. A newline in it is written \012; everything else is raw, so
 * a path can imitate anything but the end of a line.
 */
#include "system/maps.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/io.h"
#include "base/proc_status.h"
#include "base/vec.h"
#include "system/fault.h"
#include "system/remote_io.h"

#define MAPS_BYTES_MAX (256u << 20)
#define SPAN_MAX       (1ull << 40) /* bytes one module may claim */
/* each is examined several times; a large application maps about 1,000 */
#define MODULES_MAX 16384u
#define MAX_EXECS   3 /* that may interrupt a list, one after the other */

struct maps_private {
	struct arena text;
	VEC(struct mapping) mappings;
	VEC(struct elf_module) modules;
	unsigned n_more_owners;
};

/* An unsigned number of base 10 or 16 at *p, at most 20 digits, followed by `after`; moves *p
 * behind that. */
static bool number(const char **p, const char *end, unsigned base, char after, uint64_t *ret)
{
	uint64_t value = 0;
	const char *s = *p;
	for (; s < end && s - *p < 20; s++) {
		unsigned digit = *s >= '0' && *s <= '9'   ? (unsigned)(*s - '0')
				 : *s >= 'a' && *s <= 'f' ? (unsigned)(*s - 'a') + 10
							  : 99;
		if (digit >= base)
			break;
		if (value > (UINT64_MAX - digit) / base)
			return false;
		value = value * base + digit;
	}
	if (s == *p || s >= end || *s != after)
		return false;
	*ret = value;
	*p = s + 1;
	return true;
}

/* The path of a line: "\012" becomes a newline (fs/seq_file.c, mangle_path with esc "\n"). */
static const char *path_dup(struct arena *a, const char *s, size_t n)
{
	char *to = arena_alloc(a, n + 1);
	if (!to)
		return NULL;
	size_t k = 0;
	for (size_t i = 0; i < n; i++) {
		if (n - i >= 4 && memcmp(s + i, "\\012", 4) == 0) {
			to[k++] = '\n';
			i += 3;
		} else {
			to[k++] = s[i] ? s[i] : '?';
		}
	}
	to[k] = 0;
	return to;
}

/* Returns 1: parsed; 0: not a mapping; -1: out of memory. */
static int line_parse(struct arena *a, const char *p, const char *end, struct mapping *ret)
{
	static const char deleted[] = " (deleted)";
	uint64_t major, minor;
	struct mapping m = { 0 };
	if (!number(&p, end, 16, '-', &m.start) || !number(&p, end, 16, ' ', &m.end) ||
	    m.start >= m.end || end - p < 5 || p[4] != ' ')
		return 0;
	m.read = p[0] == 'r';
	m.write = p[1] == 'w';
	m.exec = p[2] == 'x';
	m.shared = p[3] == 's';
	p += 5;
	if (!number(&p, end, 16, ' ', &m.offset) || !number(&p, end, 16, ':', &major) ||
	    !number(&p, end, 16, ' ', &minor))
		return 0;
	/* The inode ends at a space, or at the end of the line where there is no path. */
	const char *inode_end = p;
	while (inode_end < end && *inode_end != ' ')
		inode_end++;
	char digits[24];
	size_t n_digits = (size_t)(inode_end - p);
	if (!n_digits || n_digits >= sizeof(digits) - 1)
		return 0;
	memcpy(digits, p, n_digits);
	digits[n_digits] = ' ';
	const char *q = digits;
	if (!number(&q, digits + n_digits + 1, 10, ' ', &m.inode))
		return 0;
	m.dev = makedev((unsigned)major, (unsigned)minor);
	p = inode_end;
	while (p < end && *p == ' ')
		p++;
	size_t n = (size_t)(end - p);
	if (n > sizeof(deleted) - 1 &&
	    memcmp(end - (sizeof(deleted) - 1), deleted, sizeof(deleted) - 1) == 0) {
		m.deleted = true;
		n -= sizeof(deleted) - 1;
	}
	m.path = n ? path_dup(a, p, n) : "";
	if (!m.path)
		return -1;
	*ret = m;
	return 1;
}

static int by_start(const void *a, const void *b)
{
	const struct mapping *x = a, *y = b;
	return x->start < y->start ? -1 : x->start > y->start;
}

struct err *maps_parse(const char *text, size_t n_bytes, struct maps **ret)
{
	CLEANUP(maps) struct maps *m = calloc(1, sizeof(*m));
	if (!m || !(m->own = calloc(1, sizeof(*m->own))))
		return err_no_memory();
	const char *p = text, *end = text + n_bytes;
	bool sorted = true;
	while (p < end) {
		const char *line_end = memchr(p, '\n', (size_t)(end - p));
		if (!line_end)
			line_end = end;
		struct mapping one;
		int found = line_parse(&m->own->text, p, line_end, &one);
		if (found < 0 || (found && !vec_push(&m->own->mappings, one)))
			return err_no_memory();
		if (!found && line_end > p)
			m->n_skipped++;
		size_t n = m->own->mappings.n;
		if (found && n > 1 && m->own->mappings.v[n - 2].start > one.start)
			sorted = false;
		p = line_end + 1;
	}
	m->v = m->own->mappings.v;
	m->n = m->own->mappings.n;
	if (!sorted)
		qsort(m->v, m->n, sizeof(m->v[0]), by_start);
	*ret = take_ptr(m);
	return NULL;
}

/* Does the process still have the memory whose mappings were read from `fd`? Each read ends before
 * the end of the list if not (Linux v6.1 fs/proc/task_mmu.c, m_start: mmget_not_zero). */
static bool has_memory(const struct remote_io *io, int fd)
{
	char one;
	return remote_io_pread(io, fd, &one, 1, 0) > 0;
}

/* *ret_ended: the process has ended, or has begun another program, while the list was read. */
static struct err *maps_read_of(pid_t pid, pid_t tid, struct maps **ret, bool *ret_ended)
{
	char path[48];
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)tid);
	int denied = fault_before(FAULT_OWN);
	if (denied)
		return err_sys(denied, "cannot open %s", path);
	struct remote_io io = remote_io_of(pid);
	int fd = remote_io_open_proc(&io, path, O_RDONLY);
	fault_after(FAULT_OWN);
	if (fd < 0 && errno == ETIMEDOUT)
		return remote_io_stuck_error(pid);
	if (fd < 0)
		return errno == ENOENT
			   ? err_create(ERR_TARGET_GONE, "there is no process %d", (int)pid)
			   : proc_open_error(errno, path);
	VEC(char) text = { 0 };
	struct err *err = NULL;
	for (;;) {
		if (!vec_reserve(&text, 65536)) {
			err = err_no_memory();
			break;
		}
		ssize_t n = remote_io_read(&io, fd, text.v + text.n, text.cap - text.n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			err = errno == ETIMEDOUT ? remote_io_stuck_error(pid)
						 : err_sys(errno, "cannot read %s", path);
		if (n <= 0)
			break;
		text.n += (size_t)n;
		if (text.n > MAPS_BYTES_MAX) {
			err = err_create(ERR_UNSUPPORTED, "%s is longer than %u MiB", path,
					 MAPS_BYTES_MAX >> 20);
			break;
		}
	}
	bool ended = !err && text.n && !has_memory(&io, fd);
	close(fd);
	if (ended)
		err = err_create(ERR_NOT_FOUND, "process %d ended while its mappings were read",
				 (int)pid);
	else if (!err && !text.n)
		err = err_create(ERR_NOT_FOUND,
				 "process %d has no memory (a zombie or a kernel thread)",
				 (int)pid);
	if (!err)
		err = maps_parse(text.v, text.n, ret);
	vec_fini(&text);
	*ret_ended = ended;
	return err;
}

struct err *maps_read(pid_t pid, struct maps **ret)
{
	bool ended = false;
	struct err *err = maps_read_of(pid, pid, ret, &ended);
	for (int again = 0; ended && again < MAX_EXECS; again++) {
		err_destroy(err);
		err = maps_read_of(pid, pid, ret, &ended);
	}
	pid_t tid = err && err->code == ERR_NOT_FOUND ? proc_living_thread(pid) : pid;
	if (!tid || tid == pid)
		return err;
	err_destroy(err);
	return maps_read_of(pid, tid, ret, &ended);
}

/* Is byte `offset` of the file that begins at `first` mapped at first->start + offset? If so, it
 * can be read there. */
static bool is_mapped_straight(const struct maps *m, const struct mapping *first, uint64_t offset)
{
	const struct mapping *at = offset < SPAN_MAX ? maps_find(m, RADDR(first->start + offset))
						     : NULL;
	return at && at->inode == first->inode && at->dev == first->dev && at->read &&
	       at->offset + (first->start + offset - at->start) == offset;
}

/* Load bias and span of the ELF file mapped from `first`. Returns false if it is not ELF. The
 * program headers need not be in the first mapping: a tool that rewrites a file (llvm-bolt,
 * patchelf) moves a longer table to the end of the file. */
static bool module_at(const struct mem_reader *mem, const struct maps *m,
		      const struct mapping *first, struct elf_module *ret)
{
	Elf64_Ehdr eh;
	if (first->end - first->start < sizeof(eh) ||
	    !mem_read(mem, RADDR(first->start), &eh, sizeof(eh)) ||
	    memcmp(eh.e_ident, ELFMAG, SELFMAG) != 0 || eh.e_ident[EI_CLASS] != ELFCLASS64 ||
	    (eh.e_type != ET_EXEC && eh.e_type != ET_DYN) || eh.e_phentsize != sizeof(Elf64_Phdr) ||
	    eh.e_phnum > 128 ||
	    (eh.e_phoff > first->end - first->start && !is_mapped_straight(m, first, eh.e_phoff)))
		return false;
	uint64_t low = UINT64_MAX, high = 0;
	for (unsigned i = 0; i < eh.e_phnum; i++) {
		Elf64_Phdr ph;
		if (!mem_read(mem, RADDR(first->start + eh.e_phoff + i * sizeof(ph)), &ph,
			      sizeof(ph)))
			return false;
		if (ph.p_type != PT_LOAD || ph.p_vaddr + ph.p_memsz < ph.p_vaddr)
			continue;
		if (ph.p_vaddr < low)
			low = ph.p_vaddr;
		if (ph.p_vaddr + ph.p_memsz > high)
			high = ph.p_vaddr + ph.p_memsz;
	}
	if (low >= high)
		return false;
	low &= ~4095ull;
	high = (high + 4095) & ~4095ull;
	if (high <= low || high - low > SPAN_MAX || first->start + (high - low) < first->start)
		return false;
	*ret = (struct elf_module){
		.base = RADDR(first->start - low),
		.start = RADDR(first->start),
		.end = RADDR(first->start + (high - low)),
		.path = first->path,
		.dev = first->dev,
		.inode = first->inode,
	};
	return true;
}

struct err *maps_find_modules(struct maps *m, const struct mem_reader *mem)
{
	m->own->modules.n = 0;
	uint64_t spanned = 0;
	for (size_t i = 0; i < m->n; i++) {
		const struct mapping *a = &m->v[i];
		struct elf_module one;
		bool is_file = a->inode && a->offset == 0, is_vdso = strcmp(a->path, "[vdso]") == 0;
		if (a->start < spanned || !a->read || (!is_file && !is_vdso) ||
		    !module_at(mem, m, a, &one))
			continue;
		/* The span is a claim of the file, so it is cut where another file's mapping
		 * begins. */
		for (size_t k = i + 1; k < m->n && m->v[k].start < one.end.v; k++)
			if (m->v[k].inode && (m->v[k].inode != a->inode || m->v[k].dev != a->dev)) {
				one.end = RADDR(m->v[k].start);
				break;
			}
		if (m->own->modules.n == MODULES_MAX)
			return err_create(ERR_UNSUPPORTED, "more than %u ELF images are mapped",
					  MODULES_MAX);
		if (!vec_push(&m->own->modules, one))
			return err_no_memory();
		spanned = one.end.v;
	}
	m->modules = m->own->modules.v;
	m->n_modules = m->own->modules.n;
	return NULL;
}

const struct mapping *maps_find(const struct maps *m, raddr address)
{
	size_t low = 0, high = m->n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (m->v[middle].end <= address.v)
			low = middle + 1;
		else
			high = middle;
	}
	return low < m->n && m->v[low].start <= address.v ? &m->v[low] : NULL;
}

struct maps *maps_ref(struct maps *m)
{
	m->own->n_more_owners++;
	return m;
}

void maps_destroy(struct maps *m)
{
	if (!m)
		return;
	if (m->own && m->own->n_more_owners) {
		m->own->n_more_owners--;
		return;
	}
	if (m->own) {
		arena_fini(&m->own->text);
		vec_fini(&m->own->mappings);
		vec_fini(&m->own->modules);
		free(m->own);
	}
	free(m);
}
