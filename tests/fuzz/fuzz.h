/*
 * fuzz: one function per parser of bytes we do not trust.
 *
 * fuzz_<parser>.c defines fuzz_one(), and may define seeds of its own. With driver.c it is an ordinary test: every file of
 * corpus/<parser>/ and a fixed number of mutations of each, the same in every run. With clang -fsanitize=fuzzer (driver.c
 * left out) libFuzzer takes the same function; what it finds becomes a file of the corpus.
 *
 * To add a parser: fuzz_<parser>.c, a row in meson.build, at least one file in corpus/<parser>/.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* Must end, whatever the bytes are: no crash, no read outside, no leak, no endless loop. */
void fuzz_one(const uint8_t *bytes, size_t n_bytes);

/* A seed that cannot be kept in a file. Returns bytes written to to[0 … cap), or 0 when there is none of this number. */
size_t fuzz_seed(unsigned number, uint8_t *to, size_t cap);
