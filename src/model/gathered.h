/*
 * gathered: files, peers, ports and commands of events, whatever the arguments that hold them are
 * called. They are the filter fields file, peer, port and command.
 *
 * The catalogue decides which arguments these are. An event of the kind file (reach.h) names files
 * in the arguments that its gist shows as paths, an event of the kind command a command line, and
 * an event of the kind host an address, a URL, or arguments host and port.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "model/fields.h"

struct trace;

#define GATHERED_MAX 4 /* texts of one event: shutil.copyfile names two files */

struct gathered {
	struct strbuf text;
	size_t ends[GATHERED_MAX];  /* text i is [ends[i - 1], ends[i]) of text */
	uint32_t arg[GATHERED_MAX]; /* text i was in this argument */
	bool is_cut[GATHERED_MAX];  /* text i is the beginning of a longer one */
	size_t n;
	uint32_t at_arg; /* while arguments are read: which one */
	bool at_cut;
};

bool gathered_is(enum field_id field); /* is it one of the four fields? */
/* Can an event of this name have the field, one of the four? */
bool gathered_in_event(enum field_id field, const char *event, size_t n_bytes);
/* Set *to to the texts that an event with this name and these arguments (ids of the trace) has for
 * the field, not escaped. A port is decimal digits. Memory of the text is reused from call to call;
 * the caller calls strbuf_fini(&to->text) at the end. */
void gathered_read(struct trace *t, enum field_id field, uint32_t name, uint32_t args,
		   struct gathered *to);
