/*
 * Clipping along the stack and the noise of each pixel, for a block of pixels.
 *
 * Pure C, knows nothing of Python; the NumPy functions of stacking.py and noise_map.py are the
 * reference, and results are equal to the last bit (no contraction into fused operations). The
 * samples of a tile of pixels are sorted by a network of minima and maxima, which the compiler
 * turns into vector instructions. Most pixels need no more than sums along the sorted samples,
 * a tile at a time (kernel_tile.h); the others are done one by one, here.
 */
#include "kernel.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define TILE 64

/* Mean of the survivors of one clipping, its error, their extremes and their number. */
struct average {
    double mean, error, lowest, highest;
    int32_t used;
};

/* All that is found for one pixel. */
struct pixel {
    struct average main, wide;
    double scatter, relative, exceedance, quiet;
    uint8_t unclipped, candidate;
};

/* Median of the sorted run first to last (half-open, not empty). */
static double median(const double *x, size_t first, size_t last)
{
    return x[(first + last - 1) / 2] / 2 + x[(first + last) / 2] / 2;
}

/* The middle two of |x - centre| of a sorted run, found by walking outwards. */
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
static uint8_t clip(const double *x, size_t count, int kind, double sigma, int iterations,
                    double k, size_t *first, size_t *last)
{
    double lower = -INFINITY, upper = INFINITY;
    *first = 0;
    *last = count;
    if (count < 3)
        return 0;
    for (int round = 0; round < iterations && *last - *first >= 2; round++) {
        double centre = median(x, *first, *last);
        double deviation =
            kind == SD_NOISE_MODEL ? sigma : spread(x, *first, *last, centre, kind);
        size_t start = *first, stop = *last;
        lower = centre - k * deviation;
        upper = centre + k * deviation;
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

/* Average the run first to last (not empty) of samples whose noise is `sigma`. */
static struct average average(const double *x, size_t first, size_t last, double sigma)
{
    double sum = 0, number = (double)(last - first);
    for (size_t i = first; i < last; i++)
        sum += x[i] - x[first];
    struct average result = {x[first] + sum / number, sigma / sqrt(number), x[first], x[last - 1],
                             (int32_t)(last - first)};
    return result;
}

/* Variance of the run first to last (not empty), one degree of freedom less; 0 for one sample. */
static double variance(const double *x, size_t first, size_t last)
{
    double sum = 0, squares = 0, number = (double)(last - first);
    for (size_t i = first; i < last; i++)
        sum += x[i] - x[first];
    for (size_t i = first; i < last; i++)
        squares += (x[i] - x[first] - sum / number) * (x[i] - x[first] - sum / number);
    return squares / (last - first > 1 ? number - 1 : 1);
}

static double shot_noise(double sigma, double signal, const struct sd_options *o)
{
    return sqrt(sigma * sigma + signal * o->slope);
}

/* Scatter against `sigma`, with and without what may be events. */
static void judge_noise(const double *x, size_t count, double centre, double sigma,
                        const struct sd_options *o, struct pixel *p)
{
    const double *limits = o->limits + count * (o->most_events + 1);
    size_t events = 0, found = 0;
    while (events < o->most_events && !isnan(limits[events + 1]))
        events++;
    for (size_t i = count - events; i < count; i++)
        found += x[i] > centre + o->event * sigma;
    double origin = x[(count - 1) / 2], total = 0, squares = 0, chosen = 0, all = 0;
    p->exceedance = INFINITY;
    for (size_t i = 0; i < count - events; i++) {
        total += x[i] - origin;
        squares += (x[i] - origin) * (x[i] - origin);
    }
    for (size_t number = count - events; number <= count; number++) {
        size_t left_out = count - number;
        double sum = squares - total * total / (double)number;
        sum = sum > 0 ? sum / (sigma * sigma) : 0;
        if (left_out <= found && sum / limits[left_out] < p->exceedance)
            p->exceedance = sum / limits[left_out];
        if (left_out == found)
            chosen = sum;
        all = sum;
        if (number < count) {
            total += x[number] - origin;
            squares += (x[number] - origin) * (x[number] - origin);
        }
    }
    p->relative = sqrt(chosen / (double)(count - 1 - found));
    p->scatter = p->relative * sigma;
    if (!isnan(o->lower[count]))
        p->quiet = all / o->lower[count];
}

/*
 * Average a pixel the way a noisy one is: clipped once at k max(min(MAD, scatter), sigma), so
 * that it keeps its samples, and with an error that its own scatter may raise.
 */
static struct average average_wide(const double *x, size_t count, double centre, double sigma,
                                   double scatter, size_t first, size_t last,
                                   const struct sd_options *o)
{
    if (o->deviation == SD_NOISE_MODEL) {
        double wide = fmax(fmin(spread(x, 0, count, centre, SD_MAD), scatter), sigma);
        clip(x, count, SD_NOISE_MODEL, wide, o->iterations > 0, o->k, &first, &last);
    }
    return average(x, first, last, sqrt(fmax(sigma * sigma, variance(x, first, last))));
}

/* Any pixel, from its `count` valid samples in order. */
static struct pixel do_pixel(const double *x, size_t count, double sigma, double background,
                             const struct sd_options *o)
{
    struct pixel p = {.main = {NAN, INFINITY, NAN, NAN, 0}, .scatter = NAN, .relative = NAN,
                      .quiet = INFINITY};
    if (count == 0)
        return p;
    size_t first, last;
    double centre = median(x, 0, count), signal = centre - background;
    double own = shot_noise(sigma, 0, o), cautious = own;
    if (signal > o->significant * sigma / sqrt((double)count)) {
        double floor_signal = x[(count - 1) / 4] - background;
        own = shot_noise(sigma, signal, o);
        cautious = shot_noise(sigma, floor_signal > 0 ? floor_signal : 0, o);
    }
    p.unclipped = clip(x, count, o->deviation, own, o->iterations, o->k, &first, &last);
    p.main = average(x, first, last, own);
    if (count > 1)
        judge_noise(x, count, centre, cautious, o, &p);
    p.candidate = p.exceedance > o->candidate || p.unclipped;
    if (p.candidate)
        p.wide = average_wide(x, count, centre, own, p.scatter, first, last, o);
    return p;
}

#define REAL float
#define NAMED(name) name##_float
#include "kernel_tile.h"
#undef REAL
#undef NAMED

#define REAL double
#define NAMED(name) name##_double
#include "kernel_tile.h"

size_t sd_scratch(size_t frames)
{
    return frames * (TILE + 1) * sizeof(double);
}

int sd_block(char type, const void *samples, size_t frames, size_t pixels, const void *sigma,
             const void *background, const struct sd_options *options,
             const struct sd_results *results, void *scratch)
{
    switch (type) {
    case 'f':
        do_block_float(samples, frames, pixels, sigma, background, options, results, scratch);
        return 1;
    case 'd':
        do_block_double(samples, frames, pixels, sigma, background, options, results, scratch);
        return 1;
    default: return 0;
    }
}
