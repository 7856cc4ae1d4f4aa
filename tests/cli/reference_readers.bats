#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Our readers of safetensors and .npy beside the ones that everybody has.

setup() {
    python=${PYTHON:-python3}
    sources=$BATS_TEST_DIRNAME/../..
    export PYTHONDONTWRITEBYTECODE=1
    "$python" -c 'import numpy, safetensors' 2>/dev/null || skip "no numpy and safetensors for $python"
}

@test "100,000 safetensors headers changed at random are read alike" {
    "$python" "$sources/tests/reference/safetensors_mutations.py" 100000 > "$BATS_TEST_TMPDIR/cases.tsv"
    VQ_MUTATIONS=$BATS_TEST_TMPDIR/cases.tsv \
        run "$(dirname "$VQVAE")/tests/unit_test_safetensors_reference"
    echo "$output"
    [ "$status" -eq 0 ]
    [[ "$output" == *"100000 files"* ]]
}

@test "the table of safetensors says what the reference does" {
    run "$python" "$sources/tests/reference/check_tables.py" \
        safetensors "$sources/tests/tables/safetensors.tsv"
    echo "$output"
    [ "$status" -eq 0 ]
}

@test "the table of .npy says what numpy does" {
    run "$python" "$sources/tests/reference/check_tables.py" npy "$sources/tests/tables/npy.tsv"
    echo "$output"
    [ "$status" -eq 0 ]
}
