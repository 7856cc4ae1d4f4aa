#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A training that is killed at twenty moments and interrupted once, and goes on each time, leaves
# the same bits as one that was never stopped. The moments are random; the result must not be.

data=/usr/share/datasets/fashion-mnist:train
steps=2000 # more than the fastest machine makes between the kills

setup() {
    cd "$BATS_TEST_TMPDIR"
    RANDOM=20
}

first=("$data" --preset tiny --steps $steps --threads 2 --set train.save_every=5
       --set train.valid_every=1000 --set train.log_every=10 --quiet)

# Metrics without what the clock says.
untimed() {
    sed -E 's/"(seconds|images_per_second|data_wait)":[0-9.e+-]+,?//g' "$1/metrics.jsonl"
}

# Starts or resumes in the background and waits for at least one save since the last stop.
begin() {
    if [ -f stopped/state.safetensors ]; then
        "$VQVAE" train -o stopped --resume --threads 2 --quiet &
    else
        "$VQVAE" train "${first[@]}" -o stopped --force &
    fi
    pid=$!
    for _ in $(seq 600); do
        [ stopped/state.safetensors -nt mark ] && return 0
        kill -0 $pid 2>/dev/null || return 0
        sleep 0.02
    done
}

@test "killed at twenty moments and interrupted once: the same bits" {
    "$VQVAE" train "${first[@]}" -o straight
    for moment in $(seq 20); do
        touch mark
        begin
        sleep "0.0$((RANDOM % 90 + 10))"
        kill -9 $pid || true
        wait $pid || true
        [ -f stopped/state.safetensors ]
    done
    touch mark
    begin
    kill -INT $pid
    status=0
    wait $pid || status=$?
    [ $status -eq 130 ] || [ $status -eq 0 ]
    "$VQVAE" train -o stopped --resume --threads 2 --quiet

    cmp straight/model.safetensors stopped/model.safetensors
    cmp straight/best.safetensors stopped/best.safetensors
    diff <(untimed straight) <(untimed stopped)
    # What the killed ones were writing is gone.
    touch stopped/state.safetensors.1234-0.tmp stopped/config.json.99-0.tmp stopped/my.tmp
    "$VQVAE" train -o stopped --resume --threads 2 --quiet
    [ "$(LC_ALL=C ls stopped)" = "$(printf '%s\n' best.safetensors config.json metrics.jsonl \
        model.safetensors my.tmp state.safetensors)" ]
}
