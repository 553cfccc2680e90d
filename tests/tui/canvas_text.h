/*
 * canvas_text: a canvas as text, for tests.
 */
#pragma once

struct canvas;
struct strbuf;

/* Append the whole canvas as lines of text; trailing blanks are kept, each line ends in '\n'. */
void canvas_text(const struct canvas *c, struct strbuf *to);
/* Append the roles of the canvas, one letter a cell, as the tests of colours read them:
 * ".dnfpcbi#*!" in the order of enum role; upper case or '_' under the cursor's bar. */
void canvas_roles(const struct canvas *c, struct strbuf *to);
