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
    uint8_t *inks; /* one row of CMYK; NULL where the colours are others */
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
    const vq_status status = status_of(common->err->msg_code);
    const char *about = status == VQ_E_FORMAT ? "the data are damaged: " : "";
    escape_with(job, vq_fail(job->ctx, status, "JPEG: %s%s", about, sentence));
}

/* Whether pixels would be made up: the data ended too soon, what stands there is no code, or the
 * codes of an interval ended before it did. What stands between other segments harms nothing; many
 * a camera pads the end. */
static bool is_damage(const struct jpeg_error_mgr *err)
{
    switch (err->msg_code) {
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC: return true;
    case JWRN_EXTRANEOUS_DATA: {
        const int marker = err->msg_parm.i[1];
        return marker >= JPEG_RST0 && marker <= JPEG_RST0 + 7;
    }
    default: return false;
    }
}

static void on_message(j_common_ptr common, int level)
{
    jpeg_job *job = common->client_data;
    const int code = common->err->msg_code;
    if (level >= 0) return;
    if (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER)
        escape_with(job, vq_fail(job->ctx, VQ_E_FORMAT, "JPEG: the data end before the image"));
    if (is_damage(common->err))
        escape_with(job, vq_fail(job->ctx, VQ_E_FORMAT, "JPEG: the data are damaged"));
}

static void on_progress(j_common_ptr common)
{
    jpeg_job *job = common->client_data;
    const int scans = job->decoder.input_scan_number;
    if (scans > VQ_IMAGE_SCANS_MAX)
        escape_with(job, vq_fail(job->ctx, VQ_E_UNSUPPORTED,
                                 "JPEG: more than %d scans, the most that are read; save it "
                                 "anew",
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

/* Refuses sizes that are beyond our limit or that so few bytes cannot hold. */
static void check_size(jpeg_job *job, size_t size)
{
    const struct jpeg_decompress_struct *decoder = &job->decoder;
    const vq_status status =
        vq_image_check_size(job->ctx, decoder->image_height, decoder->image_width);
    if (status != VQ_OK) escape_with(job, status);
    const uint64_t pixels = (uint64_t)decoder->image_width * decoder->image_height;
    /* Arithmetic coding may spend next to nothing. */
    if (!decoder->arith_code && pixels / VQ_JPEG_PIXELS_PER_BYTE_MAX > size)
        escape_with(job,
                    vq_fail(job->ctx, VQ_E_FORMAT,
                            "JPEG: %zu bytes are too few for an image %u pixels wide and %u high",
                            size, decoder->image_width, decoder->image_height));
}

/* What libjpeg is to give. Four channels are inks; only Adobe's marker says how they are stored. */
static J_COLOR_SPACE choose_colours(jpeg_job *job)
{
    const struct jpeg_decompress_struct *decoder = &job->decoder;
    switch (decoder->num_components) {
    case 1: return JCS_GRAYSCALE;
    case 3: return JCS_RGB;
    case 4:
        if (decoder->saw_Adobe_marker) return JCS_CMYK;
        escape_with(job, vq_fail(job->ctx, VQ_E_UNSUPPORTED,
                                 "JPEG: the colours are CMYK without Adobe's marker, so whether "
                                 "ink or light is stored is unknown; convert the image to RGB"));
    default:
        escape_with(job, vq_fail(job->ctx, VQ_E_UNSUPPORTED,
                                 "JPEG: %d channels; 1, 3 or 4 are read", decoder->num_components));
    }
}

static void start_decoder(jpeg_job *job, size_t size)
{
    struct jpeg_decompress_struct *decoder = &job->decoder;
    jpeg_read_header(decoder, TRUE);
    decoder->out_color_space = choose_colours(job);
    decoder->dct_method = JDCT_ISLOW;
    check_size(job, size);
    const int64_t channels = decoder->num_components == 1 ? 1 : 3;
    vq_status status =
        vq_image_create(job->ctx, decoder->image_height, decoder->image_width, channels, job->out);
    if (status == VQ_OK && decoder->num_components == 4)
        status = vq_alloc(job->ctx, decoder->image_width, 4, (void **)&job->inks);
    if (status != VQ_OK) escape_with(job, status);
    jpeg_start_decompress(decoder);
}

/* Adobe stores 255 - ink. What is left of white light after the ink c and after black k is
 * (1-c)(1-k), so that stored values multiply. */
static void mix_inks(const uint8_t *inks, size_t width, uint8_t *to)
{
    for (size_t x = 0; x < width; x++, inks += 4)
        for (size_t c = 0; c < 3; c++)
            *to++ = (uint8_t)(((uint32_t)inks[c] * inks[3] + 127u) / 255u);
}

static void read_rows(jpeg_job *job)
{
    struct jpeg_decompress_struct *decoder = &job->decoder;
    const size_t width = (size_t)job->out->width, row_size = width * (size_t)job->out->channels;
    while (decoder->output_scanline < decoder->output_height) {
        uint8_t *to = job->out->pixels + decoder->output_scanline * row_size;
        JSAMPROW row = job->inks ? job->inks : to;
        jpeg_read_scanlines(decoder, &row, 1);
        if (job->inks) mix_inks(job->inks, width, to);
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
    vq_release(ctx, job.inks);
    if (status != VQ_OK) vq_image_clear(ctx, out);
    return status;
}
