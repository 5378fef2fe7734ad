/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * ICMP errors about live connections, through the whole pipeline (RFC 5927, RFC 1191, RFC 8201).
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "engine/steering.h"
#include "wire/bytes.h"
#include "wire/checksum.h"

#include "rig.h"

#define CLIENT_PORT 40000
#define ETHERNET    14

struct exchange {
	struct rig rig;
	struct build_path path;
	struct build_tcp next;
	struct rig_frame last; /* The last segment that the engine sent. */
	unsigned int segments; /* How many it sent. */
};

static void
exchange_say(struct exchange *exchange, uint8_t flags, const char *text)
{
	const unsigned int length = (unsigned int)strlen(text);

	exchange->next.flags = flags;
	rig_put_tcp(&exchange->rig, &exchange->path, &exchange->next, text, length);
	exchange->next.seq += length + ((flags & TCP_SYN) != 0);
	rig_turn(&exchange->rig);
	exchange->segments = 0;
	while (rig_take(&exchange->rig, &exchange->last))
		exchange->segments++;
}

static void
exchange_start(struct exchange *exchange, unsigned int workers)
{
	memset(exchange, 0, sizeof(*exchange));
	rig_init(&exchange->rig, NULL, workers);
}

/* A client asks for 1 MiB, gets the first window of it, and acknowledges nothing. */
static void
exchange_ask(struct exchange *exchange, uint16_t client_port)
{
	rig_path(&exchange->rig, &exchange->path, 4, client_port, 8080);
	exchange->next = (struct build_tcp){.seq = 100,
			.window = 65535,
			.options = {.options = TCP_OPTION_MSS, .mss = 1460}};
	exchange_say(exchange, TCP_SYN, "");
	exchange->next.ack = exchange->last.segment.seq + 1;
	exchange->next.options.options = 0;
	exchange_say(exchange, TCP_ACK, "GET / HTTP/1.0\r\n\r\n");
	assert_int_equal(exchange->segments, 10);
	assert_int_equal(exchange->last.segment.payload_length, 1460);
}

static void
exchange_begin(struct exchange *exchange, unsigned int workers)
{
	exchange_start(exchange, workers);
	exchange_ask(exchange, CLIENT_PORT);
}

/* A router says that the engine's last segment was too big; @p seq is what it quotes. */
static void
exchange_too_big(struct exchange *exchange, uint32_t seq, uint16_t mtu)
{
	uint8_t frame[ETHERNET + 20 + 8 + 28];
	uint8_t *ip = frame + ETHERNET;
	uint8_t *icmp = ip + 20;
	rte_be16_t checksum;

	memcpy(frame, exchange->last.bytes + 6, 6);
	memcpy(frame + 6, exchange->last.bytes, 6);
	memcpy(frame + 12, exchange->last.bytes + 12, 2);
	memset(ip, 0, sizeof(frame) - ETHERNET);
	ip[0] = 0x45;
	ip[3] = sizeof(frame) - ETHERNET;
	ip[8] = 64;
	ip[9] = 1;
	memcpy(ip + 12, (const uint8_t[]){198, 51, 100, 1}, 4);
	memcpy(ip + 16, exchange->last.bytes + ETHERNET + 12, 4);
	checksum = checksum_finish(checksum_add(0, ip, 20));
	memcpy(ip + 10, &checksum, sizeof(checksum));
	icmp[0] = 3;
	icmp[1] = 4;
	icmp[6] = (uint8_t)(mtu >> 8);
	icmp[7] = (uint8_t)mtu;
	memcpy(icmp + 8, exchange->last.bytes + ETHERNET, 28);
	icmp[8 + 20 + 4] = (uint8_t)(seq >> 24);
	icmp[8 + 20 + 5] = (uint8_t)(seq >> 16);
	icmp[8 + 20 + 6] = (uint8_t)(seq >> 8);
	icmp[8 + 20 + 7] = (uint8_t)seq;
	checksum = checksum_finish(checksum_add(0, icmp, sizeof(frame) - ETHERNET - 20));
	memcpy(icmp + 2, &checksum, sizeof(checksum));
	rig_put(&exchange->rig, frame, sizeof(frame));
	rig_turn(&exchange->rig);
}

