/* SPDX-License-Identifier: MIT
 *
 * The databases' folder: see scratch.h.
 */
#include "scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "terminal.h"

int scratch_create(struct scratch *scratch)
{
        const char *parent = getenv("TMPDIR");
        if (!parent || !*parent)
                parent = "/tmp";
        int length =
            snprintf(scratch->path, sizeof(scratch->path), "%s/weft-compare-XXXXXX", parent);
        if (length >= PATH_MAX - 32) /* a database's name must fit behind it */
                return complain("TMPDIR is too long");
        if (!mkdtemp(scratch->path))
                return complain("cannot make a folder for the databases in %s: %s", parent,
                                strerror(errno));
        return 0;
}

void scratch_clear(const struct scratch *scratch)
{
        DIR *folder = opendir(scratch->path);
        if (!folder)
                return;
        struct dirent *entry;
        while ((entry = readdir(folder)))
                if (entry->d_name[0] != '.')
                        unlinkat(dirfd(folder), entry->d_name, 0);
        closedir(folder);
}

void scratch_remove(const struct scratch *scratch)
{
        scratch_clear(scratch);
        rmdir(scratch->path);
}
