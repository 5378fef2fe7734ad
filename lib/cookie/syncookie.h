/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef SYNCOOKIE_H
#define SYNCOOKIE_H

/**
 * @file
 * SYN cookies: a connection remembered by its client (RFC 4987 3.6), a burst at a time.
 *
 * What a half-open connection would have to remember travels in the ISN of our SYN-ACK, and comes
 * back plus one in SEG.ACK.  Nothing is stored, so a flood of SYNs costs time and no memory; and
 * whoever has the secret and the time of day verifies any cookie: any worker, any node.
 *
 * The ISN, when the client sent no timestamps, or they are off:
 *
 *    31 30 29 28 27 26 25 24 23                                             0
 *   +-----+--------+--------+------------------------------------------------+
 *   |  E  |  MSS   |  WIN   |                 MAC, 24 bits                   |
 *   +-----+--------+--------+------------------------------------------------+
 *
 * and when the SYN-ACK carries timestamps, with the low bits of its TSval:
 *
 *    31 30 29 28 27 26                                 0     31        6  5   4  3     0
 *   +-----+--------+------------------------------------+   +-----------+---+---+-------+
 *   |  E  |  MSS   |            MAC, 27 bits            |   |   clock   |ECN|SAK| SCALE |
 *   +-----+--------+------------------------------------+   +-----------+---+---+-------+
 *
 *   E      Unix time in epochs of 32 s, modulo 4: which key.
 *   MSS    Into a table of eight, one for IPv4 and one for IPv6, rounded down.
 *   WIN    Into a table of eight pairs of window scale (rounded down) and SACK-permitted.  "No
 *          window scale" and "window scale 0" are different, and neither is rounded to the other.
 *   SCALE  The window scale itself, 15 for none.     SAK, ECN  As the SYN had them.
 *
 * The bits above the MAC are sent XORed with as many of its lowest bits, so that ISNs spread over
 * the whole space and an old incarnation's segments seldom fall into a new one's window.  Readable
 * to all, changeable by nobody: they are in the MAC, too.
 *
 *   MAC = SipHash-2-4(key of epoch, remote address | remote port | local endpoint | client ISN |
 *                     form, MSS, WIN or SCALE, SAK, ECN), lowest bits
 *
 * The epoch is in it by its key, HMAC-SHA-256(secret, epoch).  The local endpoint stands for our
 * address and port by a 48-bit hash, because numbers of services differ from node to node.  The
 * form tells both layouts apart, so a cookie of one never passes as the other.  The same SYN gets
 * the same ISN for as long as the epoch lasts: a retransmitted one does no harm.
 *
 * Threat model.  The attacker sends any packet from any address, at line rate, knows all of this
 * but the secret, and sees cookies for addresses of his own.  He does not see those for addresses
 * that he forges.  As SipHash is a PRF, what he has seen is of no help, and he has to guess:
 *
 *   The E of a guess selects the keys it is tried under.  Of its four values three are accepted:
 *   the previous, the current and the next epoch.  So of all 2^32 ISNs pass, for one flow and
 *   client ISN, 3 x 2^6 (each has one MAC for each MSS and WIN) and 3 x 2^3 with timestamps,
 *   where each value of the TSval bits, which the guesser is free to choose, has its own MAC:
 *
 *     without timestamps   3/4 x 2^-24    at 10 Mpps of forged ACKs    0.45 connections/s
 *     with timestamps      3/4 x 2^-27                                 0.056 connections/s
 *
 *   While a second secret is accepted, that would double.  Then each of both has two epochs: the
 *   current one, and the previous in its first half, the next in its second.  So it is 4/4, which
 *   is 0.60 and 0.075 connections/s.  Each costs the attacker 2^24 packets and us one connection,
 *   which the limits of its service count, and which times out; DPVS gives one for 447 000.
 *
 * A guess needs SEG.SEQ as well as SEG.ACK: the client's ISN is in the MAC, and not as a summand,
 * so that neither (SEG.SEQ + 1, SEG.ACK + 1) nor a closed connection's last ACK passes.
 *
 * A cookie lives 32 to 64 s, and 16 to 48 s while there are two secrets; clocks of nodes may be one
 * epoch apart, or half of one.  Genuine ones that are too old, or from too far ahead, are refused
 * and told from forged ones, so that a wrong clock shows.  Within its life a copy of an ACK passes
 * again, when nothing else remembers the connection.  While it lives its table does, and for 96 s
 * after it closed the flow is remembered as spent (spent_cookies.h), by the worker that has it: as
 * long as the copy could pass, whatever the clocks of nodes.  The bound is room: of so many
 * connections, tcp.max_spent_cookies, that were closed after it.  With the million of the default
 * that is 96 s at 10 900 closed connections a second and worker, 10 s at 100 000; 10 million take
 * 160 MB.  A node that shares the secret has no memory of ours: to it, a copy opens once more.
 *
 * A peer whose MSS is below its table's first entry gets no cookie: the table has nothing to round
 * it down to, and rounding it up would send segments that it cannot take (RFC 9293 3.7.1 MUST-16).
 *
 * MSS tables.  IPv4 clients announce, in Alcock and Nelson, "An Analysis of TCP Maximum Segment
 * Sizes" (Waikato 2010; as FreeBSD's tcp_syncache.c sums it up): below 536 0.2 %, 536 0.3 %, 1200
 * 5 %, 1360 7 %, 1400 7 %, 1440 20 %, 1452 15 %, 1460 45 %.  M-Lab's servers in 2023 (Mathis, tcpm;
 * blog.computer-networking.info/mss-mathis) saw most often 1448, 1460 and 1440 over IPv4, 1428,
 * 1440 and 1288 over IPv6; 1448 and 1428 look like 1460 and 1440 less twelve bytes of timestamps.
 * Against FreeBSD's table, 1452 gave way to 8960: PPPoE loses 0.8 % of a segment, jumbo frames
 * would lose five sixths.  IPv6: 1220 is the minimum MTU, 1280 the next below 1288, 1360 is
 * WireGuard's, 1400 and 1420 are tunnels'; 536 is for who announces less than the protocol grants.
 *
 * Window scales, in Allman's histograms of 2012 (quoted there too), were by connections: 0 11 %, 1
 * 4 %, 2 5 %, 4 5 %, 6 18 %, 7 49 %, 8 3 %.  Without timestamps today come above all Windows
 * clients, which send 8.  So with SACK there are 0, 3, 6 and 8: no scale up to 9 loses more than
 * two bits.  The few that scale without SACK have 0 and 6.
 */

