/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef BURST_COLUMNS_H
#define BURST_COLUMNS_H

/**
 * @file
 * The fifth stage for expected segments of many connections, all at once.
 *
 * A burst is a mixture, and who goes through it packet by packet guesses wrong at each of them
 * what comes next.  Here segments are stepped sixteen at a time (burst_group.h), whatever they
 * are, and what each kind brings about is done for all of that kind in a row.  Those that could be
 * answered, or after which nothing is to be said, are done with.
 *
 * That changes the order of what happens to different connections in a burst, and nothing else:
 * segments of one connection stay in order, since none is taken before an earlier one that was left
 * alone.  Where an order could be told, because a limit is so near that who comes first is served
 * and who comes later is not, nothing is taken.
 */

#include <stdint.h>

struct burst;
struct worker;

/**
 * Let packets happen that are expected.
 *
 * @return
 *   A bit for each of those to which nothing more is to happen in this stage.
 */
uint64_t burst_columns(struct worker *worker, struct burst *burst);

#endif /* BURST_COLUMNS_H */
