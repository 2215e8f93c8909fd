/* SPDX-License-Identifier: MIT
 *
 * The serial walk of a tree, and the hash of a file: see tree.h.
 */
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xxhash.h>

#include "terminal.h"

#define BLOCK 32768 /* bytes read at once; small enough for a task's stack */

static int hash_open_file(int fd, XXH3_state_t *state, uint64_t *ret_size)
{
        char block[BLOCK];
        uint64_t size = 0;
        ssize_t got;

        XXH3_128bits_reset(state);
        while ((got = read(fd, block, sizeof(block))) > 0) {
                XXH3_128bits_update(state, block, (size_t)got);
                size += (uint64_t)got;
        }
        if (got < 0)
                return -errno;
        *ret_size = size;
        return 0;
}

int tree_hash(const char *path, uint64_t *ret_size, unsigned char ret_digest[TREE_DIGEST])
{
        XXH128_canonical_t digest;
        int error = -ENOMEM;

        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
                return -errno;
        XXH3_state_t *state = XXH3_createState();
        if (state)
                error = hash_open_file(fd, state, ret_size);
        if (!error) {
                XXH128_canonicalFromHash(&digest, XXH3_128bits_digest(state));
                memcpy(ret_digest, digest.digest, TREE_DIGEST);
        }
        XXH3_freeState(state);
        close(fd);
        return error;
}

static void leave_out(struct tree *tree, const char *path)
{
        if (tree->unreadable < TREE_NAMED)
                tree->unreadable_name[tree->unreadable] = strdup(path);
        tree->unreadable++;
}

/* 0, or -ENOMEM. */
static int add(struct tree *tree, const char *path)
{
        struct tree_file file = {.path = NULL};
        if (tree_hash(path, &file.size, file.digest) < 0) {
                leave_out(tree, path);
                return 0;
        }
        if ((tree->count & (tree->count - 1)) == 0) { /* full at each power of two */
                size_t room = tree->count ? tree->count * 2 : 1;
                struct tree_file *files = reallocarray(tree->files, room, sizeof(*files));
                if (!files)
                        return -ENOMEM;
                tree->files = files;
        }
        file.path = strdup(path);
        if (!file.path)
                return -ENOMEM;
        tree->files[tree->count++] = file;
        tree->bytes += file.size;
        return 0;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
        return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* 0 or -errno. */
static int walk(struct tree *tree, FTS *fts)
{
        FTSENT *entry;
        while (errno = 0, entry = fts_read(fts)) {
                int error = 0;
                switch (entry->fts_info) {
                case FTS_F:
                        error = add(tree, entry->fts_path);
                        progress_show(tree->count);
                        break;
                case FTS_DNR:
                case FTS_NS:
                case FTS_ERR:
                        leave_out(tree, entry->fts_path);
                        break;
                default:
                        break;
                }
                if (error)
                        return error;
                if (interrupted())
                        return -EINTR;
        }
        return -errno;
}

/* 0 or -errno: whether there is a folder that can be listed. */
static int look_at(const char *root)
{
        DIR *folder = opendir(root);
        if (!folder)
                return -errno;
        closedir(folder);
        return 0;
}

int tree_walk(struct tree *ret, const char *root)
{
        struct tree tree = {0};
        char *roots[] = {(char *)root, NULL};

        int error = look_at(root);
        if (error)
                return complain("cannot read the folder %s: %s", root, strerror(-error));
        progress_stage("serial run: walking and hashing", 0);
        FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, by_name);
        if (!fts)
                return complain("cannot walk %s: %s", root, strerror(errno));
        error = walk(&tree, fts);
        fts_close(fts);
        progress_clear();
        if (error) {
                tree_free(&tree);
                return complain("cannot walk %s: %s", root, strerror(-error));
        }
        if (!tree.count) {
                size_t unreadable = tree.unreadable;
                tree_free(&tree);
                return complain("there is no readable file in %s (%zu cannot be read)", root,
                                unreadable);
        }
        *ret = tree;
        return 0;
}

void tree_free(struct tree *tree)
{
        for (size_t i = 0; i < tree->count; i++)
                free((void *)tree->files[i].path);
        free(tree->files);
        for (size_t i = 0; i < TREE_NAMED; i++)
                free(tree->unreadable_name[i]);
}

int tree_sample(struct tree *ret, const struct tree *of, size_t count)
{
        struct tree tree = {.count = count < of->count ? count : of->count};
        tree.files = calloc(tree.count, sizeof(*tree.files));
        if (!tree.files)
                return complain("out of memory");
        for (size_t i = 0; i < tree.count; i++) {
                tree.files[i] = of->files[i * of->count / tree.count];
                tree.bytes += tree.files[i].size;
        }
        *ret = tree;
        return 0;
}
