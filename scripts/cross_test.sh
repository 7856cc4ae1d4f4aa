#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the kernels for 64-bit ARM and runs their tests in an emulated processor. Without
# Debian's cross compiler and qemu (packages-cross.txt) it says so and runs nothing.
set -eu
cd "$(dirname "$0")/.."
triple=aarch64-linux-gnu
out=build/cross
export CC="$triple-gcc"

for tool in "$CC" qemu-aarch64; do
    if ! command -v "$tool" >/dev/null; then
        echo "cross: skipped, $tool is missing: sh scripts/packages.sh packages-cross.txt"
        exit 0
    fi
done

rm -rf "$out"
sh scripts/kernels.sh "$out"
status=0
for test in "$out"/test_*; do
    if qemu-aarch64 -L "/usr/$triple" "$test" >"$out/log" 2>&1; then
        echo "cross: $(grep -c '^\[       OK' "$out/log") passed: ${test##*/}"
    else
        cat "$out/log"
        echo "cross: FAILED: ${test##*/}"
        status=1
    fi
done
# The codes of some thousand searches are those of every other machine.
if qemu-aarch64 -L "/usr/$triple" "$out/exactness" --table all --vectors 500 --checked 0 \
    >"$out/log"; then
    echo 'cross: the same codes as elsewhere: exactness'
else
    echo 'cross: FAILED: exactness'
    status=1
fi
exit "$status"
