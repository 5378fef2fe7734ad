/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef FAST_OPEN_H
#define FAST_OPEN_H

/**
 * @file
 * TCP Fast Open cookies (RFC 7413 4.1.2): proof that a client once received what we sent to its
 * address.
 *
 * A cookie is SipHash-2-4 of the client's and the server's address, under a key of its time:
 * nothing is stored per client.  Keys are made from one secret and the number of a period, so that
 * all workers change them together without a word.  A period lasts FAST_OPEN_PERIOD_US, nine and a
 * half hours; the cookies of this period and of the one before are good, so one lives between one
 * and two periods, and none outlives the engine.  A cookie of the period before is taken, and
 * replaced.
 *
 * What it withstands.  Who does not see a client's packets has to guess 64 bits; the comparison
 * takes the same time for every wrong guess; a cookie for one address says nothing about another's,
 * nor about the key.  The server's address is in it, so that services on several addresses do not
 * vouch for each other; ports are not, as the RFC wants.
 *
 * What it does not.  Who sees a client's SYN, or shares its address behind a NAT, has its cookie,
 * and may use it with that source address until it is too old: what a service says before the
 * handshake is complete is therefore limited (the setting fast_open_pending, RFC 7413 5.1).  A
 * client's RST gives its place back at once; so who can make a victim send resets is held back by
 * the victim's answers only, not by that limit.  A SYN that the network duplicates after its
 * connection is gone is served again (RFC 7413 6.1): an http service answers twice, which is all
 * that happens here.  It is not a SYN cookie: it does not hold the state of a handshake.
 */

#include <stdint.h>

#include "cookie/siphash.h"

#define FAST_OPEN_COOKIE_BYTES 8

/** A power of two, so that nobody divides: 9.5 hours. */
#define FAST_OPEN_PERIOD_SHIFT 35
#define FAST_OPEN_PERIOD_US    (UINT64_C(1) << FAST_OPEN_PERIOD_SHIFT)

/** Whom a cookie is for; addresses IPv4-mapped. */
struct fast_open_pair {
	uint8_t client[16];
	uint8_t server[16];
};

_Static_assert(sizeof(struct fast_open_pair) == 32, "hashed as bytes");

enum fast_open_verdict {
	FAST_OPEN_BAD,     /**< Forged, too old, or of a length that we never gave. */
	FAST_OPEN_GOOD,    /**< Ours, of this period. */
	FAST_OPEN_RETIRED, /**< Ours, of the period before: as good, but to be replaced. */
};

/** Write the cookie that @p pair gets now. */
void fast_open_make(const struct siphash_key *secret, const struct fast_open_pair *pair,
		uint64_t now_us, uint8_t cookie[FAST_OPEN_COOKIE_BYTES]);

/** Judge a cookie of @p length bytes that came from @p pair's client. */
enum fast_open_verdict fast_open_check(const struct siphash_key *secret,
		const struct fast_open_pair *pair, uint64_t now_us, const uint8_t *cookie,
		unsigned int length);

#endif /* FAST_OPEN_H */
