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

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <rte_byteorder.h>

/** Add @p length bytes to @p sum; an odd last byte is padded with zero. */
uint64_t checksum_add(uint64_t sum, const void *data, size_t length);

/** The longest that checksum_add_words() adds. */
#define CHECKSUM_WORDS_MAX 60

static inline uint64_t
checksum_word(const uint8_t *from)
{
	uint32_t word;

	memcpy(&word, from, sizeof(word));
	return word;
}

/**
 * checksum_add() of a header, in line: a multiple of 4 bytes, at most CHECKSUM_WORDS_MAX.
 *
 * A load and an addition for each word, behind one jump.  Words twice as wide would need no fewer
 * instructions, with a carry to look after.
 */
static inline uint64_t
checksum_add_words(uint64_t sum, const uint8_t *data, size_t length)
{
	const uint8_t *end = data + length;

	switch (length / 4) {
#define CHECKSUM_WORD(n)                           \
	case n:                                    \
		sum += checksum_word(end - n * 4); \
		__attribute__((fallthrough));
		CHECKSUM_WORD(15)
		CHECKSUM_WORD(14)
		CHECKSUM_WORD(13)
		CHECKSUM_WORD(12)
		CHECKSUM_WORD(11)
		CHECKSUM_WORD(10)
		CHECKSUM_WORD(9)
		CHECKSUM_WORD(8)
		CHECKSUM_WORD(7)
		CHECKSUM_WORD(6)
		CHECKSUM_WORD(5)
		CHECKSUM_WORD(4)
		CHECKSUM_WORD(3)
		CHECKSUM_WORD(2)
		CHECKSUM_WORD(1)
#undef CHECKSUM_WORD
	default:
		return sum;
	}
}

/** The pseudo-header's sum: addresses of 4 or 16 bytes each, protocol, length of header and data.
 */
uint64_t checksum_pseudo(const void *source, const void *destination, size_t address_length,
		uint8_t protocol, uint32_t length);

/** Fold to 16 bits, not complemented; network byte order as the words were. */
static inline uint16_t
checksum_fold(uint64_t sum)
{
	uint32_t half;

	/* Adding itself with its halves exchanged leaves, above, their sum with its carry. */
	sum += sum << 32 | sum >> 32;
	half = (uint32_t)(sum >> 32);
	half += half << 16 | half >> 16;
	return (uint16_t)(half >> 16);
}

/**
 * Whether a sum that includes its checksum field says that nothing was changed on the way: whether
 * it folds to 0xffff, for which the compiler multiplies once.
 */
static inline bool
checksum_is_good(uint64_t sum)
{
	return sum % 0xffff == 0 && sum != 0;
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
