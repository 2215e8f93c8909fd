/* SPDX-License-Identifier: MIT
 *
 * What runs a target without a fuzzer: gives it each file of tests/fuzz/corpus/TARGET, or of the
 * folders and files that are named. Exit 0 if there were some; a target that finds fault aborts.
 */
#include <dirent.h>
#include <sys/stat.h>

#include "fuzz.h"

static int replayed;

static void replay(const char *path)
{
        static uint8_t data[1 << 20];
        FILE *f = fopen(path, "rb");
        if (!f) {
                perror(path);
                exit(1);
        }
        size_t size = fread(data, 1, sizeof(data), f);
        fclose(f);
        LLVMFuzzerTestOneInput(data, size);
        replayed++;
}

static void replay_all(const char *path)
{
        struct stat s;
        const struct dirent *entry;
        DIR *folder = stat(path, &s) == 0 && S_ISDIR(s.st_mode) ? opendir(path) : NULL;
        if (!folder) {
                replay(path);
                return;
        }
        while ((entry = readdir(folder))) {
                char inner[4096];
                snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
                if (entry->d_name[0] != '.')
                        replay(inner);
        }
        closedir(folder);
}

int main(int argc, char **argv)
{
        char corpus[4096];
        const char *name = strrchr(argv[0], '/');
        snprintf(corpus, sizeof(corpus), "tests/fuzz/corpus/%s", name ? name + 1 : argv[0]);
        if (argc < 2)
                replay_all(corpus);
        for (int i = 1; i < argc; i++)
                replay_all(argv[i]);
        printf("%d inputs\n", replayed);
        return replayed == 0;
}
