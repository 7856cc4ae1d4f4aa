#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Compiles the kernels and what they stand on, with their tests, by the compiler $CC alone:
#
#     CC=aarch64-linux-gnu-gcc sh scripts/kernels.sh OUT [NAME...]
#
# leaves in OUT the programs NAME: tests such as test_gemm, or exactness of bench/. Without a NAME
# it makes all of them. Kernels are in a library of their own, which
#
#     ONLY=src/kernels/avx2.c sh scripts/kernels.sh OUT
#
# makes anew after a change of that source. For another processor the host's libraries are of no
# use: cmocka's part is then played by tests/cross.
set -eu
mkdir -p "$1/objects"
out=$(cd "$1" && pwd)
shift
cd "$(dirname "$0")/.."
: "${CC:=gcc}" "${CFLAGS:=-O2}" "${JOBS:=$(nproc)}"

# cmake/VqvaeFlags.cmake says why.
flags="-std=gnu17 -fPIC $(tr '\n' ' ' <scripts/numbers.flags) -pthread"
case $($CC --version) in *clang*) ;; *) flags="$flags -falign-loops=64" ;; esac
flags="$flags $CFLAGS -Iinclude -Isrc -Itests/kernels"
libraries="-L$out -lkernels -Wl,-rpath,$out -lm"
if [ "$($CC -dumpmachine | cut -d- -f1)" = "$(uname -m)" ]; then
    libraries="$libraries -lcmocka"
else
    flags="$flags -Itests/cross -I$out/include"
    mkdir -p "$out/include"
    cp /usr/include/xxhash.h "$out/include" # all of it is in the header
fi

# What reads JSON needs its library, and nothing here reads it.
for source in ${ONLY:-$(find src/base src/kernels -name '*.c' ! -name 'settings*' ! -name 'json*')}; do
    echo "$source $(echo "$source" | tr / _).o"
done | xargs -P "$JOBS" -L 1 sh -c "$CC $flags -c \$0 -o $out/objects/\$1"
# shellcheck disable=SC2086 # flags are several words
$CC $flags -shared -o "$out/libkernels.so" "$out"/objects/*.o -lm
[ -z "${ONLY:-}" ] || exit 0

[ $# -gt 0 ] || set -- exactness $(basename -s .c tests/kernels/test_*.c)
for name in "$@"; do
    if [ -d "bench/$name" ]; then echo "$name" bench/"$name"/*.c
    else echo "$name" "tests/kernels/$name.c"; fi
done | xargs -P "$JOBS" -L 1 sh -c "$CC $flags -o $out/\$0 \$* $libraries"
