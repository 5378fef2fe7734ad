/* SPDX-License-Identifier: BSD-3-Clause */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "golden.h"
#include "random.h"
#include "wire/checksum.h"
#include "wire/neighbour.h"
#include "wire/parse.h"
#include "wire/steering_hash.h"

/** Which worker a flow goes to is not asked here: any key will do. */
static const struct siphash_key key = {UINT64_C(0x243f6a8885a308d3), UINT64_C(0x13198a2e03707344)};

#define SEED 20251120

static struct frame frame;
static struct tcp_segment segment;

/** Parse from memory that ends with the frame. */
static enum counter
parse(const uint8_t *bytes, size_t length, unsigned int flags)
{
	uint8_t *exact = calloc(1, length);
	enum counter reason;

	if (length > 0)
		memcpy(exact, bytes, length);
	memset(&frame, 0xa5, sizeof(frame));
	memset(&segment, 0xa5, sizeof(segment));
	reason = parse_frame(exact, (uint32_t)length, flags, &frame, &segment);
	free(exact);
	return reason;
}

#define PARSE(name) parse(golden_##name, sizeof(golden_##name), 0)

/** A golden frame to spoil. */
#define COPY(name)                           \
	uint8_t name[sizeof(golden_##name)]; \
	memcpy(name, golden_##name, sizeof(name))

/** Make the checksums of an untagged IPv4 TCP frame right again. */
static void
repair_ipv4(uint8_t *bytes)
{
	uint8_t *ip = bytes + 14;
	size_t header = (ip[0] & 15) * 4u;
	size_t length = (size_t)ip[2] << 8 | ip[3];
	uint8_t *tcp = ip + header;
	uint16_t field = 0;

	memcpy(ip + 10, &field, 2);
	field = checksum_finish(checksum_add(0, ip, header));
	memcpy(ip + 10, &field, 2);
	length -= header;
	memset(tcp + 16, 0, 2);
	field = checksum_finish(checksum_add(
			checksum_pseudo(ip + 12, ip + 16, 4, 6, (uint32_t)length), tcp, length));
	memcpy(tcp + 16, &field, 2);
}

static void
repair_ipv6(uint8_t *bytes)
{
	uint8_t *ip = bytes + 14;
	size_t length = (size_t)ip[4] << 8 | ip[5];
	uint8_t *tcp = ip + 40;
	uint16_t field;

	memset(tcp + 16, 0, 2);
	field = checksum_finish(checksum_add(
			checksum_pseudo(ip + 8, ip + 24, 16, 6, (uint32_t)length), tcp, length));
	memcpy(tcp + 16, &field, 2);
}

static void
check_linux_syn(uint16_t l3_offset, uint16_t l4_offset, uint8_t family)
{
	assert_int_equal(frame.kind, FRAME_TCP);
	assert_int_equal(frame.family, family);
	assert_int_equal(frame.l3_offset, l3_offset);
	assert_int_equal(frame.l4_offset, l4_offset);
	assert_int_equal(frame.l4_length, 40);
	assert_int_equal(segment.seq, 0xfffffffe);
	assert_int_equal(segment.ack, 0);
	assert_int_equal(segment.flags, TCP_SYN);
	assert_int_equal(segment.window, 64240);
	assert_int_equal(segment.payload_length, 0);
	assert_int_equal(segment.payload_offset, 40);
	assert_int_equal(segment.options, TCP_OPTION_MSS | TCP_OPTION_SACK_PERMITTED |
							  TCP_OPTION_TIMESTAMPS |
							  TCP_OPTION_WINDOW_SCALE);
	assert_int_equal(segment.mss, 1460);
	assert_int_equal(segment.window_scale, 7);
	assert_int_equal(segment.tsval, 0x01020304);
}

static void
syn_is_read_from_ipv4_and_ipv6_with_and_without_a_tag(void **state)
{
	(void)state;
	assert_int_equal(PARSE(syn_v4), DROP_NONE);
	check_linux_syn(14, 34, 4);
	assert_int_equal(frame.flags, 0);
	assert_int_equal(frame.vlan, 0);
	assert_int_equal(PARSE(syn_v4_vlan), DROP_NONE);
	check_linux_syn(18, 38, 4);
	assert_int_equal(frame.flags, FRAME_TAGGED);
	assert_int_equal(frame.vlan, 100);
	assert_int_equal(PARSE(syn_v6), DROP_NONE);
	check_linux_syn(14, 54, 6);
	assert_int_equal(frame.traffic_class, 0xb9);
	assert_int_equal(PARSE(syn_v6_vlan), DROP_NONE);
	check_linux_syn(18, 58, 6);
	assert_int_equal(frame.vlan, 4094);
}

static void
group_frames_are_reported(void **state)
{
	(void)state;
	assert_int_equal(PARSE(syn_group), DROP_NONE);
	assert_int_equal(frame.flags, FRAME_GROUP);
	assert_int_equal(PARSE(arp_request_vlan), DROP_NONE);
	assert_int_equal(frame.flags, FRAME_GROUP | FRAME_TAGGED);
}

static void
only_the_first_bit_on_the_wire_makes_a_group(void **state)
{
	COPY(syn_v4);

	(void)state;
	memcpy(syn_v4, "\x01\x00\x5e\x00\x00\x00", 6);
	assert_int_equal(parse(syn_v4, sizeof(syn_v4), 0), DROP_NONE);
	assert_int_equal(frame.flags, FRAME_GROUP);
	memcpy(syn_v4, "\xfe\xff\xff\xff\xff\xff", 6);
	assert_int_equal(parse(syn_v4, sizeof(syn_v4), 0), DROP_NONE);
	assert_int_equal(frame.flags, 0);
}

static void
ethernet_padding_is_not_payload(void **state)
{
	(void)state;
	assert_int_equal(PARSE(ack_padded), DROP_NONE);
	assert_int_equal(frame.l4_length, 20);
	assert_int_equal(segment.payload_length, 0);
	assert_int_equal(segment.seq, 1000);
	assert_int_equal(segment.ack, 2000);
	assert_int_equal(segment.window, 502);
	assert_int_equal(segment.options, 0);
}

static void
data_is_located(void **state)
{
	(void)state;
	assert_int_equal(PARSE(data_odd), DROP_NONE);
	assert_int_equal(frame.traffic_class, 3);
	assert_int_equal(segment.flags, TCP_PSH | TCP_ACK);
	assert_int_equal(segment.payload_length, 17);
	assert_int_equal(segment.payload_offset, 32);
	assert_memory_equal(golden_data_odd + frame.l4_offset + segment.payload_offset, "GET ", 4);
	assert_int_equal(PARSE(ack_sacks), DROP_NONE);
	assert_int_equal(segment.sack_count, 2);
	assert_memory_equal(golden_ack_sacks + frame.l4_offset + segment.sack_offset,
			"\0\0\0\12\0\0\0\24\0\0\0\36\0\0\0\50", 16);
}

static void
acknowledgement_without_ack_bit_is_zero(void **state)
{
	COPY(syn_v4);

	(void)state;
	syn_v4[14 + 20 + 11] = 0x77;
	repair_ipv4(syn_v4);
	assert_int_equal(parse(syn_v4, sizeof(syn_v4), 0), DROP_NONE);
	assert_int_equal(segment.ack, 0);
}

static void
reserved_bits_of_a_segment_are_ignored(void **state)
{
	(void)state;
	assert_int_equal(PARSE(syn_reserved_bits), DROP_NONE);
	assert_int_equal(segment.flags, TCP_SYN | TCP_ECE | TCP_CWR);
}

static void
vlan_stacks_and_reserved_identifiers_are_refused(void **state)
{
	COPY(syn_v4_vlan);

	(void)state;
	assert_int_equal(PARSE(syn_double_tag), DROP_bad_vlan);
	assert_int_equal(PARSE(syn_service_tag), DROP_bad_vlan);
	syn_v4_vlan[14] = 0x0f;
	syn_v4_vlan[15] = 0xff;
	assert_int_equal(parse(syn_v4_vlan, sizeof(syn_v4_vlan), 0), DROP_bad_vlan);
	syn_v4_vlan[14] = 0xe0; /* A priority tag. */
	syn_v4_vlan[15] = 0;
	assert_int_equal(parse(syn_v4_vlan, sizeof(syn_v4_vlan), 0), DROP_NONE);
	assert_int_equal(frame.vlan, 0);
	assert_int_equal(frame.flags, FRAME_TAGGED);
}

static void
other_ether_types_are_refused(void **state)
{
	COPY(syn_v4);

	(void)state;
	syn_v4[12] = 0x88;
	syn_v4[13] = 0xcc;
	assert_int_equal(parse(syn_v4, sizeof(syn_v4), 0), DROP_ethertype);
	syn_v4[12] = 0; /* IEEE 802.3 length */
	syn_v4[13] = 60;
	assert_int_equal(parse(syn_v4, sizeof(syn_v4), 0), DROP_ethertype);
}

static void
bad_ipv4_headers_are_refused(void **state)
{
	COPY(syn_v4);

	(void)state;
	syn_v4[14] = 0x65;
	assert_int_equal(parse(syn_v4, sizeof(syn_v4), 0), DROP_bad_ip_header);
	syn_v4[14] = 0x44;
	assert_int_equal(parse(syn_v4, sizeof(syn_v4), 0), DROP_bad_ip_header);
	syn_v4[14] = 0x45;
	syn_v4[17] = 19;
	assert_int_equal(parse(syn_v4, sizeof(syn_v4), 0), DROP_bad_ip_header);
}

static void
bad_ipv6_versions_are_refused(void **state)
{
	(void)state;
	for (uint8_t version = 0; version < 16; version++) {
		COPY(syn_v6);

		syn_v6[14] = (uint8_t)(version << 4);
		assert_int_equal(parse(syn_v6, sizeof(syn_v6), 0),
				version == 6 ? DROP_NONE : DROP_bad_ip_header);
		assert_int_equal(steering_hash(&key, syn_v6, sizeof(syn_v6)) != 0, version == 6);
	}
}

static void
every_flipped_bit_of_an_ipv4_header_is_noticed(void **state)
{
	(void)state;
	for (unsigned int bit = 0; bit < 20 * 8; bit++) {
		COPY(syn_v4);

		syn_v4[14 + bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(parse(syn_v4, sizeof(syn_v4), 0), DROP_NONE);
	}
}

static void
every_flipped_bit_of_a_segment_is_noticed(void **state)
{
	(void)state;
	for (unsigned int bit = 0; bit < 40 * 8; bit++) {
		COPY(syn_v4);
		COPY(syn_v6);

		syn_v4[34 + bit / 8] ^= (uint8_t)(1 << bit % 8);
		syn_v6[54 + bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(parse(syn_v4, sizeof(syn_v4), 0), DROP_NONE);
		assert_int_not_equal(parse(syn_v6, sizeof(syn_v6), 0), DROP_NONE);
	}
}

static void
checksums_the_nic_verified_are_not_verified_again(void **state)
{
	COPY(syn_v4);

	(void)state;
	syn_v4[14 + 8]--; /* A router that forgot. */
	assert_int_equal(parse(syn_v4, sizeof(syn_v4), 0), DROP_bad_ip_checksum);
	assert_int_equal(parse(syn_v4, sizeof(syn_v4), PARSE_IP_CHECKSUM_GOOD), DROP_NONE);
	syn_v4[34 + 7] ^= 1;
	assert_int_equal(parse(syn_v4, sizeof(syn_v4), PARSE_IP_CHECKSUM_GOOD),
			DROP_bad_tcp_checksum);
	assert_int_equal(parse(syn_v4, sizeof(syn_v4),
					 PARSE_IP_CHECKSUM_GOOD | PARSE_TCP_CHECKSUM_GOOD),
			DROP_NONE);
}

static void
zero_is_not_no_checksum(void **state)
{
	(void)state;
	assert_int_equal(PARSE(syn_zero_checksum), DROP_bad_tcp_checksum);
	assert_int_equal(PARSE(syn_v6_zero_checksum), DROP_bad_tcp_checksum);
	assert_int_equal(parse(golden_syn_zero_checksum, sizeof(golden_syn_zero_checksum),
					 PARSE_PARTIAL_ALLOWED),
			DROP_bad_tcp_checksum);
}

static void
partial_checksum_is_accepted_only_where_allowed(void **state)
{
	uint16_t field;
	COPY(data_odd);
	COPY(syn_v6);

	(void)state;
	field = checksum_fold(
			checksum_pseudo(data_odd + 26, data_odd + 30, 4, 6, sizeof(data_odd) - 34));
	memcpy(data_odd + 34 + 16, &field, 2);
	assert_int_equal(parse(data_odd, sizeof(data_odd), 0), DROP_bad_tcp_checksum);
	assert_int_equal(parse(data_odd, sizeof(data_odd), PARSE_PARTIAL_ALLOWED), DROP_NONE);
	assert_int_equal(frame.flags, FRAME_PARTIAL);
	assert_int_equal(segment.payload_length, 17);
	data_odd[34 + 17] ^= 1;
	assert_int_equal(parse(data_odd, sizeof(data_odd), PARSE_PARTIAL_ALLOWED),
			DROP_bad_tcp_checksum);

	field = checksum_fold(checksum_pseudo(syn_v6 + 22, syn_v6 + 38, 16, 6, 40));
	memcpy(syn_v6 + 54 + 16, &field, 2);
	assert_int_equal(parse(syn_v6, sizeof(syn_v6), PARSE_PARTIAL_ALLOWED), DROP_NONE);
	assert_int_equal(frame.flags, FRAME_PARTIAL);
}

static void
complete_checksum_is_not_called_partial(void **state)
{
	(void)state;
	assert_int_equal(parse(golden_data_odd, sizeof(golden_data_odd), PARSE_PARTIAL_ALLOWED),
			DROP_NONE);
	assert_int_equal(frame.flags, 0);
}

static void
packets_longer_than_their_frame_are_truncated(void **state)
{
	(void)state;
	assert_int_equal(parse(golden_data_odd, sizeof(golden_data_odd) - 1, 0), DROP_truncated);
	assert_int_equal(parse(golden_syn_v6, sizeof(golden_syn_v6) - 1, 0), DROP_truncated);
}

static void
fragments_are_refused(void **state)
{
	COPY(syn_v4);

	(void)state;
	assert_int_equal(PARSE(syn_first_fragment), DROP_fragment);
	assert_int_equal(PARSE(syn_later_fragment), DROP_fragment);
	assert_int_equal(PARSE(syn_atomic_fragment), DROP_fragment);
	syn_v4[20] = 0x40; /* Don't fragment. */
	repair_ipv4(syn_v4);
	assert_int_equal(parse(syn_v4, sizeof(syn_v4), 0), DROP_NONE);
}

static void
ipv4_options_are_skipped_but_not_source_routes(void **state)
{
	(void)state;
	assert_int_equal(PARSE(syn_router_alert), DROP_NONE);
	check_linux_syn(14, 38, 4);
	assert_int_equal(PARSE(syn_loose_route), DROP_ip_options);
	assert_int_equal(PARSE(syn_strict_route), DROP_ip_options);
	assert_int_equal(PARSE(syn_malformed_option), DROP_ip_options);
}

static void
ipv4_options_are_walked_one_by_one(void **state)
{
	static const struct {
		uint8_t options[4];
		enum counter reason;
	} cases[] = {
			{{1, 1, 1, 1}, DROP_NONE},
			{{30, 2, 30, 2}, DROP_NONE},
			{{30, 2, 131, 2}, DROP_ip_options},
			{{1, 30, 3, 137}, DROP_NONE},
			{{30, 3, 0, 137}, DROP_ip_options},
			{{30, 4, 131, 131}, DROP_NONE},
			{{0, 131, 137, 99}, DROP_NONE},
			{{30, 5, 0, 0}, DROP_ip_options},
			{{30, 1, 0, 0}, DROP_ip_options},
			{{1, 1, 1, 30}, DROP_ip_options},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		COPY(syn_router_alert);

		memcpy(syn_router_alert + 34, cases[i].options, 4);
		assert_int_equal(parse(syn_router_alert, sizeof(syn_router_alert),
						 PARSE_IP_CHECKSUM_GOOD),
				cases[i].reason);
	}
}

static void
ipv6_extension_headers_are_skipped_but_not_routing(void **state)
{
	(void)state;
	assert_int_equal(PARSE(syn_extensions), DROP_NONE);
	check_linux_syn(14, 70, 6);
	assert_int_equal(PARSE(syn_was_routed), DROP_NONE);
	assert_int_equal(PARSE(syn_routed), DROP_ip_options);
	assert_int_equal(PARSE(no_next_header), DROP_unknown_protocol);
}

static void
ipv6_options_that_want_it_discard_the_packet(void **state)
{
	COPY(syn_extensions);

	(void)state;
	/* The router alert, as if it were unknown option 0x45: "discard" (RFC 8200 4.2). */
	syn_extensions[14 + 40 + 2] = 0x45;
	assert_int_equal(parse(syn_extensions, sizeof(syn_extensions), 0), DROP_ip_options);
	syn_extensions[14 + 40 + 2] = 0x05;
	syn_extensions[14 + 40 + 3] = 0x07; /* Over the end of the header. */
	assert_int_equal(parse(syn_extensions, sizeof(syn_extensions), 0), DROP_ip_options);
}

/** An IPv6 packet of one destination options header and nothing behind it. */
static enum counter
parse_ipv6_options(const uint8_t options[14])
{
	uint8_t bytes[14 + 40 + 16];

	memcpy(bytes, golden_syn_v6, 14 + 40);
	bytes[14 + 5] = 16;
	bytes[14 + 6] = 60;
	bytes[54] = 59;
	bytes[55] = 1;
	memcpy(bytes + 56, options, 14);
	return parse(bytes, sizeof(bytes), 0);
}

static void
ipv6_options_are_walked_one_by_one(void **state)
{
	/* Pad1, PadN of two sizes, unknown ones to skip, and such that stop us at the very end. */
	static const uint8_t good[14] = {0, 1, 0, 1, 2, 0, 0, 0x1e, 3, 0xff, 0xff, 0xff, 0x3f, 0};
	static const uint8_t last_discards[14] = {0, 1, 0, 1, 2, 0, 0, 0x1e, 3, 0, 0, 0, 0x40, 0};
	static const uint8_t last_too_long[14] = {0, 1, 0, 1, 2, 0, 0, 0x1e, 3, 0, 0, 0, 1, 1};
	static const uint8_t no_length[14] = {1, 11, [13] = 1};
	static const uint8_t to_the_end[14] = {1, 12};

	(void)state;
	assert_int_equal(parse_ipv6_options(good), DROP_unknown_protocol);
	assert_int_equal(parse_ipv6_options(to_the_end), DROP_unknown_protocol);
	assert_int_equal(parse_ipv6_options(last_discards), DROP_ip_options);
	assert_int_equal(parse_ipv6_options(last_too_long), DROP_ip_options);
	assert_int_equal(parse_ipv6_options(no_length), DROP_ip_options);
}

/** An IPv6 packet of @p n destination options headers and nothing behind them. */
static enum counter
parse_extensions(unsigned int n, uint8_t first)
{
	uint8_t bytes[14 + 40 + 8 * 8] = {0};

	memcpy(bytes, golden_syn_v6, 14 + 40);
	bytes[14 + 5] = (uint8_t)(8 * n);
	bytes[14 + 6] = first;
	for (unsigned int i = 0; i < n; i++)
		bytes[54 + 8 * i] = i + 1 < n ? 60 : 59;
	return parse(bytes, 54 + 8 * n, 0);
}

static void
at_most_four_extension_headers_are_skipped(void **state)
{
	(void)state;
	assert_int_equal(parse_extensions(4, 60), DROP_unknown_protocol);
	assert_int_equal(parse_extensions(4, 0), DROP_unknown_protocol);
	assert_int_equal(parse_extensions(5, 60), DROP_ip_options);
	assert_int_equal(parse_extensions(0, 60), DROP_ip_options);
}

static void
extension_header_over_the_end_is_refused(void **state)
{
	COPY(syn_extensions);

	(void)state;
	syn_extensions[14 + 40 + 1] = 200;
	assert_int_equal(parse(syn_extensions, sizeof(syn_extensions), 0), DROP_ip_options);
	syn_extensions[14 + 40 + 1] = 0;
	syn_extensions[14 + 5] = 7; /* The packet ends within the first one. */
	assert_int_equal(parse(syn_extensions, sizeof(syn_extensions), 0), DROP_ip_options);
}

static void
hop_by_hop_options_come_first_or_not_at_all(void **state)
{
	COPY(syn_extensions);

	(void)state;
	syn_extensions[14 + 40] = 0;
	assert_int_equal(parse(syn_extensions, sizeof(syn_extensions), 0), DROP_ip_options);
}

static void
sources_that_cannot_be_are_refused(void **state)
{
	static const uint8_t v4[][4] = {{0, 0, 0, 0}, {0, 1, 2, 3}, {127, 0, 0, 1},
			{127, 255, 255, 255}, {224, 0, 0, 1}, {239, 255, 255, 255}, {240, 0, 0, 1},
			{255, 255, 255, 255}};
	static const uint8_t v6[][16] = {{0}, {[15] = 1}, {0xff, 2, [15] = 1}, {0xff, [15] = 9},
			{[10] = 0xff, 0xff, 192, 0, 2, 1}};

	(void)state;
	for (size_t i = 0; i < sizeof(v4) / sizeof(v4[0]); i++) {
		COPY(syn_v4);

		memcpy(syn_v4 + 14 + 12, v4[i], 4);
		repair_ipv4(syn_v4);
		assert_int_equal(parse(syn_v4, sizeof(syn_v4), 0), DROP_bad_source);
		memcpy(syn_v4 + 14 + 12, golden_syn_v4 + 14 + 12, 4);
		memcpy(syn_v4 + 14 + 16, v4[i], 4);
		repair_ipv4(syn_v4);
		assert_int_equal(parse(syn_v4, sizeof(syn_v4), 0), DROP_unknown_destination);
	}
	for (size_t i = 0; i < sizeof(v6) / sizeof(v6[0]); i++) {
		COPY(syn_v6);

		memcpy(syn_v6 + 14 + 8, v6[i], 16);
		repair_ipv6(syn_v6);
		assert_int_equal(parse(syn_v6, sizeof(syn_v6), 0), DROP_bad_source);
		memcpy(syn_v6 + 14 + 8, golden_syn_v6 + 14 + 8, 16);
		memcpy(syn_v6 + 14 + 24, v6[i], 16);
		repair_ipv6(syn_v6);
		assert_int_equal(parse(syn_v6, sizeof(syn_v6), 0), DROP_unknown_destination);
	}
}

static void
neighbouring_sources_are_not_refused(void **state)
{
	static const uint8_t v4[][4] = {
			{1, 0, 0, 0}, {126, 255, 255, 255}, {128, 0, 0, 0}, {223, 255, 255, 255}};
	static const uint8_t v6[][16] = {{[15] = 2}, {[9] = 1, 0xff, 0xff, 192, 0, 2, 1},
			{0xfe, 0x80, [15] = 1}, {[7] = 1}, {[11] = 0xff, 192, 0, 2, 1}};

	(void)state;
	for (size_t i = 0; i < sizeof(v4) / sizeof(v4[0]); i++) {
		COPY(syn_v4);

		memcpy(syn_v4 + 14 + 12, v4[i], 4);
		repair_ipv4(syn_v4);
		assert_int_equal(parse(syn_v4, sizeof(syn_v4), 0), DROP_NONE);
	}
	for (size_t i = 0; i < sizeof(v6) / sizeof(v6[0]); i++) {
		COPY(syn_v6);

		memcpy(syn_v6 + 14 + 8, v6[i], 16);
		repair_ipv6(syn_v6);
		assert_int_equal(parse(syn_v6, sizeof(syn_v6), 0), DROP_NONE);
	}
}

static void
land_is_refused(void **state)
{
	COPY(syn_v4);
	COPY(syn_v6);

	(void)state;
	memcpy(syn_v4 + 14 + 12, syn_v4 + 14 + 16, 4);
	repair_ipv4(syn_v4);
	assert_int_equal(parse(syn_v4, sizeof(syn_v4), 0), DROP_NONE);
	memcpy(syn_v4 + 34, syn_v4 + 36, 2);
	repair_ipv4(syn_v4);
	assert_int_equal(parse(syn_v4, sizeof(syn_v4), 0), DROP_bad_source);
	memcpy(syn_v6 + 14 + 8, syn_v6 + 14 + 24, 16);
	memcpy(syn_v6 + 54, syn_v6 + 56, 2);
	repair_ipv6(syn_v6);
	assert_int_equal(parse(syn_v6, sizeof(syn_v6), 0), DROP_bad_source);
}

static void
other_protocols_are_refused(void **state)
{
	COPY(datagram);
	COPY(syn_v6);

	(void)state;
	assert_int_equal(PARSE(datagram), DROP_NONE);
	assert_int_equal(frame.kind, FRAME_UDP);
	/* A datagram that is not whole is not told so. */
	datagram[sizeof(datagram) - 1] ^= 1;
	assert_int_equal(parse(datagram, sizeof(datagram), 0), DROP_unknown_protocol);
	syn_v6[14 + 6] = 1; /* ICMP over IPv6 */
	assert_int_equal(parse(syn_v6, sizeof(syn_v6), 0), DROP_unknown_protocol);
	syn_v6[14 + 6] = 50; /* ESP */
	assert_int_equal(parse(syn_v6, sizeof(syn_v6), 0), DROP_unknown_protocol);
}

static void
bad_data_offsets_are_refused(void **state)
{
	(void)state;
	for (uint8_t words = 0; words < 16; words++) {
		COPY(ack_padded);

		ack_padded[34 + 12] = (uint8_t)(words << 4);
		repair_ipv4(ack_padded);
		assert_int_equal(parse(ack_padded, sizeof(ack_padded), 0),
				words == 5 ? DROP_NONE : DROP_bad_tcp_header);
	}
}

static void
ip_packets_too_short_for_tcp_are_refused(void **state)
{
	(void)state;
	for (uint8_t length = 0; length < 20; length++) {
		COPY(ack_padded);

		ack_padded[17] = (uint8_t)(20 + length);
		ack_padded[24] = 0;
		ack_padded[25] = 0;
		assert_int_equal(parse(ack_padded, sizeof(ack_padded), PARSE_IP_CHECKSUM_GOOD),
				DROP_bad_tcp_header);
	}
}

static void
echo_requests_are_verified(void **state)
{
	COPY(echo_v4);
	COPY(echo_v6);

	(void)state;
	assert_int_equal(PARSE(echo_v4), DROP_NONE);
	assert_int_equal(frame.kind, FRAME_ICMP);
	assert_int_equal(frame.l4_length, 17);
	assert_int_equal(PARSE(echo_v6), DROP_NONE);
	assert_int_equal(frame.kind, FRAME_ICMP6);
	assert_int_equal(PARSE(unreachable), DROP_NONE);
	echo_v4[sizeof(echo_v4) - 1] ^= 1;
	echo_v6[sizeof(echo_v6) - 1] ^= 1;
	assert_int_equal(parse(echo_v4, sizeof(echo_v4), 0), DROP_bad_icmp);
	assert_int_equal(parse(echo_v6, sizeof(echo_v6), 0), DROP_bad_icmp);
	echo_v4[14 + 12] = 127;
	assert_int_equal(parse(echo_v4, sizeof(echo_v4), PARSE_IP_CHECKSUM_GOOD), DROP_bad_source);
	memcpy(echo_v4, golden_echo_v4, sizeof(echo_v4));
	echo_v4[17] = 20 + 8; /* No data at all. */
	memcpy(echo_v4 + 34, "\x08\x00\xf7\xff\x00\x00\x00\x00", 8);
	assert_int_equal(parse(echo_v4, sizeof(echo_v4), PARSE_IP_CHECKSUM_GOOD), DROP_NONE);
	echo_v4[17] = 20 + 7;
	assert_int_equal(parse(echo_v4, sizeof(echo_v4), PARSE_IP_CHECKSUM_GOOD), DROP_bad_icmp);
}

static void
duplicate_address_detection_may_come_from_nowhere(void **state)
{
	(void)state;
	assert_int_equal(PARSE(solicitation_dad), DROP_NONE);
	assert_int_equal(frame.kind, FRAME_ICMP6);
	assert_int_equal(PARSE(arp_probe), DROP_NONE);
	assert_int_equal(frame.kind, FRAME_ARP);
	assert_int_equal(frame.family, 0);
}

static void
arp_is_for_ethernet_and_ipv4(void **state)
{
	(void)state;
	assert_int_equal(PARSE(arp_request), DROP_NONE);
	assert_int_equal(frame.kind, FRAME_ARP);
	assert_int_equal(PARSE(arp_token_ring), DROP_bad_arp);
}

static void
addresses_are_copied_out(void **state)
{
	static const uint8_t v4_source[16] = {[10] = 0xff, 0xff, 192, 0, 2, 1};
	static const uint8_t v4_destination[16] = {[10] = 0xff, 0xff, 198, 51, 100, 2};
	uint8_t address[16];

	(void)state;
	assert_int_equal(PARSE(syn_v4_vlan), DROP_NONE);
	parse_source(golden_syn_v4_vlan, &frame, address);
	assert_memory_equal(address, v4_source, 16);
	parse_destination(golden_syn_v4_vlan, &frame, address);
	assert_memory_equal(address, v4_destination, 16);
	assert_int_equal(PARSE(syn_v6), DROP_NONE);
	parse_source(golden_syn_v6, &frame, address);
	assert_memory_equal(address, golden_syn_v6 + 14 + 8, 16);
	parse_destination(golden_syn_v6, &frame, address);
	assert_memory_equal(address, golden_syn_v6 + 14 + 24, 16);
}

/** The hash as the owner of a connection computes it. */
static uint32_t
hash_of_connection(const uint8_t *bytes)
{
	uint8_t remote[16], local[16];
	rte_be16_t ports[2];

	parse_source(bytes, &frame, remote);
	parse_destination(bytes, &frame, local);
	memcpy(ports, bytes + frame.l4_offset, sizeof(ports));
	return steering_hash_of(&key, remote, local, ports[0], ports[1]);
}

static void
steering_hash_is_that_of_the_connection(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(golden_inputs) / sizeof(golden_inputs[0]); i++) {
		const struct golden *in = &golden_inputs[i];
		enum counter reason = parse(in->bytes, in->length, 0);
		uint32_t hash = steering_hash(&key, in->bytes, (uint32_t)in->length);

		if (reason == DROP_NONE && frame.kind == FRAME_TCP)
			assert_int_equal(hash, hash_of_connection(in->bytes));
		else if (reason == DROP_NONE || reason == DROP_fragment ||
				reason == DROP_unknown_protocol)
			assert_int_equal(hash, 0);
	}
	assert_int_equal(steering_hash(&key, golden_syn_v4, sizeof(golden_syn_v4)),
			steering_hash(&key, golden_data_odd, sizeof(golden_data_odd)));
	assert_int_equal(steering_hash(&key, golden_syn_v4, sizeof(golden_syn_v4)),
			steering_hash(&key, golden_syn_v4_vlan, sizeof(golden_syn_v4_vlan)));
}

static void
one_changed_bit_changes_the_steering_hash(void **state)
{
	const uint32_t length = sizeof(golden_syn_v6);
	uint32_t before = steering_hash(&key, golden_syn_v6, length);

	(void)state;
	for (unsigned int bit = 0; bit < 36 * 8; bit++) {
		COPY(syn_v6);

		syn_v6[22 + bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(steering_hash(&key, syn_v6, length), before);
	}
}

/** Whatever a frame's bytes, what is said about an accepted one lies within it. */
static enum counter
check_bounds(const uint8_t *bytes, size_t length, unsigned int flags)
{
	uint8_t *exact = calloc(1, length);
	struct neighbour_message message;
	enum counter reason;
	uint8_t address[16];

	if (length > 0)
		memcpy(exact, bytes, length);
	reason = parse_frame(exact, (uint32_t)length, flags, &frame, &segment);
	assert_true(reason == DROP_NONE || reason > COUNTERS_LAST_BEFORE_DROPS);
	steering_hash(&key, exact, (uint32_t)length);
	if (reason == DROP_NONE) {
		assert_true(frame.l4_offset + (size_t)frame.l4_length <= length);
		assert_true(frame.l3_offset < frame.l4_offset);
		parse_source(exact, &frame, address);
		parse_destination(exact, &frame, address);
		if (frame.kind == FRAME_TCP) {
			assert_int_equal(segment.payload_offset + segment.payload_length,
					frame.l4_length);
			assert_int_equal(steering_hash(&key, exact, (uint32_t)length),
					hash_of_connection(exact));
		} else {
			neighbour_read(exact, &frame, &message);
		}
	}
	free(exact);
	return reason;
}

static void
frames_cut_at_every_length_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(golden_inputs) / sizeof(golden_inputs[0]); i++) {
		const struct golden *in = &golden_inputs[i];
		bool padded = in->bytes == golden_ack_padded;

		for (size_t length = 0; length < in->length - (padded ? 6 : 0); length++) {
			assert_int_not_equal(check_bounds(in->bytes, length, 0), DROP_NONE);
			assert_int_equal(steering_hash(&key, in->bytes, (uint32_t)length), 0);
		}
	}
}

/** A cut frame is too short up to the end of its fixed IP header, truncated from there on. */
static void
check_cuts(const uint8_t *bytes, size_t length, size_t l3_end)
{
	for (size_t cut = 0; cut < length; cut++)
		assert_int_equal(parse(bytes, cut, 0),
				cut < l3_end ? DROP_too_short : DROP_truncated);
}

static void
cut_frames_are_called_by_what_was_cut(void **state)
{
	(void)state;
	check_cuts(golden_syn_v4, sizeof(golden_syn_v4), 14 + 20);
	check_cuts(golden_syn_v4_vlan, sizeof(golden_syn_v4_vlan), 18 + 20);
	check_cuts(golden_syn_v6, sizeof(golden_syn_v6), 14 + 40);
	check_cuts(golden_syn_v6_vlan, sizeof(golden_syn_v6_vlan), 18 + 40);
	check_cuts(golden_syn_router_alert, sizeof(golden_syn_router_alert), 14 + 24);
	check_cuts(golden_arp_request, sizeof(golden_arp_request), 14 + 28);
	check_cuts(golden_arp_request_vlan, sizeof(golden_arp_request_vlan), 18 + 28);
}

static void
mutated_frames_do_no_harm(void **state)
{
	const size_t inputs = sizeof(golden_inputs) / sizeof(golden_inputs[0]);
	uint64_t seed = SEED;
	unsigned int accepted = 0;

	(void)state;
	print_message("seed %d\n", SEED);
	for (unsigned int round = 0; round < 100000; round++) {
		const struct golden *in = &golden_inputs[random_below(&seed, (uint32_t)inputs)];
		unsigned int changes = random_below(&seed, 6);
		uint8_t bytes[256];
		size_t length = in->length;

		memcpy(bytes, in->bytes, length);
		for (unsigned int i = 0; i < changes; i++)
			bytes[12 + random_below(&seed, (uint32_t)length - 12)] =
					(uint8_t)random_next(&seed);
		if (round % 4 == 0)
			length = random_below(&seed, (uint32_t)length + 1);
		accepted += check_bounds(bytes, length, round & 7) == DROP_NONE;
	}
	/* With the checksums switched off often enough, not everything is refused. */
	assert_true(accepted > 10000);
}

static void
random_frames_do_no_harm(void **state)
{
	uint64_t seed = SEED;

	(void)state;
	print_message("seed %d\n", SEED);
	for (unsigned int round = 0; round < 100000; round++) {
		static const uint16_t types[] = {0x0800, 0x86dd, 0x0806, 0x8100};
		uint16_t type = rte_cpu_to_be_16(types[round % 4]);
		uint8_t bytes[128];
		size_t length = random_below(&seed, sizeof(bytes) + 1);

		random_fill(&seed, bytes, sizeof(bytes));
		memcpy(bytes + 12, &type, sizeof(type));
		bytes[14] = round & 4 ? 0x45 : 0x60;
		check_bounds(bytes, length, PARSE_IP_CHECKSUM_GOOD | PARSE_TCP_CHECKSUM_GOOD);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(syn_is_read_from_ipv4_and_ipv6_with_and_without_a_tag),
			cmocka_unit_test(group_frames_are_reported),
			cmocka_unit_test(only_the_first_bit_on_the_wire_makes_a_group),
			cmocka_unit_test(ethernet_padding_is_not_payload),
			cmocka_unit_test(data_is_located),
			cmocka_unit_test(acknowledgement_without_ack_bit_is_zero),
			cmocka_unit_test(reserved_bits_of_a_segment_are_ignored),
			cmocka_unit_test(vlan_stacks_and_reserved_identifiers_are_refused),
			cmocka_unit_test(other_ether_types_are_refused),
			cmocka_unit_test(bad_ipv4_headers_are_refused),
			cmocka_unit_test(bad_ipv6_versions_are_refused),
			cmocka_unit_test(every_flipped_bit_of_an_ipv4_header_is_noticed),
			cmocka_unit_test(every_flipped_bit_of_a_segment_is_noticed),
			cmocka_unit_test(checksums_the_nic_verified_are_not_verified_again),
			cmocka_unit_test(zero_is_not_no_checksum),
			cmocka_unit_test(partial_checksum_is_accepted_only_where_allowed),
			cmocka_unit_test(complete_checksum_is_not_called_partial),
			cmocka_unit_test(packets_longer_than_their_frame_are_truncated),
			cmocka_unit_test(fragments_are_refused),
			cmocka_unit_test(ipv4_options_are_skipped_but_not_source_routes),
			cmocka_unit_test(ipv4_options_are_walked_one_by_one),
			cmocka_unit_test(ipv6_extension_headers_are_skipped_but_not_routing),
			cmocka_unit_test(ipv6_options_that_want_it_discard_the_packet),
			cmocka_unit_test(ipv6_options_are_walked_one_by_one),
			cmocka_unit_test(at_most_four_extension_headers_are_skipped),
			cmocka_unit_test(extension_header_over_the_end_is_refused),
			cmocka_unit_test(hop_by_hop_options_come_first_or_not_at_all),
			cmocka_unit_test(sources_that_cannot_be_are_refused),
			cmocka_unit_test(neighbouring_sources_are_not_refused),
			cmocka_unit_test(land_is_refused),
			cmocka_unit_test(other_protocols_are_refused),
			cmocka_unit_test(bad_data_offsets_are_refused),
			cmocka_unit_test(ip_packets_too_short_for_tcp_are_refused),
			cmocka_unit_test(echo_requests_are_verified),
			cmocka_unit_test(duplicate_address_detection_may_come_from_nowhere),
			cmocka_unit_test(arp_is_for_ethernet_and_ipv4),
			cmocka_unit_test(addresses_are_copied_out),
			cmocka_unit_test(steering_hash_is_that_of_the_connection),
			cmocka_unit_test(one_changed_bit_changes_the_steering_hash),
			cmocka_unit_test(frames_cut_at_every_length_are_refused),
			cmocka_unit_test(cut_frames_are_called_by_what_was_cut),
			cmocka_unit_test(mutated_frames_do_no_harm),
			cmocka_unit_test(random_frames_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
