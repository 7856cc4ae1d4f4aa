#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Compiles the kernels and what they stand on, with their tests, by the compiler $CC alone:
#
#     CC=aarch64-linux-gnu-gcc sh scripts/kernels.sh OUT [NAME...]
#
# leaves in OUT the programs NAME, which are tests such as test_gemm; all of them where none is
# named. For another processor the host's libraries are of no use: cmocka's part is then played by
# tests/cross.
set -eu
out=$1
shift
cd "$(dirname "$0")/.."
: "${CC:=gcc}" "${CFLAGS:=-O2}"

# cmake/VqvaeFlags.cmake says why.
flags="-std=gnu17 -fno-math-errno -fno-trapping-math -ffp-contract=off -fopenmp"
flags="$flags $CFLAGS -Iinclude -Isrc -Itests/kernels"
libraries=-lm
if [ "$($CC -dumpmachine | cut -d- -f1)" = "$(uname -m)" ]; then
    libraries="$libraries -lcmocka"
else
    flags="$flags -Itests/cross"
fi

mkdir -p "$out/objects"
[ $# -gt 0 ] || set -- $(basename -s .c tests/kernels/test_*.c)
# Settings need the library for JSON and nothing here needs settings.
find src/base src/kernels -name '*.c' ! -name 'settings*' |
    while read -r source; do echo "$source $(echo "$source" | tr / _).o"; done |
    xargs -P "${JOBS:-$(nproc)}" -L 1 sh -c "$CC $flags -c \$0 -o $out/objects/\$1"
printf '%s\n' "$@" |
    xargs -P "${JOBS:-$(nproc)}" -I NAME sh -c \
        "$CC $flags -o $out/NAME tests/kernels/NAME.c $out/objects/*.o $libraries"
