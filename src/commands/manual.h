/*
 * manual: the sections of the manual pages that are made from tables: COMMANDS, OPTIONS, FILTER
 * FIELDS, FORMATS, ACTIONS AND KEYS, CONFIGURATION. data/gen/gen_manual.py inserts each into the
 * page that asks for it.
 */
#pragma once

struct strbuf;

void manual_add(struct strbuf *to);
