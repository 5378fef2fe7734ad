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
#include "wire/checksum.h"
#include "wire/neighbour.h"

static const uint8_t client_mac[6] = {2, 0, 0, 0, 0, 1};
static const uint8_t client_v4[16] = {[10] = 0xff, 0xff, 192, 0, 2, 1};
static const uint8_t server_v4[16] = {[10] = 0xff, 0xff, 198, 51, 100, 2};
static const uint8_t client_v6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};
static const uint8_t server_v6[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 1, [15] = 2};
static const uint8_t nobody[16];

static struct neighbour_message message;

/** Parse and read from memory that ends with the frame. */
static enum counter
read_frame(const uint8_t *bytes, size_t length)
{
	uint8_t *exact = calloc(1, length);
	struct tcp_segment segment;
	enum counter reason;
	struct frame frame;

	memcpy(exact, bytes, length);
	memset(&message, 0xa5, sizeof(message));
	reason = parse_frame(exact, (uint32_t)length, 0, &frame, &segment);
	assert_int_equal(reason, DROP_NONE);
	reason = neighbour_read(exact, &frame, &message);
	free(exact);
	return reason;
}

#define READ(name) read_frame(golden_##name, sizeof(golden_##name))

#define COPY(name)                           \
	uint8_t name[sizeof(golden_##name)]; \
	memcpy(name, golden_##name, sizeof(name))

/** Make the checksum of an untagged ICMPv6 frame right again, and read it. */
static enum counter
read_repaired(uint8_t *bytes, size_t length)
{
	uint32_t icmp_length = (uint32_t)length - 54;
	uint16_t field;

	memset(bytes + 56, 0, 2);
	field = checksum_finish(
			checksum_add(checksum_pseudo(bytes + 22, bytes + 38, 16, 58, icmp_length),
					bytes + 54, icmp_length));
	memcpy(bytes + 56, &field, 2);
	return read_frame(bytes, length);
}

static void
check(enum neighbour_kind kind, bool has_mac, const uint8_t *sender, const uint8_t *target)
{
	assert_int_equal(message.kind, kind);
	assert_int_equal(message.has_mac, has_mac);
	if (has_mac)
		assert_memory_equal(message.mac, client_mac, 6);
	assert_memory_equal(message.sender, sender, 16);
	assert_memory_equal(message.target, target, 16);
}

static void
arp_requests_and_replies_are_read(void **state)
{
	(void)state;
	assert_int_equal(READ(arp_request), DROP_NONE);
	check(NEIGHBOUR_REQUEST, true, client_v4, server_v4);
	assert_int_equal(READ(arp_request_vlan), DROP_NONE);
	check(NEIGHBOUR_REQUEST, true, client_v4, server_v4);
	assert_int_equal(READ(arp_answer), DROP_NONE);
	check(NEIGHBOUR_ANSWER, true, client_v4, client_v4);
}

static void
arp_probe_has_no_sender(void **state)
{
	(void)state;
	assert_int_equal(READ(arp_probe), DROP_NONE);
	check(NEIGHBOUR_REQUEST, true, nobody, server_v4);
}

static void
gratuitous_arp_is_an_answer(void **state)
{
	(void)state;
	assert_int_equal(READ(arp_gratuitous), DROP_NONE);
	check(NEIGHBOUR_ANSWER, true, client_v4, client_v4);
}

static void
senseless_arp_is_refused(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
	} faults[] = {
			{14 + 7, 3}, /* Reverse ARP */
			{14 + 8, 3}, /* A group's MAC address as the sender's. */
			{14 + 14, 127},
			{14 + 14, 224},
			{14 + 14, 255},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		COPY(arp_request);

		arp_request[faults[i].at] = faults[i].value;
		assert_int_equal(read_frame(arp_request, sizeof(arp_request)), DROP_bad_arp);
	}
}

static void
arp_from_the_zero_mac_or_an_answer_from_nobody_is_refused(void **state)
{
	COPY(arp_request);
	COPY(arp_answer);

	(void)state;
	memset(arp_request + 14 + 8, 0, 6);
	assert_int_equal(read_frame(arp_request, sizeof(arp_request)), DROP_bad_arp);
	memset(arp_answer + 14 + 14, 0, 4);
	assert_int_equal(read_frame(arp_answer, sizeof(arp_answer)), DROP_bad_arp);
}

static void
solicitations_are_read(void **state)
{
	(void)state;
	assert_int_equal(READ(solicitation), DROP_NONE);
	check(NEIGHBOUR_REQUEST, true, client_v6, server_v6);
	assert_int_equal(READ(solicitation_bare), DROP_NONE);
	check(NEIGHBOUR_REQUEST, false, client_v6, server_v6);
	assert_int_equal(READ(solicitation_dad), DROP_NONE);
	check(NEIGHBOUR_REQUEST, false, nobody, server_v6);
}

static void
advertisements_are_read(void **state)
{
	(void)state;
	assert_int_equal(READ(advertisement), DROP_NONE);
	check(NEIGHBOUR_ANSWER, true, client_v6, client_v6);
	assert_int_equal(READ(advertisement_unasked), DROP_NONE);
	check(NEIGHBOUR_ANSWER, false, client_v6, client_v6);
}

static void
neighbour_discovery_from_beyond_a_router_is_refused(void **state)
{
	(void)state;
	assert_int_equal(READ(solicitation_routed), DROP_bad_ndp);
}

static void
invalid_neighbour_discovery_is_refused(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
	} faults[] = {
			{54 + 1, 1},    /* Code */
			{54 + 8, 0xff}, /* A group as the target. */
			{14 + 8, 0xff}, /* A group as the source. */
			{54 + 25, 0},   /* An option without length. */
			{54 + 25, 2},   /* An option over the end. */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		COPY(solicitation);

		solicitation[faults[i].at] = faults[i].value;
		assert_int_equal(read_repaired(solicitation, sizeof(solicitation)), DROP_bad_ndp);
	}
}

static void
address_detection_with_a_link_layer_address_is_refused(void **state)
{
	COPY(solicitation);

	(void)state;
	memset(solicitation + 14 + 8, 0, 16);
	assert_int_equal(read_repaired(solicitation, sizeof(solicitation)), DROP_bad_ndp);
}

static void
address_detection_to_a_unicast_address_is_refused(void **state)
{
	COPY(solicitation_dad);

	(void)state;
	memcpy(solicitation_dad + 14 + 24, server_v6, 16);
	assert_int_equal(read_repaired(solicitation_dad, sizeof(solicitation_dad)), DROP_bad_ndp);
}

static void
solicited_advertisement_to_a_group_is_refused(void **state)
{
	COPY(advertisement_unasked);

	(void)state;
	advertisement_unasked[54 + 4] |= 0x40;
	assert_int_equal(read_repaired(advertisement_unasked, sizeof(advertisement_unasked)),
			DROP_bad_ndp);
}

static void
solicitation_cut_anywhere_is_refused(void **state)
{
	(void)state;
	for (uint8_t length = 8; length <= 32; length++) {
		COPY(solicitation);

		solicitation[14 + 5] = length;
		assert_int_equal(read_repaired(solicitation, 54u + length),
				length == 24 || length == 32 ? DROP_NONE : DROP_bad_ndp);
		assert_int_equal(message.has_mac, length == 32);
	}
}

static void
unusable_link_layer_address_is_as_if_absent(void **state)
{
	COPY(solicitation);

	(void)state;
	solicitation[54 + 26] |= 1;
	assert_int_equal(read_repaired(solicitation, sizeof(solicitation)), DROP_NONE);
	assert_false(message.has_mac);
}

static void
echo_requests_are_told_from_the_rest(void **state)
{
	COPY(echo_v6);

	(void)state;
	assert_int_equal(READ(echo_v4), DROP_NONE);
	check(NEIGHBOUR_ECHO, false, client_v4, server_v4);
	assert_int_equal(READ(echo_v6), DROP_NONE);
	check(NEIGHBOUR_ECHO, false, client_v6, server_v6);
	assert_int_equal(READ(unreachable), DROP_NONE);
	check(NEIGHBOUR_OTHER, false, client_v4, server_v4);
	echo_v6[54] = 133; /* Router solicitation */
	assert_int_equal(read_repaired(echo_v6, sizeof(echo_v6)), DROP_NONE);
	check(NEIGHBOUR_OTHER, false, client_v6, server_v6);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(arp_requests_and_replies_are_read),
			cmocka_unit_test(arp_probe_has_no_sender),
			cmocka_unit_test(gratuitous_arp_is_an_answer),
			cmocka_unit_test(senseless_arp_is_refused),
			cmocka_unit_test(arp_from_the_zero_mac_or_an_answer_from_nobody_is_refused),
			cmocka_unit_test(solicitations_are_read),
			cmocka_unit_test(advertisements_are_read),
			cmocka_unit_test(neighbour_discovery_from_beyond_a_router_is_refused),
			cmocka_unit_test(invalid_neighbour_discovery_is_refused),
			cmocka_unit_test(address_detection_with_a_link_layer_address_is_refused),
			cmocka_unit_test(address_detection_to_a_unicast_address_is_refused),
			cmocka_unit_test(solicited_advertisement_to_a_group_is_refused),
			cmocka_unit_test(solicitation_cut_anywhere_is_refused),
			cmocka_unit_test(unusable_link_layer_address_is_as_if_absent),
			cmocka_unit_test(echo_requests_are_told_from_the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
