#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Images to codes and back: eval, encode, decode, reconstruct, inspect, report, bench.

setup_file() {
    export data=/usr/share/datasets/fashion-mnist:t10k
    cd "$BATS_FILE_TMPDIR"
    "$VQVAE" train "$data" -o run --preset tiny --steps 60 --threads 1 --quiet > /dev/null
    export model=$BATS_FILE_TMPDIR/run
}

setup() {
    cd "$BATS_TEST_TMPDIR"
}

field() {
    sed -n "s/.*\"$1\": *\"\{0,1\}\([^,}\"]*\).*/\1/p"
}

@test "eval agrees with itself whatever the batch and the threads" {
    "$VQVAE" eval "$model" "$data" --json --threads 1 > one
    "$VQVAE" eval "$model" "$data" --json --threads 2 --batch 7 > two
    for key in images mse nmse psnr perplexity codes_used; do
        [ -n "$(field $key < one)" ]
        [ "$(field $key < one)" = "$(field $key < two)" ]
    done
    [ "$(field images < one)" = 10000 ]
    awk -v a="$(field nmse < one)" 'BEGIN { exit !(a > 0 && a < 1) }'
}

@test "eval draws originals above reconstructions" {
    "$VQVAE" eval "$model" "$data" --grid grid.png --count 8 --columns 4 --scale 1 > out
    "$VQVAE" inspect grid.png --json > picture
    grep -q '"first_image":\[126,122,1\]' picture
    run "$VQVAE" eval "$model" "$data" --grid grid.png
    [ "$status" -eq 1 ]
    [[ "$output" == *"grid.png exists; --force overwrites it"* ]]
}

@test "codes decode to what the model gives back, whatever the batch" {
    "$VQVAE" encode "$model" "$data" -o codes.npy > out
    "$VQVAE" encode "$model" "$data" -o same.npy --batch 9 --threads 1 > out
    cmp codes.npy same.npy
    # u8 of 10000 x 7 x 7 behind a header of 128 bytes
    [ "$(stat -c %s codes.npy)" -eq $((10000 * 49 + 128)) ]
    "$VQVAE" decode "$model" codes.npy -o images.npy > out
    "$VQVAE" decode "$model" codes.npy -o again.npy --batch 11 --threads 1 > out
    cmp images.npy again.npy
    # A decoded image, encoded and decoded again, stays near itself.
    "$VQVAE" decode "$model" codes.npy -o folder --count 3 > out
    [ "$(ls folder)" = "$(printf '%s\n' 000000.png 000001.png 000002.png)" ]
    "$VQVAE" reconstruct "$model" folder/000000.png -o pair.png --json > out
    awk -v a="$(field psnr < out)" 'BEGIN { exit !(a > 12) }'
}

@test "the index says which model made the codes and which image each row is" {
    "$VQVAE" encode "$model" "$data" -o codes.npy > out
    [ "$(wc -l < codes.index.jsonl)" -eq 10001 ]
    [ "$(head -1 codes.index.jsonl | field model_hash)" = \
        "$("$VQVAE" inspect "$model/best.safetensors" --json | field hash)" ]
    head -1 codes.index.jsonl | grep -q '"arithmetic": "f32 '
    [ "$(sed -n 2p codes.index.jsonl | field row)" = 0 ]
    [ "$(sed -n 2p codes.index.jsonl | field width)" = 28 ]
    [ "$(sed -n 2p codes.index.jsonl | field source)" = "$data" ]
}

@test "codes are exact whatever the instruction set, the threads and the batch" {
    "$VQVAE" encode "$model" "$data" -o all.npy -q > out
    "$VQVAE" decode "$model" all.npy -o few.npy --count 300 -q > out
    "$VQVAE" encode "$model" few.npy -o codes.npy -q > out
    grep -q '"arithmetic": "f32 exact 1"' codes.index.jsonl
    "$VQVAE" decode "$model" codes.npy -o images.npy -q > out
    for how in "portable 1 7" "avx2 2 128" "avx512 3 64" "avx512bf16 8 1" "amx 2 5"; do
        read -r cpu threads batch <<< "$how"
        VQ_CPU=$cpu "$VQVAE" encode "$model" few.npy -o again.npy --threads "$threads" \
            --batch "$batch" --force -q > out
        cmp codes.npy again.npy
        VQ_CPU=$cpu "$VQVAE" decode "$model" codes.npy -o back.npy --threads "$threads" \
            --batch "$batch" --force -q > out
        cmp images.npy back.npy
    done
}

