/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The parts of the script runner that could lie: reading, writing and comparing packets.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "packet.h"

static const struct packet_origin client = {.seq = 1000, .tsval = 0};
static const struct packet_origin engine = {.seq = 0xfffffff0, .tsval = 5000};

static const struct packet_path path4 = {
		.family = 4,
		.from = {10, 9, 0, 1},
		.to = {10, 9, 0, 2},
		.from_mac = {2, 0, 0, 0, 0, 1},
		.to_mac = {2, 0, 0, 0, 0, 2},
		.from_port = 40000,
		.to_port = 80,
};

static struct packet
read_packet(const char *text)
{
	struct packet packet;
	const char *problem = packet_parse(&packet, text, 4);

	if (problem != NULL)
		fail_msg("%s: %s", text, problem);
	return packet;
}

static void
packet_is_printed_as_it_is_written(void **state)
{
	static const char *const texts[] = {
			"S 0:0(0) win 65535 <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 7>",
			"P. 1:11(10) ack 1 win 1000",
			"R. @0:0(0) ack @7 win 0",
			"- 5:5(0) win 1 urg 3",
			"FSRPUEWX. -1:-1(0) ack -2 win *",
			"S. above(0) ack 1 win 16384 <raw fd06deadbeef,eol>",
			". 1:1(*) ack * win 0 <*>",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const struct packet packet = read_packet(texts[i]);
		char printed[512];

		packet_print(&packet, printed, sizeof(printed));
		assert_string_equal(printed, texts[i]);
	}
}

static void
nonsense_is_refused(void **state)
{
	static const char *const texts[] = {
			"",
			"Q 0:0(0)",
			"S 0:1(0)",
			"S 0",
			"S 0:0(0) ack",
			"S 0:0(0) <mss>",
			"S 0:0(0) <foo>",
			"S 0:0(0) <mss 1460",
			"S 0:0(0) whatever",
			"P. 1:4(3) ack 1 \"ab\"",
			"P. 1:4(3) ack 1 \"abc",
			"P. 1:9999(9998) ack 1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct packet packet;

		if (packet_parse(&packet, texts[i], 4) == NULL)
			fail_msg("accepted: %s", texts[i]);
	}
}

static void
family_decides_what_path_and_default_are(void **state)
{
	struct packet packet;

	(void)state;
	assert_null(packet_parse(&packet, "S 0:0(0) <mss PATH,mss DEFAULT>", 6));
	assert_int_equal(packet.option[0].value[0].value, 1440);
	assert_int_equal(packet.option[1].value[0].value, 1220);
}

/* Bytes as a test vector made by hand (RFC 9293 3.1, RFC 791 3.1). */
static void
packet_becomes_the_bytes_that_the_rfc_draws(void **state)
{
	static const uint8_t expected[] = {/* Ethernet, IPv4 */
			2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 0x30, 0, 0, 0, 0, 64,
			6, 0x66, 0xb3, 10, 9, 0, 1, 10, 9, 0, 2,
			/* TCP: 40000 to 80, 1001, 0xfffffff1, 6 words, PSH and ACK, window 1000 */
			0x9c, 0x40, 0, 80, 0, 0, 3, 0xe9, 0xff, 0xff, 0xff, 0xf1, 0x60, 0x18, 3,
			0xe8, 0x96, 0xd7, 0, 0,
			/* MSS 1460, "bcde": the pattern from 1 on */
			2, 4, 5, 0xb4, 'b', 'c', 'd', 'e'};
	const struct packet packet = read_packet("P. 1:5(4) ack 1 win 1000 <mss 1460>");
	uint8_t frame[PACKET_FRAME_MAX];

	(void)state;
	assert_int_equal(packet_encode(&packet, &path4, &client, &engine, frame), sizeof(expected));
	assert_memory_equal(frame, expected, 24);
	assert_memory_equal(frame + 26, expected + 26, 24);
	assert_memory_equal(frame + 52, expected + 52, sizeof(expected) - 52);
	/* The checksums by their own rule: everything summed up is all ones. */
	for (unsigned int part = 0; part < 2; part++) {
		uint32_t sum = part == 0 ? 0 : 6 + sizeof(expected) - 34;
		const unsigned int from = part == 0 ? 14 : 26;
		const unsigned int end = part == 0 ? 34 : sizeof(expected);

		for (unsigned int i = from; i < end; i += 2)
			sum += (uint32_t)(frame[i] << 8 | frame[i + 1]);
		assert_int_equal((sum & 0xffff) + (sum >> 16), 0xffff);
	}
}

