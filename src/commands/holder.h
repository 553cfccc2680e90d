/*
 * holder: --hold and --do: which threads are held before their operation happens, and what is done
 * then.
 */
#pragma once
#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "recorder/holds.h"

struct holder;
struct options;

/* The texts of `o` are borrowed. has_stdout: the commands of --do may write to standard output,
 * which carries no data. Errors: of the filter, shown with a caret; ERR_USAGE. */
MUST_CHECK struct err *holder_create(const struct options *o, bool has_stdout, struct holder **ret);
void holder_destroy(struct holder *h); /* NULL is fine */
/* Lives as long as h. h NULL: nothing is held. */
struct hold_options holder_options(struct holder *h);
