#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs every test of the preset named by $PRESET (release) and says how many ran. Arguments go
# to ctest: `sh scripts/test.sh -R unit` runs some. A case may skip only where
# tests/may-skip.txt names it.
set -eu
cd "$(dirname "$0")/.."
build=build/${PRESET:-release}
console=$build/ctest.txt

# Findings end a test, so that the exit code tells; leaks are looked for as well.
export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=1:strict_string_checks=1}"
export UBSAN_OPTIONS="${UBSAN_OPTIONS:-print_stacktrace=1}"
export LSAN_OPTIONS="${LSAN_OPTIONS:-suppressions=$PWD/tests/leaks.supp:print_suppressions=0}"

# What the sanitizer puts before dlopen does not look where the calling library says.
if [ "${PRESET:-}" = sanitize ]; then
    export LD_LIBRARY_PATH="$PWD/$build${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
fi

# Tests share the processors: a thread that waits should sleep, not spin.
export OMP_WAIT_POLICY=passive

# ctest's own exit code is not needed: the log below names every failure.
ctest --test-dir "$build" --output-on-failure --parallel "${JOBS:-$(nproc)}" "$@" 2>&1 |
    tee "$console"
awk -f scripts/count_tests.awk tests/may-skip.txt "$console" \
    "$build/Testing/Temporary/LastTest.log"
