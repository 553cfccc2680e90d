/*
 * import_process: reads the process and thread of a line, and its notes.
 */
#pragma once
#include "import/import_private.h"

/* False: memory is short, or, for notes, they are malformed. */
bool import_process_find(struct import *im, struct line *l, uint64_t time_ns, struct process **ret);
bool import_process_thread(struct import *im, const struct line *l, const struct process *p,
			   uint32_t *ret);
/* Take the host of the first line for the host of the whole capture. */
void import_process_first_host(struct import *im, const struct line *l);
bool import_process_notes(struct import *im, struct json *j);
