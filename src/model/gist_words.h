/*
 * gist_words: names of numbers, for the readings of gists: AF_INET, SIGTERM, O_RDWR|O_CREAT.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct strbuf;

/* Append the name of `value` by a reading (enum catalog_reading); false if the reading names no numbers, or not this one. */
bool gist_add_word(struct strbuf *to, int64_t value, unsigned reading);

/* Does a word hold a sign that a shell would take for its own? */
bool gist_has_shell_sign(const char *s, size_t n_bytes);
