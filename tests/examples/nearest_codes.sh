#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# nearest_codes.sh FOLDER VQVAE: the example finds the nearest codes, trains them and says what is
# wrong; it works without oneDNN, which a program loads that is told to.
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

"$folder/nearest_codes" "$work/codes.npy" "$work/data.npy" "$work/trained.npy" > "$work/out"
printf '1\n2\n0\n' | cmp - "$work/out" || fail 'other codes than by hand'

# Averages of decay 0.99 from counts of one, each code with one vector: a hundredth of the way there.
bytes() { od -An -v -tf4 -j128 "$1" | tr -s ' \n' '\n'; }
bytes "$work/trained.npy" | awk 'NF { x[n++] = $1 }
    function near(a, b) { return a - b < 1e-4 && b - a < 1e-4 }
    END { exit !(n == 6 && near(x[0], 0) && near(x[1], 0) && near(x[2], 1) &&
                 near(x[3], 1.01) && near(x[4], 3) && near(x[5], 2.01)) }' ||
    fail 'other codes after training than by hand'

if "$folder/nearest_codes" "$work/codes.npy" "$work/none.npy" "$work/none" 2> "$work/error"; then
    fail 'a missing file is no failure'
fi
grep -q 'none.npy' "$work/error" || fail 'the sentence names no file'
[ ! -e "$work/none" ] || fail 'a codebook is saved though nothing was read'

# What a program loads, as the dynamic linker tells it; a look for leaks crashes where it does.
loaded()
{
    ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0" LD_DEBUG=files LD_DEBUG_OUTPUT="$work/loaded" "$@" > /dev/null
    cat "$work"/loaded.*
    rm -f "$work"/loaded.*
}
loaded "$folder/nearest_codes" "$work/codes.npy" "$work/data.npy" "$work/again.npy" > "$work/list"
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
