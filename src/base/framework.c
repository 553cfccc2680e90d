/*
 * framework: see framework.h.
 */
#include "base/framework.h"

#include <string.h>

#include "base/attr.h"

/* How to add one: a row. The name is that of its command or module, also with a suffix of Debian
 * ("pytest-3") and as a package ("-m celery", "celery/__main__.py"). */
static const struct {
	const char *name, *framework;
	bool has_role; /* its first word without a dash says what it does */
} frameworks[] = {
	{ "pytest", "pytest", false },
	{ "py.test", "pytest", false },
	{ "gunicorn", "gunicorn", false },
	{ "uvicorn", "uvicorn", false },
	{ "hypercorn", "hypercorn", false },
	{ "daphne", "daphne", false },
	{ "uwsgi", "uwsgi", false },
	{ "celery", "celery", true },
	{ "celeryd", "celery", false },
	{ "manage.py", "django", true },
	{ "django-admin", "django", true },
	{ "flask", "flask", true },
	{ "ansible", "ansible", false },
	{ "ansible-playbook", "ansible", false },
	{ "ipykernel_launcher", "jupyter kernel", false },
	{ "ipykernel", "jupyter kernel", false },
	{ "jupyter-lab", "jupyter", false },
	{ "jupyter-notebook", "jupyter", false },
};

static const char *next(const char *word, const char *end)
{
	return word + strnlen(word, (size_t)(end - word)) + 1;
}

static bool is_command(const char *word, size_t n, const char *name)
{
	size_t n_name = strlen(name);
	if (n < n_name || memcmp(word, name, n_name))
		return false;
	/* -3, 3, -3.12: what Debian and pip add */
	const char *rest = word + n_name;
	size_t n_rest = n - n_name, k = n_rest && *rest == '-';
	while (k < n_rest && ((rest[k] >= '0' && rest[k] <= '9') || rest[k] == '.'))
		k++;
	return k == n_rest && (n_rest == 0 || rest[n_rest - 1] != '-');
}

/* The last part of a path; of a package that is run, its folder. */
static const char *base_of(const char *word, size_t *n)
{
	if (*n > 12 && !memcmp(word + *n - 12, "/__main__.py", 12))
		*n -= 12;
	const char *slash = memrchr(word, '/', *n);
	if (slash)
		*n -= (size_t)(slash + 1 - word);
	return slash ? slash + 1 : word;
}

static bool is_python(const char *word, size_t n)
{
	const char *base = base_of(word, &n);
	return (n >= 6 && !memcmp(base, "python", 6)) || (n >= 4 && !memcmp(base, "pypy", 4));
}

/* The word that says what runs: the script, or the module behind -m. NULL: code, or nothing. */
static const char *program_of(const char *words, const char *end)
{
	const char *p = words;
	if (!is_python(p, strnlen(p, (size_t)(end - p))))
		return p;
	for (p = next(p, end); p < end; p = next(p, end)) {
		if (*p != '-')
			return p;
		if (p[1] == '-')
			continue;
		const char *letter = p + 1 + strcspn(p + 1, "cmWX");
		if (*letter == 'c')
			return NULL;
		if (*letter == 'm')
			return letter[1] ? letter + 1 : next(p, end) < end ? next(p, end) : NULL;
		if (*letter && !letter[1] && next(p, end) < end)
			p = next(p, end);
	}
	return NULL;
}

bool framework_find(const char *words, size_t n_bytes, const char **ret, const char **ret_role)
{
	if (!n_bytes || words[n_bytes - 1])
		return false;
	const char *end = words + n_bytes, *program = program_of(words, end);
	if (!program)
		return false;
	/* "gunicorn: worker [shop]" is one word */
	const char *colon = strstr(program, ": ");
	size_t n = colon && colon < strchrnul(program, ' ') ? (size_t)(colon - program)
							    : strlen(program);
	const char *base = base_of(program, &n);
	for (size_t i = 0; i < ARRAY_LEN(frameworks); i++) {
		if (!is_command(base, n, frameworks[i].name))
			continue;
		const char *role = next(program, end);
		/* -A APP worker */
		while (frameworks[i].has_role && role < end && *role == '-') {
			bool has_value = !strcmp(role, "-A") || !strcmp(role, "--app") ||
					 !strcmp(role, "-b");
			role = next(role, end);
			role = has_value && role < end ? next(role, end) : role;
		}
		*ret = frameworks[i].framework;
		*ret_role = colon && !strncmp(colon, ": worker", 8)   ? "worker"
			    : colon && !strncmp(colon, ": master", 8) ? "master"
			    : frameworks[i].has_role && role < end    ? role
								      : "";
		return true;
	}
	return false;
}

const char *framework_venv(const char *words, size_t n_bytes, const char *exe, size_t *ret_n)
{
	static const char *const usual[] = { "", "/usr", "/usr/local" };
	size_t n = strnlen(words, n_bytes), n_exe = strlen(exe);
	const char *slash = memrchr(words, '/', n), *exe_slash = memrchr(exe, '/', n_exe);
	*ret_n = 0;
	if (*words != '/' || !slash || !exe_slash || !is_python(words, n) || slash - words < 4 ||
	    memcmp(slash - 4, "/bin", 4))
		return words;
	size_t n_folder = (size_t)(slash - words) - 4;
	if (exe_slash - exe >= 4 && n_folder == (size_t)(exe_slash - exe) - 4 &&
	    !memcmp(words, exe, n_folder))
		return words;
	for (size_t i = 0; i < ARRAY_LEN(usual); i++)
		if (strlen(usual[i]) == n_folder && !memcmp(words, usual[i], n_folder))
			return words;
	*ret_n = n_folder;
	return words;
}
