#!/bin/sh
# Measures the goals of the capture format and the model: 1 M and 10 M events like those of real programs.
#   meson compile -C build bench-model          REAL=some.avc resamples that capture instead, MILLIONS="1 10" is how many
set -eu
generate=$1 model=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM
for millions in ${MILLIONS:-1 10}; do
	"$generate" "${millions}000000" "$folder/bench.avc" 1 ${REAL:+"$REAL"}
	"$model" "$folder/bench.avc"
done
