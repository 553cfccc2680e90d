/*
 * app_mouse: what clicks, drags and the wheel do.
 */
#pragma once
#include "ui/input.h"

struct app;

void app_mouse(struct app *app, struct input in);
