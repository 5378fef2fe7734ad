/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The frames of Pktgen-DPDK's SYN floods: 60 bytes, no options, 6 bytes of payload, window 8192,
 * sequence number 74616 and, though there is no ACK, acknowledgement number 74640 in every one of
 * them (pktgen-tcp.c and pktgen-constants.h of 24.x).  The engine answers: as a peer without
 * options, and without taking the payload (RFC 9293 3.10.7.2 lets it wait).
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "rig.h"

#define PKTGEN_SEQ 74616
#define PKTGEN_ACK 74640

static const char settings[] =
		"engine: {connections: 4096}\n"
		"ports:\n"
		"  - {name: lan, device: \"vdev:net_ring_rig\", mac: \"02:00:00:00:00:02\", "
		"addresses: 10.9.0.2/24}\n"
		"services:\n"
		"  - {name: web, listen: \"10.9.0.2:80\", cookies: %s}\n";

/* One frame as Pktgen sends it, from one of its ports. */
static void
put_syn(struct rig *rig, uint16_t port)
{
	static const uint8_t payload[6];
	const struct build_tcp tcp = {
			.seq = PKTGEN_SEQ, .ack = PKTGEN_ACK, .flags = TCP_SYN, .window = 8192};
	struct build_path path;

	rig_path(rig, &path, 4, port, 80);
	rig_put_tcp(rig, &path, &tcp, payload, sizeof(payload));
}

static void
answers(const char *cookies)
{
	struct rig_frame frame;
	struct rig rig;
	char yaml[512];

	snprintf(yaml, sizeof(yaml), settings, cookies);
	rig_init(&rig, yaml, 1);
	for (uint16_t port = 2049; port < 2049 + 200; port++) {
		put_syn(&rig, port);
		rig_turn(&rig);
		assert_true(rig_take(&rig, &frame));
		assert_int_equal(frame.segment.flags, TCP_SYN | TCP_ACK);
		assert_int_equal(frame.segment.ack, PKTGEN_SEQ + 1);
		assert_int_equal(frame.segment.payload_length, 0);
		/* An MSS may be said to anybody; nothing else that was not offered. */
		assert_int_equal(frame.segment.options & ~TCP_OPTION_MSS, 0);
		assert_false(rig_take(&rig, &frame));
	}
	assert_int_equal(rig_counter(&rig, COUNTER_syn_received), 200);
	assert_int_equal(rig_counter(&rig, COUNTER_replies), 200);
	assert_int_equal(rig_counter(&rig, COUNTER_syn_cookies_sent),
			strcmp(cookies, "always") == 0 ? 200 : 0);
	rig_free(&rig);
}

static void
syn_with_six_bytes_is_answered_with_memory(void **state)
{
	(void)state;
	answers("never");
}

static void
syn_with_six_bytes_is_answered_with_a_cookie(void **state)
{
	(void)state;
	answers("always");
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(syn_with_six_bytes_is_answered_with_memory),
			cmocka_unit_test(syn_with_six_bytes_is_answered_with_a_cookie),
	};

	(void)argc;
	rig_start_dpdk(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
