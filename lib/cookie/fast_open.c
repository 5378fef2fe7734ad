/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>

#include "cookie/fast_open.h"

/* The key of a period: as unpredictable as the secret, and no help to find it or another. */
static struct siphash_key
fast_open_key(const struct siphash_key *secret, uint64_t period)
{
	const uint64_t halves[2][2] = {{period, 0}, {period, 1}};

	return (struct siphash_key){
			.k0 = siphash_24(secret, halves[0], sizeof(halves[0])),
			.k1 = siphash_24(secret, halves[1], sizeof(halves[1])),
	};
}

static uint64_t
fast_open_hash(const struct siphash_key *secret, const struct fast_open_pair *pair, uint64_t period)
{
	const struct siphash_key key = fast_open_key(secret, period);

	return siphash_24(&key, pair, sizeof(*pair));
}

void
fast_open_make(const struct siphash_key *secret, const struct fast_open_pair *pair, uint64_t now_us,
		uint8_t cookie[FAST_OPEN_COOKIE_BYTES])
{
	const uint64_t hash = fast_open_hash(secret, pair, now_us >> FAST_OPEN_PERIOD_SHIFT);

	memcpy(cookie, &hash, sizeof(hash));
}

enum fast_open_verdict
fast_open_check(const struct siphash_key *secret, const struct fast_open_pair *pair,
		uint64_t now_us, const uint8_t *cookie, unsigned int length)
{
	const uint64_t period = now_us >> FAST_OPEN_PERIOD_SHIFT;
	uint64_t given, current, retired;

	if (length != FAST_OPEN_COOKIE_BYTES)
		return FAST_OPEN_BAD;
	memcpy(&given, cookie, sizeof(given));
	/* Words are compared, not bytes: no time tells how much of a guess was right. */
	current = fast_open_hash(secret, pair, period) ^ given;
	retired = fast_open_hash(secret, pair, period - 1) ^ given;
	if (current == 0)
		return FAST_OPEN_GOOD;
	return retired == 0 ? FAST_OPEN_RETIRED : FAST_OPEN_BAD;
}
