/* SPDX-License-Identifier: MIT
 *
 * The tree of files that the requests work on, and how a file is hashed.
 *
 * tree_walk() is serial, on one thread, with nothing scoped: what it finds is the truth that the
 * audit holds the runs against.
 */
#ifndef COMPARE_TREE_H
#define COMPARE_TREE_H

#include <stddef.h>
#include <stdint.h>

#define TREE_DIGEST 16 /* bytes of an XXH3 128-bit digest */
#define TREE_NAMED  3  /* how many of the unreadable files are named */

struct tree_file {
        const char *path; /* the tree's */
        uint64_t size;    /* bytes read */
        unsigned char digest[TREE_DIGEST];
};

struct tree {
        struct tree_file *files;
        size_t count;
        uint64_t bytes;
        size_t unreadable; /* files and folders that were left out */
        char *unreadable_name[TREE_NAMED];
};

/* Walk and hash every regular file under root, in the order of their names; links are not followed.
 * 0, or -1 and a complaint: root is missing, no folder, not readable, or holds no readable file. */
int tree_walk(struct tree *ret, const char *root);

/* Free what tree_walk() gave. */
void tree_free(struct tree *tree);

/* A tree of at most `count` files of another one, which must outlive it, from all over it. Free its
 * .files alone. 0 or -1 and a complaint. */
int tree_sample(struct tree *ret, const struct tree *of, size_t count);

/* Size and digest of a file's content. 0 or -errno. Any thread. */
int tree_hash(const char *path, uint64_t *ret_size, unsigned char ret_digest[TREE_DIGEST]);

#endif
