/*
 * import_frames: reads the stack of a line.
 */
#pragma once
#include "import/import_private.h"

/* read a stack in any of its forms. False: it is not a stack. */
bool import_frames_read(struct import *im, struct line *l, uint32_t *ret);
