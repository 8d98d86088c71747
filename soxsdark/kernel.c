/*
 * Clipping along the stack and the noise of each pixel, for a block of pixels.
 *
 * Pure C, knows nothing of Python; the NumPy functions of stacking.py and noise_map.py are the
 * reference, and results are equal to the last bit (no contraction into fused operations). The
 * samples of a tile of pixels are sorted by a network of minima and maxima, which the compiler
 * turns into vector instructions; what follows works on the sorted run of one pixel.
 */
#include "kernel.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define TILE 64

size_t sd_scratch(size_t frames)
{
    return frames * (TILE * sizeof(float) + sizeof(double));
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

/* Average the run first to last (not empty). */
static void average(const double *x, size_t first, size_t last, size_t at,
                    const struct sd_average *r)
{
    double sum = 0;
    for (size_t i = first; i < last; i++)
        sum += x[i] - x[first];
    r->mean[at] = (float)(x[first] + sum / (double)(last - first));
    r->lowest[at] = (float)x[first];
    r->highest[at] = (float)x[last - 1];
    r->used[at] = (int32_t)(last - first);
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
    average(x, first, last, at, &r->wide);
    double square = fmax(sigma * sigma, variance(x, first, last));
    r->wide.error[at] = (float)(sqrt(square) / sqrt((double)(last - first)));
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

/*
 * Do a tile of sorted pixels as if all were ordinary: every sample valid, none rejected, no shot
 * noise of their own, nothing that may be an event. Marks those that are not; the rest is right
 * to the last bit, because sums run in the same order.
 */
SD_WIDE static void do_ordinary(const float *tile, size_t frames, size_t width,
                                const float *sigma, const float *background, size_t left,
                                const struct sd_options *o, const struct sd_results *r,
                                uint8_t *special)
{
    double number = (double)frames, root = sqrt(number);
    double total[TILE] = {0}, squares[TILE] = {0}, sum[TILE] = {0}, origin[TILE], centre[TILE];
    const float *low = tile, *high = tile + (frames - 1) * TILE;
    const float *below = tile + (frames - 1) / 2 * TILE, *above = tile + frames / 2 * TILE;
    for (size_t c = 0; c < TILE; c++) {
        origin[c] = (double)below[c];
        centre[c] = (double)below[c] / 2 + (double)above[c] / 2;
    }
    for (size_t i = 0; i < frames; i++) {
        const float *x = tile + i * TILE;
        for (size_t c = 0; c < TILE; c++) {
            double offset = (double)x[c] - origin[c];
            total[c] += offset;
            squares[c] += offset * offset;
            sum[c] += (double)x[c] - (double)low[c];
        }
    }
    double limit = o->limits[frames * (o->most_events + 1)], lower = o->lower[frames];
    double noise[TILE], signal[TILE];
    float mean[TILE], error[TILE], relative[TILE], scatter[TILE], exceedance[TILE];
    for (size_t c = 0; c < TILE; c++) {
        noise[c] = c < width ? sigma[left + c] : 1;
        signal[c] = c < width ? centre[c] - background[left + c] : 0;
    }
    for (size_t c = 0; c < TILE; c++) {
        double s = noise[c], t = squares[c] - total[c] * total[c] / number;
        t = t > 0 ? t / (s * s) : 0;
        double ratio = sqrt(t / (number - 1));
        mean[c] = (float)((double)low[c] + sum[c] / number);
        error[c] = (float)(s / root);
        relative[c] = (float)ratio;
        scatter[c] = (float)(ratio * s);
        exceedance[c] = (float)(t / limit);
        squares[c] = t;
        special[c] = !(low[c] >= centre[c] - o->k * s) | !(high[c] <= centre[c] + o->k * s) |
                     (high[c] > centre[c] + o->event * s) | (signal[c] > o->significant * s / root) |
                     (exceedance[c] > o->candidate);
    }
    memcpy(r->main.mean + left, mean, width * sizeof *mean);
    memcpy(r->main.error + left, error, width * sizeof *error);
    memcpy(r->main.lowest + left, low, width * sizeof *low);
    memcpy(r->main.highest + left, high, width * sizeof *high);
    memcpy(r->relative + left, relative, width * sizeof *relative);
    memcpy(r->scatter + left, scatter, width * sizeof *scatter);
    memcpy(r->exceedance + left, exceedance, width * sizeof *exceedance);
    memset(r->unclipped + left, 0, width);
    memset(r->candidate + left, 0, width);
    for (size_t c = 0; c < width; c++) {
        r->main.used[left + c] = r->count[left + c] = (int32_t)frames;
        r->quiet[left + c] = isnan(lower) ? INFINITY : (float)(squares[c] / lower);
    }
}

/* Fill a tile with samples, infinity for bad ones; returns the number of bad ones. */
SD_WIDE static size_t fill_tile(const float *samples, size_t frames, size_t pixels, size_t width,
                                float *tile, int32_t *counts)
{
    size_t good = 0;
    for (size_t c = 0; c < TILE; c++)
        counts[c] = 0;
    for (size_t i = 0; i < frames; i++)
        for (size_t c = 0; c < width; c++) {
            float value = samples[i * pixels + c];
            int finite = fabsf(value) <= FLT_MAX;
            counts[c] += finite;
            tile[i * TILE + c] = finite ? value : INFINITY;
        }
    for (size_t i = 0; i < frames; i++)
        for (size_t c = width; c < TILE; c++)
            tile[i * TILE + c] = 0;
    for (size_t c = 0; c < width; c++)
        good += (size_t)counts[c];
    return frames * width - good;
}

void sd_block(const float *samples, size_t frames, size_t pixels, const float *sigma,
              const float *background, const struct sd_options *options,
              const struct sd_results *results, void *scratch)
{
    double *column = scratch;
    float *tile = (float *)(column + frames);
    int plain = options->deviation == SD_NOISE_MODEL && frames >= 3;
    for (size_t left = 0; left < pixels; left += TILE) {
        size_t width = pixels - left < TILE ? pixels - left : TILE;
        int32_t counts[TILE];
        uint8_t special[TILE];
        size_t bad = fill_tile(samples + left, frames, pixels, width, tile, counts);
        sort_tile(tile, frames);
        if (plain && bad == 0)
            do_ordinary(tile, frames, width, sigma, background, left, options, results, special);
        else
            memset(special, 1, sizeof special);
        for (size_t c = 0; c < width; c++) {
            if (!special[c])
                continue;
            for (int32_t i = 0; i < counts[c]; i++)
                column[i] = tile[(size_t)i * TILE + c];
            do_pixel(column, (size_t)counts[c], sigma[left + c], background[left + c], left + c,
                     options, results);
        }
    }
}
