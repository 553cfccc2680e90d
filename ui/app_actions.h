/*
 * app_actions: what the app does when the focused pane does not do an action itself.
 */
#pragma once
#include <stdint.h>

#include "ui/action.h"

struct app;

void app_act(struct app *app, enum action action, uint64_t count, const char *text);
