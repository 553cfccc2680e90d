/*
 * distributions: see distributions.h.
 *
 * First every distribution claims paths below the folder: files of its RECORD, or folders and files
 * by the names of its modules. Then the claims are sorted, and a folder of which all claims are of
 * one distribution becomes a single path: a distribution of 5,000 files is described by one or two.
 * Where several share a folder (namespace packages, PEP 420), each gets the parts below it.
 */
#include "python/distributions.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/code_path.h"
#include "base/confine.h"
#include "base/monotonic.h"
#include "base/strbuf.h"
#include "base/utf8.h"
#include "base/vec.h"

#define FILE_BYTES_MAX (8u << 20)  /* of one RECORD */
#define ALL_BYTES_MAX  (96u << 20) /* of all files of a folder */
#define CLAIMS_MAX     400000u
#define ENTRIES_MAX    50000u /* of the folder */
enum { NAME_MAX_BYTES = 200, DEPTH_MAX = 64, HEADER_BYTES = 64 << 10 };

struct distribution {
	char *name, *version; /* version: "?" unknown */
	char *project;        /* of an editable install: its folder, without a slash; NULL */
	/* egg-info beside the sources, in a folder that is no site-packages: editable, too */
	bool is_local;
};

struct claim {
	char *path; /* below the folder; a whole folder ends with a slash */
	uint32_t of;
};

struct scan {
	int root_fd;
	const char *folder;
	uint64_t deadline_ns;
	size_t n_bytes; /* read so far */
	VEC(struct distribution) dists;
	VEC(struct claim) claims;
	struct strbuf file; /* scratch: the file that was read last */
};

static bool is_late(const struct scan *s)
{
	return monotonic_ns() > s->deadline_ns;
}

/* ---- files ---- */

static bool path_of(const struct scan *s, const char *below, char *to, size_t cap)
{
	int n = snprintf(to, cap, "%s/%s", s->folder, below);
	return n > 0 && (size_t)n < cap;
}

/* A file below the folder, in s->file. */
static bool read_path(struct scan *s, const char *path)
{
	strbuf_clear(&s->file);
	if (s->n_bytes > ALL_BYTES_MAX || is_late(s) ||
	    !confine_read_file(s->root_fd, path, FILE_BYTES_MAX, &s->file))
		return false;
	s->n_bytes += s->file.n;
	return true;
}

static bool read_below(struct scan *s, const char *entry, const char *name)
{
	char below[512], path[DISTRIBUTIONS_PATH_BYTES];
	int n = snprintf(below, sizeof(below), "%s/%s", entry, name);
	return n > 0 && (size_t)n < sizeof(below) && path_of(s, below, path, sizeof(path)) &&
	       read_path(s, path);
}

static bool is_kind(const struct scan *s, const char *below, mode_t kind)
{
	char path[DISTRIBUTIONS_PATH_BYTES];
	struct stat st;
	int fd = path_of(s, below, path, sizeof(path)) ? confine_open(s->root_fd, path, O_PATH)
						       : -1;
	bool is = fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == kind;
	if (fd >= 0)
		close(fd);
	return is;
}

/* ---- claims ---- */

/* Is it a path that stays below the folder? */
static bool stays_below(const char *path, size_t n)
{
	if (!n || n >= DISTRIBUTIONS_PATH_BYTES / 2 || path[0] == '/' || memchr(path, 0, n))
		return false;
	for (size_t i = 0; i < n;) {
		const char *slash = memchr(path + i, '/', n - i);
		size_t n_part = slash ? (size_t)(slash - path) - i : n - i;
		if (!n_part || (path[i] == '.' && n_part == 1) ||
		    (n_part == 2 && path[i] == '.' && path[i + 1] == '.'))
			return false;
		i += n_part + 1;
	}
	return true;
}

static bool ends(const char *s, size_t n, const char *with)
{
	size_t n_with = strlen(with);
	return n > n_with && !memcmp(s + n - n_with, with, n_with);
}

static void claim(struct scan *s, uint32_t of, const char *path, size_t n, bool is_folder)
{
	if (s->claims.n >= CLAIMS_MAX || !stays_below(path, n))
		return;
	struct claim c = { .path = malloc(n + 2), .of = of };
	if (!c.path)
		return;
	memcpy(c.path, path, n);
	c.path[n] = '/';
	c.path[n + is_folder] = 0;
	if (!vec_push(&s->claims, c))
		free(c.path);
}

