# SPDX-License-Identifier: Apache-2.0
"""Times ONNX Runtime or OpenVINO on images to codes, one step for each line of stdin.

    peer_onnx.py onnxruntime|openvino FILE.onnx [--batch N] [--size N] [--threads N]
                 [--precision f32|bf16]
    peer_onnx.py onnxruntime|openvino FILE.onnx --images IMAGES.npy --codes CODES.npy

With --images it prints the share of its codes that are those of CODES.npy instead.
"""

import argparse
import sys
import time

import numpy as np

WARM_UP = 3


def onnxruntime_runner(path, options):
    import onnxruntime
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])
    return lambda x: session.run(None, {"images": x})[0]


def openvino_runner(path, options):
    import openvino
    core = openvino.Core()
    model = core.read_model(path)
    model.reshape({"images": [options.batch, model.input(0).partial_shape[1].get_length(),
                              options.size, options.size]})
    compiled = core.compile_model(model, "CPU", {
        "INFERENCE_NUM_THREADS": options.threads, "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "bf16" if options.precision == "bf16" else "f32"})
    request = compiled.create_infer_request()

    def run(x):
        request.infer({0: x}, share_inputs=True)
        return request.get_output_tensor(0).data
    return run


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peer", choices=["onnxruntime", "openvino"])
    parser.add_argument("model")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--images")
    parser.add_argument("--codes")
    return parser.parse_args()


def compare(run, options):
    images, same = np.load(options.images), 0
    wanted = np.load(options.codes).reshape(len(images), -1)
    whole = len(images) // options.batch * options.batch
    for begin in range(0, whole, options.batch):
        x = images[begin:begin + options.batch].transpose(0, 3, 1, 2).astype(np.float32)
        codes = run(np.ascontiguousarray(x / np.float32(255) - np.float32(0.5)))
        same += np.sum(codes.reshape(options.batch, -1) == wanted[begin:begin + options.batch])
    print(f"{options.peer}: {same} of {whole * wanted.shape[1]} codes are the same")


def main():
    options = parse()
    runner = onnxruntime_runner if options.peer == "onnxruntime" else openvino_runner
    run = runner(options.model, options)
    if options.images:
        compare(run, options)
        return
    channels = 3
    x = np.random.default_rng(0).random((options.batch, channels, options.size, options.size),
                                        dtype=np.float32) - np.float32(0.5)
    for _ in range(WARM_UP):
        run(x)
    print("ready", flush=True)
    for line in sys.stdin:
        begin = time.perf_counter()
        run(x)
        print(f"{(time.perf_counter() - begin) * 1e3:.3f}", flush=True)


if __name__ == "__main__":
    main()
