/*
 * edits: how many typing errors lie between two words. The caller decides how many still count as
 * near.
 */
#pragma once
#include <stddef.h>

#define EDITS_MAX_BYTES 64 /* longer words are compared up to here */

/* Optimal string alignment distance: insert, delete, replace and swap of neighbours count one each;
 * the case of ASCII letters does not count. Bytes, not characters. */
unsigned edits_between(const char *a, size_t n_a, const char *b, size_t n_b);
