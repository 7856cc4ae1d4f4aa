#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every source names its licence in its first lines; no file has tabs, blanks at the ends of
# lines or a last line without an end; none points at a place on somebody's machine.
set -eu

list() { git ls-files; }
git rev-parse --is-inside-work-tree >/dev/null 2>&1 ||
    list() { find . -path ./build -prune -o -path ./runs -prune -o -type f -print | sed 's|^\./||'; }

binary='^LICENSE$|\.(npy|safetensors|png|jpe?g|gz|tar|bin|svg)$|^tests/fuzz/corpus/'
list | grep -vE "$binary" | while read -r file; do [ ! -s "$file" ] || echo "$file"; done |
    xargs awk '
function refuse(line, why) {
    printf "%s:%d: %s\n", file, line, why
    bad = 1
}
function finish() {
    if (file == "") return
    if (source && !licensed) refuse(1, "lacks SPDX-License-Identifier: Apache-2.0 near its top")
}
FNR == 1 {
    finish()
    file = FILENAME
    licensed = 0
    source = file ~ /\.([ch]|def|sh|awk|bats|py|cmake|cmake\.in)$|CMakeLists\.txt$|^Makefile$/ ||
             file == ".ci/run"
    tabs = file == "Makefile" || file ~ /\.tsv$/
}
FNR <= 3 && /SPDX-License-Identifier: Apache-2\.0/ { licensed = 1 }
/\t/ && !tabs { refuse(FNR, "a tab") }
/[ \t\r]$/ { refuse(FNR, "blanks at the end of the line") }
/\/(work|root|home\/[a-z]+)\// { refuse(FNR, "a place on one machine") }
END {
    finish()
    exit bad
}' || exit 1

# What awk cannot see: whether the last line ends.
status=0
for file in $(list | grep -vE "$binary"); do
    if [ -s "$file" ] && [ "$(tail -c 1 "$file" | wc -l)" -eq 0 ]; then
        echo "$file: its last line does not end"
        status=1
    fi
done
exit "$status"
