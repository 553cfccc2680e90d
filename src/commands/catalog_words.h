/*
 * catalog_words: shared by the commands that show the catalogue.
 */
#pragma once
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

struct catalog_event;

/* The minor version that --python selects: "3.12", "3.12.1", "12", or a program, which is run to
 * ask it. NULL text gives 0: all versions. */
MUST_CHECK struct err *catalog_words_minor(const char *text, int *ret_minor);

/* Write entries to standard output as a JSON array of objects with everything that is known about
 * them in 3.minor (0: all). */
MUST_CHECK struct err *catalog_words_json(const struct catalog_event *const *events, size_t n,
					  int minor);
