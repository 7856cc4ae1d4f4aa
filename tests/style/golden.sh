#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Golden files are what golden.tsv says they are, at most 64 KiB each and 2 MiB in all, and none
# is there without a row.
set -eu
cd tests/golden

status=0
fail() { echo "tests/golden: $1" >&2; status=1; }

tail -n +2 golden.tsv | cut -f1,6 | while read -r name sum; do
    echo "$sum  $name.safetensors"
done | sha256sum --check --quiet - || fail "a file differs from its row; run make_golden.py"

total=0
for file in *.safetensors; do
    size=$(wc -c <"$file")
    total=$((total + size))
    [ "$size" -le 65536 ] || fail "$file has $size bytes, at most 65536 are allowed"
    cut -f1 golden.tsv | grep -qx "${file%.safetensors}" || fail "$file has no row in golden.tsv"
done
[ "$total" -le 2097152 ] || fail "$total bytes in all, at most 2097152 are allowed"
exit "$status"
