#include "buffers.h"

#include <string.h>

/*
 * Type code of a buffer's items; 0 if it is longer than a letter. A C long, which is NumPy's int32
 * on Windows and its int64 elsewhere, counts as the int or the long long of the same length.
 */
static char type_of(const Py_buffer *view)
{
    if (strlen(view->format) != 1)
        return 0;
    if (view->format[0] == 'l')
        return view->itemsize == sizeof(int) ? 'i' : 'q';
    return view->format[0];
}

static int is_one_of(char type, const char *types)
{
    return type != 0 && strchr(types, type) != NULL;
}

void *sd_take(struct sd_buffers *b, PyObject *object, const char *types, Py_ssize_t items,
              int writable)
{
    Py_buffer *view = &b->view[b->taken];
    int flags = PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (writable ? PyBUF_WRITABLE : 0);
    if (PyObject_GetBuffer(object, view, flags) != 0)
        return NULL;
    b->taken++;
    if (!is_one_of(type_of(view), types) || (items >= 0 && view->len != items * view->itemsize)) {
        PyErr_Format(PyExc_ValueError, "a buffer of %zd items of %s is expected, not %zd of %s",
                     items, types, view->len / view->itemsize, view->format);
        return NULL;
    }
    return view->buf;
}

int sd_take_rows(struct sd_buffers *b, PyObject *object, const char *types, struct sd_rows *r)
{
    Py_buffer *view = &b->view[b->taken];
    if (PyObject_GetBuffer(object, view, PyBUF_STRIDES | PyBUF_FORMAT) != 0)
        return 0;
    b->taken++;
    int last = view->ndim - 1;
    char type = type_of(view);
    if (!is_one_of(type, types) || last < 0 || last > 1 || view->strides[last] != view->itemsize) {
        PyErr_Format(PyExc_ValueError, "rows of one of the types %s are expected, not %s", types,
                     view->format);
        return 0;
    }
    struct sd_rows found = {view->buf, last == 0 ? 1 : view->shape[0], view->shape[last],
                         view->strides[0], type};
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
