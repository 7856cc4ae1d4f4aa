#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Unpacks Debian's jansson for 64-bit ARM into a folder, for programs that run in an emulator.
# Nothing is installed: apt works with lists of its own, kept below that folder.
#
#     sh scripts/arm_jansson.sh FOLDER
set -eu
root=$1
mkdir -p "$root/lists/partial" "$root/archives/partial"
root=$(cd "$root" && pwd)
: >"$root/status"
arm()
{
    apt-get -q -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Debug::NoLocking=1 \
        -o "Dir::State::Lists=$root/lists" -o "Dir::State::status=$root/status" \
        -o "Dir::Cache::archives=$root/archives" -o "Dir::Cache::pkgcache=" \
        -o "Dir::Cache::srcpkgcache=" "$@"
}
arm update >"$root/log" 2>&1 || { cat "$root/log"; exit 1; }
(cd "$root/archives" && arm download libjansson4 libjansson-dev) >>"$root/log" 2>&1 ||
    { echo "arm_jansson: apt offers no jansson for ARM"; tail -3 "$root/log"; exit 1; }
for package in "$root"/archives/*.deb; do dpkg -x "$package" "$root"; done
rm -rf "$root/lists" "$root/archives"
