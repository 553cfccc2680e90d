/*
 * until: --until, the filter whose first match is the last event of a capture.
 *
 * The recorder asks which events to keep before any reader can see them (writer_gate). So the file
 * ends with the event that matched, even if more events arrived together with it.
 */
#pragma once
#include "base/attr.h"
#include "base/err.h"
#include "capture/writer.h"

struct until;

/* `text` is borrowed. Errors: of the filter, shown with a caret. */
MUST_CHECK struct err *until_create(const char *text, struct until **ret);
void until_destroy(struct until *u);            /* NULL is fine */
struct writer_gate until_gate(struct until *u); /* lives as long as u */
