/* The thin binding of kernel.c and frames.c: checked buffers in and out, no GIL in between. */
#include "buffers.h"
#include "kernel.h"

static int take_average(struct sd_buffers *b, PyObject **o, const char *type, Py_ssize_t pixels,
                        struct sd_average *r)
{
    return (r->mean = sd_take(b, o[0], type, pixels, 1)) &&
           (r->error = sd_take(b, o[1], type, pixels, 1)) &&
           (r->lowest = sd_take(b, o[2], type, pixels, 1)) &&
           (r->highest = sd_take(b, o[3], type, pixels, 1)) &&
           (r->used = sd_take(b, o[4], "i", pixels, 1));
}

static int take_results(struct sd_buffers *b, PyObject **o, const char *type, Py_ssize_t pixels,
                        struct sd_results *r)
{
    return take_average(b, o, type, pixels, &r->main) &&
           take_average(b, o + 5, type, pixels, &r->wide) &&
           (r->scatter = sd_take(b, o[10], type, pixels, 1)) &&
           (r->relative = sd_take(b, o[11], type, pixels, 1)) &&
           (r->exceedance = sd_take(b, o[12], type, pixels, 1)) &&
           (r->quiet = sd_take(b, o[13], type, pixels, 1)) &&
           (r->count = sd_take(b, o[14], "i", pixels, 1)) &&
           (r->unclipped = sd_take(b, o[15], "B?", pixels, 1)) &&
           (r->candidate = sd_take(b, o[16], "B?", pixels, 1));
}

static PyObject *block(PyObject *self, PyObject *args)
{
    PyObject *samples, *sigma, *background, *limits, *lower, *o[17];
    Py_ssize_t frames, pixels, most;
    struct sd_options options;
    struct sd_buffers b = {.taken = 0};
    struct sd_results r;
    (void)self;
    if (!PyArg_ParseTuple(args, "nnn(ididddd)(OOOOO)(OOOOO)(OOOOO)(OOOOOOO)", &frames, &pixels,
                          &most, &options.deviation, &options.k, &options.iterations,
                          &options.slope, &options.significant, &options.event,
                          &options.candidate, &samples, &sigma, &background, &limits, &lower,
                          &o[0], &o[1], &o[2], &o[3], &o[4], &o[5], &o[6], &o[7], &o[8], &o[9],
                          &o[10], &o[11], &o[12], &o[13], &o[14], &o[15], &o[16]) ||
        !sd_fits(frames, pixels) || !sd_fits(frames, most) || !sd_fits(frames + 1, most + 1))
        return NULL;
    options.most_events = (size_t)most;
    const void *x = sd_take(&b, samples, "fd", frames * pixels, 0);
    char type[2] = {x ? b.view[0].format[0] : 'f', 0};
    const void *s = x ? sd_take(&b, sigma, type, pixels, 0) : NULL;
    const void *g = s ? sd_take(&b, background, type, pixels, 0) : NULL;
    options.limits = g ? sd_take(&b, limits, "d", (frames + 1) * (most + 1), 0) : NULL;
    options.lower = options.limits ? sd_take(&b, lower, "d", frames + 1, 0) : NULL;
    if (options.lower && take_results(&b, o, type, pixels, &r)) {
        void *scratch = PyMem_Malloc(sd_scratch((size_t)frames));
        if (scratch == NULL) {
            PyErr_NoMemory();
        } else {
            Py_BEGIN_ALLOW_THREADS
            sd_block(type[0], x, (size_t)frames, (size_t)pixels, s, g, &options, &r, scratch);
            Py_END_ALLOW_THREADS
            PyMem_Free(scratch);
        }
    }
    return sd_release(&b);
}

