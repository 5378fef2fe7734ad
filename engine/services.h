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
 *
 * Numbers are kept from one snapshot to the next, because connections carry them: a listener's in
 * their key, a service's through the listener.  When the replies of a service change, its
 * connections must go on with the old ones, which they may have to send again from any byte.
 * Therefore its addresses get new listeners: those that there were are retired, with the edition
 * of the service that they began with, and are found through listener.older until their last
 * connection is gone.
 */

#include <stdbool.h>
#include <stdint.h>

#include <rte_common.h>

#include "respond/respond.h"
#include "settings/settings.h"
#include "table/service_map.h"
#include "tcp/flow_key.h"
#include "tcp/tcp_step.h"

struct pool;
struct pools;
struct services_prefixes;
struct transparent;

#define LISTENER_NONE UINT16_MAX

/** One address and port where a service listens; flow_key.endpoint is its number. */
struct listener {
	uint8_t address[16];
	rte_be16_t port;
	uint16_t service; /**< Whose share its connections are in. */
	uint16_t edition; /**< What they are served with: position in services.service. */
	uint16_t older;   /**< The one there was before at this address, or LISTENER_NONE. */
	uint16_t newest;  /**< The one that new connections to this address get. */
	uint8_t family;   /**< 4 or 6; 0: the number is free. */
	bool closed;      /**< Takes no new connections: retired, or its service drains. */
	bool retired;     /**< Only there for the connections it has. */
	bool sealed;      /**< Retired so long ago that no cookie of it can be good. */
	uint64_t cookie_endpoint; /**< What stands for it in a SYN cookie, on every node. */
};

/**
 * Connections that may still be opened, over all workers, and SYN-ACKs that may be sent.  Workers
 * take and give back a few at a time (services_admit()), so this line is touched seldom.
 */
struct service_limit {
	int64_t credit;          /**< Atomic. */
	uint32_t batch;          /**< So many at a time. */
	uint32_t serial;         /**< Tells it from the one it replaced.  Never 0. */
	uint64_t synack_full_at; /**< synack_rate's bucket (gcra.h).  Atomic. */
	unsigned int users;      /**< Editions in snapshots.  Control's. */
	bool lowered;            /**< There may be more connections than it allows. */
} __rte_cache_aligned;

/** Replies, shared by the snapshots in which they are the same. */
struct service_replies {
	struct respond_service *respond;
	unsigned int users; /**< Editions in snapshots.  Control's. */
};

/** An edition of a service: what connections that began with it are served with. */
struct service {
	const struct settings_service *settings; /**< Never NULL; without a name, nobody's. */
	const struct respond_service *respond;
	struct tcp_config tcp;
	uint32_t fast_open_pending; /**< The most that a worker may have; 0 without Fast Open. */
	uint16_t number;            /**< Of the service. */
	bool retired;               /**< The settings do not have it any more. */
	bool drained;               /**< By hand: its connections stay, no new ones come. */
	struct service_limit *limit;
	struct service_replies *replies;
	const struct pool *pool; /**< Whose backends answer; NULL with mode: respond. */
	struct pools *pools;     /**< Where that is. */
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
	uint32_t limit_serial;  /**< Which limit that was. */
	uint32_t synack_credit; /**< As credit, of SYN-ACKs. */
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

/** Numbers of services there can be: those of the settings, and removed ones with connections. */
#define SERVICES_MAX           (2 * SETTINGS_SERVICES_MAX)
#define SERVICES_LISTENERS_MAX (FLOW_KEY_ACTIVE - 1)

/** How many older listeners one address may have; each costs a lookup per unknown packet. */
#define SERVICES_OLDER_MAX 32

struct services {
	const struct settings *settings; /**< As they are in force: what needs a restart stayed. */
	unsigned int listener_count;
	struct listener *listener;
	unsigned int service_count; /**< Numbers, the one of our own and free ones included. */
	unsigned int edition_count; /**< Those, and behind them older editions. */
	struct service *service;
	struct settings_service *copy; /**< service[i].settings points here. */
	bool changing;                 /**< Some listener is closed, or has an older one. */
	bool synacks_limited;          /**< A service has a synack_rate. */
	struct service_map *map[SETTINGS_PORTS_MAX]; /**< By port: our addresses, who listens. */
	struct pools *pools;                         /**< Whom services in front of others use. */
	bool has_proxy;                              /**< A service is mode: proxy. */
	bool has_direct;                             /**< A service is mode: direct. */
	bool has_echo;                               /**< A service echoes. */
	struct services_prefixes *prefixes;          /**< NULL without synack_rate_per_prefix. */
	struct transparent *transparent;             /**< NULL unless some have source: client. */
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

/** What a connection is served with. */
static inline const struct service *
services_of(const struct services *services, const struct flow_key *key)
{
	if (flow_key_is_check(key))
		return services_of_check(services, key);
	return &services->service[flow_key_is_active(key)
						  ? SERVICES_OWN
						  : services->listener[key->endpoint].edition];
}

/** Whether a number is a service's, of the settings or with connections. */
static inline bool
services_is_used(const struct services *services, unsigned int number)
{
	return services->service[number].settings->name[0] != '\0';
}

/** Free a snapshot, and what no other one shares with it; NULL is fine. */
void services_free(struct services *services);

/** Let go what services_prepare_check() prepared. */
void services_free_check(struct service *service);

/** A worker sees the services for the first time: its credits of changed limits are counted anew.
 */
void services_adopt(const struct services *services, struct service_share *shares);

/** Whether one more connection may open; exact over all workers. */
bool services_admit(const struct service *service, struct service_share *share);

/** A connection ended. */
void services_release(const struct service *service, struct service_share *share);

/** So many ended. */
void services_release_bulk(
		const struct service *service, struct service_share *share, unsigned int n);

#endif /* SERVICES_H */
