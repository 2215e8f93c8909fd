/* SPDX-License-Identifier: MIT
 *
 * What the fork/join programs of all systems have in common: see forkjoin.h.
 */
#include "forkjoin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct forkjoin *forkjoin;
static enum kernel_id played; /* of the one case that a process does */

static void *data_of_size(size_t size)
{
        static void *data; /* the size is the same in each round */
        if (!data)
                data = kernels[played].make(size);
        if (!data) {
                fprintf(stderr, "%s is not done for a size of %zu\n", kernels[played].name, size);
                exit(2);
        }
        return data;
}

static void round_kernel(struct rival_round *r)
{
        void *data = data_of_size(r->size);
        kernels[played].ready(data);
        r->begin = rival_now();
        forkjoin->run(played, data);
        r->end = rival_now();
        r->check = kernels[played].check(data);
}

int forkjoin_main(int argc, char **argv, const struct forkjoin *system)
{
        struct rival_case cases[KERNELS + 1] = {0};
        forkjoin = system;
        for (int i = 0; i < KERNELS; i++) {
                cases[i] = (struct rival_case){kernels[i].name, round_kernel};
                if (argc > 1 && !strcmp(argv[1], kernels[i].name))
                        played = (enum kernel_id)i;
        }
        return rival_main(argc, argv, &system->rival, cases);
}
