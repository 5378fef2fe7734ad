/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdbool.h>

#include <rte_common.h>

#include "replay_time.h"

#define TIME_SECOND_NS   INT64_C(1000000000)
#define TIME_SECONDS     INT64_C(9200000000) /* Some months less than there is room for. */
#define TIME_DISORDER_NS ((uint64_t)TIME_SECOND_NS)
/* Twice the longest timer that can be configured. */
#define TIME_GAP_NS ((uint64_t)TIME_SECOND_NS * 86400 * 40)

int64_t
replay_time_ns(time_t seconds, long nanoseconds)
{
	const int64_t capped = RTE_MIN((int64_t)seconds, TIME_SECONDS);

	return RTE_MAX(capped, -TIME_SECONDS) * TIME_SECOND_NS + nanoseconds;
}

void
replay_time_start(struct replay_time *time, int64_t first_ns)
{
	*time = (struct replay_time){.at_ns = first_ns, .previous_ns = first_ns};
}

/* Before another time by more than disorder; differences may be more than an int64_t has. */
static bool
is_before(int64_t ns, int64_t other_ns)
{
	return ns < other_ns && (uint64_t)other_ns - (uint64_t)ns > TIME_DISORDER_NS;
}

/* The next packet goes on from where the one before was, and this one was somewhere else. */
static bool
is_astray(int64_t at_ns, int64_t packet_ns, int64_t next_ns)
{
	return !is_before(next_ns, at_ns) &&
	       (is_before(packet_ns, at_ns) || is_before(next_ns, packet_ns));
}

uint64_t
replay_time_gap(struct replay_time *time, int64_t packet_ns, int64_t next_ns, int64_t *arrival_ns)
{
	const int64_t at_ns = time->at_ns;

	time->backward += packet_ns < time->previous_ns;
	time->previous_ns = packet_ns;
	*arrival_ns = at_ns;
	if (is_astray(at_ns, packet_ns, next_ns))
		return 0;
	if (packet_ns >= at_ns || is_before(packet_ns, at_ns))
		*arrival_ns = packet_ns;
	if (packet_ns < at_ns)
		return 0;
	return RTE_MIN((uint64_t)packet_ns - (uint64_t)at_ns, TIME_GAP_NS);
}
