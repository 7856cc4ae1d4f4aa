#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The codes and the decoded pixels of the same images by two compilers at two levels, on every
# instruction set that the processor has, an emulated AVX-512 and ARM, several threads and batches;
# says whether all hashes are equal:
#
#     bench/same_codes.sh MODEL PIXELS.npy
#
# PIXELS.npy holds N,H,W,C bytes. MANY of them (0: all) are for what is fast, FEW (200) for portable C,
# batches of one and what is emulated, whose hashes are compared with those of as many on the others.
# COMPILERS and LEVELS name fewer of those. What cannot be had, clang or the packages of
# packages-cross.txt, is named and left out. Of all images $VQVAE, the program itself, is asked too.
# With WRITE=1 what is printed also goes into docs/benchmarks.md.
set -eu
[ $# -eq 2 ] || { echo "usage: $0 MODEL PIXELS.npy" >&2; exit 2; }
model=$(realpath "$1") pixels=$(realpath "$2")
[ -d "$model" ] && model=$model/best.safetensors
cd "$(dirname "$0")/.."
many=${MANY:-0} few=${FEW:-200}
out=build/same_codes
triple=aarch64-linux-gnu
program=${VQVAE:-build/release/vqvae}
mkdir -p "$out"
rm -f "$out"/hashes.*

if [ "${WRITE:-0}" = 1 ]; then
    WRITE=0 sh bench/same_codes.sh "$model" "$pixels" >"$out/said" || { cat "$out/said"; exit 1; }
    python3 - "$out/said" <<'END'
import sys
sys.path.insert(0, "bench")
from turns import processor, write_between
said = open(sys.argv[1], encoding="utf-8").read()
print(said, end="")
write_between("same codes", f"{processor()}:\n```\n{said}```", "## The same codes everywhere")
END
    exit
fi

have() { command -v "$1" >/dev/null || { echo "same_codes: left out: $1 is missing"; return 1; }; }

# keep IMAGES WHAT: the hashes of what was just written.
keep()
{
    codes=$(sha256sum <"$out/codes.npy" | cut -c1-64)
    back=$(sha256sum <"$out/back.npy" | cut -c1-64)
    n=$1
    [ "$n" -gt 0 ] || n=all
    printf '%6s images  codes %.16s  pixels %.16s  %s\n' "$n" "$codes" "$back" "$2"
    echo "$codes $back" >>"$out/hashes.$1"
}

# run IMAGES CPU THREADS BATCH WHAT PROGRAM...
run()
{
    images=$1 cpu=$2 threads=$3 batch=$4 what=$5
    shift 5
    "$@" "$model" "$pixels" "$images" "$cpu" "$threads" "$batch" "$out/codes.npy" "$out/back.npy"
    keep "$images" "$what, $cpu, $threads threads, batch $batch"
}

# What the library is made of, its data layer and oneDNN's backend left out, by $CC alone.
build()
{
    name=$1 flags=$2
    flags="$flags -std=gnu17 -fno-math-errno -fno-trapping-math -ffp-contract=off -pthread -Iinclude -Isrc"
    rm -rf "$out/$name"
    mkdir -p "$out/$name"
    find src -name '*.c' ! -path 'src/data/*' ! -path 'src/nn/onednn/*' ! -name 'onednn_built_in.c' \
        ! -name 'onednn_loaded.c' | while read -r source; do
        echo "$source $(echo "$source" | tr / _).o"
    done | xargs -P "${JOBS:-$(nproc)}" -L 1 sh -c "$CC $flags -c \$0 -o $out/$name/\$1"
    find src/nn/ops src/quantize -name '*.c' | while read -r source; do
        echo "$source $(echo "$source" | tr / _).f64.o"
    done | xargs -P "${JOBS:-$(nproc)}" -L 1 \
        sh -c "$CC $flags -DVQ_REAL_DOUBLE=1 -c \$0 -o $out/$name/\$1"
    # shellcheck disable=SC2086 # flags are several words
    $CC $flags -o "$out/$name/same_codes" bench/same_codes/main.c "$out/$name"/*.o $LIBRARIES
}

tables=portable
for set in avx2 avx512 avx512bf16 amx; do
    case $set in
    avx2) word=avx2 ;;
    avx512) word=avx512bw ;;
    avx512bf16) word=avx512_bf16 ;;
    amx) word=amx_bf16 ;;
    esac
    if grep -qw "$word" /proc/cpuinfo; then tables="$tables $set"
    else echo "same_codes: left out: this processor has no $word"; fi
done

LIBRARIES="-ljansson -lxxhash -lm -ldl -lpthread"
for compiler in ${COMPILERS:-gcc clang}; do
    have $compiler || continue
    for level in ${LEVELS:--O2 -O3}; do
        CC=$compiler
        build "$compiler$level" "$level"
        one=$out/$compiler$level/same_codes
        for cpu in $tables; do
            run "$few" "$cpu" 1 64 "$compiler $level" "$one"
            [ "$cpu" = portable ] || run "$many" "$cpu" 1 64 "$compiler $level" "$one"
        done
    done
done
best=${tables##* }
one=$out/gcc-O2/same_codes
for threads in 2 8; do run "$many" "$best" $threads 64 "gcc -O2" "$one"; done
run "$many" "$best" 2 7 "gcc -O2" "$one"
run "$many" "$best" 2 128 "gcc -O2" "$one"
run "$few" "$best" 1 1 "gcc -O2" "$one"

if [ "$many" -eq 0 ] && [ -x "$program" ]; then
    "$program" encode "$model" "$pixels" -o "$out/codes.npy" --force --quiet >/dev/null
    "$program" decode "$model" "$out/codes.npy" -o "$out/back.npy" --force --quiet >/dev/null
    keep 0 "the program itself"
    "$program" encode "$model" "$pixels" -o "$out/fast.npy" --force --quiet --fast --flips |
        grep -e arithmetic -e flip_rate
fi

# AVX-512 by way of AVX2, from a copy of the tree: tests/emulate/rewrite.sh says how.
if [ "$best" = avx2 ] && echo '#include <simde/x86/avx512.h>' | gcc -E - >"$out/simde" 2>&1; then
    rm -rf "$out/tree"
    mkdir -p "$out/tree/bench"
    cp -R include src tests "$out/tree"
    cp -R bench/same_codes "$out/tree/bench"
    flags=$(sh tests/emulate/rewrite.sh "$out/tree")
    here=$(pwd)
    cd "$out/tree"
    CC=gcc out=..
    build emulated "$flags"
    cd "$here"
    out=build/same_codes
    for cpu in avx512 avx512bf16 amx; do
        run "$few" $cpu 1 64 "gcc -O1, emulated" "$out/emulated/same_codes"
    done
elif [ "$best" = avx2 ]; then
    echo "same_codes: left out: SIMDe, by which AVX2 stands in for AVX-512, is missing"
fi

if have "$triple-gcc" && have qemu-aarch64; then
    # jansson for ARM is a Debian package of another architecture, only unpacked here.
    if [ -e "$out/arm-root/usr/include/jansson.h" ] || sh scripts/arm_jansson.sh "$out/arm-root"; then
        CC=$triple-gcc
        libs=$out/arm-root/usr/lib/$triple
        cp /usr/include/xxhash.h "$out/arm-root/usr/include" # all of it is in the header
        LIBRARIES="-L$libs -ljansson -lm -ldl -lpthread"
        build arm "-O2 -DXXH_INLINE_ALL -I$out/arm-root/usr/include"
        for cpu in portable neon; do
            run "$few" $cpu 1 64 "$triple-gcc -O2, emulated" \
                qemu-aarch64 -L "/usr/$triple" -E "LD_LIBRARY_PATH=$libs" "$out/arm/same_codes"
        done
    fi
fi

status=0
for hashes in "$out"/hashes.*; do
    if [ "$(sort -u "$hashes" | wc -l)" -eq 1 ]; then
        what=${hashes##*.}
        [ "$what" -gt 0 ] || what=all
        echo "$what images: all $(wc -l <"$hashes") hashes of codes and of pixels are equal"
        echo "  codes  $(cut -d' ' -f1 "$hashes" | head -1)"
        echo "  pixels $(cut -d' ' -f2 "$hashes" | head -1)"
    else
        echo "${hashes##*.} images: hashes DIFFER"
        status=1
    fi
done
exit "$status"
