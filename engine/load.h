/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef LOAD_H
#define LOAD_H

/**
 * @file
 * The load generator: what is planned, and what each worker knows while it carries it out.
 *
 * It is the engine with another loop.  Ports, steering, resolver, parser, tables and the TCP
 * machine are the engine's; in place of services there is a plan.  Its addresses are ranges of
 * sources that answer ARP and neighbour discovery like any address of ours.  Nothing is kept for a
 * tuple that has no connection, and the stateless exchanges keep nothing at all (syn, forged-ack,
 * rst-flood) or a byte (idle).
 *
 * A connection's own data lies over the 24 bytes of its conn_tail, which the responder does not
 * need here.
 */

#include <stdbool.h>
#include <stdint.h>

#include "engine/burst.h"
#include "load/figures.h"
#include "load/frame_shape.h"
#include "load/frame_template.h"
#include "load/http_answer.h"
#include "load/pace.h"
#include "load/tuple_index.h"
#include "load/tuple_walk.h"
#include "settings/settings.h"
#include "tcp/tcp_step.h"

struct engine;
struct worker;

/** What is done with each connection. */
enum load_exchange {
	LOAD_SYN,        /**< SYNs, answers counted and left alone. */
	LOAD_HANDSHAKE,  /**< Three segments, and a reset. */
	LOAD_OPEN_CLOSE, /**< Handshake and orderly close, no data. */
	LOAD_REQUEST,    /**< One request, its answer, close. */
	LOAD_KEEPALIVE,  /**< Several requests, one after the other. */
	LOAD_IDLE,       /**< Open and hold. */
	LOAD_FORGED_ACK, /**< ACKs of no connection. */
	LOAD_RST_FLOOD,  /**< RSTs of no connection. */
};

/** The longest request: one segment of any path. */
#define LOAD_REQUEST_MAX 1200

/** What was asked for; read only. */
struct load_plan {
	enum load_exchange exchange;
	enum pace_shape shape;
	bool random_order;    /**< Tuples at random instead of in turn. */
	bool peer_closes;     /**< After the last answer the peer closes first. */
	bool third_ack_alone; /**< Nothing rides on the segment that opens. */
	bool http;            /**< Answers are HTTP; else any answer_bytes. */
	bool timestamps;      /**< Offer RFC 7323 timestamps. */
	uint8_t retries;      /**< Repetitions of a segment before it is given up. */
	uint16_t requests;    /**< Of each connection. */
	uint32_t concurrency; /**< Connections at once, at most. */
	double rate;          /**< Starts per second; 0: a closed loop. */
	uint64_t count;       /**< Starts in all; 0: no limit. */
	uint64_t delay_us;    /**< From when the way to the targets is known. */
	uint64_t ramp_up_us;
	uint64_t duration_us; /**< 0: until count is reached. */
	uint64_t ramp_down_us;
	uint64_t drain_us;   /**< How long connections may finish after the end. */
	uint32_t timeout_ms; /**< Patience with a peer that owes us something. */
	uint16_t first_port;
	uint16_t last_port;
	bool has_target_mac; /**< Do not resolve. */
	uint8_t target_mac[6];
	struct settings_prefixes sources[SETTINGS_PORTS_MAX]; /**< By port. */
	struct settings_endpoints targets;                    /**< Port by port. */
	uint8_t target_port[SETTINGS_ENDPOINTS_MAX];          /**< Which each is reached by. */
	const uint8_t *request;
	uint32_t request_length;
	uint32_t answer_bytes; /**< Without http: an answer's length; 0: until the peer closes. */
};

/** When a connection's event counts. */
enum load_phase {
	LOAD_RAMP_UP,
	LOAD_SUSTAIN,
	LOAD_RAMP_DOWN, /**< And what is finished after it. */
	LOAD_PHASES,
};

/** What connections say once they are open. */
struct load_shapes {
	struct frame_shape ack;
	struct frame_shape fin;
	struct frame_shape request;
	struct frame_shape reset;
};

struct load_target {
	uint8_t address[16];
	rte_be32_t ipv4; /**< Of an IPv4 address; 0: of another. */
	rte_be16_t port;
	uint8_t by_port; /**< Engine port. */
	uint8_t next_hop[16];
	struct frame_template frames; /**< Once its next hop is known; these too: */
	struct frame_shape syn;
	struct load_shapes shapes[2]; /**< Without timestamps, with them. */
};

