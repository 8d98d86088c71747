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

size_t sd_scratch(size_t frames)
{
    return frames * (TILE * sizeof(float) + sizeof(double)) + 64;
}

/* Batcher's odd-even merge sort of the rows of (frames, TILE), each column for itself. */
SD_WIDE static void sort_tile(float *tile, size_t frames)
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
static int clip(const double *x, size_t count, int kind, double sigma, int iterations, double k,
                size_t *first, size_t *last)
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

/* Average the run first to last (not empty); the variance has one degree of freedom less. */
static double average(const double *x, size_t first, size_t last, size_t at,
                      const struct sd_average *r)
{
    double origin = x[first], sum = 0, squares = 0, number = (double)(last - first);
    for (size_t i = first; i < last; i++)
        sum += x[i] - origin;
    double offset = sum / number;
    for (size_t i = first; i < last; i++)
        squares += (x[i] - origin - offset) * (x[i] - origin - offset);
    r->mean[at] = (float)(origin + offset);
    r->lowest[at] = (float)origin;
    r->highest[at] = (float)x[last - 1];
    r->used[at] = (int32_t)(last - first);
    return squares / (last - first > 1 ? number - 1 : 1);
}

static double shot_noise(double sigma, double signal, const struct sd_options *o)
{
    return sqrt(sigma * sigma + signal * o->slope);
}

/* Scatter against `sigma`, with and without what may be events; returns the scatter. */
static double judge_noise(const double *x, size_t count, double centre, double sigma, size_t at,
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
    double relative = sqrt(chosen / (double)(count - 1 - found));
    r->relative[at] = (float)relative;
    r->scatter[at] = (float)(relative * sigma);
    r->exceedance[at] = (float)smallest;
    r->quiet[at] = isnan(o->lower[count]) ? INFINITY : (float)(all / o->lower[count]);
    return relative * sigma;
}

/*
 * Average a pixel the way a noisy one is: clipped once at k max(min(MAD, scatter), sigma), so
 * that it keeps its samples, and with an error that its own scatter may raise.
 */
static void average_wide(const double *x, size_t count, double centre, double sigma,
                         double scatter, size_t first, size_t last, size_t at,
                         const struct sd_options *o, const struct sd_results *r)
{
    if (o->deviation == SD_NOISE_MODEL) {
        double wide = fmax(fmin(spread(x, 0, count, centre, SD_MAD), scatter), sigma);
        clip(x, count, SD_NOISE_MODEL, wide, o->iterations > 0, o->k, &first, &last);
    }
    double variance = average(x, first, last, at, &r->wide);
    r->wide.error[at] = (float)(sqrt(fmax(sigma * sigma, variance)) / sqrt((double)(last - first)));
}

static void do_pixel(const double *x, size_t count, double sigma, double background, size_t at,
                     const struct sd_options *o, const struct sd_results *r)
{
    size_t first, last;
    r->count[at] = (int32_t)count;
    r->scatter[at] = r->relative[at] = NAN;
    r->exceedance[at] = 0;
    r->quiet[at] = INFINITY;
    r->unclipped[at] = r->candidate[at] = 0;
    if (count == 0) {
        r->main.mean[at] = r->main.lowest[at] = r->main.highest[at] = NAN;
        r->main.error[at] = INFINITY;
        r->main.used[at] = 0;
        return;
    }
    double centre = median(x, 0, count), signal = centre - background;
    double own = shot_noise(sigma, 0, o), cautious = own, scatter = NAN;
    if (signal > o->significant * sigma / sqrt((double)count)) {
        double floor_signal = x[(count - 1) / 4] - background;
        own = shot_noise(sigma, signal, o);
        cautious = shot_noise(sigma, floor_signal > 0 ? floor_signal : 0, o);
    }
    r->unclipped[at] =
        (uint8_t)clip(x, count, o->deviation, own, o->iterations, o->k, &first, &last);
    average(x, first, last, at, &r->main);
    r->main.error[at] = (float)(own / sqrt((double)(last - first)));
    if (count > 1)
        scatter = judge_noise(x, count, centre, cautious, at, o, r);
    if (r->exceedance[at] > o->candidate || r->unclipped[at]) {
        r->candidate[at] = 1;
        average_wide(x, count, centre, own, scatter, first, last, at, o, r);
    }
}

void sd_block(const float *samples, size_t frames, size_t pixels, const double *sigma,
              const double *background, const struct sd_options *options,
              const struct sd_results *results, void *scratch)
{
    double *column = scratch;
    float *tile = (float *)(column + frames);
    for (size_t left = 0; left < pixels; left += TILE) {
        size_t width = pixels - left < TILE ? pixels - left : TILE;
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
