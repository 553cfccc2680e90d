/*
 * group_words: see group_words.h.
 */
#include "model/group_words.h"

#include "base/attr.h"
#include "model/fields.h"
#include "model/summary_ready.h"

/* What events are counted by and filters have no field for. */
static const char *const others[] = {
	"machine", /* the host that a process runs on, also if the capture is of one machine */
	"module",  /* what an import event imports */
	"what",    /* what an event is about, of whatever kind */
	"import",  /* what importing each module cost */
};

const char *group_word_at(size_t i)
{
	for (size_t k = 0; k < FIELD_COUNT; k++)
		if (fields[k].is_group && !i--)
			return fields[k].name;
	if (i < ARRAY_LEN(others))
		return others[i];
	i -= ARRAY_LEN(others);
	return i < READY_SUMMARIES ? ready_summaries[i].name : NULL;
}
