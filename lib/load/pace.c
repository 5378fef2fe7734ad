/* SPDX-License-Identifier: BSD-3-Clause */

#include <math.h>

#include "load/pace.h"

#define QUANTILES (1u << PACE_QUANTILE_BITS)
/* A hundred days, as in the first microsecond of a ramp; nine of them, for Poisson, fit as well. */
#define GAP_MAX 0x1p59

/* Mean of each of QUANTILES equally likely slices, so that their mean is exactly 1. */
static void
fill_quantiles(uint32_t quantile[QUANTILES])
{
	/* The integral of -ln(1 - p) is (1 - p) ln(1 - p) + p. */
	double below = 0.0;

	for (unsigned int i = 0; i < QUANTILES; i++) {
		const double rest = 1.0 - (i + 1.0) / QUANTILES;
		const double upto = (rest > 0.0 ? rest * log(rest) : 0.0) + 1.0 - rest;

		quantile[i] = (uint32_t)((upto - below) * QUANTILES * (1 << PACE_SHIFT) + 0.5);
		below = upto;
	}
}

void
pace_init(struct pace *pace, enum pace_shape shape, uint64_t seed, uint64_t now_us)
{
	pace->shape = shape;
	pace->next = now_us << PACE_SHIFT;
	pace->gap = 0;
	pace->random = seed;
	fill_quantiles(pace->quantile);
}

void
pace_set_rate(struct pace *pace, double per_second, uint64_t now_us)
{
	const uint64_t before = pace->gap, now = now_us << PACE_SHIFT;
	const double gap = 1e6 * (1 << PACE_SHIFT) / per_second;

	/* After a pause nothing is owed for it. */
	if (before == 0 && pace->next < now)
		pace->next = now;
	pace->gap = per_second > 0.0 ? (uint64_t)fmin(GAP_MAX, gap + 0.5) : 0;
	if (per_second > 0.0 && pace->gap == 0)
		pace->gap = 1;
	/* What is left of a gap is as much of the new one: a ramp begins with gaps of seconds. */
	if (before != 0 && pace->gap != 0 && pace->next > now)
		pace->next = now + (uint64_t)((double)(pace->next - now) * (double)pace->gap /
						   (double)before);
}

static uint64_t
next_gap(struct pace *pace)
{
	uint64_t random = pace->random;

	if (pace->shape == PACE_EVEN)
		return pace->gap;
	random ^= random << 13;
	random ^= random >> 7;
	random ^= random << 17;
	pace->random = random;
	return (uint64_t)(((unsigned __int128)pace->gap *
					  pace->quantile[random >> (64 - PACE_QUANTILE_BITS)]) >>
			  PACE_SHIFT);
}

bool
pace_take(struct pace *pace, uint64_t now_us, uint64_t *intended_us)
{
	if (pace->gap == 0 || pace->next > now_us << PACE_SHIFT)
		return false;
	*intended_us = pace->next >> PACE_SHIFT;
	pace->next += next_gap(pace);
	return true;
}
