#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Configures once and builds the preset named by $PRESET (release).
set -eu
cd "$(dirname "$0")/.."
preset=${PRESET:-release}

# CI refuses warnings; elsewhere a newer compiler's new warning shall stop nobody.
set -- "--preset" "$preset"
[ -z "${CI:-}" ] || set -- "$@" -DVQ_WERROR=ON
if [ ! -f "build/$preset/CMakeCache.txt" ]; then
    if [ -z "${CMAKE_GENERATOR:-}" ] && command -v ninja >/dev/null; then
        set -- "$@" -G Ninja
    fi
    cmake "$@"
fi
cmake --build "build/$preset" --parallel "${JOBS:-$(nproc)}"
