#!/bin/sh
# ways_out.sh WAYS_OUT AUDITVIEW SCREEN_TOOL [NAME…]: on a fresh sample capture.
set -eu
ways_out=$1 auditview=$2 screen_tool=$3
shift 3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM
"$screen_tool" --sample "$folder/shop.avc"
"$ways_out" "$auditview" "$folder/shop.avc" "${PYTHON:-python3}" "$@"
