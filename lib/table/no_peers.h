/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef NO_PEERS_H
#define NO_PEERS_H

/**
 * @file
 * Whether an address may be a peer's at all: the quick half of the question.
 *
 * A bit by the end of an address says whether one that is no peer's, ours or a subnet's broadcast
 * address, ends so.  Of the few that are found so the service map knows more.
 */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/** Words of bits; two registers of AVX-512 hold them. */
#define NO_PEERS_WORDS 32

/** An address's end times this: its upper bits say which word, the next five which bit. */
#define NO_PEERS_FACTOR     UINT32_C(0x9e3779b1)
#define NO_PEERS_WORD_SHIFT 27
#define NO_PEERS_BIT_SHIFT  22

_Static_assert(NO_PEERS_WORDS == 1 << (32 - NO_PEERS_WORD_SHIFT), "so many upper bits");

struct no_peers {
	uint32_t bits[NO_PEERS_WORDS];
};

static inline uint32_t
no_peers_place(const uint8_t address[16])
{
	uint32_t end;

	memcpy(&end, address + 12, sizeof(end));
	return end * NO_PEERS_FACTOR;
}

/** An address (16 bytes, IPv4-mapped) is no peer's. */
static inline void
no_peers_add(struct no_peers *no_peers, const uint8_t address[16])
{
	const uint32_t place = no_peers_place(address);

	no_peers->bits[place >> NO_PEERS_WORD_SHIFT] |= UINT32_C(1)
							<< (place >> NO_PEERS_BIT_SHIFT) % 32;
}

/** Whether an address ends as one that is no peer's. */
static inline bool
no_peers_may_hold(const struct no_peers *no_peers, const uint8_t address[16])
{
	const uint32_t place = no_peers_place(address);

	return (no_peers->bits[place >> NO_PEERS_WORD_SHIFT] >> (place >> NO_PEERS_BIT_SHIFT) % 32 &
			       1) != 0;
}

#endif /* NO_PEERS_H */
