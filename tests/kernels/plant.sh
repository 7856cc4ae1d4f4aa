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

# How each kind of kernels is made and run: `arm` in an emulated processor, `emulated` those of
# AVX-512 and AMX as tests/emulate has them, `native` all that this processor has.
compile() # ARCH
{
    case $1 in
    arm) CC=$triple-gcc sh "$out/$1/tree/scripts/kernels.sh" "$out/$1" ;;
    emulated) CC=gcc CFLAGS=$emulated sh "$out/$1/tree/scripts/kernels.sh" "$out/$1" ;;
    *) CC=gcc sh "$out/$1/tree/scripts/kernels.sh" "$out/$1" ;;
    esac
}

# build ARCH: everything as it is.
build()
{
    tree=$out/$1/tree
    mkdir -p "$tree/tests" "$tree/bench"
    cp -R include src scripts "$tree"
    cp -R tests/kernels tests/cross tests/emulate "$tree/tests"
    cp -R bench/exactness "$tree/bench"
    [ "$1" != emulated ] || emulated=$(sh tests/emulate/rewrite.sh "$tree")
    compile "$1"
    cp -R "$out/$1/objects" "$out/$1/clean"
}

run_test() # ARCH TEST
{
    case $1 in
    arm) timeout 300 qemu-aarch64 -L "/usr/$triple" "$out/arm/$2" ;;
    *) timeout 300 "$out/$1/$2" ;;
    esac >"$out/log" 2>&1
}

# plant ARCH FILE AFTER OLD NEW: the file with its fault.
plant()
{
    AFTER=$3 OLD=$4 NEW=$5 awk '
        BEGIN { after = ENVIRON["AFTER"]; old = ENVIRON["OLD"] }
        index($0, after) { seen = 1 }
        seen && !done && (at = index($0, old)) {
            $0 = substr($0, 1, at - 1) ENVIRON["NEW"] substr($0, at + length(old))
            done = 1
        }
        { print }
        END { exit !done }' "$2" >"$out/$1/tree/$2" || return 1
    [ "$1" != emulated ] || sh tests/emulate/rewrite.sh "$out/$1/tree" "$2" >/dev/null
}

# judge ARCH TEST FILE AFTER OLD NEW prints what became of the fault. That of a file that others
# include is one of every kernel that does.
judge()
{
    sources=$3
    case $3 in *.h | *.inc) sources=$(grep -l "\"${3#src/}\"" src/kernels/*.c) ;; esac
    if ! plant "$1" "$3" "$4" "$5" "$6"; then echo 'does not fit'
    elif ! ONLY=$sources compile "$1" >"$out/log" 2>&1; then echo 'does not compile'
    elif run_test "$1" "$2"; then echo 'MISSED'
    else echo 'caught'; fi
    cp "$3" "$out/$1/tree/$3"
    [ "$1" != emulated ] || sh tests/emulate/rewrite.sh "$out/$1/tree" "$3" >/dev/null
    cp "$out/$1/clean"/*.o "$out/$1/objects"
}

# arch_of SET
arch_of()
{
    case $1 in
    neon) echo arm ;;
    avx512 | screening) echo "$avx512" ;;
    amx) echo "$amx" ;;
    *) echo native ;;
    esac
}

rm -rf "$out"
mkdir -p "$out"
avx512=native
grep -qsw avx512_bf16 /proc/cpuinfo || avx512=emulated
amx=native
grep -qsw amx_bf16 /proc/cpuinfo || amx=emulated

# can_run ARCH
can_run()
{
    case $1 in
    arm) command -v "$triple-gcc" >/dev/null && command -v qemu-aarch64 >/dev/null ;;
    emulated) grep -qsw avx2 /proc/cpuinfo && [ -e /usr/include/simde/x86/avx512.h ] ;;
    esac
}

missing=
for arch in $(tail -n +2 "$list" | cut -f1 | sort -u | while read -r set; do
    [ $# -eq 0 ] || case " $* " in *" $set "*) ;; *) continue ;; esac
    arch_of "$set"
done | sort -u); do
    can_run "$arch" || { missing="$missing $arch"; continue; }
    build "$arch"
    # What fails by itself would catch everything.
    for test in $(tail -n +2 "$list" | cut -f3 | sort -u); do
        run_test "$arch" "$test" || { cat "$out/log"; echo "$test fails by itself, $arch"; exit 1; }
    done
done

: >"$out/table"
tail -n +2 "$list" | while IFS=$(printf '\t') read -r set kernel test file after old new; do
    [ $# -eq 0 ] || case " $* " in *" $set "*) ;; *) continue ;; esac
    arch=$(arch_of "$set")
    case " $missing " in
    *" $arch "*) result='left out: packages-cross.txt has what runs it' ;;
    *) result=$(judge "$arch" "$test" "$file" "$after" "$old" "$new") ;;
    esac
    printf '%s: %s %s, %s: %s -> %s\n' "$result" "$set" "$kernel" "$test" "$old" "$new" |
        tee -a "$out/table"
done
caught=$(grep -c '^caught' "$out/table") || true
echo "$caught of $(wc -l <"$out/table") faults are caught"
! grep -qv '^caught\|^left out' "$out/table"
