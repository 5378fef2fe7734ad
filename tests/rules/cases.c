/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Connections by hand; see cases.h.
 */

#include "../tcp_defaults.h"
#include "cases.h"

const struct tcp_config cases_config = {TCP_DEFAULTS, .idle_timeout_ms = 60000};

/* Sequence numbers that are sent and not acknowledged, as the state permits. */
static uint32_t
in_flight_of(const struct cases_shape *shape)
{
	switch (shape->state) {
	case TCP_SYN_SENT:
	case TCP_SYN_RCVD:
		return 1;
	case TCP_FIN_WAIT_1:
	case TCP_CLOSING:
	case TCP_LAST_ACK:
		return shape->in_flight > 0 ? shape->in_flight : 1;
	case TCP_FIN_WAIT_2:
	case TCP_TIME_WAIT:
		return 0;
	default:
		return shape->in_flight;
	}
}

static bool
has_sent_fin(enum tcp_state state)
{
	return state == TCP_FIN_WAIT_1 || state == TCP_FIN_WAIT_2 || state == TCP_CLOSING ||
	       state == TCP_LAST_ACK || state == TCP_TIME_WAIT;
}

struct tcp_conn
cases_conn(const struct cases_base *base, const struct cases_shape *shape)
{
	struct tcp_conn conn = {.state = shape->state};

	if (shape->state == TCP_CLOSED || shape->state == TCP_LISTEN)
		return conn;
	conn.snd_una = base->snd_una;
	conn.snd_nxt = base->snd_una + in_flight_of(shape);
	conn.flags = shape->more_flags | (shape->active ? TCP_CONN_ACTIVE : 0) |
		     (has_sent_fin(shape->state) ? TCP_CONN_FIN_SENT : 0);
	conn.mss = 1460;
	conn.cwnd = 10;
	conn.retries = shape->retries;
	if (shape->state == TCP_SYN_SENT)
		return conn;
	conn.rcv_nxt = base->rcv_nxt;
	conn.snd_wnd = CASES_SND_WND;
	conn.scales = CASES_SND_WND_LOG2 << 4;
	if (shape->timestamps) {
		conn.flags |= TCP_CONN_TIMESTAMPS;
		conn.ts_recent = base->ts_recent;
		conn.mss = 1448;
	}
	return conn;
}
