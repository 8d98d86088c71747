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
    if (first >= 0 && second >= 0 && (second == 0 || first <= PY_SSIZE_T_MAX / 16 / second))
        return 1;
    PyErr_SetString(PyExc_ValueError, "sizes are negative or too large");
    return 0;
}

static int take_average(struct buffers *b, PyObject **o, Py_ssize_t pixels, struct sd_average *r)
{
    return (r->mean = take(b, o[0], "f", pixels, 1)) && (r->error = take(b, o[1], "f", pixels, 1)) &&
           (r->lowest = take(b, o[2], "f", pixels, 1)) &&
           (r->highest = take(b, o[3], "f", pixels, 1)) &&
           (r->used = take(b, o[4], "i", pixels, 1));
}

static int take_results(struct buffers *b, PyObject **o, Py_ssize_t pixels, struct sd_results *r)
{
    return take_average(b, o, pixels, &r->main) && take_average(b, o + 5, pixels, &r->wide) &&
           (r->scatter = take(b, o[10], "f", pixels, 1)) &&
           (r->relative = take(b, o[11], "f", pixels, 1)) &&
           (r->exceedance = take(b, o[12], "f", pixels, 1)) &&
           (r->quiet = take(b, o[13], "f", pixels, 1)) &&
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
                          &most, &options.deviation, &options.k, &options.iterations, &options.slope,
                          &options.significant, &options.event, &options.candidate, &samples,
                          &sigma, &background, &limits, &lower, &o[0], &o[1], &o[2], &o[3],
                          &o[4], &o[5], &o[6], &o[7], &o[8], &o[9], &o[10], &o[11], &o[12], &o[13],
                          &o[14], &o[15], &o[16]) ||
        !fits(frames, pixels) || !fits(frames + 1, most + 1))
        return NULL;
    options.most_events = (size_t)most;
    const float *x = take(&b, samples, "f", frames * pixels, 0);
    const double *s = x ? take(&b, sigma, "d", pixels, 0) : NULL;
    const double *g = s ? take(&b, background, "d", pixels, 0) : NULL;
    options.limits = g ? take(&b, limits, "d", (frames + 1) * (most + 1), 0) : NULL;
    options.lower = options.limits ? take(&b, lower, "d", frames + 1, 0) : NULL;
    if (options.lower && take_results(&b, o, pixels, &r)) {
        void *scratch = PyMem_Malloc(sd_scratch((size_t)frames));
        if (scratch == NULL) {
            PyErr_NoMemory();
        } else {
            Py_BEGIN_ALLOW_THREADS
            sd_block(x, (size_t)frames, (size_t)pixels, s, g, &options, &r, scratch);
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
    (void)self;
    if (!PyArg_ParseTuple(args, "OddO", &pixels, &level, &gain, &out))
        return NULL;
    const void *in = take(&b, pixels, "hHifd", -1, 0);
    if (in != NULL) {
        char type = b.view[0].format[0];
        Py_ssize_t number = b.view[0].len / b.view[0].itemsize;
        float *result = take(&b, out, "f", number, 1);
        if (result != NULL) {
            Py_BEGIN_ALLOW_THREADS
            sd_electrons(in, type, (size_t)number, level, gain, result);
            Py_END_ALLOW_THREADS
        }
    }
    return release(&b);
}

static PyObject *histogram(PyObject *self, PyObject *args)
{
    PyObject *pixels, *out;
    long long low;
    struct buffers b = {.taken = 0};
    (void)self;
    if (!PyArg_ParseTuple(args, "OLO", &pixels, &low, &out))
        return NULL;
    const void *in = take(&b, pixels, "hHi", -1, 0);
    int64_t *counts = in ? take(&b, out, "lq", -1, 1) : NULL;
    if (counts != NULL) {
        char type = b.view[0].format[0];
        size_t number = (size_t)(b.view[0].len / b.view[0].itemsize);
        size_t width = (size_t)b.view[1].len / sizeof(int64_t);
        Py_BEGIN_ALLOW_THREADS
        sd_histogram(in, type, number, low, width, counts);
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

/* Whether the edges of blocks lie in order within the columns. */
static int in_order(const struct sd_differences *d)
{
    for (size_t j = 0; j < d->blocks; j++)
        if (d->edges[j] < 0 || d->edges[j] > d->edges[j + 1])
            return 0;
    return d->edges[0] >= 0 && (size_t)d->edges[d->blocks] <= d->columns;
}

static PyObject *count_differences(PyObject *self, PyObject *args)
{
    PyObject *first, *second, *bad, *edges, *background, *counts, *warm;
    Py_ssize_t rows, columns, blocks;
    struct sd_differences d;
    struct buffers b = {.taken = 0};
    (void)self;
    if (!PyArg_ParseTuple(args, "(nnn)OOO(OO)(fffi)OO", &rows, &columns, &blocks, &first, &second,
                          &bad, &edges, &background, &d.warm, &d.centre, &d.step, &d.half, &counts,
                          &warm) ||
        !fits(rows, columns) || !fits(blocks, 2 * (Py_ssize_t)d.half + 1))
        return NULL;
    d.rows = (size_t)rows;
    d.columns = (size_t)columns;
    d.blocks = (size_t)blocks;
    const uint8_t *mask;
    int64_t *out;
    uint8_t *marks;
    const float *x = take(&b, first, "f", rows * columns, 0);
    const float *y = x ? take(&b, second, "f", rows * columns, 0) : NULL;
    if (y && take_mask(&b, bad, rows * columns, &mask) &&
        (d.edges = take(&b, edges, "lq", blocks + 1, 0)) &&
        (d.background = take(&b, background, "f", blocks, 0)) &&
        (out = take(&b, counts, "lq", blocks * (2 * (Py_ssize_t)d.half + 1), 1)) &&
        (marks = take(&b, warm, "B?", rows * columns, 1))) {
        int32_t *scratch = PyMem_Malloc((size_t)columns * sizeof(int32_t) + 1);
        if (scratch == NULL) {
            PyErr_NoMemory();
        } else if (!in_order(&d)) {
            PyErr_SetString(PyExc_ValueError, "edges of blocks out of order");
        } else {
            Py_BEGIN_ALLOW_THREADS
            sd_count_differences(x, y, mask, &d, scratch, out, marks);
            Py_END_ALLOW_THREADS
        }
        PyMem_Free(scratch);
    }
    return release(&b);
}

static PyMethodDef METHODS[] = {
    {"block", block, METH_VARARGS, "Clip, average and judge the pixels of a block."},
    {"electrons", electrons, METH_VARARGS, "Pixels above a level, times the gain."},
    {"histogram", histogram, METH_VARARGS, "Count pixels by value."},
    {"count_differences", count_differences, METH_VARARGS, "Histograms of a row of blocks."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef MODULE = {
    PyModuleDef_HEAD_INIT, "soxsdark._kernel", NULL, 0, METHODS, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__kernel(void)
{
    return PyModuleDef_Init(&MODULE);
}