/* A file that an installer wrote, if frames can be in it. */
static void claim_file(struct scan *s, uint32_t of, const char *path, size_t n)
{
	if (ends(path, n, ".py") || ends(path, n, ".so") || ends(path, n, ".pyx"))
		claim(s, of, path, n, false);
}

/* The module or package of a name. False: there is none. */
static bool claim_module(struct scan *s, uint32_t of, const char *name, size_t n)
{
	char file[256];
	if (!n || n > NAME_MAX_BYTES || !stays_below(name, n))
		return false;
	snprintf(file, sizeof(file), "%.*s", (int)n, name);
	if (is_kind(s, file, S_IFDIR)) {
		claim(s, of, name, n, true);
		return true;
	}
	snprintf(file, sizeof(file), "%.*s.py", (int)n, name);
	if (!is_kind(s, file, S_IFREG))
		return false;
	claim(s, of, file, strlen(file), false);
	return true;
}

/* "zope.interface" → zope/interface, "importlib-metadata" → importlib_metadata: the module of the
 * distribution's own name. */
static bool claim_by_name(struct scan *s, uint32_t of)
{
	char name[NAME_MAX_BYTES + 1];
	size_t n = 0;
	for (const char *p = s->dists.v[of].name; *p && n < NAME_MAX_BYTES; p++)
		name[n++] = *p == '-' ? '_' : *p == '.' ? '/' : *p;
	name[n] = 0;
	if (claim_module(s, of, name, n))
		return true;
	for (size_t i = 0; i < n; i++)
		name[i] = (char)tolower((unsigned char)name[i]);
	return claim_module(s, of, name, n) ||
	       (n > 7 && !strncmp(name, "python_", 7) && claim_module(s, of, name + 7, n - 7));
}

/* ---- what installers wrote ---- */

/* The next line of a text; false at its end. */
static bool next_line(const char **p, const char *end, const char **ret, size_t *ret_n)
{
	if (*p >= end)
		return false;
	const char *stop = memchr(*p, '\n', (size_t)(end - *p));
	*ret = *p;
	*ret_n = (size_t)((stop ? stop : end) - *p);
	*p = stop ? stop + 1 : end;
	if (*ret_n && (*ret)[*ret_n - 1] == '\r')
		--*ret_n;
	return true;
}

static char *text_dup(const char *s, size_t n)
{
	while (n && (s[n - 1] == ' ' || s[n - 1] == '\t'))
		n--;
	while (n && (*s == ' ' || *s == '\t'))
		s++, n--;
	if (!n || n > NAME_MAX_BYTES)
		return NULL;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] < ' ')
			return NULL;
	return strndup(s, n);
}

/* Name and version from the headers of METADATA or PKG-INFO, which s->file has. */
static void take_headers(struct scan *s, char **name, char **version)
{
	const char *p = strbuf_str(&s->file), *line;
	const char *end = p + (s->file.n < HEADER_BYTES ? s->file.n : HEADER_BYTES);
	size_t n;
	while (next_line(&p, end, &line, &n) && n) {
		if (n > 5 && !strncasecmp(line, "name:", 5) && !*name)
			*name = text_dup(line + 5, n - 5);
		if (n > 8 && !strncasecmp(line, "version:", 8) && !*version)
			*version = text_dup(line + 8, n - 8);
	}
}

/* "PyYAML-6.0", also "zope.interface-5.4-py3.11": what stands before the kind of an entry. */
static void take_entry_name(const char *stem, size_t n, char **name, char **version)
{
	size_t dash = 0;
	for (size_t i = 1; i + 1 < n && !dash; i++)
		if (stem[i] == '-' && isdigit((unsigned char)stem[i + 1]))
			dash = i;
	if (!*name)
		*name = text_dup(stem, dash ? dash : n);
	if (!*version && dash) {
		const char *py = memmem(stem + dash, n - dash, "-py", 3);
		*version = text_dup(stem + dash + 1,
				    (size_t)((py ? py : stem + n) - stem) - dash - 1);
	}
}

/* Takes over the texts. Returns its number; UINT32_MAX: there is no room, or it has no name. */
static uint32_t add(struct scan *s, char *name, char *version)
{
	struct distribution d = { .name = name, .version = version ? version : strdup("?") };
	if (d.name && d.version && s->dists.n < DISTRIBUTIONS_MAX && vec_push(&s->dists, d))
		return (uint32_t)s->dists.n - 1;
	free(d.name);
	free(d.version);
	return UINT32_MAX;
}

