#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Configures once and builds the preset named by $PRESET (release); arguments name targets.
set -eu
cd "$(dirname "$0")/.."
preset=${PRESET:-release}
build=build/$preset

configure()
{
    # CI refuses warnings; elsewhere a newer compiler's new warning shall stop nobody.
    [ -z "${CI:-}" ] || set -- "$@" -DVQ_WERROR=ON
    if [ -z "${CMAKE_GENERATOR:-}" ] && command -v ninja >/dev/null; then
        set -- "$@" -G Ninja
    fi
    cmake --preset "$preset" "$@"
}

# A configuration that was interrupted leaves a cache but no rules.
[ -f "$build/build.ninja" ] || [ -f "$build/Makefile" ] || configure
cmake --build "$build" --parallel "${JOBS:-$(nproc)}" ${1:+--target "$@"}