struct load {
	struct engine *engine;
	struct load_plan plan;
	/** The plan's; frame_shape.h copies it in pieces. */
	uint8_t request[RTE_ALIGN_CEIL(LOAD_REQUEST_MAX, FRAME_SHAPE_CHUNK)];
	struct tuple_walk walk[SETTINGS_PORTS_MAX]; /**< By port.  Workers copy them. */
	unsigned int target_count;
	struct load_target target[SETTINGS_ENDPOINTS_MAX];
	uint64_t begin_us; /**< Atomic; 0: not yet. */
	uint64_t end_us;   /**< Atomic; no starts from then on; UINT64_MAX: as planned. */
	uint64_t shares;   /**< In which connections and starts are dealt to workers. */
	uint64_t unheld;   /**< Atomic; idle: connections that some worker had no tuple for. */
};

/** What a connection has of its own; over its conn_tail. */
struct load_conn {
	union {
		uint32_t begin_us;    /**< Intended start; until the connection is open. */
		uint32_t answer_left; /**< struct http_answer's, from an answer's first byte on. */
	};
	uint16_t requests_left;
	uint8_t port_and_challenged; /**< conn_tail's, for whoever lists connections: port 0. */
	uint8_t ssthresh;
	uint32_t recover;
	uint32_t mark_us; /**< When the latest request could go out, or our FIN did. */
	uint32_t end;     /**< Sequence number after the last request that is ready. */
	uint8_t answer_state;
	uint8_t answer_match;
	uint8_t flags; /**< enum load_conn_flag */
	uint8_t reserved;
} __rte_may_alias;

_Static_assert(sizeof(struct load_conn) == sizeof(struct conn_tail), "lies over it");

enum load_conn_flag {
	LOAD_CONN_FIN_DUE = 0x01,  /**< Close behind what was said. */
	LOAD_CONN_FIN_SENT = 0x02, /**< mark_us is the FIN's. */
	LOAD_CONN_FAILED = 0x04,   /**< Was counted as a failure. */
	LOAD_CONN_BAD_ACK = 0x08,  /**< The SYN was answered by something old. */
	LOAD_CONN_BYTES = 0x10,    /**< The first byte of the current answer has come. */
	LOAD_CONN_ANSWERED = 0x20, /**< All answers have come. */
	LOAD_CONN_UNSENT = 0x40,   /**< The device did not take its latest SYN. */
	LOAD_CONN_OPEN = 0x80,     /**< Was established. */
};

#define LOAD_HEAD_MAX 512

/** The timestamps option, padded (RFC 7323 appendix A). */
#define LOAD_TIMES_BYTES 12

/** Packets that a worker makes up at once, without being asked. */
#define LOAD_BATCH_MAX 64

/**
 * Segments of connections that a worker takes from its queues at once: where the device is memory,
 * to find them takes a round trip between two cores, and to send what answers them another one.
 */
#define LOAD_RECEIVE_MAX 256

/** A tuple that is watched, so that it is known how soon tuples are used again. */
struct load_reuse {
	struct flow_key key; /**< Whose all bytes are 0: none. */
	uint64_t begun_us;   /**< When it was used last. */
};

/** Rounds of the walk after which another tuple is watched: who has a connection is no measure. */
#define LOAD_REUSE_ROUNDS 2

