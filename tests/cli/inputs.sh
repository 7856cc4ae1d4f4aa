#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs the program on every row of a table of inputs and compares its exit code and its words.
#
#     VQVAE=build/release/vqvae bash tests/cli/inputs.sh check|record TABLE
#
# A row has four columns: commands that make the input, the command, its exit code, and what it
# says on standard error, its lines joined by " / ", without the row's own folder and with HASH for
# each hash; "-" is nothing. The commands are bash, with the
# functions below, in a folder of the row's own that begins with these files:
#
#     images.npy   16 grey images of 8x8
#     pngs/        three of them as PNG: 000000.png to 000002.png
#     run/         a finished training on images.npy, 2 steps long
#     codes.npy    of images.npy by run, with codes.index.jsonl
#
# A command that fails must leave every file as it was. "record" prints the table as it is met.
set -u
mode=$1
table=$(realpath "$2")
VQVAE=$(realpath "$VQVAE")
export LC_ALL=C
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

vqvae() {
    "$VQVAE" "$@"
}

# The program as somebody whom the modes of files bind; they do not bind root.
bound() {
    local bind=()
    [ "$(id -u)" -ne 0 ] || bind=(setpriv --bounding-set=-dac_override,-dac_read_search)
    "${bind[@]}" "$VQVAE" "$@"
}

# Any bytes, the same each time.
bytes() {
    yes 'The quick brown fox jumps over 13 lazy dogs.' | head -c "$1"
}

# npy TYPE SHAPE BYTES: an array on standard output.
npy() {
    local header="{'descr': '$1', 'fortran_order': False, 'shape': ($2), }"
    printf '\223NUMPY\1\0'"\\$(printf %o $((${#header} + 1)))"'\0%s\n' "$header"
    bytes "$3"
}

# Numbers of four bytes, the most significant first.
big() {
    for number in "$@"; do
        printf "\\x$(printf %02x $((number >> 24 & 255)))\\x$(printf %02x $((number >> 16 & 255)))"
        printf "\\x$(printf %02x $((number >> 8 & 255)))\\x$(printf %02x $((number & 255)))"
    done
}

# patch FILE AT BYTES: writes over a part of a file.
patch() {
    printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# cut FILE SIZE: makes a file shorter, or with SIZE -N by N bytes.
cut() {
    truncate -s "$2" "$1"
}

# swap FILE OLD NEW: changes words of one length in a file.
swap() {
    sed -i "s|$2|$3|" "$1"
}

# safetensors HEADER BYTES: a file on standard output.
safetensors() {
    printf "\\x$(printf %02x $((${#1} & 255)))\\x$(printf %02x $((${#1} >> 8)))"'\0\0\0\0\0\0%s' "$1"
    bytes "$2"
}

make_base() {
    mkdir "$place/row"
    cd "$place/row" || exit 1
    npy '|u1' '16, 8, 8' 1024 > images.npy
    vqvae train images.npy -o run --preset tiny --steps 2 --batch 4 --threads 1 -q \
        --set model.level.0.width=4 --set model.level.0.stride=4 --set model.level.0.blocks=0 \
        --set model.level.0.k=8 --set model.level.0.d=2 --set train.log_every=1 > "$place/out" &&
        vqvae encode run images.npy -o codes.npy -q > "$place/out" &&
        vqvae decode run codes.npy -o pngs -n 3 -q > "$place/out" && cp -r . "$place/base"
}

# Of all files but the huge ones, which hold nothing.
sums() {
    find . -type f -size -1000k -exec cksum {} + | sort
}

# Sets $code and $words.
meet() {
    rm -rf "$place/row"
    cp -r "$place/base" "$place/row"
    cd "$place/row" || exit 1
    eval "$1"
    local before after
    before=$(sums)
    code=0
    (eval "$2") > "$place/out" 2> "$place/err" < /dev/null || code=$?
    words=$(awk '{ printf "%s%s", (NR > 1 ? " / " : ""), $0 }' "$place/err" |
        sed -E "s|$place/row/?||g; s/\b[0-9a-f]{16}\b/HASH/g")
    words=${words:--}
    [ "$code" -eq 0 ] || after=$(sums)
    [ "$code" -eq 0 ] || [ "$before" = "$after" ] || words="$words [files have changed]"
    cd "$place" || exit 1
}

export OMP_NUM_THREADS=1
make_base || exit 1
exec 3< "$table"
IFS= read -r head <&3
[ "$mode" = check ] || echo "$head"
rows=0
bad=0
while IFS= read -r line <&3; do
    IFS=$'\t' read -r make command wanted_code wanted <<< "$line"
    meet "$([ "$make" = - ] || echo "$make")" "$command"
    rows=$((rows + 1))
    if [ "$mode" = record ]; then
        printf '%s\t%s\t%s\t%s\n' "$make" "$command" "$code" "$words"
    elif [ "$code" != "$wanted_code" ] || [ "$words" != "$wanted" ]; then
        bad=$((bad + 1))
        printf '%s; %s\n  wanted %s: %s\n  met    %s: %s\n' "$make" "$command" "$wanted_code" \
            "$wanted" "$code" "$words"
    fi
done
[ "$mode" = record ] || echo "$rows rows, $bad of them otherwise"
[ "$bad" -eq 0 ]
