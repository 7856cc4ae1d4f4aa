#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The examples that --help ends with run as they stand, one after the other.

@test "every example of every verb runs" {
    cd "$BATS_TEST_TMPDIR"
    mkdir bin
    ln -s "$VQVAE" bin/vqvae
    export PATH="$PWD/bin:$PATH"
    # In an order that makes what others use: presets and training first.
    for verb in presets train codebook eval encode inspect decode reconstruct report doctor bench; do
        vqvae help $verb | sed '1,/^Examples:/d; s/^  //' > examples
        [ -s examples ]
        echo "$verb"
        cat examples
        bash -e -u examples
    done
    vqvae --help | sed '1,/^Examples:/d; s/^  //' > examples
    bash -e -u examples
}
