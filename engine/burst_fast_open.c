/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>

#include "cookie/fast_open.h"
#include "engine/burst_fast_open.h"
#include "engine/worker.h"

_Static_assert(FAST_OPEN_COOKIE_BYTES == TCP_OPTIONS_COOKIE_BYTES, "what is made is what is sent");

/* The service that packet i speaks Fast Open with, or NULL. */
static const struct service *
burst_fast_open_service(const struct worker *worker, const struct burst *burst, unsigned int i)
{
	const struct service *service;

	if (burst->packet[i] == NULL || burst->event[i] != TCP_EVENT_SYN ||
			(burst->segment[i].options & TCP_OPTION_FAST_OPEN) == 0 ||
			!flow_key_is_passive(&burst->key[i]))
		return NULL;
	service = services_of(worker->services, &burst->key[i]);
	return service->fast_open_pending > 0 ? service : NULL;
}

static struct fast_open_pair
burst_fast_open_pair(const struct worker *worker, const struct flow_key *key)
{
	const struct listener *listener = &worker->services->listener[key->endpoint];
	struct fast_open_pair pair;

	memcpy(pair.client, key->address, sizeof(pair.client));
	memcpy(pair.server, listener->address, sizeof(pair.server));
	return pair;
}

static enum fast_open_verdict
burst_fast_open_judge(const struct worker *worker, const struct burst *burst, unsigned int i)
{
	const struct fast_open_pair pair = burst_fast_open_pair(worker, &burst->key[i]);
	const uint8_t *cookie = rte_pktmbuf_mtod_offset(burst->packet[i], const uint8_t *,
			burst->frame[i].l4_offset + burst->segment[i].cookie_offset);

	return fast_open_check(&worker->engine->fast_open_secret, &pair, worker->now_us, cookie,
			burst->segment[i].cookie_length);
}

bool
burst_fast_open_admits(struct worker *worker, const struct burst *burst, unsigned int i)
{
	const struct service *service = burst_fast_open_service(worker, burst, i);
	const struct service_share *share;

	if (service == NULL || burst->segment[i].cookie_length == 0)
		return false;
	share = &worker->share[services_number(worker->services, &burst->key[i])];
	if (share->fast_open_pending < service->fast_open_pending &&
			burst_fast_open_judge(worker, burst, i) != FAST_OPEN_BAD)
		return true;
	worker_count(worker, (uint8_t)burst->packet[i]->port, COUNTER_fast_open_refused, 1);
	return false;
}

bool
burst_fast_open_grants(const struct worker *worker, const struct burst *burst, unsigned int i)
{
	return burst_fast_open_service(worker, burst, i) != NULL &&
	       burst_fast_open_judge(worker, burst, i) != FAST_OPEN_GOOD;
}

void
burst_fast_open_cookie(const struct worker *worker, const struct flow_key *key,
		struct tcp_options *options)
{
	const struct fast_open_pair pair = burst_fast_open_pair(worker, key);

	options->options |= TCP_OPTION_FAST_OPEN;
	options->cookie_length = FAST_OPEN_COOKIE_BYTES;
	fast_open_make(&worker->engine->fast_open_secret, &pair, worker->now_us, options->cookie);
}
