/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef SPENT_COOKIES_H
#define SPENT_COOKIES_H

/**
 * @file
 * Flows whose SYN cookie opened a connection that has closed: eight bytes each, for as long as a
 * copy of the ACK that brought the cookie would be taken for good (syncookie.h).
 *
 * Keys are not kept but 47 more bits of their keyed hash.  A flow that is taken for a spent one,
 * once in 10^13 times, has its SYN kept half open instead of answered by a cookie: nothing is lost
 * by that.
 *
 * A bucket is one cache line of eight flows, and a flow lives in one bucket; with half of them in
 * use one in 120 finds it full.  Then, and when there are more flows than was said, the oldest of
 * the bucket gives way, and is returned to be counted: a copy of its ACK could open once more.  So
 * the capacity wanted is connections closed per second times SYNCOOKIE_SPENT_S.  Whoever wants a
 * certain flow forgotten earlier has to open and close as many connections as there is room for,
 * under addresses at which he gets answers.
 *
 * A close costs 18 ns, a SYN of a flood 5 to 8 ns (tests/bench/bench_spent_cookies.c), a forged ACK
 * nothing.  All memory is written at the start, so that a flood makes none grow.  One lcore
 * creates, reads and writes a set.  Times are whole seconds and may wrap.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spent_cookies;

/** Bytes for so many flows, a multiple of 64: sixteen each. */
size_t spent_cookies_footprint(uint32_t capacity);

/** Lay an empty set out in @p memory, the caller's, 64-byte aligned; need not be zeroed. */
struct spent_cookies *spent_cookies_init(void *memory, uint32_t capacity);

/** Whether anything is remembered, maybe. */
bool spent_cookies_any(const struct spent_cookies *spent, uint32_t now_s);

/** Fetch what a flow's hash will need. */
void spent_cookies_prefetch(const struct spent_cookies *spent, uint64_t hash);

/** Remember a flow from now on.  @return whether another one was forgotten for it too early. */
bool spent_cookies_add(struct spent_cookies *spent, uint64_t hash, uint32_t now_s);

/** Whether a flow is remembered. */
bool spent_cookies_has(const struct spent_cookies *spent, uint64_t hash, uint32_t now_s);

#endif /* SPENT_COOKIES_H */
