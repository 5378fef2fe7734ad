/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef BURST_EXPECT_H
#define BURST_EXPECT_H

/**
 * @file
 * The fifth and sixth stage for what is expected: a client that opens, asks and closes, and loses
 * nothing.
 *
 * Both say of a packet whether they took it; what they leave alone, burst_step() and burst_reply()
 * do as before.  Nobody can tell from outside who did: connections, counters, times and the bytes
 * that are sent are the same (tests/pipeline/test_expect.c).  They are faster because they ask
 * little: the machine's short way (tcp_expect.h), a desk for what is the same for a whole listener
 * (burst_desk.h), an answer written over its question (build_turn.h).
 */

#include <stdbool.h>

struct burst;
struct worker;

/** Let packet i happen. @return false when it is not expected; then nothing has happened. */
bool burst_expect(struct worker *worker, struct burst *burst, unsigned int i);

/**
 * Answer packet i, of a connection, or drop it.
 *
 * @return false when its answer is not one segment at most, in its own place; then nothing has
 * happened.
 */
bool burst_expect_reply(struct worker *worker, struct burst *burst, unsigned int i);

#endif /* BURST_EXPECT_H */
