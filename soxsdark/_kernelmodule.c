/* The thin binding of kernel.c and frames.c: checked buffers in and out, no GIL in between. */
#define Py_LIMITED_API 0x030B0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <string.h>

#include "kernel.h"

#define MOST 24

/* The buffers of one call, released together. */
struct buffers {
    Py_buffer view[MOST];
    int taken;
};

/*
 * Take a C-contiguous buffer of one of the type codes `formats`. `items` is the number it must
 * hold, -1 for any. Returns its memory, or NULL with an exception.
 */
static void *take(struct buffers *b, PyObject *object, const char *formats, Py_ssize_t items,
                  int writable)
{
    Py_buffer *view = &b->view[b->taken];
    int flags = PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (writable ? PyBUF_WRITABLE : 0);
    if (PyObject_GetBuffer(object, view, flags) != 0)
        return NULL;
    b->taken++;
    if (strlen(view->format) != 1 || strchr(formats, view->format[0]) == NULL ||
        (items >= 0 && view->len != items * view->itemsize)) {
        PyErr_Format(PyExc_ValueError, "a buffer of %zd items of %s is expected, not %zd of %s",
                     items, formats, view->len / view->itemsize, view->format);
        return NULL;
    }
    return view->buf;
}

/* Rows of equal length, each contiguous. */
struct rows {
    const char *first;
    Py_ssize_t number, length, stride; /* stride in bytes */
    char type;
};

/* Take a buffer of one or two dimensions whose last one is contiguous; 0 with an exception. */
static int take_rows(struct buffers *b, PyObject *object, const char *formats, struct rows *r)
{
    Py_buffer *view = &b->view[b->taken];
    if (PyObject_GetBuffer(object, view, PyBUF_STRIDES | PyBUF_FORMAT) != 0)
        return 0;
    b->taken++;
    int last = view->ndim - 1;
    if (strlen(view->format) != 1 || strchr(formats, view->format[0]) == NULL || last < 0 ||
        last > 1 || view->strides[last] != view->itemsize) {
        PyErr_Format(PyExc_ValueError, "rows of one of the types %s are expected, not %s", formats,
                     view->format);
        return 0;
    }
    struct rows found = {view->buf, last == 0 ? 1 : view->shape[0], view->shape[last],
                         view->strides[0], view->format[0]};
    *r = found;
    return 1;
}

static PyObject *release(struct buffers *b)
{
    while (b->taken > 0)
        PyBuffer_Release(&b->view[--b->taken]);
    if (PyErr_Occurred())
        return NULL;
    Py_RETURN_NONE;
}

/* Whether frames * pixels and the like can be computed. */
static int fits(Py_ssize_t first, Py_ssize_t second)
{
    const Py_ssize_t most = PY_SSIZE_T_MAX / 16;
    if (first >= 0 && second >= 0 && first <= most && second <= most &&
        (second == 0 || first <= most / second))
        return 1;
    PyErr_SetString(PyExc_ValueError, "sizes are negative or too large");
    return 0;
}

static int take_average(struct buffers *b, PyObject **o, const char *type, Py_ssize_t pixels,
                        struct sd_average *r)
{
    return (r->mean = take(b, o[0], type, pixels, 1)) &&
           (r->error = take(b, o[1], type, pixels, 1)) &&
           (r->lowest = take(b, o[2], type, pixels, 1)) &&
           (r->highest = take(b, o[3], type, pixels, 1)) &&
           (r->used = take(b, o[4], "i", pixels, 1));
}

static int take_results(struct buffers *b, PyObject **o, const char *type, Py_ssize_t pixels,
                        struct sd_results *r)
{
    return take_average(b, o, type, pixels, &r->main) &&
           take_average(b, o + 5, type, pixels, &r->wide) &&
           (r->scatter = take(b, o[10], type, pixels, 1)) &&
           (r->relative = take(b, o[11], type, pixels, 1)) &&
           (r->exceedance = take(b, o[12], type, pixels, 1)) &&
           (r->quiet = take(b, o[13], type, pixels, 1)) &&
           (r->count = take(b, o[14], "i", pixels, 1)) &&
           (r->unclipped = take(b, o[15], "B?", pixels, 1)) &&
           (r->candidate = take(b, o[16], "B?", pixels, 1));
}

