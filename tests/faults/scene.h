/* SPDX-License-Identifier: MIT
 *
 * Scenes: programs that take errors as a careful user does, and say of each call which errors it
 * may give. A scene is played twice in one process: first with whatever the driver has fail, to the
 * end and with everything given back; then with nothing failing, when everything must succeed. What
 * is live afterwards must be what is live after the same two rounds without faults.
 *
 *   SCENE(suite, name)
 *   {
 *           weft_pool *pool = scene_pool(2, 0);
 *           if (!pool)
 *                   return;
 *           TRY(weft_submit(pool, work, NULL), -ENOMEM);
 *           scene_usable(pool);
 *           weft_pool_destroy(pool);
 *   }
 */
#ifndef TESTS_FAULTS_SCENE_H
#define TESTS_FAULTS_SCENE_H

#include <criterion/criterion.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <unistd.h>

#include <weft/weft.h>

#define SCENE(suite_, name_)                                                                       \
        static void suite_##_##name_##_scene(void);                                                \
        Test(suite_, name_, .timeout = 20)                                                         \
        {                                                                                          \
                scene_play(suite_##_##name_##_scene);                                              \
        }                                                                                          \
        static void suite_##_##name_##_scene(void)

/* TRY(call, errors...) - the result of the call, which is 0 or more, or one of the errors, and that
 * only if something has failed. On any thread. */
#define TRY(call, ...) scene_try(__FILE__, __LINE__, #call, (call), (const int[]){__VA_ARGS__, 0})

/* TRY for what must not fail, whatever happens to the system. */
#define MUST(call) scene_try(__FILE__, __LINE__, #call, (call), (const int[]){0})

void scene_play(void (*scene)(void));
int scene_try(const char *file, int line, const char *text, int result, const int *errors);

/* Whether a fault has come in this round. */
bool scene_disturbed(void);

/* A pool, or NULL: with a reason, and nothing in *ret. */
weft_pool *scene_pool(unsigned workers, unsigned flags);

/* Nothing fails meanwhile: the pool does all that pools do. */
void scene_usable(weft_pool *pool);

/* A new folder, under $TMPDIR; and away with it and what is in it. */
void scene_folder(char *path, size_t size);
void scene_folder_remove(const char *path);

static inline int64_t scene_ms(int64_t ms)
{
        return weft_now() + ms * 1000000;
}

#endif