static void
smaller_path_gets_smaller_segments_at_once(void **state)
{
	struct exchange exchange;
	struct rig_frame again;

	(void)state;
	/* With several workers the error must find the one that owns the connection. */
	for (unsigned int workers = 1; workers <= 3; workers++) {
		exchange_begin(&exchange, workers);
		exchange_too_big(&exchange, exchange.last.segment.seq, 1000);
		assert_true(rig_take(&exchange.rig, &again));
		assert_int_equal(again.segment.seq, exchange.next.ack);
		assert_int_equal(again.segment.payload_length, 1000 - 40);
		rig_free(&exchange.rig);
	}
}

/* A client's port that our software and a NIC's RSS bring to the second of two workers. */
static uint16_t
port_of_second_worker(const struct rig *rig)
{
	const struct port nic = {.receive_queues = 2,
			.reta_size = 128,
			.rss_types = RTE_ETH_RSS_NONFRAG_IPV4_TCP};
	struct port_flow flow = {.local_port = RTE_BE16(8080)};

	flow_key_map_ipv4(flow.remote, RTE_BE32(0x0a090001));
	flow_key_map_ipv4(flow.local, RTE_BE32(0x0a090002));
	for (uint16_t port = 40000; port < 50000; port++) {
		flow.remote_port = rte_cpu_to_be_16(port);
		if (steering_flow_owner(&rig->engine, &rig->engine.port[0], &flow) == 1 &&
				port_rss_queue(&nic, &flow) == 1)
			return port;
	}
	fail_msg("no port is the second worker's");
	return 0;
}

static void
error_finds_the_worker_that_a_nic_gave_the_flow_to(void **state)
{
	struct exchange exchange;
	struct rig_frame again;
	struct port *port = &exchange.rig.engine.port[0];

	(void)state;
	exchange_start(&exchange, 2);
	exchange_ask(&exchange, port_of_second_worker(&exchange.rig));
	port->software_steering = false;
	port->hardware_steering = true;
	port->rss_types = RTE_ETH_RSS_NONFRAG_IPV4_TCP;
	port->reta_size = 128;
	port->receive_queues = 2;
	exchange_too_big(&exchange, exchange.last.segment.seq, 1000);
	assert_true(rig_take(&exchange.rig, &again));
	assert_int_equal(again.segment.payload_length, 1000 - 40);
	port->receive_queues = 1;
	port->hardware_steering = false;
	port->software_steering = true;
	rig_free(&exchange.rig);
}

static void
blind_error_changes_nothing(void **state)
{
	struct exchange exchange;
	struct rig_frame frame;

	(void)state;
	exchange_begin(&exchange, 1);
	exchange_too_big(&exchange, exchange.next.ack - 1, 1000);
	exchange_too_big(&exchange, exchange.last.segment.seq + 1460, 1000);
	assert_false(rig_take(&exchange.rig, &frame));
	assert_int_equal(rig_counter(&exchange.rig, DROP_icmp_ignored), 2);
	rig_free(&exchange.rig);
}

static void
larger_mtu_does_not_raise_the_mss(void **state)
{
	struct exchange exchange;
	struct rig_frame frame;

	(void)state;
	exchange_begin(&exchange, 1);
	exchange_too_big(&exchange, exchange.last.segment.seq, 9000);
	assert_false(rig_take(&exchange.rig, &frame));
	rig_free(&exchange.rig);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(smaller_path_gets_smaller_segments_at_once),
			cmocka_unit_test(error_finds_the_worker_that_a_nic_gave_the_flow_to),
			cmocka_unit_test(blind_error_changes_nothing),
			cmocka_unit_test(larger_mtu_does_not_raise_the_mss),
	};

	(void)argc;
	rig_start_dpdk(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
