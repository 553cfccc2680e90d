/*
 * source: a handful of files in memory, the oldest goes first.
 */
#include "ui/source.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEPT = 5, FILE_BYTES_MAX = 8 << 20 };

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
}

static bool load(struct source_file *f, const char *path)
{
	/* O_NONBLOCK: a fifo of that name must not hang the screen */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	if (fd < 0)
		return false;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size > FILE_BYTES_MAX) {
		close(fd);
		return false;
	}
	char *text = malloc((size_t)st.st_size + 1);
	size_t n = 0;
	ssize_t k;
	while (text && n < (size_t)st.st_size && (k = read(fd, text + n, (size_t)st.st_size - n)) > 0)
		n += (size_t)k;
	close(fd);
	if (!text)
		return false;
	text[n] = 0;
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
	f->modified_ns = (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec;
	return true;
}

const struct source_file *source_get(const char *path, const char *cwd, char *const *dirs, size_t n_dirs)
{
	for (int i = 0; i < KEPT; i++)
		if (kept[i].path && !strcmp(kept[i].path, path))
			return &kept[i];
	struct source_file *f = &kept[next_slot++ % KEPT];
	fini(f);
	f->path = strdup(path);
	if (!f->path)
		return NULL;
	if (!*path || *path == '<') /* "<string>", "<frozen importlib._bootstrap>" */
		return f;
	if (*path == '/' && load(f, path))
		return f;
	char *try = NULL;
	if (*path != '/' && cwd && *cwd && asprintf(&try, "%s/%s", cwd, path) >= 0) {
		bool found = load(f, try);
		free(try);
		if (found)
			return f;
	}
	for (size_t d = 0; d < n_dirs && dirs[d]; d++)
		for (const char *tail = path; tail; tail = strchr(tail, '/')) {
			tail += *tail == '/';
			if (asprintf(&try, "%s/%s", dirs[d], tail) < 0)
				return f;
			bool found = load(f, try);
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
