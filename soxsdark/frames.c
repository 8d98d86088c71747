/*
 * What is done to single frames, to the difference of two and to blocks of an image; see kernel.h.
 *
 * The NumPy functions of electrons.py, level.py, differences.py and medians.py are the reference
 * and give the same bits.
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

#define LIMITS(name, type)                                                                        \
    SD_WIDE static void name(const type *pixels, size_t number, int64_t *low, int64_t *high)      \
    {                                                                                             \
        type least = pixels[0], most = pixels[0];                                                 \
        for (size_t i = 1; i < number; i++) {                                                     \
            least = pixels[i] < least ? pixels[i] : least;                                        \
            most = pixels[i] > most ? pixels[i] : most;                                           \
        }                                                                                         \
        *low = least < *low ? least : *low;                                                       \
        *high = most > *high ? most : *high;                                                      \
    }

LIMITS(limits_of_int16, int16_t)
LIMITS(limits_of_uint16, uint16_t)
LIMITS(limits_of_int32, int32_t)

int sd_limits(const void *pixels, char type, size_t number, int64_t *low, int64_t *high)
{
    if (number == 0)
        return 1;
    switch (type) {
    case 'h': limits_of_int16(pixels, number, low, high); return 1;
    case 'H': limits_of_uint16(pixels, number, low, high); return 1;
    case 'i': limits_of_int32(pixels, number, low, high); return 1;
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
                            float background, const struct sd_differences *d, uint16_t *bins)
{
    float reach = (float)d->half, outside = reach + 1.0f;
    float centre = d->centre, a_unit = d->a_unit, limit = d->warm;
    for (size_t c = 0; c < number; c++) {
        float bin = rintf((a[c] - b[c] - centre) * a_unit);
        int above = (a[c] + b[c]) / 2.0f - background > limit;
        /* false for NaN and infinity as well */
        int inside = (fabsf(bin) <= reach) & !above;
        float place = inside ? bin : outside;
        bins[c] = (uint16_t)(int32_t)(place + reach);
    }
    for (size_t c = 0; bad != NULL && c < number; c++)
        if (bad[c])
            bins[c] = (uint16_t)(2 * d->half + 1);
}

/* Count one block; four tables in turn, so that no count has to wait for the one before. */
static void count_block(const uint16_t *bins, size_t rows, size_t columns, size_t number,
                        size_t width, int32_t *tables, int64_t *counts)
{
    memset(tables, 0, 4 * width * sizeof *tables);
    for (size_t row = 0; row < rows; row++, bins += columns) {
        size_t c = 0;
        for (; c + 4 <= number; c += 4) {
            tables[bins[c]]++;
            tables[width + bins[c + 1]]++;
            tables[2 * width + bins[c + 2]]++;
            tables[3 * width + bins[c + 3]]++;
        }
        for (; c < number; c++)
            tables[bins[c]]++;
    }
    for (size_t bin = 0; bin + 1 < width; bin++)
        for (size_t table = 0; table < 4; table++)
            counts[bin] += tables[table * width + bin];
}

size_t sd_differences_scratch(const struct sd_differences *d)
{
    int64_t tallest = 0;
    for (size_t i = 0; i < d->down; i++)
        if (d->row_edges[i + 1] - d->row_edges[i] > tallest)
            tallest = d->row_edges[i + 1] - d->row_edges[i];
    return 4 * (2 * (size_t)d->half + 2) * sizeof(int32_t) + 2 * d->columns * sizeof(float) +
           (size_t)tallest * d->columns * sizeof(uint16_t);
}

static void electrons_of_row(const struct sd_frame *f, size_t row, size_t columns, float *electrons)
{
    const char *pixels = f->pixels + (ptrdiff_t)row * f->stride;
    sd_electrons(pixels, f->type, columns, f->level, f->gain, electrons);
}

