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

struct burst;
struct worker;

/**
 * Let packets happen from packet i on, as long as they are expected.
 *
 * @return the first one to which nothing has happened, or burst->n.
 */
unsigned int burst_expect(struct worker *worker, struct burst *burst, unsigned int i);

/**
 * Answer packets of connections from packet i on, or drop them, as long as their answer is not more
 * than one segment, in its own place.
 *
 * @return the first one to which nothing has happened, or burst->n.
 */
unsigned int burst_expect_replies(struct worker *worker, struct burst *burst, unsigned int i);

#endif /* BURST_EXPECT_H */
