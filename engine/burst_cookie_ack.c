/* SPDX-License-Identifier: BSD-3-Clause */

#include <rte_common.h>

#include "cookie/syncookie.h"
#include "engine/burst.h"
#include "engine/burst_cookie.h"
#include "engine/burst_cookie_ack.h"
#include "engine/burst_env.h"
#include "engine/cookies.h"
#include "engine/worker.h"
#include "tcp/tcp_rules.h"

_Static_assert(BURST_MAX <= SYNCOOKIE_BURST_MAX, "one call for a whole burst");

/* A listener at a port, as cookies that come back to it see it. */
struct gate {
	uint32_t place;            /* Port and listener. */
	bool takes_back;           /* ACKs may bring cookies. */
	bool plain_only;           /* But only without IP options and extension headers. */
	bool resets;               /* The machine resets who brings none, whatever else he says. */
	uint16_t row_ack, row_fin; /* Of the machine, that say so. */
	const struct service_map *map; /* Who cannot be a peer. */
	struct syncookie_gate cookie;
};

/* Segments of a burst that came to one gate. */
struct comers {
	uint64_t strangers; /* Those without a connection. */
	uint64_t elsewhere; /* Those that came to another gate. */
	unsigned int n;     /* Those that may bring a cookie. */
	uint8_t packet[BURST_MAX];
};

/* Whether cookies of the service may still come back: sent by us, or by who shares the secret. */
static bool
may_return(const struct worker *worker, const struct service *service,
		const struct service_share *share)
{
	if (service->settings->cookies == SETTINGS_COOKIES_NEVER)
		return false;
	return worker->engine->cookies.shared ||
	       (share->cookies_sent_us != 0 &&
			       worker->now_us - share->cookies_sent_us < BURST_COOKIE_LIFE_US);
}

void
burst_cookie_spend(struct worker *worker, const struct conn *conn, uint64_t hash)
{
	bool forgot = false;

	if (likely(!burst_cookie_may_return(worker)))
		return;
	if (may_return(worker, services_of(worker->services, &conn->key),
			    &worker->share[services_number(worker->services, &conn->key)]))
		forgot = spent_cookies_add(worker->spent, hash, worker->now_s);
	if (unlikely(forgot))
		worker_count(worker, conn_table_tail(worker->table, conn)->port,
				COUNTER_syn_cookies_forgotten, 1);
}

bool
burst_cookie_was_spent_before(
		const struct worker *worker, const struct burst *burst, unsigned int i)
{
	const struct listener *listeners = worker->services->listener;
	struct flow_key key = burst->key[i];

	while ((key.endpoint = listeners[key.endpoint].older) != LISTENER_NONE) {
		if (spent_cookies_has(worker->spent, conn_table_hash(worker->table, &key),
				    worker->now_s))
			return true;
	}
	return false;
}

static bool
row_resets(uint16_t row)
{
	return tcp_rules[row].when == 0 && tcp_rules[row].send == TCP_SEND_RST;
}

static void
gate_find(const struct worker *worker, uint32_t place, struct gate *gate)
{
	const struct services *services = worker->services;
	const struct listener *listener = &services->listener[place & UINT16_MAX];
	const struct service *service = &services->service[listener->edition];
	const struct port *port = &worker->engine->port[place >> 16];
	const struct tcp_config *tcp = &service->tcp;
	const uint16_t *rows = tcp_rules_cell[listener->closed ? TCP_CLOSED : TCP_LISTEN];

	*gate = (struct gate){
			.place = place,
			.takes_back = !listener->sealed &&
				      may_return(worker, service,
						      &worker->share[listener->service]),
			.plain_only = port->hardware_steering,
			.resets = row_resets(rows[TCP_EVENT_ACK]) &&
				  row_resets(rows[TCP_EVENT_FIN]),
			.row_ack = rows[TCP_EVENT_ACK],
			.row_fin = rows[TCP_EVENT_FIN],
			.map = services->map[port->index],
			.cookie = {.endpoint = listener->cookie_endpoint,
					.timestamps = tcp->timestamps},
	};
}

