/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Puts an engine together from settings, two rings and a clock that stands still.
 *
 * Everything it checks is an assertion of cmocka.  It does not know what the engine should answer.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>

#include "engine/eal.h"
#include "engine/launch.h"
#include "engine/log.h"
#include "settings/settings.h"
#include "wire/parse.h"

#include "rig.h"

#define RIG_RING_SIZE 4096

static const char rig_settings[] =
		"engine: {connections: 4096, echo_buffers: 64}\n" RIG_LAN "services:\n"
		"  - {name: web, listen: [\"10.9.0.2:80\", \"[fd00:9::2]:80\"], body_size: 100}\n"
		"  - {name: echo, listen: [\"10.9.0.2:7\", \"[fd00:9::2]:7\"], reply: echo}\n"
		"  - {name: sink, listen: [\"10.9.0.2:9\", \"[fd00:9::2]:9\"], reply: discard}\n"
		"  - {name: mail, listen: \"10.9.0.2:25\", reply: banner, banner: \"220 "
		"hi\\r\\n\"}\n"
		"  - {name: brief, listen: [\"10.9.0.2:81\", \"[fd00:9::2]:81\"], reply: discard, "
		"close: at_once}\n"
		"  - {name: large, listen: \"10.9.0.2:8080\", body_size: 1MiB}\n";

static const uint8_t rig_client_mac[6] = {0x02, 0, 0, 0, 0, 0x01};

void
rig_start_dpdk(const char *program)
{
	char prefix[64];
	const char *const words[] = {program, "--no-huge", "-m", "384", "--no-pci",
			"--no-telemetry", "--no-shconf", "--log-level=*:error",
			"--lcores=0@0,1@0,2@0,3@0", prefix};
	/* EAL keeps pointers to them, and moves them about. */
	static char text[RTE_DIM(words)][256];
	static char *arguments[RTE_DIM(words) + 1];

	snprintf(prefix, sizeof(prefix), "--file-prefix=rig%d", (int)getpid());
	for (unsigned int i = 0; i < RTE_DIM(words); i++) {
		snprintf(text[i], sizeof(text[i]), "%s", words[i]);
		arguments[i] = text[i];
	}
	eal_leave_no_folder();
	if (rte_eal_init(RTE_DIM(words), arguments) < 0) {
		fprintf(stderr, "DPDK does not start\n");
		exit(1);
	}
	log_init(LOG_LEVEL_WARNING);
}

void
rig_init(struct rig *rig, const char *yaml, unsigned int workers)
{
	struct eal_cores cores = {.worker_count = workers};
	const char *text = yaml != NULL ? yaml : rig_settings;
	int port;

	memset(rig, 0, sizeof(*rig));
	rig->open = true;
	rig->to_engine = rte_ring_create("to_engine", RIG_RING_SIZE, 0, 0);
	rig->from_engine = rte_ring_create("from_engine", RIG_RING_SIZE, 0, 0);
	port = rte_eth_from_rings("rig", &rig->to_engine, 1, &rig->from_engine, 1, 0);
	assert_true(port >= 0);
	rig->settings = settings_parse("rig.yaml", text, strlen(text), stderr);
	assert_non_null(rig->settings);
	assert_int_equal(launch_assemble(&rig->engine, rig->settings, &cores), LAUNCH_OK);
	/* Time stands still from here on, but for rig_wait_ms(). */
	rig->engine.clock.us_per_tsc_2_64 = 0;
	rig->engine.clock.base_us = 1000000;
}

void
rig_free(struct rig *rig)
{
	struct rig_frame frame;

	while (rig_take(rig, &frame))
		;
	rig_check_conservation(rig);
	rig_close(rig);
}

void
rig_close(struct rig *rig)
{
	struct rig_bytes bytes;

	rig->open = false;
	while (rig_take_bytes(rig, &bytes))
		;
	launch_disassemble(&rig->engine);
	/* Closing frees the port, not the device under it. */
	rte_eal_hotplug_remove("vdev", "net_ring_rig");
	rte_ring_free(rig->to_engine);
	rte_ring_free(rig->from_engine);
	settings_free(rig->settings);
}

void
rig_put(struct rig *rig, const uint8_t *bytes, unsigned int length)
{
	struct rte_mbuf *packet = rte_pktmbuf_alloc(rig->engine.pool);

	assert_non_null(packet);
	memcpy(rte_pktmbuf_append(packet, (uint16_t)length), bytes, length);
	assert_int_equal(rte_ring_enqueue(rig->to_engine, packet), 0);
}

void
rig_turn(struct rig *rig)
{
	bool busy = true;

	while (busy) {
		busy = false;
		for (unsigned int w = 0; w < rig->engine.worker_count; w++)
			busy |= worker_turn(rig->engine.worker[w]);
	}
	/* Packets that one worker sends for another wait for one more turn. */
	for (unsigned int w = 0; w < rig->engine.worker_count; w++)
		worker_turn(rig->engine.worker[w]);
}

void
rig_wait_ms(struct rig *rig, unsigned int ms)
{
	for (unsigned int i = 0; i < ms; i++) {
		rig->engine.clock.base_us += 1000;
		rig_turn(rig);
	}
}

bool
rig_take_bytes(struct rig *rig, struct rig_bytes *bytes)
{
	struct rte_mbuf *packet;

	if (rte_ring_dequeue(rig->from_engine, (void **)&packet) != 0)
		return false;
	bytes->length = packet->pkt_len;
	assert_true(bytes->length <= sizeof(bytes->data));
	memcpy(bytes->data, rte_pktmbuf_mtod(packet, uint8_t *), bytes->length);
	rte_pktmbuf_free(packet);
	return true;
}

