/*
 * import_task: reads the asyncio task of a line.
 */
#pragma once
#include "import/import_private.h"

/* Read {"name":"job-1","id":3,"awaited_by":["job-2"],"more":1}, of which all but the name may be
 * missing, or a name alone, as Python's logging has it. False: it is none of both. */
bool import_task_read(struct import *im, const struct line *l, uint32_t *ret);
