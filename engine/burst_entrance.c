/* SPDX-License-Identifier: BSD-3-Clause */

#include <rte_common.h>

#include "cookie/spent_cookies.h"
#include "engine/burst_entrance.h"
#include "engine/burst_env.h"
#include "engine/proxy.h"
#include "engine/services_pools.h"

static void
entrance_find(struct worker *worker, uint32_t place, struct burst_entrance *entrance)
{
	const struct services *services = worker->services;
	const struct listener *listener = &services->listener[place & UINT16_MAX];
	const struct service *service = &services->service[listener->edition];
	const struct tcp_config *tcp = &service->tcp;

	entrance->found = true;
	entrance->place = place;
	entrance->port = &worker->engine->port[place >> 16];
	entrance->map = services->map[entrance->port->index];
	entrance->family = listener->family;
	entrance->service = service;
	entrance->share = &worker->share[listener->service];
	entrance->is_auto =
			!listener->closed && service->settings->cookies == SETTINGS_COOKIES_AUTO;
	entrance->always =
			!listener->closed && service->settings->cookies == SETTINGS_COOKIES_ALWAYS;
	entrance->plain_only = entrance->port->hardware_steering;
	entrance->request = (struct syncookie_request){
			.endpoint = listener->cookie_endpoint,
			.options = (uint8_t)(TCP_OPTION_MSS |
					     (tcp->timestamps ? TCP_OPTION_TIMESTAMPS : 0) |
					     (tcp->sack ? TCP_OPTION_SACK_PERMITTED : 0) |
					     (tcp->window_scaling ? TCP_OPTION_WINDOW_SCALE : 0)),
			.ecn = tcp->ecn,
	};
	entrance->granted = service->pool != NULL ? services_granted(service) : UINT8_MAX;
	entrance->first_window =
			worker->proxy != NULL ? proxy_held_first_window(worker, service) : 0;
	entrance->forms = 0;
	entrance->kinds = 0;
}

struct burst_entrance *
burst_entrance(struct worker *worker, uint32_t place, const struct syncookie_keys *keys)
{
	struct burst_entrance *entrance = worker->entrance;

	/* Backends, and room for what is held for them, come and go. */
	if (!entrance->found || entrance->place != place || entrance->service->pool != NULL)
		entrance_find(worker, place, entrance);
	if (entrance->made_slot != keys->made_slot)
		entrance->kinds = 0;
	entrance->made_slot = keys->made_slot;
	entrance->sends = entrance->always;
	entrance->has_spent = spent_cookies_any(worker->spent, worker->now_s);
	return entrance;
}

void
burst_entrance_write_offer(struct burst_entrance *entrance, const struct syncookie_keys *keys,
		const struct burst *burst, unsigned int i, unsigned int which)
{
	entrance->request.flow = &burst->key[i];
	entrance->request.segment = &burst->segment[i];
	syncookie_offer(keys, &entrance->request, &entrance->offer[which]);
	entrance->kinds |= 1u << which;
}

void
burst_entrance_write_form(struct burst_entrance *entrance, unsigned int which,
		const struct syncookie_offer *offer)
{
	const struct service *service = entrance->service;
	struct build_tcp syn_ack = {
			.flags = (uint8_t)(TCP_SYN | TCP_ACK | (offer->ecn ? TCP_ECE : 0)),
			.window = (uint16_t)RTE_MIN(BURST_ENV_FIRST_WINDOW, UINT16_MAX),
			.options.options = offer->options | TCP_OPTION_MSS,
			.options.mss = burst_env_path_mss(entrance->port, entrance->family == 4),
			.options.window_scale = service->tcp.rcv_wnd_scale,
	};

	/* What is promised in the name of backends; burst_env() says the same. */
	if (service->pool != NULL) {
		syn_ack.window = entrance->first_window;
		syn_ack.options.mss = services_mss(service, syn_ack.options.mss);
	}
	build_reply_form(&entrance->form[which], &syn_ack, entrance->family);
	entrance->forms |= 1u << which;
}
