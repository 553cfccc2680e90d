/*
 * found_captures: see found_captures.h.
 */
#include "ui/found_captures.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/folder.h"
#include "base/strbuf.h"
#include "base/tr.h"
#include "base/vec.h"
#include "model/catalog.h"
#include "model/trace.h"
#include "model/value_iter.h"
#include "ui/event_text.h"

enum { CAPTURES_MAX = 500 };

static void forget(struct found_capture *c)
{
	free(c->path);
	free(c->name);
	*c = (struct found_capture){ 0 };
}

void found_captures_fini(struct found_captures *c)
{
	for (size_t i = 0; i < c->n; i++)
		forget(&c->v[i]);
	vec_fini(c);
	free(c->folder);
	c->folder = NULL;
}

static int newer(const void *a, const void *b)
{
	const struct found_capture *x = a, *y = b;
	if (x->when != y->when)
		return x->when > y->when ? -1 : 1;
	return strcmp(x->path, y->path);
}

/* Take over what was read of this file the last time. */
static void keep(struct found_captures *old, struct found_capture *c)
{
	for (size_t i = 0; i < old->n; i++) {
		struct found_capture *o = &old->v[i];
		if (o->path && !strcmp(o->path, c->path) && o->bytes == c->bytes &&
		    o->when == c->when) {
			forget(c);
			*c = *o;
			*o = (struct found_capture){ 0 };
			return;
		}
	}
}

static bool find(const char *folder, const char *entry, struct found_capture *ret)
{
	size_t n = strlen(entry);
	struct stat st;
	struct found_capture c = { 0 };
	if (n < 5 || strcmp(entry + n - 4, ".avc") || asprintf(&c.path, "%s/%s", folder, entry) < 0)
		return false;
	if (stat(c.path, &st) || !S_ISREG(st.st_mode) || !(c.name = strndup(entry, n - 4))) {
		free(c.path);
		return false;
	}
	c.bytes = (uint64_t)st.st_size;
	c.when = st.st_mtime;
	*ret = c;
	return true;
}

void found_captures_list(struct found_captures *c)
{
	struct found_captures old = *c;
	*c = (struct found_captures){ 0 };
	struct err *err = folder_find(FOLDER_CACHE, false, &c->folder);
	if (err && err->code == ERR_NOT_FOUND) /* no capture was kept yet */
		c->folder = folder_name(FOLDER_CACHE);
	err_destroy(err);
	DIR *d = c->folder ? opendir(c->folder) : NULL;
	for (struct dirent *e; d && c->n < CAPTURES_MAX && (e = readdir(d));) {
		struct found_capture one;
		if (!find(c->folder, e->d_name, &one))
			continue;
		keep(&old, &one);
		if (!vec_push(c, one))
			forget(&one);
	}
	if (d)
		closedir(d);
	if (c->n)
		qsort(c->v, c->n, sizeof(c->v[0]), newer);
	found_captures_fini(&old);
}

/* "network 135, files 124, code 42": the three groups that reach furthest. */
static void what_text(struct trace *t, char *to, size_t cap)
{
	static const struct {
		enum catalog_group group;
		const char *name;
	} groups[] = { { GROUP_NETWORK, N_("network") }, { GROUP_PROCESS, N_("processes") },
		       { GROUP_BELOW, N_("native") },    { GROUP_FILES, N_("files") },
		       { GROUP_CODE, N_("code") },       { GROUP_IMPORT, N_("imports") } };
	enum { GROUPS_SHOWN = 3 };
	uint64_t sums[GROUP_COUNT] = { 0 };
	const uint64_t *counts = trace_count_by_name(t);
	for (uint32_t id = 1; id <= trace_n_names(t); id++) {
		size_t n;
		const char *name = trace_name(t, id, &n);
		const struct catalog_event *e = catalog_find(name, n);
		if (e)
			sums[catalog_themes[e->theme].group] += counts[id];
	}
	struct strbuf b = { 0 };
	int shown = 0;
	for (size_t i = 0; i < ARRAY_LEN(groups) && shown < GROUPS_SHOWN; i++) {
		if (!sums[groups[i].group])
			continue;
		strbuf_addf(&b, "%s%s ", shown++ ? ", " : "", tr(groups[i].name));
		strbuf_add_count(&b, sums[groups[i].group]);
	}
	snprintf(to, cap, "%s", strbuf_str(&b));
	strbuf_fini(&b);
}

/* Lessons and `auditview try` run their code as python -I -S -c CODE. */
static bool is_of_lesson(struct trace *t, const struct process_info *p)
{
	static const char *const flags[] = { "-I", "-S", "-c" };
	struct value_iter it;
	struct value_node node;
	if (!p->argv)
		return false;
	value_iter_init(&it, t, p->argv, NULL, 0);
	if (!value_iter_next(&it, &node) || node.n_children < 4 || !value_iter_next(&it, &node))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		if (!value_iter_next(&it, &node) || node.n_bytes != strlen(flags[i]) ||
		    memcmp(node.bytes, flags[i], node.n_bytes))
			return false;
	return true;
}

static const struct process_info *program_of(const struct trace *t)
{
	for (uint32_t i = 0; i < trace_n_processes(t); i++)
		if (trace_process(t, i)->python_hex)
			return trace_process(t, i);
	return trace_process(t, 0);
}

static void read_one(struct found_capture *c)
{
	struct trace *t = NULL;
	c->is_read = true;
	struct err *err = trace_open(c->path, NULL, &t);
	if (err) {
		err_destroy(err);
		return;
	}
	c->events = trace_n_events(t);
	c->lost = trace_n_lost(t);
	c->age_ns = trace_about_get(t)->last_ns;
	c->is_complete = trace_is_finished(t);
	what_text(t, c->what, sizeof(c->what));
	const struct process_info *p = program_of(t);
	struct strbuf name = { 0 };
	if (p) {
		c->is_lesson = is_of_lesson(t, p);
		text_program(&name, t, p->name);
	}
	if (name.n) {
		free(c->name);
		c->name = strbuf_take(&name);
	}
	strbuf_fini(&name);
	trace_close(t);
}

bool found_captures_read(struct found_captures *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (!c->v[i].is_read) {
			read_one(&c->v[i]);
			return true;
		}
	return false;
}
