#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Several sources as one dataset, and images that are there twice.

setup() {
    cd "$BATS_TEST_TMPDIR"
    idx=/usr/share/datasets/fashion-mnist:t10k
    for i in 0 1 2 3 4 5 6 7 8 9; do record "$i"; done > batch.bin
}

# A CIFAR-10 record whose pixels are bytes of the program, of which it has enough.
record() {
    printf "\\x0$1"
    tail -c +$((1 + $1 * 3072)) "$VQVAE" | head -c 3072
}

train() {
    "$VQVAE" train "$@" --preset tiny --threads 1 --set data.height=28 --set data.width=28 \
        --set data.channels=1
}

@test "several sources are one dataset, which the run remembers" {
    train "$idx" batch.bin -o run --steps 2 --quiet
    grep -q '"images": 10010' run/config.json
    grep -q "$(pwd -P)/batch.bin\"" run/config.json
    "$VQVAE" train -o run --resume --steps 4 --threads 1 --quiet
    train "$idx" batch.bin -o once --steps 4 --quiet
    cmp run/state.safetensors once/state.safetensors
    "$VQVAE" report run
    grep -q 'batch.bin' run/report.html
    rm batch.bin
    run "$VQVAE" train -o run --resume --steps 6 --threads 1 --quiet
    [ "$status" -eq 1 ]
    [[ "$output" == *"batch.bin: no such file or folder"* ]]
}

@test "a source that is named twice is refused" {
    run train batch.bin ./batch.bin -o run --steps 2
    [ "$status" -eq 1 ]
    [[ "$output" == *"are the same; name each source once"* ]]
    [ ! -e run ]
}

@test "copies are named, wherever they lie" {
    record 7 > more.bin
    train batch.bin more.bin -o run --steps 2 > out 2> talk
    grep -q "1 of 11 images are copies of others" talk
    grep -q "more.bin" talk
    train batch.bin -o plain --steps 2 2> talk > out
    ! grep -q "copies" talk
    train batch.bin --valid more.bin -o valid --steps 2 2> talk > out
    grep -q "1 of 11 images are copies of others, .*the first of them 0 of .*more.bin, the same as 7 of .*batch.bin;" talk
}
