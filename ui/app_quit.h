/*
 * app_quit: leaving, and what becomes of the programs that were started here.
 */
#pragma once
#include <stdbool.h>

struct app;
struct view;

/* Was the program of this session started here, and does it still run? s may be NULL. */
bool app_must_ask(const struct view *s);
/* Ask what becomes of the program. goes_back: then the session below is shown; else auditview
 * ends. */
void app_ask_quit(struct app *app, bool goes_back);
void app_answer_quit(struct app *app, int key);
/* Leave, but first ask about each program that was started here. */
void app_quit(struct app *app);
/* Close the question if the program has ended meanwhile. */
void app_quit_watch(struct app *app);
