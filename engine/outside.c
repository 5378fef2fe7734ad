/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>

#include <sys/random.h>

#include <rte_common.h>

#include "cookie/siphash.h"
#include "engine/outside.h"

static struct {
	bool fixed;
	uint64_t seed;
	uint64_t drawn; /**< Words of chance so far. */
	uint64_t unix_ms;
} outside;

void
outside_fix(uint64_t seed, uint64_t unix_ms)
{
	outside.fixed = true;
	outside.seed = seed;
	outside.drawn = 0;
	outside.unix_ms = unix_ms;
}

void
outside_set_ms(uint64_t unix_ms)
{
	outside.unix_ms = unix_ms;
}

bool
outside_random(void *bytes, size_t size)
{
	const struct siphash_key key = {outside.seed, ~outside.seed};
	uint8_t *to = bytes;

	if (!outside.fixed)
		return getrandom(bytes, size, 0) == (ssize_t)size;
	while (size > 0) {
		const uint64_t word = siphash_24(&key, &outside.drawn, sizeof(outside.drawn));
		const size_t part = RTE_MIN(size, sizeof(word));

		memcpy(to, &word, part);
		outside.drawn++;
		to += part;
		size -= part;
	}
	return true;
}

uint64_t
outside_ms(clockid_t clock)
{
	struct timespec now;

	if (outside.fixed)
		return outside.unix_ms;
	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
