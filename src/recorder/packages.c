/*
 * packages: see packages.h.
 */
#include "recorder/packages.h"

#include <stdlib.h>
#include <string.h>

#include "base/code_path.h"
#include "base/log.h"
#include "base/monotonic.h"
#include "python/distributions.h"
#include "python/project.h"
#include "recorder/intake.h"
#include "recorder/process.h"
#include "recorder/recorder_private.h"
#include "recorder/taps.h"

enum {
	FOLDERS_MAX = 24,    /* of one process */
	KNOWN_MAX = 512,     /* of all */
	PATH_BYTES_MAX = 900 /* of a folder */
};
#define WAIT_NS   1500000000u /* for one answer */
#define WAITED_NS 6000000000u /* for all: then no more is asked */

/* In the confined process. The question: a folder from which a project is looked for, "" for none,
 * and folders with distributions, which all end with a NUL. The answer: the project's folder, or
 * "", and a NUL; for each folder the records, and one more NUL. */
static void answer(int root_fd, const char *question, size_t n_bytes, struct strbuf *to)
{
	uint64_t deadline_ns = monotonic_ns() + WAIT_NS - WAIT_NS / 5;
	size_t first = strnlen(question, n_bytes) + 1;
	project_find(root_fd, question, to);
	strbuf_addc(to, 0);
	for (size_t i = first; i < n_bytes; i += strnlen(question + i, n_bytes - i) + 1) {
		distributions_read(root_fd, question + i, deadline_ns, to);
		strbuf_addc(to, 0);
	}
}

static bool is_stdlib(const char *s, size_t n)
{
	return !code_path_site(s, n) && !code_path_is_site(s, n) &&
	       (memmem(s, n, "/lib/python", 11) || memmem(s, n, "/lib64/python", 13));
}

static uint32_t root_of(const struct process *p)
{
	return p->info.flags & PROCESS_OTHER_FILES ? p->index + 1 : 0;
}

static struct package_folder *find(struct packages *k, uint32_t root, const char *path)
{
	for (size_t i = 0; i < k->folders.n; i++)
		if (k->folders.v[i].root == root && !strcmp(k->folders.v[i].path, path))
			return &k->folders.v[i];
	return NULL;
}

static bool has_folder(const struct process *p, const char *path)
{
	for (size_t i = 0; i < p->n_package_folders; i += strlen(p->package_folders + i) + 1)
		if (!strcmp(p->package_folders + i, path))
			return true;
	return false;
}

/* Returns true if it is new. */
static bool add_folder(struct process *p, const char *path, size_t n)
{
	char text[PATH_BYTES_MAX + 1];
	size_t n_folders = 0;
	while (n > 1 && path[n - 1] == '/')
		n--;
	if (n < 2 || n > PATH_BYTES_MAX || path[0] != '/' || memchr(path, 0, n) ||
	    is_stdlib(path, n))
		return false;
	memcpy(text, path, n);
	text[n] = 0;
	for (size_t i = 0; i < p->n_package_folders; i++)
		n_folders += p->package_folders[i] == 0;
	if (has_folder(p, text) || n_folders >= FOLDERS_MAX)
		return false;
	char *more = realloc(p->package_folders, p->n_package_folders + n + 1);
	if (!more)
		return false;
	memcpy(more + p->n_package_folders, text, n + 1);
	p->package_folders = more;
	p->n_package_folders += n + 1;
	return true;
}

/* What sys.path has, and folders of eggs in it. */
static void add_sys_path(struct process *p, const struct python_runtime *rt)
{
	char text[16384];
	long n = process_sys_path(p, rt, text, sizeof(text));
	for (long i = 0; i < n && text[i]; i += (long)strlen(text + i) + 1) {
		size_t n_path = strlen(text + i);
		const char *slash = strrchr(text + i, '/');
		if (n_path > 4 && !strcmp(text + i + n_path - 4, ".egg") && slash)
			n_path = (size_t)(slash - (text + i));
		if (n_path > 4 && !memcmp(text + i + n_path - 4, ".zip", 4))
			continue;
		add_folder(p, text + i, n_path);
	}
}

/* The folder that ends with "-packages" above a file. */
static bool add_site_folder(struct process *p, const char *file, size_t n)
{
	size_t n_folder = code_path_site(file, n);
	return n_folder && add_folder(p, file, n_folder);
}

