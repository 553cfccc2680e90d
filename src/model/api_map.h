/*
 * api_map: which events a call of the standard library raises, in order, as measured on each
 * version; and which calls raise none.
 *
 * The facts are data/api_map.tsv, made by data/gen/measure_apis.py from data/api_calls.rec, and
 * data/blind_spots.rec; data/gen/gen_api_map.py checks them against the catalogue and writes the
 * tables at build time. All of it is constant.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct catalog_event;

struct api_step {
	uint16_t event; /* index into catalog_events */
	uint16_t times; /* how many times in a row */
};
struct api_outcome {
	uint32_t minors;  /* bit N: measured on 3.N */
	uint16_t n_steps; /* 0: it raises no event */
	const struct api_step *steps;
};
struct api_call {
	const char *api;  /* "os.rename" */
	const char *call; /* "os.rename(a, b)" */
	const char *note; /* NULL if there is none */
	uint16_t n_outcomes;
	const struct api_outcome *outcomes; /* oldest version first */
};
extern const struct api_call api_calls[]; /* by api, then in the order of reading */
extern const size_t n_api_calls;
extern const char api_versions[]; /* "3.8.18 3.9.18 ...": the measured versions */

struct blind_spot {
	const char *title, *text;
	/* a script; hooks see nothing of what runs between its sys.audit("demo.here") marks */
	const char *demo;
	/* an event that is raised there nevertheless in but_minors; NULL for none */
	const char *but_event;
	uint32_t but_minors;
	/* calls measured to raise nothing; NULL-terminated, the same below */
	const char *const *calls;
	const uint16_t *events; /* indices into catalog_events whose pages mention it */
	uint16_t n_events;
};
extern const struct blind_spot blind_spots[];
extern const size_t n_blind_spots;

/* Calls of one API: returns the first and stores how many follow it; NULL and 0 if it was not
 * measured. "os.rename()" is accepted too. */
const struct api_call *api_map_find(const char *api, size_t n_bytes, size_t *ret_n);

/* Does any outcome of the call raise the event in 3.minor (0: in any version)? */
bool api_call_raises(const struct api_call *c, const struct catalog_event *e, int minor);

/* The APIs whose names are nearest to an unknown one, best first: at most max names, without
 * duplicates. */
size_t api_map_nearest(const char *api, size_t n_bytes, const char **ret, size_t max);

/* The next blind spot at or after *at (start with 0) that an event's page mentions, or NULL. */
const struct blind_spot *api_map_blind_spot_next(const struct catalog_event *e, size_t *at);
