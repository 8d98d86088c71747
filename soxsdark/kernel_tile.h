/*
 * Tiles of pixels, for samples of one type: included by kernel.c for each type REAL.
 *
 * A tile is (frames, TILE) samples, so that each step along the stack is one over neighbouring
 * pixels.
 */

/* Batcher's odd-even merge sort of the rows of a tile, each column for itself. */
SD_WIDE static void NAMED(sort_tile)(REAL *tile, size_t frames)
{
    for (size_t p = 1; p < frames; p *= 2)
        for (size_t k = p; k >= 1; k /= 2)
            for (size_t j = k % p; j + k < frames; j += 2 * k)
                for (size_t i = 0; i < k && i + j + k < frames; i++) {
                    if ((i + j) / (2 * p) != (i + j + k) / (2 * p))
                        continue;
                    REAL *a = tile + (i + j) * TILE, *b = a + k * TILE;
                    for (size_t c = 0; c < TILE; c++) {
                        REAL low = a[c] < b[c] ? a[c] : b[c];
                        REAL high = a[c] < b[c] ? b[c] : a[c];
                        a[c] = low;
                        b[c] = high;
                    }
                }
}

/* Fill a tile with samples, infinity for bad ones; returns the number of bad ones. */
SD_WIDE static size_t NAMED(fill_tile)(const REAL *samples, size_t frames, size_t pixels,
                                       size_t width, REAL *tile, int32_t *counts)
{
    const REAL infinity = (REAL)INFINITY;
    size_t good = 0;
    for (size_t c = 0; c < TILE; c++)
        counts[c] = 0;
    for (size_t i = 0; i < frames; i++)
        for (size_t c = 0; c < width; c++) {
            REAL value = samples[i * pixels + c];
            int finite = (value < infinity) & (value > -infinity);
            counts[c] += finite;
            tile[i * TILE + c] = finite ? value : infinity;
        }
    for (size_t i = 0; i < frames; i++)
        for (size_t c = width; c < TILE; c++)
            tile[i * TILE + c] = 0;
    for (size_t c = 0; c < width; c++)
        good += (size_t)counts[c];
    return frames * width - good;
}

/*
 * Do a tile of sorted pixels as if all were ordinary: every sample valid, none rejected, no shot
 * noise of their own, nothing that may be an event. Marks those that are not; the rest is right
 * to the last bit, because sums run in the same order.
 */
SD_WIDE static void NAMED(do_ordinary)(const REAL *tile, size_t frames, size_t width,
                                       const REAL *sigma, const REAL *background, size_t at,
                                       const struct sd_options *o, const struct sd_results *r,
                                       uint8_t *special)
{
    double number = (double)frames, root = sqrt(number);
    double total[TILE] = {0}, squares[TILE] = {0}, sum[TILE] = {0}, origin[TILE], centre[TILE];
    const REAL *low = tile, *high = tile + (frames - 1) * TILE;
    const REAL *below = tile + (frames - 1) / 2 * TILE, *above = tile + frames / 2 * TILE;
    for (size_t c = 0; c < TILE; c++) {
        origin[c] = (double)below[c];
        centre[c] = (double)below[c] / 2 + (double)above[c] / 2;
    }
    for (size_t i = 0; i < frames; i++) {
        const REAL *x = tile + i * TILE;
        for (size_t c = 0; c < TILE; c++) {
            double offset = (double)x[c] - origin[c];
            total[c] += offset;
            squares[c] += offset * offset;
            sum[c] += (double)x[c] - (double)low[c];
        }
    }
    double limit = o->limits[frames * (o->most_events + 1)], lower = o->lower[frames];
    double noise[TILE], signal[TILE];
    REAL mean[TILE], error[TILE], relative[TILE], scatter[TILE], exceedance[TILE];
    for (size_t c = 0; c < TILE; c++) {
        noise[c] = c < width ? (double)sigma[c] : 1;
        signal[c] = c < width ? centre[c] - (double)background[c] : 0;
    }
    for (size_t c = 0; c < TILE; c++) {
        double s = noise[c], t = squares[c] - total[c] * total[c] / number;
        t = t > 0 ? t / (s * s) : 0;
        double ratio = sqrt(t / (number - 1));
        mean[c] = (REAL)((double)low[c] + sum[c] / number);
        error[c] = (REAL)(s / root);
        relative[c] = (REAL)ratio;
        scatter[c] = (REAL)(ratio * s);
        exceedance[c] = (REAL)(t / limit);
        squares[c] = t;
        special[c] = !((double)low[c] >= centre[c] - o->k * s) |
                     !((double)high[c] <= centre[c] + o->k * s) |
                     ((double)high[c] > centre[c] + o->event * s) |
                     (signal[c] > o->significant * s / root) | (t / limit > o->candidate);
    }
    size_t bytes = width * sizeof(REAL);
    memcpy((REAL *)r->main.mean + at, mean, bytes);
    memcpy((REAL *)r->main.error + at, error, bytes);
    memcpy((REAL *)r->main.lowest + at, low, bytes);
    memcpy((REAL *)r->main.highest + at, high, bytes);
    memcpy((REAL *)r->relative + at, relative, bytes);
    memcpy((REAL *)r->scatter + at, scatter, bytes);
    memcpy((REAL *)r->exceedance + at, exceedance, bytes);
    memset(r->unclipped + at, 0, width);
    memset(r->candidate + at, 0, width);
    for (size_t c = 0; c < width; c++) {
        r->main.used[at + c] = r->count[at + c] = (int32_t)frames;
        ((REAL *)r->quiet)[at + c] = (REAL)(isnan(lower) ? INFINITY : squares[c] / lower);
    }
}

