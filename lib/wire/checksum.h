/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef CHECKSUM_H
#define CHECKSUM_H

/**
 * @file
 * The Internet checksum (RFC 1071), over bytes and incrementally (RFC 1624).
 *
 * Sums are kept as native-order 64-bit accumulators of ones' complement words and folded at the
 * end, so a checksum over parts is the fold of the added sums (each part but the last of even
 * length).  A part adds less than its length times 2^30: no sum of packets overflows.
 */

#include <stddef.h>
#include <stdint.h>

#include <rte_byteorder.h>

/** Add @p length bytes to @p sum; an odd last byte is padded with zero. */
uint64_t checksum_add(uint64_t sum, const void *data, size_t length);

/** The pseudo-header's sum: addresses of 4 or 16 bytes each, protocol, length of header and data.
 */
uint64_t checksum_pseudo(const void *source, const void *destination, size_t address_length,
		uint8_t protocol, uint32_t length);

/** Fold to 16 bits, not complemented; network byte order as the words were. */
static inline uint16_t
checksum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/** The checksum field's value for @p sum. */
static inline rte_be16_t
checksum_finish(uint64_t sum)
{
	return (rte_be16_t)~checksum_fold(sum);
}

/**
 * The new checksum after a 16-bit or 32-bit word changed (RFC 1624 eqn. 3).
 *
 * Equal to recomputing it, unless all that is summed becomes zero: then this yields 0x0000 where
 * 0xffff is right.  Headers and pseudo-headers hold something else than zero; an ICMP message need
 * not.
 */
rte_be16_t checksum_update_16(rte_be16_t checksum, rte_be16_t from, rte_be16_t to);
rte_be16_t checksum_update_32(rte_be16_t checksum, rte_be32_t from, rte_be32_t to);

#endif /* CHECKSUM_H */
