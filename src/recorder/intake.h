/*
 * intake: names, paths, command lines and environments of a target on their way into the capture.
 *
 * They are bytes; the capture holds WTF-8: a byte that is no UTF-8 becomes U+DC80 … U+DCFF, as in
 * Python (PEP 383). Secrets are left out (redact.h), unless the redactor is NULL.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct redactor;
struct strbuf;
struct writer;

/* A string id; 0 for nothing. is_cut: there was more of it. */
uint32_t intake_string(struct writer *w, struct redactor *r, const char *bytes, size_t n,
		       bool is_cut);
/* The name of an event: n bytes, at most RECORD_NAME_BYTES. One that may be longer ends with …. */
uint32_t intake_name(struct writer *w, struct redactor *r, const char *bytes, size_t n);
/* A command line, as in /proc/PID/cmdline: n bytes of words that each end with a NUL. Returns the
 * value id of a LIST of STR; 0 when there are none, or memory is short. Long words and long lists
 * are cut, and say how much there was. is_cut: there was more than these bytes. *ret_name: a string
 * id, what people call the program (proc_command_name()). */
uint32_t intake_command(struct writer *w, struct redactor *r, const char *text, size_t n,
			bool is_cut, uint32_t *ret_name);
/* A value id of a LIST of STR of words that each end with a NUL, at most max_words (< 128) of them;
 * 0 when memory is short. */
uint32_t intake_words(struct writer *w, const char *words, size_t n, unsigned max_words);
/* A value id of a DICT of STR of NAME=value texts that each end with a NUL; 0 if there are none.
 * Cut as a command line is. */
uint32_t intake_environ(struct writer *w, struct redactor *r, const char *text, size_t n,
			bool is_cut);
/* A value id of a LIST of LISTs of STR: records of words that each end with a NUL, of which an
 * empty one ends the record. What is beyond 3 MiB is left out. 0 if nothing is left. */
uint32_t intake_records(struct writer *w, struct redactor *r, const char *words, size_t n);
/* A value id of a LIST of texts that each end with a NUL: STR, or NONE for an empty one. 0 when
 * memory is short. */
uint32_t intake_texts(struct writer *w, struct redactor *r, const char *texts, size_t n);
