/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * ICMP errors: what they quote, what is believed of them, and cut off at every byte.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "wire/build.h"
#include "wire/bytes.h"
#include "wire/checksum.h"
#include "wire/icmp_error.h"
#include "wire/steering_hash.h"

/** Which worker a flow goes to is not asked here: any key will do. */
static const struct siphash_key key = {UINT64_C(0x243f6a8885a308d3), UINT64_C(0x13198a2e03707344)};

#define ETHERNET 14
#define IP4      20
#define IP6      40

static const uint8_t ours4[16] = {[10] = 0xff, 0xff, 10, 0, 0, 2};
static const uint8_t theirs4[16] = {[10] = 0xff, 0xff, 192, 0, 2, 7};
static const uint8_t ours6[16] = {0xfd, [15] = 2};
static const uint8_t theirs6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 7};

/* A segment as we would have sent it. @return its length from the Ethernet header on */
static unsigned int
our_segment(uint8_t *frame, unsigned int family)
{
	const struct build_tcp tcp = {.seq = 0xdeadbeef, .ack = 1, .flags = TCP_ACK, .window = 9};
	struct build_path path = {.family = (uint8_t)family,
			.remote_port = rte_cpu_to_be_16(40000),
			.local_port = rte_cpu_to_be_16(80)};
	struct build_lengths lengths;

	memcpy(path.local, family == 4 ? ours4 : ours6, 16);
	memcpy(path.remote, family == 4 ? theirs4 : theirs6, 16);
	return build_tcp(frame, &path, &tcp, 0, BUILD_CHECKSUM_SOFTWARE, &lengths);
}

/*
 * The error a router sends about it, quoting @p quoted bytes of the packet; built by hand from
 * RFC 792 and RFC 4443. @return its length
 */
static unsigned int
error_frame(uint8_t *frame, unsigned int family, uint8_t type, uint8_t code, uint32_t rest,
		unsigned int quoted)
{
	const unsigned int header = family == 4 ? IP4 : IP6;
	uint8_t inner[256] = {0};
	uint8_t *ip = frame + ETHERNET;
	uint8_t *icmp = ip + header;
	uint64_t sum = 0;
	rte_be16_t checksum;

	our_segment(inner, family);
	memset(frame, 0, ETHERNET + header + 8);
	frame[5] = 2;
	frame[11] = 1;
	frame[12] = family == 4 ? 0x08 : 0x86;
	frame[13] = family == 4 ? 0x00 : 0xdd;
	icmp[0] = type;
	icmp[1] = code;
	icmp[4] = (uint8_t)(rest >> 24);
	icmp[5] = (uint8_t)(rest >> 16);
	icmp[6] = (uint8_t)(rest >> 8);
	icmp[7] = (uint8_t)rest;
	memcpy(icmp + 8, inner + ETHERNET, quoted);
	if (family == 4) {
		ip[0] = 0x45;
		ip[3] = (uint8_t)(IP4 + 8 + quoted);
		ip[8] = 64;
		ip[9] = 1;
		memcpy(ip + 12, (const uint8_t[]){198, 51, 100, 1}, 4);
		memcpy(ip + 16, ours4 + 12, 4);
		checksum = checksum_finish(checksum_add(0, ip, IP4));
		memcpy(ip + 10, &checksum, 2);
	} else {
		ip[0] = 0x60;
		ip[5] = (uint8_t)(8 + quoted);
		ip[6] = 58;
		ip[7] = 64;
		ip[8] = 0x20;
		ip[9] = 0x01;
		memcpy(ip + 24, ours6, 16);
		sum = checksum_pseudo(ip + 8, ip + 24, 16, 58, 8 + quoted);
	}
	checksum = checksum_finish(checksum_add(sum, icmp, 8 + quoted));
	memcpy(icmp + 2, &checksum, 2);
	return ETHERNET + header + 8 + quoted;
}

static enum counter
read_error(unsigned int family, uint8_t type, uint8_t code, uint32_t rest, unsigned int quoted,
		struct icmp_error *error)
{
	uint8_t bytes[512];
	struct tcp_segment segment;
	struct frame frame;
	const unsigned int length = error_frame(bytes, family, type, code, rest, quoted);
	uint8_t *exact = malloc(length);
	enum counter reason;

	assert_non_null(exact);
	memcpy(exact, bytes, length);
	assert_int_equal(parse_frame(exact, length, 0, &frame, &segment), DROP_NONE);
	reason = icmp_error_read(exact, &frame, error);
	free(exact);
	return reason;
}

static void
quotation_names_our_connection(void **state)
{
	struct icmp_error error;

	(void)state;
	/* Eight bytes of TCP are all that RFC 792 promises. */
	assert_int_equal(read_error(4, 3, 3, 0, IP4 + 8, &error), DROP_NONE);
	assert_int_equal(error.kind, ICMP_ERROR_HARD);
	assert_int_equal(error.family, 4);
	assert_int_equal(error.seq, 0xdeadbeef);
	assert_memory_equal(error.local, ours4, 16);
	assert_memory_equal(error.remote, theirs4, 16);
	assert_int_equal(error.local_port, rte_cpu_to_be_16(80));
	assert_int_equal(error.remote_port, rte_cpu_to_be_16(40000));
	assert_int_equal(read_error(6, 1, 4, 0, IP6 + 20, &error), DROP_NONE);
	assert_int_equal(error.kind, ICMP_ERROR_HARD);
	assert_int_equal(error.family, 6);
	assert_int_equal(error.seq, 0xdeadbeef);
	assert_memory_equal(error.local, ours6, 16);
	assert_memory_equal(error.remote, theirs6, 16);
}

