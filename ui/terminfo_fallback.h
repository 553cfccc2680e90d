/*
 * terminfo_fallback: terminal types that are compiled in, for machines without a terminfo database.
 *
 * A static program is brought into containers that have nothing else. The table is made when it is
 * built, by infocmp (data/gen/gen_terminfo.py); a program that uses shared libraries has an empty
 * one, because ncurses comes with its database.
 */
#pragma once

struct terminfo_fallback {
	const char *name;
	/* "b64:" and the compiled entry, a value of TERMINFO: terminfo(5), "Fetching Compiled
	 * Descriptions"; ncurses 6.1 and newer read it */
	const char *entry;
};

/* Ends with a row whose name is NULL. */
extern const struct terminfo_fallback terminfo_fallbacks[];

/* The entry of a terminal type, or NULL; `name` may be NULL. Never freed. */
const char *terminfo_fallback_find(const char *name);
