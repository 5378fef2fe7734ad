/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The timer wheel: a few lists of connections per tick, the deadline itself in the connection.
 *
 * Two minutes of ticks fit: TIME-WAIT and the longest retransmission timeout are reached without a
 * second look.  The wheel knows only the next tick it has to look at, as milliseconds; since its
 * size and its tick are powers of two, ticks keep their slots when the clock wraps.
 *
 * Links are slots of the table plus something; 0 in timer_prev says that a connection is in no
 * list, which a fresh connection is.  A list is not sorted and its order means nothing.
 *
 * Who comes up has not been touched for seconds, so his line is far away, and who comes after him
 * in his list is written there.  Several lists, taken from in turns, are waited for at once.
 */

#include <string.h>

#include <rte_bitops.h>
#include <rte_branch_prediction.h>
#include <rte_common.h>

#include "table/timer_wheel.h"

#define WHEEL_SLOTS 16384
#define SLOT_MASK   (WHEEL_SLOTS - 1)
#define WHEEL_MS    (WHEEL_SLOTS * TIMER_WHEEL_TICK_MS)
#define WHEEL_LISTS 4 /* Of a tick. */

_Static_assert(RTE_IS_POWER_OF_2(WHEEL_SLOTS) && RTE_IS_POWER_OF_2(TIMER_WHEEL_TICK_MS),
		"ticks keep their slots when the clock wraps");
_Static_assert(RTE_IS_POWER_OF_2(WHEEL_LISTS), "lists take turns");
_Static_assert(WHEEL_SLOTS <= UINT16_MAX + 1, "conn.tcp.timer_tick names a slot");

#define LINK_NONE  0 /* As timer_prev: in no list.  As timer_next and head: the list ends. */
#define LINK_HEAD  1 /* As timer_prev: the first of list 0; plus one, of list 1, and so on. */
#define LINK_SHIFT (LINK_HEAD + WHEEL_LISTS) /* Other links are slots plus this. */

/* Connections looked at for each one that may be returned. */
#define LOOKS_PER_EXPIRY 4

struct timer_wheel {
	struct conn *conns;
	uint32_t next_ms; /* The tick not yet finished, as its first millisecond. */
	uint32_t turn;    /* The list, of any tick, that is added to next; modulo WHEEL_LISTS. */
	uint32_t head[WHEEL_SLOTS][WHEEL_LISTS];
} __rte_aligned(64);

size_t
timer_wheel_footprint(void)
{
	return sizeof(struct timer_wheel);
}

struct timer_wheel *
timer_wheel_init(void *memory, struct conn_table *table, uint32_t now_ms)
{
	struct timer_wheel *wheel = memory;

	memset(wheel, 0, sizeof(*wheel));
	wheel->conns = conn_table_conns(table);
	wheel->next_ms = RTE_ALIGN_FLOOR(now_ms, TIMER_WHEEL_TICK_MS);
	return wheel;
}

static inline struct conn *
conn_of_link(const struct timer_wheel *wheel, uint32_t link)
{
	return &wheel->conns[link - LINK_SHIFT];
}

static inline uint32_t
link_of_conn(const struct timer_wheel *wheel, const struct conn *conn)
{
	return (uint32_t)(conn - wheel->conns) + LINK_SHIFT;
}

static inline uint32_t
slot_of(uint32_t tick_ms)
{
	return tick_ms / TIMER_WHEEL_TICK_MS & SLOT_MASK;
}

/* Ticks from the next one to the first that begins at or after the deadline, within the wheel. */
static inline uint32_t
ticks_until(const struct timer_wheel *wheel, uint32_t deadline_ms)
{
	int32_t ahead_ms = (int32_t)(deadline_ms - wheel->next_ms);

	if (ahead_ms <= 0)
		return 0;
	if (ahead_ms >= WHEEL_MS - TIMER_WHEEL_TICK_MS)
		return WHEEL_SLOTS - 1;
	return ((uint32_t)ahead_ms + TIMER_WHEEL_TICK_MS - 1) / TIMER_WHEEL_TICK_MS;
}

