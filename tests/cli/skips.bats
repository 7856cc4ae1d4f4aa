#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Images that cannot be read among others that can: left out, counted, listed; or refused.

setup_file() {
    cd "$BATS_FILE_TMPDIR"
    data=/usr/share/datasets/fashion-mnist:t10k
    "$VQVAE" train "$data" -o run --preset tiny --steps 20 --threads 1 --quiet > /dev/null
    "$VQVAE" encode run "$data" -o codes.npy --quiet > /dev/null
    "$VQVAE" decode run codes.npy -o images --count 60 --quiet > /dev/null
    # Every tenth of them is damaged, the first of all included.
    for i in 0 1 2 3 4 5; do
        name=$(printf 'images/%06d.png' $((i * 10)))
        case $i in
        0) : > "$name" ;;
        1) echo 'no image' > "$name" ;;
        *) head -c $((40 * i)) images/000001.png > "$name" ;;
        esac
    done
    export model=$BATS_FILE_TMPDIR/run images=$BATS_FILE_TMPDIR/images
    export damaged='000000.png 000010.png 000020.png 000030.png 000040.png 000050.png'
}

setup() {
    cd "$BATS_TEST_TMPDIR"
    tiny=(--preset tiny --steps 12 --threads 1 --set train.batch=8)
}

field() {
    sed -n "s/.*\"$1\": *\"\{0,1\}\([^,}\"]*\).*/\1/p"
}

# What a file of JSON lines lists as left out, in the order of names.
listed() {
    grep '"why"' "$1" | field path | sort | tr '\n' ' ' | sed 's/ $//'
}

@test "a training leaves out what it cannot read, and lists it" {
    "$VQVAE" train "$images" -o new "${tiny[@]}" --json > out 2> talk
    [ "$(listed new/skipped.jsonl)" = "$damaged" ]
    [ "$(grep -c 'warning: left out: .*/images: image 0000.0.png: ' talk)" -eq 5 ]
    grep -q 'warning: 6 images could not be read and were left out; new/skipped.jsonl names' talk
    [ "$(tail -1 out | field skipped)" = 6 ]
    [ "$(tail -1 out | field steps)" = 12 ]
    # Epochs are of the images that are left: 60, of which 3 are held out and 6 damaged.
    held=$(tail -1 new/metrics.jsonl | field valid_images)
    epoch=$(tail -1 new/metrics.jsonl | field epoch)
    awk -v e="$epoch" -v n=$((54 - held)) 'BEGIN { d = e - 12 * 8 / n; exit !(d * d < 1e-9) }'
    # A report shows what was held out and can be read.
    "$VQVAE" report new > out
    # A run that goes on leaves out the same ones.
    "$VQVAE" train -o new --resume --steps 20 --threads 1 --quiet > out
    [ "$(listed new/skipped.jsonl)" = "$damaged" ]
    # Nothing is left of the list where nothing is left out any more.
    rm -r new
    "$VQVAE" train "$images" -o new "${tiny[@]}" --quiet > out
    cp -r "$images" whole
    for name in $damaged; do cp whole/000001.png "whole/$name"; done
    "$VQVAE" train whole -o new "${tiny[@]}" --force --quiet > out
    [ ! -e new/skipped.jsonl ]
}

