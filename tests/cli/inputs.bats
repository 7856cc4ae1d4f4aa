#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Every row of inputs.tsv: what is made, the command, its exit code and its exact words.

@test "inputs are accepted and refused with the exit codes and words of the table" {
    export TMPDIR=$BATS_TEST_TMPDIR
    run bash "$BATS_TEST_DIRNAME/inputs.sh" check "$BATS_TEST_DIRNAME/inputs.tsv"
    echo "$output"
    [ "$status" -eq 0 ]
    [ "${lines[-1]%% *}" -ge 150 ]
}