#include <stdbool.h>
#include <stdint.h>

#include <rte_byteorder.h>

#include "cookie/secret.h"
#include "cookie/siphash.h"
#include "tcp/flow_key.h"
#include "tcp/tcp_segment.h"

#define SYNCOOKIE_EPOCH_MS 32000
#define SYNCOOKIE_LIFE_MS  (2 * SYNCOOKIE_EPOCH_MS) /**< Older cookies are refused. */
/** For so long a copy of an ACK may pass: of a node whose clock is an epoch ahead of ours. */
#define SYNCOOKIE_SPENT_S   (3 * SYNCOOKIE_EPOCH_MS / 1000)
#define SYNCOOKIE_BURST_MAX SIPHASH_BATCH_MAX
#define SYNCOOKIE_SLOTS     4 /**< Values of E. */
#define SYNCOOKIE_TS_BITS   6 /**< Low bits of a SYN-ACK's TSval. */
#define SYNCOOKIE_MSS_SIZES 8

/** What an ACK's cookie is. */
enum syncookie_verdict {
	SYNCOOKIE_BAD,     /**< Forged, or for another connection. */
	SYNCOOKIE_GOOD,    /**< Ours, for this connection, and in time. */
	SYNCOOKIE_EXPIRED, /**< Ours, for this connection, and too old; told up to 96 s. */
	SYNCOOKIE_AHEAD,   /**< Ours, from a node whose clock is too far ahead of ours. */
	SYNCOOKIE_VERDICTS,
};

