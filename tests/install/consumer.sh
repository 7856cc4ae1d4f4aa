#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# consumer.sh BUILD: installs BUILD into an empty prefix, builds and runs a user of it found by
# find_package and one found by pkg-config, builds the walk on it, runs the installed program,
# uninstalls, and wants nothing left.
set -eu
build=$1
: "${CC:=cc}" "${CMAKE:=cmake}"
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
# The list of what was installed for real must outlive this test.
manifest=$build/install_manifest.txt
[ ! -f "$manifest" ] || cp "$manifest" "$work/manifest"
restore()
{
    rm -f "$manifest"
    [ ! -f "$work/manifest" ] || mv "$work/manifest" "$manifest"
    rm -rf "$work"
}
trap restore EXIT
unset DESTDIR
prefix=$work/prefix

"$CMAKE" --install "$build" --prefix "$prefix" >/dev/null
library=$(dirname "$(find "$prefix" -name vqvae.pc)")/..

"$CMAKE" -S "$here" -B "$work/cmake" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$CC" \
    >/dev/null
"$CMAKE" --build "$work/cmake" >/dev/null
found=$("$work/cmake/consumer")

"$work/cmake/4_right" | grep -qF 'at 100 of 100 places' ||
    { echo 'a step of the walk, built on what is installed, does not work' >&2; exit 1; }

export PKG_CONFIG_PATH="$library/pkgconfig"
# shellcheck disable=SC2046
"$CC" "$here/consumer.c" -o "$work/consumer" \
    $(pkg-config --cflags --libs vqvae-data)
linked=$(LD_LIBRARY_PATH=$library "$work/consumer")
version=$(pkg-config --modversion vqvae)
if [ "$found" != "$version" ] || [ "$linked" != "$version" ]; then
    echo "versions differ: '$found', '$linked', '$version'" >&2
    exit 1
fi

if [ -x "$prefix/bin/vqvae" ]; then
    "$prefix/bin/vqvae" --version | grep -qF "$version" ||
        { echo 'the installed program does not start' >&2; exit 1; }
fi
# oneDNN's backend is found beside the library, and where it is not the program says so.
bench() { "$prefix/bin/vqvae" bench forward --preset tiny --batch 1 --runs 1 --json "$@"; }
plugin=$(find "$prefix" -name 'libvqvae-onednn.so.*')
if [ -x "$prefix/bin/vqvae" ] && [ -n "$plugin" ]; then
    bench --backend onednn 2>&1 | grep -qF '"backend":"onednn"' ||
        { echo 'the installed program does not find its backend' >&2; exit 1; }
    rm "$plugin"
    bench | grep -qF '"backend":"portable"' ||
        { echo 'the program does not go on without oneDNN' >&2; exit 1; }
    if bench --backend onednn > /dev/null 2> "$work/error"; then
        echo 'a backend that is missing can be asked for' >&2
        exit 1
    fi
    grep -qF 'the backend onednn cannot be used' "$work/error" ||
        { cat "$work/error" >&2; exit 1; }
fi
# What the program says of itself lies where man and the shells look.
if [ -d "$build/pages" ]; then
    share=$prefix/share
    for file in man/man1/vqvae.1 man/man1/vqvae-train.1 bash-completion/completions/vqvae \
        zsh/site-functions/_vqvae fish/vendor_completions.d/vqvae.fish; do
        [ -s "$share/$file" ] || { echo "not installed: $file" >&2; exit 1; }
    done
fi

"$CMAKE" -P "$build/uninstall.cmake" >/dev/null
left=$(find "$prefix" ! -type d)
[ -z "$left" ] || { echo "left after uninstall: $left" >&2; exit 1; }
[ ! -e "$prefix/include/vqvae" ] || { echo 'a folder was left' >&2; exit 1; }
