#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The page of PyTorch in examples/ reads what the program writes.

setup() {
    cd "$BATS_TEST_TMPDIR"
    python=${PYTHON:-python3}
    page=$BATS_TEST_DIRNAME/../../examples/load_in_pytorch.py
    export PYTHONDONTWRITEBYTECODE=1
}

@test "PyTorch chooses the codes that the program chooses" {
    "$python" -c 'import numpy, safetensors, torch' 2>/dev/null ||
        skip "no numpy, safetensors and torch for $python"
    "$python" - <<'END'
import numpy as np
rng = np.random.default_rng(1)
rough = rng.integers(0, 256, (96, 4, 4, 3)).repeat(4, axis=1).repeat(4, axis=2)
np.save("images.npy", (rough // 2 + rng.integers(0, 128, rough.shape)).astype(np.uint8))
END
    "$VQVAE" train images.npy -o run --preset tiny --steps 60 --seed 1 --quiet
    "$VQVAE" encode run/model.safetensors images.npy -o codes.npy --quiet
    run "$python" "$page" run/model.safetensors images.npy --compare codes.npy
    [ "$status" -eq 0 ]
    [[ "$output" == *"1536 of 1536 codes are the same"* ]]
}

@test "PyTorch names the codes that differ by exit code 1" {
    "$python" -c 'import numpy, safetensors, torch' 2>/dev/null ||
        skip "no numpy, safetensors and torch for $python"
    "$python" -c 'import numpy as np; np.save("images.npy", np.arange(49152, dtype=np.uint8
        ).reshape(64, 16, 16, 3))'
    "$VQVAE" train images.npy -o run --preset tiny --steps 2 --seed 1 --quiet
    "$python" -c 'import numpy as np; np.save("wrong.npy", np.full((64, 4, 4), 255, np.uint8))'
    run "$python" "$page" run/model.safetensors images.npy --compare wrong.npy
    [ "$status" -eq 1 ]
    [[ "$output" == *"0 of 1024 codes are the same"* ]]
}
