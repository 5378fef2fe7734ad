/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef LOCAL_H
#define LOCAL_H

/**
 * @file
 * Packets that are for this machine and are not TCP: ARP, neighbour discovery, ping.
 */

#include "wire/parse.h"

struct rte_mbuf;
struct worker;

/** Answer a packet or drop it; the worker's from then on. */
void local_input(struct worker *worker, struct rte_mbuf *packet, const struct frame *frame);

#endif /* LOCAL_H */
