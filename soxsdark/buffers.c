#include "buffers.h"

#include <string.h>

void *sd_take(struct sd_buffers *b, PyObject *object, const char *formats, Py_ssize_t items,
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

int sd_take_rows(struct sd_buffers *b, PyObject *object, const char *formats, struct sd_rows *r)
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
    struct sd_rows found = {view->buf, last == 0 ? 1 : view->shape[0], view->shape[last],
                         view->strides[0], view->format[0]};
    *r = found;
    return 1;
}

PyObject *sd_release(struct sd_buffers *b)
{
    while (b->taken > 0)
        PyBuffer_Release(&b->view[--b->taken]);
    if (PyErr_Occurred())
        return NULL;
    Py_RETURN_NONE;
}

int sd_fits(Py_ssize_t first, Py_ssize_t second)
{
    const Py_ssize_t most = PY_SSIZE_T_MAX / 16;
    if (first >= 0 && second >= 0 && first <= most && second <= most &&
        (second == 0 || first <= most / second))
        return 1;
    PyErr_SetString(PyExc_ValueError, "sizes are negative or too large");
    return 0;
}
