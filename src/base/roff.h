/*
 * roff: text for the manual page, man(7).
 */
#pragma once

struct strbuf;

/* Append `text`, one line or less, so that roff shows it as it is: a dash it would take for a
 * hyphen, a backslash for an escape, a dot or quote at a line's start for a request. */
void roff_add(struct strbuf *to, const char *text);
/* Append a tagged paragraph: the name bold, the text indented below it. */
void roff_add_entry(struct strbuf *to, const char *name, const char *doc);
