#!/bin/sh
# From key to screen, on 10 M events and while a target raises about 100 k events a second; see screen.c.
#   meson compile -C build bench-screen          MILLIONS=1 is how many, CAPTURE=some.avc is used instead, PYTHON=…
set -eu
generate=$1 screen=$2 auditview=$3 target=$4
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM
if [ -z "${CAPTURE:-}" ]; then
	CAPTURE=$folder/bench.avc
	"$generate" "${MILLIONS:-10}000000" "$CAPTURE" 1
fi
"$screen" "$auditview" "$CAPTURE"
"$screen" "$auditview" --live "${PYTHON:-python3}" "$target"
"$screen" "$auditview" --grow "${SECONDS_LIVE:-120}" "${PYTHON:-python3}" "$target"
