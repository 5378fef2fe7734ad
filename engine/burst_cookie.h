/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef BURST_COOKIE_H
#define BURST_COOKIE_H

/**
 * @file
 * SYN cookies in a burst: what lookup missed and needs no memory goes here first, all at once.
 *
 * SYNs for a service that answers with cookies are answered and leave the burst; ACKs that bring a
 * good cookie back get their half-open connection, as if the SYN had left one, and go on to the
 * machine.  Everything else goes on as it is.
 */

#include <stdbool.h>
#include <stdint.h>

struct burst;
struct service;
struct service_share;
struct worker;

/** Answer SYNs with cookies, and open for the ACKs that bring good ones. */
void burst_cookie(struct worker *worker, struct burst *burst);

/** A connection entered SYN_RCVD, or left it: cookies: auto begins and ends by their number. */
void burst_cookie_half_open(const struct worker *worker, const struct service *service,
		struct service_share *share, bool entered);

#endif /* BURST_COOKIE_H */
