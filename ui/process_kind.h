/*
 * process_kind: what a recorded process is for: its framework, its virtual environment, which
 * worker of its master it is.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct strbuf;
struct trace;

/* Append ", gunicorn worker 2, virtual environment /srv/env", as much of it as is known;
 * escaped. */
void process_kind_add(struct strbuf *to, struct trace *t, uint32_t process);
/* Append "gunicorn worker 2", or "worker 2" if the framework is not known; false: its parent runs
 * another command. */
bool process_kind_add_worker(struct strbuf *to, struct trace *t, uint32_t process);
