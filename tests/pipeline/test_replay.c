/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * A copy of the ACK that opened a connection, on whichever receive queue it arrives: it opens no
 * second one.
 *
 * The rig's port has one queue.  Other queues are tried by handing it to another worker.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "client.h"
#include "wire/bytes.h"
#include "wire/checksum.h"

#define WORKERS  3
#define ETHERNET 14

static const char settings[] =
		"engine: {connections: 4096, echo_buffers: 64}\n" RIG_LAN "services:\n"
		"  - {name: web, listen: [\"10.9.0.2:80\", \"[fd00:9::2]:80\"], cookies: always}\n";

/* From now on the port's queue is this worker's. */
static void
give_queue(struct rig *rig, unsigned int to)
{
	for (unsigned int w = 0; w < rig->engine.worker_count; w++) {
		struct worker *worker = rig->engine.worker[w];

		worker->queue_next = 0;
		worker->queue_count = w == to ? 1 : 0;
		worker->queue[0] = (struct worker_queue){0, 0};
	}
}

/* As if the NIC spread the flows: what comes to a queue is its worker's. */
static void
leave_it_to_the_nic(struct rig *rig)
{
	rig->engine.port[0].software_steering = false;
	rig->engine.port[0].hardware_steering = true;
}

/* The client's next segment, with four IP options that do nothing. */
static void
put_with_options(struct client *client, uint8_t flags)
{
	static const uint8_t nothing[4] = {1, 1, 1, 1};
	uint8_t plain[RIG_FRAME_MAX], bytes[RIG_FRAME_MAX];
	uint8_t *ip = bytes + ETHERNET;
	struct build_lengths lengths;
	rte_be16_t checksum;
	unsigned int length;

	client->next.flags = flags;
	length = build_tcp(
			plain, &client->path, &client->next, 0, BUILD_CHECKSUM_SOFTWARE, &lengths);
	memcpy(bytes, plain, ETHERNET + 20);
	memcpy(ip + 20, nothing, sizeof(nothing));
	memcpy(ip + 24, plain + ETHERNET + 20, length - ETHERNET - 20);
	ip[0] = 0x46;
	bytes_write_16(ip + 2, (uint16_t)(bytes_read_16(ip + 2) + 4));
	memset(ip + 10, 0, 2);
	checksum = checksum_finish(checksum_add(0, ip, 24));
	memcpy(ip + 10, &checksum, sizeof(checksum));
	rig_put(client->rig, bytes, length + 4);
}

/* A connection that opened by its cookie, and was reset. @return its third segment */
static struct build_tcp
open_and_reset(struct client *client, struct rig *rig, unsigned int family)
{
	struct build_tcp third;

	client_syn(client, rig, family, 80, &client_linux_syn);
	third = client->next;
	client_put(client, TCP_ACK, "");
	assert_int_equal(client_hear(client), 0);
	assert_int_equal(rig_counter(rig, COUNTER_syn_cookies_opened), 1);
	client_put(client, TCP_RST, "");
	assert_int_equal(client_hear(client), 0);
	assert_int_equal(rig_connections(rig), 0);
	return third;
}

static void
copy_is_refused_whichever_queue_it_arrives_on(void **state)
{
	struct client client;
	struct rig rig;

	(void)state;
	for (unsigned int family = 4; family <= 6; family += 2) {
		rig_init(&rig, settings, WORKERS);
		client.next = open_and_reset(&client, &rig, family);
		for (unsigned int queue = 0; queue < WORKERS; queue++) {
			give_queue(&rig, queue);
			client_put(&client, TCP_ACK, "");
			assert_int_equal(client_hear(&client), 1);
			assert_int_equal(client.heard.segment.flags, TCP_RST);
			assert_int_equal(rig_connections(&rig), 0);
		}
		assert_int_equal(rig_counter(&rig, COUNTER_syn_cookies_opened), 1);
		rig_free(&rig);
	}
}

static void
copy_finds_the_living_connection_from_every_queue(void **state)
{
	struct client client;
	struct rig rig;

	(void)state;
	rig_init(&rig, settings, WORKERS);
	client_syn(&client, &rig, 4, 80, &client_linux_syn);
	for (unsigned int queue = 0; queue < WORKERS; queue++) {
		give_queue(&rig, queue);
		client_put(&client, TCP_ACK, "");
		assert_int_equal(client_hear(&client), 0);
		assert_int_equal(rig_connections(&rig), 1);
	}
	assert_int_equal(rig_counter(&rig, COUNTER_syn_cookies_opened), 1);
	rig_free(&rig);
}

static void
options_do_not_carry_a_copy_past_the_nic(void **state)
{
	struct client client;
	struct rig rig;

	(void)state;
	rig_init(&rig, settings, WORKERS);
	leave_it_to_the_nic(&rig);
	client.next = open_and_reset(&client, &rig, 4);
	for (unsigned int queue = 1; queue < WORKERS; queue++) {
		give_queue(&rig, queue);
		put_with_options(&client, TCP_ACK);
		assert_int_equal(client_hear(&client), 1);
		assert_int_equal(client.heard.segment.flags, TCP_RST);
		assert_int_equal(rig_connections(&rig), 0);
	}
	assert_int_equal(rig_counter(&rig, COUNTER_syn_cookies_opened), 1);
	rig_free(&rig);
}

/* Who really sends them is served, without a cookie, by the worker that all of them reach. */
static void
client_with_options_is_kept_half_open_where_the_nic_spreads(void **state)
{
	struct client client;
	struct rig rig;

	(void)state;
	rig_init(&rig, settings, WORKERS);
	leave_it_to_the_nic(&rig);
	client_init(&client, &rig, 4, 80, &client_linux_syn);
	put_with_options(&client, TCP_SYN);
	assert_int_equal(client_hear(&client), 1);
	assert_int_equal(client.heard.segment.flags, TCP_SYN | TCP_ACK);
	assert_int_equal(rig_counter(&rig, COUNTER_syn_cookies_sent), 0);
	assert_int_equal(rig_connections(&rig), 1);
	client.next.seq++;
	client.next.ack = client.heard.segment.seq + 1;
	client.next.options.options &= TCP_OPTION_TIMESTAMPS;
	client.next.options.tsecr = client.heard.segment.tsval;
	put_with_options(&client, TCP_ACK);
	assert_int_equal(client_hear(&client), 0);
	assert_int_equal(rig_counter(&rig, COUNTER_opened), 1);
	rig_free(&rig);

	/* Where we compute the owner, options make no difference. */
	rig_init(&rig, settings, WORKERS);
	client_init(&client, &rig, 4, 80, &client_linux_syn);
	put_with_options(&client, TCP_SYN);
	assert_int_equal(client_hear(&client), 1);
	assert_int_equal(rig_counter(&rig, COUNTER_syn_cookies_sent), 1);
	rig_free(&rig);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(copy_is_refused_whichever_queue_it_arrives_on),
			cmocka_unit_test(copy_finds_the_living_connection_from_every_queue),
			cmocka_unit_test(options_do_not_carry_a_copy_past_the_nic),
			cmocka_unit_test(
					client_with_options_is_kept_half_open_where_the_nic_spreads),
	};

	(void)argc;
	rig_start_dpdk(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
