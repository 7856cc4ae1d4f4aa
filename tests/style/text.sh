#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every source names its licence in its first lines; no file has tabs, blanks at the ends of
# lines or a last line without an end; none points at a place on somebody's machine.
set -eu

status=0
fail() { echo "$1" >&2; status=1; }

# Make wants tabs; what git does not track is nobody's business yet.
tracked() { git ls-files; }
if ! git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    tracked() { find . -path ./build -prune -o -type f -print | sed 's|^\./||'; }
fi

for file in $(tracked | grep -E '\.([ch]|def|sh|awk|bats|py|cmake|in)$|CMakeLists.txt$|^Makefile$|^\.ci/run$' |
              grep -vE '\.pc\.in$'); do
    [ -f "$file" ] || continue
    head -n 3 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0' ||
        fail "$file: its first lines lack SPDX-License-Identifier: Apache-2.0"
done

tab=$(printf '\t')
for file in $(tracked | grep -vE '^(LICENSE|build/)|\.(npy|safetensors|png|jpg|jpeg|gz|tar|bin)$|^tests/fuzz/corpus/'); do
    [ -s "$file" ] || continue
    [ "$file" = Makefile ] || [ "${file##*.}" = tsv ] || ! grep -n "$tab" "$file" ||
        fail "$file: has tabs"
    ! grep -n ' $' "$file" || fail "$file: has blanks at the ends of lines"
    [ -z "$(tail -c 1 "$file")" ] || fail "$file: its last line does not end"
    ! grep -nE '/(work|home/[a-z]+|root)/' "$file" || fail "$file: names a place on one machine"
done
exit "$status"
