/* SPDX-License-Identifier: Apache-2.0
 * nn/real.h -- portable operations are written over `real` and compiled twice: for float, and
 * with VQ_REAL_DOUBLE for double, in which gradients are checked. */
#ifndef VQ_NN_REAL_H
#define VQ_NN_REAL_H

#ifdef VQ_REAL_DOUBLE
typedef double real;
#define VQ_REAL(name) name##_f64
#else
typedef float real;
#define VQ_REAL(name) name##_f32
#endif

#endif
