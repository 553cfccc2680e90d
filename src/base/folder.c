/*
 * folder: see folder.h.
 */
#include "base/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/accounts.h"
#include "base/strbuf.h"

static const struct {
	const char *variable, *below_home;
} kinds[FOLDER_COUNT] = {
	[FOLDER_CACHE] = { "XDG_CACHE_HOME", "/.cache" },
	[FOLDER_STATE] = { "XDG_STATE_HOME", "/.local/state" },
	[FOLDER_CONFIG] = { "XDG_CONFIG_HOME", "/.config" },
};

/* Is what lies below this folder trustworthy? In a folder that anyone can write to, other users
 * than its owner can rename entries. */
static struct err *check_parent(const char *path)
{
	struct stat st;
	if (stat(path, &st) != 0)
		return err_sys(errno, "cannot use %s", path);
	if (!S_ISDIR(st.st_mode))
		return err_create(ERR_DENIED, "cannot use %s: it is not a folder", path);
	if (st.st_uid != geteuid() && st.st_uid != 0)
		return err_create(ERR_DENIED, "cannot use %s: it belongs to another user", path);
	if (st.st_mode & S_IWOTH && !(st.st_mode & S_ISVTX))
		return err_create(ERR_DENIED, "cannot use %s: everybody can write to it", path);
	return NULL;
}

/* Check the folder itself. A configuration folder may be reached through a link. */
static struct err *check_own(const char *path, enum folder_kind kind)
{
	struct stat st;
	if ((kind == FOLDER_CONFIG ? stat : lstat)(path, &st) != 0)
		return err_sys(errno, "cannot use %s", path);
	if (!S_ISDIR(st.st_mode))
		return err_create(ERR_DENIED, "cannot use %s: it is not a folder", path);
	if (st.st_uid != geteuid())
		return err_create(ERR_DENIED, "cannot use %s: it belongs to another user", path);
	if (st.st_mode & S_IWOTH)
		return err_create(ERR_DENIED, "cannot use %s: everybody can write to it", path);
	return NULL;
}

/* Create `path` and its missing parents, in a folder that passed check_parent(). */
static struct err *make_path(char *path)
{
	struct stat st;
	if (stat(path, &st) == 0)
		return check_parent(path);
	if (errno != ENOENT)
		return err_sys(errno, "cannot use %s", path);
	char *slash = strrchr(path, '/');
	if (!slash || slash == path)
		return err_sys(ENOENT, "cannot use %s", path);
	*slash = 0;
	struct err *err = make_path(path);
	*slash = '/';
	if (!err && mkdir(path, 0700) != 0 && errno != EEXIST)
		err = err_sys(errno, "cannot make %s", path);
	return err;
}

/* `base` is absolute and malloc'ed; this function takes it over. */
static struct err *try_base(char *base, enum folder_kind kind, bool make, char **ret)
{
	char *path = NULL;
	if (!base || asprintf(&path, "%s/auditview", base) < 0) {
		free(base);
		return err_no_memory();
	}
	struct err *err = make ? make_path(base) : check_parent(base);
	if (!err && make && mkdir(path, 0700) != 0 && errno != EEXIST)
		err = err_sys(errno, "cannot make %s", path);
	if (!err)
		err = check_own(path, kind);
	free(base);
	if (err)
		free(path);
	else
		*ret = path;
	return err;
}

static struct err *try_home(const char *home, enum folder_kind kind, bool make, char **ret)
{
	char *base = NULL;
	struct stat st;
	if (stat(home, &st) != 0)
		return err_sys(errno, "cannot use %s", home);
	if (st.st_uid != geteuid()) /* a folder made by root here would block its owner */
		return err_create(ERR_DENIED, "cannot use %s: it belongs to another user", home);
	if (asprintf(&base, "%s%s", home, kinds[kind].below_home) < 0)
		base = NULL;
	return try_base(base, kind, make, ret);
}

char *folder_name(enum folder_kind kind)
{
	const char *base = getenv(kinds[kind].variable), *home = getenv("HOME");
	bool has_base = base && *base == '/';
	char *path = NULL;
	if (!has_base && (!home || *home != '/'))
		return NULL;
	if (asprintf(&path, "%s%s/auditview", has_base ? base : home,
		     has_base ? "" : kinds[kind].below_home) < 0)
		return NULL;
	return path;
}

struct err *folder_find(enum folder_kind kind, bool make, char **ret)
{
	const char *base = getenv(kinds[kind].variable), *home = getenv("HOME");
	if (base && *base == '/')
		return try_base(strdup(base), kind, make, ret);
	struct err *err = NULL;
	if (home && *home == '/') {
		err = try_home(home, kind, make, ret);
		if (!err)
			return NULL;
	}
	const struct passwd *pw = accounts_find_uid(geteuid());
	if (!pw || !pw->pw_dir || *pw->pw_dir != '/' || (home && !strcmp(home, pw->pw_dir)))
		return err ? err : err_create(ERR_NOT_FOUND, "there is no home");
	err_destroy(err);
	return try_home(pw->pw_dir, kind, make, ret);
}

struct err *folder_read_file(const char *path, bool follow_links, size_t max_bytes,
			     struct strbuf *to)
{
	char buf[4096];
	struct stat st;
	ssize_t n;
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC |
				(follow_links ? 0 : O_NOFOLLOW));
	if (fd < 0)
		return errno == ELOOP
			   ? err_create(ERR_DENIED, "%s is not read: it is a symbolic link", path)
			   : err_sys(errno, "cannot read %s", path);
	struct err *err = NULL;
	if (fstat(fd, &st) != 0)
		err = err_sys(errno, "cannot read %s", path);
	else if (!S_ISREG(st.st_mode))
		err = err_create(ERR_DENIED, "%s is not read: it is not a regular file", path);
	else if (st.st_uid != geteuid() && st.st_uid != 0)
		err = err_create(ERR_DENIED, "%s is not read: it belongs to another user", path);
	while (!err && to->n < max_bytes && (n = read(fd, buf, sizeof(buf))) != 0) {
		if (n < 0 && errno != EINTR)
			err = err_sys(errno, "cannot read %s", path);
		else if (n > 0)
			strbuf_add(to, buf, (size_t)n);
	}
	close(fd);
	return !err && to->failed ? err_no_memory() : err;
}
