/* SPDX-License-Identifier: BSD-3-Clause */

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>

#include "engine/cookies.h"
#include "engine/eal.h"
#include "engine/engine.h"
#include "engine/launch.h"
#include "engine/log.h"
#include "engine/outside.h"
#include "engine/worker.h"

#include "replay_engine.h"

#define REPLAY_RING_SIZE 1024
/* An engine's buffers have room for its MTU; hosts that offload give captures up to 64 KiB, and an
 * mbuf has not more, headroom included: frames that the engine sends on may grow into it.  The
 * engine is given one at a time.
 */
#define REPLAY_LARGE_BYTES (REPLAY_LONGEST + RTE_PKTMBUF_HEADROOM)
#define REPLAY_LARGE       63
#define REPLAY_LARGE_MIB   8
/* Nights, and timestamps that somebody damaged: a gap of hours takes no hours.  A leap is less than
 * the half of 2^32 ms, within which timers know before from after.
 */
#define REPLAY_STEP_US    UINT64_C(1000)
#define REPLAY_LONG_US    (3600 * UINT64_C(1000000))
#define REPLAY_STRIDE_US  UINT64_C(1000000)
#define REPLAY_LEAP_US    (86400 * UINT64_C(1000000))
#define REPLAY_START_US   1000000 /* What the engine's own clock says at the beginning. */
#define REPLAY_SECRET_LEN 32

_Static_assert(REPLAY_LARGE_BYTES == UINT16_MAX, "what an mbuf's lengths can say");

struct replay_engine {
	struct engine engine;
	const struct replay_plan *plan;
	uint64_t unix_us;
	unsigned int ports;
	struct rte_mempool *large;
	struct rte_ring *to_engine[SETTINGS_PORTS_MAX];
	struct rte_ring *from_engine[SETTINGS_PORTS_MAX];
};

static unsigned int
first_allowed_core(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		for (unsigned int core = 0; core < CPU_SETSIZE; core++)
			if (CPU_ISSET(core, &set))
				return core;
	return 0;
}

/* DPDK without privileges; lcore 1 is the worker's, and stays idle: this thread plays it. */
static bool
start_dpdk(const struct settings *settings)
{
	const unsigned int core = first_allowed_core();
	const struct eal_cores cores = {.main_core = core, .worker_count = 1};
	struct eal_memory memory;
	/* EAL keeps pointers to them, and moves them about. */
	static char text[9][64];
	static char *arguments[RTE_DIM(text) + 1];

	eal_choose_memory(settings, &cores, &memory);
	snprintf(text[0], sizeof(text[0]), "handfast");
	snprintf(text[1], sizeof(text[1]), "--no-huge");
	snprintf(text[2], sizeof(text[2]), "-m%llu",
			(unsigned long long)(memory.bytes >> 20) + 1 + REPLAY_LARGE_MIB);
	snprintf(text[3], sizeof(text[3]), "--no-pci");
	snprintf(text[4], sizeof(text[4]), "--no-telemetry");
	snprintf(text[5], sizeof(text[5]), "--no-shconf");
	snprintf(text[6], sizeof(text[6]), "--log-level=*:error");
	snprintf(text[7], sizeof(text[7]), "--lcores=0@%u,1@%u", core, core);
	snprintf(text[8], sizeof(text[8]), "--file-prefix=handfast-replay-%d", (int)getpid());
	for (unsigned int i = 0; i < RTE_DIM(text); i++)
		arguments[i] = text[i];
	eal_leave_no_folder();
	return rte_eal_init(RTE_DIM(text), arguments) >= 0;
}

static bool
make_port(struct replay_engine *replay, unsigned int port)
{
	char name[32];

	snprintf(name, sizeof(name), "to_engine%u", port);
	replay->to_engine[port] = rte_ring_create(name, REPLAY_RING_SIZE, SOCKET_ID_ANY, 0);
	snprintf(name, sizeof(name), "from_engine%u", port);
	replay->from_engine[port] = rte_ring_create(name, REPLAY_RING_SIZE, SOCKET_ID_ANY, 0);
	if (replay->to_engine[port] == NULL || replay->from_engine[port] == NULL)
		return false;
	snprintf(name, sizeof(name), "replay%u", port);
	return rte_eth_from_rings(name, &replay->to_engine[port], 1, &replay->from_engine[port], 1,
			       0) >= 0;
}

/* The secret of cookies is part of chance: it goes to the engine by file, as every secret does. */
static bool
make_secret(char *path, size_t size)
{
	uint8_t secret[REPLAY_SECRET_LEN];
	const char *folder = getenv("TMPDIR");
	int file;
	bool good;

	snprintf(path, size, "%s/handfast-replay-XXXXXX", folder != NULL ? folder : "/tmp");
	file = mkstemp(path);
	if (file < 0)
		return false;
	good = outside_random(secret, sizeof(secret)) &&
	       write(file, secret, sizeof(secret)) == (ssize_t)sizeof(secret);
	close(file);
	return good;
}

static bool
assemble(struct replay_engine *replay)
{
	struct settings *settings = replay->plan->settings;
	const struct eal_cores cores = {.main_core = 0, .worker_count = 1};
	char secret[256] = "";
	bool good;

	if (settings->engine.secret[0] == '\0') {
		if (!make_secret(secret, sizeof(secret))) {
			log_error("replay", "no temporary file for the secret: set TMPDIR");
			return false;
		}
		snprintf(settings->engine.secret, sizeof(settings->engine.secret), "%s", secret);
	}
	good = launch_assemble(&replay->engine, settings, &cores) == LAUNCH_OK;
	if (secret[0] != '\0')
		unlink(secret);
	return good;
}

