/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef BURST_FAST_OPEN_H
#define BURST_FAST_OPEN_H

/**
 * @file
 * What TCP Fast Open (RFC 7413) asks of a burst: who gets a cookie, and whose cookie is good.
 *
 * Only SYNs to services that have it on are looked at; the others cost a look at two bits.  A
 * cookie goes into every SYN,ACK that answers a SYN which asks for one, or brings one that is not
 * of this period; so a SYN that comes again is answered like the first.  A SYN,ACK that only a
 * timer repeats carries none: a path that drops unknown options lets it pass.  Where more
 * connections wait for the end of their handshake than fast_open_pending, a good cookie opens no
 * faster than none.  A SYN that reopens a connection in TIME_WAIT does so without its text.
 */

#include <stdbool.h>

#include "engine/burst.h"
#include "wire/tcp_options.h"

struct worker;

/** Whether packet @p i is a SYN whose text may be taken at once; counts those refused. */
bool burst_fast_open_admits(struct worker *worker, const struct burst *burst, unsigned int i);

/** Whether a SYN,ACK that answers packet @p i carries a cookie.  Before the packet is written on.
 */
bool burst_fast_open_grants(const struct worker *worker, const struct burst *burst, unsigned int i);

/** Add the cookie for a connection to the options of a SYN,ACK. */
void burst_fast_open_cookie(const struct worker *worker, const struct flow_key *key,
		struct tcp_options *options);

#endif /* BURST_FAST_OPEN_H */
