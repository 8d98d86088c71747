/* The thin binding of kernel.c: checked buffers in and out, without the GIL in between. */
#define Py_LIMITED_API 0x030B0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <string.h>

#include "kernel.h"

#define BUFFERS 17

static const char FORMATS[BUFFERS + 1] = "fdddddddddddddiiB";

/* Take one C-contiguous buffer of the right type and size; 0 on failure. */
static int take(PyObject *object, Py_buffer *view, char format, Py_ssize_t items, int writable)
{
    int flags = PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (writable ? PyBUF_WRITABLE : 0);
    if (PyObject_GetBuffer(object, view, flags) != 0)
        return 0;
    if (view->format[0] != format || view->format[1] != '\0' ||
        view->len != items * view->itemsize) {
        PyErr_Format(PyExc_ValueError, "buffer of format %s and %zd bytes: %c of %zd is expected",
                     view->format, view->len, format, items);
        PyBuffer_Release(view);
        return 0;
    }
    return 1;
}

static PyObject *block(PyObject *self, PyObject *args)
{
    PyObject *o[BUFFERS];
    Py_buffer v[BUFFERS];
    Py_ssize_t frames, pixels, first, last, most;
    struct sd_options options;
    (void)self;
    if (!PyArg_ParseTuple(args, "nnnnnididdd(OOOOO)(OOOOOOOOOOOO)", &frames, &pixels, &first, &last,
                          &most, &options.deviation, &options.k, &options.iterations,
                          &options.slope, &options.significant, &options.event, &o[0], &o[1],
                          &o[2], &o[3], &o[4], &o[5], &o[6], &o[7], &o[8], &o[9], &o[10], &o[11],
                          &o[12], &o[13], &o[14], &o[15], &o[16]))
        return NULL;
    if (frames < 1 || first < 0 || last < first || last > pixels || most < 0) {
        PyErr_SetString(PyExc_ValueError, "frames, pixels, first, last or events out of range");
        return NULL;
    }
    Py_ssize_t sizes[BUFFERS] = {frames * pixels, pixels, pixels, (frames + 1) * (most + 1),
                                 frames + 1};
    int taken = 0;
    for (; taken < BUFFERS; taken++) {
        Py_ssize_t items = taken < 5 ? sizes[taken] : pixels;
        if (!take(o[taken], &v[taken], FORMATS[taken], items, taken >= 5))
            break;
    }
    void *scratch = taken == BUFFERS ? PyMem_Malloc(sd_scratch((size_t)frames)) : NULL;
    if (taken == BUFFERS && scratch == NULL)
        PyErr_NoMemory();
    if (scratch != NULL) {
        struct sd_results r = {v[5].buf,  v[6].buf,  v[7].buf,  v[8].buf,  v[9].buf, v[10].buf,
                               v[11].buf, v[12].buf, v[13].buf, v[14].buf, v[15].buf, v[16].buf};
        options.most_events = (size_t)most;
        options.limits = v[3].buf;
        options.lower = v[4].buf;
        Py_BEGIN_ALLOW_THREADS
        sd_block(v[0].buf, (size_t)frames, (size_t)pixels, (size_t)first, (size_t)last, v[1].buf,
                 v[2].buf, &options, &r, scratch);
        Py_END_ALLOW_THREADS
    }
    PyMem_Free(scratch);
    while (taken > 0)
        PyBuffer_Release(&v[--taken]);
    if (PyErr_Occurred())
        return NULL;
    Py_RETURN_NONE;
}

static PyMethodDef METHODS[] = {
    {"block", block, METH_VARARGS, "Clip and judge the pixels of a block; see kernel.h."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef MODULE = {
    PyModuleDef_HEAD_INIT, "soxsdark._kernel", NULL, 0, METHODS, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__kernel(void)
{
    return PyModuleDef_Init(&MODULE);
}
