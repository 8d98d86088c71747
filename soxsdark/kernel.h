/* The arithmetic that is worth compiling; pure C. See kernel.c and frames.c. */
#ifndef SOXSDARK_KERNEL_H
#define SOXSDARK_KERNEL_H

#include <stddef.h>
#include <stdint.h>

/* One source, compiled for several vector widths, chosen when the library is loaded. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__gnu_linux__) && \
    !defined(SD_ONE_TARGET)
#define SD_WIDE __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define SD_WIDE
#endif

enum sd_deviation { SD_NOISE_MODEL = 0, SD_MAD = 1, SD_STD = 2 };

/* What all pixels of a block share. */
struct sd_options {
    int deviation;       /* enum sd_deviation */
    double k;            /* clipping threshold, deviations */
    int iterations;      /* most rounds of clipping */
    double slope;        /* variance for each unit of signal */
    double significant;  /* a signal counts from this many sigma of the mean */
    double event;        /* a sample this many sigma above the median may be an event */
    double candidate;    /* exceedance above which a pixel may turn out to be noisy */
    size_t most_events;  /* second dimension of `limits`, less one */
    const double *limits; /* (frames + 1, most_events + 1): thresholds for each count; NaN past */
    const double *lower; /* (frames + 1): lower thresholds; NaN: none */
};

/* Mean of the survivors of one clipping, its error, their extremes (type of the samples). */
struct sd_average {
    void *mean, *error, *lowest, *highest;
    int32_t *used;
};

/* One value a pixel each; what has no type here is of the type of the samples. */
struct sd_results {
    struct sd_average main;
    struct sd_average wide; /* of candidates only: clipped as a noisy pixel is */
    void *scatter, *relative, *exceedance, *quiet;
    int32_t *count;
    uint8_t *unclipped, *candidate;
};

/* Bytes of scratch memory that `sd_block` needs for so many frames. */
size_t sd_scratch(size_t frames);

/* Do all pixels of samples (frames, pixels), all of type code f or d; 0 if another type. */
int sd_block(char type, const void *samples, size_t frames, size_t pixels, const void *sigma,
             const void *background, const struct sd_options *options,
             const struct sd_results *results, void *scratch);

/* (pixel - level) * gain of `number` pixels of type code h, H, i, f or d; 0 if it is another. */
int sd_electrons(const void *pixels, char type, size_t number, double level, double gain,
                 float *electrons);

/* Lower `low` and raise `high` to the pixels of type code h, H or i; 0 if another type. */
int sd_limits(const void *pixels, char type, size_t number, int64_t *low, int64_t *high);

/* Count pixels of type code h, H or i by value - low; 0 if it is another type. */
int sd_histogram(const void *pixels, char type, size_t number, int64_t low, size_t width,
                 int64_t *counts);

/* The difference of two frames, counted in blocks. */
struct sd_differences {
    size_t columns, down, across;
    const int64_t *row_edges;    /* down + 1: rows at which blocks begin and end */
    const int64_t *column_edges; /* across + 1 */
    const float *background;     /* (down, across) */
    float warm;                  /* signals above this over the background are left out */
    float centre, a_unit;        /* middle of the middle bin, and bins in a unit */
    int32_t half;                /* bins on either side of the middle one, at most 30000 */
};

/* Bytes of scratch memory that `sd_count_differences` needs. */
size_t sd_differences_scratch(const struct sd_differences *d);

/* A frame, and what makes electrons above its level of its pixels. */
struct sd_frame {
    const char *pixels;
    ptrdiff_t stride; /* bytes from row to row */
    char type;        /* as in `sd_electrons` */
    double level, gain;
};

/* Count first - second, in electrons, in (down, across, 2 half + 1) bins; `bad` may be NULL. */
void sd_count_differences(const struct sd_frame *first, const struct sd_frame *second,
                          const uint8_t *bad, const struct sd_differences *d, void *scratch,
                          int64_t *counts);

/* Histograms, one a row, and how they are clipped. */
struct sd_histograms {
    size_t rows, half;            /* of 2 half + 1 bins each */
    const int64_t *counts;        /* (rows, 2 half + 1) */
    double clip, mad_to_sigma;    /* sigma; sigma for each median absolute deviation */
    int rounds;                   /* the most */
    size_t cuts;                  /* length of the two tables, at least 2 */
    const double *cut, *variance; /* of a unit Gaussian cut off at plus and minus cut */
};

/* Bytes of scratch memory that `sd_clip_histograms` needs. */
size_t sd_histograms_scratch(const struct sd_histograms *h);

/* Clipped standard deviation of each histogram, in bins. */
void sd_clip_histograms(const struct sd_histograms *h, void *scratch, double *sigma);

/* How sorted values are clipped around their median. */
struct sd_clipping {
    size_t piece;         /* values that are summed at a time */
    int rounds;           /* the most */
    double clip;          /* sigma */
    double kept_variance; /* of a unit Gaussian within the clip */
    double quartiles;     /* their distance in a unit Gaussian */
};

/* Doubles of scratch memory that `sd_clip_sorted` needs for so many values. */
size_t sd_clip_scratch(size_t count, const struct sd_clipping *o);

/* Clipped median of `count` values in rising order, and the deviation around it; NaN of none. */
void sd_clip_sorted(const float *x, size_t count, const struct sd_clipping *o, double *scratch,
                    double *centre, double *sigma);

/* Turn round the bytes of items of 2 or 4 bytes; 0 for other items. */
int sd_swap(void *pixels, size_t bytes, size_t number);

/* Sum of big-endian words of 32 bits, fewer than 2^32 of them. */
uint64_t sd_sum_words(const uint8_t *data, size_t number);

#endif
