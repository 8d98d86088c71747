/* Checked buffers of Python objects, released together. */
#ifndef SD_BUFFERS_H
#define SD_BUFFERS_H

#define Py_LIMITED_API 0x030B0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#define SD_MOST_BUFFERS 24

/* The buffers of one call. */
struct sd_buffers {
    Py_buffer view[SD_MOST_BUFFERS];
    int taken;
};

/* Rows of equal length, each contiguous. */
struct sd_rows {
    const char *first;
    Py_ssize_t number, length, stride; /* stride in bytes */
    char type;
};

/*
 * Take a C-contiguous buffer of one of the type codes `types`, which are those of Python's struct
 * module; an integer of 32 bits is i, one of 64 bits q. `items` is the number it must hold, -1 for
 * any. Returns its memory, or NULL with an exception.
 */
void *sd_take(struct sd_buffers *b, PyObject *object, const char *types, Py_ssize_t items,
              int writable);

/* Take a buffer of one or two dimensions whose last one is contiguous; 0 with an exception. */
int sd_take_rows(struct sd_buffers *b, PyObject *object, const char *types, struct sd_rows *r);

/* Let go of all; None, or NULL if there is an exception. */
PyObject *sd_release(struct sd_buffers *b);

/* Whether frames * pixels and the like can be computed; 0 with an exception. */
int sd_fits(Py_ssize_t first, Py_ssize_t second);

#endif
