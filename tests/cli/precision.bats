#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Training in bf16: as good, resumed to the same bits, and never mixed with f32.

setup() {
    cd "$BATS_TEST_TMPDIR"
    data=/usr/share/datasets/fashion-mnist:t10k
}

train() {
    "$VQVAE" train "$@" --threads 1 --quiet
}

# Later steps part, as any two roundings do; until then a loss differs by no more than rounding one
# number to bf16 may.
@test "training in bf16 follows training in f32" {
    for precision in f32 bf16; do
        train "$data" -o $precision --preset tiny --steps 24 --precision $precision \
            --set train.revive=0 --set train.log_every=1
        sed -n 's/.*"loss":\([0-9.]*\).*/\1/p' $precision/metrics.jsonl > $precision.losses
    done
    [ "$(wc -l < f32.losses)" -eq 24 ]
    ! cmp -s f32.losses bf16.losses
    paste f32.losses bf16.losses |
        awk '{ gap = $2 / $1 - 1; if (gap < -1 / 512 || gap > 1 / 512) { print NR, $0; exit 1 } }'
}

@test "a run in bf16 resumes to the same bits, in bf16" {
    train "$data" -o once --preset tiny --steps 20 --precision bf16
    train "$data" -o twice --preset tiny --steps 10 --set train.precision=bf16
    train -o twice --resume --steps 20
    for name in state model best; do cmp once/$name.safetensors twice/$name.safetensors; done
    [ "$(grep -c '"precision": "bf16"' once/config.json)" -eq 2 ]
    run "$VQVAE" inspect once/state.safetensors --json
    [[ "$output" == *'portable bf16'* && "$output" == *'"precision":"bf16"'* ]]
    before=$(sha256sum twice/*)
    run "$VQVAE" train -o twice --resume --steps 30 --precision f32
    [ "$status" -eq 2 ]
    [[ "$output" == *"another train.precision"* ]]
    [ "$before" = "$(sha256sum twice/*)" ]
    train -o twice --resume --precision bf16 --steps 21
}

@test "only our own backend computes in bf16, and exact use is in f32" {
    run "$VQVAE" train "$data" -o run --preset tiny --steps 1 --precision bf16 --backend onednn
    [ "$status" -ne 0 ]
    [[ "$output" == *onednn* ]]
    [ ! -e run ]
    for what in forward encode "layers --use"; do
        run "$VQVAE" bench $what --preset tiny --runs 1 --precision bf16
        [ "$status" -eq 2 ]
        [[ "$output" == *"it needs --fast"* ]]
        "$VQVAE" bench $what --preset tiny --batch 2 --runs 1 --precision bf16 --fast --json > out
        grep -q '"precision": *"bf16"' out
    done
    "$VQVAE" bench train --preset tiny --batch 2 --runs 1 --precision bf16 --json > out
    grep -q '"precision": *"bf16"' out
    grep -q '"backend": *"portable"' out
    "$VQVAE" bench layers --preset tiny --batch 2 --runs 1 --precision bf16 --json > out
    grep -q 'portable bf16' out
}

@test "models run in bf16, and files of codes say so" {
    train "$data" -o model --preset tiny --steps 60
    "$VQVAE" encode model "$data" -o codes.npy --fast --precision bf16 --flips --quiet > said
    grep -q 'bf16 portable' said
    awk '$1 == "flip_rate" { found = 1; exit !($2 < 0.2) } END { exit !found }' said
    run "$VQVAE" decode model codes.npy -o exact.npy
    [ "$status" -eq 0 ]
    [[ "$output" == *'made with "bf16 portable'*'decoded with "f32 exact 1"'* ]]
    run "$VQVAE" decode model codes.npy -o again.npy --fast --precision bf16
    [ "$status" -eq 0 ]
    [[ "$output" != *warning* ]]
    for how in "--threads 1 --batch 1" "--threads 2 --batch 7"; do
        "$VQVAE" encode model "$data" -o other.npy --fast --precision bf16 $how --force --quiet
        cmp codes.npy other.npy
    done
    "$VQVAE" inspect model --plan --purpose fast --precision bf16 > plan
    grep -q 'portable bf16' plan
}
