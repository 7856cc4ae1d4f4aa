#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# nearest_codes.sh FOLDER VQVAE: the example finds the nearest codes and says what is wrong; it works
# without oneDNN, which a program loads that is told to.
set -eu
folder=$1
vqvae=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { echo "$1" >&2; exit 1; }

# A matrix of N x 2 f32 numbers, whose bytes are given, behind the header that numpy writes.
matrix()
{
    header="{'descr': '<f4', 'fortran_order': False, 'shape': ($2, 2), }"
    { printf '\223NUMPY\001\000\166\000'; printf '%-117s\n' "$header"; printf '%b' "$3"; } > "$1"
}
zero='\000\000\000\000' one='\000\000\200\077' two='\000\000\000\100' three='\000\000\100\100'
matrix "$work/codes.npy" 3 "$zero$zero$one$one$three$two"
matrix "$work/data.npy" 3 "$one$two$three$three$zero$zero"

"$folder/nearest_codes" "$work/codes.npy" "$work/data.npy" > "$work/out"
printf '1 1\n2 1\n0 0\n' | cmp - "$work/out" || fail 'other codes than by hand'
if "$folder/nearest_codes" "$work/codes.npy" "$work/none.npy" > "$work/out" 2> "$work/error"; then
    fail 'a missing file is no failure'
fi
grep -q 'none.npy' "$work/error" || fail 'the sentence names no file'

# What a program loads, as the dynamic linker tells it.
loaded()
{
    LD_DEBUG=files LD_DEBUG_OUTPUT="$work/loaded" "$@" > /dev/null
    cat "$work"/loaded.*
    rm -f "$work"/loaded.*
}
loaded "$folder/nearest_codes" "$work/codes.npy" "$work/data.npy" > "$work/list"
grep -q 'libvqvae\|jansson' "$work/list" || fail 'the dynamic linker told nothing'
if grep -q 'dnnl' "$work/list"; then fail 'oneDNN is loaded for a codebook'; fi
# The same look at a program that has reason to load it, where libvqvae has it in a library.
for library in "$(dirname "$vqvae")"/libvqvae-onednn.so.*; do
    [ -e "$library" ] || continue
    loaded "$vqvae" bench forward --preset tiny --batch 1 --runs 1 --quiet \
        --backend onednn > "$work/list"
    grep -q 'dnnl' "$work/list" || fail 'oneDNN is not found in the list of a program that uses it'
    loaded "$vqvae" --version > "$work/list"
    if grep -q 'dnnl' "$work/list"; then fail 'oneDNN is loaded to tell the version'; fi
done
