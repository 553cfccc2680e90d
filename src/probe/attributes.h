/*
 * attributes: the attributes of an instance, and texts by which things are recognised, read raw.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "probe/dict.h"

struct out;
struct probe_context;

/* Is `str`, which may be 0, a str with exactly this ASCII text, such as a key has. */
bool attributes_key_is(const struct probe_context *ctx, uint64_t str, const char *text, uint32_t n);
/*
 * A view of the attributes of an instance; false if it has none that can be read. In free-threaded
 * builds the caller has locked the instance, and its dict is locked, too, if *ret_locks_dict says
 * so: also if there is no view.
 */
bool attributes_of(struct out *o, uint64_t object, struct dict_view *v, bool *ret_locks_dict);
