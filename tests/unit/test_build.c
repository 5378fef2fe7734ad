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
#include "wire/build.h"
#include "wire/checksum.h"

#define SEED 20251120

static const uint8_t client_mac[6] = {2, 0, 0, 0, 0, 1};
static const uint8_t server_mac[6] = {2, 0, 0, 0, 0, 2};

/** The path back to where a golden frame came from. */
static struct build_path
path_of(const uint8_t *bytes, size_t length)
{
	struct tcp_segment segment;
	struct build_path path;
	struct frame frame;

	memset(&path, 0xa5, sizeof(path));
	assert_int_equal(parse_frame(bytes, (uint32_t)length, 0, &frame, &segment), DROP_NONE);
	build_path_reverse(&path, bytes, &frame);
	return path;
}

#define PATH_OF(name) path_of(golden_##name, sizeof(golden_##name))

/** Build a segment and compare it with what scapy made. */
static void
check_tcp(const struct build_path *path, const struct build_tcp *tcp, const char *payload,
		const uint8_t *expected, size_t expected_length)
{
	unsigned int payload_length = (unsigned int)strlen(payload);
	unsigned int headers = build_tcp_headers_length(path, &tcp->options);
	uint8_t *frame = calloc(1, headers + payload_length);
	struct build_lengths lengths;

	memset(frame, 0xa5, headers);
	memcpy(frame + headers, payload, payload_length);
	assert_int_equal(build_tcp(frame, path, tcp, payload_length, BUILD_CHECKSUM_SOFTWARE,
					 &lengths),
			expected_length);
	assert_memory_equal(frame, expected, expected_length);
	assert_int_equal(lengths.l2, path->tagged ? 18 : 14);
	assert_int_equal(lengths.l3, path->family == 4 ? 20 : 40);
	assert_int_equal(lengths.l2 + lengths.l3 + lengths.l4, headers);
	free(frame);
}

