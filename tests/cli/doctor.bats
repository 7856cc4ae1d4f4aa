#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What doctor prints of a codebook that is well and of one that is not.

setup() {
    cd "$BATS_TEST_TMPDIR"
    data=/usr/share/datasets/fashion-mnist:t10k
}

# A few of the images, in a file of their own.
some_images() {
    printf '\x93NUMPY\x01\x00\x76\x00%-117s\n' \
        "{'descr': '|u1', 'fortran_order': False, 'shape': ($1, 28, 28), }" > some.npy
    gzip -dc /usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz |
        tail -c +17 | head -c $(($1 * 784)) >> some.npy
}

train() {
    "$VQVAE" train some.npy -o run --preset tiny --threads 1 --quiet --set train.revive=0 "$@"
}

doctor() {
    "$VQVAE" doctor "$@" --threads 1
}

@test "codes that averages set to zero are named with the settings to change" {
    some_images 600
    train --steps 20 --set model.ema_start=debias --set model.level.0.k=64
    doctor run some.npy > found
    grep -q '^codes  *64$' found
    grep -q '^vectors  *29400$' found
    grep -q '^healthy  *no$' found
    grep -q '^level.0, origin: [0-9]* of 64 codes ([0-9]* %) lie at the origin' found
    grep -A1 '^level.0, origin' found | grep -q -- '--set model.ema_start=one'
    # The advice is a command line that is taken.
    settings=$(grep -A1 '^level.0, origin' found | grep -o -- '--set [^ ]*')
    rm -r run
    train --steps 1 $settings
}

@test "--json has figures, verdict and findings for each level" {
    some_images 600
    train --steps 20 --set model.ema_start=debias --set model.level.0.k=64 \
        --set model.level.1.stride=2
    doctor run some.npy --json > found
    [ "$(wc -l < found)" -eq 1 ]
    grep -q '"images":600,' found
    grep -q '"level":"level.0","healthy":false,"codes":64,"dim":8,"vectors":38400,' found
    grep -q '"level":"level.1",' found
    grep -q '"vector_norm":{"least":[0-9.]*,"median":[0-9.]*,"greatest":[0-9.]*}' found
    grep -q '"findings":\[{"cause":"origin","measured":"[^"]*","change":"[^"]*","set":\["model' found
    # Codes used, and their perplexity, are those that eval counts.
    "$VQVAE" eval run some.npy --json > counted
    for key in codes_used perplexity; do
        [ "$(grep -o "\"$key\":[0-9.]*" found)" = "$(grep -o "\"$key\":[0-9.]*" counted)" ]
    done
}

@test "a batch too small for the codebook is read from the run folder" {
    some_images 600
    train --steps 20 --batch 2 --set model.level.0.k=4096 --set model.codebook_init=data
    doctor run some.npy | grep -q '^level.0, batch: a training step has 98 vectors for 4096 codes'
    # Of the model alone nobody knows.
    [ "$(doctor run/model.safetensors some.npy | grep -c 'level.0, batch')" -eq 0 ]
}

@test "a healthy codebook is told to be so, with its figures" {
    some_images 600
    train --steps 200 --set model.level.0.k=8 --set model.codebook_init=data
    doctor run some.npy > found
    grep -q '^healthy  *yes$' found
    grep -q '^level.0 is healthy: 8 of 8 codes are used (perplexity [0-9.]*)' found
    doctor run some.npy --json | grep -q '"healthy":true,.*"findings":\[\]'
}

@test "what is no model or no data is refused" {
    some_images 600
    run doctor missing.safetensors some.npy
    [ "$status" -eq 1 ]
    [ "${#lines[@]}" -eq 1 ]
    train --steps 1
    run doctor run missing.npy
    [ "$status" -eq 1 ]
    echo '{"model": 1' > run/config.json
    run doctor run some.npy
    [ "$status" -eq 1 ]
    [[ "$output" == *config.json* ]]
    run doctor run
    [ "$status" -eq 2 ]
}

# Lines of every step, so that short trainings tell how they went.
train_told() {
    "$VQVAE" train some.npy -o run --preset tiny --threads 1 --quiet --set train.log_every=1 \
        --set model.level.0.k=64 "$@"
    doctor run some.npy > found
}

@test "a healthy verdict tells why the codes that are not used are not" {
    some_images 600
    "$VQVAE" train some.npy -o run --preset tiny --threads 1 --quiet --steps 200 \
        --set model.codebook_init=kmeans --backend portable
    some_images 2
    doctor run some.npy > found
    grep -q '^level.0 is healthy: 15 of 16 .*; of the others 0 lie at the origin, 0 repeat another one, 0 are out of reach and 1 crowded out$' \
        found
}

@test "a codebook that was used well and then lost is told from one that never lived" {
    some_images 600
    # The learning rate rises to a hundred times what this model bears.
    train_told --steps 200 --set train.lr=0.2 --set train.warmup=200
    [ "$(grep -m1 -o '^level.0, [a-z]*' found)" = "level.0, lost" ]
    grep -q '^level.0, lost: its codes were better used before: .* from step 1[0-9]* on' found
    grep -q '^level.0, loss: the loss fell to 0.[0-9]* around step' found
    grep -A1 '^level.0, loss' found | grep -q -- '--set train.lr=0.067 --set train.clip=1'
}

@test "codes that grow without end are seen in the metrics" {
    some_images 600
    train_told --steps 150 --set model.commitment=0 --set train.revive=0
    [ "$(grep -m1 -o '^level.0, [a-z]*' found)" = "level.0, drift" ]
    grep -q '^level.0, norms: the codes grow and do not come to rest: ' found
    grep -A1 '^level.0, norms' found | grep -q -- '--set model.commitment=0.25'
    # The model alone does not tell.
    [ "$(doctor run/model.safetensors some.npy | grep -c 'level.0, norms')" -eq 0 ]
    # Neither do lines that are no metrics.
    echo '{"step": 7' > run/metrics.jsonl
    [ "$(doctor run some.npy | grep -c 'level.0, norms')" -eq 0 ]
}

@test "revival that never rests is told with what a step lacks" {
    some_images 600
    train_told --steps 300 --batch 2 --set model.level.0.k=256 --set model.codebook_init=kmeans \
        --set train.revive=0.5 --set train.revive_every=2
    grep -q '^level.0, revival: codes are revived again and again: [0-9]* times from step 120 to 240' \
        found
    grep -A1 '^level.0, revival' found | grep -q -- '--set train.batch=6'
}

@test "a training that went well has nothing told of it" {
    some_images 600
    train_told --steps 200 --set model.codebook_init=kmeans
    grep -q '^level.0 is healthy' found
}
