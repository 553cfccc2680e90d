/*
 * filter_value: the result of a term of a filter for one name, thread, frame or argument.
 *
 * Numbers of names, threads, frames, packages and values are ids of the cache's trace; 0 is none. A
 * function that caches keeps the verdict in the memo `m` of the term, unless memory is short.
 */
#pragma once
#include "model/filter_cache.h"

/* Of the name of an event. Cached. */
enum verdict filter_value_of_name(struct filter_cache *c, const struct filter_term *t,
				  struct memo *m, uint32_t name);
/* The same for a name that the capture has no event of. Not cached. */
enum verdict filter_value_of_name_text(struct filter_cache *c, const struct filter_term *t,
				       struct memo *m, const char *s, size_t n);
/* Of a thread (an index): of itself, its interpreter or its process. Cached. */
enum verdict filter_value_of_thread(struct filter_cache *c, const struct filter_term *t,
				    struct memo *m, uint32_t thread);
/* Of one frame, for a member that the term tests. Cached. */
enum verdict filter_value_of_frame(struct filter_cache *c, const struct filter_term *t,
				   struct memo *m, uint32_t frame);
/* Of a distribution; 0: none. Cached. */
enum verdict filter_value_of_package(struct filter_cache *c, const struct filter_term *t,
				     struct memo *m, uint32_t package);
/* Of the descriptors of an event (a value id; 0: none): the best verdict of any. Cached. */
enum verdict filter_value_of_descriptors(struct filter_cache *c, const struct filter_term *t,
					 struct memo *m, uint32_t descriptors);
/* Of a task (a value id; 0: none). Cached. */
enum verdict filter_value_of_task(struct filter_cache *c, const struct filter_term *t,
				  struct memo *m, uint32_t task);
/* Of a number or a time in ns since capture time 0. wall_anchor_ns: CLOCK_REALTIME at that time,
 * for literals that are moments. */
enum verdict filter_value_of_number(const struct filter_term *t, int64_t value,
				    int64_t wall_anchor_ns);
/* Of the arguments `args`, or of the one at the position of the table. Cached. */
enum verdict filter_value_of_args(struct filter_cache *c, const struct filter_term *t,
				  struct memo *m, struct value_table *table, uint32_t args);
/* The same for one event, if the term tests the address of an object, which belongs to the event.
 * Not cached. */
enum verdict filter_value_of_event_args(struct filter_cache *c, const struct filter_term *t,
					struct memo *m, int position, uint64_t seq, uint32_t args);
/* Of one of the fields file, peer, port and command, for events of this name with these arguments.
 * Cached. */
enum verdict filter_value_of_gathered(struct filter_cache *c, const struct filter_term *t,
				      struct memo *m, struct value_table *table, uint32_t name,
				      uint32_t args);
/* Does the term test the address of an object (args… .id)? */
bool filter_value_is_address(const struct filter_term *t);
/* The position of the argument that the term tests in events of this name, raised by Python 3.minor
 * (0: unknown); POSITION_ANY or POSITION_KEY if it is none. */
int filter_value_position(struct filter_cache *c, const struct filter_term *t, uint32_t name,
			  int minor);
