/*
 * lesson: small programs to learn from, with questions that the capture of their own run answers.
 *
 * The texts are data/lessons; data/gen/gen_lessons.py checks them and writes the tables at build
 * time. No answer is stored: lesson_truth() finds it in the capture of the run, so it is right for
 * the Python that ran it.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct own;
struct strbuf;
struct trace;

enum lesson_answer {
	LESSON_NUMBER,   /* how many events match */
	LESSON_GUESS,    /* the same, but any answer is accepted */
	LESSON_YES,      /* "yes" if one matches, else "no" */
	LESSON_EVENT,    /* name of the first that matches */
	LESSON_FUNCTION, /* function of its caller */
	LESSON_ARG,      /* its argument `arg`, as text */
	LESSON_LAST,     /* argument `arg` of the last that matches */
	LESSON_ANSWER_COUNT
};

struct lesson_step {
	const char *text;
	const char *filter; /* display filter that shows it; NULL = all */
	const char *question;
	enum lesson_answer kind;
	const char *arg;
	const char *truth_filter;
	bool is_on_second; /* about the second program */
	const char
	    *expected; /* what tests expect of the truth: a number, ">N", a text; NULL: it varies */
	const char *hint;
	const char *after; /* shown after the answer; {answer} is replaced by the truth */
};

struct lesson {
	int number, minutes;
	const char *title, *about;
	/* a module that the Python must have; NULL if the standard library suffices */
	const char *module;
	const char *program;
	const char *second_program; /* to be compared with the first; usually NULL */
	const struct lesson_step *steps;
	size_t n_steps;
};
extern const struct lesson lessons[];
extern const size_t n_lessons;

/* NULL if there is no such lesson. */
const struct lesson *lesson_find(int number);

/* Find the answer in the capture of the run and append it. Counts only what the program caused
 * itself (own.h). Errors: a filter that does not compile; ERR_NOT_FOUND if no event matches. Calls
 * trace_trim(). */
MUST_CHECK struct err *lesson_truth(const struct lesson_step *s, struct trace *t,
				    const struct own *own, struct strbuf *ret);

/* The same over all events of the capture, with what Python does before and after the program: what
 * the list on the screen shows with this filter. */
MUST_CHECK struct err *lesson_truth_of_all(const struct lesson_step *s, struct trace *t,
					   struct strbuf *ret);

/* Is an answer right? Case, surrounding spaces and quotes are ignored; "y" means yes, as does the
 * word of the reader's language (tr.h); the last part of a path or dotted name suffices. */
bool lesson_is_right(const struct lesson_step *s, const char *truth, const char *answer);
/* Does the truth agree with s->expected? True if that is NULL. */
bool lesson_is_as_expected(const struct lesson_step *s, const char *truth);
/* The truth as it is shown: yes and no are in the reader's language. It is `truth`, or lives
 * forever. */
const char *lesson_truth_shown(const struct lesson_step *s, const char *truth);
/* Append s->after, in the reader's language, with the truth in it. */
void lesson_after(struct strbuf *to, const struct lesson_step *s, const char *truth);
