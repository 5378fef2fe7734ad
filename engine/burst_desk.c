/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>

#include <rte_common.h>

#include "engine/burst_desk.h"

_Static_assert((TCP_OPTION_WINDOW_SCALE | TCP_OPTION_SACK_PERMITTED | TCP_OPTION_TIMESTAMPS |
			       BURST_DESK_FORM_ECN) == BURST_DESK_FORMS - 1,
		"a form for each set of options");

void
burst_desk_open(struct worker *worker, uint8_t port, uint16_t number)
{
	const struct services *services = worker->services;
	const struct listener *listener = &services->listener[number];
	const struct service *service = &services->service[listener->edition];
	struct burst_desk *desk = &worker->desk[number % BURST_DESKS];
	const bool ipv4 = listener->family == 4;

	desk->place = burst_desk_place(port, number);
	desk->forms = 0;
	desk->service = NULL;
	if (service->pool != NULL)
		return;
	desk->service = service;
	desk->share = &worker->share[listener->service];
	desk->family = listener->family;
	desk->opens = !listener->closed && service->fast_open_pending == 0;
	desk->starts = respond_opens_always(service->respond);
	respond_usual_begin(&desk->usual, service->respond, worker->echo_buffers);
	desk->env = (struct tcp_env){
			.config = &service->tcp,
			.rcv_wnd = BURST_ENV_FIRST_WINDOW,
			.path_mss = burst_env_path_mss(&worker->engine->port[port], ipv4),
			.default_mss = ipv4 ? BURST_ENV_DEFAULT_MSS_IPV4
					    : BURST_ENV_DEFAULT_MSS_IPV6,
	};
}

void
burst_desk_write_form(struct burst_desk *desk, unsigned int which)
{
	const uint8_t options = which & ~BURST_DESK_FORM_ECN;
	const struct build_tcp syn_ack = {
			.flags = (uint8_t)(TCP_SYN | TCP_ACK |
					   ((which & BURST_DESK_FORM_ECN) != 0 ? TCP_ECE : 0)),
			.window = (uint16_t)RTE_MIN(BURST_ENV_FIRST_WINDOW, UINT16_MAX),
			.options.options = options | TCP_OPTION_MSS,
			.options.mss = desk->env.path_mss,
			.options.window_scale = desk->env.config->rcv_wnd_scale,
	};

	build_reply_form(&desk->form[which], &syn_ack, desk->family);
	desk->forms |= 1u << which;
}
