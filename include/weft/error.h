/* SPDX-License-Identifier: MIT
 *
 * Errors: how weft's functions fail, and the names and messages of what they return.
 *
 * A function that can fail returns 0 or more for success and a negative errno for failure; it never
 * sets errno. An argument whose name begins with ret_ is written only on success. The table below
 * is complete: weft itself returns no other code, but for weft_close(), which hands through what
 * close(2) says. What a task's own function returns (0 or more for a result, a negative errno for
 * failure) is handed through untouched.
 */
#ifndef WEFT_ERROR_H
#define WEFT_ERROR_H

#include <errno.h>

#if defined(__cplusplus)
#define WEFT_BEGIN_DECLS extern "C" {
#define WEFT_END_DECLS   }
#else
#define WEFT_BEGIN_DECLS
#define WEFT_END_DECLS
#endif

#define WEFT_API __attribute__((visibility("default")))

/* One line an error: X(code, message). */
#define WEFT_ERRORS(X)                                                                             \
        X(EPERM, "it belongs to another frame, task or holder: use it where it was made")          \
        X(ENOENT, "the variable is not set in this context, or the group had no task")             \
        X(E2BIG, "the options are of a newer weft, and use a field that this one does not know")   \
        X(EBADF, "the file descriptor is not open, or was closed while it was waited for")         \
        X(EIO, "the stream cannot be written to")                                                  \
        X(EFAULT, "the process changed too much while it was looked at")                           \
        X(EMFILE, "the process has no file descriptor left")                                       \
        X(ENFILE, "the system has no file descriptor left")                                        \
        X(EAGAIN, "not now: it is held or full, or a limit on tasks or threads is reached")        \
        X(ENOMEM, "out of memory: nothing was changed")                                            \
        X(EEXIST,                                                                                  \
          "another copy of weft is loaded in this process: link it once, as shared library")       \
        X(EINVAL, "an argument is not valid")                                                      \
        X(EPIPE, "the channel has been closed")                                                    \
        X(EDEADLK, "this would wait for itself")                                                   \
        X(EALREADY, "this has been done already, or has ended by itself")                          \
        X(EINPROGRESS, "the task has not ended yet")                                               \
        X(ECANCELED, "cancelled")                                                                  \
        X(ETIMEDOUT, "the deadline passed")                                                        \
        X(ESHUTDOWN, "the pool is shutting down, or the thread is exiting")                        \
        X(EBADMSG, "what came in does not follow its format, or what is to be sent must not be")   \
        X(EOPNOTSUPP, "this library was built without it")                                         \
        X(EMSGSIZE, "longer than the format allows, or the room for it")                           \
        X(EACCES, "the server refuses the connection, or this client's call")                      \
        X(ENOTCONN, "the connection has been given up: open another")                              \
        X(ENOTRECOVERABLE, "given up: delivered too often, and nobody has finished it")            \
        X(EOWNERDEAD, "it belongs to a process that this one was forked from: make a new one "     \
                      "here")

WEFT_BEGIN_DECLS

/* weft_strerror - what an error means, in a sentence.
 *
 * Takes the code with either sign; 0 is "success". A code that is not in the table gives the C
 * library's own message, or "unknown error". The string is static; any thread; never blocks;
 * async-signal-safe for the codes of the table. Since 0.1. */
WEFT_API const char *weft_strerror(int error);

/* weft_err_name - the name of an error: "ECANCELED" for -ECANCELED. NULL for a code that is not in
 * the table. Takes the code with either sign. Static; any thread; never blocks; async-signal-safe.
 * Since 0.1. */
WEFT_API const char *weft_err_name(int error);

WEFT_END_DECLS

#endif
