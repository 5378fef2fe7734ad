/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef FLOW_KEY_H
#define FLOW_KEY_H

/**
 * @file
 * Who a connection is with, in twenty bytes for both IP versions.
 *
 * One end of every connection varies and one is known beforehand.  For a connection that was
 * opened to us, the client varies and the known end is one of our services; for a connection that
 * we open, our local address and port vary and the known end is one of our targets.  The varying
 * end is stored in full, the known end by number.  Twenty bytes are two and a half SipHash words:
 * one compression less than the five-tuple of IPv6 would cost, and IPv4 costs the same.
 */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <rte_byteorder.h>

/**
 * Set in flow_key.endpoint when we opened the connection: the bits below FLOW_KEY_NOBODY number a
 * target.  Both set: nobody, neither a service nor a target.
 */
#define FLOW_KEY_ACTIVE 0x8000
#define FLOW_KEY_NOBODY 0x4000

/** The low half of an IPv4-mapped address, as it is in memory, but for the IPv4 address. */
#if RTE_BYTE_ORDER == RTE_LITTLE_ENDIAN
#define FLOW_KEY_MAPPED      UINT64_C(0x00000000ffff0000)
#define FLOW_KEY_MAPPED_MASK UINT64_C(0x00000000ffffffff)
#else
#define FLOW_KEY_MAPPED      UINT64_C(0x0000ffff00000000)
#define FLOW_KEY_MAPPED_MASK UINT64_C(0xffffffff00000000)
#endif

/** Set beside FLOW_KEY_ACTIVE: we check a backend, which the twelve lowest bits number. */
#define FLOW_KEY_CHECK         0x1000
#define FLOW_KEY_CHECK_NUMBERS 0x1000 /**< So many. */

/** No padding, so that keys may be compared and hashed as bytes. */
struct flow_key {
	uint8_t address[16]; /**< The varying end; IPv4 as ::ffff:a.b.c.d (RFC 4291 2.5.5.2). */
	rte_be16_t port;     /**< The varying end's port. */
	uint16_t endpoint;   /**< The known end: a service, or FLOW_KEY_ACTIVE | target. */
};

_Static_assert(sizeof(struct flow_key) == 20, "two and a half SipHash words, no padding");

/** Whether two keys name the same connection. */
static inline bool
flow_key_equal(const struct flow_key *a, const struct flow_key *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/** Whether the connection is one to a service of ours. */
static inline bool
flow_key_is_passive(const struct flow_key *key)
{
	return key->endpoint < FLOW_KEY_ACTIVE;
}

/** Whether the connection is one that we open to a target. */
static inline bool
flow_key_is_active(const struct flow_key *key)
{
	return (key->endpoint & (FLOW_KEY_ACTIVE | FLOW_KEY_NOBODY)) == FLOW_KEY_ACTIVE;
}

/** Whether the connection is a check of a backend's health; it is active, too. */
static inline bool
flow_key_is_check(const struct flow_key *key)
{
	return (key->endpoint & ~(FLOW_KEY_CHECK_NUMBERS - 1)) ==
	       (FLOW_KEY_ACTIVE | FLOW_KEY_CHECK);
}

/** The number of the backend, of a check. */
static inline uint16_t
flow_key_backend(const struct flow_key *key)
{
	return key->endpoint & (FLOW_KEY_CHECK_NUMBERS - 1);
}

/** The number of the target, of an active connection that is no check. */
static inline uint16_t
flow_key_target(const struct flow_key *key)
{
	return key->endpoint & (FLOW_KEY_NOBODY - 1);
}

/** Write the IPv4 address @p ipv4 (network byte order) as the IPv4-mapped IPv6 address. */
static inline void
flow_key_map_ipv4(uint8_t address[16], rte_be32_t ipv4)
{
	/* As the words in which addresses are read: a load across two stores would wait for both.
	 */
	const rte_be64_t high = 0;
	const rte_be64_t low = RTE_BYTE_ORDER == RTE_LITTLE_ENDIAN
					       ? (uint64_t)ipv4 << 32 | FLOW_KEY_MAPPED
					       : FLOW_KEY_MAPPED | ipv4;

	memcpy(address, &high, sizeof(high));
	memcpy(address + sizeof(high), &low, sizeof(low));
}

/** Whether @p address is an IPv4-mapped one. */
static inline bool
flow_key_is_ipv4(const uint8_t address[16])
{
	rte_be64_t high, low;

	memcpy(&high, address, sizeof(high));
	memcpy(&low, address + sizeof(high), sizeof(low));
	return high == 0 && (low & FLOW_KEY_MAPPED_MASK) == FLOW_KEY_MAPPED;
}

#endif /* FLOW_KEY_H */
