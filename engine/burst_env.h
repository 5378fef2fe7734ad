/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef BURST_ENV_H
#define BURST_ENV_H

/**
 * @file
 * What the TCP machine must know of the world about one packet of a burst.
 */

#include "engine/burst.h"
#include "engine/worker.h"

/* What we take before the service has been asked: an echo ring's size, so that all can keep it. */
#define BURST_ENV_FIRST_WINDOW ECHO_BUFFER_BYTES

/** What a peer takes that gives no MSS (RFC 9293 3.7.1, MUST-15). */
#define BURST_ENV_DEFAULT_MSS_IPV4 536
#define BURST_ENV_DEFAULT_MSS_IPV6 1220

/**
 * TSval to send now on a connection with this hash.
 *
 * The table does not place by the bits that are added: they may be seen on the wire.
 */
static inline uint32_t
burst_env_ts_clock(const struct worker *worker, uint64_t hash)
{
	const struct cookies *cookies = &worker->engine->cookies;

	return worker->now_ms + cookies->ts_base_ms +
	       ((uint32_t)(hash >> 32) & cookies->ts_flow_mask);
}

/** Largest payload without options that a port takes. */
static inline uint16_t
burst_env_path_mss(const struct port *port, bool ipv4)
{
	return (uint16_t)(port->mtu - (ipv4 ? 40 : 60));
}

/** What a connection's service takes now (RCV.WND); @p conn may be NULL. */
static inline uint32_t
burst_env_window(
		const struct worker *worker, const struct service *service, const struct conn *conn)
{
	uint32_t window;

	if (conn == NULL ||
			(conn->tcp.state < TCP_ESTABLISHED && tcp_conn_syn_text(&conn->tcp) == 0))
		return BURST_ENV_FIRST_WINDOW;
	window = respond_window(service->respond, &conn_table_tail(worker->table, conn)->respond,
			worker->echo_buffers);
	/* What cannot be said cannot have been offered (RFC 9293 3.1, RFC 7323 2.3). */
	if ((conn->tcp.flags & TCP_CONN_WINDOW_SCALE) == 0)
		return RTE_MIN(window, (uint32_t)UINT16_MAX);
	return window;
}

/** Fill @p env for packet @p i, whose connection is @p conn or NULL. */
void burst_env(const struct worker *worker, const struct burst *burst, unsigned int i,
		const struct conn *conn, struct tcp_env *env);

#endif /* BURST_ENV_H */