@test "fast codes say so, and how many are others" {
    "$VQVAE" encode "$model" "$data" -o fast.npy --fast --flips --json > out
    awk -v a="$(field flip_rate < out)" 'BEGIN { exit !(a >= 0 && a < 0.001) }'
    "$VQVAE" encode "$model" "$data" -o exact.npy --json > exact
    ! grep -q flip_rate exact
    run "$VQVAE" decode "$model" fast.npy -o images.npy
    [ "$status" -eq 0 ]
    [[ "$output" == *"warning: the codes were made with \"f32 portable"* ]]
    run "$VQVAE" encode "$model" "$data" -o other.npy --flips
    [ "$status" -eq 2 ]
    [[ "$output" == *"it needs --fast"* ]]
}

@test "codes of another model are decoded with a warning" {
    "$VQVAE" encode "$model" "$data" -o codes.npy > out
    "$VQVAE" train "$data" -o other --preset tiny --steps 2 --seed 5 --threads 1 -q > out
    run "$VQVAE" decode other codes.npy -o images.npy
    [ "$status" -eq 0 ]
    [[ "$output" == *"warning: the codes were made by the model"* ]]
    run "$VQVAE" decode "$model" codes.npy -o mine.npy
    [[ "$output" != *warning* ]]
}

@test "a code that the codebook lacks, or a wrong grid, is exit code 1" {
    "$VQVAE" encode "$model" "$data" -o codes.npy > out
    { head -c 128 codes.npy; printf '\377'; tail -c +130 codes.npy; } > bad.npy
    run "$VQVAE" decode "$model" bad.npy -o images.npy
    [ "$status" -eq 1 ]
    [[ "$output" == *255* ]]
    [ ! -e images.npy ]
    "$VQVAE" decode "$model" codes.npy -o pixels.npy > out
    run "$VQVAE" decode "$model" pixels.npy -o images.npy
    [ "$status" -eq 1 ]
    [[ "$output" == *"of rank 3"* ]]
}

@test "several grids become a .safetensors with a tensor each" {
    "$VQVAE" train "$data" -o two --preset tiny --steps 3 --threads 1 -q \
        --set model.level.1.stride=2 --set model.level.1.width=16 --set model.level.1.k=300 > out
    run "$VQVAE" encode two "$data" -o codes.npy
    [ "$status" -eq 2 ]
    [[ "$output" == *"must end in .safetensors"* ]]
    "$VQVAE" encode two "$data" -o codes.safetensors > out
    "$VQVAE" inspect codes.safetensors --json > about
    grep -q '"kind":"codes","images":10000' about
    grep -q '"grid":"level.1","height":4,"width":4' about
    # Codes of one name and two kinds have an index each.
    "$VQVAE" encode "$model" "$data" -o codes.npy > out
    [ -s codes.index.jsonl ]
    [ -s codes.safetensors.index.jsonl ]
    "$VQVAE" decode two codes.safetensors -o images.npy > out 2> talk
    ! grep -q warning talk
    "$VQVAE" inspect images.npy --json | grep -q '"shape":\[10000,28,28,1\]'
}

@test "image files are encoded one by one" {
    "$VQVAE" encode "$model" "$data" -o all.npy > out
    "$VQVAE" decode "$model" all.npy -o folder --count 3 > out
    "$VQVAE" encode "$model" folder/000002.png folder/000000.png -o two.npy > out
    "$VQVAE" encode "$model" folder -o three.npy > out
    [ "$(wc -l < two.index.jsonl)" -eq 3 ]
    [ "$(tail -1 two.index.jsonl | field source)" = folder/000000.png ]
    # Rows of 49 bytes after the header.
    cmp <(tail -c 98 two.npy | head -c 49) <(tail -c 49 three.npy)
    cmp <(tail -c 49 two.npy) <(tail -c 147 three.npy | head -c 49)
}

