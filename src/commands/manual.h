/*
 * manual: the sections of the manual page that are made from tables: COMMANDS, OPTIONS, FILTER
 * FIELDS, FORMATS, ACTIONS AND KEYS, CONFIGURATION. data/gen/gen_manual.py inserts them into
 * data/auditview.1.in.
 */
#pragma once

struct strbuf;

void manual_add(struct strbuf *to);
