/* SPDX-License-Identifier: BSD-3-Clause */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "explain/explain_packet.h"
#include "tcp/flow_key.h"

/* 10.0.0.1:40000 > 10.0.0.2:80, SYN with MSS 1460 and three bytes. */
static const uint8_t ipv4[] = {0x45, 0, 0, 47, 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
		0x9c, 0x40, 0, 80, 0, 0, 0, 7, 0, 0, 0, 0, 0x60, 2, 0x10, 0, 0, 0, 0, 0, 2, 4, 5,
		0xb4, 'a', 'b', 'c'};

/* The same between fd00::1 and fd00::2, behind a hop-by-hop and a destination options header. */
static const uint8_t ipv6[] = {0x60, 0, 0, 0, 0, 39, 0, 64, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 1, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 60, 0, 1, 4, 0, 0, 0,
		0, 6, 0, 1, 4, 0, 0, 0, 0, 0x9c, 0x40, 0, 80, 0, 0, 0, 7, 0, 0, 0, 0, 0x50, 2, 0x10,
		0, 0, 0, 0, 0, 'a', 'b', 'c'};

static enum explain_kind
parse(struct explain_packet *packet, int link, const uint8_t *header, unsigned int header_length,
		const uint8_t *ip, unsigned int ip_length)
{
	static uint8_t data[256];
	const struct explain_frame frame = {
			data, header_length + ip_length, header_length + ip_length, link};

	memcpy(data, header, header_length);
	memcpy(data + header_length, ip, ip_length);
	return explain_packet_parse(&frame, packet);
}

static void
assert_is_the_syn(const struct explain_packet *packet)
{
	assert_int_equal(packet->source_port, 40000);
	assert_int_equal(packet->destination_port, 80);
	assert_int_equal(packet->segment.flags, TCP_SYN);
	assert_int_equal(packet->segment.seq, 7);
	assert_int_equal(packet->segment.window, 4096);
	assert_int_equal(packet->payload_length, 3);
	assert_int_equal(packet->payload_captured, 3);
	assert_memory_equal(packet->payload, "abc", 3);
}

static void
every_link_layer_is_read(void **state)
{
	static const uint8_t ethernet[14] = {[12] = 8};
	static const uint8_t tagged[22] = {[12] = 0x88, 0xa8, 0, 1, 0x81, 0, 0, 2, 8, 0};
	static const uint8_t cooked[16] = {[14] = 8};
	static const uint8_t cooked_2[20] = {8};
	static const uint8_t loopback[4] = {2};
	struct explain_packet packet;

	(void)state;
#define CHECK(link, header, length)                                                              \
	assert_int_equal(parse(&packet, link, header, length, ipv4, sizeof(ipv4)), EXPLAIN_TCP); \
	assert_is_the_syn(&packet);                                                              \
	assert_true(flow_key_is_ipv4(packet.source));                                            \
	assert_true(explain_packet_link_known(link))
	CHECK(EXPLAIN_LINK_ETHERNET, ethernet, 14);
	CHECK(EXPLAIN_LINK_ETHERNET, tagged, 22);
	CHECK(EXPLAIN_LINK_SLL, cooked, 16);
	CHECK(EXPLAIN_LINK_SLL2, cooked_2, 20);
	CHECK(EXPLAIN_LINK_NULL, loopback, 4);
	CHECK(EXPLAIN_LINK_LOOP, loopback, 4);
	CHECK(EXPLAIN_LINK_RAW, ethernet, 0);
	CHECK(EXPLAIN_LINK_RAW_FILE, ethernet, 0);
	CHECK(EXPLAIN_LINK_IPV4, ethernet, 0);
	assert_false(explain_packet_link_known(105));
}

static void
ipv6_extension_headers_are_passed_over(void **state)
{
	struct explain_packet packet;

	(void)state;
	assert_int_equal(
			parse(&packet, EXPLAIN_LINK_RAW, ipv6, 0, ipv6, sizeof(ipv6)), EXPLAIN_TCP);
	assert_is_the_syn(&packet);
	assert_int_equal(packet.destination[15], 2);
}

static void
padding_is_no_payload(void **state)
{
	uint8_t padded[sizeof(ipv4) + 6] = {0};
	struct explain_packet packet;

	(void)state;
	memcpy(padded, ipv4, sizeof(ipv4));
	assert_int_equal(parse(&packet, EXPLAIN_LINK_RAW, padded, 0, padded, sizeof(padded)),
			EXPLAIN_TCP);
	assert_is_the_syn(&packet);
}

static void
short_captures_are_read_as_far_as_they_go(void **state)
{
	struct explain_packet packet;

	(void)state;
	for (unsigned int captured = 0; captured < sizeof(ipv4); captured++) {
		const struct explain_frame frame = {ipv4, captured, sizeof(ipv4), EXPLAIN_LINK_RAW};
		const enum explain_kind kind = explain_packet_parse(&frame, &packet);

		if (captured < 1) {
			assert_int_equal(kind, EXPLAIN_NOT_IP);
			continue;
		}
		assert_int_equal(kind, captured < 36 ? EXPLAIN_CUT : EXPLAIN_TCP);
		if (captured < 36)
			continue;
		assert_int_equal(packet.payload_length, 3);
		assert_int_equal(packet.payload_captured, captured > 44 ? captured - 44 : 0);
		assert_int_equal(packet.options_cut, captured < 44);
		assert_int_equal(packet.segment.mss, captured < 44 ? 0 : 1460);
	}
}

static void
total_length_zero_is_a_large_segment(void **state)
{
	uint8_t large[sizeof(ipv4)];
	struct explain_packet packet;
	struct explain_frame frame = {large, sizeof(large), 70044, EXPLAIN_LINK_RAW};

	(void)state;
	memcpy(large, ipv4, sizeof(ipv4));
	large[3] = 0;
	assert_int_equal(explain_packet_parse(&frame, &packet), EXPLAIN_TCP);
	assert_int_equal(packet.payload_length, 70000);
	assert_int_equal(packet.payload_captured, 3);
}

static void
other_packets_are_told_apart(void **state)
{
	static const uint8_t arp[14] = {[12] = 8, 6};
	uint8_t other[sizeof(ipv4)];
	struct explain_packet packet;

	(void)state;
	assert_int_equal(parse(&packet, EXPLAIN_LINK_ETHERNET, arp, 14, ipv4, sizeof(ipv4)),
			EXPLAIN_NOT_IP);
	memcpy(other, ipv4, sizeof(ipv4));
	other[9] = 17;
	assert_int_equal(parse(&packet, EXPLAIN_LINK_RAW, other, 0, other, sizeof(other)),
			EXPLAIN_NOT_TCP);
	other[9] = 6;
	other[6] = 0x20;
	assert_int_equal(parse(&packet, EXPLAIN_LINK_RAW, other, 0, other, sizeof(other)),
			EXPLAIN_FRAGMENT);
	other[6] = 0;
	other[32] = 0x40;
	assert_int_equal(parse(&packet, EXPLAIN_LINK_RAW, other, 0, other, sizeof(other)),
			EXPLAIN_CUT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(every_link_layer_is_read),
			cmocka_unit_test(ipv6_extension_headers_are_passed_over),
			cmocka_unit_test(padding_is_no_payload),
			cmocka_unit_test(short_captures_are_read_as_far_as_they_go),
			cmocka_unit_test(total_length_zero_is_a_large_segment),
			cmocka_unit_test(other_packets_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
