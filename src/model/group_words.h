/*
 * group_words: the words that `stat --by` takes.
 *
 * They are the filter fields that are groups (fields.h), a few words for what no field has, and the
 * ready summaries (summary_ready.h). No list of them is kept elsewhere: completion, messages and
 * the check of the option use this one.
 */
#pragma once
#include <stddef.h>

/* The words in the order in which a message lists them; NULL after the last. They live forever. */
const char *group_word_at(size_t i);