static void NAMED(store_average)(const struct average *a, size_t at, const struct sd_average *r)
{
    ((REAL *)r->mean)[at] = (REAL)a->mean;
    ((REAL *)r->error)[at] = (REAL)a->error;
    ((REAL *)r->lowest)[at] = (REAL)a->lowest;
    ((REAL *)r->highest)[at] = (REAL)a->highest;
    r->used[at] = a->used;
}

static void NAMED(store)(const struct pixel *p, size_t count, size_t at,
                         const struct sd_results *r)
{
    NAMED(store_average)(&p->main, at, &r->main);
    if (p->candidate)
        NAMED(store_average)(&p->wide, at, &r->wide);
    ((REAL *)r->scatter)[at] = (REAL)p->scatter;
    ((REAL *)r->relative)[at] = (REAL)p->relative;
    ((REAL *)r->exceedance)[at] = (REAL)p->exceedance;
    ((REAL *)r->quiet)[at] = (REAL)p->quiet;
    r->count[at] = (int32_t)count;
    r->unclipped[at] = p->unclipped;
    r->candidate[at] = p->candidate;
}

static void NAMED(do_block)(const REAL *samples, size_t frames, size_t pixels, const REAL *sigma,
                            const REAL *background, const struct sd_options *o,
                            const struct sd_results *r, void *scratch)
{
    double *column = scratch;
    REAL *tile = (REAL *)(column + frames);
    int plain = o->deviation == SD_NOISE_MODEL && frames >= 3;
    for (size_t at = 0; at < pixels; at += TILE) {
        size_t width = pixels - at < TILE ? pixels - at : TILE;
        int32_t counts[TILE];
        uint8_t special[TILE];
        size_t bad = NAMED(fill_tile)(samples + at, frames, pixels, width, tile, counts);
        NAMED(sort_tile)(tile, frames);
        if (plain && bad == 0)
            NAMED(do_ordinary)(tile, frames, width, sigma + at, background + at, at, o, r, special);
        else
            memset(special, 1, sizeof special);
        for (size_t c = 0; c < width; c++) {
            if (!special[c])
                continue;
            size_t count = (size_t)counts[c];
            for (size_t i = 0; i < count; i++)
                column[i] = (double)tile[i * TILE + c];
            struct pixel p = do_pixel(column, count, (double)sigma[at + c],
                                      (double)background[at + c], o);
            NAMED(store)(&p, count, at + c, r);
        }
    }
}
