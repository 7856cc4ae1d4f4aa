#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every rule of tests/style and the format; `sh scripts/style.sh --fix` formats.
set -eu
cd "$(dirname "$0")/.."

status=0
for script in tests/style/*.sh; do
    sh "$script" || { echo "style: $script is not content" >&2; status=1; }
done

# Versions of clang-format differ in what they write, so only the pinned one judges.
format=
for name in clang-format-14 clang-format; do
    if command -v "$name" >/dev/null && "$name" --version | grep -q 'version 14\.'; then
        format=$name
        break
    fi
done
if [ -z "$format" ]; then
    echo 'style: clang-format 14 is needed: apt-get install clang-format-14' >&2
    exit 1
fi
sources=$(find include src cli examples tests bench -name '*.[ch]')
if [ "${1:-}" = --fix ]; then
    # shellcheck disable=SC2086
    "$format" -i $sources
else
    # shellcheck disable=SC2086
    "$format" --dry-run -Werror $sources || status=1
fi
exit "$status"
