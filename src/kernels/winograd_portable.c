/* SPDX-License-Identifier: Apache-2.0
 * kernels/winograd_portable.c -- the transforms for every machine. Four lanes are what baseline
 * x86-64 and 64-bit ARM have, so the latter needs no file of its own. */
#define LANES 4
#define TARGET
#define TABLE vq_winograd_portable
#include "kernels/winograd_lanes.inc"
