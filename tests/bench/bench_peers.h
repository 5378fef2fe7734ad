/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef BENCH_PEERS_H
#define BENCH_PEERS_H

/**
 * @file
 * Clients and backends of a bench_engine: both ends of every proxied connection, by script.
 *
 * Backends know nothing: what they say follows from the segment they answer.  A client's number is
 * its address and port, and stands in its request, so that a backend's end can be told, too.
 * Nothing is retransmitted; what the engine drops or loses is seen as a connection that is not
 * finished.
 */

#include <stdbool.h>
#include <stdint.h>

#include "bench_engine.h"

/** Both ends of a connection, as they would go on. */
struct bench_peers_conn {
	uint32_t client_seq;
	uint32_t client_ack;
	uint32_t server_seq;
	uint32_t server_ack;
	rte_be32_t local; /**< Our end towards the backend. */
	rte_be16_t local_port;
	uint16_t server; /**< Backend's number, from 0. */
};

struct bench_peers {
	struct bench_engine *engine;
	struct bench_peers_conn *conn; /**< By client; NULL: not to be remembered. */
	uint32_t clients;
	bool closing;     /**< The client closes when it was answered. */
	bool linux_like;  /**< SYNs with all the options of Linux. */
	uint64_t opened;  /**< Requests that reached a backend. */
	uint64_t closed;  /**< Clients that have acknowledged their backend's FIN. */
	uint64_t resets;  /**< That anybody got. */
	uint64_t refused; /**< Frames that made no sense. */
};

/**
 * Settings for so many connections at once, for bench_engine_open().
 *
 * @param mode
 *   Of the services.
 * @return text for free()
 */
char *bench_peers_yaml(uint32_t connections, const char *mode);

/** Wait until the engine knows all backends. */
void bench_peers_begin(struct bench_peers *peers);

/** A client's SYN. */
void bench_peers_open(struct bench_peers *peers, uint32_t client);

/** Answer what the engine has sent. @return how many frames there were. */
unsigned int bench_peers_serve(struct bench_peers *peers);

/** A segment with six bytes of text of an open connection, 64 bytes with the FCS. */
struct rte_mbuf *bench_peers_segment(struct bench_peers *peers, uint32_t client, bool from_server);

/** Whether what the engine made of such a segment is exact, its checksums included. */
bool bench_peers_is_right(const struct bench_peers *peers, const struct rte_mbuf *packet);

#endif /* BENCH_PEERS_H */
