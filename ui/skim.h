/*
 * skim: skips lines that cannot have a hit of a search without making their text.
 *
 * If every hit must contain a certain word ("module_12" in /module_12.*py/), a line is searched
 * only if one of its parts (thread, event, arguments, caller, fold) contains that word, in full or
 * as drawn; parts repeat, so each is judged once. If a pattern has no such word, or the word could
 * be part of a time or an address, every line may match and is searched.
 */
#pragma once
#include <stdbool.h>

struct event;
struct row_look;
struct search;
struct skim;
struct view;

struct skim *skim_create(void); /* NULL if memory is short */
void skim_destroy(struct skim *k);
/* A search begins: if the pattern is new, everything is forgotten; else only what may have changed
 * since the last search. */
void skim_begin(struct skim *k, const struct search *search, const struct row_look *look);
/* Return false if neither the line of this event (event_text_line()) nor its row
 * (event_row_text()) has a hit. */
bool skim_may_match(struct skim *k, struct view *s, const struct event *e);
