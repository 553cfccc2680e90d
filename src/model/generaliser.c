/*
 * generaliser: see generaliser.h.
 */
#include "model/generaliser.h"

#include <stdlib.h>
#include <string.h>

#include "base/code_path.h"
#include "base/strbuf.h"
#include "base/vec.h"
#include "model/relations.h"
#include "model/trace.h"
#include "model/value_iter.h"

#define FIRST_PICKED_PORT 32768 /* ip(7), ip_local_port_range */
#define FIRST_FREE_PORT   1024  /* ip(7), ip_unprivileged_port_start */

struct folder {
	char *path; /* without a slash at its end */
	size_t n;
	const char *name;
	bool is_cut; /* the rest of the path is left out */
};

struct generaliser {
	VEC(struct folder) folders; /* in order of precedence: the first that fits is used */
};

static struct err *folder_add(struct generaliser *g, const void *path, size_t n, const char *name,
			      bool is_cut)
{
	const char *s = path;
	while (n > 1 && s[n - 1] == '/')
		n--;
	if (n < 2 || s[0] != '/')
		return NULL;
	for (size_t i = 0; i < g->folders.n; i++)
		if (g->folders.v[i].n == n && !memcmp(g->folders.v[i].path, s, n))
			return NULL;
	struct folder f = { .path = strndup(s, n), .n = n, .name = name, .is_cut = is_cut };
	if (f.path && vec_push(&g->folders, f))
		return NULL;
	free(f.path);
	return err_no_memory();
}

static bool is_text(const struct value_node *v)
{
	return v->tag == VALUE_STR;
}

/* Add the folder of the program: that of the first word behind the interpreter, if it is a
 * path. */
static struct err *program_add(struct generaliser *g, struct trace *t, uint32_t argv)
{
	struct value_iter it;
	struct value_node node;
	value_iter_init(&it, t, argv, NULL, 0);
	for (unsigned i = 0; value_iter_next(&it, &node); i++) {
		const char *s = (const char *)node.bytes;
		if (!is_text(&node) || i < 2)
			continue; /* the list itself, the interpreter */
		size_t n = node.n_bytes;
		const char *slash = n && s[0] == '/' ? memrchr(s, '/', n) : NULL;
		return slash ? folder_add(g, s, (size_t)(slash - s), "<program>", false) : NULL;
	}
	return NULL;
}

/* Add the folder that a variable of the environment {name: value} names. */
static struct err *environment_add(struct generaliser *g, struct trace *t, uint32_t environ,
				   const char *variable, const char *name, bool is_cut)
{
	struct value_iter it;
	struct value_node node;
	bool is_next = false;
	value_iter_init(&it, t, environ, NULL, 0);
	while (value_iter_next(&it, &node)) {
		if (!is_text(&node))
			continue;
		if (is_next)
			return folder_add(g, node.bytes, node.n_bytes, name, is_cut);
		is_next = node.n_bytes == strlen(variable) &&
			  !memcmp(node.bytes, variable, node.n_bytes);
	}
	return NULL;
}

static bool is_below(const char *path, size_t n, const struct folder *f)
{
	return n >= f->n && !memcmp(path, f->path, f->n) && (n == f->n || path[f->n] == '/');
}

/* Remove the folders that `path` is in: what the program does in its own folder is kept, also if
 * that folder is a temporary one. */
static void folders_forget_above(struct generaliser *g, const char *path, size_t n)
{
	size_t kept = 0;
	for (size_t i = 0; i < g->folders.n; i++)
		if (is_below(path, n, &g->folders.v[i]))
			free(g->folders.v[i].path);
		else
			g->folders.v[kept++] = g->folders.v[i];
	g->folders.n = kept;
}

struct err *generaliser_create(struct trace *t, struct generaliser **ret)
{
	static const char *const temporary[] = { "/tmp", "/var/tmp", "/dev/shm", "/run/user" };
	CLEANUP(generaliser) struct generaliser *g = calloc(1, sizeof(*g));
	struct err *err = g ? NULL : err_no_memory();
	const struct process_info *first = err ? NULL : trace_process(t, 0);
	uint32_t n_processes = err ? 0 : trace_n_processes(t);
	size_t n;
	for (uint32_t i = 0; !err && i < n_processes; i++)
		err = environment_add(g, t, trace_process(t, i)->environ, "TMPDIR", "<tmp>", true);
	if (!err && first) {
		const char *cwd = trace_string(t, first->cwd, &n);
		folders_forget_above(g, cwd, n);
		err = folder_add(g, cwd, n, ".", false);
		if (!err)
			err = program_add(g, t, first->argv);
	}
	for (size_t i = 0; !err && i < ARRAY_LEN(temporary); i++)
		err = folder_add(g, temporary[i], strlen(temporary[i]), "<tmp>", true);
	if (!err && first)
		err = environment_add(g, t, first->environ, "HOME", "~", false);
	if (!err)
		*ret = take_ptr(g);
	return err;
}

void generaliser_destroy(struct generaliser *g)
{
	if (!g)
		return;
	for (size_t i = 0; i < g->folders.n; i++)
		free(g->folders.v[i].path);
	vec_fini(&g->folders);
	free(g);
}

