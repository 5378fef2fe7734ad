/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef BURST_SYN_H
#define BURST_SYN_H

/**
 * @file
 * The fifth and sixth stage for SYNs that are kept, many at once.
 *
 * Where no limit is near, a burst's plain SYNs of as many clients all become half-open connections:
 * their initial numbers are made by one call, their SYN-ACKs in columns, and what they count is
 * added up.  Whatever is said of somebody twice in the burst, or in any way special, is left alone,
 * so nobody can tell from outside (tests/pipeline/test_expect.c).
 */

#include <stdint.h>

struct burst;
struct worker;

/**
 * Keep and answer SYNs.
 *
 * @param packets
 *   A bit for each packet to which nothing has happened yet.
 * @return those that are answered now.
 */
uint64_t burst_syn(struct worker *worker, struct burst *burst, uint64_t packets);

#endif /* BURST_SYN_H */