/**
 * What workers need: a snapshot, read only, made anew by syncookie_keys_derive().
 *
 * It holds keys: allocate it with secret_pages_alloc().
 */
struct syncookie_keys {
	uint64_t until_ms;  /**< Unix time from when on it is to be replaced; later ones still work.
			     */
	uint32_t made_slot; /**< E of new cookies. */
	/**
	 * Per attempt and E: what a cookie is that verifies.  SYNCOOKIE_BAD: not to be tried.  The
	 * first attempt has the active secret, the second what is left to try.
	 */
	uint8_t verdict[2][SYNCOOKIE_SLOTS];
	struct siphash_key key[2][SYNCOOKIE_SLOTS];
};

/**
 * Derive the keys for a time.
 *
 * @param active
 *   Cookies are made with it, and accepted.
 * @param accepted
 *   Cookies are accepted with it, too; NULL if there is none.  To rotate without a loss, make the
 *   new secret accepted on all nodes, then active with the old one accepted, then drop the old one
 *   after two epochs.
 * @param unix_ms
 *   CLOCK_REALTIME.
 * @return
 *   false when OpenSSL failed; then @p keys accepts nothing.
 */
bool syncookie_keys_derive(struct syncookie_keys *keys, const struct secret *active,
		const struct secret *accepted, uint64_t unix_ms);

/** The number that stands for a local address (IPv4-mapped) and port; the same on every node. */
uint64_t syncookie_endpoint(const uint8_t address[16], rte_be16_t port);

/** A SYN to be answered, or an ACK to be judged. */
struct syncookie_request {
	const struct flow_key *flow;       /**< Its endpoint number is not looked at. */
	const struct tcp_segment *segment; /**< Flags were checked: a SYN alone; no SYN, no RST. */
	uint64_t endpoint;                 /**< syncookie_endpoint() of where it went. */
	uint32_t ts_clock; /**< For a SYN: the TSval that the connection would send now. */
	uint8_t options;   /**< enum tcp_option_bit: what the service accepts. */
	bool ecn;          /**< Whether the service accepts ECN. */
};

/** What the SYN-ACK says. */
struct syncookie {
	uint32_t isn;
	/**
	 * With TCP_OPTION_TIMESTAMPS.  At most the clock and less than 64 before it, and never less
	 * than an earlier one of this connection: what follows may send the clock (RFC 7323 5.4).
	 */
	uint32_t tsval;
	uint8_t options; /**< enum tcp_option_bit: what it offers; more would not be remembered. */
	bool ecn;        /**< Whether it is an ECN-setup one (RFC 3168 6.1.1). */
};

/**
 * What a SYN's cookie says, and nothing of who sent it: equal for SYNs with the same MSS and
 * options to the same local endpoint, for as long as the keys last.
 */
struct syncookie_offer {
	uint64_t endpoint_word; /**< Hashed, with the peer's port. */
	uint64_t code_word;     /**< Hashed, with the peer's ISN. */
	uint32_t isn_bits;      /**< What is above the MAC. */
	uint8_t mac_bits;
	uint8_t ts_bits; /**< The low bits of TSval. */
	uint8_t options; /**< enum tcp_option_bit: what the SYN-ACK offers. */
	bool ecn;        /**< Whether it is an ECN-setup one. */
	bool possible;   /**< false: no cookie, for the MSS is too small. */
};

/** The offer that answers a SYN; of the flow only the IP version is looked at. */
void syncookie_offer(const struct syncookie_keys *keys, const struct syncookie_request *request,
		struct syncookie_offer *offer);

/** A SYN with its offer, which is possible. */
struct syncookie_syn {
	const struct flow_key *flow;
	const struct syncookie_offer *offer;
	uint32_t seq;
	uint32_t ts_clock;
};

