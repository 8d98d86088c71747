/*
 * Clipping along the stack and the noise of each pixel, for a block of pixels.
 *
 * Pure C, knows nothing of Python; the NumPy functions of stacking.py and noise_map.py are the
 * reference, and results are equal to the last bit (no contraction into fused operations). The
 * samples of a tile of pixels are sorted by a network of minima and maxima, which the compiler
 * turns into vector instructions; what follows works on the sorted run of one pixel.
 */
#include "kernel.h"

#include <math.h>
#include <string.h>

#define TILE 64

#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__linux__)
#define WIDE __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define WIDE
#endif

size_t sd_scratch(size_t frames)
{
    return frames * (TILE * sizeof(float) + sizeof(double)) + 64;
}

/* Batcher's odd-even merge sort of the rows of (frames, TILE), each column for itself. */
WIDE static void sort_tile(float *tile, size_t frames)
{
    for (size_t p = 1; p < frames; p *= 2)
        for (size_t k = p; k >= 1; k /= 2)
            for (size_t j = k % p; j + k < frames; j += 2 * k)
                for (size_t i = 0; i < k && i + j + k < frames; i++) {
                    if ((i + j) / (2 * p) != (i + j + k) / (2 * p))
                        continue;
                    float *a = tile + (i + j) * TILE, *b = a + k * TILE;
                    for (size_t c = 0; c < TILE; c++) {
                        float low = a[c] < b[c] ? a[c] : b[c];
                        float high = a[c] < b[c] ? b[c] : a[c];
                        a[c] = low;
                        b[c] = high;
                    }
                }
}

/* Median of the sorted run first to last (half-open, not empty). */
static double median(const double *x, size_t first, size_t last)
{
    return x[(first + last - 1) / 2] / 2 + x[(first + last) / 2] / 2;
}

/* The element of rank `rank` among |x - centre| of a sorted run, walking outwards. */
static void middle_distances(const double *x, size_t first, size_t last, double centre,
                             double *low, double *high)
{
    size_t number = last - first, up = first, seen;
    double distance = 0;
    while (up < last && x[up] < centre)
        up++;
    size_t down = up;
    for (seen = 0; seen <= number / 2; seen++) {
        int upwards = down == first || (up < last && x[up] - centre <= centre - x[down - 1]);
        distance = upwards ? fabs(x[up++] - centre) : fabs(x[--down] - centre);
        if (seen == (number - 1) / 2)
            *low = distance;
    }
    *high = distance;
}

static double spread(const double *x, size_t first, size_t last, double centre, int kind)
{
    if (kind == SD_STD) {
        double mean = 0, squares = 0, number = (double)(last - first);
        for (size_t i = first; i < last; i++)
            mean += x[i];
        mean /= number;
        for (size_t i = first; i < last; i++)
            squares += (x[i] - mean) * (x[i] - mean);
        return sqrt(squares / number);
    }
    double low = 0, high = 0;
    middle_distances(x, first, last, centre, &low, &high);
    return 1.482602218505602 * (low / 2 + high / 2);
}

/* Clip the sorted samples; returns 1 if fewer than two would be left, and then keeps all. */
static int clip(const double *x, size_t count, double sigma, const struct sd_options *o,
                size_t *first, size_t *last)
{
    double lower = -INFINITY, upper = INFINITY;
    *first = 0;
    *last = count;
    if (count < 3)
        return 0;
    for (int round = 0; round < o->iterations && *last - *first >= 2; round++) {
        double centre = median(x, *first, *last);
        double deviation =
            o->deviation == SD_NOISE_MODEL ? sigma : spread(x, *first, *last, centre, o->deviation);
        size_t start = *first, stop = *last;
        lower = centre - o->k * deviation;
        upper = centre + o->k * deviation;
        while (start < stop && !(x[start] >= lower))
            start++;
        while (stop > start && !(x[stop - 1] <= upper))
            stop--;
        if (start == *first && stop == *last)
            break;
        *first = start;
        *last = stop;
    }
    if (*first != 0 || *last != count) {
        /* the last thresholds hold for every sample */
        size_t start = 0, stop = count;
        while (start < count && !(x[start] >= lower))
            start++;
        while (stop > start && !(x[stop - 1] <= upper))
            stop--;
        *first = start;
        *last = stop;
    }
    if (*last - *first < 2) {
        *first = 0;
        *last = count;
        return 1;
    }
    return 0;
}

