#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Training: what it leaves, how it goes on, how it stops.

setup() {
    cd "$BATS_TEST_TMPDIR"
    data=/usr/share/datasets/fashion-mnist:t10k
}

train() {
    "$VQVAE" train "$@" --threads 1 --quiet
}

# A field of a line of JSON.
field() {
    sed -n "s/.*\"$1\": *\"\{0,1\}\([^,}\"]*\).*/\1/p"
}

# Metrics without what the clock says.
untimed() {
    sed -E 's/"(seconds|images_per_second|data_wait)":[0-9.e+-]+,?//g' "$1/metrics.jsonl"
}

# Equal in everything that does not tell the time or the way.
assert_same_run() {
    for name in state model best; do cmp "$1/$name.safetensors" "$2/$name.safetensors"; done
    diff <(untimed "$1") <(untimed "$2")
}

@test "a run holds models, state, metrics and settings, and learns" {
    train "$data" -o run --preset tiny --steps 60 --valid-every 20 --set train.log_every=10
    for name in model best state; do [ -s run/$name.safetensors ]; done
    [ "$(wc -l < run/metrics.jsonl)" -eq 6 ]
    for key in step epoch images seconds loss mse nmse commitment perplexity codes_used lr \
        images_per_second data_wait; do
        [ "$(grep -c "\"$key\":" run/metrics.jsonl)" -eq 6 ]
    done
    for key in valid_loss valid_mse valid_nmse valid_commitment valid_perplexity valid_codes_used; do
        [ "$(grep -c "\"$key\":" run/metrics.jsonl)" -eq 3 ]
    done
    first=$(head -2 run/metrics.jsonl | tail -1 | field valid_nmse)
    last=$(tail -1 run/metrics.jsonl | field valid_nmse)
    awk -v a="$first" -v b="$last" 'BEGIN { exit !(b < a && b < 0.9) }'
    grep -q '"held_out": 500' run/config.json
    [ "$(ls run)" = "$(printf '%s\n' best.safetensors config.json metrics.jsonl \
        model.safetensors state.safetensors)" ]
}

@test "the same seed gives the same bits, another seed others" {
    train "$data" -o a --preset tiny --steps 12
    train "$data" -o b --preset tiny --steps 12
    train "$data" -o c --preset tiny --steps 12 --seed 1
    assert_same_run a b
    ! cmp -s a/state.safetensors c/state.safetensors
}

@test "30 steps at once and 15 and 15 leave the same bits" {
    train "$data" -o once --preset tiny --steps 30 --valid-every 15 --set train.log_every=5
    train "$data" -o twice --preset tiny --steps 15 --valid-every 15 --set train.log_every=5
    train -o twice --resume --steps 30
    [ "$(sha256sum < once/state.safetensors)" = "$(sha256sum < twice/state.safetensors)" ]
    assert_same_run once twice
}

@test "augmented training resumes to the same bits" {
    set -- "$data" --preset tiny --valid-every 10 --set data.flip=true --set data.crop_pad=2
    train "$@" -o once --steps 20
    train "$@" -o twice --steps 10
    train "$@" -o twice --steps 20 --resume
    assert_same_run once twice
}

@test "codebooks fitted anew where a training was stopped are the same" {
    set -- "$data" --preset tiny --valid-every 10 --set model.codebook_init=kmeans \
        --set train.refit_every=5 --set train.revive_until=1
    train "$@" -o once --steps 20
    train "$@" -o twice --steps 10
    train "$@" -o twice --steps 20 --resume
    assert_same_run once twice
    train "$@" -o never --steps 20 --set train.refit_every=0
    ! cmp -s once/model.safetensors never/model.safetensors
}

@test "lines beyond the state, and half a line, are cut on resuming" {
    set -- "$data" --preset tiny --set train.log_every=5 --valid-every 10
    train "$@" -o once --steps 20
    train "$@" -o cut --steps 10
    sed -n 's/"step":10,/"step":15,/p' cut/metrics.jsonl >> cut/metrics.jsonl
    printf '{"step":16,"loss' >> cut/metrics.jsonl
    train -o cut --resume --steps 20
    assert_same_run once cut
}