/* @p first becomes the list's first, and @p last is followed by who was. */
static inline void
list_prepend(struct timer_wheel *wheel, uint32_t slot, struct conn *first, struct conn *last)
{
	const uint32_t list = wheel->turn++ % WHEEL_LISTS;
	const uint32_t before = wheel->head[slot][list];

	last->timer_next = before;
	first->timer_prev = LINK_HEAD + list;
	if (before != LINK_NONE)
		conn_of_link(wheel, before)->timer_prev = link_of_conn(wheel, last);
	wheel->head[slot][list] = link_of_conn(wheel, first);
}

static inline void
conn_link(struct timer_wheel *wheel, struct conn *conn, uint32_t ticks)
{
	const uint32_t slot = (slot_of(wheel->next_ms) + ticks) & SLOT_MASK;

	conn->tcp.timer_tick = (uint16_t)slot;
	list_prepend(wheel, slot, conn, conn);
}

static inline void
conn_unlink(struct timer_wheel *wheel, struct conn *conn)
{
	if (conn->timer_prev < LINK_SHIFT)
		wheel->head[conn->tcp.timer_tick][conn->timer_prev - LINK_HEAD] = conn->timer_next;
	else
		conn_of_link(wheel, conn->timer_prev)->timer_next = conn->timer_next;
	if (conn->timer_next != LINK_NONE)
		conn_of_link(wheel, conn->timer_next)->timer_prev = conn->timer_prev;
	conn->timer_prev = LINK_NONE;
	conn->timer_next = LINK_NONE;
}

static inline void
conn_schedule(struct timer_wheel *wheel, struct conn *conn, uint32_t deadline_ms)
{
	uint32_t ticks = ticks_until(wheel, deadline_ms);

	conn->timer_deadline_ms = deadline_ms;
	if (conn->timer_prev != LINK_NONE) {
		uint32_t slot = slot_of(wheel->next_ms);

		if (likely(((conn->tcp.timer_tick - slot) & SLOT_MASK) <= ticks))
			return;
		conn_unlink(wheel, conn);
	}
	conn_link(wheel, conn, ticks);
}

void
timer_wheel_schedule(struct timer_wheel *wheel, struct conn *conn, uint32_t deadline_ms)
{
	conn_schedule(wheel, conn, deadline_ms);
}

void
timer_wheel_schedule_some(struct timer_wheel *wheel, struct conn *const conns[],
		const uint32_t delays_ms[], uint32_t now_ms, uint32_t some)
{
	for (; some != 0; some &= some - 1) {
		const unsigned int i = rte_bsf32(some);

		conn_schedule(wheel, conns[i], now_ms + delays_ms[i]);
	}
}

void
timer_wheel_schedule_early(struct timer_wheel *wheel, struct conn *conn, uint32_t deadline_ms,
		uint32_t earliest_ms)
{
	const bool early = (int32_t)(earliest_ms - deadline_ms) < 0;

	if (likely(early && conn->timer_prev == LINK_NONE)) {
		conn->timer_deadline_ms = deadline_ms;
		conn_link(wheel, conn, ticks_until(wheel, earliest_ms));
		return;
	}
	if (early)
		timer_wheel_schedule(wheel, conn, earliest_ms);
	timer_wheel_schedule(wheel, conn, deadline_ms);
}

void
timer_wheel_schedule_new(struct timer_wheel *wheel, struct conn *const conns[], unsigned int n,
		uint32_t deadline_ms, uint32_t earliest_ms)
{
	const bool early = (int32_t)(earliest_ms - deadline_ms) < 0;
	const uint32_t ticks = ticks_until(wheel, early ? earliest_ms : deadline_ms);
	const uint32_t slot = (slot_of(wheel->next_ms) + ticks) & SLOT_MASK;

	for (unsigned int k = 0; k < n; k++) {
		struct conn *conn = conns[k];

		conn->tcp.timer_tick = (uint16_t)slot;
		conn->timer_deadline_ms = deadline_ms;
		if (k > 0) {
			conn->timer_prev = link_of_conn(wheel, conns[k - 1]);
			conns[k - 1]->timer_next = link_of_conn(wheel, conn);
		}
	}
	list_prepend(wheel, slot, conns[0], conns[n - 1]);
}

