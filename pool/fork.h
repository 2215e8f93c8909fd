/* SPDX-License-Identifier: MIT
 *
 * Forked jobs from inside: what the rest of the pool must do for them.
 */
#ifndef WEFT_POOL_FORK_H
#define WEFT_POOL_FORK_H

struct weft__worker;

/* The task that runs on this worker is about to park: show all of its jobs to other workers. */
void weft__fork_publish_all(struct weft__worker *w);

/* For a task that forks, joins or loops without end, while its worker is asked to look for others:
 * now and then one from outside has a turn. Parks. */
void weft__fork_turn(void);

#endif
