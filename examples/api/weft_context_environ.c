/* SPDX-License-Identifier: MIT
 *
 * The example of weft_context_environ(3).
 */
#include <assert.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <weft/weft.h>

static int is_tenant(void *name)
{
        const char *tenant = weft_baggage_get("tenant");
        return tenant && strcmp(tenant, name) == 0;
}

int main(int argc, char **argv)
{
        if (argc > 1) { /* the program that was started */
                weft_context *came = NULL;
                int r = weft_context_from_environ(NULL, NULL, &came);
                assert(r >= 1);
                r = weft_context_run(came, is_tenant, "42", NULL);
                weft_context_unref(came);
                return r == 1 ? 7 : 1;
        }

        int r = weft_baggage_set("tenant", "42", NULL, NULL);
        assert(r == 0);
        char **environment = NULL;
        weft_context *here = weft_context_capture();
        r = weft_context_environ(here, NULL, &environment);
        assert(r == 1);
        weft_context_unref(here);

        pid_t pid;
        int status = 0;
        char *arguments[] = {argv[0], "child", NULL};
        r = posix_spawn(&pid, "/proc/self/exe", NULL, NULL, arguments, environment);
        assert(r == 0);
        waitpid(pid, &status, 0);
        assert(WIFEXITED(status) && WEXITSTATUS(status) == 7);
        weft_environ_free(environment);
        return 0;
}
