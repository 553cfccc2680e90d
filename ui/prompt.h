/*
 * prompt: one line of text being edited, with history, completion and a verdict on the text so far.
 *
 * The prompt knows nothing of filters or files: its caller gives it a struct prompt_ops. Each
 * change calls check(), which may report an error (its place is underlined) or a fact ("79 727 in 3
 * ms"), and complete(), which fills the box.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "base/vec.h"
#include "ui/canvas.h"
#include "ui/input.h"

struct pane_host;

enum { PROMPT_CHOICES_MAX = 200, PROMPT_HISTORY_MAX = 200 };

struct prompt_choice {
	char *text;  /* replaces the word; malloc'ed */
	char *doc;   /* shown at its right: a count or a word; may be NULL */
	bool is_dim; /* this choice would find nothing */
};

struct prompt_choices {
	VEC(struct prompt_choice) list;
	size_t from, to; /* bytes of the text that a choice replaces */
	char title[64];  /* for example "event, in this capture" */
};

struct prompt_verdict {
	bool is_error;
	size_t at, n_bytes; /* the wrong part of the text */
	char message[320];  /* the error, or facts for the right end of the line */
};

struct prompt_ops {
	const char *label; /* "filter: " */
	bool offers;       /* for an empty text complete() offers whole texts; Down chooses one */
	int history;       /* number of its history: 0 … PROMPT_HISTORIES - 1; -1: none */
	/* may be NULL */
	void (*check)(const struct pane_host *host, const char *text, struct prompt_verdict *ret);
	/* may be NULL */
	void (*complete)(const struct pane_host *host, const char *text, size_t cursor,
			 struct prompt_choices *ret);
	/* Called after each change, to show the result. `text` is the text so far, or the text with
	 * the chosen completion. */
	/* may be NULL */
	void (*preview)(const struct pane_host *host, const char *text);
	bool (*accept)(const struct pane_host *host, const char *text); /* false: stay open */
	void (*cancel)(const struct pane_host *host);                   /* may be NULL */
};
enum { PROMPT_HISTORIES = 4 };

/* What a prompt asks of its owner. */
struct prompt_owner {
	/* Keep an accepted text for later sessions. */
	void (*keep)(const struct pane_host *host, int history, const char *text);
	/* Return the message on the screen and remove it from there; NULL: there is none. Borrowed
	 * until the next message. */
	const char *(*take_message)(const struct pane_host *host);
};

struct prompt {
	const struct prompt_ops *ops; /* NULL: closed */
	struct strbuf text;
	size_t cursor; /* byte offset */
	struct prompt_choices choices;
	int chosen;       /* -1: none */
	int first_choice; /* top of the box */
	bool box_hidden;
	bool is_begun;       /* wrong only because the word at the cursor is not whole */
	bool ghost_is_wrong; /* and the completed text is wrong, too: something must follow */
	struct prompt_verdict verdict;
	/* why the last key had no effect; NULL: it had one. Static text */
	const char *note;
	VEC(char *) history[PROMPT_HISTORIES];
	size_t history_at; /* history.n: the line being typed */
	char *typed;       /* that line, while older ones are shown */
	char *good;        /* the last text without an error */
	const struct prompt_owner *owner;
};

void prompt_open(struct prompt *p, const struct pane_host *host, const struct prompt_ops *ops,
		 const char *text);
void prompt_close(struct prompt *p);
void prompt_fini(struct prompt *p);
static inline bool prompt_is_open(const struct prompt *p)
{
	return p->ops != NULL;
}
/* Take a key or a pasted character. */
void prompt_input(struct prompt *p, const struct pane_host *host, struct input in);
/* Call check() again: what it depends on has changed. */
void prompt_recheck(struct prompt *p, const struct pane_host *host);
/* The number of lines: 1; with an error 3, or 4 if the error is long. */
int prompt_n_lines(const struct prompt *p, int n_columns);
/* Draw the prompt in `last`, and the box over `all`. */
void prompt_draw(const struct prompt *p, struct area all, struct area last);

void prompt_add_choice(struct prompt_choices *c, const char *text, size_t n_bytes, const char *doc,
		       bool is_dim);
void prompt_remember(struct prompt *p, int history, const char *text);
