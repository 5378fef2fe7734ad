/* SPDX-License-Identifier: BSD-3-Clause */

#include "engine/burst.h"
#include "engine/burst_limit.h"
#include "engine/services_prefixes.h"
#include "engine/worker.h"
#include "limit/gcra.h"
#include "limit/prefix_limit.h"
#include "limit/prefix_set.h"

_Static_assert(BURST_MAX <= PREFIX_LIMIT_BURST_MAX && BURST_MAX <= PREFIX_SET_BURST_MAX,
		"one call for a whole burst");

/* Those of a burst that are meant: one bit each. */
typedef uint64_t packet_mask;

static packet_mask
burst_limit_syns(const struct burst *burst)
{
	packet_mask syns = 0;

	for (unsigned int i = 0; i < burst->n; i++) {
		const bool asks = burst->event[i] == TCP_EVENT_SYN &&
				  flow_key_is_passive(&burst->key[i]);

		syns |= (packet_mask)asks << i;
	}
	return syns;
}

/* One of the tokens that a service has for all workers; they are taken a few at a time. */
static inline bool
burst_limit_take_synack(const struct service *service, struct service_share *share, uint64_t now)
{
	if (service->synack_cost == 0)
		return true;
	if (share->synack_credit == 0) {
		if (!gcra_take_shared(&service->limit->synack_full_at, now,
				    service->synack_cost * service->synack_batch))
			return false;
		share->synack_credit = service->synack_batch;
	}
	share->synack_credit--;
	return true;
}

/* @return those whose service has no token left */
static packet_mask
burst_limit_services(struct worker *worker, const struct burst *burst, packet_mask syns)
{
	const uint64_t now = gcra_time(worker->now_us);
	packet_mask refused = 0;

	for (packet_mask left = syns; left != 0; left &= left - 1) {
		const unsigned int i = (unsigned int)__builtin_ctzll(left);
		const unsigned int number = services_number(worker->services, &burst->key[i]);

		if (!burst_limit_take_synack(&worker->services->service[number],
				    &worker->share[number], now))
			refused |= UINT64_C(1) << i;
	}
	return refused;
}

/* Drop some packets and move the others up. */
static void
burst_limit_drop(struct worker *worker, struct burst *burst, packet_mask refused,
		enum counter reason)
{
	unsigned int kept = 0;

	for (unsigned int i = 0; i < burst->n; i++) {
		if ((refused >> i & 1) != 0) {
			worker_drop(worker, burst->packet[i], reason);
			continue;
		}
		if (kept != i) {
			burst_known_move(burst, i, kept);
			burst->packet[kept] = burst->packet[i];
			burst->frame[kept] = burst->frame[i];
			burst->segment[kept] = burst->segment[i];
			burst->key[kept] = burst->key[i];
			burst->event[kept] = burst->event[i];
		}
		kept++;
	}
	burst->n = kept;
}

/* Limit the SYN-ACKs that go to a source's network, and those that a service sends. */
static void
burst_limit_synacks(struct worker *worker, struct burst *burst)
{
	struct prefix_limit *prefixes = services_prefixes_of(worker->services, worker->index);
	packet_mask refused;

	if (prefixes != NULL) {
		refused = prefix_limit_take_bulk(
				prefixes, burst->key, burst_limit_syns(burst), worker->now_us);
		if (refused != 0)
			burst_limit_drop(worker, burst, refused, DROP_synack_prefix_limited);
	}
	if (worker->services->synacks_limited) {
		refused = burst_limit_services(worker, burst, burst_limit_syns(burst));
		if (refused != 0)
			burst_limit_drop(worker, burst, refused, DROP_synack_service_limited);
	}
}

/* Segments from whom the lists deny; what answers to us, and ICMP errors, are not asked about. */
static void
burst_limit_deny(struct worker *worker, struct burst *burst)
{
	packet_mask asked = 0, denied;

	for (unsigned int i = 0; i < burst->n; i++) {
		const bool asks = burst->event[i] <= TCP_EVENT_BARE &&
				  !flow_key_is_active(&burst->key[i]);

		asked |= (packet_mask)asks << i;
	}
	denied = prefix_set_denied_bulk(worker->lists, burst->key, asked);
	if (denied != 0)
		burst_limit_drop(worker, burst, denied, DROP_denied_prefix);
}

void
burst_limit(struct worker *worker, struct burst *burst)
{
	if (worker->lists != NULL)
		burst_limit_deny(worker, burst);
	if (worker->services->prefixes != NULL || worker->services->synacks_limited)
		burst_limit_synacks(worker, burst);
}
