#!/usr/bin/env bash
# Runs every fuzz target of the module for the given time, or number of runs, each
# (default 30s). A number is what CI uses: a time limit that ends in the middle of
# a run is reported as a failure of the target.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-30s}
grep -rlE '^func Fuzz' --include='*_test.go' . | sort | while read -r file; do
	dir=$(dirname "$file")
	grep -oE '^func Fuzz[A-Za-z0-9_]*' "$file" | awk '{print $2}' | while read -r target; do
		echo "fuzz $dir $target"
		go test "$dir" -run '^$' -fuzz "^${target}\$" -fuzztime "$time" -fuzzminimizetime 10x
	done
done
