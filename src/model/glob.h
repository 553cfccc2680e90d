/*
 * glob: patterns for event names: * matches any run of bytes, ? one character (code point),
 * everything else itself.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

bool glob_is(const char *pattern, size_t n_pattern); /* has a * or ? */
/* Linear in practice, at most n_pattern × n steps. */
bool glob_match(const char *pattern, size_t n_pattern, const char *s, size_t n);