@test "a signal saves, exits 130, and says how to go on" {
    train "$data" -o once --preset tiny --steps 400 --save-every 400
    "$VQVAE" train "$data" -o stopped --preset tiny --steps 400 --save-every 400 --threads 1 \
        --set train.log_every=1 2> talk &
    pid=$!
    for _ in $(seq 1000); do
        [ -s stopped/metrics.jsonl ] && break
        sleep 0.01
    done
    kill -INT $pid
    status=0
    wait $pid || status=$?
    [ "$status" -eq 130 ]
    grep -q 'stopped and saved at step [0-9]* of 400; `vqvae train -o stopped --resume` goes on' talk
    ! grep -q error talk
    train -o stopped --resume
    [ "$(tail -1 stopped/metrics.jsonl | field step)" -eq 400 ]
    cmp <("$VQVAE" inspect once/model.safetensors --json | field hash) \
        <("$VQVAE" inspect stopped/model.safetensors --json | field hash)
}

@test "a run without a state starts over, and says so" {
    train "$data" -o once --preset tiny --steps 8
    train "$data" -o again --preset tiny --steps 8
    rm again/state.safetensors
    run "$VQVAE" train -o again --resume --threads 1
    [ "$status" -eq 0 ]
    [[ "$output" == *"no saved state: training starts over"* ]]
    assert_same_run once again
}

@test "resuming a finished run changes nothing" {
    train "$data" -o run --preset tiny --steps 4
    before=$(sha256sum < run/state.safetensors)
    train -o run --resume
    [ "$before" = "$(sha256sum < run/state.safetensors)" ]
    [ "$(wc -l < run/metrics.jsonl)" -eq 1 ]
}

@test "settings that differ from those of the run are refused, naming one" {
    train "$data" -o run --preset tiny --steps 4
    run "$VQVAE" train -o run --resume --steps 8 --preset tiny --set train.lr=0.5
    [ "$status" -eq 2 ]
    [[ "$output" == *"another train.lr"* ]]
    run "$VQVAE" train -o run --resume --steps 8 --preset cifar10
    [ "$status" -eq 2 ]
    [[ "$output" == *"another model."* ]]
}

@test "a run is not overwritten without --force" {
    train "$data" -o run --preset tiny --steps 4
    before=$(sha256sum < run/state.safetensors)
    run "$VQVAE" train "$data" -o run --preset tiny --steps 4
    [ "$status" -eq 1 ]
    [[ "$output" == *"--resume goes on with it, --force starts over"* ]]
    [ "$before" = "$(sha256sum < run/state.safetensors)" ]
    train "$data" -o run --preset tiny --steps 4 --seed 7 --force
    [ "$before" != "$(sha256sum < run/state.safetensors)" ]
}

@test "a training that diverges exits 4 and keeps the last state" {
    set -- --preset tiny --set train.lr=10 --set train.eps=1e-30 --set model.commitment=1e6
    run "$VQVAE" train "$data" -o run "$@" --steps 3000 --save-every 1 --threads 1 --quiet
    [ "$status" -eq 4 ]
    [[ "$output" =~ diverged\ after\ step\ ([0-9]+):.*run/state.safetensors\ keeps\ step\ ([0-9]+) ]]
    # What the last step made may be infinite itself, and is then not saved.
    [ "${BASH_REMATCH[2]}" -le "${BASH_REMATCH[1]}" ]
    [ "${BASH_REMATCH[2]}" -ge "$((BASH_REMATCH[1] - 1))" ]
    "$VQVAE" inspect run/state.safetensors --json | grep -q "\"vqvae.step\":${BASH_REMATCH[2]}[,}]"
}

@test "settings come from preset, file, --set and options, the last one winning" {
    "$VQVAE" presets tiny > tiny.json
    train "$data" -o run --config tiny.json --set train.lr=0.5 --set train.lr=0.001 --batch 8 \
        --set model.level.0.k=32 --steps 2
    grep -q '"lr": 0.001' run/config.json
    grep -q '"batch": 8' run/config.json
    grep -q '"k": 32' run/config.json
    # A run's config.json is a file of settings, too.
    train "$data" -o copy --config run/config.json
    diff <(sed '/"run": {/,$d' run/config.json) <(sed '/"run": {/,$d' copy/config.json)
}

