/*
 * looks: guesses about a value, always worded as guesses: "looks like a gzip stream", "likely
 * json/decoder.pyc, opened 0.2 ms before". Only the beginning of a value is examined, so a cut
 * value suffices.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event;
struct strbuf;
struct trace;
struct value_node;

/* Append what a str or bytes value looks like ("a code object of Python 3.12"); false, and nothing
 * appended, if there is no guess. minor: N of Python 3.N of the process, 0 unknown. */
bool looks_like(struct strbuf *to, const struct value_node *v, int minor);
/* The open event before `e` in its thread from which its bytes most likely came, for marshal.loads,
 * exec, compile, pickle.*. UINT64_MAX: none. */
uint64_t looks_opened(struct trace *t, const struct event *e);
/* The usual name of a TCP or UDP port ("postgresql"); NULL if it has none. */
const char *looks_port(int64_t port);
