/* SPDX-License-Identifier: Apache-2.0
 * base/status.c -- names of the statuses, and the version. */
#include <vqvae/status.h>
#include <vqvae/version.h>

const char *vq_status_name(vq_status status)
{
    switch (status) {
    case VQ_OK: return "done";
    case VQ_E_ARG: return "argument out of range";
    case VQ_E_SHAPE: return "shapes do not fit";
    case VQ_E_NOMEM: return "out of memory";
    case VQ_E_IO: return "input or output failed";
    case VQ_E_FORMAT: return "malformed file";
    case VQ_E_NUMERIC: return "number not finite";
    case VQ_E_UNSUPPORTED: return "not supported";
    case VQ_E_CANCELLED: return "cancelled";
    case VQ_E_INTERNAL: return "internal fault";
    }
    return "unknown status";
}

const char *vq_version(void)
{
    return VQ_VERSION;
}
