#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the tests of the kernels for AVX-512 and AMX on a processor that has AVX2 alone: tests/emulate
# says how. Without that, or Debian's libsimde-dev (packages-cross.txt), it says so and runs nothing.
set -eu
cd "$(dirname "$0")/.."
: "${CC:=gcc}"
export CC OMP_WAIT_POLICY=passive
out=build/emulate

if ! grep -qsw avx2 /proc/cpuinfo; then
    echo 'emulate: skipped, this processor has no AVX2'
    exit 0
fi
if ! echo '#include <simde/x86/avx512.h>' | $CC -E - >/dev/null 2>&1; then
    echo 'emulate: skipped, SIMDe is missing: sh scripts/packages.sh packages-cross.txt'
    exit 0
fi

rm -rf "$out"
mkdir -p "$out/tree/bench"
cp -R include src scripts tests "$out/tree"
cp -R bench/exactness "$out/tree/bench"
CFLAGS=$(sh tests/emulate/rewrite.sh "$out/tree")
export CFLAGS
sh "$out/tree/scripts/kernels.sh" "$out"
status=0
for test in "$out"/test_*; do
    if "$test" >"$out/log" 2>&1 && ! grep -q '^not run' "$out/log"; then
        echo "emulate: $(grep -c '^\[       OK' "$out/log") passed: ${test##*/}"
    else
        cat "$out/log"
        echo "emulate: FAILED: ${test##*/}"
        status=1
    fi
done
# The codes of some thousand searches are those of every other machine.
if "$out/exactness" --table all --vectors 500 --checked 0 >"$out/log"; then
    echo 'emulate: the same codes as elsewhere: exactness'
else
    cat "$out/log"
    echo 'emulate: FAILED: exactness'
    status=1
fi
exit "$status"
