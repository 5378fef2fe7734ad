/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef SERVICES_H
#define SERVICES_H

/**
 * @file
 * The services as the workers see them: listeners by number, prepared replies, timeouts, the map of
 * each port, and the connection limit that holds for a service as a whole.
 *
 * All of it is a snapshot behind engine.services: built by control, never changed after it was
 * published.  A worker reads the pointer once, when a turn begins, and uses that snapshot for the
 * whole turn (worker.services).  Only the limits change, and they outlive snapshots.
 */

#include <stdbool.h>
#include <stdint.h>

#include "respond/respond.h"
#include "settings/settings.h"
#include "table/service_map.h"
#include "tcp/flow_key.h"
#include "tcp/tcp_step.h"

struct engine;
struct pool;
struct pools;
struct port;

/** One address and port where a service listens; flow_key.endpoint is its number. */
struct listener {
	uint8_t address[16];
	rte_be16_t port;
	uint16_t service;
	uint8_t family;           /**< 4 or 6. */
	uint64_t cookie_endpoint; /**< What stands for it in a SYN cookie, on every node. */
};

/**
 * Connections that may still be opened, over all workers, and SYN-ACKs that may be sent.  Workers
 * take and give back a few at a time (services_admit()), so this line is touched seldom.
 */
struct service_limit {
	int64_t credit; /**< Atomic. */
	uint32_t batch;
	uint64_t synack_full_at; /**< synack_rate's bucket (gcra.h).  Atomic. */
} __rte_cache_aligned;

struct service {
	const struct settings_service *settings;
	struct respond_service *respond;
	struct tcp_config tcp;
	uint32_t fast_open_pending; /**< The most that a worker may have; 0 without Fast Open. */
	struct service_limit *limit;
	const struct pool *pool; /**< With mode: proxy: whose backends answer; else NULL. */
	uint16_t path_mss;       /**< No more than this is said to clients; 0: the port's. */
	uint16_t first_window;   /**< With mode: proxy: what is held until a backend answers. */
	uint64_t synack_cost;    /**< Of one of synack_rate's tokens; 0 without a limit. */
	uint32_t synack_batch;   /**< So many are taken at a time. */
};

/** A worker's share of a service. */
struct service_share {
	uint64_t opened;
	uint64_t closed;
	uint64_t reset;
	uint64_t timed_out;
	uint64_t requests;
	uint32_t connections;   /**< In the worker's table now, half-open ones too. */
	uint32_t credit;        /**< Taken from service.limit and not used. */
	uint32_t synack_credit; /**< The same, of SYN-ACKs. */
	/** Connections of the worker in SYN_RCVD whose SYN's text was taken (RFC 7413 5.1). */
	uint32_t fast_open_pending;
	uint32_t half_open;        /**< Connections of the worker in SYN_RCVD. */
	uint32_t half_open_oldest; /**< Slots plus one of those that may give way; 0 is none. */
	uint32_t half_open_newest;
	bool cookies_on;           /**< cookies: auto has begun.  Atomic. */
	bool cookies_reported;     /**< Control's: what was logged last. */
	uint64_t cookies_until_us; /**< Until when at least; when off, since when. */
	uint64_t cookies_hold_us;  /**< How long it was to last at least. */
	uint64_t cookies_sent_us;  /**< When the last cookie was sent; 0 is never. */
	uint64_t syns_since_us;    /**< Where the second of the next member begins. */
	uint32_t syns;             /**< SYNs of strangers in it, if there is a max_syn_rate. */
	uint32_t syns_before;      /**< In the second before. */
};

struct services {
	unsigned int listener_count;
	struct listener *listener;
	unsigned int service_count; /**< The one of our own, and those of the settings. */
	struct service *service;
	bool synacks_limited;                        /**< A service has a synack_rate. */
	struct service_map *map[SETTINGS_PORTS_MAX]; /**< By port: our addresses, who listens. */
	struct pools *pools;                         /**< Whom services in front of others use. */
};

/** The service behind connections that we open: says nothing and closes at once.  The colon keeps
 * it apart from the settings' names. */
#define SERVICES_OWN_NAME   "probe:"
#define SERVICES_OWN        0 /**< Its number. */
#define SERVICES_CHECK_NAME "check:"

/** Which service a connection belongs to, from its key; passive or active, not nobody's. */
static inline unsigned int
services_number(const struct services *services, const struct flow_key *key)
{
	return flow_key_is_active(key) ? SERVICES_OWN : services->listener[key->endpoint].service;
}

/** What is said to a backend that is checked, or the service of our own. */
const struct service *services_of_check(
		const struct services *services, const struct flow_key *key);

/** The service a connection belongs to. */
static inline const struct service *
services_of(const struct services *services, const struct flow_key *key)
{
	if (flow_key_is_check(key))
		return services_of_check(services, key);
	return &services->service[services_number(services, key)];
}

/**
 * Prepare every service of the settings.
 *
 * @return
 *   NULL after the reason was logged (a body file that cannot be read, no memory).
 */
struct services *services_create(const struct settings *settings, unsigned int workers);

void services_free(struct services *services);

/**
 * Prepare the pools of the settings, and put them behind the services that name them; ports and
 * workers exist.
 *
 * @return 0, or -1 after the reason was logged.
 */
int services_attach_pools(
		struct engine *engine, struct services *services, const struct settings *settings);

/**
 * Build the map of a port: its own addresses, the services in its subnets, and those in nobody's
 * subnet, which a gateway sends here.
 *
 * @return 0, or -1 after the reason was logged.
 */
int services_map_port(struct services *services, const struct settings *settings,
		const struct port *port);

/**
 * Prepare what says @p text, at most RESPOND_BODY_MAX bytes, as soon as it is connected, and then
 * listens; to be let go with services_free_check().
 *
 * @return 0, or -1 after the reason was logged.
 */
int services_prepare_check(struct service *service, const struct settings *settings,
		const uint8_t *text, size_t length);

void services_free_check(struct service *service);

/** Whether one more connection may open; exact over all workers. */
bool services_admit(const struct service *service, struct service_share *share);

/** Whether the address is in one of the port's subnets. */
bool services_in_subnets(const uint8_t address[16], const struct settings_port *port);

/** A connection ended. */
void services_release(const struct service *service, struct service_share *share);

#endif /* SERVICES_H */
