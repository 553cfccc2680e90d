/*
 * skim: most lines cannot have a hit of a search, and their parts tell so without the line being
 * spelled out.
 *
 * If every hit must have a certain word in it ("module_12" in /module_12.*py/), a line is looked at
 * only if one of its parts (thread, event, arguments, caller) has that word; parts repeat, so each
 * is judged once. A pattern without such a word, or whose word could stand in a time or an address,
 * is not skimmed: then every line may match.
 */
#pragma once
#include <stdbool.h>

struct event;
struct search;
struct skim;
struct view;

struct skim *skim_create(void); /* NULL when memory is short */
void skim_destroy(struct skim *k);
/* A search begins: with another pattern all is forgotten, with the same what may have changed
 * meanwhile. */
void skim_begin(struct skim *k, const struct search *search);
/* False: the line of this event (event_text_line()) has no hit. */
bool skim_may_match(struct skim *k, struct view *s, const struct event *e);
