/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Opening connections: control's side, against a network that answers by itself.
 *
 * Control waits, so it runs in a thread here while the main thread turns the workers.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include <rte_thash.h>

#include "engine/probe.h"
#include "engine/steering.h"
#include "wire/bytes.h"
#include "wire/neighbour.h"

#include "rig.h"

#define OPEN_PORT   80
#define CLOSED_PORT 81
#define SILENT_PORT 82

static const char routed[] = "engine: {connections: 4096}\n"
			     "ports:\n"
			     "  - name: lan\n"
			     "    device: \"vdev:net_ring_rig\"\n"
			     "    mac: 02:00:00:00:00:02\n"
			     "    addresses: [10.8.0.2/24, 10.9.0.2/24, \"fd00:9::2/64\"]\n"
			     "    gateways: [10.9.0.250, 10.9.0.251]\n"
			     "services:\n"
			     "  - {name: web, listen: \"10.9.0.2:80\"}\n";

/* The network: every address ends in the last byte of its Ethernet address. */
struct network {
	struct rig rig;
	uint8_t dead;       /* Nobody has the address that ends like this. */
	uint8_t syn_mac[6]; /* Where the last SYN went. */
	uint8_t syn_from[16];
	unsigned int solicitations;
	void (*ask)(struct network *network);
	uint8_t done;          /* Atomic. */
	unsigned int failures; /* In the thread. */
	struct probe probe;
	struct probe_report report;
};

static void
network_resolve(struct network *network, struct rig_frame *frame)
{
	uint8_t mac[6] = {0x02, 0, 0, 0, 1, 0};
	struct neighbour_message message;
	unsigned int length;

	assert_int_equal(neighbour_read(frame->bytes, &frame->frame, &message), DROP_NONE);
	if (message.kind != NEIGHBOUR_REQUEST)
		return;
	network->solicitations++;
	if (message.target[15] == network->dead)
		return;
	mac[5] = message.target[15];
	length = frame->frame.kind == FRAME_ARP
				 ? build_arp_reply(frame->bytes, &frame->frame, mac)
				 : build_neighbour_advertisement(frame->bytes, &frame->frame, mac);
	rig_put(&network->rig, frame->bytes, length);
}

static void
network_answer(struct network *network, const struct rig_frame *frame)
{
	const struct tcp_segment *segment = &frame->segment;
	struct build_tcp tcp = {.window = 1000, .ack = segment->seq + tcp_segment_length(segment)};
	struct build_path path;
	uint16_t port;

	build_path_reverse(&path, frame->bytes, &frame->frame);
	port = rte_be_to_cpu_16(path.local_port);
	if ((segment->flags & TCP_SYN) != 0) {
		memcpy(network->syn_mac, frame->bytes, 6);
		memcpy(network->syn_from, path.remote, 16);
		tcp.flags = port == OPEN_PORT ? TCP_SYN | TCP_ACK : TCP_RST | TCP_ACK;
	} else if ((segment->flags & TCP_FIN) != 0) {
		tcp.seq = segment->ack;
		tcp.flags = TCP_FIN | TCP_ACK;
	}
	if (tcp.flags != 0 && port != SILENT_PORT)
		rig_put_tcp(&network->rig, &path, &tcp, NULL, 0);
}

/* A millisecond in which everything sent is answered. */
static void
network_wait(struct network *network)
{
	const struct timespec pause = {.tv_nsec = 20000};
	struct rig_frame frame;

	rig_wait_ms(&network->rig, 1);
	while (rig_take(&network->rig, &frame)) {
		if (frame.frame.kind == FRAME_TCP)
			network_answer(network, &frame);
		else
			network_resolve(network, &frame);
	}
	nanosleep(&pause, NULL);
}

