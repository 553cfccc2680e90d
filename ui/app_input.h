/*
 * app_input: keys, pasted text and the mouse: what each input does.
 */
#pragma once
#include <stdbool.h>

#include "ui/input.h"

struct app;

void app_input(struct app *app, struct input in);
/* If no search runs, act on the keys that waited for its end. Returns true if one of them began
 * another search. */
bool app_input_waiting(struct app *app);
