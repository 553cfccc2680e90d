/*
 * filter_value: the result of a term of a filter for one name, thread, frame or argument.
 */
#pragma once
#include "model/filter_cache.h"

enum verdict filter_value_of_name(struct filter_cache *c, const struct filter_term *t,
				  struct memo *m, uint32_t name);
/* The same for a name that the capture has no event of. Not cached. */
enum verdict filter_value_of_name_text(struct filter_cache *c, const struct filter_term *t,
				       struct memo *m, const char *s, size_t n);
enum verdict filter_value_of_thread(struct filter_cache *c, const struct filter_term *t,
				    struct memo *m, uint32_t thread);
enum verdict filter_value_of_frame(struct filter_cache *c, const struct filter_term *t,
				   struct memo *m, uint32_t frame);
/* Of a distribution; 0: none. Cached. */
enum verdict filter_value_of_package(struct filter_cache *c, const struct filter_term *t,
				     struct memo *m, uint32_t package);
/* Of the descriptors of an event (a value id; 0: none): the best verdict of any. Cached. */
enum verdict filter_value_of_descriptors(struct filter_cache *c, const struct filter_term *t,
					 struct memo *m, uint32_t descriptors);
enum verdict filter_value_of_number(const struct filter_term *t, int64_t value,
				    int64_t wall_anchor_ns);
/* The arguments `args` at a position. Cached. */
enum verdict filter_value_of_args(struct filter_cache *c, const struct filter_term *t,
				  struct memo *m, struct value_table *table, uint32_t args);
/* The same for one event, if the term tests the address of an object. */
enum verdict filter_value_of_event_args(struct filter_cache *c, const struct filter_term *t,
					struct memo *m, int position, uint64_t seq, uint32_t args);
/* One of the fields file, peer, port and command of an event. Cached. */
enum verdict filter_value_of_gathered(struct filter_cache *c, const struct filter_term *t,
				      struct memo *m, struct value_table *table, uint32_t name,
				      uint32_t args);
bool filter_value_is_address(const struct filter_term *t);
/* Which argument the term tests in events of this name; depends on the version of Python. */
int filter_value_position(struct filter_cache *c, const struct filter_term *t, uint32_t name,
			  int minor);
/* Scan all values below `end` in bulk, so that only the candidates are without a verdict. False: a
 * scan does not help. */
struct err *filter_value_scan(struct filter_cache *c, const struct filter_term *t,
			      struct value_table *table, uint32_t end);
