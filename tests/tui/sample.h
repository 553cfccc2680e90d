/*
 * sample: a capture of a small order service, the same bytes each time: threads, a child process,
 * imports, a loss, wide characters, cut values, unknown events.
 */
#pragma once

/* Write it to `path`, with n_orders requests (some 20 events each). Aborts on failure: this is for
 * tests. */
void sample_write(const char *path, unsigned n_orders);
/* Write the same service on a day without the tax plug-in, and with a file of its own. */
void plain_write(const char *path, unsigned n_orders);
/* Write the service of sample_write() as it is while it still runs. */
void live_write(const char *path, unsigned n_orders);
/* Write a run of a lesson: python -I -S -c 'import json', one event. */
void lesson_write(const char *path);
/* A master and its two workers, which were attached to: their times advance with the kernel's
 * tick. */
void workers_write(const char *path);
/* Write a program of which one event was held, and has the variables of its frames. */
void held_write(const char *path);
/* Write a program whose asyncio tasks raise events; two others wait for three of them. */
void tasks_write(const char *path);
/* Write the service as it is when it was attached to, and has raised no event yet. */
void quiet_write(const char *path);
/* Write the events of two hosts, merged from two files; their processes have the same pid. */
void hosts_write(const char *path);
/* Write a process with n nameless threads that have ended, n children that were not Python, and a
 * shell that became app.py; its first three events come from shop/util.py, db/util.py and
 * db/__init__.py. */
void crowd_write(const char *path, unsigned n);