void
timer_wheel_cancel(struct timer_wheel *wheel, struct conn *conn)
{
	if (conn->timer_prev != LINK_NONE)
		conn_unlink(wheel, conn);
}

/* A wheel that stood still for more than one turn looks at each slot once, not at each tick. */
static inline void
skip_turns(struct timer_wheel *wheel, uint32_t now_ms)
{
	if (unlikely(now_ms - wheel->next_ms >= WHEEL_MS))
		wheel->next_ms = RTE_ALIGN_FLOOR(now_ms, TIMER_WHEEL_TICK_MS) -
				 (WHEEL_MS - TIMER_WHEEL_TICK_MS);
}

/*
 * Link a connection that came up and is not due.  Always to a later slot: from a wheel that is late
 * the farthest deadlines seem to lie in the past, and must not hold up this one.
 */
static inline void
conn_move_on(struct timer_wheel *wheel, struct conn *conn)
{
	uint32_t ticks = ticks_until(wheel, conn->timer_deadline_ms);

	conn_link(wheel, conn, ticks != 0 ? ticks : 1);
}

/* What is left of a budget, and what was taken out with it. */
struct expiry {
	struct conn **expired;
	unsigned int n;
	unsigned int max;
	unsigned int looks;
};

static inline void
conn_come_up(struct timer_wheel *wheel, struct conn *conn, uint32_t now_ms, struct expiry *expiry)
{
	expiry->looks--;
	conn_unlink(wheel, conn);
	if ((int32_t)(now_ms - conn->timer_deadline_ms) >= 0)
		expiry->expired[expiry->n++] = conn;
	else
		conn_move_on(wheel, conn);
}

/* The next of each list of the tick that is due. @return whether there was one, and budget. */
static inline bool
lists_come_up(struct timer_wheel *wheel, uint32_t now_ms, struct expiry *expiry)
{
	const uint32_t *head = wheel->head[slot_of(wheel->next_ms)];
	bool some = false;

	for (unsigned int list = 0; list < WHEEL_LISTS; list++) {
		if (head[list] == LINK_NONE)
			continue;
		if (expiry->n == expiry->max || expiry->looks == 0)
			return false;
		conn_come_up(wheel, conn_of_link(wheel, head[list]), now_ms, expiry);
		some = true;
	}
	return some;
}

static inline bool
slot_is_empty(const struct timer_wheel *wheel, uint32_t slot)
{
	uint32_t any = LINK_NONE;

	for (unsigned int list = 0; list < WHEEL_LISTS; list++)
		any |= wheel->head[slot][list];
	return any == LINK_NONE;
}

unsigned int
timer_wheel_expire(struct timer_wheel *wheel, uint32_t now_ms, struct conn *expired[],
		unsigned int max)
{
	struct expiry expiry = {.expired = expired, .max = max, .looks = max * LOOKS_PER_EXPIRY};

	if ((int32_t)(now_ms - wheel->next_ms) < 0)
		return 0;
	skip_turns(wheel, now_ms);
	while ((int32_t)(now_ms - wheel->next_ms) >= 0) {
		while (lists_come_up(wheel, now_ms, &expiry))
			;
		if (!slot_is_empty(wheel, slot_of(wheel->next_ms)))
			break;
		wheel->next_ms += TIMER_WHEEL_TICK_MS;
	}
	return expiry.n;
}

uint32_t
timer_wheel_idle_ms(const struct timer_wheel *wheel, uint32_t now_ms, uint32_t limit_ms)
{
	uint32_t tick_ms = wheel->next_ms;

	for (unsigned int i = 0; i < WHEEL_SLOTS; i++) {
		int32_t ahead_ms = (int32_t)(tick_ms - now_ms);

		if (ahead_ms > 0 && (uint32_t)ahead_ms >= limit_ms)
			break;
		if (!slot_is_empty(wheel, slot_of(tick_ms)))
			return ahead_ms > 0 ? (uint32_t)ahead_ms : 0;
		tick_ms += TIMER_WHEEL_TICK_MS;
	}
	return limit_ms;
}