/* Keep the answers; a folder that has none is not asked for again. */
static void keep(struct packages *k, uint32_t root, const char *question, size_t n,
		 const struct strbuf *got, size_t at)
{
	for (size_t i = strlen(question) + 1; i < n; i += strlen(question + i) + 1) {
		struct package_folder f = { .path = strdup(question + i), .root = root };
		size_t start = at;
		/* to the end of its records: an empty text where a record would begin */
		while (at < got->n && got->s[at]) {
			while (at < got->n && got->s[at])
				at += strnlen(got->s + at, got->n - at) + 1;
			at++;
		}
		if (at <= got->n)
			strbuf_add(&f.answer, got->n ? got->s + start : "", at - start);
		at++;
		if (!f.path || k->folders.n >= KNOWN_MAX || !vec_push(&k->folders, f)) {
			free(f.path);
			strbuf_fini(&f.answer);
			return;
		}
	}
}

static void ask(struct recorder *r, struct process *p, const struct strbuf *question)
{
	struct packages *k = &r->packages;
	struct confine c = CONFINE_NONE;
	struct confine_whom whom = { .pid = p->pid,
				     .has_our_root = !(p->info.flags & PROCESS_OTHER_FILES),
				     .uid = p->uid,
				     .gid = p->gid };
	struct strbuf got = { 0 };
	uint64_t start = monotonic_ns();
	enum confine_state state = CONFINE_FAILED;
	if (k->waited_ns < WAITED_NS &&
	    confine_start(&c, &whom, answer, question->s, question->n, WAIT_NS))
		while ((state = confine_wait(&c, 20, &got)) == CONFINE_WORKS)
			taps_beat(r, monotonic_ns());
	uint64_t took = monotonic_ns() - start;
	if (took > WAIT_NS / 8)
		k->waited_ns += took;
	log_debug("packages of %d: %s, %zu bytes in %llu us", (int)p->pid,
		  state == CONFINE_ANSWERED ? "read" : "not read", got.n,
		  (unsigned long long)(took / 1000));
	size_t n_project = got.n ? strnlen(got.s, got.n) : 0;
	if (n_project && n_project < got.n)
		p->info.project = intake_string(r->writer, r->redactor, got.s, n_project, false);
	keep(k, root_of(p), question->s, question->n, &got, n_project + 1);
	strbuf_fini(&got);
}

static void add_text(struct strbuf *to, const char *s, bool *ret_is_added)
{
	strbuf_add(to, s, strlen(s) + 1);
	*ret_is_added = true;
}

/* Read what is not known yet, and tell the capture. */
static void update(struct recorder *r, struct process *p, bool is_first)
{
	struct strbuf question = { 0 }, all = { 0 };
	uint32_t project = p->info.project;
	if (is_first && p->project_start)
		strbuf_adds(&question, p->project_start);
	bool is_asked = question.n > 0;
	strbuf_addc(&question, 0);
	for (size_t i = 0; i < p->n_package_folders; i += strlen(p->package_folders + i) + 1)
		if (!find(&r->packages, root_of(p), p->package_folders + i))
			add_text(&question, p->package_folders + i, &is_asked);
	if (is_asked && !question.failed)
		ask(r, p, &question);
	for (size_t i = 0; i < p->n_package_folders; i += strlen(p->package_folders + i) + 1) {
		const struct package_folder *f = find(&r->packages, root_of(p),
						      p->package_folders + i);
		if (f)
			strbuf_add(&all, strbuf_str(&f->answer), f->answer.n);
	}
	uint32_t id = all.n && !all.failed ? intake_records(r->writer, r->redactor, all.s, all.n)
					   : 0;
	bool is_new = (id && id != p->info.packages) || p->info.project != project;
	p->info.packages = id ? id : p->info.packages;
	if (is_new)
		process_update(r, p);
	strbuf_fini(&question);
	strbuf_fini(&all);
}

void packages_see_file(struct recorder *r, struct process *p, const struct python_runtime *rt,
		       const char *file, size_t n_bytes)
{
	if (!n_bytes || file[0] != '/' || is_stdlib(file, n_bytes))
		return;
	bool is_new = add_site_folder(p, file, n_bytes);
	if (!p->has_packages) {
		p->has_packages = true;
		process_read_prefixes(r, p, rt);
		add_sys_path(p, rt);
		update(r, p, true);
	} else if (is_new) {
		update(r, p, false);
	}
}

void packages_inherit(struct process *p, const struct process *parent)
{
	char *folders = parent->n_package_folders ? malloc(parent->n_package_folders) : NULL;
	if (!parent->has_packages || p->has_packages || p->package_folders ||
	    (parent->n_package_folders && !folders)) {
		free(folders);
		return;
	}
	if (folders)
		memcpy(folders, parent->package_folders, parent->n_package_folders);
	p->package_folders = folders;
	p->n_package_folders = parent->n_package_folders;
	p->has_packages = true;
	p->info.packages = parent->info.packages;
	p->info.project = parent->info.project;
}

void packages_fini(struct packages *k)
{
	for (size_t i = 0; i < k->folders.n; i++) {
		free(k->folders.v[i].path);
		strbuf_fini(&k->folders.v[i].answer);
	}
	vec_fini(&k->folders);
}
