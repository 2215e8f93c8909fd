/* SPDX-License-Identifier: MIT
 *
 * The log: see log.h. A line is one write(2) to a file that is open for appending, so that lines of
 * several threads do not mix and nobody needs a lock. It does not wait for the disk: a task may
 * call it.
 */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include <weft/weft.h>

#include "request.h"

static int file = STDERR_FILENO;

int log_open(const char *path)
{
        int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : STDERR_FILENO;
        if (fd < 0)
                return -errno;
        file = fd;
        return 0;
}

void log_line(const char *format, ...)
{
        char line[1024], when[32];
        struct timespec now;
        struct tm tm;
        va_list args;

        clock_gettime(CLOCK_REALTIME, &now);
        strftime(when, sizeof(when), "%FT%T", gmtime_r(&now.tv_sec, &tm));
        int used =
            snprintf(line, sizeof(line), "%s.%06ldZ %s %s ", when, now.tv_nsec / 1000,
                     (const char *)weft_get(&request_id), (const char *)weft_get(&request_user));
        va_start(args, format);
        used += vsnprintf(line + used, sizeof(line) - (size_t)used, format, args);
        va_end(args);
        if (used > (int)sizeof(line) - 1)
                used = (int)sizeof(line) - 1; /* it was cut */
        for (int i = 0; i < used; i++) {
                if ((unsigned char)line[i] < ' ')
                        line[i] = '?'; /* a client's new line must not begin one here */
        }
        line[used++] = '\n';
        if (write(file, line, (size_t)used) < 0) {
                /* There is nowhere to say so. */
        }
}
