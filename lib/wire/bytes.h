/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef BYTES_H
#define BYTES_H

/**
 * @file
 * Big-endian integers at any alignment.
 *
 * Headers sit behind 14 or 18 bytes of Ethernet, so hardly anything is aligned; memcpy() of a
 * constant size is one plain load or store on the CPUs DPDK runs on, and it is defined behaviour.
 */

#include <stdint.h>
#include <string.h>

#include <rte_byteorder.h>

#if RTE_BYTE_ORDER == RTE_LITTLE_ENDIAN
#define BYTES_SWAP_16(word) __builtin_bswap16(word)
#define BYTES_SWAP_32(word) __builtin_bswap32(word)
#define BYTES_SWAP_64(word) __builtin_bswap64(word)
#else
#define BYTES_SWAP_16(word) (word)
#define BYTES_SWAP_32(word) (word)
#define BYTES_SWAP_64(word) (word)
#endif

static inline uint16_t
bytes_read_16(const uint8_t *from)
{
	rte_be16_t value;

	memcpy(&value, from, sizeof(value));
	return BYTES_SWAP_16(value);
}

static inline uint32_t
bytes_read_32(const uint8_t *from)
{
	rte_be32_t value;

	memcpy(&value, from, sizeof(value));
	return BYTES_SWAP_32(value);
}

static inline uint64_t
bytes_read_64(const uint8_t *from)
{
	rte_be64_t value;

	memcpy(&value, from, sizeof(value));
	return BYTES_SWAP_64(value);
}

static inline void
bytes_write_16(uint8_t *to, uint16_t value)
{
	rte_be16_t swapped = BYTES_SWAP_16(value);

	memcpy(to, &swapped, sizeof(swapped));
}

static inline void
bytes_write_32(uint8_t *to, uint32_t value)
{
	rte_be32_t swapped = BYTES_SWAP_32(value);

	memcpy(to, &swapped, sizeof(swapped));
}

#endif /* BYTES_H */