/* RECORD: lines of path,hash,size; a path with a comma is quoted (PEP 376, PEP 627). */
static void claim_record(struct scan *s, uint32_t of)
{
	const char *p = strbuf_str(&s->file), *end = p + s->file.n, *line;
	size_t n;
	while (next_line(&p, end, &line, &n)) {
		bool is_quoted = n && *line == '"';
		const char *stop = n ? memchr(line + is_quoted, is_quoted ? '"' : ',',
					      n - is_quoted)
				     : NULL;
		if (stop)
			claim_file(s, of, line + is_quoted, (size_t)(stop - line) - is_quoted);
	}
}

/* installed-files.txt: paths from the egg-info folder ("../six.py"). */
static void claim_installed(struct scan *s, uint32_t of)
{
	const char *p = strbuf_str(&s->file), *end = p + s->file.n, *line;
	size_t n;
	while (next_line(&p, end, &line, &n))
		if (n > 3 && !memcmp(line, "../", 3))
			claim_file(s, of, line + 3, n - 3);
}

/* top_level.txt: names of modules. One of a namespace that others share is that of its own name. */
static bool claim_top_level(struct scan *s, uint32_t of)
{
	const char *p = strbuf_str(&s->file), *end = p + s->file.n, *line, *name;
	size_t n, n_claims = s->claims.n;
	name = s->dists.v[of].name;
	while (next_line(&p, end, &line, &n)) {
		bool is_namespace = strlen(name) > n + 1 && n && name[n] == '.' &&
				    !strncasecmp(name, line, n);
		if (!is_namespace || !claim_by_name(s, of))
			claim_module(s, of, line, n);
	}
	return s->claims.n > n_claims;
}

/* A text member of a small JSON file: no escapes. */
static bool json_text(const char *text, const char *key, const char **ret, size_t *ret_n)
{
	const char *p = strstr(text, key);
	p = p ? p + strlen(key) : NULL;
	p = p ? p + strspn(p, " \t\r\n:") : NULL;
	const char *stop = p && *p == '"' ? strpbrk(p + 1, "\"\\") : NULL;
	if (!stop || *stop != '"')
		return false;
	*ret = p + 1;
	*ret_n = (size_t)(stop - p - 1);
	return true;
}

/* The folder of a project; at least two levels, so that no label gets all files of the machine. */
static char *project_dup(const char *path, size_t n)
{
	char text[DISTRIBUTIONS_PATH_BYTES];
	size_t n_text = 0, n_slashes = 0;
	for (size_t i = 0; i < n && n_text + 1 < sizeof(text); i++) {
		char c = path[i];
		if (c == '%' && i + 2 < n && utf8_hex_digit(path[i + 1]) >= 0 &&
		    utf8_hex_digit(path[i + 2]) >= 0) {
			c = (char)(utf8_hex_digit(path[i + 1]) << 4 | utf8_hex_digit(path[i + 2]));
			i += 2;
		}
		if ((unsigned char)c < ' ')
			return NULL;
		text[n_text++] = c;
	}
	while (n_text > 1 && text[n_text - 1] == '/')
		n_text--;
	for (size_t i = 0; i < n_text; i++)
		n_slashes += text[i] == '/';
	bool is_whole = n_text > 3 && text[0] == '/' && n_text + 2 < sizeof(text);
	text[n_text] = 0;
	return is_whole && n_slashes > 1 && !strstr(text, "/../") ? strdup(text) : NULL;
}

/* direct_url.json (PEP 610): {"url": "file:///srv/app", "dir_info": {"editable": true}} */
static void take_direct_url(struct scan *s, uint32_t of)
{
	const char *text = strbuf_str(&s->file), *url;
	const char *editable = strlen(text) == s->file.n ? strstr(text, "\"editable\"") : NULL;
	size_t n;
	editable = editable ? editable + 10 + strspn(editable + 10, " \t\r\n:") : NULL;
	if (editable && !strncmp(editable, "true", 4) && json_text(text, "\"url\"", &url, &n) &&
	    n > 8 && !memcmp(url, "file:///", 8))
		s->dists.v[of].project = project_dup(url + 7, n - 7);
}

