/*
 * sample: a capture of a small order service, the same bytes each time: threads, a child process,
 * imports, a loss, wide characters, cut values, unknown events.
 */
#pragma once

/* Write it to `path`; n_orders requests (each some 20 events). Aborts on failure: this is for
 * tests. */
void sample_write(const char *path, unsigned n_orders);
/* The same service on a day without the tax plug-in, and with a file of its own. */
void plain_write(const char *path, unsigned n_orders);
/* A process with n nameless threads that came and went, n children that were not Python, and a
 * shell that became app.py; its first three events come from shop/util.py, db/util.py and
 * db/__init__.py. */
void crowd_write(const char *path, unsigned n);