static void *
network_control(void *argument)
{
	struct network *network = argument;

	network->ask(network);
	__atomic_store_n(&network->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* Let control ask while time goes on. @return how many milliseconds it took. */
static unsigned int
network_run(struct network *network, void (*ask)(struct network *network))
{
	unsigned int ms = 0;
	pthread_t thread;

	network->ask = ask;
	network->done = 0;
	assert_int_equal(pthread_create(&thread, NULL, network_control, network), 0);
	for (; !__atomic_load_n(&network->done, __ATOMIC_ACQUIRE); ms++)
		network_wait(network);
	pthread_join(thread, NULL);
	assert_int_equal(network->failures, 0);
	return ms;
}

static void
network_ask_probe(struct network *network)
{
	probe_run(&network->rig.engine, &network->probe, &network->report);
}

static enum probe_result
network_probe(struct network *network, const char *address, uint16_t port)
{
	rte_be32_t ipv4;

	if (inet_pton(AF_INET, address, &ipv4) == 1)
		flow_key_map_ipv4(network->probe.address, ipv4);
	else
		assert_int_equal(inet_pton(AF_INET6, address, network->probe.address), 1);
	network->probe.port = rte_cpu_to_be_16(port);
	if (network->probe.timeout_ms == 0)
		network->probe.timeout_ms = 3000;
	network_run(network, network_ask_probe);
	return network->report.result;
}

static void
network_begin(struct network *network, unsigned int workers)
{
	memset(network, 0, sizeof(*network));
	rig_init(&network->rig, routed, workers);
}

/* Nothing is under way any more. */
static void
network_end(struct network *network)
{
	for (unsigned int ms = 0; ms < 3; ms++)
		network_wait(network);
	rig_turn(&network->rig);
	rig_free(&network->rig);
}

static void
neighbours_are_resolved_and_probed(void **state)
{
	struct network network;

	(void)state;
	network_begin(&network, 1);
	assert_int_equal(network_probe(&network, "10.9.0.7", OPEN_PORT), PROBE_OPENED);
	assert_int_equal(network.syn_mac[5], 7);
	/* From our address in the same subnet, which is not our first. */
	assert_memory_equal(network.syn_from + 12, ((const uint8_t[]){10, 9, 0, 2}), 4);
	assert_int_equal(network_probe(&network, "fd00:9::9", OPEN_PORT), PROBE_OPENED);
	assert_int_equal(network.syn_mac[5], 9);
	assert_int_equal(network_probe(&network, "fd00:9::9", CLOSED_PORT), PROBE_REFUSED);
	assert_in_range(network.report.local_port, 49152, 65535);
	assert_int_equal(rig_counter(&network.rig, COUNTER_opened), 2);
	network_end(&network);
}

static void
what_is_elsewhere_goes_through_a_gateway_that_answers(void **state)
{
	struct network network = {0};

	(void)state;
	network_begin(&network, 1);
	network.dead = 250;
	/* Before the first answer the first gateway is as good as the second. */
	for (unsigned int ms = 0; ms < 200; ms++)
		network_wait(&network);
	assert_int_equal(network_probe(&network, "192.0.2.77", OPEN_PORT), PROBE_OPENED);
	assert_int_equal(network.syn_mac[5], 251);
	assert_memory_equal(network.syn_from + 12, ((const uint8_t[]){10, 9, 0, 2}), 4);
	network_end(&network);
}

static void
a_neighbour_that_is_not_there_is_named_within_a_second(void **state)
{
	struct network network;

	(void)state;
	network_begin(&network, 1);
	network.dead = 66;
	assert_int_equal(network_probe(&network, "10.9.0.66", OPEN_PORT), PROBE_UNRESOLVED);
	assert_memory_equal(network.report.next_hop, network.probe.address, 16);
	assert_true(network.solicitations >= 1);
	assert_in_range(clock_us(&network.rig.engine.clock), 1900000, 2300000);
	assert_int_equal(rig_counter(&network.rig, COUNTER_syn_sent), 0);
	network_end(&network);
}

static void
what_was_known_of_a_neighbour_is_not_believed_for_ever(void **state)
{
	struct network network;

	(void)state;
	network_begin(&network, 1);
	assert_int_equal(network_probe(&network, "10.9.0.66", OPEN_PORT), PROBE_OPENED);
	network.dead = 66;
	assert_int_equal(network_probe(&network, "10.9.0.66", OPEN_PORT), PROBE_OPENED);
	network.rig.engine.clock.base_us += 31000000;
	assert_int_equal(network_probe(&network, "10.9.0.66", OPEN_PORT), PROBE_UNRESOLVED);
	network_end(&network);
}

static void
there_is_not_always_a_way(void **state)
{
	struct network network;

	(void)state;
	network_begin(&network, 1);
	assert_int_equal(network_probe(&network, "2001:db8::1", OPEN_PORT), PROBE_NO_ROUTE);
	assert_int_equal(network_probe(&network, "10.8.0.2", OPEN_PORT), PROBE_OUR_OWN);
	network_end(&network);
}

static void
silence_ends_at_the_limit(void **state)
{
	struct network network;

	(void)state;
	network_begin(&network, 1);
	network.probe.timeout_ms = 1500;
	assert_int_equal(network_probe(&network, "10.9.0.7", SILENT_PORT), PROBE_TIMED_OUT);
	assert_in_range(network.report.handshake_us, 1500000, 1500000 + 20000);
	assert_int_equal(rig_counter(&network.rig, COUNTER_syn_sent), 2);
	network_end(&network);
}

static void
every_answer_comes_to_the_worker_that_asked(void **state)
{
	(void)state;
	for (unsigned int workers = 2; workers <= 3; workers++) {
		struct network network;

		network_begin(&network, workers);
		for (unsigned int i = 0; i < 40; i++)
			assert_int_equal(network_probe(&network,
							 i % 2 == 0 ? "10.9.0.7" : "fd00:9::9",
							 OPEN_PORT),
					PROBE_OPENED);
		assert_int_equal(rig_counter(&network.rig, COUNTER_opened), 40);
		assert_int_equal(rig_counter(&network.rig, COUNTER_resets_sent), 0);
		for (unsigned int w = 0; w < workers; w++)
			assert_true(network.rig.engine.worker[w]
							->counters[0]
							.value[COUNTER_opened] > 0);
		network_end(&network);
	}
}

static struct target
network_target(unsigned int number)
{
	struct target target = {.port = rte_cpu_to_be_16(OPEN_PORT)};

	flow_key_map_ipv4(target.address, rte_cpu_to_be_32(0x0a090000 + number));
	return target;
}

/* Take far more targets than there are, one after the other. */
static void
network_ask_targets(struct network *network)
{
	for (unsigned int i = 0; i < 3 * TARGETS_MAX; i++) {
		const struct target target = network_target(1000 + i);
		const unsigned int number = targets_take(&network->rig.engine, &target);

		/* cmocka's assertions belong to the main thread. */
		if (number == TARGETS_NONE ||
				targets_find(&network->rig.engine.targets, 0, target.address,
						target.port) != number) {
			network->failures++;
			return;
		}
		targets_let_go(&network->rig.engine, number);
	}
}

static void
a_target_makes_room_when_it_has_no_connections(void **state)
{
	const struct target held = network_target(7);
	struct network network;
	struct targets *targets = &network.rig.engine.targets;
	unsigned int number;

	(void)state;
	network_begin(&network, 2);
	number = targets_take(&network.rig.engine, &held);
	targets_let_go(&network.rig.engine, number);
	worker_count_target(network.rig.engine.worker[1], number, 1);
	network_run(&network, network_ask_targets);
	assert_int_equal(targets_find(targets, 0, held.address, held.port), number);
	worker_count_target(network.rig.engine.worker[1], number, -1);
	network_run(&network, network_ask_targets);
	assert_int_equal(targets_find(targets, 0, held.address, held.port), TARGETS_NONE);
	network_end(&network);
}

static void
targets_in_use_are_not_given_away(void **state)
{
	struct network network;

	(void)state;
	network_begin(&network, 1);
	for (unsigned int i = 0; i < TARGETS_MAX; i++) {
		const struct target target = network_target(i);

		assert_int_equal(targets_take(&network.rig.engine, &target), i);
	}
	assert_int_equal(network_probe(&network, "10.9.0.200", OPEN_PORT), PROBE_NO_TARGET);
	network_end(&network);
}

static void
network_want(struct network *network, unsigned int first, unsigned int count)
{
	struct engine *engine = &network->rig.engine;

	for (unsigned int i = 0; i < count; i++) {
		const struct target target = network_target(first + i);

		if (resolver_want(engine, 0, target.address) == RESOLVER_NONE)
			network->failures++;
	}
}

static void
network_ask_neighbours(struct network *network)
{
	network_want(network, 2000, 64);
}

static void
a_neighbour_makes_room_half_a_minute_later(void **state)
{
	const struct target more = network_target(1999);
	struct network network;
	struct engine *engine = &network.rig.engine;

	(void)state;
	network_begin(&network, 1);
	network_want(&network, 1000, RESOLVER_MAX - 2); /* but for the gateways */
	assert_int_equal(network.failures, 0);
	assert_int_equal(resolver_want(engine, 0, more.address), RESOLVER_NONE);
	engine->clock.base_us += 31000000;
	network_run(&network, network_ask_neighbours);
	assert_int_not_equal(resolver_find(&engine->resolver, 0, network_target(2063).address),
			RESOLVER_NONE);
	/* The gateways never do. */
	assert_int_equal(resolver_find(&engine->resolver, 0, network_target(251).address), 1);
	network_end(&network);
}

static void
queues_of_a_nic_follow_its_hash(void **state)
{
	uint8_t key[40];
	struct port port = {
			.receive_queues = 3,
			.reta_size = 128,
			.rss_types = RTE_ETH_RSS_NONFRAG_IPV4_TCP,
	};
	unsigned int seen[3] = {0};

	(void)state;
	for (unsigned int i = 0; i < sizeof(key); i += 2) {
		key[i] = 0x6d;
		key[i + 1] = 0x5a;
	}
	for (uint16_t i = 0; i < 300; i++) {
		struct port_flow flow = {.remote_port = rte_cpu_to_be_16(443),
				.local_port = rte_cpu_to_be_16((uint16_t)(50000 + i))};
		struct port_flow back = {.remote_port = flow.local_port, .local_port = 0};
		uint32_t tuple[3] = {0x0a090007, 0x0a090002, (uint32_t)443 << 16 | (50000 + i)};
		const uint32_t hash = rte_softrss(tuple, 3, key);

		flow_key_map_ipv4(flow.remote, rte_cpu_to_be_32(tuple[0]));
		flow_key_map_ipv4(flow.local, rte_cpu_to_be_32(tuple[1]));
		memcpy(back.remote, flow.local, 16);
		memcpy(back.local, flow.remote, 16);
		back.local_port = flow.remote_port;
		assert_int_equal(port_rss_queue(&port, &flow), hash % 128 % 3);
		assert_int_equal(port_rss_queue(&port, &back), port_rss_queue(&port, &flow));
		seen[port_rss_queue(&port, &flow)]++;
	}
	assert_true(seen[0] > 0 && seen[1] > 0 && seen[2] > 0);
	/* What it does not spread comes in at the first queue. */
	assert_int_equal(port_rss_queue(&port, &(struct port_flow){.remote = {0xfd, [15] = 9}}), 0);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(neighbours_are_resolved_and_probed),
			cmocka_unit_test(what_is_elsewhere_goes_through_a_gateway_that_answers),
			cmocka_unit_test(a_neighbour_that_is_not_there_is_named_within_a_second),
			cmocka_unit_test(what_was_known_of_a_neighbour_is_not_believed_for_ever),
			cmocka_unit_test(there_is_not_always_a_way),
			cmocka_unit_test(silence_ends_at_the_limit),
			cmocka_unit_test(every_answer_comes_to_the_worker_that_asked),
			cmocka_unit_test(a_target_makes_room_when_it_has_no_connections),
			cmocka_unit_test(targets_in_use_are_not_given_away),
			cmocka_unit_test(a_neighbour_makes_room_half_a_minute_later),
			cmocka_unit_test(queues_of_a_nic_follow_its_hash),
	};

	(void)argc;
	rig_start_dpdk(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
