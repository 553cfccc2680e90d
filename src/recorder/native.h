/*
 * native: the native part of a record → one stack, Python and native frames merged.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct native_context;
struct record_event;

/* `bytes` is what follows the frame stream: struct record_native, anchors, slice. `python`: frame ids, innermost first.
 * Returns a stack id; may add EVENT_NATIVE_CUT and EVENT_UNMERGED to *flags. */
uint32_t native_stack(struct native_context *n, const struct record_event *e, const uint8_t *bytes, size_t n_bytes,
		      const uint32_t *python, size_t n_python, uint32_t *flags);
