/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef PROXY_ICMP_H
#define PROXY_ICMP_H

/**
 * @file
 * ICMP errors about spliced connections, told to whoever sent what they are about.
 *
 * A router quotes the packet as we sent it; the sender must read it as it wrote it, in its own IP
 * version.  Eight bytes of the TCP header are enough: ports and sequence number, which must be of
 * something in flight (RFC 5927 4.1).  The error is written anew, from our end of that side: where
 * the path behind us leads is nobody's business.
 */

#include <stdbool.h>

#include "splice/splice.h"
#include "wire/parse.h"

struct conn;
struct rte_mbuf;
struct worker;

/**
 * Take an ICMP error, if it is about a connection of the proxy; the packet is gone then.
 *
 * @return false when it is not.
 */
bool proxy_icmp(struct worker *worker, struct rte_mbuf *packet, const struct frame *frame);

/**
 * Tell a side that what it sent does not fit the other side's port.
 *
 * @param seq
 *   As the side wrote it.
 * @param mtu
 *   Of the other side's port.
 */
void proxy_icmp_too_big(struct worker *worker, const struct conn *conn, enum splice_side to,
		uint32_t seq, uint16_t mtu);

#endif /* PROXY_ICMP_H */
