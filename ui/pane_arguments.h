/*
 * pane_arguments: what other files ask of the arguments pane.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pane;

struct raw_value {
	const char *name;
	const char *bytes;
	size_t n_bytes;
	uint64_t full; /* its length before the capture cut it */
};
/* Get the bytes of the str or bytes under the cursor; valid until the cursor's event changes. */
bool pane_arguments_raw(const struct pane *p, struct raw_value *ret);