bool
rig_take(struct rig *rig, struct rig_frame *frame)
{
	struct rig_bytes bytes;

	if (!rig_take_bytes(rig, &bytes))
		return false;
	frame->length = bytes.length;
	memcpy(frame->bytes, bytes.data, bytes.length);
	/* The engine's own output must be flawless: checksums, lengths, options. */
	assert_int_equal(
			parse_frame(frame->bytes, frame->length, 0, &frame->frame, &frame->segment),
			DROP_NONE);
	return true;
}

static void
rig_address(const char *text, uint8_t address[16])
{
	if (strchr(text, ':') != NULL) {
		assert_int_equal(inet_pton(AF_INET6, text, address), 1);
	} else {
		rte_be32_t ipv4;

		assert_int_equal(inet_pton(AF_INET, text, &ipv4), 1);
		flow_key_map_ipv4(address, ipv4);
	}
}

void
rig_path(const struct rig *rig, struct build_path *path, unsigned int family, uint16_t client_port,
		uint16_t engine_port)
{
	memset(path, 0, sizeof(*path));
	path->family = (uint8_t)family;
	memcpy(path->local_mac, rig_client_mac, sizeof(path->local_mac));
	memcpy(path->remote_mac, rig->engine.port[0].mac.addr_bytes, sizeof(path->remote_mac));
	rig_address(family == 4 ? RIG_CLIENT_IP4 : RIG_CLIENT_IP6, path->local);
	rig_address(family == 4 ? RIG_ENGINE_IP4 : RIG_ENGINE_IP6, path->remote);
	path->local_port = rte_cpu_to_be_16(client_port);
	path->remote_port = rte_cpu_to_be_16(engine_port);
	path->vlan = rig->engine.port[0].vlan;
	path->tagged = rig->engine.port[0].tagged;
}

void
rig_put_tcp(struct rig *rig, const struct build_path *path, const struct build_tcp *tcp,
		const void *payload, unsigned int length)
{
	uint8_t bytes[RIG_FRAME_MAX];
	struct build_lengths lengths;
	const unsigned int headers = build_tcp_headers_length(path, &tcp->options);
	unsigned int total;

	if (length > 0)
		memcpy(bytes + headers, payload, length);
	total = build_tcp(bytes, path, tcp, length, BUILD_CHECKSUM_SOFTWARE, &lengths);
	rig_put(rig, bytes, total);
}

static void
rig_sum(const struct rig *rig, struct counters *sum)
{
	memset(sum, 0, sizeof(*sum));
	for (unsigned int w = 0; w < rig->engine.worker_count; w++)
		counters_add(sum, &rig->engine.worker[w]->counters[0]);
}

uint64_t
rig_counter(const struct rig *rig, enum counter counter)
{
	struct counters sum;

	rig_sum(rig, &sum);
	return sum.value[counter];
}

bool
rig_conserves(const struct rig *rig, char *reason, size_t size)
{
	struct counters sum;
	uint64_t gone, due;

	rig_sum(rig, &sum);
	gone = sum.value[COUNTER_replies] + sum.value[COUNTER_forwards] + counters_drops(&sum);
	due = sum.value[COUNTER_replies] + sum.value[COUNTER_originated] +
	      sum.value[COUNTER_forwards];
	if (sum.value[COUNTER_rx] != gone)
		snprintf(reason, size, "%llu packets came in and %llu left",
				(unsigned long long)sum.value[COUNTER_rx],
				(unsigned long long)gone);
	else if (sum.value[COUNTER_tx] + sum.value[COUNTER_tx_full] != due)
		snprintf(reason, size, "%llu packets were to be sent and %llu were",
				(unsigned long long)due, (unsigned long long)sum.value[COUNTER_tx]);
	else if (rte_mempool_in_use_count(rig->engine.pool) != rte_ring_count(rig->from_engine))
		snprintf(reason, size, "%u packet buffers are lost",
				rte_mempool_in_use_count(rig->engine.pool));
	else
		return true;
	return false;
}

void
rig_check_conservation(const struct rig *rig)
{
	char reason[256];

	if (!rig_conserves(rig, reason, sizeof(reason)))
		fail_msg("%s", reason);
}

static enum tcp_state
rig_state_in(const struct worker *worker, rte_be16_t port)
{
	struct flow_key key;
	struct tcp_conn tcp;

	for (uint32_t slot = 0; slot < conn_table_capacity(worker->table); slot++) {
		const struct conn *conn = conn_table_at(worker->table, slot);

		if (conn != NULL && conn->key.port == port)
			return (enum tcp_state)conn->tcp.state;
	}
	for (uint32_t slot = 0; slot < time_wait_capacity(worker->time_wait); slot++) {
		if (time_wait_at(worker->time_wait, slot, &key, &tcp) && key.port == port)
			return TCP_TIME_WAIT;
	}
	return TCP_CLOSED;
}

enum tcp_state
rig_state(const struct rig *rig, uint16_t client_port)
{
	for (unsigned int w = 0; w < rig->engine.worker_count; w++) {
		const enum tcp_state state =
				rig_state_in(rig->engine.worker[w], rte_cpu_to_be_16(client_port));

		if (state != TCP_CLOSED)
			return state;
	}
	return TCP_CLOSED;
}

unsigned int
rig_connections(const struct rig *rig)
{
	unsigned int connections = 0;

	for (unsigned int w = 0; w < rig->engine.worker_count; w++)
		connections += conn_table_count(rig->engine.worker[w]->table);
	return connections;
}

int
rig_teardown(void **state)
{
	struct rig *rig = *state;

	if (rig->open)
		rig_close(rig);
	return 0;
}
