#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Compiles the kernels and what they stand on, with their tests, by the compiler $CC alone:
#
#     CC=aarch64-linux-gnu-gcc sh scripts/kernels.sh OUT [NAME...]
#
# leaves in OUT the programs NAME: tests such as test_gemm, or exactness of bench/. Without a NAME
# it makes all of them. For another processor the host's libraries are of no use: cmocka's part is
# then played by tests/cross.
set -eu
out=$1
shift
cd "$(dirname "$0")/.."
: "${CC:=gcc}" "${CFLAGS:=-O2}" "${JOBS:=$(nproc)}"

# cmake/VqvaeFlags.cmake says why.
flags="-std=gnu17 -fno-math-errno -fno-trapping-math -ffp-contract=off -fopenmp"
flags="$flags $CFLAGS -Iinclude -Isrc -Itests/kernels"
libraries=-lm
mkdir -p "$out/objects"
if [ "$($CC -dumpmachine | cut -d- -f1)" = "$(uname -m)" ]; then
    libraries="$libraries -lcmocka"
else
    flags="$flags -Itests/cross -I$out/include"
    mkdir -p "$out/include"
    cp /usr/include/xxhash.h "$out/include" # all of it is in the header
fi

# Settings need the library for JSON and nothing here needs settings.
find src/base src/kernels -name '*.c' ! -name 'settings*' |
    while read -r source; do echo "$source $(echo "$source" | tr / _).o"; done |
    xargs -P "$JOBS" -L 1 sh -c "$CC $flags -c \$0 -o $out/objects/\$1"

[ $# -gt 0 ] || set -- exactness $(basename -s .c tests/kernels/test_*.c)
for name in "$@"; do
    if [ -d "bench/$name" ]; then echo "$name" bench/"$name"/*.c
    else echo "$name" "tests/kernels/$name.c"; fi
done | xargs -P "$JOBS" -L 1 sh -c "$CC $flags -o $out/\$0 \$* $out/objects/*.o $libraries"
