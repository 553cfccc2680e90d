#!/bin/sh
# The monkey on the real program: COUNT (100000) random inputs on a capture, as many on a live Python target.
#   meson setup build-asan -Db_sanitize=address,undefined && meson compile -C build-asan long-monkey     SEED=… COUNT=… PYTHON=…
set -eu
monkey=$1 auditview=$2 screen_tool=$3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM
"$screen_tool" --sample "$folder/shop.avc"
"$monkey" "$auditview" "${COUNT:-100000}" "${SEED:-1}" "$folder/shop.avc"
"$monkey" "$auditview" "${COUNT:-100000}" "${SEED:-1}" --live "${PYTHON:-python3}"
