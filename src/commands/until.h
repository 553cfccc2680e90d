/*
 * until: --until, the filter whose first match is the last event of a recording.
 *
 * The recorder asks, before anybody sees new events, which of them may stay (writer_gate). So the
 * file ends with the event that matched, whoever reads it, and however many came after it in the
 * same moment.
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