static void take_dist_info(struct scan *s, const char *entry, size_t n_stem)
{
	char *name = NULL, *version = NULL;
	if (read_below(s, entry, "METADATA"))
		take_headers(s, &name, &version);
	take_entry_name(entry, n_stem, &name, &version);
	uint32_t of = add(s, name, version);
	if (of == UINT32_MAX)
		return;
	size_t n_claims = s->claims.n;
	if (read_below(s, entry, "direct_url.json"))
		take_direct_url(s, of);
	if (read_below(s, entry, "RECORD"))
		claim_record(s, of);
	if (s->claims.n == n_claims && read_below(s, entry, "top_level.txt"))
		claim_top_level(s, of);
	if (s->claims.n == n_claims && !s->dists.v[of].project)
		claim_by_name(s, of);
}

static void take_egg_info(struct scan *s, const char *entry, size_t n_stem)
{
	char *name = NULL, *version = NULL, path[DISTRIBUTIONS_PATH_BYTES];
	bool is_file = path_of(s, entry, path, sizeof(path)) && is_kind(s, entry, S_IFREG);
	if (is_file ? read_path(s, path) : read_below(s, entry, "PKG-INFO"))
		take_headers(s, &name, &version);
	take_entry_name(entry, n_stem, &name, &version);
	uint32_t of = add(s, name, version);
	if (of == UINT32_MAX)
		return;
	size_t n_claims = s->claims.n, n_folder = strlen(s->folder);
	s->dists.v[of].is_local = !code_path_is_site(s->folder, n_folder);
	if (!is_file && read_below(s, entry, "installed-files.txt"))
		claim_installed(s, of);
	if (s->claims.n == n_claims && !is_file && read_below(s, entry, "top_level.txt"))
		claim_top_level(s, of);
	if (s->claims.n == n_claims)
		claim_by_name(s, of);
}

/* A zip file, or a folder as easy_install makes them: all that is in it. */
static void take_egg(struct scan *s, const char *entry, size_t n_stem)
{
	char *name = NULL, *version = NULL;
	take_entry_name(entry, n_stem, &name, &version);
	uint32_t of = add(s, name, version);
	if (of != UINT32_MAX)
		claim(s, of, entry, strlen(entry), true);
}

/* setuptools develop: the first line is the project's folder, which has the egg-info. */
static void take_egg_link(struct scan *s, const char *entry, size_t n_stem)
{
	char path[DISTRIBUTIONS_PATH_BYTES], info[DISTRIBUTIONS_PATH_BYTES + 256];
	const char *p, *line;
	size_t n;
	if (!path_of(s, entry, path, sizeof(path)) || !read_path(s, path))
		return;
	p = strbuf_str(&s->file);
	char *project = next_line(&p, p + s->file.n, &line, &n) ? project_dup(line, n) : NULL;
	char *name = NULL, *version = NULL;
	if (!project)
		return;
	snprintf(info, sizeof(info), "%s/%.*s.egg-info/PKG-INFO", project, (int)n_stem, entry);
	for (char *c = info + strlen(project); *c; c++)
		if (*c == '-' && strncmp(c, "-info", 5) != 0 && strncmp(c, "-INFO", 5) != 0)
			*c = '_';
	if (read_path(s, info))
		take_headers(s, &name, &version);
	if (!name)
		name = text_dup(entry, n_stem);
	uint32_t of = add(s, name, version);
	if (of == UINT32_MAX)
		free(project);
	else
		s->dists.v[of].project = project;
}

