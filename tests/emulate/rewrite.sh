#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes a copy of the tree one whose kernels for AVX-512 and AMX run on a processor with AVX2:
#
#     sh tests/emulate/rewrite.sh TREE [FILE...]      # all files, or those that are named
#
# Their intrinsics come from avx512.h and amx.h beside this script, their target is AVX2, and the
# processor is said to have AVX-512, its bf16 products and tiles. CFLAGS for scripts/kernels.sh are
# printed; more than -O1 takes compilers minutes.
set -eu
cd "$1"
shift
# shellcheck disable=SC2046 # names without blanks
[ $# -gt 0 ] || set -- $(find src/kernels -name '*avx512*' -o -name '*amx*') src/base/cpu.c
for file in "$@"; do
    case $file in
    */cpu.c)
        sed -i -e 's/__builtin_cpu_supports("avx512[a-z0-9]*")/1/g' \
            -e '/^static int has_tiles/,/^}/d' -e 's/has_tiles()/1/' \
            -e '/^static int tiles_allowed/,/^}/d' -e 's/tiles_allowed()/1/' "$file"
        ;;
    *avx512* | *amx*)
        case $file in *amx*) header=amx.h ;; *) header=avx512.h ;; esac
        sed -i -e "s|#include <immintrin.h>|#include \"tests/emulate/$header\"|" \
            -e 's|target("[^"]*")|target("avx2,fma")|' "$file"
        ;;
    esac
done
echo '-O1 -mavx2 -mfma -mf16c -mpopcnt -Wno-psabi -I.'
