/*
 * What is done to single frames and to the difference of two; see kernel.h.
 *
 * The NumPy functions of electrons.py, level.py and differences.py are the reference and give
 * the same bits.
 */
#include "kernel.h"

#include <math.h>
#include <string.h>

/* One loop for each type of pixel; `value` is a double whatever the type. */
#define ELECTRONS(name, type)                                                                     \
    SD_WIDE static void name(const type *pixels, size_t number, double level, double gain,        \
                             float *electrons)                                                    \
    {                                                                                             \
        for (size_t i = 0; i < number; i++)                                                       \
            electrons[i] = (float)(((double)pixels[i] - level) * gain);                           \
    }

ELECTRONS(electrons_of_int16, int16_t)
ELECTRONS(electrons_of_uint16, uint16_t)
ELECTRONS(electrons_of_int32, int32_t)
ELECTRONS(electrons_of_float, float)
ELECTRONS(electrons_of_double, double)

int sd_electrons(const void *pixels, char type, size_t number, double level, double gain,
                 float *electrons)
{
    switch (type) {
    case 'h': electrons_of_int16(pixels, number, level, gain, electrons); return 1;
    case 'H': electrons_of_uint16(pixels, number, level, gain, electrons); return 1;
    case 'i': electrons_of_int32(pixels, number, level, gain, electrons); return 1;
    case 'f': electrons_of_float(pixels, number, level, gain, electrons); return 1;
    case 'd': electrons_of_double(pixels, number, level, gain, electrons); return 1;
    default: return 0;
    }
}

#define HISTOGRAM(name, type)                                                                     \
    static void name(const type *pixels, size_t number, int64_t low, size_t width,                \
                     int64_t *counts)                                                             \
    {                                                                                             \
        for (size_t i = 0; i < number; i++) {                                                     \
            size_t bin = (size_t)((int64_t)pixels[i] - low);                                      \
            if (bin < width)                                                                      \
                counts[bin]++;                                                                    \
        }                                                                                         \
    }

HISTOGRAM(histogram_of_int16, int16_t)
HISTOGRAM(histogram_of_uint16, uint16_t)
HISTOGRAM(histogram_of_int32, int32_t)

int sd_histogram(const void *pixels, char type, size_t number, int64_t low, size_t width,
                 int64_t *counts)
{
    switch (type) {
    case 'h': histogram_of_int16(pixels, number, low, width, counts); return 1;
    case 'H': histogram_of_uint16(pixels, number, low, width, counts); return 1;
    case 'i': histogram_of_int32(pixels, number, low, width, counts); return 1;
    default: return 0;
    }
}

/* Bins, from 0 on, of one row within one block; 2 half + 1 for what is not counted. */
SD_WIDE static void bin_row(const float *a, const float *b, const uint8_t *bad, size_t number,
                            float background, const struct sd_differences *d, int32_t *bins,
                            uint8_t *warm)
{
    float reach = (float)d->half, centre = d->centre, a_unit = d->a_unit, limit = d->warm;
    int32_t half = d->half;
    for (size_t c = 0; c < number; c++) {
        float bin = rintf((a[c] - b[c] - centre) * a_unit);
        int above = (a[c] + b[c]) / 2.0f - background > limit;
        /* false for NaN and infinity as well */
        int inside = (fabsf(bin) <= reach) & !above;
        float place = inside ? bin : reach + 1.0f;
        bins[c] = (int32_t)place + half;
        warm[c] = (uint8_t)above;
    }
    for (size_t c = 0; bad != NULL && c < number; c++)
        if (bad[c]) {
            bins[c] = 2 * half + 1;
            warm[c] = 0;
        }
}

/* Count one block; four tables in turn, so that no count has to wait for the one before. */
static void count_block(const float *first, const float *second, const uint8_t *bad,
                        const struct sd_differences *d, size_t i, size_t j, int32_t *bins,
                        int32_t *tables, int64_t *counts, uint8_t *warm)
{
    size_t width = 2 * (size_t)d->half + 2;
    size_t left = (size_t)d->column_edges[j], number = (size_t)d->column_edges[j + 1] - left;
    memset(tables, 0, 4 * width * sizeof *tables);
    for (int64_t row = d->row_edges[i]; row < d->row_edges[i + 1]; row++) {
        size_t at = (size_t)row * d->columns + left, c = 0;
        bin_row(first + at, second + at, bad == NULL ? NULL : bad + at, number,
                d->background[i * d->across + j], d, bins, warm + at);
        for (; c + 4 <= number; c += 4) {
            tables[bins[c]]++;
            tables[width + (size_t)bins[c + 1]]++;
            tables[2 * width + (size_t)bins[c + 2]]++;
            tables[3 * width + (size_t)bins[c + 3]]++;
        }
        for (; c < number; c++)
            tables[bins[c]]++;
    }
    for (size_t bin = 0; bin + 1 < width; bin++)
        for (size_t table = 0; table < 4; table++)
            counts[bin] += tables[table * width + bin];
}

void sd_count_differences(const float *first, const float *second, const uint8_t *bad,
                          const struct sd_differences *d, int32_t *scratch, int64_t *counts,
                          uint8_t *warm)
{
    for (size_t i = 0; i < d->down; i++)
        for (size_t j = 0; j < d->across; j++)
            count_block(first, second, bad, d, i, j, scratch, scratch + d->columns,
                        counts + (i * d->across + j) * (2 * (size_t)d->half + 1), warm);
}
