/*
 * notes: messages of the recorder inside the capture: what happened, what was lost, what the user
 * should know.
 */
#pragma once
#include <stdint.h>

#include "base/attr.h"
#include "capture/writer.h"
#include "recorder/session_end.h"

struct recorder;

/* Write a note at this place of the capture. kind: NOTE_WARNING or NOTE_MESSAGE. process: its index
 * in the capture, UINT32_MAX if the note is about none. Secrets in the text are redacted. */
void notes_add(struct recorder *r, enum note_kind kind, uint32_t process, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
/* Count `n` events that were raised and are not in the capture, and note them at this place.
 * process: UINT32_MAX if it can be any. time_ns, span_ns: capture time of the last of them, and the
 * time since the first; span_ns is 0 if it is unknown. */
void notes_add_lost(struct recorder *r, enum end_loss cause, uint32_t process, uint64_t n,
		    uint64_t time_ns, uint64_t span_ns);
