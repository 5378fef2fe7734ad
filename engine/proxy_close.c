/* SPDX-License-Identifier: BSD-3-Clause */

#include "engine/proxy.h"
#include "engine/proxy_close.h"
#include "engine/proxy_held.h"
#include "engine/proxy_send.h"
#include "engine/worker.h"

/* After an exact RST, and after both FINs are acknowledged. */
#define PROXY_CLOSE_RESET_MS  10000
#define PROXY_CLOSE_LINGER_MS 2000

/* How often what is ours is sent to a backend that does not acknowledge it. */
#define PROXY_CLOSE_OURS_TRIES 8

void
proxy_close_server(struct worker *worker, struct splice *splice)
{
	if (splice->local_port == 0)
		return;
	if (splice->local != LOCAL_PORTS_CLIENT)
		local_ports_give(worker, splice->local, splice->local_port,
				splice->next[SPLICE_CLIENT] + splice->add[SPLICE_CLIENT]);
	if ((splice->flags & SPLICE_UNCOUNTED) == 0)
		backends_closed(worker->backends, splice->server);
	splice->local_port = 0;
}

/*
 * What lingers after a reset, or after both FINs, is no load of the backend: counted as one,
 * clients that reset would draw `least_connections` away from it for seconds.
 */
void
proxy_close_count(struct worker *worker, struct splice *splice)
{
	const bool over = (splice->closing & SPLICE_ANY_RESET) != 0 ||
			  (splice->closing & SPLICE_BOTH_FINS_ACKED) == SPLICE_BOTH_FINS_ACKED;

	if (over == ((splice->flags & SPLICE_UNCOUNTED) != 0))
		return;
	splice->flags ^= SPLICE_UNCOUNTED;
	if (over)
		backends_closed(worker->backends, splice->server);
	else
		backends_continued(worker->backends, splice->server);
}

static void
proxy_close_note(struct worker *worker, struct conn *conn, uint64_t hash)
{
	conn->tcp.state = TCP_CLOSED;
	burst_step_note(worker, &(struct worker_ending){.conn = conn, .hash = hash});
}

void
proxy_close(struct worker *worker, struct conn *conn, enum counter how)
{
	struct splice *splice = proxy_splice(worker->proxy, worker->table, conn);
	struct service_share *share = &worker->share[services_number(worker->services, &conn->key)];

	proxy_held_drop(worker, splice);
	proxy_close_server(worker, splice);
	services_release(services_of(worker->services, &conn->key), share);
	worker_count(worker, splice->port[SPLICE_CLIENT], how, 1);
	if (how == COUNTER_reset)
		share->reset++;
	else if (how == COUNTER_timed_out)
		share->timed_out++;
	else
		share->closed++;
	proxy_close_note(worker, conn, conn_table_hash(worker->table, &conn->key));
}

/* Whoever still talks shall know that it is over. */
static void
proxy_close_resets(struct worker *worker, struct conn *conn, const struct splice *splice)
{
	const struct build_tcp to_client = {
			.seq = splice->next[SPLICE_SERVER],
			.ack = splice->next[SPLICE_CLIENT],
			.flags = TCP_RST | TCP_ACK,
	};

	proxy_send(worker, conn, SPLICE_CLIENT, NULL, &to_client);
	proxy_send_reset(worker, conn, splice->next[SPLICE_CLIENT] + splice->add[SPLICE_CLIENT]);
}

void
proxy_close_timeout(struct worker *worker, struct conn *conn)
{
	struct splice *splice = proxy_splice(worker->proxy, worker->table, conn);

	if ((splice->flags & SPLICE_OURS) != 0 && (splice->closing & SPLICE_ANY_RESET) == 0 &&
			splice->tries < PROXY_CLOSE_OURS_TRIES) {
		proxy_held_repeat(worker, conn);
		timer_wheel_schedule(worker->wheel, conn,
				worker->now_ms + (PROXY_RETRY_MS << splice->tries));
		splice->tries++;
	} else if ((splice->closing & SPLICE_ANY_RESET) != 0) {
		proxy_close(worker, conn, COUNTER_reset);
	} else if ((splice->closing & SPLICE_BOTH_FINS_ACKED) == SPLICE_BOTH_FINS_ACKED) {
		proxy_close(worker, conn, COUNTER_closed);
	} else {
		proxy_close_resets(worker, conn, splice);
		proxy_close(worker, conn, COUNTER_timed_out);
	}
}

void
proxy_close_abort(struct worker *worker, struct conn *conn)
{
	const struct splice *splice = proxy_splice(worker->proxy, worker->table, conn);

	if (conn->tcp.state == TCP_SPLICED) {
		proxy_close_resets(worker, conn, splice);
	} else {
		proxy_send_client(worker, conn, NULL, TCP_RST | TCP_ACK, 0);
		proxy_send_reset(worker, conn, splice_iss(splice) + 1);
	}
	proxy_close(worker, conn, COUNTER_reset);
}

/*
 * A FIN may come again; where room is short, a RST will have to do for it.  Room is short as soon
 * as half the table is taken, or half the ports of the address: a port that lingers for two seconds
 * serves one connection in that time.
 */
static bool
proxy_close_room_is_short(const struct worker *worker, const struct splice *splice)
{
	return conn_table_count(worker->table) > conn_table_capacity(worker->table) / 2 ||
	       (splice->local != LOCAL_PORTS_CLIENT &&
			       local_ports_are_scarce(worker->proxy->ports[splice->local]));
}

uint32_t
proxy_close_after_ms(const struct worker *worker, const struct service *service,
		const struct splice *splice)
{
	if ((splice->closing & SPLICE_ANY_RESET) != 0)
		return proxy_close_room_is_short(worker, splice) ? 0 : PROXY_CLOSE_RESET_MS;
	if (unlikely((splice->flags & SPLICE_OURS) != 0))
		return PROXY_RETRY_MS;
	if (likely(splice->closing == 0))
		return service->tcp.idle_timeout_ms;
	if ((splice->closing & SPLICE_BOTH_FINS_ACKED) == SPLICE_BOTH_FINS_ACKED)
		return proxy_close_room_is_short(worker, splice) ? 0 : PROXY_CLOSE_LINGER_MS;
	return RTE_MIN(service->tcp.idle_timeout_ms, 2 * service->tcp.fin_timeout_ms);
}
