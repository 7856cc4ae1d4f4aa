#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Plants each fault of plants.tsv in a copy of the kernels and looks whether the test that its row
# names fails:
#
#     sh tests/kernels/plant.sh               # all of them
#     sh tests/kernels/plant.sh neon avx2     # those of some instruction sets
#
# A row: the instruction set, the kernel, the test, the file, a text in the file, and what to replace
# by what in the first place after that text. A row that no longer fits its file is a failure.
set -eu
cd "$(dirname "$0")/../.."
list=$PWD/tests/kernels/plants.tsv
out=$PWD/build/plants
triple=aarch64-linux-gnu
export OMP_WAIT_POLICY=passive

# build CC ARCH: everything as it is.
build()
{
    CC=$1 sh "$out/tree/scripts/kernels.sh" "$out/$2"
    cp -R "$out/$2/objects" "$out/$2/clean"
}

run_test() # ARCH TEST
{
    case $1 in
    arm) timeout 300 qemu-aarch64 -L "/usr/$triple" "$out/arm/$2" ;;
    *) timeout 300 "$out/$1/$2" ;;
    esac >"$out/log" 2>&1
}

# plant FILE AFTER OLD NEW: the file with its fault.
plant()
{
    AFTER=$2 OLD=$3 NEW=$4 awk '
        BEGIN { after = ENVIRON["AFTER"]; old = ENVIRON["OLD"] }
        index($0, after) { seen = 1 }
        seen && !done && (at = index($0, old)) {
            $0 = substr($0, 1, at - 1) ENVIRON["NEW"] substr($0, at + length(old))
            done = 1
        }
        { print }
        END { exit !done }' "$1" >"$out/tree/$1"
}

# judge ARCH TEST FILE AFTER OLD NEW prints what became of the fault.
judge()
{
    compiler=gcc
    [ "$1" != arm ] || compiler=$triple-gcc
    object=$(echo "$3" | tr / _).o
    if ! plant "$3" "$4" "$5" "$6"; then echo 'does not fit'
    elif ! CC=$compiler ONLY=$3 sh "$out/tree/scripts/kernels.sh" "$out/$1" >"$out/log" 2>&1; then
        echo 'does not compile'
    elif run_test "$1" "$2"; then echo 'MISSED'
    else echo 'caught'; fi
    cp "$3" "$out/tree/$3"
    cp "$out/$1/clean/$object" "$out/$1/objects/$object"
}

rm -rf "$out"
mkdir -p "$out/tree/tests" "$out/tree/bench"
cp -R include src scripts "$out/tree"
cp -R tests/kernels tests/cross "$out/tree/tests"
cp -R bench/exactness "$out/tree/bench"
build gcc native
arm=no
if command -v "$triple-gcc" >/dev/null && command -v qemu-aarch64 >/dev/null; then
    build "$triple-gcc" arm
    arm=yes
fi
# What fails by itself would catch everything.
for test in $(tail -n +2 "$list" | cut -f3 | sort -u); do
    run_test native "$test" || { cat "$out/log"; echo "$test fails by itself"; exit 1; }
done

: >"$out/table"
tail -n +2 "$list" | while IFS=$(printf '\t') read -r set kernel test file after old new; do
    [ $# -eq 0 ] || case " $* " in *" $set "*) ;; *) continue ;; esac
    arch=native
    [ "$set" != neon ] || arch=arm
    if [ "$arch/$arm" = arm/no ]; then result='left out: no cross compiler or qemu'
    else result=$(judge "$arch" "$test" "$file" "$after" "$old" "$new"); fi
    printf '%s: %s %s, %s: %s -> %s\n' "$result" "$set" "$kernel" "$test" "$old" "$new" |
        tee -a "$out/table"
done
caught=$(grep -c '^caught' "$out/table") || true
echo "$caught of $(wc -l <"$out/table") faults are caught"
! grep -qv '^caught\|^left out' "$out/table"
