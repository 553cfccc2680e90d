/*
 * source: see source.h. A few files are kept in memory; a new one replaces the oldest.
 */
#include "ui/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEPT = 5 };

static struct source_file kept[KEPT];
static unsigned next_slot;

static void fini(struct source_file *f)
{
	free(f->path);
	free(f->found);
	free(f->text);
	free(f->line_at);
	*f = (struct source_file){ 0 };
}

void source_forget(void)
{
	for (int i = 0; i < KEPT; i++)
		fini(&kept[i]);
	source_reader_forget();
}

static bool load(struct source_file *f, const char *path, struct source_root root)
{
	char *text = NULL;
	size_t n = 0;
	enum source_answer answer = source_reader_read(path, root, &text, &n, &f->modified_ns);
	f->is_silent |= answer == SOURCE_SILENT;
	if (answer != SOURCE_READ)
		return false;
	uint32_t n_lines = 0;
	for (size_t i = 0; i < n; i++)
		n_lines += text[i] == '\n';
	if (n && text[n - 1] != '\n')
		n_lines++;
	f->line_at = malloc(((size_t)n_lines + 1) * sizeof(*f->line_at));
	f->found = strdup(path);
	if (!f->line_at || !f->found) {
		free(text);
		return false;
	}
	uint32_t line = 0;
	for (size_t at = 0; line < n_lines;) {
		f->line_at[line++] = (uint32_t)at;
		const char *end = memchr(text + at, '\n', n - at);
		at = end ? (size_t)(end - text) + 1 : n;
	}
	f->line_at[n_lines] = (uint32_t)n;
	f->text = text;
	f->n_bytes = n;
	f->n_lines = n_lines;
	return true;
}

const struct source_file *source_get(const char *path, const char *cwd, struct source_root root,
				     char *const *dirs, size_t n_dirs)
{
	const struct source_root ours = { .is_ours = true };
	for (int i = 0; i < KEPT; i++)
		if (kept[i].path && !strcmp(kept[i].path, path) &&
		    kept[i].root.is_ours == root.is_ours && kept[i].root.pid == root.pid &&
		    kept[i].root.start_ticks == root.start_ticks)
			return &kept[i];
	struct source_file *f = &kept[next_slot++ % KEPT];
	fini(f);
	f->path = strdup(path);
	f->root = root;
	if (!f->path)
		return NULL;
	if (!*path || *path == '<') /* "<string>", "<frozen importlib._bootstrap>" */
		return f;
	if (*path == '/' && load(f, path, root)) {
		f->is_foreign = !root.is_ours;
		return f;
	}
	char *try = NULL;
	if (*path != '/' && cwd && *cwd && asprintf(&try, "%s/%s", cwd, path) >= 0) {
		bool found = load(f, try, root);
		free(try);
		f->is_foreign = found && !root.is_ours;
		if (found)
			return f;
	}
	for (size_t d = 0; d < n_dirs && dirs[d]; d++)
		for (const char *tail = path; tail; tail = strchr(tail, '/')) {
			tail += *tail == '/';
			if (asprintf(&try, "%s/%s", dirs[d], tail) < 0)
				return f;
			/* the user named this folder, so it is one of our own files */
			bool found = load(f, try, ours);
			free(try);
			if (found)
				return f;
		}
	return f;
}

const char *source_line(const struct source_file *f, uint32_t line, size_t *ret)
{
	*ret = 0;
	if (!f->text || line < 1 || line > f->n_lines)
		return "";
	size_t n = f->line_at[line] - f->line_at[line - 1];
	const char *s = f->text + f->line_at[line - 1];
	while (n && (s[n - 1] == '\n' || s[n - 1] == '\r'))
		n--;
	*ret = n;
	return s;
}
