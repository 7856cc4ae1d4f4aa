#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs fuzz targets one after the other, on one processor: sh tests/fuzz/run.sh [NAME ...]
# SECONDS_EACH (60) ends each, or RUNS executions, whichever comes first. What a target learns stays
# in build/fuzz/corpus/NAME, what it says in build/fuzz/NAME.log, and inputs that break it in
# build/fuzz/found. Fails where there are such.
set -eu
cd "$(dirname "$0")/../.."
build=build/fuzz
[ $# -gt 0 ] || set -- $(ls tests/fuzz/fuzz_*.c | sed 's|.*/fuzz_||; s|\.c$||')

# Memory of other libraries only (see memory.c): a small quarantine and short traces are several
# times faster.
asan=detect_leaks=1:strict_string_checks=1:allocator_may_return_null=1
export ASAN_OPTIONS="${ASAN_OPTIONS:-$asan:quarantine_size_mb=1:malloc_context_size=2}"
export UBSAN_OPTIONS="${UBSAN_OPTIONS:-print_stacktrace=1}"
mkdir -p "$build/found"

stat() { sed -n "s/^stat::$1: *//p" "$log" | tail -1; }

status=0
printf '%-12s %12s %8s %8s %s\n' target executions exec/s corpus findings
for name in "$@"; do
    log=$build/$name.log learnt=$build/corpus/$name
    mkdir -p "$learnt"
    # Larger inputs make a target slower, not wiser: as much as a few lines of it, or a few images.
    case $name in
        options) longest=512 ;;
        list | metrics) longest=640 ;;
        report | settings) longest=1024 ;;
        npz | source) longest=2560 ;;
        tar) longest=4608 ;; # blocks of 512 bytes
        cifar) longest=6400 ;; # images of 3073
        *) longest=4096 ;;
    esac
    broken=0
    nice -n 19 "$build/tests/fuzz/fuzz_$name" -max_total_time="${SECONDS_EACH:-60}" \
        -runs="${RUNS:--1}" -max_len=$longest -timeout=120 -report_slow_units=60 -rss_limit_mb=2048 \
        -dict="tests/fuzz/$name.dict" -artifact_prefix="$build/found/$name-" \
        -print_final_stats=1 -reload=0 "$learnt" "tests/fuzz/corpus/$name" >"$log" 2>&1 || broken=1
    printf '%-12s %12s %8s %8s %s\n' "$name" "$(stat number_of_executed_units)" \
        "$(stat average_exec_per_sec)" "$(ls "$learnt" | wc -l)" \
        "$([ $broken -eq 0 ] && echo none || echo "see $log")"
    [ $broken -eq 0 ] || status=1
done
exit $status