@test "reconstruct makes one picture, or one for each image" {
    "$VQVAE" encode "$model" "$data" -o codes.npy > out
    "$VQVAE" decode "$model" codes.npy -o folder --count 2 > out
    "$VQVAE" reconstruct "$model" folder/*.png -o one.png --scale 2 > out
    "$VQVAE" inspect one.png --json | grep -q '"first_image":\[116,116,1\]'
    "$VQVAE" reconstruct "$model" folder/*.png -o pairs > out
    [ "$(ls pairs)" = "$(printf '%s\n' 000000.png 000001.png)" ]
    # Of a dataset the first ones, whose names are numbers here.
    "$VQVAE" reconstruct "$model" "$data" -o first -n 12 --json > out
    [ "$(ls first | wc -l)" -eq 12 ]
    [ "$(grep -o psnr out | wc -l)" -eq 12 ]
    "$VQVAE" reconstruct "$model" "$data" folder -o all.png -n 2 > out
    "$VQVAE" inspect all.png --json | grep -q '"first_image":\[124,60,1\]'
}

@test "nothing that exists is overwritten without --force" {
    "$VQVAE" encode "$model" "$data" -o codes.npy > out
    before=$(sha256sum codes.npy)
    run "$VQVAE" encode "$model" "$data" -o codes.npy
    [ "$status" -eq 1 ]
    [[ "$output" == *"codes.npy exists; --force overwrites it"* ]]
    rm codes.index.jsonl
    touch codes.index.jsonl
    mv codes.npy kept.npy
    run "$VQVAE" encode "$model" "$data" -o codes.npy
    [ "$status" -eq 1 ]
    [ ! -e codes.npy ]
    "$VQVAE" encode "$model" "$data" -o codes.npy --force > out
    run "$VQVAE" encode "$model" "$data" -o nowhere/codes.npy
    [ "$status" -eq 1 ]
    [[ "$output" == *"there is no folder nowhere"* ]]
}

@test "inspect tells every file of a run" {
    "$VQVAE" inspect "$model" --json | grep -q '"kind":"run"'
    "$VQVAE" inspect "$model/best.safetensors" --json | grep -q '"kind":"model"'
    "$VQVAE" inspect "$model/state.safetensors" --json | grep -q '"kind":"training state"'
    "$VQVAE" inspect "$model/metrics.jsonl" --json | grep -q '"kind":"metrics of a training"'
    "$VQVAE" inspect "$model/config.json" --json | grep -q '"kind":"settings"'
    "$VQVAE" inspect "$data" --json | grep -q '"kind":"images","images":10000'
    "$VQVAE" inspect "$model" --plan --batch 3 --json > plan
    grep -q '"input":\[3,28,28,1\]' plan
    grep -q '"implementation":"' plan
    grep -q '"purpose":"use"' plan
    ! grep -q -e Winograd -e '"direction":"data"' plan
    "$VQVAE" inspect "$model" --plan --batch 3 --purpose fast --json > plan
    grep -q '"purpose":"fast"' plan
    ! grep -q '"direction":"data"' plan
    "$VQVAE" inspect "$model" --plan --batch 3 --purpose training --precision bf16 --json > plan
    for direction in forward data weights; do
        grep -q "\"direction\":\"$direction\",\"implementation\":\"portable bf16 " plan
    done
    ! grep -q '"node":"encoder.0.down0","operation":"conv2d","direction":"data"' plan
    run "$VQVAE" inspect "$model" --plan --precision bf16
    [ "$status" -eq 2 ]
    "$VQVAE" inspect "$model/metrics.jsonl" > about
    [ "$(grep -c '^first' about)" -eq 0 ]
    run "$VQVAE" inspect nothing.npy
    [ "$status" -eq 1 ]
}

@test "the report is one page that needs nothing else" {
    "$VQVAE" report "$model" -o page.html > out
    grep -q '<svg' page.html
    grep -q 'data:image/png;base64,' page.html
    grep -q 'Use of the codes' page.html
    ! grep -Eq '<(script|link)|(src|href)=.?(https?:|//|/)|url\(' page.html
    run "$VQVAE" report "$model" -o page.html
    [ "$status" -eq 1 ]
    # The page in the run itself is made anew.
    cp -r "$model" own
    "$VQVAE" report own > out
    "$VQVAE" report own > out
    "$VQVAE" report "$model" "$model" -o both.html > out
    grep -q 'Runs compared' both.html
}

@test "bench prints what was measured, and answers line by line" {
    for workload in train forward encode; do
        "$VQVAE" bench $workload --preset tiny --batch 4 --runs 3 --json > out
        [ "$(wc -l < out)" -eq 1 ]
        for key in workload preset shape precision threads kernel backend min_ms median_ms gflops peak_gflops \
            peak_rss_mb; do
            grep -q "\"$key\":" out
        done
        [ "$(field runs < out)" = 3 ]
        printf '\n\n\n' | "$VQVAE" bench $workload --preset tiny --batch 4 --lines > out
        [ "$(head -1 out)" = ready ]
        [ "$(grep -cE '^[0-9]+\.[0-9]{6}$' out)" -eq 3 ]
    done
}

@test "no more memory is taken than the images need" {
    # For 65536 images at a time, this model would need hundreds of gigabytes.
    "$VQVAE" encode "$model" "$data" -o codes.npy > out
    "$VQVAE" decode "$model" codes.npy -o folder --count 3 > out
    "$VQVAE" train folder -o broad --preset tiny --steps 1 --batch 1 --threads 1 -q \
        --valid folder/000000.png --set model.level.0.narrow=4096 --set model.level.0.width=1 > out
    "$VQVAE" encode broad folder/000000.png folder -o four.npy --batch 65536 > out
    [ "$(wc -l < four.index.jsonl)" -eq 5 ]
    "$VQVAE" decode broad four.npy -o four --batch 65536 > out
    [ "$(ls four | wc -l)" -eq 4 ]
}

@test "images keep their own size, or are scaled with one line about it" {
    "$VQVAE" encode "$model" "$data" -o codes.npy 2> talk > out
    [ ! -s talk ]
    "$VQVAE" decode "$model" codes.npy -o folder --count 3 > out
    "$VQVAE" reconstruct "$model" folder/*.png -o large.png --scale 2 > out
    cp large.png other.png
    "$VQVAE" encode "$model" large.png other.png -o large.npy 2> talk > out
    [ "$(grep -c 'encoded at their own size, the first of large.png at 116x176' talk)" -eq 1 ]
    [ "$(wc -l < talk)" -eq 1 ]
    "$VQVAE" inspect large.npy --json | grep -q '"height":44,"width":29'
    "$VQVAE" encode "$model" large.png other.png -o small.npy --size model 2> talk > out
    [ "$(grep -c "scaled and cropped to the model's 28x28: the first is large.png of 116x176" \
        talk)" -eq 1 ]
    "$VQVAE" inspect small.npy --json | grep -q '"height":7,"width":7'
    # The index tells the size as stored.
    [ "$(tail -1 small.index.jsonl | field width)" = 116 ]
    "$VQVAE" eval "$model" large.png 2> talk > out
    grep -q scaled talk
    "$VQVAE" eval "$model" large.png --quiet 2> talk > out
    [ ! -s talk ]
}

@test "images of several sizes go into one .safetensors, and none is cropped" {
    "$VQVAE" encode "$model" "$data" -o codes.npy > out
    "$VQVAE" decode "$model" codes.npy -o folder --count 3 > out
    "$VQVAE" reconstruct "$model" folder/000001.png -o folder/000001b.png > out
    "$VQVAE" reconstruct "$model" folder/000002.png -o folder/000002b.png > out
    run "$VQVAE" encode "$model" folder -o mixed.npy
    [ "$status" -eq 1 ]
    [[ "$output" == *"folder: image 000001b.png is 60x28, those before it 28x28, and one .npy holds one size"* ]]
    [ ! -e mixed.npy ]
    [ "$(ls | grep -c tmp)" -eq 0 ]
    "$VQVAE" encode "$model" folder large.png -o mixed.safetensors 2> talk > out || true
    [ ! -e mixed.safetensors ]
    "$VQVAE" encode "$model" folder folder/000001b.png -o mixed.safetensors --json > out
    [ "$(field images < out)" = 6 ]
    [ "$(field sizes < out)" = 2 ]
    "$VQVAE" inspect mixed.safetensors --json > about
    grep -q '"size":\[28,28\],"images":3' about
    grep -q '"size":\[60,28\],"images":3' about
    # Each image is a row of the tensors of its size.
    [ "$(grep 000002b mixed.safetensors.index.jsonl | field row)" = 1 ]
    [ "$(grep 000002b mixed.safetensors.index.jsonl | field width)" = 60 ]
    [ "$(tail -1 mixed.safetensors.index.jsonl | field row)" = 2 ]
    "$VQVAE" decode "$model" mixed.safetensors -o back > out
    [ "$(ls back | wc -l)" -eq 6 ]
    # They are what they would be alone.
    "$VQVAE" encode "$model" folder/000002b.png -o alone.npy > out
    "$VQVAE" decode "$model" alone.npy -o alone > out
    cmp alone/000000.png back/60x28-000001.png
    "$VQVAE" encode "$model" folder/000000.png -o alone.npy --force > out
    "$VQVAE" decode "$model" alone.npy -o alone --force > out
    cmp alone/000000.png back/28x28-000000.png
    run "$VQVAE" decode "$model" mixed.safetensors -o back.npy
    [ "$status" -eq 1 ]
    [[ "$output" == *"images of 2 sizes"* ]]
    # Nothing is overwritten where one file would be.
    rm back/28x28-000000.png
    run "$VQVAE" decode "$model" mixed.safetensors -o back
    [ "$status" -eq 1 ]
    [ ! -e back/28x28-000000.png ]
}

@test "images come to the model's size as in its run, and a model by itself has the defaults" {
    printf '\223NUMPY\1\0\106\0{'"'descr': '|u1', 'fortran_order': False, 'shape': (3, 20, 44), }"'     \n' > wide.npy
    head -c 2640 "$model/best.safetensors" >> wide.npy
    cp -r "$model" run
    for fit in crop pad stretch; do
        sed -i 's/"fit": "[a-z]*"/"fit": "'$fit'"/' run/config.json
        "$VQVAE" encode run wide.npy -o $fit.npy --size model -q > out
        "$VQVAE" eval run/best.safetensors wide.npy --json -q | field mse > $fit.mse
    done
    ! cmp -s crop.npy pad.npy
    ! cmp -s crop.npy stretch.npy
    ! cmp -s crop.mse pad.mse
    ! cmp -s crop.mse stretch.mse
    # The same bytes of the model outside of its run: cropped.
    cp run/best.safetensors alone.safetensors
    "$VQVAE" encode alone.safetensors wide.npy -o alone.npy --size model -q > out
    cmp crop.npy alone.npy
    # Reconstructed at that size, an image is what eval measures.
    sed -i 's/"fit": "[a-z]*"/"fit": "stretch"/' run/config.json
    "$VQVAE" reconstruct run wide.npy -o pairs -n 1 --size model -q > out
    "$VQVAE" inspect pairs/0.png --json > out
    grep -q '"first_image":\[28,60,1\]' out
    # Other filters are other pixels.
    sed -i 's/"filter": "[a-z]*"/"filter": "box"/' run/config.json
    "$VQVAE" eval run wide.npy --json -q | field mse > box.mse
    ! cmp -s stretch.mse box.mse
}

@test "eval measures several sources as one" {
    "$VQVAE" encode "$model" "$data" -o codes.npy -q > out
    "$VQVAE" decode "$model" codes.npy -o few -n 30 -q > out
    "$VQVAE" eval "$model" few --json > few.json
    "$VQVAE" eval "$model" "$data" --json > all.json
    "$VQVAE" eval "$model" few "$data" --json > both.json
    [ "$(field images < both.json)" = 10030 ]
    awk -v a="$(field mse < few.json)" -v b="$(field mse < all.json)" -v c="$(field mse < both.json)" \
        'BEGIN { m = (30 * a + 10000 * b) / 10030; exit !(m - c < 1e-6 * c && c - m < 1e-6 * c) }'
}
