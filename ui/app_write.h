/*
 * app_write: write events to a file, as the action asks.
 */
#pragma once
#include <stdbool.h>

struct app;

/* "[shown|marked|all] PATH": write these events; false: the flash says why not. */
bool app_write(struct app *app, const char *text);
/* With --keep: write what is kept to the capture `text`, which must not exist. False: the flash
 * says why not; what became of it is reported later, by app_dump_answer(). */
bool app_dump(struct app *app, const char *text);
void app_dump_answer(struct app *app); /* if there is one */