/*
 * Whether the client of a half-open connection answers another SYN-ACK than its own: its first SYN
 * got a cookie, and the copy behind it was kept, since the flood had ended in between.
 */
static bool
contradicts(const struct conn *conn, const struct tcp_segment *segment)
{
	/* Without a branch: in a burst, states are random.  Without text, as tcp_conn_syn_text().
	 */
	return ((conn->tcp.state == TCP_SYN_RCVD) & (conn->tcp.rttvar_4ms <= 1) &
			       (segment->ack != conn->tcp.snd_nxt)) != 0;
}

/* An ACK is only judged where cookies were sent lately, by us or by whoever shares the secret. */
static void
gate_admit(const struct gate *gate, const struct burst *burst, uint64_t acks, struct comers *comers)
{
	uint64_t strangers = 0, elsewhere = 0;
	unsigned int n = 0;

	for (; acks != 0; acks &= acks - 1) {
		const unsigned int i = rte_bsf64(acks);
		const struct conn *conn = burst->conn[i];

		if (unlikely(burst_cookie_place(burst, i) != gate->place)) {
			elsewhere |= acks & -acks;
			continue;
		}
		if (conn == NULL)
			strangers |= acks & -acks;
		else if (!contradicts(conn, &burst->segment[i]))
			continue;
		if (unlikely(gate->plain_only && !burst_cookie_is_plain(&burst->frame[i])))
			continue;
		comers->packet[n++] = (uint8_t)i;
	}
	comers->strangers = strangers;
	comers->elsewhere = elsewhere;
	comers->n = gate->takes_back ? n : 0;
}

/* The half-open connection that the SYN would have left, had we kept it. */
static void
restore(struct worker *worker, struct burst *burst, unsigned int i, const struct tcp_segment *syn)
{
	struct tcp_conn tcp = {.state = TCP_LISTEN};
	struct tcp_env env;
	struct conn *kept;

	/* A segment before it in the burst may have done so already. */
	kept = conn_table_lookup(worker->table, &burst->key[i], burst->hash[i]);
	burst->conn[i] = kept;
	if (kept != NULL && kept->tcp.state != TCP_CLOSED && !contradicts(kept, &burst->segment[i]))
		return;
	burst_env(worker, burst, i, NULL, &env);
	env.isn = burst->segment[i].ack - 1;
	tcp_step(&tcp, TCP_EVENT_SYN, syn, &env);
	/* Twice, since nobody knows when our SYN-ACK left: its round trip must not be measured. */
	tcp_step(&tcp, TCP_EVENT_SYN, syn, &env);
	if (kept != NULL && kept->tcp.state == TCP_SYN_RCVD)
		burst_step_set_tcp(kept, &tcp);
	else
		burst_step_insert(worker, burst, i, &tcp);
	if (burst->conn[i] != NULL)
		worker_count(worker, (uint8_t)burst->packet[i]->port, COUNTER_syn_cookies_opened,
				1);
}

/* Whether a segment goes on with what another one of the burst has just opened. */
static inline bool
is_opened(const struct worker *worker, const struct burst *burst, unsigned int i)
{
	return unlikely(worker->inserted) &&
	       conn_table_lookup(worker->table, &burst->key[i], burst->hash[i]) != NULL;
}

/* How many bring a number that we never sent. */
static unsigned int
gate_count_bad(const struct worker *worker, const struct burst *burst, const struct comers *comers,
		uint64_t genuine)
{
	unsigned int bad = comers->n - (unsigned int)__builtin_popcountll(genuine);

	if (likely(!worker->inserted))
		return bad;
	for (unsigned int k = 0; k < comers->n; k++) {
		if ((genuine >> k & 1) == 0 && is_opened(worker, burst, comers->packet[k]))
			bad--;
	}
	return bad;
}

