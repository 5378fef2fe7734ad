/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef TIMER_WHEEL_H
#define TIMER_WHEEL_H

/**
 * @file
 * One timeout per connection: a lazy wheel over the connections' own lines.
 *
 * Scheduling writes the deadline and, unless the connection already waits in a slot that comes no
 * later, moves it; so the usual case (a deadline pushed back by each packet) is one store.  When a
 * slot comes up, connections whose deadline has moved on go to a later slot, the others expire.
 * Deadlines beyond the wheel wait in its last slot and are looked at again.  A shortened deadline
 * is honoured.  Expiry has a budget per call and catches up over missed ticks.
 *
 * Links are slots in the conn_table's array (conn.timer_next, timer_prev), the slot's tick is
 * conn.tcp.timer_tick, so the wheel itself is only the slot heads.  Same owner as the table.
 */

#include <stddef.h>
#include <stdint.h>

#include "table/conn_table.h"

struct timer_wheel;

/** Bytes timer_wheel_init() needs, whatever the table's size. */
size_t timer_wheel_footprint(void);

/**
 * Lay an empty wheel out in @p memory (64-byte aligned, the caller's) over all lines of @p table.
 *
 * Times are milliseconds of any clock that wraps at 2^32; deadlines lie less than 2^31 ahead.
 */
struct timer_wheel *timer_wheel_init(void *memory, struct conn_table *table, uint32_t now_ms);

/** Set the deadline; the connection may or may not be scheduled already. */
void timer_wheel_schedule(struct timer_wheel *wheel, struct conn *conn, uint32_t deadline_ms);

/** Whether a deadline is set; false for a connection that is all zero. */
static inline bool
timer_wheel_is_scheduled(const struct conn *conn)
{
	return conn->timer_prev != 0;
}

/**
 * timer_wheel_schedule(), in line for the usual case: that it waits already, and is to wait longer.
 */
static inline void
timer_wheel_postpone(struct timer_wheel *wheel, struct conn *conn, uint32_t deadline_ms)
{
	if (timer_wheel_is_scheduled(conn) && (int32_t)(deadline_ms - conn->timer_deadline_ms) >= 0)
		conn->timer_deadline_ms = deadline_ms;
	else
		timer_wheel_schedule(wheel, conn, deadline_ms);
}

/**
 * timer_wheel_schedule(), for a connection that will probably want to be called earlier soon: it
 * waits where @p earliest_ms is due, if that is before its deadline, and moves on from there.
 */
void timer_wheel_schedule_early(struct timer_wheel *wheel, struct conn *conn, uint32_t deadline_ms,
		uint32_t earliest_ms);

/**
 * The same for @p n connections, at least one, that never waited: they go to the list together,
 * and to @p deadline_ms if @p earliest_ms is not before it.
 */
void timer_wheel_schedule_new(struct timer_wheel *wheel, struct conn *const conns[], unsigned int n,
		uint32_t deadline_ms, uint32_t earliest_ms);

/**
 * timer_wheel_schedule() for some of many connections, @p delays_ms from now.  Whether they are to
 * wait longer than before or less long, which in a mixture is anybody's guess, is nowhere asked.
 *
 * @param some
 *   A bit for each.
 */
void timer_wheel_schedule_some(struct timer_wheel *wheel, struct conn *const conns[],
		const uint32_t delays_ms[], uint32_t now_ms, uint32_t some);

/** Forget the deadline, in any case; needed before conn_table_remove(). */
void timer_wheel_cancel(struct timer_wheel *wheel, struct conn *conn);

/**
 * Take out connections whose deadline is at or before @p now_ms, never early and at most one tick
 * (TIMER_WHEEL_TICK_MS) late unless the budget ran out.
 *
 * @param expired
 *   Filled with connections that are no longer scheduled.
 * @param max
 *   Budget: at most this many are returned, and at most four times as many looked at.
 * @return
 *   How many; the next call goes on where this one stopped.
 */
unsigned int timer_wheel_expire(struct timer_wheel *wheel, uint32_t now_ms, struct conn *expired[],
		unsigned int max);

/** How many milliseconds until something may be due, at most @p limit_ms; for sleeping. */
uint32_t timer_wheel_idle_ms(const struct timer_wheel *wheel, uint32_t now_ms, uint32_t limit_ms);

#define TIMER_WHEEL_TICK_MS 8

#endif /* TIMER_WHEEL_H */