/** A worker's part of the load. */
struct load_worker {
	struct load *load;
	enum load_phase phase;
	struct figures *figures; /**< Of the phase. */
	bool began;              /**< The run has. */
	bool starting;           /**< New connections are wanted now. */
	unsigned int received;   /**< Packets in this turn, of connections that are kept. */
	bool done;               /**< Atomic; everything has ended. */
	uint32_t active;         /**< Connections that have not ended. */
	uint32_t limit;          /**< How many there may be now. */
	uint64_t left;           /**< Starts left of the count. */
	uint64_t level_us;       /**< When limit and rate were last set. */
	uint64_t sustained_us;   /**< Length of the measured part so far.  Atomic. */
	uint64_t finished_us;    /**< When the latest connection began or ended. */
	struct load_reuse reuse[SETTINGS_PORTS_MAX]; /**< By port. */
	uint64_t reuse_us; /**< Their shortest time; 0: none was used again.  Atomic. */
	uint64_t random;
	uint64_t secret;          /**< Of stateless sequence numbers; the same for all workers. */
	const struct conn *conns; /**< All lines of the table, */
	struct load_conn *own;    /**< and what lies over their tails. */
	struct tuple_index index; /**< And which is whose. */
	uint32_t syn_rto_ms;      /**< Until a SYN is repeated. */
	struct tuple_walk *walk;  /**< By port. */
	uint32_t by_ports;        /**< Those that it has tuples of, a bit each. */
	uint8_t port;             /**< Through which the next ones begin, */
	uint8_t batch_port;       /**< and those that wait for the device did. */
	struct pace pace;
	struct tcp_config config;
	struct tcp_env env; /**< Of this turn. */
	struct frame_text syn_options;
	struct frame_text request;
	uint8_t syn_option_bytes[TCP_OPTIONS_BYTES_MAX];
	uint64_t full_before;           /**< The ports' counter of frames not taken. */
	uint32_t sent_before;           /**< Low bits of the ports' counter of frames sent. */
	uint32_t received_before;       /**< The same of frames received. */
	uint16_t head_length;           /**< The latest HTTP header: most are the same. */
	bool head_ends;                 /**< Whether the answer ends with it. */
	struct http_answer head_answer; /**< What it says. */
	uint8_t head[LOAD_HEAD_MAX];
	unsigned int batch_first;               /**< Packets made up and not taken by the device, */
	unsigned int batch_end;                 /**< which are sent before others are made, */
	uint64_t batch_us;                      /**< and since when. */
	struct rte_mbuf *batch[LOAD_BATCH_MAX]; /**< From batch_first on, before batch_end. */
	struct rte_mbuf *packet[LOAD_RECEIVE_MAX]; /**< What was received. */
	bool predicts;                             /**< load_predict.h has something to do. */
	uint32_t watch_slot;    /**< load_watch(): the next connection to look at, */
	uint32_t watched_ms;    /**< and when it looked. */
	struct load_idle *idle; /**< NULL: another exchange. */
	uint64_t tuples;        /**< So many, or more, bring their answers to this worker. */
	uint64_t share;         /**< So many of load->shares are its, */
	uint64_t share_before;  /**< and of the workers before it. */
	struct figures phases[LOAD_PHASES];
};

static inline struct load_conn *
load_conn_of(const struct load_worker *load, const struct conn *conn)
{
	return &load->own[conn - load->conns];
}

/** 64 bits that need not surprise anybody. */
static inline uint64_t
load_random(struct load_worker *load)
{
	uint64_t random = load->random;

	random ^= random << 13;
	random ^= random >> 7;
	random ^= random << 17;
	load->random = random;
	return random * UINT64_C(0x2545f4914f6cdd1d);
}

/** What keeps a load from beginning. */
enum load_result {
	LOAD_OK,
	LOAD_NO_ROUTE,    /**< A target is neither in the port's subnets nor behind a gateway. */
	LOAD_NO_SOURCE,   /**< No source of the target's family is left. */
	LOAD_SAME_TUPLES, /**< Two ports would use the same ones. */
	LOAD_NO_MEMORY,
	LOAD_UNRESOLVED, /**< The next hop does not answer. */
	LOAD_STOPPED,
};

/**
 * Prepare an assembled engine for a load; before its workers take a turn.
 *
 * @param which
 *   Set to the target that a result is about.
 */
enum load_result load_init(
		struct engine *engine, const struct load_plan *plan, unsigned int *which);

void load_free(struct engine *engine);

/** Find the way to the targets, wait as planned, and begin; by control, while the workers run. */
enum load_result load_begin(struct engine *engine, uint32_t patience_ms, unsigned int *which);

/** No starts from now on. */
void load_end(struct engine *engine);

/** When the plan itself ends, on the engine's clock; UINT64_MAX: with the last of its count. */
uint64_t load_planned_end_us(const struct load *load);

/** Whether load_end() came before the plan's own end. */
bool load_is_cut_short(const struct engine *engine);

/** Whether everything has ended. */
bool load_is_done(const struct engine *engine);

/** Add up the workers' figures of one phase. */
void load_figures(const struct engine *engine, enum load_phase phase, struct figures *sum);

/** The loop of a worker that generates load; an lcore_function_t. */
int load_run(void *argument);

/** One turn of it. @return whether there was something to do. */
bool load_turn(struct worker *worker);

/*
 * Its parts, for load_turn().
 */

/** Whether the end was so long ago that what is unfinished may be no longer. */
bool load_is_drained(const struct worker *worker);

/** What is the same for every connection in this turn. */
void load_set_env(struct worker *worker);

/**
 * The timestamps of an answer that is made from nothing but the segment it answers.
 *
 * @param tsecr
 *   That segment's TSval.
 * @return @p text, which says what is now in @p bytes.
 */
const struct frame_text *load_write_times(const struct load_worker *load, uint32_t tsecr,
		uint8_t bytes[LOAD_TIMES_BYTES], struct frame_text *text);

/** Keep what answers us, give away what is not TCP. */
void load_classify(struct worker *worker, struct burst *burst);

/**
 * Begin as many connections as are due, but few for each burst that was received: what is sent
 * stays even.
 *
 * @return how many.
 */
unsigned int load_open(struct worker *worker);

