/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The health of a backend.
 */

#include <stddef.h>

#include "balance/backend.h"

#define MARK 256

/* Beyond this many marks more of them say nothing new. */
#define MARKS_LIMIT (255 * MARK)

/* The wait before another try doubles this often, at most. */
#define RETRIES_MAX 5

static uint64_t
random_next(struct backend *backend)
{
	/* xorshift64* (Vigna 2016): jitter needs no more. */
	backend->random ^= backend->random >> 12;
	backend->random ^= backend->random << 25;
	backend->random ^= backend->random >> 27;
	return backend->random * UINT64_C(0x2545f4914f6cdd1d) >> 32;
}

static uint64_t
random_below(struct backend *backend, uint64_t limit)
{
	return limit == 0 ? 0 : random_next(backend) % limit;
}

void
backend_init(struct backend *backend, const struct backend_rules *rules, uint64_t seed,
		uint64_t now_ms)
{
	*backend = (struct backend){
			.random = seed * UINT64_C(0x9e3779b97f4a7c15) | 1,
			.since_ms = now_ms,
			.faded_ms = now_ms,
			.health = BACKEND_UNKNOWN,
	};
	random_next(backend);
	backend->check_ms = now_ms + random_below(backend, rules->interval_ms);
}

enum backend_state
backend_state(const struct backend *backend)
{
	if (backend->draining && backend->health != BACKEND_DOWN)
		return BACKEND_DRAIN;
	return (enum backend_state)backend->health;
}

/* Become @p health, and tell how that looks from outside. */
static struct backend_change
become(struct backend *backend, enum backend_state health, enum backend_reason reason,
		uint64_t now_ms)
{
	struct backend_change change = {.from = (uint8_t)backend_state(backend)};

	backend->health = (uint8_t)health;
	change.to = (uint8_t)backend_state(backend);
	if (change.from != change.to) {
		change.reason = (uint8_t)reason;
		backend->since_ms = now_ms;
	}
	return change;
}

static struct backend_change
stay(const struct backend *backend)
{
	uint8_t state = (uint8_t)backend_state(backend);

	return (struct backend_change){.from = state, .to = state};
}

bool
backend_check_is_due(
		const struct backend *backend, const struct backend_rules *rules, uint64_t now_ms)
{
	return rules->checked && now_ms >= backend->check_ms;
}

void
backend_check_begun(struct backend *backend, const struct backend_rules *rules, uint64_t now_ms)
{
	const uint64_t eighth = rules->interval_ms / 8;

	backend->check_ms = now_ms + rules->interval_ms - eighth +
			    random_below(backend, 2 * eighth + 1);
}

struct backend_change
backend_checked(struct backend *backend, const struct backend_rules *rules, bool good,
		uint64_t now_ms)
{
	if (good) {
		backend->failed = 0;
		if (backend->good < UINT8_MAX)
			backend->good++;
		if (backend->health != BACKEND_UP &&
				(backend->health == BACKEND_UNKNOWN ||
						backend->good >= rules->rise)) {
			backend->marks = 0;
			return become(backend, BACKEND_UP, BACKEND_REASON_CHECK, now_ms);
		}
		return stay(backend);
	}
	backend->good = 0;
	if (backend->failed < UINT8_MAX)
		backend->failed++;
	if (backend->health != BACKEND_DOWN &&
			(backend->health == BACKEND_UNKNOWN || backend->failed >= rules->fall))
		return become(backend, BACKEND_DOWN, BACKEND_REASON_CHECK, now_ms);
	return stay(backend);
}

/* Half of the marks for every half-life that passed. */
static void
fade(struct backend *backend, const struct backend_rules *rules, uint64_t now_ms)
{
	if (rules->mark_halflife_ms == 0)
		return;
	while (now_ms - backend->faded_ms >= rules->mark_halflife_ms) {
		backend->marks /= 2;
		backend->faded_ms += rules->mark_halflife_ms;
		if (backend->marks == 0)
			backend->faded_ms = now_ms;
	}
}

/* Down because of clients' handshakes. */
static struct backend_change
go_down_by_marks(struct backend *backend, const struct backend_rules *rules, uint64_t now_ms)
{
	backend->marks = 0;
	backend->good = 0;
	if (!rules->checked) {
		backend->retry_ms = now_ms + ((uint64_t)rules->retry_ms << backend->retries);
		if (backend->retries < RETRIES_MAX)
			backend->retries++;
	}
	return become(backend, BACKEND_DOWN, BACKEND_REASON_MARKS, now_ms);
}

struct backend_change
backend_handshakes(struct backend *backend, const struct backend_rules *rules, uint32_t failed,
		uint32_t opened, uint64_t now_ms)
{
	fade(backend, rules, now_ms);
	if (opened != 0) {
		backend->marks = 0;
		backend->retries = 0;
		return stay(backend);
	}
	if (failed == 0)
		return stay(backend);
	if (backend->marks == 0)
		backend->faded_ms = now_ms;
	if (failed >= MARKS_LIMIT / MARK || backend->marks + failed * MARK > MARKS_LIMIT)
		backend->marks = MARKS_LIMIT;
	else
		backend->marks += failed * MARK;
	/* One that is merely being tried again has no credit. */
	if (backend->health == BACKEND_DOWN || rules->marks_max == 0 ||
			(backend->retries == 0 &&
					backend->marks < (uint32_t)rules->marks_max * MARK))
		return stay(backend);
	return go_down_by_marks(backend, rules, now_ms);
}

struct backend_change
backend_tick(struct backend *backend, const struct backend_rules *rules, uint64_t now_ms)
{
	fade(backend, rules, now_ms);
	if (backend->health == BACKEND_DOWN && !rules->checked && now_ms >= backend->retry_ms)
		return become(backend, BACKEND_UNKNOWN, BACKEND_REASON_RETRY, now_ms);
	return stay(backend);
}

struct backend_change
backend_drain(struct backend *backend, bool draining, uint64_t now_ms)
{
	struct backend_change change = {.from = (uint8_t)backend_state(backend)};

	backend->draining = draining;
	change.to = (uint8_t)backend_state(backend);
	if (change.from != change.to) {
		change.reason = BACKEND_REASON_WEIGHT;
		backend->since_ms = now_ms;
	}
	return change;
}

const char *
backend_state_name(enum backend_state state)
{
	static const char *const names[BACKEND_STATES] = {
			[BACKEND_UNKNOWN] = "unknown",
			[BACKEND_UP] = "up",
			[BACKEND_DOWN] = "down",
			[BACKEND_DRAIN] = "drain",
	};

	return state < BACKEND_STATES ? names[state] : NULL;
}

const char *
backend_reason_name(enum backend_reason reason)
{
	static const char *const names[BACKEND_REASONS] = {
			[BACKEND_REASON_NONE] = "nothing",
			[BACKEND_REASON_CHECK] = "its checks",
			[BACKEND_REASON_MARKS] = "clients' handshakes",
			[BACKEND_REASON_RETRY] = "another try",
			[BACKEND_REASON_WEIGHT] = "its weight",
	};

	return reason < BACKEND_REASONS ? names[reason] : NULL;
}
