/*
 * profile: what each package of a program does, in the form that it has in every run: a list of
 * things to keep, and to compare other runs with.
 *
 * A thing has a package, a kind and a text. The package is that of the innermost frame that is
 * neither the standard library nor the import system: the folder or module below site-packages that
 * its file is in, "program itself", or "python itself" if there is no such frame. It is not the
 * name of the distribution: a capture may not have that (recorder/packages.h), and another run
 * would then differ. Kinds are those of reach.h; texts are generalised (generaliser.h):
 *
 *   command                the words of a command
 *   file                   open-read, open-write or the event, and the folder
 *   host                   the event, host:port
 *   module                 the first part of its name
 *   code, event, library   the event, and what it is about
 *
 * The work of the import system for a module is left out: the module is in the list.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct profile;
struct selection;
struct strbuf;
struct trace;

struct profile_thing {
	const char *package, *kind, *text; /* escaped for display; until profile_destroy() */
	uint64_t n_events, first_seq;      /* 0 of a thing that was read from a text */
};

/* An empty profile. ERR_NO_MEMORY. */
MUST_CHECK struct err *profile_create(struct profile **ret);
void profile_destroy(struct profile *p);
DEFINE_CLEANUP(profile);

/* Add what `rows` (NULL = all) of a capture do. Calls trace_trim(). */
MUST_CHECK struct err *profile_add(struct profile *p, struct trace *t,
				   const struct selection *rows);
/* Add the things of a text that profile_write() made. ERR_SYNTAX if it has a line that is none of a
 * profile; err->at is its number, from 1. */
MUST_CHECK struct err *profile_read(struct profile *p, const char *text, size_t n_bytes);
/* Append as text: sorted, a section for each package, a line for each thing. */
void profile_write(struct profile *p, struct strbuf *to);
/* The things, sorted by package, kind and text. Valid until the next change. */
const struct profile_thing *profile_things(struct profile *p, size_t *ret_n);
/* Does the profile have a thing of this package, kind and text? */
bool profile_has(const struct profile *p, const struct profile_thing *thing);