static void
gate_judge(struct worker *worker, struct burst *burst, const struct syncookie_keys *keys,
		const struct gate *gate, struct comers *comers)
{
	static const enum counter refusals[SYNCOOKIE_VERDICTS] = {
			[SYNCOOKIE_EXPIRED] = COUNTER_syn_cookies_expired,
			[SYNCOOKIE_AHEAD] = COUNTER_syn_cookies_ahead,
	};
	const uint8_t port = (uint8_t)(gate->place >> 16);
	const struct syncookie_acks acks = {
			.flows = burst->key,
			.segments = burst->segment,
			.which = comers->packet,
			.n = comers->n,
	};
	uint8_t verdict[BURST_MAX];
	const uint64_t genuine = syncookie_check_acks(keys, &gate->cookie, &acks, verdict);

	for (uint64_t left = genuine; left != 0; left &= left - 1) {
		const unsigned int k = rte_bsf64(left);
		const unsigned int i = comers->packet[k];
		struct tcp_segment syn;

		if (verdict[k] != SYNCOOKIE_GOOD) {
			worker_count(worker, port, refusals[verdict[k]], 1);
			continue;
		}
		if (burst_cookie_is_spent(worker, burst, i)) {
			worker_count(worker, port, COUNTER_syn_cookies_replayed, 1);
			continue;
		}
		syncookie_rebuild(&gate->cookie, &burst->key[i], &burst->segment[i], &syn);
		restore(worker, burst, i, &syn);
		comers->strangers &= ~(UINT64_C(1) << i);
	}
	worker_count(worker, port, COUNTER_syn_cookies_bad,
			gate_count_bad(worker, burst, comers, genuine));
}

/* Strangers who would be reset, were there a reset left. */
static unsigned int
gate_refuse(struct worker *worker, struct burst *burst, const struct gate *gate, uint64_t strangers)
{
	const uint8_t port = (uint8_t)(gate->place >> 16);
	struct rte_mbuf *refused[BURST_MAX];
	unsigned int n = 0, fins = 0;

	for (; strangers != 0; strangers &= strangers - 1) {
		const unsigned int i = rte_bsf64(strangers);

		/* A source that cannot be is dropped for that: by the machine's stage. */
		if (unlikely(burst->key[i].port == 0 ||
				    service_map_is_no_peer(gate->map, burst->key[i].address)))
			continue;
		if (is_opened(worker, burst, i))
			continue;
		fins += burst->event[i] == TCP_EVENT_FIN;
		refused[n++] = burst->packet[i];
		burst->packet[i] = NULL;
	}
	rte_pktmbuf_free_bulk(refused, n);
	worker->rules[gate->row_ack] += n - fins;
	worker->rules[gate->row_fin] += fins;
	worker_count(worker, port, COUNTER_stray_acks, n - fins);
	worker_count(worker, port, COUNTER_stray_fins, fins);
	worker_count(worker, port, DROP_rst_limited, n);
	return n;
}

/* Of some packets, those that come after the first n. */
static uint64_t
skip(uint64_t packets, uint64_t n)
{
	for (; n > 0 && packets != 0; n--)
		packets &= packets - 1;
	return packets;
}

unsigned int
burst_cookie_ack(struct worker *worker, struct burst *burst, uint64_t acks,
		const struct syncookie_keys *keys)
{
	/* What the limit allows to answer goes on to be answered. */
	const uint64_t resets = token_bucket_count(&worker->resets, worker->now_us);
	unsigned int refused = 0;
	struct comers comers;
	struct gate gate;

	for (; acks != 0; acks = comers.elsewhere) {
		gate_find(worker, burst_cookie_place(burst, rte_bsf64(acks)), &gate);
		gate_admit(&gate, burst, acks, &comers);
		if (comers.n > 0)
			gate_judge(worker, burst, keys, &gate, &comers);
		if (gate.resets)
			refused += gate_refuse(
					worker, burst, &gate, skip(comers.strangers, resets));
	}
	return refused;
}
