/*
 * complete: what a shell may offer for the word under the cursor.
 *
 * The completion scripts (--completion SHELL) know nothing of options and commands: at each TAB
 * they run `auditview --complete WORD…` with the words of the command line up to the cursor, of
 * which the last is the unfinished one and may be empty. The answer's first line says what else the
 * shell offers, and is one of
 *
 *	words       nothing else
 *	files       files
 *	captures    files named *.avc, and folders
 *	program N   word N (from 0) is a program: the shell completes as if the line began with it
 *
 * Every further line is a candidate for the whole word, and after a tab what it means. Only
 * candidates that begin with the unfinished word are printed.
 */
#pragma once
#include "base/attr.h"
#include "base/err.h"

struct strbuf;

/* Append the answer for these n words, without the program's own name. n may be 0. */
void complete_add(struct strbuf *to, const char *const *words, size_t n);