@test "the numbers of a training are those of the images that are left" {
    "$VQVAE" train "$images" -o new "${tiny[@]}" --valid "$model/../images" --quiet > out
    mkdir left
    for name in "$images"/*.png; do
        case "$damaged " in *"$(basename "$name") "*) ;; *) cp "$name" left ;; esac
    done
    "$VQVAE" train left -o same "${tiny[@]}" --valid left --quiet > out
    for name in state model best; do cmp new/$name.safetensors same/$name.safetensors; done
}

@test "--strict fails at the first of them, and leaves nothing" {
    run "$VQVAE" train "$images" -o new "${tiny[@]}" --strict
    [ "$status" -eq 1 ]
    [[ "${lines[1]}" == *"error: $images: image 0000"*".png: "* ]]
    [ ! -e new ]
    run "$VQVAE" encode "$model" "$images" -o codes.npy --strict
    [ "$status" -eq 1 ]
    [[ "$output" == *"image 000000.png: "* ]]
    [ -z "$(ls)" ]
    run "$VQVAE" eval "$model" "$images" --strict
    [ "$status" -eq 1 ]
    [[ "$output" == *"image 000000.png: "* ]]
}

@test "eval counts what it leaves out, and measures the rest" {
    "$VQVAE" eval "$model" "$images" --json --grid with.png > out 2> talk
    [ "$(field images < out)" = 54 ]
    [ "$(field skipped < out)" = 6 ]
    [ "$(grep -c 'left out: ' talk)" -eq 5 ]
    mkdir left
    for name in "$images"/*.png; do
        case "$damaged " in *"$(basename "$name") "*) ;; *) cp "$name" left ;; esac
    done
    "$VQVAE" eval "$model" left --json --grid without.png > rest
    for key in mse psnr perplexity codes_used; do
        [ "$(field $key < out)" = "$(field $key < rest)" ]
    done
    cmp with.png without.png
}

@test "encode leaves them out, and its index says why" {
    "$VQVAE" encode "$model" "$images" -o codes.npy --json > out 2> talk
    [ "$(field images < out)" = 54 ]
    [ "$(field skipped < out)" = 6 ]
    grep -q '6 images could not be read and were left out; codes.index.jsonl names them' talk
    # One row for each image, in their order.
    [ "$(wc -l < codes.index.jsonl)" -eq 61 ]
    [ "$(sed 1d codes.index.jsonl | field path | tr '\n' ' ')" = "$(ls "$images" | tr '\n' ' ')" ]
    for name in $damaged; do
        grep "\"$name\"" codes.index.jsonl > row
        grep -q '"skipped": ".*image '"$name"': ' row
        ! grep -q '"row"' row
    done
    [ "$(tail -1 codes.index.jsonl | field row)" = 53 ]
    # The codes are those of the rest.
    mkdir left
    for name in "$images"/*.png; do
        case "$damaged " in *"$(basename "$name") "*) ;; *) cp "$name" left ;; esac
    done
    "$VQVAE" encode "$model" left -o rest.npy > out
    cmp codes.npy rest.npy
    "$VQVAE" encode "$model" "$images" -o codes.npy --force --batch 1 > out
    cmp codes.npy rest.npy
}

@test "an interrupted encode leaves nothing behind" {
    mkdir many
    for i in $(seq 3000); do ln "$images/000001.png" many/$i.png; done
    "$VQVAE" encode "$model" many many many many many many -o codes.safetensors --batch 1 \
        2> talk > out &
    pid=$!
    for _ in $(seq 1000); do
        [ -n "$(find . -name '*.rows.*' -size +0)" ] && break
        sleep 0.01
    done
    kill -INT $pid
    status=0
    wait $pid || status=$?
    [ "$status" -eq 130 ]
    [ "$(ls)" = "$(printf '%s\n' many out talk)" ]
    grep -q 'codes.safetensors was not written' talk
}

@test "where no image can be read, nothing is made" {
    mkdir bad
    for name in $damaged; do cp "$images/$name" bad; done
    for verb in "train bad -o new --preset tiny --steps 3" "eval $model bad" \
        "encode $model bad -o new.npy"; do
        run "$VQVAE" $verb
        [ "$status" -eq 1 ]
        [[ "$output" == *"bad"* ]]
        [ "$(ls)" = bad ]
    done
}

@test "images that vanish from a training have others of their batch stand in" {
    mkdir some
    cp "$images"/00000[1-9].png some
    "$VQVAE" train some -o new --preset tiny --steps 1000000 --save-every 0 --threads 1 \
        --set train.batch=16 --set train.log_every=1 --set train.valid_every=0 \
        --set data.cache_mb=0 2> talk > out &
    pid=$!
    for _ in $(seq 1000); do
        [ -s new/metrics.jsonl ] && break
        sleep 0.01
    done
    rm some/00000[3-5].png # of which one may be held out
    for _ in $(seq 1000); do
        [ "$(grep -c 'left out: .*: image 00000[3-5].png: ' talk)" -ge 2 ] && break
        sleep 0.01
    done
    sleep 0.2 # epochs in which they are met again
    kill -INT $pid
    status=0
    wait $pid || status=$?
    [ "$status" -eq 130 ]
    grep -q 'stopped and saved at step' talk
    for name in $(listed new/skipped.jsonl); do [[ "$name" == 00000[345].png ]]; done
    [ "$(listed new/skipped.jsonl | wc -w)" -ge 2 ]
    [ "$(listed new/skipped.jsonl | wc -w)" -le 3 ]
}

@test "a validation of which no image is left ends a training, whose state is kept" {
    mkdir held kept
    cp "$images"/00000[1-9].png held
    cp held/* kept
    "$VQVAE" train "$images" -o new --preset tiny --steps 1000000 --save-every 0 --threads 1 \
        --valid held --valid-every 20 --set data.cache_mb=0 2> talk > out &
    pid=$!
    for _ in $(seq 1000); do
        grep -q valid_nmse new/metrics.jsonl 2> /dev/null && break
        sleep 0.01
    done
    rm held/*
    status=0
    wait $pid || status=$?
    [ "$status" -eq 1 ]
    grep -q 'error: .*/held: none of the 9 held-out images can be read now' talk
    step=$(sed -n 's|.*new/state.safetensors keeps step \([0-9]*\)$|\1|p' talk)
    [ "$step" -ge 20 ]
    # With the images back it goes on from there.
    cp kept/* held
    "$VQVAE" train -o new --resume --steps $((step + 3)) --threads 1 --json --quiet > out
    [ "$(tail -1 out | field steps)" = $((step + 3)) ]
}
