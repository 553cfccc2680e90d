/*
 * trace_package: the installed distributions that a capture names, and which of them a file is of.
 *
 * Each process has a list of its own (writer.h, process_info); captures have one table of all,
 * because frames are shared by processes. Of two that name the same path the first counts. Lists
 * are hostile: their number and sizes are bounded by those of a value.
 */
#include <stdlib.h>
#include <string.h>

#include "base/code_path.h"
#include "model/trace_private.h"
#include "model/value_iter.h"

#define PACKAGES_MAX 65536u
#define PATHS_MAX    (1u << 19)
/* A file of a few bytes can describe long texts and long lists many times over (VALUE_REF). */
#define NAME_BYTES_MAX 256u
#define PATH_BYTES_MAX 4096u
#define TEXT_BYTES_MAX (64u << 20) /* of all names and paths */
#define NODES_MAX      (1u << 22)  /* of all lists */

void package_fini(struct trace *t)
{
	for (size_t i = 0; i < t->packages.n; i++)
		free(t->packages.v[i].text);
	for (size_t i = 0; i < t->package_paths.n; i++)
		free(t->package_paths.v[i].s);
	vec_fini(&t->packages);
	vec_fini(&t->package_paths);
	vec_fini(&t->package_of_frame);
	vec_fini(&t->package_of_stack);
	hash_map_fini(&t->packages_by_text);
	hash_map_fini(&t->paths_by_text);
	hash_map_fini(&t->package_lists);
}

/* The number of a distribution; 0 when there is no room. text: name NUL version. */
static uint32_t package_place(struct trace *t, const struct value_node *name,
			      const struct value_node *version)
{
	size_t n = name->n_bytes + 1 + version->n_bytes;
	if (name->n_bytes > NAME_BYTES_MAX || version->n_bytes > NAME_BYTES_MAX ||
	    t->package_bytes + n > TEXT_BYTES_MAX)
		return 0;
	struct package_entry e = { .text = malloc(n + 1) };
	if (!e.text)
		return 0;
	memcpy(e.text, name->bytes, name->n_bytes);
	e.text[name->n_bytes] = 0;
	memcpy(e.text + name->n_bytes + 1, version->bytes, version->n_bytes);
	e.text[n] = 0;
	e.view = (struct trace_package){ e.text, name->n_bytes, e.text + name->n_bytes + 1,
					 version->n_bytes };
	uint32_t *at = hash_map_place(&t->packages_by_text, hash_map_text_key(e.text, n));
	if (at && *at) {
		free(e.text);
		return *at;
	}
	if (!at || t->packages.n >= PACKAGES_MAX || !vec_push(&t->packages, e)) {
		free(e.text);
		return 0;
	}
	t->package_bytes += n;
	*at = (uint32_t)t->packages.n;
	return *at;
}

static void path_add(struct trace *t, const struct value_node *path, uint32_t package,
		     bool is_editable)
{
	const char *s = (const char *)path->bytes;
	size_t n = path->n_bytes;
	if (n < 2 || n > PATH_BYTES_MAX || t->package_paths.n >= PATHS_MAX ||
	    t->package_bytes + n > TEXT_BYTES_MAX)
		return;
	uint32_t *at = hash_map_place(&t->paths_by_text, hash_map_text_key(s, n));
	struct package_path p = { .s = malloc(n),
				  .n = n,
				  .package = package,
				  .is_elsewhere = is_editable && !code_path_site(s, n) };
	if (!at || *at || !p.s) {
		free(p.s);
		return;
	}
	memcpy(p.s, s, n);
	if (!vec_push(&t->package_paths, p)) {
		free(p.s);
		return;
	}
	t->package_bytes += n;
	*at = (uint32_t)t->package_paths.n;
}

/* LIST of (LIST of name, version, flags, path …) */
static void list_add(struct trace *t, uint32_t value)
{
	struct value_iter it;
	struct value_node list, record, part[3], path;
	value_iter_init(&it, t, value, NULL, 0);
	if (!value_iter_next(&it, &list) || list.tag != VALUE_LIST)
		return;
	for (uint32_t i = 0; i < list.n_children && value_iter_next(&it, &record); i++) {
		t->n_package_nodes += 4;
		if (t->n_package_nodes > NODES_MAX)
			return;
		if (record.tag != VALUE_LIST || record.n_children < 3) {
			value_iter_skip(&it, &record);
			continue;
		}
		bool ok = true;
		for (unsigned k = 0; k < 3 && ok; k++)
			ok = value_iter_next(&it, &part[k]) && part[k].tag == VALUE_STR;
		if (!ok)
			return;
		uint32_t package = part[0].n_bytes ? package_place(t, &part[0], &part[1]) : 0;
		bool is_editable = part[2].n_bytes == 1 && part[2].bytes[0] == 'e';
		for (uint32_t k = 3; k < record.n_children; k++) {
			if (++t->n_package_nodes > NODES_MAX || !value_iter_next(&it, &path))
				return;
			if (path.tag == VALUE_STR && package)
				path_add(t, &path, package, is_editable);
			else
				value_iter_skip(&it, &path);
		}
	}
}

void package_refresh(struct trace *t)
{
	if (t->n_package_records == t->n_process_records)
		return;
	bool is_new = false;
	t->n_package_records = t->n_process_records;
	for (size_t i = 0; i < t->processes.n; i++) {
		uint32_t list = t->processes.v[i].packages;
		uint32_t *at = list ? hash_map_place(&t->package_lists, list) : NULL;
		if (!at || *at)
			continue;
		*at = 1;
		list_add(t, list);
		is_new = true;
	}
	if (!is_new)
		return;
	/* What was judged without them may be judged otherwise now. */
	t->origin_of_frame.n = 0;
	t->caller_of_stack.n = 0;
	t->package_of_frame.n = 0;
	t->package_of_stack.n = 0;
}

uint32_t package_of_file(struct trace *t, const char *s, size_t n, bool *ret_is_elsewhere)
{
	bool is_site = code_path_site(s, n) != 0;
	if (!t->package_paths.n || n < 2 || n > PATH_BYTES_MAX || s[0] != '/')
		return 0;
	for (size_t k = n; k > 1;) {
		uint32_t at = hash_map_get(&t->paths_by_text, hash_map_text_key(s, k));
		const struct package_path *p = at ? &t->package_paths.v[at - 1] : NULL;
		/* a virtual environment can be inside the folder of an editable install */
		if (p && p->n == k && !memcmp(p->s, s, k) && !(p->is_elsewhere && is_site)) {
			*ret_is_elsewhere = p->is_elsewhere;
			return p->package;
		}
		k--;
		while (k > 1 && s[k - 1] != '/')
			k--;
	}
	return 0;
}

uint32_t trace_n_packages(struct trace *t)
{
	package_refresh(t);
	return (uint32_t)t->packages.n;
}

const struct trace_package *trace_package(const struct trace *t, uint32_t package)
{
	return package && package <= t->packages.n ? &t->packages.v[package - 1].view : NULL;
}
