#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# page.sh FOLDER: every program of the walk in FOLDER prints what docs/walk.md and docs/walk.fr.md
# show after "$ ./NAME", and no page shows one that does not exist. Numbers with a point may
# differ by one in their last digit. 8_whole is trained for a few steps where DATASET exists and
# held to the shape of what it prints.
set -eu
folder=$1
: "${DATASET:=/usr/share/datasets/fashion-mnist}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0

# The lines of the page between "$ ./NAME" and the end of the block.
shown() { awk -v line="\$ ./$2" '/^```/ { on = 0 } on; index($0, line) == 1 { on = 1 }' "$1"; }

compare()
{
    awk '
    function near(a, b,   digits) {
        if (a !~ /^-?[0-9]+\.[0-9]+[;,:]?$/ || b !~ /^-?[0-9]+\.[0-9]+[;,:]?$/) return 0
        sub(/[;,:]$/, "", a); sub(/[;,:]$/, "", b)
        digits = length(a) - index(a, ".")
        if (digits != length(b) - index(b, ".")) return 0
        return (a - b < 0 ? b - a : a - b) < 1.5 / 10 ^ digits
    }
    NR == FNR { line[FNR] = $0; lines = FNR; next }
    {
        n = split(line[FNR], want, " ")
        same = FNR <= lines && n == NF
        for (i = 1; same && i <= n; i++) same = want[i] == $i || near(want[i], $i)
        if (!same) { printf "shown:   %s\nprinted: %s\n", line[FNR], $0; bad = 1 }
        seen = FNR
    }
    END { if (seen != lines) { print "shown: " lines " lines, printed: " seen; bad = 1 }; exit bad }
    ' "$1" "$2"
}

# Digits are not the same on every machine after training, the form is.
form() { sed -e 's/[0-9][0-9.]*/9/g' -e 's/  */ /g' -e 's/^\( [.a-p]\)\{14\}$/grid/' "$1"; }

for page in docs/walk.md docs/walk.fr.md; do
    [ -e "$page" ] || { echo "$page is not there" >&2; exit 1; }
    for program in "$folder"/[0-9]_*; do
        name=$(basename "$program")
        shown "$page" "$name" >"$work/shown"
        [ -s "$work/shown" ] || { echo "$page does not show $name" >&2; status=1; continue; }
        if [ "$name" != 8_whole ]; then
            "$program" >"$work/printed"
            compare "$work/shown" "$work/printed" || { echo "$page: $name" >&2; status=1; }
        elif [ -e "$DATASET" ]; then
            [ -e "$work/whole" ] ||
                "$program" "$DATASET:t10k" 8 "$work/picture.png" >"$work/whole"
            form "$work/shown" >"$work/shown.form"
            form "$work/whole" >"$work/printed.form"
            cmp "$work/shown.form" "$work/printed.form" || { echo "$page: $name" >&2; status=1; }
            [ -s "$work/picture.png" ] || { echo "$name wrote no picture" >&2; status=1; }
        else
            echo "$name was not run: there is no $DATASET"
        fi
    done
    for name in $(sed -n 's|^\$ \./\([0-9]_[a-z0-9]*\).*|\1|p' "$page"); do
        [ -x "$folder/$name" ] || { echo "$page shows $name, which is not there" >&2; status=1; }
    done
done
exit "$status"
