/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef BACKEND_H
#define BACKEND_H

/**
 * @file
 * Whether a backend is well: what its checks and its clients' handshakes say, as one state.
 *
 * Active checks: `fall` failures in a row bring a backend down, `rise` successes up again; the very
 * first result counts at once, for until then nobody knows.  Passive marks: a client's connection
 * that the backend refused or did not answer is a mark; a handshake that succeeds wipes all marks
 * off, and half of them fade with every half-life.  Enough marks bring a backend down, too.  It
 * comes up by its checks; without checks it is tried again after a while, which doubles as long as
 * it fails.
 *
 * Draining is the operator's wish, not the backend's health: both are kept, one is shown.
 *
 * Control's: every call says what time it is, nothing here reads a clock, sends or logs.  A change
 * of state is returned, so that the caller can log and count it.
 */

#include <stdbool.h>
#include <stdint.h>

enum backend_state {
	BACKEND_UNKNOWN, /**< Nobody has checked; new connections go there. */
	BACKEND_UP,
	BACKEND_DOWN,
	BACKEND_DRAIN, /**< Well or unknown, but no new connections are wanted. */
	BACKEND_STATES,
};

/** What made a state change. */
enum backend_reason {
	BACKEND_REASON_NONE,
	BACKEND_REASON_CHECK,  /**< The results of checks. */
	BACKEND_REASON_MARKS,  /**< Clients' handshakes that failed. */
	BACKEND_REASON_RETRY,  /**< It was down for long enough to be tried again. */
	BACKEND_REASON_WEIGHT, /**< The operator. */
	BACKEND_REASONS,
};

/** What a pool says about its checks. */
struct backend_rules {
	uint32_t interval_ms;      /**< From check to check, give or take an eighth. */
	uint32_t mark_halflife_ms; /**< 0: marks never fade. */
	uint32_t retry_ms;         /**< How long one without checks stays down at first. */
	uint8_t fall;              /**< Failed checks in a row; not 0. */
	uint8_t rise;              /**< Good checks in a row; not 0. */
	uint8_t marks_max;         /**< Marks that bring it down; 0: none do. */
	bool checked;              /**< Whether there are active checks. */
};

struct backend {
	uint64_t random; /**< For jitter; never 0. */
	uint64_t check_ms;
	uint64_t since_ms; /**< When the state shown began. */
	uint64_t faded_ms; /**< When marks were last made to fade. */
	uint64_t retry_ms; /**< When one that is down without checks is tried again. */
	uint32_t marks;    /**< In 1/256. */
	uint8_t health;    /**< enum backend_state, never BACKEND_DRAIN. */
	uint8_t failed;    /**< Checks in a row. */
	uint8_t good;      /**< Checks in a row. */
	uint8_t retries;   /**< How often it was tried again in vain; doubles the wait. */
	bool draining;
};

/** A change of state, or none: then @ref from equals @ref to. */
struct backend_change {
	uint8_t from;   /**< enum backend_state */
	uint8_t to;     /**< enum backend_state */
	uint8_t reason; /**< enum backend_reason */
};

/**
 * Begin, unknown.
 *
 * @param seed
 *   Spreads the checks of many; the first one is due within one interval.
 */
void backend_init(struct backend *backend, const struct backend_rules *rules, uint64_t seed,
		uint64_t now_ms);

/** The state shown. */
enum backend_state backend_state(const struct backend *backend);

/** Whether new connections may go there. */
static inline bool
backend_is_usable(const struct backend *backend)
{
	return backend_state(backend) == BACKEND_UP || backend_state(backend) == BACKEND_UNKNOWN;
}

/** Whether a check is due; it is to be begun then, and backend_checked() called with its end. */
bool backend_check_is_due(
		const struct backend *backend, const struct backend_rules *rules, uint64_t now_ms);

/** A check was begun: the next one is an interval, jittered, from now. */
void backend_check_begun(
		struct backend *backend, const struct backend_rules *rules, uint64_t now_ms);

/** A check ended. */
struct backend_change backend_checked(struct backend *backend, const struct backend_rules *rules,
		bool good, uint64_t now_ms);

/** Clients' handshakes since the last call: @p failed did not succeed, @p opened did. */
struct backend_change backend_handshakes(struct backend *backend, const struct backend_rules *rules,
		uint32_t failed, uint32_t opened, uint64_t now_ms);

/** Time passes: marks fade, and one that is down without checks may be tried again. */
struct backend_change backend_tick(
		struct backend *backend, const struct backend_rules *rules, uint64_t now_ms);

/** The operator wants it to drain, or not any more. */
struct backend_change backend_drain(struct backend *backend, bool draining, uint64_t now_ms);

/** "unknown", "up", "down", "drain". */
const char *backend_state_name(enum backend_state state);

/** As it follows "because of", such as "failed checks" for one that went down by checks. */
const char *backend_reason_name(enum backend_reason reason);

static inline bool
backend_changed(const struct backend_change *change)
{
	return change->from != change->to;
}

#endif /* BACKEND_H */
