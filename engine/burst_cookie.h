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
 *
 * A cookie lives for a minute, and whoever has a copy of the ACK that brought it could open the
 * connection again.  While it lives it finds the connection; when that has closed, its flow is
 * remembered as spent until the cookie is too old (spent_cookies.h): ACKs of it are strangers', and
 * a new SYN of it is kept half open instead of getting a cookie.
 *
 * Each worker remembers for itself, so a copy must not come to another one.  Where the owner of a
 * flow is computed here (steering.h) it cannot, whichever queue or port it arrives on.  Where NICs
 * spread flows by RSS, all ports do it alike, by addresses and TCP ports; but many hash only the
 * addresses of a packet with IP options or extension headers, so a copy with some added would get
 * to another worker, whose table has nothing of it.  Such packets therefore neither get a cookie on
 * these ports nor bring one back: their SYNs are kept half open, by the worker that they reach.
 */

#include <stdbool.h>
#include <stdint.h>

struct burst;
struct conn;
struct service;
struct service_share;
struct worker;

/** Answer SYNs with cookies, and open for the ACKs that bring good ones. */
void burst_cookie(struct worker *worker, struct burst *burst);

/** A connection closed: its cookie, if it had one, is not to open it again. */
void burst_cookie_spend(struct worker *worker, const struct conn *conn, uint64_t hash);

/** A connection entered SYN_RCVD, or left it: cookies: auto begins and ends by their number. */
void burst_cookie_half_open(const struct worker *worker, const struct service *service,
		struct service_share *share, bool entered);

#endif /* BURST_COOKIE_H */
