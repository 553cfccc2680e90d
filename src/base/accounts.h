/*
 * accounts: users of this machine.
 *
 * The C library asks its name service switch, which may load shared libraries. A static program
 * (STATIC_PROGRAM) must not load any: they may belong to a C library of another version. It reads
 * /etc/passwd and /etc/group itself.
 */
#pragma once
#include <pwd.h>
#include <stdint.h>

#include "base/attr.h"

/* NULL if there is none. Valid until the next call of either. */
const struct passwd *accounts_find_name(const char *name);
const struct passwd *accounts_find_uid(uid_t uid);

/* Call see(user, arg) for each; the entry is valid until it returns. */
void accounts_each(void (*see)(const struct passwd *user, void *arg), void *arg);

/* Set the groups of this process to those of a user, as initgroups(3) does. Returns 0, or -1 with
 * errno set. */
MUST_CHECK int accounts_set_groups(const struct passwd *user);
