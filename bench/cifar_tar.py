# SPDX-License-Identifier: Apache-2.0
"""Where CIFAR-10 as a tar of JPEG files lies; its members are train/CLASS/* and test/CLASS/*."""

import os

NAME = "cifar10-jpeg.tar"
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir)


def find_tar():
    folders = [os.environ.get("VQVAE_DATA"), os.path.join(ROOT, os.pardir, "shared", "data")]
    for folder in filter(None, folders):
        if os.path.exists(os.path.join(folder, NAME)):
            return os.path.join(folder, NAME)
    raise SystemExit(f"{NAME} is in neither of {folders}; name it on the command line")
