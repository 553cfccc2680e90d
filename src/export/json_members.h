/*
 * json_members: the members of a JSON line, schema 1, as one table (json_members.c), and what is
 * made from it: the JSON Schema, and the definition of a table for an engine that keeps the lines
 * of many machines.
 *
 * To add a member: write it in export_jsonl.c, read it in src/import, and add its row.
 * tests/e2e/check_exchange.py compares the table with real output, and
 * data/auditview-json.schema.json with the table.
 */
#pragma once

struct strbuf;

/* name: a word of --schema (options.c): clickhouse or json. */
void json_members_schema(struct strbuf *to, const char *name);
