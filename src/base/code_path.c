/*
 * code_path: see code_path.h.
 */
#include "base/code_path.h"

#include <string.h>

static bool is_word(const char *s, size_t n, const char *word)
{
	return n == strlen(word) && !memcmp(s, word, n);
}

bool code_path_is_launcher(const char *path, size_t n)
{
	const char *slash = memrchr(path, '/', n);
	if (!slash || slash == path || (n > 3 && !memcmp(path + n - 3, ".py", 3)))
		return false;
	const char *above = memrchr(path, '/', (size_t)(slash - path));
	const char *name = above ? above + 1 : path;
	size_t n_name = (size_t)(slash - name);
	return is_word(name, n_name, "bin") || is_word(name, n_name, "sbin") ||
	       is_word(name, n_name, "Scripts");
}

size_t code_path_site(const char *path, size_t n)
{
	static const char *const names[] = { "/site-packages/", "/dist-packages/" };
	size_t best = 0;
	for (size_t i = 0; i < 2; i++) {
		const char *at = memmem(path, n, names[i], 15);
		size_t n_folder = at ? (size_t)(at - path) + 14 : 0;
		if (n_folder && (!best || n_folder < best))
			best = n_folder;
	}
	return best;
}

/* Does the path end with the name of such a folder? */
static bool ends_with_site(const char *path, size_t n)
{
	return n >= 14 && (!memcmp(path + n - 14, "/site-packages", 14) ||
			   !memcmp(path + n - 14, "/dist-packages", 14));
}

size_t code_path_last_site(const char *path, size_t n)
{
	while (n > 0 && !ends_with_site(path, n)) {
		const char *slash = memrchr(path, '/', n);
		n = slash ? (size_t)(slash - path) : 0;
	}
	return n;
}

bool code_path_is_site(const char *path, size_t n)
{
	return n > 14 && ends_with_site(path, n);
}
