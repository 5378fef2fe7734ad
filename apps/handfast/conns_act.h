/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef CONNS_ACT_H
#define CONNS_ACT_H

/**
 * @file
 * `handfast conns close`, `shutdown` and `reset`: what can be done to a connection of a running
 * engine.
 */

#include <stdbool.h>

/** Whether a word names an act. */
bool conns_act_is(const char *word);

/**
 * Do it.
 *
 * @param argc
 *   How many words.
 * @param words
 *   The act and the connection: SERVICE ADDRESS PORT, or ADDRESS:PORT of whatever service.
 * @return
 *   enum exit_code
 */
int conns_act(const char *program, const char *instance, int argc, char *const *words);

#endif /* CONNS_ACT_H */
