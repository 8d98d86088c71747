/* Clipping and noise of a block of pixels; see kernel.c. */
#ifndef SOXSDARK_KERNEL_H
#define SOXSDARK_KERNEL_H

#include <stddef.h>
#include <stdint.h>

enum sd_deviation { SD_NOISE_MODEL = 0, SD_MAD = 1, SD_STD = 2 };

/* What all pixels of a block share. */
struct sd_options {
    int deviation;       /* enum sd_deviation */
    double k;            /* clipping threshold, deviations */
    int iterations;      /* most rounds of clipping */
    double slope;        /* variance for each unit of signal */
    double significant;  /* a signal counts from this many sigma of the mean */
    double event;        /* a sample this many sigma above the median may be an event */
    size_t most_events;  /* second dimension of `limits`, less one */
    const double *limits; /* (frames + 1, most_events + 1): thresholds for each count; NaN past */
    const double *lower; /* (frames + 1): lower thresholds; NaN: none */
};

/* One value a pixel each. */
struct sd_results {
    double *mean, *variance, *lowest, *highest, *sigma;
    double *scatter, *relative, *exceedance, *quiet;
    int32_t *used, *count;
    uint8_t *unclipped;
};

/* Bytes of scratch memory that `sd_block` needs for so many frames. */
size_t sd_scratch(size_t frames);

/* Do the pixels first to last (half-open) of samples (frames, pixels). */
void sd_block(const float *samples, size_t frames, size_t pixels, size_t first, size_t last,
              const double *sigma, const double *background, const struct sd_options *options,
              const struct sd_results *results, void *scratch);

#endif
