#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# How the program behaves towards terminals, pipes, other programs and what is there already.

setup_file() {
    cd "$BATS_FILE_TMPDIR"
    export data=/usr/share/datasets/fashion-mnist:t10k
    "$VQVAE" train "$data" -o run --preset tiny --steps 20 --threads 1 --quiet > /dev/null
    "$VQVAE" encode run "$data" -o codes.npy --quiet > /dev/null
    "$VQVAE" decode run codes.npy -o images --count 4 --quiet > /dev/null
    export model=$BATS_FILE_TMPDIR/run codes=$BATS_FILE_TMPDIR/codes.npy
    export images=$BATS_FILE_TMPDIR/images
}

setup() {
    cd "$BATS_TEST_TMPDIR"
}

verbs() {
    "$VQVAE" --help | sed -n '/^Verbs:/,/^$/s/^  \([a-z]*\) .*/\1/p'
}

@test "every verb that reports does so in JSON, line by line" {
    # Those that are not named here have tests of their own.
    while read -r arguments; do
        echo "$arguments"
        "$VQVAE" $arguments --json --quiet > report.jsonl
        [ -s report.jsonl ]
        # Every line is an object or a list: inspect refuses what is not JSON.
        "$VQVAE" inspect report.jsonl > about
        rm report.jsonl
    done <<END
train $images -o new --preset tiny --steps 3 --set train.log_every=1
train $images -o other --preset tiny --steps 3 --dry-run
eval $model $images
encode $model $images -o new.npy
decode $model new.npy -o pictures
reconstruct $model $images/000000.png -o pair.png
inspect $model
inspect $model/best.safetensors
inspect $model/best.safetensors --plan
inspect $codes
inspect $images
presets
presets tiny
presets --settings
report new
bench forward --preset tiny --runs 1 --batch 2
END
}

# Standard output and error of a command on a terminal.
on_terminal() {
    script -qec "$*" /dev/null < /dev/null
}

