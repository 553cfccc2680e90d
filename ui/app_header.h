/*
 * app_header: the first line and the last line.
 */
#pragma once
#include "ui/canvas.h"

struct app;

void app_header_draw(struct app *app, struct area line);
void app_header_take(struct app *app);
void app_header_draw_keys(struct app *app, struct area line);
