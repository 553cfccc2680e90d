/*
 * gist_words: names of numbers, for the readings of gists: AF_INET, SIGTERM, O_RDWR|O_CREAT.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct strbuf;

/* Append the name of `value` by a reading (enum catalog_reading); false if the reading has no
 * names, or none for this number. */
bool gist_add_word(struct strbuf *to, int64_t value, unsigned reading);

/* The reverse: the number of a name such as O_RDONLY, AF_INET, SIGTERM, ENOENT. ret_ignored: the
 * bits that the reading leaves out when it shows a number by this name, such as O_CLOEXEC. False if
 * no reading has this name. */
bool gist_word_find(const char *s, size_t n_bytes, int64_t *ret, uint64_t *ret_ignored);
/* Does it look like one of these names: O_…, AF_…, SOCK_… in capitals? */
bool gist_word_like(const char *s, size_t n_bytes);
/* The i-th of these names, without signals and errors; NULL after the last. */
const char *gist_word_at(size_t i);
/* The same of one reading only (enum catalog_reading): READING_OFLAGS has O_RDONLY, O_CREAT, … */
const char *gist_word_of(unsigned reading, size_t i);

/* Does a word contain a character that is special to a shell? */
bool gist_has_shell_sign(const char *s, size_t n_bytes);