static PyObject *block(PyObject *self, PyObject *args)
{
    PyObject *samples, *sigma, *background, *limits, *lower, *o[17];
    Py_ssize_t frames, pixels, most;
    struct sd_options options;
    struct buffers b = {.taken = 0};
    struct sd_results r;
    (void)self;
    if (!PyArg_ParseTuple(args, "nnn(ididddd)(OOOOO)(OOOOO)(OOOOO)(OOOOOOO)", &frames, &pixels,
                          &most, &options.deviation, &options.k, &options.iterations,
                          &options.slope, &options.significant, &options.event,
                          &options.candidate, &samples, &sigma, &background, &limits, &lower,
                          &o[0], &o[1], &o[2], &o[3], &o[4], &o[5], &o[6], &o[7], &o[8], &o[9],
                          &o[10], &o[11], &o[12], &o[13], &o[14], &o[15], &o[16]) ||
        !fits(frames, pixels) || !fits(frames, most) || !fits(frames + 1, most + 1))
        return NULL;
    options.most_events = (size_t)most;
    const void *x = take(&b, samples, "fd", frames * pixels, 0);
    char type[2] = {x ? b.view[0].format[0] : 'f', 0};
    const void *s = x ? take(&b, sigma, type, pixels, 0) : NULL;
    const void *g = s ? take(&b, background, type, pixels, 0) : NULL;
    options.limits = g ? take(&b, limits, "d", (frames + 1) * (most + 1), 0) : NULL;
    options.lower = options.limits ? take(&b, lower, "d", frames + 1, 0) : NULL;
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
    return release(&b);
}

static PyObject *electrons(PyObject *self, PyObject *args)
{
    PyObject *pixels, *out;
    double level, gain;
    struct buffers b = {.taken = 0};
    struct rows in;
    (void)self;
    if (!PyArg_ParseTuple(args, "OddO", &pixels, &level, &gain, &out))
        return NULL;
    if (take_rows(&b, pixels, "hHifd", &in)) {
        float *result = take(&b, out, "f", in.number * in.length, 1);
        if (result != NULL) {
            Py_BEGIN_ALLOW_THREADS
            for (Py_ssize_t i = 0; i < in.number; i++)
                sd_electrons(in.first + i * in.stride, in.type, (size_t)in.length, level, gain,
                             result + i * in.length);
            Py_END_ALLOW_THREADS
        }
    }
    return release(&b);
}

static PyObject *limits(PyObject *self, PyObject *args)
{
    PyObject *pixels;
    int64_t low = INT64_MAX, high = INT64_MIN;
    struct buffers b = {.taken = 0};
    struct rows in;
    (void)self;
    if (!PyArg_ParseTuple(args, "O", &pixels))
        return NULL;
    if (take_rows(&b, pixels, "hHi", &in)) {
        Py_BEGIN_ALLOW_THREADS
        for (Py_ssize_t i = 0; i < in.number; i++)
            sd_limits(in.first + i * in.stride, in.type, (size_t)in.length, &low, &high);
        Py_END_ALLOW_THREADS
    }
    PyObject *none = release(&b);
    return none == NULL ? NULL : Py_BuildValue("LL", (long long)low, (long long)high);
}

static PyObject *histogram(PyObject *self, PyObject *args)
{
    PyObject *pixels, *out;
    long long low;
    struct buffers b = {.taken = 0};
    struct rows in;
    (void)self;
    if (!PyArg_ParseTuple(args, "OLO", &pixels, &low, &out))
        return NULL;
    int64_t *counts = take_rows(&b, pixels, "hHi", &in) ? take(&b, out, "lq", -1, 1) : NULL;
    if (counts != NULL) {
        size_t width = (size_t)b.view[1].len / sizeof(int64_t);
        Py_BEGIN_ALLOW_THREADS
        for (Py_ssize_t i = 0; i < in.number; i++)
            sd_histogram(in.first + i * in.stride, in.type, (size_t)in.length, low, width, counts);
        Py_END_ALLOW_THREADS
    }
    return release(&b);
}

