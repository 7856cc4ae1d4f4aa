#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bench of vectors: what is printed and answered, not how fast it is.

setup() {
    cd "$BATS_TEST_TMPDIR"
}

field() {
    sed -n "s/.*\"$1\": *\"\{0,1\}\([^,}\"]*\).*/\1/p"
}

@test "bench nearest and quantizer print sizes, rates and the kernel" {
    for workload in nearest quantizer; do
        "$VQVAE" bench $workload -n 40 --dim 3 -k 7 --runs 4 --kernel portable --json > out
        [ "$(field workload < out)" = $workload ]
        [ "$(field kernel < out)" = portable ]
        [ "$(field n < out) $(field dim < out) $(field codes < out) $(field runs < out)" = "40 3 7 4" ]
        # gflops = 2 n dim codes over the median.
        awk -v ms="$(field median_ms < out)" -v least="$(field min_ms < out)" \
            -v rate="$(field gflops < out)" -v peak="$(field peak_gflops < out)" 'BEGIN {
                own = 2e-6 * 40 * 3 * 7 / ms
                exit !(least > 0 && least <= ms && rate / own > 0.999 && rate / own < 1.001 && peak > 0)
            }'
    done
}

@test "--ready leaves the packing out" {
    "$VQVAE" bench nearest -n 1 --runs 3 --json > out
    [ "$(field ready < out)" = false ]
    "$VQVAE" bench nearest -n 1 --runs 3 --ready --json > out
    [ "$(field ready < out)" = true ]
}

@test "lines are answered by milliseconds, and peak by a rate" {
    printf '\npeak\n\n' | "$VQVAE" bench nearest -n 5 --lines > out
    [ "$(wc -l < out)" -eq 4 ]
    [ "$(head -1 out)" = ready ]
    tail -3 out | awk '!($1 > 0) { exit 1 }'
}

@test "bench layers tells each operation and direction once, and their shares add up to 1" {
    "$VQVAE" bench layers --preset tiny --batch 2 --backend portable --runs 3 --json > out
    tr '{' '\n' < out | grep '"node"' > rows
    [ "$(sort rows | uniq -d | wc -l)" -eq 0 ]
    for direction in forward data weights; do
        grep '"node":"encoder.0.down1"' rows | grep '"implementation":"portable' |
            grep -q "\"direction\":\"$direction\""
    done
    # Nobody wants the gradient of pixels.
    ! grep '"node":"encoder.0.down0"' rows | grep -q '"direction":"data"'
    grep '"node":"weights"' rows | sed 's/.*"ms": *\([^,}]*\).*/\1/' | awk '{ exit !($1 > 0) }'
    sed 's/.*"share": *\([^,}]*\).*/\1/' rows |
        awk '{ sum += $1; if (!($1 >= 0)) exit 1 } END { exit !(sum > 0.999 && sum < 1.001) }'
    "$VQVAE" bench layers --preset tiny --batch 2 --use --runs 3 --json > out
    ! grep -q '"direction":"data"' out
    grep -q '"node":"decoder.0.up1"' out
}

@test "a model in use is exact unless --fast" {
    "$VQVAE" bench layers --preset cifar10 --batch 8 --use --runs 1 --json > out
    ! grep -q Winograd out
    "$VQVAE" bench layers --preset cifar10 --batch 8 --use --runs 1 --json --fast > out
    grep -q Winograd out
    for workload in forward encode; do
        "$VQVAE" bench $workload --preset tiny --batch 1 --runs 1 --json > out
        grep -q '"exact": *true' out
        "$VQVAE" bench $workload --preset tiny --batch 1 --runs 1 --json --fast > out
        grep -q '"exact": *false' out
    done
}

@test "an instruction set that is not known is wrong usage" {
    run "$VQVAE" bench nearest --kernel avx3 --runs 1
    [ "$status" -eq 2 ]
    [[ "$output" == *'"avx3"; it may be portable, avx2'* ]]
    run "$VQVAE" bench nearset
    [ "$status" -eq 2 ]
    [[ "$output" == *'did you mean "nearest"?'* ]]
}
