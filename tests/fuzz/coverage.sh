#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Branch coverage of the parsers by the corpus alone: sh tests/fuzz/coverage.sh [FILE ...]
# Builds the replays in build/coverage with clang's source coverage and prints a table; for each FILE
# named, such as src/data/png.c, also the lines with a branch that was taken one way only.
# What stays unreached is mostly memory that other libraries take for themselves and do not get, calls
# of theirs that cannot fail here, conditions that their own checks hold already, and folders of files.
set -eu
cd "$(dirname "$0")/../.."
build=build/coverage
parsers='src/tensor/safetensors_read.c src/tensor/npy_header.c src/tensor/npy_read.c
    src/data/idx.c src/data/gzip.c src/data/tar.c src/data/cifar.c src/data/npz.c src/data/arrays.c
    src/data/list.c src/data/classes.c src/data/entries.c src/data/source.c
    src/data/image.c src/data/png.c src/data/jpeg.c src/data/webp.c src/data/exif.c
    src/base/settings_json.c src/base/settings_set.c src/base/settings_field.c cli/settings.c
    cli/run/metrics_read.c cli/option.c'

tool() { command -v "$1-14" || command -v "$1"; }

if [ ! -f $build/build.ninja ] && [ ! -f $build/Makefile ]; then
    cmake -S . -B $build -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=Debug -DBUILD_SHARED_LIBS=OFF \
        -DVQVAE_BACKEND=portable -DVQ_EXAMPLES=OFF \
        -DCMAKE_C_FLAGS='-fprofile-instr-generate -fcoverage-mapping' >/dev/null
fi
cmake --build $build --target fuzz_targets >/dev/null

rm -f $build/*.profraw
objects=
for program in "$build"/tests/fuzz/fuzz_*; do
    name=${program##*/fuzz_}
    LLVM_PROFILE_FILE=$build/$name.profraw "$program" "tests/fuzz/corpus/$name" >/dev/null
    objects="$objects ${objects:+-object} $program"
done
"$(tool llvm-profdata)" merge -o $build/all.profdata $build/*.profraw

# shellcheck disable=SC2086 # lists
"$(tool llvm-cov)" report $objects -instr-profile=$build/all.profdata $parsers |
    awk '/^-+$/ { next }
         NR == 1 { printf "%-34s %8s %8s %9s\n", "file", "branches", "missed", "reached"; next }
         NF { printf "%-34s %8s %8s %9s\n", $1, $(NF - 2), $(NF - 1), $NF }'
[ $# -eq 0 ] ||
    # shellcheck disable=SC2086
    "$(tool llvm-cov)" show $objects -instr-profile=$build/all.profdata -show-branches=count "$@" |
    awk '/^ +[0-9]+\|/ { line = $0; shown = 0; next }
         /Branch \(.*\[(True|False): 0/ || /Branch.*: 0[,\]]/ {
             if (!shown) print line
             shown = 1
             print
         }'
