/*
 * process_kind: what a recorded process is for: its framework, its virtual environment, which
 * worker of its master it is.
 */
#pragma once
#include <stdint.h>

struct strbuf;
struct trace;

/* Append ", gunicorn worker 2, virtual environment /srv/env", as much of it as is known; escaped. */
void process_kind_add(struct strbuf *to, struct trace *t, uint32_t process);
