/*
 * redact: keep secrets out of a capture (--no-redact keeps them in).
 *
 *   values by name    a variable, key or header whose name says so: DB_PASSWORD, GITHUB_TOKEN, api_key, Authorization
 *   parts of text     the password of a URL (https://user:…@host), the value of an Authorization, Cookie or X-…-Token line,
 *                     the last word of a login to a mail or ftp server
 *
 * A value becomes the object `redacted` with its length in characters, a part becomes "***". Both say that something was here.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct strbuf;

/* Does this name say that its value is a secret? */
bool redact_is_secret(const char *name, size_t n_bytes);
/* Append, in place of a text of n_bytes, what is kept of it: an encoded value (base/value.h). */
void redact_add_value(struct strbuf *to, const char *text, size_t n_bytes);
/* Append the text with its secret parts replaced; false, and nothing appended, if it has none. */
bool redact_text(struct strbuf *to, const char *text, size_t n_bytes);
