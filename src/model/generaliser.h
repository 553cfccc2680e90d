/*
 * generaliser: texts of one run in the form that they have in every run of the same program.
 *
 * Paths get names for the folders that differ between machines and runs, and what is made anew for each
 * run is replaced: numbers (pids, ports, versions) by #, the random part of temporary names by *.
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

/* Learn the folders of the processes of a capture. */
MUST_CHECK struct err *generaliser_create(struct trace *t, struct generaliser **ret);
void generaliser_destroy(struct generaliser *g);
DEFINE_CLEANUP(generaliser);

/* Append a path. folder_only: of a file its folder. */
void generaliser_add_path(const struct generaliser *g, const char *path, size_t n, bool folder_only,
			  struct strbuf *to);
/* Append words, of which those that begin with / are paths. */
void generaliser_add_words(const struct generaliser *g, const char *words, size_t n,
			   struct strbuf *to);
/* Append host:port. On this machine a port that needs no privilege is #, elsewhere one that a system
 * may pick (ip(7), from 32768 on). */
void generaliser_add_host(const char *host, size_t n, struct strbuf *to);
/* Length of the first word: up to a space that is not within double quotes. */
size_t generaliser_word_bytes(const char *words, size_t n);
