/*
 * ending: the facts of how this session ends, and the last words in the capture. session_end.h puts
 * them into words for the user.
 */
#pragma once
#include "recorder/session_end.h"

struct recorder;

void ending_stop(struct recorder *r, enum end_stop why); /* the first reason counts */
/* The same, and the session ends now. */
void ending_request(struct recorder *r, enum end_stop why);
/* What is known at this moment; of the file, what the writer was given. */
void ending_take(struct recorder *r, struct session_end *ret);
/* Write to the file what the writer has. A failure is noted as the reason why the file is not
 * whole. */
void ending_flush(struct recorder *r);
/* Note what each process has lost and not reported itself, write the last note, close the capture,
 * and complete r->end. */
void ending_close(struct recorder *r);
