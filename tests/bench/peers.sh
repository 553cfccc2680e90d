#!/bin/sh
# The same questions asked of auditview and of the tools people would otherwise use on the exported JSON lines, in one run.
#   meson compile -C build bench-peers          MILLIONS=1 is how many events, REAL=some.avc resamples that capture
set -eu
generate=$1 auditview=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$generate" "${MILLIONS:-1}000000" "$folder/b.avc" 1 ${REAL:+"$REAL"}
"$auditview" export "$folder/b.avc" --format jsonl -o "$folder/b.jsonl"
ls -l "$folder" | awk 'NR > 1 { print $5, "bytes", $9 }'

# seconds WHAT COMMAND…: best of three, with the output's first line, which must be the same count for all
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

echo "events with an argument that matches /package.*_[0-9]+/"
seconds 'auditview stat (start to end)' sh -c '"$AUDITVIEW" stat "$B.avc" -Y "args ~ /package.*_[0-9]+/" | grep -o "[0-9 ]* events" | tail -n 1'
have rg && seconds 'ripgrep (whole lines, stacks too)' rg -c 'package.*_[0-9]+' "$B.jsonl"
have jq && [ "${MILLIONS:-1}" -le 1 ] && seconds 'jq' sh -c 'jq -c "select(.args | tostring | test(\"package.*_[0-9]+\"))" "$B.jsonl" | wc -l'

echo "events by name"
seconds 'auditview stat --by event' sh -c '"$AUDITVIEW" stat "$B.avc" --by event | sed -n 2p'
have rg && seconds 'ripgrep | sort | uniq -c' sh -c 'rg -o "\"event\":\"[^\"]*\"" "$B.jsonl" | sort | uniq -c | sort -rn'
if have sqlite3; then
	sqlite3 "$B.db" 'create table line (text)'
	seconds 'sqlite3, import of the lines' sh -c 'rm -f "$B.db"; sqlite3 "$B.db" "create table line (text)" ".mode ascii" ".separator \x01 \n" ".import $B.jsonl line"'
	sqlite3 "$B.db" "create table event as select json_extract(text, '\$.event') as name, json_extract(text, '\$.args') as args from line;
		create index by_name on event (name)"
	seconds 'sqlite3, count by name with an index' sqlite3 "$B.db" 'select count(*), name from event group by name order by 1 desc'
	seconds 'sqlite3, arguments like %package%' sqlite3 "$B.db" "select count(*) from event where args like '%package%'"
fi
have lnav && seconds 'lnav, count by indexing' sh -c 'lnav -n -c ";select count(*) from all_logs" "$B.jsonl"'
exit 0