static PyObject *electrons(PyObject *self, PyObject *args)
{
    PyObject *pixels, *out;
    double level, gain;
    struct sd_buffers b = {.taken = 0};
    struct sd_rows in;
    (void)self;
    if (!PyArg_ParseTuple(args, "OddO", &pixels, &level, &gain, &out))
        return NULL;
    if (sd_take_rows(&b, pixels, "hHifd", &in)) {
        float *result = sd_take(&b, out, "f", in.number * in.length, 1);
        if (result != NULL) {
            Py_BEGIN_ALLOW_THREADS
            for (Py_ssize_t i = 0; i < in.number; i++)
                sd_electrons(in.first + i * in.stride, in.type, (size_t)in.length, level, gain,
                             result + i * in.length);
            Py_END_ALLOW_THREADS
        }
    }
    return sd_release(&b);
}

static PyObject *limits(PyObject *self, PyObject *args)
{
    PyObject *pixels;
    int64_t low = INT64_MAX, high = INT64_MIN;
    struct sd_buffers b = {.taken = 0};
    struct sd_rows in;
    (void)self;
    if (!PyArg_ParseTuple(args, "O", &pixels))
        return NULL;
    if (sd_take_rows(&b, pixels, "hHi", &in)) {
        Py_BEGIN_ALLOW_THREADS
        for (Py_ssize_t i = 0; i < in.number; i++)
            sd_limits(in.first + i * in.stride, in.type, (size_t)in.length, &low, &high);
        Py_END_ALLOW_THREADS
    }
    PyObject *none = sd_release(&b);
    return none == NULL ? NULL : Py_BuildValue("LL", (long long)low, (long long)high);
}

static PyObject *histogram(PyObject *self, PyObject *args)
{
    PyObject *pixels, *out;
    long long low;
    struct sd_buffers b = {.taken = 0};
    struct sd_rows in;
    (void)self;
    if (!PyArg_ParseTuple(args, "OLO", &pixels, &low, &out))
        return NULL;
    int64_t *counts = sd_take_rows(&b, pixels, "hHi", &in) ? sd_take(&b, out, "q", -1, 1) : NULL;
    if (counts != NULL) {
        size_t width = (size_t)b.view[1].len / sizeof(int64_t);
        Py_BEGIN_ALLOW_THREADS
        for (Py_ssize_t i = 0; i < in.number; i++)
            sd_histogram(in.first + i * in.stride, in.type, (size_t)in.length, low, width, counts);
        Py_END_ALLOW_THREADS
    }
    return sd_release(&b);
}

/* The buffer of a mask, or NULL for None; 0 on failure. */
static int take_mask(struct sd_buffers *b, PyObject *object, Py_ssize_t items, const uint8_t **mask)
{
    *mask = object == Py_None ? NULL : sd_take(b, object, "B?", items, 0);
    return object == Py_None || *mask != NULL;
}

/* Whether `number` + 1 edges of blocks rise from 0 to `end`. */
static int edges_fit(const int64_t *edges, size_t number, int64_t end)
{
    for (size_t i = 0; i < number; i++)
        if (edges[i] > edges[i + 1])
            return 0;
    return edges[0] == 0 && edges[number] == end;
}

/* Take a frame of so many rows and columns; 0 with an exception. */
static int take_frame(struct sd_buffers *b, PyObject *object, Py_ssize_t rows, Py_ssize_t columns,
                      struct sd_frame *frame)
{
    struct sd_rows in;
    if (!sd_take_rows(b, object, "hHifd", &in))
        return 0;
    if (in.number != rows || in.length != columns) {
        PyErr_SetString(PyExc_ValueError, "a frame of another shape");
        return 0;
    }
    frame->pixels = in.first;
    frame->stride = in.stride;
    frame->type = in.type;
    return 1;
}

