/*
 * complete_scripts: the completion scripts of --completion. Each asks the program at every TAB
 * (complete.h).
 */
#pragma once
#include <stdbool.h>

struct strbuf;

/* Append the script for this shell; false if it is neither bash, zsh nor fish. */
bool complete_script_add(struct strbuf *to, const char *shell);
