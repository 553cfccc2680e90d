/*
 * folder: the folders in the user's home in which auditview keeps its own files, and small files in
 * them.
 *
 * auditview can run as root with the environment of another user (sudo keeps HOME on many
 * machines), or without any environment. So a folder is used only if nobody else can change it: it
 * is ours and not writable for all, and its parents belong to us or root and are not writable for
 * all, unless sticky. If no such folder is found, the home folder of the passwd entry is tried.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

struct strbuf;

enum folder_kind { FOLDER_CACHE, FOLDER_STATE, FOLDER_CONFIG, FOLDER_COUNT };

/* "$XDG_CACHE_HOME/auditview", "~/.cache/auditview" and so on, malloc'ed; created with mode 0700 if
 * `make`. Errors: ERR_NOT_FOUND if it does not exist and `make` is false, or if there is no home;
 * ERR_DENIED if it is not ours. */
MUST_CHECK struct err *folder_find(enum folder_kind kind, bool make, char **ret);

/* The folder's name for messages, whether it exists or not; NULL without a home. */
char *folder_name(enum folder_kind kind);

/* Append a small file of ours, at most max_bytes of it, to *to. It must be a regular file that we
 * or root own; a FIFO is never waited for. follow_links: for files that are only read and may be
 * kept elsewhere. ERR_NOT_FOUND if it does not exist. */
MUST_CHECK struct err *folder_read_file(const char *path, bool follow_links, size_t max_bytes,
					struct strbuf *to);