static PyObject *count_differences(PyObject *self, PyObject *args)
{
    PyObject *first, *second, *bad, *row_edges, *column_edges, *background, *counts;
    Py_ssize_t rows, columns, down, across;
    struct sd_differences d;
    struct sd_frame x, y;
    struct sd_buffers b = {.taken = 0};
    (void)self;
    if (!PyArg_ParseTuple(args, "(nnnn)(Odd)(Odd)O(OOO)(fffi)O", &rows, &columns, &down, &across,
                          &first, &x.level, &x.gain, &second, &y.level, &y.gain, &bad, &row_edges,
                          &column_edges, &background, &d.warm, &d.centre, &d.a_unit, &d.half,
                          &counts) ||
        !sd_fits(rows, columns) || !sd_fits(down, across) ||
        !sd_fits(down * across, 2 * (Py_ssize_t)d.half + 1))
        return NULL;
    d.columns = (size_t)columns;
    d.down = (size_t)down;
    d.across = (size_t)across;
    const uint8_t *mask;
    int64_t *out;
    if (take_frame(&b, first, rows, columns, &x) && take_frame(&b, second, rows, columns, &y) &&
        take_mask(&b, bad, rows * columns, &mask) &&
        (d.row_edges = sd_take(&b, row_edges, "q", down + 1, 0)) &&
        (d.column_edges = sd_take(&b, column_edges, "q", across + 1, 0)) &&
        (d.background = sd_take(&b, background, "f", down * across, 0)) &&
        (out = sd_take(&b, counts, "q", down * across * (2 * (Py_ssize_t)d.half + 1), 1))) {
        void *scratch = NULL;
        if (d.half > 30000 || !edges_fit(d.row_edges, d.down, rows) ||
            !edges_fit(d.column_edges, d.across, columns)) {
            PyErr_SetString(PyExc_ValueError, "blocks do not cover the frame, or too many bins");
        } else if ((scratch = PyMem_Malloc(sd_differences_scratch(&d))) == NULL) {
            PyErr_NoMemory();
        } else {
            Py_BEGIN_ALLOW_THREADS
            sd_count_differences(&x, &y, mask, &d, scratch, out);
            Py_END_ALLOW_THREADS
        }
        PyMem_Free(scratch);
    }
    return sd_release(&b);
}

static PyObject *clip_histograms(PyObject *self, PyObject *args)
{
    PyObject *counts, *cut, *variance, *out;
    Py_ssize_t rows, half;
    struct sd_histograms h;
    double *sigma;
    struct sd_buffers b = {.taken = 0};
    (void)self;
    if (!PyArg_ParseTuple(args, "(nn)O(ddi)(OO)O", &rows, &half, &counts, &h.clip, &h.mad_to_sigma,
                          &h.rounds, &cut, &variance, &out) ||
        !sd_fits(rows, half) || !sd_fits(rows, 2 * half + 1))
        return NULL;
    h.rows = (size_t)rows;
    h.half = (size_t)half;
    if ((h.counts = sd_take(&b, counts, "q", rows * (2 * half + 1), 0)) &&
        (h.cut = sd_take(&b, cut, "d", -1, 0)) &&
        (h.variance = sd_take(&b, variance, "d", b.view[1].len / (Py_ssize_t)sizeof(double), 0)) &&
        (sigma = sd_take(&b, out, "d", rows, 1))) {
        void *scratch = NULL;
        h.cuts = (size_t)b.view[1].len / sizeof(double);
        if (h.cuts < 2) {
            PyErr_SetString(PyExc_ValueError, "a table has two entries at least");
        } else if ((scratch = PyMem_Malloc(sd_histograms_scratch(&h))) == NULL) {
            PyErr_NoMemory();
        } else {
            Py_BEGIN_ALLOW_THREADS
            sd_clip_histograms(&h, scratch, sigma);
            Py_END_ALLOW_THREADS
        }
        PyMem_Free(scratch);
    }
    return sd_release(&b);
}

/* Whether no row has more values than it is long. */
static int counts_fit(const int64_t *counts, Py_ssize_t rows, Py_ssize_t length)
{
    for (Py_ssize_t i = 0; i < rows; i++)
        if (counts[i] < 0 || counts[i] > length)
            return 0;
    return 1;
}