static void
only_port_and_protocol_unreachable_are_hard(void **state)
{
	struct icmp_error error;

	(void)state;
	for (uint8_t code = 0; code < 16; code++) {
		assert_int_equal(read_error(4, 3, code, 0, IP4 + 8, &error), DROP_NONE);
		assert_int_equal(error.kind, code == 2 || code == 3 ? ICMP_ERROR_HARD
					     : code == 4            ? ICMP_ERROR_TOO_BIG
								    : ICMP_ERROR_SOFT);
	}
	assert_int_equal(read_error(4, 11, 0, 0, IP4 + 8, &error), DROP_NONE);
	assert_int_equal(error.kind, ICMP_ERROR_SOFT);
	assert_int_equal(read_error(6, 1, 0, 0, IP6 + 8, &error), DROP_NONE);
	assert_int_equal(error.kind, ICMP_ERROR_SOFT);
	assert_int_equal(read_error(6, 3, 0, 0, IP6 + 8, &error), DROP_NONE);
	assert_int_equal(error.kind, ICMP_ERROR_SOFT);
}

static void
mtu_below_the_minimum_is_not_believed(void **state)
{
	static const struct {
		unsigned int family;
		uint32_t says, believed;
	} cases[] = {{4, 0, 552}, {4, 68, 552}, {4, 1400, 1400}, {4, 65535, 65535}, {6, 1280, 1280},
			{6, 1400, 1400}, {6, 0xffffffff, 65535}};
	struct icmp_error error;

	(void)state;
	for (unsigned int i = 0; i < RTE_DIM(cases); i++) {
		const bool ipv4 = cases[i].family == 4;

		assert_int_equal(read_error(cases[i].family, ipv4 ? 3 : 2, ipv4 ? 4 : 0,
						 cases[i].says, (ipv4 ? IP4 : IP6) + 8, &error),
				DROP_NONE);
		assert_int_equal(error.kind, ICMP_ERROR_TOO_BIG);
		assert_int_equal(error.mtu, cases[i].believed);
	}
}

static void
ipv6_packet_too_big_below_1280_is_discarded(void **state)
{
	struct icmp_error error;

	(void)state;
	assert_int_equal(read_error(6, 2, 0, 1279, IP6 + 8, &error), DROP_icmp_ignored);
	assert_int_equal(read_error(6, 2, 0, 0, IP6 + 8, &error), DROP_icmp_ignored);
}

static void
quotation_cut_at_any_byte_is_refused(void **state)
{
	struct icmp_error error;

	(void)state;
	for (unsigned int quoted = 0; quoted < IP4 + 8; quoted++)
		assert_int_equal(read_error(4, 3, 3, 0, quoted, &error), DROP_bad_icmp);
	for (unsigned int quoted = 0; quoted < IP6 + 8; quoted++)
		assert_int_equal(read_error(6, 1, 4, 0, quoted, &error), DROP_bad_icmp);
}

static void
what_is_no_error_is_ignored(void **state)
{
	struct icmp_error error;

	(void)state;
	assert_int_equal(read_error(4, 8, 0, 0, IP4 + 8, &error), DROP_icmp_ignored);
	assert_int_equal(read_error(4, 4, 0, 0, IP4 + 8, &error), DROP_icmp_ignored); /* quench */
	assert_int_equal(read_error(6, 128, 0, 0, IP6 + 8, &error), DROP_icmp_ignored);
}

static void
error_is_steered_to_the_connections_owner(void **state)
{
	uint8_t bytes[512];
	unsigned int length = error_frame(bytes, 4, 3, 4, 1400, IP4 + 8);

	(void)state;
	assert_int_equal(icmp_error_steering_hash(&key, bytes, length),
			steering_hash_of(&key, theirs4, ours4, rte_cpu_to_be_16(40000),
					rte_cpu_to_be_16(80)));
	length = error_frame(bytes, 6, 2, 0, 1400, IP6 + 8);
	assert_int_equal(icmp_error_steering_hash(&key, bytes, length),
			steering_hash_of(&key, theirs6, ours6, rte_cpu_to_be_16(40000),
					rte_cpu_to_be_16(80)));
	length = error_frame(bytes, 4, 8, 0, 0, IP4 + 8);
	assert_int_equal(icmp_error_steering_hash(&key, bytes, length), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(quotation_names_our_connection),
			cmocka_unit_test(only_port_and_protocol_unreachable_are_hard),
			cmocka_unit_test(mtu_below_the_minimum_is_not_believed),
			cmocka_unit_test(ipv6_packet_too_big_below_1280_is_discarded),
			cmocka_unit_test(quotation_cut_at_any_byte_is_refused),
			cmocka_unit_test(what_is_no_error_is_ignored),
			cmocka_unit_test(error_is_steered_to_the_connections_owner),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
