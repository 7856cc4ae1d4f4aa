#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Refuses files of more than 700 lines, functions of more than 80 and lines of more than 100
# columns: what has grown too long is split before it lands.
set -eu
# shellcheck disable=SC2046 # no file of ours has a blank in its name

awk '
function refuse(line, why) {
    printf "%s:%d: %s\n", FILENAME, line, why
    bad = 1
}
FNR == 701 { refuse(701, "the file has more than 700 lines") }
length($0) > 100 { refuse(FNR, "more than 100 columns") }
FNR == 1 { start = 0 }
# The brace of a function opens at the first column and closes there.
/^\{/ { start = FNR }
/^\}/ && start {
    if (FNR - start - 1 > 80) refuse(start, "a function of " FNR - start - 1 " lines; 80 may be")
    start = 0
}
END { exit bad }
' $(find include src cli examples tests bench -name '*.[ch]' -o -name '*.def' | sort)
