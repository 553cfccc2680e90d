/*
 * accounts: the C library's answer, or in a static program that of the two files.
 */
#include "base/accounts.h"

#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifdef STATIC_PROGRAM

/* fgetpwent(3) keeps the entry in memory of its own, which outlives the file. */

static const struct passwd *find(const char *name, uid_t uid)
{
	FILE *file = fopen("/etc/passwd", "re");
	struct passwd *p = NULL;
	if (!file)
		return NULL;
	while ((p = fgetpwent(file)) != NULL)
		if (name ? !strcmp(p->pw_name, name) : p->pw_uid == uid)
			break;
	fclose(file);
	return p;
}

void accounts_each(void (*see)(const struct passwd *user, void *arg), void *arg)
{
	FILE *file = fopen("/etc/passwd", "re");
	if (!file)
		return;
	for (const struct passwd *p; (p = fgetpwent(file)) != NULL;)
		see(p, arg);
	fclose(file);
}

const struct passwd *accounts_find_name(const char *name)
{
	return find(name, 0);
}

const struct passwd *accounts_find_uid(uid_t uid)
{
	return find(NULL, uid);
}

int accounts_set_groups(const struct passwd *user)
{
	enum { GROUPS_MAX = 1024 };
	gid_t groups[GROUPS_MAX] = { user->pw_gid };
	size_t n = 1;
	FILE *file = fopen("/etc/group", "re");
	struct group *entry;
	while (file && n < GROUPS_MAX && (entry = fgetgrent(file)) != NULL) {
		char **member = entry->gr_mem;
		while (*member && strcmp(*member, user->pw_name) != 0)
			member++;
		if (*member && entry->gr_gid != user->pw_gid)
			groups[n++] = entry->gr_gid;
	}
	if (file)
		fclose(file);
	return setgroups(n, groups);
}

#else

void accounts_each(void (*see)(const struct passwd *user, void *arg), void *arg)
{
	setpwent();
	for (const struct passwd *p; (p = getpwent()) != NULL;)
		see(p, arg);
	endpwent();
}

const struct passwd *accounts_find_name(const char *name)
{
	return getpwnam(name);
}

const struct passwd *accounts_find_uid(uid_t uid)
{
	return getpwuid(uid);
}

int accounts_set_groups(const struct passwd *user)
{
	return initgroups(user->pw_name, user->pw_gid);
}

#endif