struct replay_engine *
replay_engine_start(const struct replay_plan *plan)
{
	struct replay_engine *replay = calloc(1, sizeof(*replay));

	if (replay == NULL)
		return NULL;
	replay->plan = plan;
	replay->unix_us = plan->unix_us;
	replay->ports = plan->settings->port_count;
	outside_fix(plan->seed, plan->unix_us / 1000);
	if (!start_dpdk(plan->settings)) {
		log_error("replay", "DPDK does not start: %s", rte_strerror(rte_errno));
		free(replay);
		return NULL;
	}
	for (unsigned int port = 0; port < replay->ports; port++) {
		if (!make_port(replay, port)) {
			log_error("replay", "no rings for port %u", port);
			replay_engine_stop(replay);
			return NULL;
		}
	}
	replay->large = rte_pktmbuf_pool_create(
			"large", REPLAY_LARGE, 0, 0, REPLAY_LARGE_BYTES, SOCKET_ID_ANY);
	if (replay->large == NULL)
		log_error("replay", "no memory for large packets: %s", rte_strerror(rte_errno));
	if (replay->large == NULL || !assemble(replay)) {
		replay_engine_stop(replay);
		return NULL;
	}
	replay->engine.clock.us_per_tsc_2_64 = 0;
	replay->engine.clock.base_us = REPLAY_START_US;
	return replay;
}

/* Turns until nothing moves any more; what the engine sends meanwhile is told. */
static void
turn(struct replay_engine *replay)
{
	const struct replay_listener *listener = &replay->plan->listener;
	struct rte_mbuf *packet;
	bool busy = true;

	while (busy) {
		busy = worker_turn(replay->engine.worker[0]);
		for (unsigned int port = 0; port < replay->ports; port++) {
			while (rte_ring_dequeue(replay->from_engine[port], (void **)&packet) == 0) {
				const struct replay_frame frame = {
						.data = rte_pktmbuf_mtod(packet, const uint8_t *),
						.length = packet->data_len,
						.port = port,
				};

				listener->hear(listener->context, &frame);
				rte_pktmbuf_free(packet);
			}
		}
	}
}

static void
move_clock(struct replay_engine *replay, uint64_t us)
{
	replay->unix_us += us;
	replay->engine.clock.base_us += us;
	outside_set_ms(replay->unix_us / 1000);
	cookies_refresh(&replay->engine.cookies);
}

uint64_t
replay_engine_step_us(const struct replay_engine *replay, uint64_t left_us)
{
	if (replay_engine_connections(replay) == 0)
		return RTE_MIN(left_us, REPLAY_LEAP_US);
	return RTE_MIN(left_us, left_us > REPLAY_LONG_US ? REPLAY_STRIDE_US : REPLAY_STEP_US);
}

void
replay_engine_step(struct replay_engine *replay, uint64_t us)
{
	move_clock(replay, us);
	turn(replay);
}

struct rte_mbuf *
replay_engine_buffer(struct replay_engine *replay, const uint8_t *data, uint32_t length)
{
	struct rte_mempool *pool = replay->engine.pool;
	struct rte_mbuf *packet;

	if (length > REPLAY_LONGEST)
		return NULL;
	if (length + RTE_PKTMBUF_HEADROOM > rte_pktmbuf_data_room_size(pool))
		pool = replay->large;
	packet = rte_pktmbuf_alloc(pool);
	if (packet != NULL)
		memcpy(rte_pktmbuf_append(packet, (uint16_t)length), data, length);
	return packet;
}

void
replay_engine_put(struct replay_engine *replay, unsigned int port, struct rte_mbuf *packet)
{
	rte_ring_enqueue(replay->to_engine[port], packet);
	turn(replay);
}

const uint8_t *
replay_engine_mac(const struct replay_engine *replay, unsigned int port)
{
	return replay->engine.port[port].mac.addr_bytes;
}

uint64_t
replay_engine_counter(const struct replay_engine *replay, unsigned int counter)
{
	uint64_t sum = 0;

	for (unsigned int port = 0; port < replay->ports; port++)
		sum += replay->engine.worker[0]->counters[port].value[counter];
	return sum;
}

unsigned int
replay_engine_connections(const struct replay_engine *replay)
{
	return conn_table_count(replay->engine.worker[0]->table);
}

const struct tcp_conn *
replay_engine_connection(const struct replay_engine *replay, unsigned int port,
		const struct flow_key *client, const uint8_t address[16], rte_be16_t service_port)
{
	const struct worker *worker = replay->engine.worker[0];
	const struct conn *conn;
	struct flow_key key = *client;

	key.endpoint = service_map_lookup(
			engine_services(&replay->engine)->map[port], address, service_port);
	conn = conn_table_lookup(worker->table, &key, conn_table_hash(worker->table, &key));
	return conn != NULL && conn->tcp.state < TCP_STATES ? &conn->tcp : NULL;
}

void
replay_engine_stop(struct replay_engine *replay)
{
	launch_disassemble(&replay->engine);
	rte_eal_cleanup();
	free(replay);
}