static void
bytes_become_the_packet_that_they_were(void **state)
{
	static const char *const texts[] = {
			"S 0:0(0) win 65535 <mss 1460,sackOK,TS val 100 ecr 0,wscale 7>",
			"FP. 1:11(10) ack 1 win 1000 <TS val 7 ecr 12>",
			". 1:1(0) ack 1 win 1000 <sack 100:200>",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const struct packet packet = read_packet(texts[i]);
		uint8_t frame[PACKET_FRAME_MAX];
		const unsigned int length = packet_encode(&packet, &path4, &client, &engine, frame);
		const uint8_t *payload;
		struct packet got;

		assert_null(packet_decode(&got, &path4, frame, length, &payload));
		got.seq.value -= client.seq;
		if (got.has_ack)
			got.ack.value -= engine.seq;
		for (unsigned int o = 0; o < got.option_count; o++) {
			got.option[o].value[1].value -=
					got.option[o].kind == PACKET_TIMESTAMPS ? engine.tsval : 0;
			if (got.option[o].kind == PACKET_SACK) {
				got.option[o].value[0].value -= engine.seq;
				got.option[o].value[1].value -= engine.seq;
			}
		}
		assert_true(packet_matches(&packet, &got));
		assert_int_equal(packet.length > 0 ? payload[0] : 'b', 'b');
	}
}

static void
unsound_bytes_are_named(void **state)
{
	const struct packet packet = read_packet("P. 1:5(4) ack 1 win 1000 <mss 1460>");
	/* A byte to spoil, whatever is wrong then. */
	static const unsigned int spoilt[] = {0, 12, 14, 16, 24, 26, 34, 46, 50, 57, 61};
	uint8_t frame[PACKET_FRAME_MAX];
	const uint8_t *payload;
	struct packet got;

	(void)state;
	for (size_t i = 0; i < sizeof(spoilt) / sizeof(spoilt[0]); i++) {
		const unsigned int length = packet_encode(&packet, &path4, &client, &engine, frame);

		frame[spoilt[i]] ^= 0x10;
		assert_non_null(packet_decode(&got, &path4, frame, length, &payload));
	}
}

static void
every_difference_is_seen(void **state)
{
	static const char *const others[] = {
			"P. 2:5(3) ack 1 win 1000 <mss 1460,nop,wscale 7>",
			"P. 1:5(4) ack 2 win 1000 <mss 1460,nop,wscale 7>",
			"P. 1:5(4) ack 1 win 1001 <mss 1460,nop,wscale 7>",
			"P. 1:6(5) ack 1 win 1000 <mss 1460,nop,wscale 7>",
			"F. 1:5(4) ack 1 win 1000 <mss 1460,nop,wscale 7>",
			"P. 1:5(4) ack 1 win 1000 <mss 1461,nop,wscale 7>",
			"P. 1:5(4) ack 1 win 1000 <mss 1460>",
			"P. 1:5(4) ack 1 win 1000 <mss 1460,nop,wscale 7,sackOK>",
	};
	const struct packet expected =
			read_packet("P. 1:5(4) ack 1 win 1000 <mss 1460,nop,wscale 7>");
	const struct packet open = read_packet("P. *:*(*) ack * win * <*>");
	struct packet got = read_packet("P. 1:5(4) ack 1 win 1000 <wscale 7,mss 1460>");

	(void)state;
	/* Order does not count, nor does what an expectation leaves open. */
	assert_true(packet_matches(&expected, &got));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		got = read_packet(others[i]);
		assert_false(packet_matches(&expected, &got));
	}
	got = read_packet("P. 1:5(4) ack 1 win 1000 <mss 1460>");
	assert_true(packet_matches(&open, &got));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(packet_is_printed_as_it_is_written),
			cmocka_unit_test(nonsense_is_refused),
			cmocka_unit_test(family_decides_what_path_and_default_are),
			cmocka_unit_test(packet_becomes_the_bytes_that_the_rfc_draws),
			cmocka_unit_test(bytes_become_the_packet_that_they_were),
			cmocka_unit_test(unsound_bytes_are_named),
			cmocka_unit_test(every_difference_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