/** The numbers of a SYN-ACK. */
struct syncookie_numbers {
	uint32_t isn;
	uint32_t tsval;
};

/** Make cookies for SYNs whose offers are known; at most SYNCOOKIE_BURST_MAX. */
void syncookie_make_offered(const struct syncookie_keys *keys, const struct syncookie_syn syns[],
		unsigned int n, struct syncookie_numbers numbers[]);

/**
 * Make cookies for SYNs.
 *
 * @param n
 *   At most SYNCOOKIE_BURST_MAX.
 * @param cookies
 *   Filled where there is one.
 * @return
 *   A mask; bit i is clear when requests[i] can have no cookie, for its MSS is too small.
 */
uint64_t syncookie_make_bulk(const struct syncookie_keys *keys,
		const struct syncookie_request requests[], unsigned int n,
		struct syncookie cookies[]);

/** Where ACKs may bring cookies back to. */
struct syncookie_gate {
	uint64_t endpoint; /**< syncookie_endpoint() of it. */
	bool timestamps;   /**< Whether the service accepts them. */
};

/** Some segments of a burst, which came to one gate; flags were checked: no SYN, no RST. */
struct syncookie_acks {
	const struct flow_key *flows;       /**< Of the burst; endpoints are not looked at. */
	const struct tcp_segment *segments; /**< Of the burst. */
	const uint8_t *which;               /**< Places of those that are asked about. */
	unsigned int n;                     /**< So many, at most SYNCOOKIE_BURST_MAX. */
};

/**
 * Judge ACKs that came to one gate.
 *
 * The segment may carry data and FIN (a lost third ACK loses nothing), but it has to begin where
 * the SYN ended.  Of a good one the SYN is rebuilt, as far as the cookie remembers it: to be given
 * to the rules again, with ISS = SEG.ACK - 1, and then the segment.  Its window and timestamp are
 * the ACK's.  With timestamps, the connection's clock must not be behind the ACK's TSecr from here
 * on, or the peer drops what we send (PAWS): so another node's clock has to be taken over.
 * Without them nobody knows when the SYN-ACK was sent, so there is no RTT to be measured.
 *
 * @param verdicts
 *   enum syncookie_verdict of each that is asked about.
 * @return
 *   A mask of those that are not SYNCOOKIE_BAD, by the order in which they are asked about.
 */
uint64_t syncookie_check_acks(const struct syncookie_keys *keys, const struct syncookie_gate *gate,
		const struct syncookie_acks *acks, uint8_t verdicts[]);

/** The SYN whose cookie a good ACK brought back. */
void syncookie_rebuild(const struct syncookie_gate *gate, const struct flow_key *flow,
		const struct tcp_segment *ack, struct tcp_segment *syn);

/**
 * Judge ACKs that came to any gates, and rebuild the SYNs of good ones.
 *
 * @param n
 *   At most SYNCOOKIE_BURST_MAX.
 * @param syns
 *   Filled where the verdict is SYNCOOKIE_GOOD.
 * @param verdicts
 *   enum syncookie_verdict of each.
 * @return
 *   A mask of the good ones.
 */
uint64_t syncookie_check_bulk(const struct syncookie_keys *keys,
		const struct syncookie_request requests[], unsigned int n,
		struct tcp_segment syns[], uint8_t verdicts[]);

/** Cookies by one available path, for tests and benchmarks. */
uint64_t syncookie_make_bulk_by(enum siphash_path path, const struct syncookie_keys *keys,
		const struct syncookie_request requests[], unsigned int n,
		struct syncookie cookies[]);
uint64_t syncookie_check_bulk_by(enum siphash_path path, const struct syncookie_keys *keys,
		const struct syncookie_request requests[], unsigned int n,
		struct tcp_segment syns[], uint8_t verdicts[]);

#endif /* SYNCOOKIE_H */
