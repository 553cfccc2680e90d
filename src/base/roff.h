/*
 * roff: text for the manual page, man(7).
 */
#pragma once

struct strbuf;

/* Append `text` (at most one line) so that roff shows it literally: a dash is not taken for a
 * hyphen, a backslash for an escape, nor a dot or quote at the start of a line for a request. */
void roff_add(struct strbuf *to, const char *text);
/* Append a tagged paragraph: the name bold, the text indented below it. */
void roff_add_entry(struct strbuf *to, const char *name, const char *doc);
