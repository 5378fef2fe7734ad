/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef BURST_EXPECT_H
#define BURST_EXPECT_H

/**
 * @file
 * The fifth and sixth stage for what is expected: a client that opens, asks and closes, and loses
 * nothing.
 *
 * Both go on to the first packet that they leave alone; that is for burst_step() and burst_reply(),
 * as before.  Nobody can tell from outside who did: connections, counters, times and the bytes
 * that are sent are the same (tests/pipeline/test_expect.c).  They are faster because they ask
 * little: the machine's short way (tcp_expect.h), a desk for what is the same for a whole listener
 * (burst_desk.h), an answer written over its question (build_turn.h).
 */

#include <stdint.h>

struct burst;
struct worker;

/**
 * Let packets happen, in order, as long as they are expected.
 *
 * @param packets
 *   A bit for each.
 * @return those to which nothing has happened, from the first one that is not expected on.
 */
uint64_t burst_expect(struct worker *worker, struct burst *burst, uint64_t packets);

/**
 * Answer packets of connections, or drop them, in order, as long as their answer is not more than
 * one segment, in its own place.
 *
 * @return those that are left, as burst_expect().
 */
uint64_t burst_expect_replies(struct worker *worker, struct burst *burst, uint64_t packets);

#endif /* BURST_EXPECT_H */