#define CHECK_TCP(path, tcp, payload, name) \
	check_tcp(path, tcp, payload, golden_##name, sizeof(golden_##name))

static const struct build_tcp synack = {
		.seq = 0xdeadbeef,
		.ack = 0xffffffff,
		.window = 65535,
		.flags = TCP_SYN | TCP_ACK,
		.options = {.tsval = 0x0a0b0c0d,
				.tsecr = 0x01020304,
				.mss = 1440,
				.window_scale = 9,
				.options = TCP_OPTION_MSS | TCP_OPTION_SACK_PERMITTED |
					   TCP_OPTION_TIMESTAMPS | TCP_OPTION_WINDOW_SCALE},
};

static void
syn_is_answered_as_scapy_would(void **state)
{
	struct build_path path = PATH_OF(syn_v4);

	(void)state;
	CHECK_TCP(&path, &synack, "", out_synack_v4);
	path = PATH_OF(syn_v6_vlan);
	path.vlan = 100;
	CHECK_TCP(&path, &synack, "", out_synack_v6_vlan);
}

static void
resets_are_those_of_scapy(void **state)
{
	struct build_path path = PATH_OF(syn_v4);
	struct build_tcp reset = {.seq = 2000, .ack = 1001, .flags = TCP_RST | TCP_ACK};

	(void)state;
	CHECK_TCP(&path, &reset, "", out_reset_v4);
	path = PATH_OF(syn_v6);
	reset.flags = TCP_RST;
	CHECK_TCP(&path, &reset, "", out_reset_v6);
}

static void
data_of_odd_length_is_that_of_scapy(void **state)
{
	struct build_path path = PATH_OF(ack_padded);
	struct build_tcp data = {
			.seq = 2000,
			.ack = 1001,
			.window = 502,
			.flags = TCP_FIN | TCP_PSH | TCP_ACK,
			.options = {.tsval = 0x11223344,
					.tsecr = 0x55667788,
					.options = TCP_OPTION_TIMESTAMPS},
	};

	(void)state;
	CHECK_TCP(&path, &data, "hello", out_data_v4);
}

static void
way_back_is_the_frame_reversed(void **state)
{
	struct build_path path = PATH_OF(syn_v4_vlan);

	(void)state;
	assert_memory_equal(path.remote_mac, client_mac, 6);
	assert_memory_equal(path.local_mac, server_mac, 6);
	assert_int_equal(path.remote_port, rte_cpu_to_be_16(40000));
	assert_int_equal(path.local_port, rte_cpu_to_be_16(80));
	assert_int_equal(path.vlan, 100);
	assert_true(path.tagged);
	assert_int_equal(path.family, 4);
	path = PATH_OF(echo_v6);
	assert_int_equal(path.remote_port, 0);
	assert_int_equal(path.local_port, 0);
	assert_false(path.tagged);
	assert_int_equal(path.family, 6);
}

static void
offload_leaves_the_pseudo_header_sum(void **state)
{
	struct build_path path = PATH_OF(syn_v4);
	uint8_t frame[BUILD_HEADERS_MAX + 8] = {0};
	struct build_lengths lengths;
	uint16_t field, pseudo;

	(void)state;
	build_tcp(frame, &path, &synack, 8, BUILD_CHECKSUM_OFFLOAD, &lengths);
	memcpy(&field, frame + 14 + 10, 2);
	assert_int_equal(field, 0);
	memcpy(&field, frame + 34 + 16, 2);
	pseudo = checksum_fold(checksum_pseudo(frame + 26, frame + 30, 4, 6, 40 + 8));
	assert_int_equal(field, pseudo);

	path = PATH_OF(syn_v6);
	build_tcp(frame, &path, &synack, 0, BUILD_CHECKSUM_OFFLOAD, &lengths);
	memcpy(&field, frame + 54 + 16, 2);
	pseudo = checksum_fold(checksum_pseudo(frame + 22, frame + 38, 16, 6, 40));
	assert_int_equal(field, pseudo);
}

/** What one round of the round trip is about. */
struct trip {
	struct build_path path;
	struct build_tcp tcp;
	unsigned int payload_length;
};

static void
random_trip(struct trip *trip, uint64_t *seed, unsigned int round)
{
	static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
	uint8_t bits = 0;

	random_fill(seed, (uint8_t *)&trip->tcp, sizeof(trip->tcp));
	random_fill(seed, trip->path.remote, 16);
	random_fill(seed, trip->path.local, 16);
	trip->path.family = round & 1 ? 4 : 6;
	trip->path.tagged = round & 2;
	trip->path.vlan = (uint16_t)random_below(seed, 4095);
	trip->path.remote_port = (rte_be16_t)random_next(seed);
	trip->path.local_port = (rte_be16_t)random_next(seed);
	memcpy(trip->path.remote_mac, client_mac, 6);
	memcpy(trip->path.local_mac, server_mac, 6);
	trip->path.remote[0] = trip->path.local[0] = 0x20;
	if (trip->path.family == 4) {
		memcpy(trip->path.remote, prefix, sizeof(prefix));
		memcpy(trip->path.local, prefix, sizeof(prefix));
		trip->path.remote[12] = trip->path.local[12] = 10;
	}
	for (unsigned int i = 0; i < 4; i++)
		bits |= round & 4u << i ? 1 << i : 0;
	trip->tcp.options.options = bits;
	trip->tcp.flags |= TCP_SYN;
	trip->payload_length = random_below(seed, 1400);
}

static void
check_trip(const struct trip *trip, const struct frame *frame, const struct tcp_segment *segment)
{
	const struct tcp_options *options = &trip->tcp.options;
	uint8_t flags = trip->tcp.flags;

	assert_int_equal(frame->family, trip->path.family);
	assert_int_equal(frame->flags, trip->path.tagged ? FRAME_TAGGED : 0);
	assert_int_equal(frame->vlan, trip->path.tagged ? trip->path.vlan : 0);
	assert_int_equal(segment->seq, trip->tcp.seq);
	assert_int_equal(segment->ack, flags & TCP_ACK ? trip->tcp.ack : 0);
	assert_int_equal(segment->flags, flags);
	assert_int_equal(segment->window, trip->tcp.window);
	assert_int_equal(segment->payload_length, trip->payload_length);
	assert_int_equal(segment->options, options->options);
	if (options->options & TCP_OPTION_MSS)
		assert_int_equal(segment->mss, options->mss);
	if (options->options & TCP_OPTION_WINDOW_SCALE)
		assert_int_equal(segment->window_scale, options->window_scale);
	if (options->options & TCP_OPTION_TIMESTAMPS) {
		assert_int_equal(segment->tsval, options->tsval);
		assert_int_equal(segment->tsecr, options->tsecr);
	}
}

static void
what_is_built_is_parsed_back(void **state)
{
	uint64_t seed = SEED;

	(void)state;
	print_message("seed %d\n", SEED);
	for (unsigned int round = 0; round < 20000; round++) {
		struct build_lengths lengths;
		struct tcp_segment segment;
		unsigned int headers, length;
		struct frame frame;
		uint8_t address[16], *bytes;
		struct trip trip;

		random_trip(&trip, &seed, round);
		headers = build_tcp_headers_length(&trip.path, &trip.tcp.options);
		bytes = calloc(1, headers + trip.payload_length);
		random_fill(&seed, bytes, headers + trip.payload_length);
		length = build_tcp(bytes, &trip.path, &trip.tcp, trip.payload_length,
				BUILD_CHECKSUM_SOFTWARE, &lengths);
		assert_int_equal(length, headers + trip.payload_length);
		assert_int_equal(parse_frame(bytes, length, 0, &frame, &segment), DROP_NONE);
		check_trip(&trip, &frame, &segment);
		parse_source(bytes, &frame, address);
		assert_memory_equal(address, trip.path.local, 16);
		parse_destination(bytes, &frame, address);
		assert_memory_equal(address, trip.path.remote, 16);
		free(bytes);
	}
}

enum answer {
	ANSWER_ARP,
	ANSWER_ECHO,
	ANSWER_ADVERTISEMENT,
};

/** Answer a golden frame in place, in a buffer with just the room the header asks for. */
static void
check_answer(enum answer answer, const uint8_t *bytes, size_t length, const uint8_t *expected,
		size_t expected_length)
{
	size_t room = length > expected_length ? length : expected_length;
	uint8_t *data = calloc(1, room);
	struct tcp_segment segment;
	unsigned int built = 0;
	struct frame frame;

	memcpy(data, bytes, length);
	assert_int_equal(parse_frame(data, (uint32_t)length, 0, &frame, &segment), DROP_NONE);
	switch (answer) {
	case ANSWER_ARP:
		built = build_arp_reply(data, &frame, server_mac);
		break;
	case ANSWER_ECHO:
		built = build_echo_reply(data, &frame, server_mac);
		break;
	case ANSWER_ADVERTISEMENT:
		built = build_neighbour_advertisement(data, &frame, server_mac);
		break;
	}
	assert_int_equal(built, expected_length);
	assert_memory_equal(data, expected, expected_length);
	assert_int_equal(parse_frame(data, built, 0, &frame, &segment), DROP_NONE);
	free(data);
}

#define CHECK_ANSWER(answer, in, out) \
	check_answer(answer, golden_##in, sizeof(golden_##in), golden_##out, sizeof(golden_##out))

static void
arp_requests_are_answered_in_place(void **state)
{
	(void)state;
	CHECK_ANSWER(ANSWER_ARP, arp_request, out_arp_reply);
	CHECK_ANSWER(ANSWER_ARP, arp_request_vlan, out_arp_reply_vlan);
	CHECK_ANSWER(ANSWER_ARP, arp_probe, out_arp_probe_reply);
}

static void
echo_requests_are_answered_in_place(void **state)
{
	(void)state;
	CHECK_ANSWER(ANSWER_ECHO, echo_v4, out_echo_v4);
	CHECK_ANSWER(ANSWER_ECHO, echo_v6, out_echo_v6);
}

static void
echo_reply_drops_the_options_of_the_request(void **state)
{
	(void)state;
	CHECK_ANSWER(ANSWER_ECHO, echo_v4_options, out_echo_v4);
}

static void
all_zero_echo_has_a_checksum(void **state)
{
	(void)state;
	CHECK_ANSWER(ANSWER_ECHO, echo_v4_zeroes, out_echo_v4_zeroes);
}

static void
solicitations_are_answered_in_place(void **state)
{
	(void)state;
	CHECK_ANSWER(ANSWER_ADVERTISEMENT, solicitation, out_advertisement);
	CHECK_ANSWER(ANSWER_ADVERTISEMENT, solicitation_bare, out_advertisement_vlan);
	CHECK_ANSWER(ANSWER_ADVERTISEMENT, solicitation_dad, out_advertisement_dad);
}

static void
arp_request_is_that_of_scapy(void **state)
{
	const uint32_t source = rte_cpu_to_be_32(0xc6336402);
	const uint32_t target = rte_cpu_to_be_32(0xc0000201);
	uint8_t data[18 + 28];

	(void)state;
	assert_int_equal(build_arp_request(data, server_mac, source, target, false, 0),
			sizeof(golden_out_arp_request));
	assert_memory_equal(data, golden_out_arp_request, sizeof(golden_out_arp_request));
	assert_int_equal(build_arp_request(data, server_mac, source, target, true, 100), 46);
	assert_memory_equal(data + 12, "\x81\x00\x00\x64\x08\x06", 6);
	assert_memory_equal(data + 18, golden_out_arp_request + 14, 28);
}

static void
solicitation_is_that_of_scapy(void **state)
{
	const uint8_t *source = golden_syn_v6 + 14 + 24, *target = golden_syn_v6 + 14 + 8;
	uint8_t data[18 + 40 + 32];

	(void)state;
	assert_int_equal(build_neighbour_solicitation(data, server_mac, source, target, false, 0),
			sizeof(golden_out_solicitation));
	assert_memory_equal(data, golden_out_solicitation, sizeof(golden_out_solicitation));
	assert_int_equal(build_neighbour_solicitation(data, server_mac, source, target, true, 5),
			sizeof(golden_out_solicitation) + 4);
	assert_memory_equal(data + 18, golden_out_solicitation + 14,
			sizeof(golden_out_solicitation) - 14);
}

static void
solicitation_goes_to_the_group_of_the_last_three_bytes(void **state)
{
	const uint8_t target[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
	const uint8_t group[16] = {0xff, 2, [11] = 1, 0xff, 14, 15, 16};
	const uint8_t mac[6] = {0x33, 0x33, 0xff, 14, 15, 16};
	uint8_t data[14 + 40 + 32];

	(void)state;
	build_neighbour_solicitation(data, server_mac, golden_syn_v6 + 14 + 24, target, false, 0);
	assert_memory_equal(data, mac, sizeof(mac));
	assert_memory_equal(data + 14 + 24, group, sizeof(group));
	assert_memory_equal(data + 54 + 8, target, sizeof(target));
}

static void
address_probe_names_no_link_layer_address(void **state)
{
	const uint8_t unspecified[16] = {0}, *target = golden_syn_v6 + 14 + 8;
	uint8_t data[14 + 40 + 32];
	struct tcp_segment segment;
	struct frame frame;

	(void)state;
	assert_int_equal(build_neighbour_solicitation(
					 data, server_mac, unspecified, target, false, 0),
			14 + 40 + 24);
	assert_int_equal(parse_frame(data, 14 + 40 + 24, 0, &frame, &segment), DROP_NONE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(syn_is_answered_as_scapy_would),
			cmocka_unit_test(resets_are_those_of_scapy),
			cmocka_unit_test(data_of_odd_length_is_that_of_scapy),
			cmocka_unit_test(way_back_is_the_frame_reversed),
			cmocka_unit_test(offload_leaves_the_pseudo_header_sum),
			cmocka_unit_test(what_is_built_is_parsed_back),
			cmocka_unit_test(arp_requests_are_answered_in_place),
			cmocka_unit_test(echo_requests_are_answered_in_place),
			cmocka_unit_test(echo_reply_drops_the_options_of_the_request),
			cmocka_unit_test(all_zero_echo_has_a_checksum),
			cmocka_unit_test(solicitations_are_answered_in_place),
			cmocka_unit_test(arp_request_is_that_of_scapy),
			cmocka_unit_test(solicitation_is_that_of_scapy),
			cmocka_unit_test(solicitation_goes_to_the_group_of_the_last_three_bytes),
			cmocka_unit_test(address_probe_names_no_link_layer_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
