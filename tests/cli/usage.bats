#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The command line: help, versions, what is refused, with which words and exit codes.

setup() {
    cd "$BATS_TEST_TMPDIR"
    data=/usr/share/datasets/fashion-mnist:t10k
}

verbs() {
    "$VQVAE" --help | sed -n '/^Verbs:/,/^$/s/^  \([a-z]*\) .*/\1/p'
}

@test "--version prints name and version" {
    run "$VQVAE" --version
    [ "$status" -eq 0 ]
    [[ "$output" =~ ^vqvae\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
}

@test "every verb has the same help by --help, -h and help VERB" {
    [ "$(verbs | wc -l)" -ge 9 ]
    for verb in $(verbs); do
        "$VQVAE" "$verb" --help > long
        "$VQVAE" "$verb" -h > short
        "$VQVAE" help "$verb" > word
        cmp long short
        cmp long word
        grep -q '^Usage: vqvae '"$verb" long
        grep -q -- '--threads N' long
        # The examples come last.
        tail -1 long | grep -q '^  '
        sed '1,/^Examples:/d' long | grep -q "^  vqvae $verb"
        # No line is wider than a terminal.
        [ "$(awk 'length > 100' long | wc -l)" -eq 0 ]
    done
}

@test "the command line is refused with exit code 2 and one sentence" {
    # arguments | words of the sentence
    while IFS='|' read -r arguments words; do
        run "$VQVAE" $arguments
        echo "$arguments: $status $output"
        [ "$status" -eq 2 ]
        [ "${#lines[@]}" -eq 1 ]
        [[ "$output" == *"$words"* ]]
    done <<'END'
|a verb is missing
trian|did you mean "train"?
zzzzzzzz|`vqvae --help` lists them
help trian|did you mean "train"?
--quiet train|the verb comes first
train x --stpes 3 -o r|there is no option --stpes; did you mean --steps?
train x -o r --qqqqqqqqqqqqq|`vqvae train --help` lists them
train x -o r -Z|there is no option -Z
train x|--out RUN is missing
decode x y z|"z" is one argument too many
train -o r|DATA is missing
train x -o|-o needs a value
train x -o r --steps|--steps needs a value
train x -o r --steps 0|--steps takes a whole number from 1 to
train x -o r --batch 12x|--batch takes a whole number from 1 to 65536, not "12x"
train x -o r --batch=70000|not "70000"
train x -o r --batch 99999999999999999999|not "99999999999999999999"
train x -o r --quiet=1|--quiet takes no value
train x -o r --backend cuda|--backend takes one of auto|portable|onednn, not "cuda"
train x -o r --backend onedn|onednn, not "onedn"; did you mean "onednn"?
train x -o r --set modell.k=1|the sections are model, train and data; did you mean "model"?
train x -o r --preset zzzzzzzz|`vqvae presets` lists them
train x -o r --precision f16|--precision takes one of f32
train x -o r --steps 1 --epochs 1|give one of them
train x -o r --preset tinny|did you mean "tiny"?
train x -o r --set lr=1|--set takes section.name=value
train x -o r --set optimizer.lr=1|the sections are model, train and data
train x -o r --set train.lrr=1|lr
train x -o r --set train.lr=-1|train.lr
decode model codes.npy -o d2.png|it may be a folder or a file ending in .npy, but no .png
eval model|too few arguments; it is `vqvae eval MODEL DATA...`
bench trian|did you mean "train"?
bench forward --threads 4096|--threads takes a whole number from 0 to 1024
END
}

@test "what is not there or not readable is exit code 1" {
    echo nonsense > broken.safetensors
    echo nonsense > broken.json
    echo '{"modell": {}}' > unknown.json
    while IFS='|' read -r arguments words; do
        run "$VQVAE" $arguments
        echo "$arguments: $status $output"
        [ "$status" -eq 1 ]
        [ "${#lines[@]}" -eq 1 ]
        [[ "$output" == *"$words"* ]]
    done <<'END'
train nowhere -o r|nowhere: no such file or folder
eval nowhere.safetensors x|nowhere.safetensors
eval broken.safetensors x|broken.safetensors
inspect broken.safetensors|broken.safetensors
inspect broken.json|broken.json: line 1 is not valid JSON
train . -o r --config broken.json|broken.json: line 1 is not valid JSON
train . -o r --config unknown.json|"modell" is none of "model", "train", "data"; did you mean "model"?
report .|is no run folder
END
}

@test "results go to stdout, talk to stderr, and --quiet silences talk alone" {
    "$VQVAE" bench forward --preset tiny --runs 1 --batch 2 --json > out 2> talk
    [ "$(wc -l < out)" -eq 1 ]
    [ ! -s talk ]
    "$VQVAE" train "$data" -o r --preset tiny --steps 2 --threads 1 --quiet > out 2> talk
    [ ! -s talk ]
    grep -q best_valid_nmse out
}

@test "output for a program holds no escape sequences" {
    "$VQVAE" trian > out 2>&1 || true
    "$VQVAE" train "$data" -o r --preset tiny --steps 2 --threads 1 >> out 2>&1
    ! grep -q "$(printf '\033')" out
    ! grep -q "$(printf '\r')" out
}

@test "a closed or full standard output is exit code 3" {
    [ -e /dev/full ] || skip "no /dev/full"
    run bash -c '"$VQVAE" presets > /dev/full'
    [ "$status" -eq 3 ]
    [[ "$output" == *"standard output"* ]]
}
