/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The Internet checksum, 32 bytes at a time.
 *
 * 2^16 is 1 modulo 65535, so words of any multiple of 16 bits may be added and folded later
 * (RFC 1071 2).  Halves of 64-bit words go into 64-bit accumulators, which leaves no carry to look
 * after and lets the compiler use vector registers.
 */

#include <string.h>

#include "wire/checksum.h"

/** Both halves of 8 bytes. */
static inline uint64_t
add_64(const uint8_t *from)
{
	uint64_t word;

	memcpy(&word, from, sizeof(word));
	return (word & 0xffffffff) + (word >> 32);
}

/** The last 0 to 7 bytes, as if zeroes followed. */
static inline uint64_t
add_tail(const uint8_t *from, size_t length)
{
	uint64_t sum = 0;
	uint32_t word;
	uint16_t half;

	if (length & 4) {
		memcpy(&word, from, sizeof(word));
		sum += word;
		from += sizeof(word);
	}
	if (length & 2) {
		memcpy(&half, from, sizeof(half));
		sum += half;
		from += sizeof(half);
	}
	if (length & 1) {
		half = 0;
		memcpy(&half, from, 1);
		sum += half;
	}
	return sum;
}

uint64_t
checksum_add(uint64_t sum, const void *data, size_t length)
{
	const uint8_t *from = data;
	uint64_t sums[4] = {sum};

	for (; length >= 32; length -= 32, from += 32) {
		sums[0] += add_64(from);
		sums[1] += add_64(from + 8);
		sums[2] += add_64(from + 16);
		sums[3] += add_64(from + 24);
	}
	sum = sums[0] + sums[1] + sums[2] + sums[3];
	for (; length >= 8; length -= 8, from += 8)
		sum += add_64(from);
	return sum + add_tail(from, length);
}

uint64_t
checksum_pseudo(const void *source, const void *destination, size_t address_length,
		uint8_t protocol, uint32_t length)
{
	uint64_t sum = (uint64_t)rte_cpu_to_be_32(length) + rte_cpu_to_be_16(protocol);

	return checksum_add(checksum_add(sum, source, address_length), destination, address_length);
}

rte_be16_t
checksum_update_16(rte_be16_t checksum, rte_be16_t from, rte_be16_t to)
{
	return checksum_finish((uint64_t)(uint16_t)~checksum + (uint16_t)~from + to);
}

rte_be16_t
checksum_update_32(rte_be16_t checksum, rte_be32_t from, rte_be32_t to)
{
	return checksum_finish((uint64_t)(uint16_t)~checksum + (uint32_t)~from + to);
}