void sd_count_differences(const struct sd_frame *first, const struct sd_frame *second,
                          const uint8_t *bad, const struct sd_differences *d, void *scratch,
                          int64_t *counts)
{
    size_t width = 2 * (size_t)d->half + 2;
    int32_t *tables = scratch;
    float *a = (float *)(tables + 4 * width), *b = a + d->columns;
    uint16_t *bins = (uint16_t *)(b + d->columns);
    for (size_t i = 0; i < d->down; i++) {
        size_t top = (size_t)d->row_edges[i], rows = (size_t)d->row_edges[i + 1] - top;
        for (size_t row = 0; row < rows; row++) {
            const uint8_t *mask = bad == NULL ? NULL : bad + (top + row) * d->columns;
            electrons_of_row(first, top + row, d->columns, a);
            electrons_of_row(second, top + row, d->columns, b);
            for (size_t j = 0; j < d->across; j++) {
                size_t left = (size_t)d->column_edges[j];
                bin_row(a + left, b + left, mask == NULL ? NULL : mask + left,
                        (size_t)d->column_edges[j + 1] - left, d->background[i * d->across + j], d,
                        bins + row * d->columns + left);
            }
        }
        for (size_t j = 0; j < d->across; j++) {
            size_t left = (size_t)d->column_edges[j];
            count_block(bins + left, rows, d->columns, (size_t)d->column_edges[j + 1] - left, width,
                        tables, counts + (i * d->across + j) * (width - 1));
        }
    }
}

/* Number, first and second moment of what lies within `reach` bins of a bin. */
struct moments {
    int64_t number, first, second;
};

static struct moments within(const int64_t *counts, size_t half, size_t bin, size_t reach)
{
    size_t start = bin > reach ? bin - reach : 0;
    size_t stop = bin + reach < 2 * half ? bin + reach + 1 : 2 * half + 1;
    struct moments m = {0, 0, 0};
    for (size_t i = start; i < stop; i++) {
        int64_t offset = (int64_t)i - (int64_t)half;
        m.number += counts[i];
        m.first += counts[i] * offset;
        m.second += counts[i] * offset * offset;
    }
    return m;
}

/* The bin with the median, and sigma from the median absolute deviation. */
static size_t find_middle(const int64_t *counts, const struct sd_histograms *h, double *sigma)
{
    size_t middle = 0, width = 2 * h->half + 1, distance = 0;
    int64_t total = 0, below = 0, inside;
    for (size_t i = 0; i < width; i++)
        total += counts[i];
    while (middle < width && 2 * (below + counts[middle]) <= total)
        below += counts[middle++];
    inside = middle < width ? counts[middle] : 0;
    while (2 * inside < total && distance < h->half) {
        distance++;
        inside += middle >= distance ? counts[middle - distance] : 0;
        inside += middle + distance < width ? counts[middle + distance] : 0;
    }
    *sigma = h->mad_to_sigma * ((double)distance + 0.5);
    return middle;
}

/* Linear between the entries of the table of variances, as numpy.interp is. */
static double cut_variance(const struct sd_histograms *h, double cut)
{
    size_t low = 0, high = h->cuts - 1;
    if (cut <= h->cut[0])
        return h->variance[0];
    if (cut >= h->cut[high])
        return h->variance[high];
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        *(h->cut[middle] <= cut ? &low : &high) = middle;
    }
    double slope = (h->variance[high] - h->variance[low]) / (h->cut[high] - h->cut[low]);
    return slope * (cut - h->cut[low]) + h->variance[low];
}

/* One round of clipping: sigma of what lies within the clip. */
static double clipped_once(const int64_t *counts, const struct sd_histograms *h, size_t middle,
                           double sigma)
{
    double far = floor(h->clip * sigma);
    size_t reach = far < (double)h->half ? (size_t)far : h->half;
    struct moments m = within(counts, h->half, middle, reach);
    double number = m.number > 1 ? (double)m.number : 1.0, mean = (double)m.first / number;
    double variance = (double)m.second / number - mean * mean;
    return sqrt(fmax(variance / cut_variance(h, ((double)reach + 0.5) / sigma), 1e-12));
}

size_t sd_histograms_scratch(const struct sd_histograms *h)
{
    return h->rows * (sizeof(double) + sizeof(size_t));
}

void sd_clip_histograms(const struct sd_histograms *h, void *scratch, double *sigma)
{
    double *next = scratch;
    size_t *middle = (size_t *)(next + h->rows), width = 2 * h->half + 1;
    for (size_t row = 0; row < h->rows; row++)
        middle[row] = find_middle(h->counts + row * width, h, sigma + row);
    for (int round = 0; round < h->rounds; round++) {
        int same = 1;
        for (size_t row = 0; row < h->rows; row++) {
            next[row] = clipped_once(h->counts + row * width, h, middle[row], sigma[row]);
            same &= fabs(next[row] - sigma[row]) <= 1e-8 + 1e-4 * sigma[row];
        }
        if (same)
            break;
        memcpy(sigma, next, h->rows * sizeof *sigma);
    }
}