static void average(const double *x, size_t first, size_t last, size_t at,
                    const struct sd_results *r)
{
    double origin = x[first], sum = 0, squares = 0, number = (double)(last - first);
    for (size_t i = first; i < last; i++)
        sum += x[i] - origin;
    double offset = sum / number;
    for (size_t i = first; i < last; i++)
        squares += (x[i] - origin - offset) * (x[i] - origin - offset);
    r->mean[at] = origin + offset;
    r->variance[at] = squares / (last - first > 1 ? number - 1 : 1);
    r->lowest[at] = origin;
    r->highest[at] = x[last - 1];
}

static double shot_noise(double sigma, double signal, const struct sd_options *o)
{
    return sqrt(sigma * sigma + signal * o->slope);
}

/* Scatter against `sigma`, with and without what may be events. */
static void judge_noise(const double *x, size_t count, double centre, double sigma, size_t at,
                        const struct sd_options *o, const struct sd_results *r)
{
    const double *limits = o->limits + count * (o->most_events + 1);
    size_t events = 0, found = 0;
    while (events < o->most_events && !isnan(limits[events + 1]))
        events++;
    for (size_t i = count - events; i < count; i++)
        found += x[i] > centre + o->event * sigma;
    double origin = x[(count - 1) / 2], total = 0, squares = 0, chosen = 0, all = 0;
    double smallest = INFINITY;
    for (size_t i = 0; i < count - events; i++) {
        total += x[i] - origin;
        squares += (x[i] - origin) * (x[i] - origin);
    }
    for (size_t number = count - events; number <= count; number++) {
        size_t left_out = count - number;
        double sum = squares - total * total / (double)number;
        sum = sum > 0 ? sum / (sigma * sigma) : 0;
        if (left_out <= found && sum / limits[left_out] < smallest)
            smallest = sum / limits[left_out];
        if (left_out == found)
            chosen = sum;
        all = sum;
        if (number < count) {
            total += x[number] - origin;
            squares += (x[number] - origin) * (x[number] - origin);
        }
    }
    r->relative[at] = sqrt(chosen / (double)(count - 1 - found));
    r->scatter[at] = r->relative[at] * sigma;
    r->exceedance[at] = smallest;
    r->quiet[at] = isnan(o->lower[count]) ? INFINITY : all / o->lower[count];
}

static void do_pixel(const double *x, size_t count, double sigma, double background, size_t at,
                     const struct sd_options *o, const struct sd_results *r)
{
    size_t first, last, least = count > 0 ? count : 1;
    double centre = count > 0 ? median(x, 0, count) : NAN;
    double signal = centre - background, cautious = sigma, own = sigma;
    if (signal > o->significant * sigma / sqrt((double)least)) {
        double floor_signal = x[(count - 1) / 4] - background;
        own = shot_noise(sigma, signal, o);
        cautious = shot_noise(sigma, floor_signal > 0 ? floor_signal : 0, o);
    } else {
        own = cautious = shot_noise(sigma, 0, o);
    }
    r->sigma[at] = own;
    r->count[at] = (int32_t)count;
    r->unclipped[at] = (uint8_t)clip(x, count, own, o, &first, &last);
    r->used[at] = (int32_t)(last - first);
    r->scatter[at] = r->relative[at] = r->mean[at] = r->lowest[at] = r->highest[at] = NAN;
    r->variance[at] = r->exceedance[at] = 0;
    r->quiet[at] = INFINITY;
    if (count > 0)
        average(x, first, last, at, r);
    if (count > 1)
        judge_noise(x, count, centre, cautious, at, o, r);
}

void sd_block(const float *samples, size_t frames, size_t pixels, size_t first, size_t last,
              const double *sigma, const double *background, const struct sd_options *options,
              const struct sd_results *results, void *scratch)
{
    double *column = scratch;
    float *tile = (float *)(column + frames);
    for (size_t left = first; left < last; left += TILE) {
        size_t width = last - left < TILE ? last - left : TILE;
        size_t counts[TILE] = {0};
        for (size_t i = 0; i < frames; i++) {
            const float *row = samples + i * pixels + left;
            for (size_t c = 0; c < TILE; c++) {
                float value = c < width ? row[c] : INFINITY;
                int good = isfinite(value) != 0;
                counts[c] += (size_t)good;
                tile[i * TILE + c] = good ? value : INFINITY;
            }
        }
        sort_tile(tile, frames);
        for (size_t c = 0; c < width; c++) {
            for (size_t i = 0; i < counts[c]; i++)
                column[i] = tile[i * TILE + c];
            do_pixel(column, counts[c], sigma[left + c], background[left + c], left + c, options,
                     results);
        }
    }
}
