/*
 * fuzz: one function per parser of untrusted bytes.
 *
 * fuzz_<parser>.c defines fuzz_one(), and may define seeds of its own. With driver.c it is an
 * ordinary test: every file of corpus/<parser>/ and a fixed number of mutations of each, the same
 * in every run. With clang -fsanitize=fuzzer (and without driver.c) libFuzzer calls the same
 * function; what it finds becomes a file of the corpus.
 *
 * To add a parser: fuzz_<parser>.c, a row in meson.build, at least one file in corpus/<parser>/.
 * tests/fuzz/run.py runs libFuzzer on each for a while and prints how much of the code it reached.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* It must return, whatever the bytes are: no crash, no read outside, no leak, no endless loop. */
void fuzz_one(const uint8_t *bytes, size_t n_bytes);

struct fuzz_random; /* fuzz_mutate.h */

/* Make one change of an input, for parsers that reject plain damage; parsers without it use
 * fuzz_mutate_bytes(). Returns the number of bytes. */
size_t fuzz_mutate(struct fuzz_random *r, uint8_t *bytes, size_t n, size_t cap);

/* Make a seed that cannot be kept in a file. Returns the number of bytes written to to[0 … cap), or
 * 0 if there is no seed of this number. */
size_t fuzz_seed(unsigned number, uint8_t *to, size_t cap);
