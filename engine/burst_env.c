/* SPDX-License-Identifier: BSD-3-Clause */

#include <rte_common.h>

#include "engine/burst_env.h"
#include "engine/services_pools.h"
#include "engine/worker.h"

/* For where nobody listens; and for who has no time left: it allows no retries. */
static const struct tcp_config burst_env_nothing;

void
burst_env(const struct worker *worker, const struct burst *burst, unsigned int i,
		const struct conn *conn, struct tcp_env *env)
{
	const struct flow_key *key = &burst->key[i];
	const bool ipv4 = flow_key_is_ipv4(key->address);
	const uint8_t port = burst->packet[i] != NULL ? (uint8_t)burst->packet[i]->port
						      : conn_table_tail(worker->table, conn)->port;

	*env = (struct tcp_env){
			.config = &burst_env_nothing,
			.now_ms = worker->now_ms,
			.ts_clock = burst_env_ts_clock(worker, burst->hash[i]),
			.rcv_wnd = BURST_ENV_FIRST_WINDOW,
			.path_mss = burst_env_path_mss(&worker->engine->port[port], ipv4),
			.default_mss = ipv4 ? BURST_ENV_DEFAULT_MSS_IPV4
					    : BURST_ENV_DEFAULT_MSS_IPV6,
	};
	if (key->endpoint != SERVICE_MAP_NONE) {
		const struct service *service = services_of(worker->services, key);

		env->config = &service->tcp;
		env->rcv_wnd = burst_env_window(worker, service, conn);
		if (service->pool != NULL) {
			env->rcv_wnd = service->first_window;
			env->path_mss = services_mss(service, env->path_mss);
		}
	}
	if (burst->event[i] == TCP_EVENT_TIMEOUT &&
			opening_is_late(&worker->opening, conn, worker->now_us))
		env->config = &burst_env_nothing;
}
