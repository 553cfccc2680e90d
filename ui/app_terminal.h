/*
 * app_terminal: the terminal of the launched program as a part of the main page.
 *
 * It lies below the list. It opens by itself, once, when the program asks for a line or for keys.
 * The keys then go to the program if the user has not typed anything yet, else they stay where they
 * are. Ctrl-] moves between the list and the terminal. The key after it is looked up among those of
 * the terminal (keys.c) first, as after the prefix key of tmux; any other key acts on the list.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct app;

/* Show the terminal and give it the keys; it has the whole screen if it had it when it was left. */
void app_terminal_focus(struct app *app);
/* Give the keys to the list. */
void app_terminal_leave(struct app *app);
void app_terminal_close(struct app *app);
/* Do the keys go to the program, and not to auditview? */
bool app_terminal_has_keys(const struct app *app);
/* Take the key after Ctrl-]; false: it is none of the terminal's. */
bool app_terminal_prefixed(struct app *app, int key);
/* Open the terminal when the program asks for input. */
void app_terminal_watch(struct app *app);
/* When app_terminal_watch() must be called again; UINT64_MAX: not before something happens. */
uint64_t app_terminal_deadline(const struct app *app);
