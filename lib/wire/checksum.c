/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The Internet checksum, 64 bytes at a time.
 *
 * 2^16 is 1 modulo 65535, so words of any multiple of 16 bits may be added and folded later
 * (RFC 1071 2).  Halves of 64-bit words go into 64-bit accumulators, which leaves no carry to look
 * after.
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

/** An SSE2 or NEON register; gcc 12 takes wider ones apart through memory. */
typedef uint64_t lanes __attribute__((vector_size(16)));

#define BLOCK 64

/**
 * Add whole blocks.
 *
 * One lane sums the words modulo 2^64, another their upper halves, which cannot overflow.  The
 * former less 2^32 times the latter is the sum of the lower halves, and masking them was saved.
 */
static inline uint64_t
add_blocks(const uint8_t *from, size_t length)
{
	lanes words = {0}, uppers = {0}, lowers, block[BLOCK / sizeof(lanes)];

	for (; length >= BLOCK; length -= BLOCK, from += BLOCK) {
		memcpy(block, from, sizeof(block));
		words += (block[0] + block[1]) + (block[2] + block[3]);
		uppers += ((block[0] >> 32) + (block[1] >> 32)) +
			  ((block[2] >> 32) + (block[3] >> 32));
	}
	lowers = words - (uppers << 32);
	return lowers[0] + lowers[1] + uppers[0] + uppers[1];
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
	size_t blocks = length & ~(size_t)(BLOCK - 1);

	if (blocks > 0) {
		sum += add_blocks(from, blocks);
		from += blocks;
		length -= blocks;
	}
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
