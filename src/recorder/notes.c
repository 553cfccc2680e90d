/*
 * notes: see notes.h.
 */
#include "recorder/notes.h"

#include <stdarg.h>
#include <string.h>

#include "base/strbuf.h"
#include "recorder/intake.h"
#include "recorder/recorder_private.h"

void notes_add(struct recorder *r, enum note_kind kind, uint32_t process, const char *fmt, ...)
{
	struct strbuf text = { 0 };
	va_list ap;
	va_start(ap, fmt);
	strbuf_addv(&text, fmt, ap);
	va_end(ap);
	struct note_info note = { .kind = kind,
				  .time_ns = clock_time_now(&r->clock),
				  .process = process,
				  .text = intake_string(r->writer, r->redactor, strbuf_str(&text),
							text.n, false) };
	writer_note(r->writer, &note);
	strbuf_fini(&text);
}

void notes_add_lost(struct recorder *r, enum end_loss cause, uint32_t process, uint64_t n,
		    uint64_t time_ns, uint64_t span_ns)
{
	const char *text = session_end_loss_text(cause);
	struct note_info note = { .kind = NOTE_LOST,
				  .time_ns = time_ns,
				  .process = process,
				  .a = n,
				  .b = span_ns,
				  .text = writer_string(r->writer, text, strlen(text)) };
	if (!n)
		return;
	writer_note(r->writer, &note);
	r->end.lost[cause] += n;
}