static void take_entry(struct scan *s, const char *entry)
{
	static const struct {
		const char *suffix;
		void (*take)(struct scan *s, const char *entry, size_t n_stem);
	} kinds[] = {
		{ ".dist-info", take_dist_info },
		{ ".egg-info", take_egg_info },
		{ ".egg", take_egg },
		{ ".egg-link", take_egg_link },
	};
	size_t n = strlen(entry);
	for (size_t i = 0; n < NAME_MAX_BYTES && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (ends(entry, n, kinds[i].suffix))
			kinds[i].take(s, entry, n - strlen(kinds[i].suffix));
}

/* ---- conda ---- */

/* As PEP 503 compares names. */
static bool is_name(const char *name, const char *other, size_t n)
{
	size_t k = 0;
	while (k < n && name[k] &&
	       (tolower((unsigned char)name[k]) == tolower((unsigned char)other[k]) ||
		(strchr("-_.", name[k]) && strchr("-_.", other[k]))))
		k++;
	return k == n && !name[k];
}

static bool has_name(const struct scan *s, const char *name, size_t n)
{
	for (size_t i = 0; i < s->dists.n; i++)
		if (is_name(s->dists.v[i].name, name, n))
			return true;
	return false;
}

/* conda-meta/numpy-1.26.4-py312h1_0.json: "files": ["lib/python3.12/site-packages/numpy/…", …].
 * Those that have no dist-info of their own. */
static void take_conda(struct scan *s, const char *folder, const char *entry, const char *inside)
{
	char path[DISTRIBUTIONS_PATH_BYTES + NAME_MAX_BYTES + 8];
	size_t n = strlen(entry) - strlen(".json"), n_inside = strlen(inside);
	const char *build = memrchr(entry, '-', n);
	const char *version = build ? memrchr(entry, '-', (size_t)(build - entry)) : NULL;
	if (!version || has_name(s, entry, (size_t)(version - entry)))
		return;
	snprintf(path, sizeof(path), "%s/%s", folder, entry);
	if (!read_path(s, path))
		return;
	uint32_t of = add(s, text_dup(entry, (size_t)(version - entry)),
			  text_dup(version + 1, (size_t)(build - version - 1)));
	const char *p = strbuf_str(&s->file), *end = p + s->file.n;
	while (of != UINT32_MAX && (p = memchr(p, '"', (size_t)(end - p)))) {
		p++;
		const char *stop = memchr(p, '"', (size_t)(end - p));
		if (!stop)
			break;
		if ((size_t)(stop - p) > n_inside && !memcmp(p, inside, n_inside))
			claim_file(s, of, p + n_inside, (size_t)(stop - p) - n_inside);
		p = stop + 1;
	}
}

/* The names in a folder, sorted: which of two distributions is given a path must not depend on the
 * file system. */
struct names {
	struct strbuf text; /* NUL after each */
	VEC(const char *) v;
};

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void names_fini(struct names *n)
{
	strbuf_fini(&n->text);
	vec_fini(&n->v);
}

/* *ret is to be released by names_fini(); empty if the folder cannot be read. */
static void names_read(const struct scan *s, const char *folder, struct names *ret)
{
	int fd = confine_open(s->root_fd, folder, O_RDONLY | O_DIRECTORY);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	unsigned n_entries = 0;
	*ret = (struct names){ 0 };
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	for (struct dirent *e; (e = readdir(dir)) && n_entries++ < ENTRIES_MAX && !is_late(s);)
		strbuf_add(&ret->text, e->d_name, strlen(e->d_name) + 1);
	closedir(dir);
	for (size_t i = 0; i < ret->text.n; i += strlen(ret->text.s + i) + 1)
		if (!vec_push(&ret->v, ret->text.s + i))
			break;
	if (ret->v.n)
		qsort(ret->v.v, ret->v.n, sizeof(ret->v.v[0]), compare_names);
}

/* PREFIX/lib/python3.12/site-packages has PREFIX/conda-meta. */
static void read_conda(struct scan *s)
{
	char folder[DISTRIBUTIONS_PATH_BYTES];
	const char *lib = strstr(s->folder, "/lib/python");
	if (!lib || (size_t)(lib - s->folder) > sizeof(folder) - 16)
		return;
	snprintf(folder, sizeof(folder), "%.*s/conda-meta", (int)(lib - s->folder), s->folder);
	char inside[DISTRIBUTIONS_PATH_BYTES];
	int n = snprintf(inside, sizeof(inside), "%s/", lib + 1);
	if (n <= 0 || (size_t)n >= sizeof(inside))
		return;
	struct names names;
	names_read(s, folder, &names);
	for (size_t i = 0; i < names.v.n && !is_late(s); i++) {
		size_t n_name = strlen(names.v.v[i]);
		if (ends(names.v.v[i], n_name, ".json") && n_name < 200)
			take_conda(s, folder, names.v.v[i], inside);
	}
	names_fini(&names);
}

/* ---- claims → paths ---- */

static int compare_claims(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	int order = strcmp(x->path, y->path);
	return order ? order : x->of < y->of ? -1 : x->of > y->of;
}

struct owned { /* a path that is given */
	uint32_t of;
	const char *path;
	size_t n; /* of its bytes, of a claim's path */
};
struct owneds {
	VEC(struct owned) v;
};

/* Claims first … end - 1, which all begin with the same n_prefix bytes (a folder and its slash, or
 * nothing). */
static void own(struct scan *s, size_t first, size_t end, size_t n_prefix, unsigned depth,
		struct owneds *to)
{
	const struct claim *c = s->claims.v;
	bool is_one = n_prefix > 0;
	for (size_t i = first + 1; i < end && is_one; i++)
		is_one = c[i].of == c[first].of;
	if (is_one) {
		struct owned o = { c[first].of, c[first].path, n_prefix };
		(void)!vec_push(&to->v, o);
		return;
	}
	for (size_t i = first, next; i < end; i = next) {
		const char *part = c[i].path + n_prefix, *slash = strchr(part, '/');
		size_t n = slash ? (size_t)(slash - c[i].path) + 1 : strlen(c[i].path);
		for (next = i + 1; next < end && !strncmp(c[next].path, c[i].path, n) &&
				   (slash || !c[next].path[n]);
		     next++)
			;
		if (slash && *part && depth < DEPTH_MAX) {
			own(s, i, next, n, depth + 1, to);
			continue;
		}
		/* a file; or the whole of a folder in which others have parts. The first that
		 * claims it gets it. */
		struct owned o = { c[i].of, c[i].path, n };
		(void)!vec_push(&to->v, o);
	}
}

static int compare_owned(const void *a, const void *b)
{
	const struct owned *x = a, *y = b;
	return x->of < y->of ? -1 : x->of > y->of;
}

static void add_field(struct strbuf *to, const char *s, size_t n)
{
	strbuf_add(to, s, n);
	strbuf_addc(to, 0);
}

/* A distribution that two installers have described is one: the first that knows its version. */
static void unite(struct scan *s)
{
	VEC(uint32_t) same = { 0 };
	for (uint32_t i = 0; i < s->dists.n && !is_late(s); i++) {
		struct distribution *d = &s->dists.v[i];
		uint32_t is = i;
		for (uint32_t k = 0; k < i && is == i; k++) {
			struct distribution *other = &s->dists.v[k];
			if (same.v[k] != k || !is_name(other->name, d->name, strlen(d->name)))
				continue;
			is = k;
			if (!strcmp(other->version, "?")) {
				char *version = other->version;
				other->version = d->version;
				d->version = version;
			}
			if (!other->project) {
				other->project = d->project;
				d->project = NULL;
			}
		}
		if (!vec_push(&same, is))
			break;
	}
	for (size_t i = 0; i < s->claims.n; i++)
		if (s->claims.v[i].of < same.n)
			s->claims.v[i].of = same.v[s->claims.v[i].of];
	vec_fini(&same);
}

static void give(struct scan *s, struct strbuf *to)
{
	struct owneds owned = { 0 };
	unite(s);
	if (s->claims.n)
		qsort(s->claims.v, s->claims.n, sizeof(*s->claims.v), compare_claims);
	own(s, 0, s->claims.n, 0, 0, &owned);
	if (owned.v.n) /* stable enough: the order of the paths of one does not matter */
		qsort(owned.v.v, owned.v.n, sizeof(*owned.v.v), compare_owned);
	size_t at = 0, n_given = 0;
	for (uint32_t i = 0; i < s->dists.n; i++) {
		const struct distribution *d = &s->dists.v[i];
		size_t start = at;
		while (at < owned.v.n && owned.v.v[at].of == i)
			at++;
		if (at == start && !d->project)
			continue;
		add_field(to, d->name, strlen(d->name));
		add_field(to, d->version, strlen(d->version));
		add_field(to, d->project || d->is_local ? "e" : "-", 1);
		if (d->project) {
			strbuf_adds(to, d->project);
			add_field(to, "/", 1);
		}
		for (size_t k = start; k < at && n_given < DISTRIBUTIONS_PATHS_MAX;
		     k++, n_given++) {
			strbuf_adds(to, s->folder);
			strbuf_addc(to, '/');
			add_field(to, owned.v.v[k].path, owned.v.v[k].n);
		}
		strbuf_addc(to, 0);
	}
	vec_fini(&owned.v);
}

void distributions_read(int root_fd, const char *folder, uint64_t deadline_ns, struct strbuf *to)
{
	struct scan s = { .root_fd = root_fd, .folder = folder, .deadline_ns = deadline_ns };
	struct names names;
	names_read(&s, folder, &names);
	for (size_t i = 0; i < names.v.n && !is_late(&s); i++)
		take_entry(&s, names.v.v[i]);
	names_fini(&names);
	read_conda(&s);
	give(&s, to);
	for (size_t i = 0; i < s.dists.n; i++) {
		free(s.dists.v[i].name);
		free(s.dists.v[i].version);
		free(s.dists.v[i].project);
	}
	for (size_t i = 0; i < s.claims.n; i++)
		free(s.claims.v[i].path);
	vec_fini(&s.dists);
	vec_fini(&s.claims);
	strbuf_fini(&s.file);
}
