#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs those packages of packages.txt, or of the list that is named, that are missing. Without
# root it prints the one line to run and fails.
set -eu
cd "$(dirname "$0")/.."

list=${1:-packages.txt}

if ! command -v dpkg-query >/dev/null; then
    echo "packages: not a Debian system; $list names what is needed" >&2
    exit 0
fi

missing=
# shellcheck disable=SC2013 # words are what is wanted
for package in $(sed 's/#.*//' "$list"); do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

install="apt-get install -y --no-install-recommends$missing"
if [ "$(id -u)" -ne 0 ]; then
    echo 'packages: some are missing and only root can install them; run this line, then again:' >&2
    become='su -c'
    ! command -v sudo >/dev/null || become='sudo sh -c'
    echo "$become 'apt-get update && $install'" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
echo "packages: installing$missing" >&2
apt-get update -q
$install
