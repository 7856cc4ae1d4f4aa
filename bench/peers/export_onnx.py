# SPDX-License-Identifier: Apache-2.0
"""Writes encoder and nearest code of a model as ONNX: images (N,C,H,W, x/255 - 0.5) to codes.

    export_onnx.py MODEL.safetensors -o FILE.onnx
    export_onnx.py --preset cifar10 -o FILE.onnx      with weights drawn at random

The search is argmin |e|^2 - 2 x.e over the rows of positions, as every runtime has it.
"""

import argparse
import json

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def drawn(settings):
    """Weights of the shapes of a preset, as PyTorch draws them."""
    import torch
    from paper import Peer
    torch.manual_seed(0)
    model = Peer(settings["model"], settings["model"]["channels"] or 3, "one", "normal")
    tensors = {name: value.numpy() for name, value in model.state_dict().items()}
    tensors["quantizer.0.codebook"] = tensors["quantizer.codebook"]
    return {name.replace("encoder.", "encoder.0."): value for name, value in tensors.items()}


def read(path):
    from safetensors import safe_open
    with safe_open(path, "np") as file:
        config = json.loads(file.metadata()["vqvae.config"])
        return {"model": config}, {name: file.get_tensor(name) for name in file.keys()}


class Writer:
    def __init__(self, tensors):
        self.tensors, self.nodes, self.constants = tensors, [], {}

    def constant(self, name, value):
        self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def node(self, op, inputs, **attributes):
        out = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [out], **attributes))
        return out

    def conv(self, x, name, stride, pad):
        weight = self.tensors[name + ".weight"]
        inputs = [x, self.constant(name + ".weight", weight),
                  self.constant(name + ".bias", self.tensors[name + ".bias"])]
        return self.node("Conv", inputs, strides=[stride, stride], pads=[pad] * 4,
                         kernel_shape=list(weight.shape[2:]))

    def relu(self, x):
        return self.node("Relu", [x])

    def encoder(self, x, level):
        prefix = "encoder.0."
        for i in range(level["stride"].bit_length() - 1):
            x = self.relu(self.conv(x, f"{prefix}down{i}", 2, 1))
        x = self.conv(x, prefix + "conv", 1, 1)
        for i in range(level["blocks"]):
            inner = self.relu(self.conv(self.relu(x), f"{prefix}block{i}.conv3", 1, 1))
            x = self.node("Add", [x, self.conv(inner, f"{prefix}block{i}.conv1", 1, 0)])
        return self.conv(self.relu(x), prefix + "project", 1, 0)

    def codes(self, z, level):
        book = self.tensors["quantizer.0.codebook"]
        rows = self.node("Transpose", [z], perm=[0, 2, 3, 1])
        rows = self.node("Reshape", [rows, self.constant("rows", np.array([-1, level["d"]]))])
        product = self.node("MatMul", [rows, self.constant("book", -2 * book.T)])
        scores = self.node("Add", [product, self.constant("squares", (book**2).sum(1))])
        return self.node("ArgMin", [scores], axis=1, keepdims=0)


def export(settings, tensors, path):
    config = settings["model"]
    channels, level = config["channels"] or 3, config["level"][0]
    writer = Writer(tensors)
    out = writer.codes(writer.encoder("images", level), level)
    graph = helper.make_graph(
        writer.nodes, "encode",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", channels, "h", "w"])],
        [helper.make_tensor_value_info(out, TensorProto.INT64, ["codes"])],
        list(writer.constants.values()))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.checker.check_model(model)
    onnx.save(model, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?")
    parser.add_argument("--preset")
    parser.add_argument("-o", "--out", required=True)
    options = parser.parse_args()
    if options.model:
        settings, tensors = read(options.model)
    else:
        from paper import preset
        settings = preset(options.preset)
        tensors = drawn(settings)
    export(settings, tensors, options.out)


if __name__ == "__main__":
    main()
