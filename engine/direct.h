/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef DIRECT_H
#define DIRECT_H

/**
 * @file
 * `mode: direct`: a client's packets go on to a backend as they came, which answers the client
 * itself (direct server return).  Only the Ethernet header is new.
 *
 * A backend is chosen by a hash of the client's address and port, or of its address alone
 * (source_hash), whatever else the pool says: a SYN leaves no trace here, so that SYN floods cost
 * nothing, and what follows must find the same backend.  From the first ACK on a flow keeps its
 * backend (lib/balance/affinity.h) when others come, go or fail.  ICMP errors about a flow follow
 * it.
 *
 * The TTL stays: to a traceroute the service's address is one hop.  The service's address has to be
 * one of the backend's own, for which it does not answer ARP (README).
 */

#include <stdbool.h>
#include <stdint.h>

#include "engine/burst.h"

struct settings;
struct worker;

/** Whether any service needs it. */
bool direct_is_wanted(const struct settings *settings);

/** Bytes of one worker's flows; for sizing. */
uint64_t direct_footprint(const struct settings *settings);

/** Make a worker's table of flows, in worker.made. @return 0, or -1 after a message. */
int direct_create(struct worker *worker);

/** A worker sees services with mode: direct: timeouts may be others. */
void direct_adopt(struct worker *worker);

void direct_free(struct worker *worker);

/** The stage before the lookup: what belongs to direct services leaves the burst here. */
void burst_direct(struct worker *worker, struct burst *burst);

/** Forget flows that are over; once a turn. */
void direct_expire(struct worker *worker);

#endif /* DIRECT_H */