@test "a terminal has a bar in colours, and none of them with NO_COLOR" {
    command -v script > /dev/null || skip "script is not installed"
    escape=$(printf '\033')
    train="'$VQVAE' train '$images' --preset tiny --steps 30 --threads 1 --set train.batch=2"
    export TERM=xterm
    on_terminal "$train -o run-coloured" > coloured
    grep -q "$escape\[36m" coloured
    NO_COLOR=1 on_terminal "$train -o run-plain" > plain
    grep -q "$escape\[K" plain
    [ "$(grep -c "$escape\[[0-9;]*m" plain)" -eq 0 ]
    TERM=dumb on_terminal "$train -o run-dumb" > dumb
    [ "$(grep -c "$escape" dumb)" -eq 0 ]
    NO_COLOR=1 on_terminal "'$VQVAE' trian" > plain || true
    grep -q 'error: there is no verb' plain
    [ "$(grep -c "$escape" plain)" -eq 0 ]
    # Output that goes elsewhere gets none, whatever standard error is.
    on_terminal "$train -o split > results"
    [ "$(grep -c "$escape" results)" -eq 0 ]
}

@test "no verb overwrites what is there, before it has begun to write" {
    echo precious > kept
    mkdir folder
    for name in a.npy a.index.jsonl b.png page.html folder/000003.png folder/000000b.png; do
        cp kept "$name"
    done
    cp "$images/000000.png" 000000b.png
    while IFS='|' read -r arguments kind; do
        echo "$arguments"
        before=$(find . | sort)
        run "$VQVAE" $arguments
        [ "$status" -eq 1 ]
        [[ "${lines[${#lines[@]} - 1]}" == *"error: $kind exists; --force overwrites it" ]]
        [ "$(find . | sort)" = "$before" ]
        cmp "$kind" kept
    done <<END
encode $model $images -o a.npy|a.npy
decode $model $codes -o a.npy|a.npy
decode $model $codes -o folder|folder/000003.png
eval $model $images --grid b.png|b.png
reconstruct $model $images/000000.png -o b.png|b.png
reconstruct $model $images/000001.png 000000b.png -o folder|folder/000000b.png
report $model -o page.html|page.html
END
    rm a.npy
    run "$VQVAE" encode "$model" "$images" -o a.npy
    [ "$status" -eq 1 ]
    [[ "$output" == *"a.index.jsonl exists; --force overwrites it"* ]]
    # Each does with --force.
    "$VQVAE" encode "$model" "$images" -o a.npy --force > out
    "$VQVAE" decode "$model" "$codes" -o folder --force --count 4 > out
    ! cmp -s folder/000003.png kept
}

@test "two pictures of one name do not overwrite each other" {
    mkdir other
    cp "$images/000001.png" other/000000.png
    run "$VQVAE" reconstruct "$model" "$images/000000.png" other/000000.png -o pairs
    [ "$status" -eq 1 ]
    [[ "$output" == *"and other/000000.png would both become pairs/000000.png"* ]]
    [ ! -e pairs ]
}

@test "a folder with any file of a run is not trained in without being asked to" {
    for name in config.json metrics.jsonl state.safetensors model.safetensors best.safetensors; do
        mkdir new
        echo precious > "new/$name"
        run "$VQVAE" train "$images" -o new --preset tiny --steps 1
        [ "$status" -eq 1 ]
        [[ "$output" == *"new already holds a run; --resume goes on with it, --force starts over" ]]
        [ "$(cat "new/$name")" = precious ]
        rm -r new
    done
}

@test "the page of several runs does not take the place of one run's own" {
    cp -r "$model" first
    cp -r "$model" second
    "$VQVAE" report first > out
    before=$(sha256sum first/report.html)
    run "$VQVAE" report first second
    [ "$status" -eq 1 ]
    [[ "$output" == *"first/report.html exists; --force overwrites it"* ]]
    [ "$(sha256sum first/report.html)" = "$before" ]
    "$VQVAE" report first second --force > out
    grep -q 'Runs compared' first/report.html
}

@test "a disk that is full while saving keeps what was there" {
    "$VQVAE" train "$images" -o new --preset tiny --steps 4 --threads 1 --quiet > out
    before=$(sha256sum new/state.safetensors new/best.safetensors new/model.safetensors)
    # No file may grow beyond 8 blocks, as on a disk that is full.
    run bash -c 'trap "" XFSZ; ulimit -f 8; "$VQVAE" train -o new --resume --steps 8 --threads 1'
    echo "$output"
    [ "$status" -eq 3 ]
    [[ "$output" == *"new/"*".safetensors: could not be written: "* ]]
    [ "$(sha256sum new/state.safetensors new/best.safetensors new/model.safetensors)" = "$before" ]
    [ "$(ls new | grep -c tmp)" -eq 0 ]
    # The run goes on once there is room.
    "$VQVAE" train -o new --resume --steps 8 --threads 1 --quiet > out
    "$VQVAE" train "$images" -o straight --preset tiny --steps 8 --threads 1 --quiet > out
    cmp new/model.safetensors straight/model.safetensors
    run bash -c 'trap "" XFSZ; ulimit -f 8; "$VQVAE" encode "$model" "$data" -o full.npy'
    [ "$status" -eq 3 ]
    [ "$(ls | grep -c full)" -eq 0 ]
}

@test "reading the images before a training can be interrupted" {
    mkdir many
    for i in $(seq 2000); do ln "$images/000001.png" many/$i.png; done
    "$VQVAE" train many -o new --preset tiny --steps 100000000 --threads 1 2> talk > out &
    pid=$!
    for _ in $(seq 1000); do
        grep -q 'reading' talk && break
        sleep 0.001
    done
    kill -INT $pid
    status=0
    wait $pid || status=$?
    [ "$status" -eq 130 ]
    grep -q 'stopped' talk
}
