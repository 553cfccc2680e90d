#!/bin/sh
# Times the same queries with auditview and with the usual tools on the exported JSON lines, in one run.
#   meson compile -C build bench-peers          EVENTS=100000 is how many, REAL=some.avc resamples that capture
# apt-get install ripgrep jq sqlite3 lnav installs the others; a missing tool is left out.
set -eu
generate=$1 auditview=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM
"$generate" "${EVENTS:-100000}" "$folder/b.avc" 1 ${REAL:+"$REAL"}
"$auditview" export "$folder/b.avc" --format jsonl -o "$folder/b.jsonl"
ls -l "$folder" | awk 'NR > 1 { print $5, "bytes", $9 }'

# seconds WHAT COMMAND…: best of three in wall-clock time, and the first line of the output. Counts of whole lines are
# higher: they also match text in a stack.
seconds() {
	what=$1; shift
	best=; out=
	for i in 1 2 3; do
		start=$(date +%s%N)
		out=$("$@" 2>/dev/null | head -n 1) || true
		took=$((($(date +%s%N) - start) / 1000))
		if [ -z "$best" ] || [ "$took" -lt "$best" ]; then best=$took; fi
	done
	printf '%-46s %12s %9d.%03d ms\n' "$what" "$out" $((best / 1000)) $((best % 1000))
}
have() { command -v "$1" >/dev/null; }
export AUDITVIEW="$auditview" B="$folder/b"
# lnav needs a format that names the members; the second line of its output is the first row.
mkdir -p "$folder/formats/auditview"
cat >"$folder/formats/auditview/auditview.json" <<'END'
{"$schema": "https://lnav.org/schemas/format-v1.schema.json",
 "auditview": {"title": "auditview", "json": true, "file-pattern": "\\.jsonl$", "timestamp-field": "time", "body-field": "event",
  "hide-extra": true, "value": {"event": {"kind": "string"}, "args": {"kind": "json"}},
  "line-format": [{"field": "__timestamp__"}, " ", {"field": "event"}, " ", {"field": "args"}]}}
END
ask_lnav() {
	export LNAV="$folder" QUESTION=";$2"
	seconds "$1" sh -c 'TERM=xterm timeout 600 lnav -I "$LNAV" -n -c "$QUESTION" "$B.jsonl" </dev/null | sed -n 2p | tr -s " "'
}

echo "events with an argument that matches /package.*_[0-9]+/"
seconds 'auditview stat (start to end)' sh -c '"$AUDITVIEW" stat "$B.avc" -Y "args ~ /package.*_[0-9]+/" | tail -n 1 | cut -c 1-12'
have rg && seconds 'ripgrep (whole lines, stacks too)' rg -c 'package.*_[0-9]+' "$B.jsonl"
have jq && seconds 'jq' sh -c 'jq -c "select(.args | tostring | test(\"package.*_[0-9]+\"))" "$B.jsonl" | wc -l'

echo "events by name"
seconds 'auditview stat --by event' sh -c '"$AUDITVIEW" stat "$B.avc" --by event | sed -n 2p'
have rg && seconds 'ripgrep | sort | uniq -c' sh -c 'rg -o "\"event\":\"[^\"]*\"" "$B.jsonl" | sort | uniq -c | sort -rn'
if have sqlite3; then
	sqlite3 "$B.db" 'create table line (text)'
	seconds 'sqlite3, import of the lines' sh -c 'rm -f "$B.db"; sqlite3 "$B.db" "create table line (text)" ".mode tabs" ".import $B.jsonl line"'
	sqlite3 "$B.db" "create table event as select json_extract(text, '\$.event') as name, json_extract(text, '\$.args') as args from line;
		create index by_name on event (name)"
	seconds 'sqlite3, count by name with an index' sqlite3 "$B.db" 'select count(*), name from event group by name order by 1 desc'
	seconds 'sqlite3, arguments like %package%' sqlite3 "$B.db" "select count(*) from event where args like '%package%'"
fi
if have lnav; then # each query starts it again, and each start reads the file again, as for a user
	ask_lnav 'lnav, count all' 'select count(*) from auditview'
	ask_lnav 'lnav, count by name' 'select count(*) as n, log_body from auditview group by log_body order by n desc'
	ask_lnav 'lnav, arguments that match' "select count(*) from auditview where args regexp 'package.*_[0-9]+'"
fi
exit 0