@test "--dry-run prints the plan and writes nothing" {
    "$VQVAE" train "$data" -o run --preset tiny --epochs 2 --dry-run --json > plan
    [ ! -e run ]
    [ "$(field training_images < plan)" = 9500 ]
    [ "$(field steps < plan)" = 1188 ] # ceil(2 * 9500 / 16)
    for key in memory_mb step_gflop step_seconds validation_seconds saving_seconds estimated_seconds; do
        awk -v x="$(field $key < plan)" 'BEGIN { exit !(x > 0) }'
    done
    [ -z "$(ls -A | grep vqvae-)" ] # nothing is left of what was written to be timed
    # The time is that of all parts, validations and saves after every 100 steps and the last.
    [ "$(field validations < plan)" = 12 ]
    [ "$(field saves < plan)" = 12 ]
    awk -v all="$(field estimated_seconds < plan)" -v s="$(field step_seconds < plan)" \
        -v v="$(field validation_seconds < plan)" -v r="$(field reading_seconds < plan)" \
        -v w="$(field saving_seconds < plan)" \
        'BEGIN { d = (r + 1188 * s + 12 * v + 12 * w) / all - 1; exit !(d * d < 1e-9) }'
    train "$data" -o run --preset tiny --steps 4
    [ "$(field parameters < plan)" = "$("$VQVAE" inspect run/model.safetensors --json |
        field parameters)" ]
    before=$(sha256sum run/*)
    "$VQVAE" train -o run --resume --steps 10 --dry-run --json > plan
    [ "$(field steps < plan)" = 10 ]
    [ "$(field steps_done < plan)" = 4 ]
    [ "$(sha256sum run/*)" = "$before" ]
    run "$VQVAE" train -o run --resume --steps 3 --dry-run
    [ "$status" -eq 2 ]
    [[ "$output" == *"run is at step 4 already; 3 steps are fewer"* ]]
}

@test "--init starts from a model's weights and shape" {
    train "$data" -o first --preset tiny --steps 40 --set model.level.0.k=24
    train "$data" -o second --init first --steps 1 --batch 16
    grep -q '"k": 24' second/config.json
    a=$(head -1 second/metrics.jsonl | field nmse)
    awk -v a="$a" 'BEGIN { exit !(a < 0.9) }'
}

@test "two grids of codes train and resume" {
    set -- "$data" --preset tiny --valid-every 5 --set model.level.1.stride=2 \
        --set model.level.1.width=16 --set model.level.1.k=8 --set model.level.1.d=4
    train "$@" -o once --steps 10
    train "$@" -o twice --steps 5
    train -o twice --resume --steps 10
    assert_same_run once twice
    grep -q valid_perplexity_1 once/metrics.jsonl
}

@test "--valid takes other images and trains on all" {
    train "$data" -o run --preset tiny --steps 2 --valid "$data"
    grep -q '"held_out": 0' run/config.json
    [ "$(tail -1 run/metrics.jsonl | field valid_images)" = 10000 ]
}

@test "a folder that is trained in is refused to other trainings" {
    "$VQVAE" train "$data" -o run --preset tiny --steps 100000 --threads 1 --quiet > out &
    pid=$!
    for _ in $(seq 1000); do
        [ -e run/metrics.jsonl ] && break
        sleep 0.01
    done
    for how in --resume --force; do
        run timeout 20 "$VQVAE" train "$data" -o run --preset tiny --steps 1 --threads 1 $how
        echo "$how: $status $output"
        [ "$status" -eq 1 ]
        [[ "$output" == *"another training is at work in run"* ]]
    done
    kill -9 $pid
    wait $pid || true
    train "$data" -o run --preset tiny --steps 1 --force
}

@test "a new length of a run outlives a kill before the first save" {
    train "$data" -o run --preset tiny --steps 5
    "$VQVAE" train -o run --resume --steps 100000 --save-every 0 --threads 1 --quiet > out &
    pid=$!
    for _ in $(seq 1000); do
        grep -q '"steps": 100000' run/config.json && break
        sleep 0.01
    done
    kill -9 $pid
    wait $pid || true
    "$VQVAE" inspect run/state.safetensors --json | grep -q '"steps":100000'
    "$VQVAE" inspect run/state.safetensors --json | grep -q '"vqvae.step":5[,}]'
}

@test "a run is not made shorter than it is, and its steps come from --steps" {
    train "$data" -o run --preset tiny --steps 5
    before=$(sha256sum run/*)
    run "$VQVAE" train -o run --resume --steps 4
    [ "$status" -eq 2 ]
    [[ "$output" == *"run is at step 5 already; 4 steps are fewer"* ]]
    run "$VQVAE" train -o run --resume --set train.steps=9
    [ "$status" -eq 2 ]
    [[ "$output" == *"from --steps or --epochs"* ]]
    [ "$before" = "$(sha256sum run/*)" ]
}

@test "settings a run has may be given again, and those of its saves changed" {
    train "$data" -o run --preset tiny --batch 8 --seed 3 --steps 4 --set model.level.0.k=24
    train -o run --resume --batch 8 --steps 6
    train -o run --resume --seed 3 --set model.level.0.k=24 --set train.lr=0.002
    train -o run --resume --steps 10 --save-every 7 --valid-every 8 --set train.log_every=2 \
        --set data.cache_mb=5
    for line in '"save_every": 7' '"valid_every": 8' '"log_every": 2' '"cache_mb": 5' \
        '"batch": 8' '"k": 24'; do
        grep -q "$line" run/config.json
    done
    [ "$(tail -2 run/metrics.jsonl | head -1 | field step)" -eq 8 ]
    # And they hold from then on.
    train -o run --resume --steps 12
    grep -q '"save_every": 7' run/config.json
    [ "$(tail -1 run/metrics.jsonl | field step)" -eq 12 ]
    run "$VQVAE" train -o run --resume --batch 16
    [ "$status" -eq 2 ]
    [[ "$output" == *"another train.batch"* ]]
}

@test "0 steps between saves and validations are kept: only at the end" {
    train "$data" -o run --preset tiny --steps 120 --save-every 0 --set train.valid_every=0
    grep -q '"save_every": 0' run/config.json
    grep -q '"valid_every": 0' run/config.json
    [ "$(grep -c valid_nmse run/metrics.jsonl)" -eq 1 ]
    train -o run --resume --steps 240
    [ "$(grep -c valid_nmse run/metrics.jsonl)" -eq 2 ]
}

@test "images that cannot be read any more end a training, whose steps are kept" {
    train "$data" -o first --preset tiny --steps 1
    "$VQVAE" encode first "$data" -o codes.npy --quiet > out
    "$VQVAE" decode first codes.npy -o images --count 40 --quiet > out
    "$VQVAE" train images -o run --preset tiny --steps 1000000 --save-every 0 --threads 1 \
        --set train.log_every=1 --set train.valid_every=0 --set data.cache_mb=0 2> talk > out &
    pid=$!
    for _ in $(seq 1000); do
        [ -s run/metrics.jsonl ] && break
        sleep 0.01
    done
    rm images/*.png
    status=0
    wait $pid || status=$?
    [ "$status" -eq 1 ]
    grep -q 'images/.*; run/state.safetensors keeps step [0-9]*$' talk
    "$VQVAE" inspect run/state.safetensors --json | field vqvae.step > step
    [ "$(cat step)" -ge 1 ]
}

@test "a model that cannot be built is exit code 2" {
    while IFS='|' read -r setting words; do
        run "$VQVAE" train "$data" -o run --preset tiny --set "$setting" --quiet
        echo "$setting: $status $output"
        [ "$status" -eq 2 ]
        [[ "$output" == *"$words"* ]]
        [ ! -e run ]
    done <<'END'
model.level.0.stride=3|stride is 3; it must be a power of two
model.channels=4|images have 1 or 3
model.channels=2|images have 1 or 3
data.height=7|give both or neither
END
}

@test "the loss of a validation is made as that of training" {
    train "$data" -o run --preset tiny --steps 3 --set model.quantizer=gradient \
        --set model.codebook=0.5 --set model.level.1.stride=2 --set model.level.1.width=16
    tail -1 run/metrics.jsonl > line
    # Two levels, each with weight 0.25 of the commitment term and 0.5 of the codebook's.
    awk -v loss="$(field valid_loss < line)" -v nmse="$(field valid_nmse < line)" \
        -v c="$(field valid_commitment < line)" 'BEGIN {
            d = loss - nmse - 2 * (0.25 + 0.5) * c; exit !(c > 0 && d * d < 1e-12 * loss * loss) }'
    awk -v loss="$(field loss < line)" -v nmse="$(field nmse < line)" \
        -v c="$(field commitment < line)" 'BEGIN {
            d = loss - nmse - 2 * (0.25 + 0.5) * c; exit !(d * d < 1e-8 * loss * loss) }'
}

@test "training says that it reads the images first" {
    "$VQVAE" train "$data" -o run --preset tiny --steps 1 --threads 1 2> talk > out
    [ "$(head -1 talk)" = "reading 9500 images" ]
}
