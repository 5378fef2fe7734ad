/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef HEALTH_H
#define HEALTH_H

/**
 * @file
 * Which backends are well: control's part of checking them.
 *
 * Some times a second control looks what came of checks (checks.h) and of clients' handshakes
 * (backends.h), lets each backend's state follow (lib/balance/backend.h), logs and counts what
 * changes, tells the workers who can be used, and has the checks made that are due.  It also keeps
 * each pool's profile: what every backend that can be used understands of TCP.
 */

#include <stdbool.h>
#include <stdint.h>

#include "engine/checks.h"

struct engine;

/** How often control should look. */
#define HEALTH_POLL_MS 20

#define HEALTH_NOBODY  0 /**< In health.of_port. */

/** What is shown of a backend's checks. */
struct health_record {
	uint64_t checks;
	uint64_t failures;
	uint64_t ups;     /**< Changes to up. */
	uint64_t downs;   /**< Changes to down. */
	uint32_t took_us; /**< The last one. */
	uint16_t code;    /**< The last one's HTTP status; 0: none. */
	uint8_t result;   /**< enum check_result of the last one; CHECK_RESULTS: none so far. */
};

struct health {
	struct check check[SETTINGS_BACKENDS_MAX];
	uint16_t of_port[UINT16_MAX + 1]; /**< By local port: backend + 1, or HEALTH_NOBODY.
					   * Atomic; in host order. */

	/* Control's, behind backends.control. */
	struct health_record record[SETTINGS_BACKENDS_MAX];
	bool asked[SETTINGS_BACKENDS_MAX]; /**< A check is with a worker. */
	bool changed;                      /**< A backend can, or cannot, be used since. */
	uint64_t summed_ms;                /**< When workers' counts were last looked at. */
	uint64_t random;
};

struct health *health_create(void);

void health_free(struct health *health);

/** Look at everything; by control, every HEALTH_POLL_MS. */
void health_poll(struct engine *engine);

/** Whether there is anything to look at. */
bool health_is_needed(const struct engine *engine);

/** "good", "refused", "HTTP status". */
const char *health_result_name(enum check_result result);

/** The backend that is checked from a local port, as it may be; HEALTH_NOBODY is none. */
static inline unsigned int
health_of_port(const struct health *health, rte_be16_t local_port)
{
	return __atomic_load_n(&health->of_port[rte_be_to_cpu_16(local_port)], __ATOMIC_RELAXED);
}

#endif /* HEALTH_H */
