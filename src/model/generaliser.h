/*
 * generaliser: texts of one run in the form that they have in every run of the same program.
 *
 * Paths get names for the folders that differ between machines and runs, and what is made anew for
 * each run is replaced: numbers (pids, ports, versions) by #, the random part of temporary names by
 * *.
 *
 *   <site>     a folder site-packages or dist-packages
 *   .          the working folder of the first process, and what is relative to it
 *   <program>  the folder of the program that it runs
 *   <stdlib>   a folder of the standard library
 *   ~          the home folder
 *   <tmp>      a folder for temporary files, with all below it
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

struct generaliser;
struct strbuf;
struct trace;

/* Learn the folders of the processes of a capture. Nothing of the trace is kept. */
MUST_CHECK struct err *generaliser_create(struct trace *t, struct generaliser **ret);
void generaliser_destroy(struct generaliser *g); /* NULL is fine */
DEFINE_CLEANUP(generaliser);

/* The texts below are as reach_read() makes them: n bytes, which need not be terminated, escaped
 * for display. They are not NULL, also if n is 0. */

/* Append a path in its general form. folder_only: the folder that the file is in. */
NOT_NULL(1, 2, 5)
void generaliser_add_path(const struct generaliser *g, const char *path, size_t n, bool folder_only,
			  struct strbuf *to);
/* Append words separated by spaces. A word that begins with a slash, in quotes or not, is a
 * path. */
NOT_NULL(1, 2, 4)
void generaliser_add_words(const struct generaliser *g, const char *words, size_t n,
			   struct strbuf *to);
/* Append host:port, or the address of a Unix socket, whose path may be a temporary one. The port of
 * this machine is # if it needs no privilege, that of another machine if its system may have picked
 * it (ip(7): from 32768 on). */
NOT_NULL(1, 2, 4)
void generaliser_add_host(const struct generaliser *g, const char *host, size_t n,
			  struct strbuf *to);
/* Length in bytes of the first word: up to a space that is not within double quotes. */
NOT_NULL(1)
size_t generaliser_word_bytes(const char *words, size_t n);
