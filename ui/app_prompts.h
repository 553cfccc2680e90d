/*
 * app_prompts: the prompts: filter, search, command, file to write, note, name of a filter.
 */
#pragma once
#include <stdbool.h>

struct app;

void app_prompt_filter(struct app *app, const char *text);
void app_prompt_search(struct app *app, bool backwards);
void app_prompt_command(struct app *app, const char *text);
void app_prompt_write(struct app *app);
void app_prompt_dump(struct app *app); /* proposes a name with the time of day */
void app_prompt_note(struct app *app);
void app_prompt_save_filter(struct app *app);
/* run a `:` line; false: a message says why not */
bool app_command(struct app *app, const char *text);