/* Append a text without what differs from run to run; a version, "#.#.#", becomes one "#". */
static void add_normal(struct strbuf *to, const char *s, size_t n)
{
	char *normal = malloc(n + 1);
	if (!normal) {
		to->failed = true;
		return;
	}
	size_t n_normal = relation_text_normalise(s, n, normal);
	for (size_t i = 0; i < n_normal; i++) {
		strbuf_addc(to, normal[i]);
		while (normal[i] == '#' && i + 2 < n_normal && normal[i + 1] == '.' &&
		       normal[i + 2] == '#')
			i += 2;
	}
	free(normal);
}

/* Return the length of the path up to and with a folder of the standard library, by its name:
 * …/lib/python3.12, …/lib64/python3.13t. The folders that the capture has for a process are not
 * used: a process that ends soon has none, and another run would then differ. */
static size_t stdlib_bytes(const char *path, size_t n)
{
	static const char *const names[] = { "/lib/python3", "/lib64/python3" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *at = memmem(path, n, names[i], strlen(names[i]));
		size_t end = at ? (size_t)(at - path) + strlen(names[i]) : n + 1;
		while (end < n && strchr(".0123456789td", path[end]))
			end++;
		if (end <= n && (end == n || path[end] == '/'))
			return end;
	}
	return 0;
}

void generaliser_add_path(const struct generaliser *g, const char *path, size_t n, bool folder_only,
			  struct strbuf *to)
{
	const char *end = path + n;
	if (folder_only) {
		const char *slash = n > 1 ? memrchr(path, '/', n) : NULL;
		end = slash ? (slash == path ? path + 1 : slash) : path;
		if (end == path) { /* relative, without a folder */
			strbuf_addc(to, '.');
			return;
		}
	}
	size_t n_path = (size_t)(end - path), n_site = code_path_last_site(path, n_path),
	       n_stdlib = n_site ? 0 : stdlib_bytes(path, n_path);
	if (n_site || n_stdlib) {
		strbuf_adds(to, n_site ? "<site>" : "<stdlib>");
		add_normal(to, path + n_site + n_stdlib, n_path - n_site - n_stdlib);
		return;
	}
	for (size_t i = 0; i < g->folders.n; i++) {
		const struct folder *f = &g->folders.v[i];
		if (!is_below(path, (size_t)(end - path), f))
			continue;
		strbuf_adds(to, f->name);
		if (!f->is_cut)
			add_normal(to, path + f->n, (size_t)(end - path) - f->n);
		return;
	}
	if (end == path + 1 && path[0] == '.') {
		strbuf_addc(to, '.');
		return;
	}
	if (path[0] != '/')
		strbuf_adds(to, "./");
	add_normal(to, path, (size_t)(end - path));
}

size_t generaliser_word_bytes(const char *words, size_t n)
{
	bool is_quoted = false;
	size_t i = 0;
	for (; i < n && (is_quoted || words[i] != ' '); i++)
		if (words[i] == '"' && (i == 0 || words[i - 1] != '\\'))
			is_quoted = !is_quoted;
	return i;
}

void generaliser_add_words(const struct generaliser *g, const char *words, size_t n,
			   struct strbuf *to)
{
	for (size_t i = 0; i < n;) {
		size_t n_word = generaliser_word_bytes(words + i, n - i);
		const char *word = words + i;
		size_t skip = n_word > 1 && word[0] == '"';
		if (n_word > skip && word[skip] == '/')
			generaliser_add_path(g, word + skip, n_word - 2 * skip, false, to);
		else
			add_normal(to, word, n_word);
		i += n_word;
		for (; i < n && words[i] == ' '; i++)
			strbuf_addc(to, ' ');
	}
}

/* Is it the address of a Unix socket: a path, which may be in quotes, or @ and a name of the
 * abstract namespace (unix(7))? */
static bool is_unix_address(const char *host, size_t n)
{
	return n && strchr("/@\"", *host);
}

/* The number that n digits are; -1 if something else is among them, or if there are too many. */
static int port_read(const char *s, size_t n)
{
	int port = 0;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9' || i == 5)
			return -1;
		port = port * 10 + (s[i] - '0');
	}
	return port;
}

void generaliser_add_host(const struct generaliser *g, const char *host, size_t n,
			  struct strbuf *to)
{
	static const char *const own[] = { "127.", "localhost:", "[::1]:", "0.0.0.0:", "[::]:" };
	const char *colon = n ? memrchr(host, ':', n) : NULL;
	bool is_own = false;
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		is_own = is_own || (n > strlen(own[i]) && !memcmp(host, own[i], strlen(own[i])));
	size_t n_port = colon ? n - (size_t)(colon + 1 - host) : 0;
	if (is_unix_address(host, n)) {
		generaliser_add_words(g, host, n, to);
		return;
	}
	int port = n_port ? port_read(colon + 1, n_port) : -1;
	if (port >= 0 && (port == 0 || port >= (is_own ? FIRST_FREE_PORT : FIRST_PICKED_PORT))) {
		strbuf_add(to, host, (size_t)(colon + 1 - host));
		strbuf_addc(to, '#');
	} else {
		strbuf_add(to, host, n);
	}
}
