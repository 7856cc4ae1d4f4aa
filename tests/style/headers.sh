#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every header compiles alone: the public ones as C17 and C++17, those of src/ as C17.
set -eu
: "${CC:=cc}" "${CXX:=c++}"

status=0
check()
{
    header=$1
    shift
    echo "#include \"$PWD/$header\"" | "$@" -Iinclude -Wall -Wextra -Werror -fsyntax-only - ||
        { echo "$header: does not compile alone: $1" >&2; status=1; }
}

for header in include/vqvae/*.h; do
    check "$header" "$CC" -xc -std=c17 -Wpedantic
    check "$header" "$CXX" -xc++ -std=c++17 -Wpedantic
done
# A header over `real` is read once for each kind of number; float stands for both.
for header in $(find src -name '*.h' | sort); do
    check "$header" "$CC" -xc -std=gnu17 -Isrc
done
exit "$status"
