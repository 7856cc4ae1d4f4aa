/* SPDX-License-Identifier: Apache-2.0
 * data/jpeg.c -- JPEG by libjpeg-turbo, slow and exact integer transform, within our limits. */
#include <setjmp.h>
#include <stdio.h> /* jpeglib.h needs FILE */
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

#include "data/image.h"

/* The coefficients of a progressive image are held whole; beyond this it is refused. */
#define WORK_BYTES_MAX (1L << 30)

typedef struct jpeg_job {
    struct jpeg_decompress_struct decoder;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf escape; /* libjpeg reports by a call that must not return */
    vq_context *ctx;
    vq_image *out;
    vq_status status;
} jpeg_job;

bool vq_jpeg_is(const void *bytes, size_t size)
{
    return size >= 3 && memcmp(bytes, "\xff\xd8\xff", 3) == 0;
}

static _Noreturn void escape_with(jpeg_job *job, vq_status status)
{
    job->status = status;
    longjmp(job->escape, 1);
}

static vq_status status_of(int code)
{
    switch (code) {
    case JERR_OUT_OF_MEMORY: return VQ_E_NOMEM;
    case JERR_NO_BACKING_STORE: /* more working memory than our limit */
    case JERR_SOF_UNSUPPORTED:
    case JERR_ARITH_NOTIMPL:
    case JERR_BAD_PRECISION:
    case JERR_CONVERSION_NOTIMPL: return VQ_E_UNSUPPORTED;
    default: return VQ_E_FORMAT;
    }
}

static void on_error(j_common_ptr common)
{
    jpeg_job *job = common->client_data;
    char sentence[JMSG_LENGTH_MAX];
    common->err->format_message(common, sentence);
    escape_with(job, vq_fail(job->ctx, status_of(common->err->msg_code), "JPEG: %s", sentence));
}

/* Warnings are passed over, except that the data ended too soon: grey would be made up. */
static void on_message(j_common_ptr common, int level)
{
    if (level < 0 && common->err->msg_code == JWRN_JPEG_EOF) {
        jpeg_job *job = common->client_data;
        escape_with(job, vq_fail(job->ctx, VQ_E_FORMAT, "JPEG: the data ends before the image"));
    }
}

static void on_progress(j_common_ptr common)
{
    jpeg_job *job = common->client_data;
    const int scans = job->decoder.input_scan_number;
    if (scans > VQ_IMAGE_SCANS_MAX)
        escape_with(job, vq_fail(job->ctx, VQ_E_UNSUPPORTED, "JPEG: more than %d scans",
                                 VQ_IMAGE_SCANS_MAX));
}

static void open_job(jpeg_job *job, const void *bytes, size_t size)
{
    struct jpeg_decompress_struct *decoder = &job->decoder;
    decoder->err = jpeg_std_error(&job->errors);
    job->errors.error_exit = on_error;
    job->errors.emit_message = on_message;
    decoder->client_data = job;
    jpeg_create_decompress(decoder);
    job->progress.progress_monitor = on_progress;
    decoder->progress = &job->progress;
    decoder->mem->max_memory_to_use = WORK_BYTES_MAX;
    jpeg_mem_src(decoder, bytes, (unsigned long)size);
    jpeg_save_markers(decoder, JPEG_APP0 + 1, 0xffff);
}

static void check_length(jpeg_job *job, size_t size)
{
    const struct jpeg_decompress_struct *decoder = &job->decoder;
    const uint64_t pixels = (uint64_t)decoder->image_width * decoder->image_height;
    /* Arithmetic coding may spend next to nothing. */
    if (!decoder->arith_code && pixels / VQ_JPEG_PIXELS_PER_BYTE_MAX > size)
        escape_with(job,
                    vq_fail(job->ctx, VQ_E_FORMAT,
                            "JPEG: %zu bytes are too few for an image %u pixels wide and %u high",
                            size, decoder->image_width, decoder->image_height));
}

static void start_decoder(jpeg_job *job, size_t size)
{
    struct jpeg_decompress_struct *decoder = &job->decoder;
    jpeg_read_header(decoder, TRUE);
    if (decoder->num_components == 4)
        escape_with(job, vq_fail(job->ctx, VQ_E_UNSUPPORTED,
                                 "JPEG: the colours are CMYK; convert the image to RGB"));
    if (decoder->num_components != 1 && decoder->num_components != 3)
        escape_with(job, vq_fail(job->ctx, VQ_E_UNSUPPORTED, "JPEG: %d channels, not 1 or 3",
                                 decoder->num_components));
    decoder->out_color_space = decoder->num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
    decoder->dct_method = JDCT_ISLOW;
    check_length(job, size);
    /* Ask for memory only after the size was held against our limit. */
    const vq_status status = vq_image_create(job->ctx, decoder->image_height, decoder->image_width,
                                             decoder->num_components, job->out);
    if (status != VQ_OK) escape_with(job, status);
    jpeg_start_decompress(decoder);
}

static void read_rows(jpeg_job *job)
{
    struct jpeg_decompress_struct *decoder = &job->decoder;
    const size_t row_size = (size_t)(job->out->width * job->out->channels);
    while (decoder->output_scanline < decoder->output_height) {
        JSAMPROW row = job->out->pixels + decoder->output_scanline * row_size;
        jpeg_read_scanlines(decoder, &row, 1);
    }
}

static int find_orientation(const jpeg_job *job)
{
    static const unsigned char name[] = "Exif\0"; /* and its terminator: six bytes */
    for (jpeg_saved_marker_ptr m = job->decoder.marker_list; m; m = m->next)
        if (m->data_length > sizeof name && memcmp(m->data, name, sizeof name) == 0)
            return vq_exif_orientation(m->data + sizeof name, m->data_length - sizeof name);
    return 1;
}

/* Holds nothing of its own that libjpeg's jump could lose. */
static vq_status run_job(jpeg_job *job, const void *bytes, size_t size, int *orientation)
{
    if (setjmp(job->escape) != 0) return job->status;
    open_job(job, bytes, size);
    start_decoder(job, size);
    read_rows(job);
    *orientation = find_orientation(job);
    return VQ_OK;
}

vq_status vq_jpeg_decode(vq_context *ctx, const void *bytes, size_t size, vq_image *out,
                         int *orientation)
{
    jpeg_job job = {.ctx = ctx, .out = out};
    const vq_status status = run_job(&job, bytes, size, orientation);
    jpeg_destroy_decompress(&job.decoder);
    if (status != VQ_OK) vq_image_clear(ctx, out);
    return status;
}
