/*
 * import_line: one line of JSON → one event of the capture.
 */
#pragma once
#include "base/attr.h"
#include "import/import_private.h"

/* What is done with each line, or each object of a document. j: its text, without line end and
 * surrounding space. Only errors that end the import are returned: a line that is lost is counted
 * and reported in im->result. */
typedef struct err *import_line_fn(struct import *im, struct json j);

/* First pass: add the time of the line to im->axis. */
MUST_CHECK struct err *import_line_look(struct import *im, struct json j);
/* Second pass: write the event. The first event creates im->w. */
MUST_CHECK struct err *import_line_take(struct import *im, struct json j);
