#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Finds the codes of the same vectors with every instruction set, by two compilers, on 1 to 8
# threads and cut into batches of several sizes, and says whether all hashes are equal:
#
#     sh bench/exactness.sh            # FEW=500 and MANY=50000 vectors of each shape
#     MANY=10000000 sh bench/exactness.sh
#
# MANY are for the instruction sets that are fast; the portable kernels and an emulated ARM get FEW.
# What cannot be had, clang or the packages of packages-cross.txt, is named and left out.
set -eu
cd "$(dirname "$0")/.."
few=${FEW:-500} many=${MANY:-50000}
out=build/exactness
triple=aarch64-linux-gnu
export OMP_WAIT_POLICY=passive
rm -rf "$out"
mkdir -p "$out"

have() { command -v "$1" >/dev/null || { echo "exactness: left out: $1 is missing"; return 1; }; }

# run VECTORS WHAT PROGRAM... appends the hash to those of as many vectors.
run()
{
    vectors=$1 what=$2
    shift 2
    hash=$("$@" --vectors "$vectors" --checked 0 | sed -n 's/^hash //p')
    printf '%8d vectors  %s  %s\n' "$vectors" "${hash:-none}" "$what"
    echo "${hash:-none $what}" >>"$out/hashes.$vectors"
}

for compiler in gcc clang; do
    have $compiler || continue
    CC=$compiler sh scripts/kernels.sh "$out/$compiler" exactness
    exact=$out/$compiler/exactness
    for table in $("$exact" --list); do
        run "$few" "$compiler, $table" "$exact" --table "$table"
        [ "$table" = portable ] || run "$many" "$compiler, $table" "$exact" --table "$table"
    done
    for threads in 2 3 4 5 6 7 8; do
        run "$few" "$compiler, $threads threads" "$exact" --threads $threads
    done
    for cut in 1 7 33 100; do
        run "$few" "$compiler, batches of $cut, 2 threads" "$exact" --cut $cut --threads 2
        run "$many" "$compiler, batches of ${cut}000" "$exact" --cut ${cut}000
    done
done

if have "$triple-gcc" && have qemu-aarch64; then
    CC=$triple-gcc sh scripts/kernels.sh "$out/arm" exactness
    for table in portable neon; do
        run "$few" "$triple-gcc, $table, emulated" \
            qemu-aarch64 -L "/usr/$triple" "$out/arm/exactness" --table "$table"
    done
fi

status=0
for hashes in "$out"/hashes.*; do
    if [ "$(sort -u "$hashes" | wc -l)" -eq 1 ]; then
        echo "${hashes##*.} vectors of each shape: all $(wc -l <"$hashes") hashes are equal"
    else
        echo "${hashes##*.} vectors of each shape: hashes DIFFER"
        status=1
    fi
done
exit "$status"