/**
 * Hand connections that live long enough to the timer wheel.
 *
 * Most end within a millisecond.  So a new connection's deadline is only written into it, and a
 * look over all of them, a few in each turn, links those it still finds.  A round of that takes
 * less than the shortest timeout, so nothing is late for it.
 */
void load_watch(struct worker *worker);

/** Segments or timeouts to actions and answers, and what ended out of the table. */
void load_step(struct worker *worker, struct burst *burst);

/** A packet of no connection in the table. */
void load_stranger(struct worker *worker, struct burst *burst, unsigned int i);

/** The stateless floods: judge answers, send what is due. */
void load_flood_input(struct worker *worker, struct burst *burst);
unsigned int load_flood(struct worker *worker);

/** Held connections: how many tuples each worker passes over, and has a byte for; at most. */
uint64_t load_idle_span(uint32_t concurrency, unsigned int workers);

/** Held connections: what is kept of them. @return 0, or -1: no memory. */
int load_idle_init(struct worker *worker);
void load_idle_free(struct load_worker *load);

/** Held connections: answer what comes, open and repeat what is due, reset them at the end. */
void load_idle_input(struct worker *worker, struct burst *burst);
unsigned int load_idle(struct worker *worker);

/**
 * Held connections, after the end: whether SYNs are still waited for, or connections are to be
 * reset, and can be.
 */
bool load_idle_is_releasing(const struct worker *worker);

/**
 * What a worker sends without being asked waits until the device takes it, for a second: then a
 * generator that is faster than its device is slowed down by it and loses nothing.
 *
 * @return whether nothing waits any more.
 */
bool load_batch_send(struct worker *worker);

/** The device does not take these frames: their connections should know it was not the network. */
void load_refused(struct worker *worker, struct rte_mbuf *packets[], unsigned int n, uint8_t port);

/** The key of the connection from a tuple. */
static inline void
load_set_key(struct flow_key *key, const struct tuple *tuple)
{
	memcpy(key->address, tuple->address, sizeof(key->address));
	key->port = tuple->port;
	key->endpoint = (uint16_t)(FLOW_KEY_ACTIVE | tuple->target);
}

/** A tuple of the port is used. */
static inline void
load_note_start(struct load_worker *load, const struct flow_key *key, uint64_t now_us)
{
	struct load_reuse *reuse = &load->reuse[load->port];
	struct tuple_walk *walk = &load->walk[load->port];

	if (unlikely(flow_key_equal(key, &reuse->key))) {
		/* 0 says that none was. */
		const uint64_t took_us = RTE_MAX(now_us - reuse->begun_us, UINT64_C(1));

		if (load->reuse_us == 0 || took_us < load->reuse_us)
			__atomic_store_n(&load->reuse_us, took_us, __ATOMIC_RELAXED);
	} else if (likely(walk->rounds < LOAD_REUSE_ROUNDS)) {
		return;
	}
	walk->rounds = 0;
	reuse->key = *key;
	reuse->begun_us = now_us;
}

/** The next starts are by another port that the worker has tuples of. */
static inline void
load_next_port(struct load_worker *load, unsigned int ports)
{
	do {
		if (++load->port == ports)
			load->port = 0;
	} while ((load->by_ports >> load->port & 1) == 0);
}

/** How many tuples there are, by all ports. */
uint64_t load_tuples(const struct engine *engine);

/** How many source addresses, likewise. */
uint64_t load_sources(const struct engine *engine);

/** The worker that the answers to a tuple will come to. */
unsigned int load_owner(const struct engine *engine, const struct tuple *tuple);

/** Whether it is this one. */
bool load_owns(const struct worker *worker, const struct tuple *tuple);

/** A worker's part of a number that all share. */
uint64_t load_part(uint64_t whole, unsigned int worker, unsigned int workers);

/** Whether connections have places in the table; the others keep no time of their SYNs. */
bool load_keeps_state(enum load_exchange exchange);

/**
 * Settle which part of connections and starts each worker has, by the tuples that steering gives
 * it and the room in its table: plan.concurrency in all, or as many as there can be.
 */
void load_share_out(struct engine *engine);

/** How many connections workers could have at once; of many at least plan.concurrency. */
uint64_t load_places(const struct engine *engine);

/** A worker's part of @p whole connections or starts; 0 of one that has no share. */
uint64_t load_share(const struct worker *worker, uint64_t whole);

/** Its part of the plan's starts per second. */
double load_rate(const struct worker *worker);

/** The number of the stateless SYN from a tuple. */
uint32_t load_isn(const struct load_worker *load, const struct tuple *tuple);

#endif /* LOAD_H */
