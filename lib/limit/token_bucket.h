/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef TOKEN_BUCKET_H
#define TOKEN_BUCKET_H

/**
 * @file
 * A token bucket without division: tokens are kept in millionths, so that a microsecond adds the
 * rate itself.  Holds at most one second's worth.  One owner.
 */

#include <stdbool.h>
#include <stdint.h>

#define TOKEN_BUCKET_UNIT 1000000 /**< One token. */

struct token_bucket {
	uint64_t tokens_millionths;
	uint64_t filled_us;       /**< When tokens were last added. */
	uint64_t rate_per_second; /**< 0 never gives a token. */
};

/** A full bucket. */
static inline void
token_bucket_init(struct token_bucket *bucket, uint64_t rate_per_second, uint64_t now_us)
{
	bucket->rate_per_second = rate_per_second;
	bucket->tokens_millionths = rate_per_second * TOKEN_BUCKET_UNIT;
	bucket->filled_us = now_us;
}

/** Add what came since the last time. */
static inline void
token_bucket_fill(struct token_bucket *bucket, uint64_t now_us)
{
	const uint64_t full = bucket->rate_per_second * TOKEN_BUCKET_UNIT;
	const uint64_t elapsed_us = now_us - bucket->filled_us;

	if (elapsed_us >= TOKEN_BUCKET_UNIT)
		bucket->tokens_millionths = full;
	else
		bucket->tokens_millionths += elapsed_us * bucket->rate_per_second;
	if (bucket->tokens_millionths > full)
		bucket->tokens_millionths = full;
	bucket->filled_us = now_us;
}

/** How many tokens could be taken. */
static inline uint64_t
token_bucket_count(struct token_bucket *bucket, uint64_t now_us)
{
	token_bucket_fill(bucket, now_us);
	return bucket->tokens_millionths / TOKEN_BUCKET_UNIT;
}

/** Take @p cost_millionths of tokens, if there are so many. */
static inline bool
token_bucket_take_cost(struct token_bucket *bucket, uint64_t now_us, uint64_t cost_millionths)
{
	token_bucket_fill(bucket, now_us);
	if (bucket->tokens_millionths < cost_millionths)
		return false;
	bucket->tokens_millionths -= cost_millionths;
	return true;
}

/** Take one token, if there is one. */
static inline bool
token_bucket_take(struct token_bucket *bucket, uint64_t now_us)
{
	return token_bucket_take_cost(bucket, now_us, TOKEN_BUCKET_UNIT);
}

#endif /* TOKEN_BUCKET_H */