static PyObject *clip_sorted(PyObject *self, PyObject *args)
{
    PyObject *ordered, *counts, *centres, *sigmas;
    Py_ssize_t rows, length, piece;
    struct sd_clipping o;
    struct sd_buffers b = {.taken = 0};
    (void)self;
    if (!PyArg_ParseTuple(args, "(nn)OO(niddd)OO", &rows, &length, &ordered, &counts, &piece,
                          &o.rounds, &o.clip, &o.kept_variance, &o.quartiles, &centres, &sigmas) ||
        !sd_fits(rows, length))
        return NULL;
    o.piece = (size_t)piece;
    const float *x = sd_take(&b, ordered, "f", rows * length, 0);
    const int64_t *number = x ? sd_take(&b, counts, "q", rows, 0) : NULL;
    double *centre = number ? sd_take(&b, centres, "d", rows, 1) : NULL;
    double *sigma = centre ? sd_take(&b, sigmas, "d", rows, 1) : NULL;
    if (sigma != NULL) {
        double *scratch = NULL;
        if (piece < 1 || !counts_fit(number, rows, length)) {
            PyErr_SetString(PyExc_ValueError, "more values than a row holds, or empty pieces");
        } else if ((scratch = PyMem_Calloc(sd_clip_scratch((size_t)length, &o),
                                           sizeof *scratch)) == NULL) {
            PyErr_NoMemory();
        } else {
            Py_BEGIN_ALLOW_THREADS
            for (Py_ssize_t i = 0; i < rows; i++)
                sd_clip_sorted(x + i * length, (size_t)number[i], &o, scratch, centre + i,
                               sigma + i);
            Py_END_ALLOW_THREADS
        }
        PyMem_Free(scratch);
    }
    return sd_release(&b);
}

static PyObject *swap(PyObject *self, PyObject *args)
{
    PyObject *pixels;
    struct sd_buffers b = {.taken = 0};
    (void)self;
    if (!PyArg_ParseTuple(args, "O", &pixels))
        return NULL;
    void *memory = sd_take(&b, pixels, "HI", -1, 1);
    if (memory != NULL) {
        size_t bytes = (size_t)b.view[0].itemsize, number = (size_t)b.view[0].len / bytes;
        Py_BEGIN_ALLOW_THREADS
        sd_swap(memory, bytes, number);
        Py_END_ALLOW_THREADS
    }
    return sd_release(&b);
}

static PyObject *sum_words(PyObject *self, PyObject *args)
{
    PyObject *data;
    uint64_t total = 0;
    struct sd_buffers b = {.taken = 0};
    (void)self;
    if (!PyArg_ParseTuple(args, "O", &data))
        return NULL;
    const uint8_t *memory = sd_take(&b, data, "B", -1, 0);
    if (memory != NULL) {
        Py_BEGIN_ALLOW_THREADS
        total = sd_sum_words(memory, (size_t)b.view[0].len / 4);
        Py_END_ALLOW_THREADS
    }
    PyObject *none = sd_release(&b);
    return none == NULL ? NULL : PyLong_FromUnsignedLongLong(total);
}

static PyMethodDef METHODS[] = {
    {"block", block, METH_VARARGS, "Clip, average and judge the pixels of a block."},
    {"electrons", electrons, METH_VARARGS, "Pixels above a level, times the gain."},
    {"limits", limits, METH_VARARGS, "Lowest and highest pixel."},
    {"histogram", histogram, METH_VARARGS, "Count pixels by value."},
    {"count_differences", count_differences, METH_VARARGS,
     "Histograms of the difference of two frames."},
    {"clip_histograms", clip_histograms, METH_VARARGS, "Clipped standard deviations."},
    {"clip_sorted", clip_sorted, METH_VARARGS, "Clipped medians of sorted rows."},
    {"swap", swap, METH_VARARGS, "Turn round the bytes of each item."},
    {"sum_words", sum_words, METH_VARARGS, "Sum of big-endian words of 32 bits."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef MODULE = {
    PyModuleDef_HEAD_INIT, "soxsdark._kernel", NULL, 0, METHODS, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__kernel(void)
{
    return PyModuleDef_Init(&MODULE);
}
