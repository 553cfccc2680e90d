/*
 * folder: the folders of the user's where auditview keeps files of its own, and small files in
 * them.
 *
 * auditview runs as root with the environment of somebody else (sudo keeps HOME on many machines),
 * or with none at all. So a folder is used only if it is ours, or if nobody else could have put it
 * there: owned by us, or by root above it, and not open to all. Without a folder that holds, the
 * one of the passwd entry is tried.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

struct strbuf;

enum folder_kind { FOLDER_CACHE, FOLDER_STATE, FOLDER_CONFIG, FOLDER_COUNT };

/* "$XDG_CACHE_HOME/auditview", "~/.cache/auditview" and so on, malloc'ed; made with mode 0700 if
 * asked for. Errors: ERR_NOT_FOUND when there is none (not asked to make it, or no home),
 * ERR_DENIED when it is not ours. */
MUST_CHECK struct err *folder_find(enum folder_kind kind, bool make, char **ret);

/* What it is called, whether it is there or not, for people; NULL without a home. */
char *folder_name(enum folder_kind kind);

/* A small file of ours, at most max_bytes of it, appended to *to: regular, and owned by us or by
 * root; a FIFO is not waited for. follow_links: what is only read, and may be kept elsewhere.
 * ERR_NOT_FOUND when there is none. */
MUST_CHECK struct err *folder_read_file(const char *path, bool follow_links, size_t max_bytes,
					struct strbuf *to);