/* The buffer of a mask, or NULL for None; 0 on failure. */
static int take_mask(struct buffers *b, PyObject *object, Py_ssize_t items, const uint8_t **mask)
{
    *mask = object == Py_None ? NULL : take(b, object, "B?", items, 0);
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
static int take_frame(struct buffers *b, PyObject *object, Py_ssize_t rows, Py_ssize_t columns,
                      struct sd_frame *frame)
{
    struct rows in;
    if (!take_rows(b, object, "hHifd", &in))
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
    struct buffers b = {.taken = 0};
    (void)self;
    if (!PyArg_ParseTuple(args, "(nnnn)(Odd)(Odd)O(OOO)(fffi)O", &rows, &columns, &down, &across,
                          &first, &x.level, &x.gain, &second, &y.level, &y.gain, &bad, &row_edges,
                          &column_edges, &background, &d.warm, &d.centre, &d.a_unit, &d.half,
                          &counts) ||
        !fits(rows, columns) || !fits(down, across) ||
        !fits(down * across, 2 * (Py_ssize_t)d.half + 1))
        return NULL;
    d.columns = (size_t)columns;
    d.down = (size_t)down;
    d.across = (size_t)across;
    const uint8_t *mask;
    int64_t *out;
    if (take_frame(&b, first, rows, columns, &x) && take_frame(&b, second, rows, columns, &y) &&
        take_mask(&b, bad, rows * columns, &mask) &&
        (d.row_edges = take(&b, row_edges, "lq", down + 1, 0)) &&
        (d.column_edges = take(&b, column_edges, "lq", across + 1, 0)) &&
        (d.background = take(&b, background, "f", down * across, 0)) &&
        (out = take(&b, counts, "lq", down * across * (2 * (Py_ssize_t)d.half + 1), 1))) {
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
    return release(&b);
}

static PyObject *clip_histograms(PyObject *self, PyObject *args)
{
    PyObject *counts, *cut, *variance, *out;
    Py_ssize_t rows, half;
    struct sd_histograms h;
    double *sigma;
    struct buffers b = {.taken = 0};
    (void)self;
    if (!PyArg_ParseTuple(args, "(nn)O(ddi)(OO)O", &rows, &half, &counts, &h.clip, &h.mad_to_sigma,
                          &h.rounds, &cut, &variance, &out) ||
        !fits(rows, half) || !fits(rows, 2 * half + 1))
        return NULL;
    h.rows = (size_t)rows;
    h.half = (size_t)half;
    if ((h.counts = take(&b, counts, "lq", rows * (2 * half + 1), 0)) &&
        (h.cut = take(&b, cut, "d", -1, 0)) &&
        (h.variance = take(&b, variance, "d", b.view[1].len / (Py_ssize_t)sizeof(double), 0)) &&
        (sigma = take(&b, out, "d", rows, 1))) {
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
    return release(&b);
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
    struct buffers b = {.taken = 0};
    (void)self;
    if (!PyArg_ParseTuple(args, "(nn)OO(niddd)OO", &rows, &length, &ordered, &counts, &piece,
                          &o.rounds, &o.clip, &o.kept_variance, &o.quartiles, &centres, &sigmas) ||
        !fits(rows, length))
        return NULL;
    o.piece = (size_t)piece;
    const float *x = take(&b, ordered, "f", rows * length, 0);
    const int64_t *number = x ? take(&b, counts, "lq", rows, 0) : NULL;
    double *centre = number ? take(&b, centres, "d", rows, 1) : NULL;
    double *sigma = centre ? take(&b, sigmas, "d", rows, 1) : NULL;
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
    return release(&b);
}

static PyObject *swap(PyObject *self, PyObject *args)
{
    PyObject *pixels;
    struct buffers b = {.taken = 0};
    (void)self;
    if (!PyArg_ParseTuple(args, "O", &pixels))
        return NULL;
    void *memory = take(&b, pixels, "HI", -1, 1);
    if (memory != NULL) {
        size_t bytes = (size_t)b.view[0].itemsize, number = (size_t)b.view[0].len / bytes;
        Py_BEGIN_ALLOW_THREADS
        sd_swap(memory, bytes, number);
        Py_END_ALLOW_THREADS
    }
    return release(&b);
}

static PyObject *sum_words(PyObject *self, PyObject *args)
{
    PyObject *data;
    uint64_t total = 0;
    struct buffers b = {.taken = 0};
    (void)self;
    if (!PyArg_ParseTuple(args, "O", &data))
        return NULL;
    const uint8_t *memory = take(&b, data, "B", -1, 0);
    if (memory != NULL) {
        Py_BEGIN_ALLOW_THREADS
        total = sd_sum_words(memory, (size_t)b.view[0].len / 4);
        Py_END_ALLOW_THREADS
    }
    PyObject *none = release(&b);
    return none == NULL ? NULL : PyLong_FromUnsignedLongLong(total);
}

static PyMethodDef METHODS[] = {
    {"block", block, METH_VARARGS, "Clip, average and judge the pixels of a block."},
    {"electrons", electrons, METH_VARARGS, "Pixels above a level, times the gain."},
    {"limits", limits, METH_VARARGS, "Lowest and highest pixel."},
    {"histogram", histogram, METH_VARARGS, "Count pixels by value."},
    {"count_differences", count_differences, METH_VARARGS, "Histograms of the difference of two frames."},
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
