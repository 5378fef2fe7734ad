/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef REPLAY_TIME_H
#define REPLAY_TIME_H

/**
 * @file
 * What a capture's timestamps are to the engine's clock, which only goes forwards.
 *
 * Differences between packets count.  Packets that are a little older than one before them, as
 * those of a NIC's several queues are, come at once; the clock goes on when the capture has caught
 * up.  A larger step backwards, as where files were put together, goes on from the older time.
 * A packet whose time has nothing to do with that of both its neighbours comes at once, too.
 */

#include <stdint.h>
#include <time.h>

struct replay_time {
	int64_t at_ns;       /**< The capture's time now, by which OUT is written. */
	int64_t previous_ns; /**< Of the packet before. */
	uint64_t backward;   /**< Packets that are older than the one before them. */
};

/** A timestamp in nanoseconds; one that they have no room for is the nearest that they have. */
int64_t replay_time_ns(time_t seconds, long nanoseconds);

/** Begin with the first packet's time. */
void replay_time_start(struct replay_time *time, int64_t first_ns);

/**
 * How much time passes until a packet: never more than what every timer has run out in.
 *
 * @param next_ns
 *   When the packet after it was captured; its own time when there is none.
 * @param arrival_ns
 *   Set to what at_ns is to be when that has passed.
 */
uint64_t replay_time_gap(
		struct replay_time *time, int64_t packet_ns, int64_t next_ns, int64_t *arrival_ns);

#endif /* REPLAY_TIME_H */
