/*
 * glob: patterns for event names: * matches any run of bytes, ? one character (code point),
 * everything else itself.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* Is it a pattern: does it have a * or ? in it? */
bool glob_is(const char *pattern, size_t n_pattern);
/* Does the whole of s match? Takes at most n_pattern × n steps; for usual names, about n. */
bool glob_match(const char *pattern, size_t n_pattern, const char *s, size_t n);