/* Sorted values, and sums of them and of their squares before each piece. */
struct sums {
    const float *x;
    size_t count, piece;
    double about; /* subtracted from all values */
    double *totals, *squares;
};

/* Number, sum and sum of squares of what is less than a bound. */
struct below {
    size_t number;
    double total, squares;
};

static void add_run(const struct sums *s, size_t first, size_t last, double *total, double *squares)
{
    double sum = 0, square = 0;
    for (size_t i = first; i < last; i++) {
        double offset = (double)s->x[i] - s->about;
        sum += offset;
        square += offset * offset;
    }
    *total += sum;
    *squares += square;
}

static void sum_pieces(struct sums *s)
{
    size_t pieces = s->count / s->piece;
    s->totals[0] = s->squares[0] = 0;
    for (size_t i = 0; i < pieces; i++) {
        s->totals[i + 1] = s->totals[i];
        s->squares[i + 1] = s->squares[i];
        add_run(s, i * s->piece, (i + 1) * s->piece, s->totals + i + 1, s->squares + i + 1);
    }
}

static struct below below(const struct sums *s, double bound)
{
    size_t low = 0, high = s->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if ((double)s->x[middle] < bound)
            low = middle + 1;
        else
            high = middle;
    }
    size_t piece = low == 0 ? 0 : (low - 1) / s->piece;
    struct below b = {low, s->totals[piece], s->squares[piece]};
    add_run(s, piece * s->piece, low, &b.total, &b.squares);
    return b;
}

/* Deviation of what lies between two bounds. */
static double spread_between(const struct below *low, const struct below *high, double kept)
{
    double number = high->number > low->number ? (double)(high->number - low->number) : 1;
    double mean = (high->total - low->total) / number;
    double variance = (high->squares - low->squares) / number - mean * mean;
    return sqrt((variance > 0 ? variance : 0) / kept);
}

static double middle_of(const float *x, size_t first, size_t last)
{
    return ((double)x[(first + last - 1) / 2] + (double)x[(first + last) / 2]) / 2;
}

size_t sd_clip_scratch(size_t count, const struct sd_clipping *o)
{
    return 2 * (count / o->piece + 1);
}

void sd_clip_sorted(const float *x, size_t count, const struct sd_clipping *o, double *scratch,
                    double *centre, double *sigma)
{
    size_t quarter = count / 4, number = count;
    *centre = *sigma = NAN;
    if (count == 0)
        return;
    *centre = middle_of(x, 0, count);
    struct sums s = {x, count, o->piece, *centre, scratch, scratch + count / o->piece + 1};
    sum_pieces(&s);
    *sigma = ((double)x[count - 1 - quarter] - (double)x[quarter]) / o->quartiles;
    if (*sigma == 0) {
        struct below low = below(&s, -INFINITY), high = below(&s, INFINITY);
        *sigma = spread_between(&low, &high, o->kept_variance) * sqrt(o->kept_variance);
    }
    for (int round = 0; round < o->rounds; round++) {
        struct below low = below(&s, *centre - o->clip * *sigma);
        struct below high = below(&s, *centre + o->clip * *sigma);
        double spread = spread_between(&low, &high, o->kept_variance);
        size_t inside = high.number - low.number;
        int same = inside == number && fabs(spread - *sigma) <= 1e-6 * *sigma + 1e-8;
        if (inside == 0 || same)
            break;
        number = inside;
        *sigma = spread;
        *centre = middle_of(x, low.number, high.number);
    }
}

/* Turn round the bytes of each item. */
SD_WIDE static void swap2(uint16_t *x, size_t number)
{
    for (size_t i = 0; i < number; i++)
        x[i] = (uint16_t)(x[i] >> 8 | x[i] << 8);
}

SD_WIDE static void swap4(uint32_t *x, size_t number)
{
    for (size_t i = 0; i < number; i++)
        x[i] = x[i] >> 24 | (x[i] >> 8 & 0xFF00) | (x[i] << 8 & 0xFF0000) | x[i] << 24;
}

int sd_swap(void *pixels, size_t bytes, size_t number)
{
    if (bytes == 2)
        swap2(pixels, number);
    else if (bytes == 4)
        swap4(pixels, number);
    return bytes == 2 || bytes == 4;
}

SD_WIDE uint64_t sd_sum_words(const uint8_t *data, size_t number)
{
    uint64_t total = 0;
    for (size_t i = 0; i < number; i++) {
        const uint8_t *at = data + 4 * i;
        total += (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    }
    return total;
}
