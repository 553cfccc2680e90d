/*
 * holder: which threads are held before their operation happens, and what is done then: --hold and
 * --do, and what the viewer asks for while the recorder runs.
 */
#pragma once
#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "recorder/holds.h"

struct holder;
struct options;

/* Without --hold, nothing is held until the viewer asks for it. The texts of `o` are borrowed.
 * has_stdout: the commands of --do may write to standard output, which carries no data. Errors: of
 * the filter, shown with a caret; ERR_USAGE. */
MUST_CHECK struct err *holder_create(const struct options *o, bool has_stdout, struct holder **ret);
void holder_destroy(struct holder *h); /* NULL is fine */
DEFINE_CLEANUP(holder);
/* Lives as long as h. h NULL: nothing is held. */
struct hold_options holder_options(struct holder *h);
