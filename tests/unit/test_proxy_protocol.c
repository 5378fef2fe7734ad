/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * PROXY protocol headers: byte by byte, and random ones read back by a parser that shares nothing
 * with the writer but the specification; text addresses are read by inet_pton().
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <rte_byteorder.h>

#include "random.h"
#include "tcp/flow_key.h"
#include "wire/proxy_protocol.h"

#define SEED   14
#define TRIALS 20000
#define CANARY 0xa5

static struct proxy_protocol_ends
ends_of(const char *source, uint16_t source_port, const char *destination,
		uint16_t destination_port)
{
	struct proxy_protocol_ends ends = {.source_port = rte_cpu_to_be_16(source_port),
			.destination_port = rte_cpu_to_be_16(destination_port)};

	assert_int_equal(inet_pton(AF_INET6, source, ends.source), 1);
	assert_int_equal(inet_pton(AF_INET6, destination, ends.destination), 1);
	return ends;
}

/* Write into a buffer of exactly the promised room, and see that nothing was written beyond. */
static size_t
write_header(uint8_t header[PROXY_PROTOCOL_MAX], enum proxy_protocol_version version,
		const struct proxy_protocol_ends *ends)
{
	uint8_t *room = malloc(PROXY_PROTOCOL_MAX);
	size_t length;

	assert_non_null(room);
	memset(room, CANARY, PROXY_PROTOCOL_MAX);
	length = ends == NULL ? proxy_protocol_write_own(room, version)
			      : proxy_protocol_write(room, version, ends);
	assert_true(length <= PROXY_PROTOCOL_MAX);
	for (size_t i = length; i < PROXY_PROTOCOL_MAX; i++)
		assert_int_equal(room[i], CANARY);
	if (ends != NULL)
		assert_int_equal(proxy_protocol_length(version, ends), length);
	memcpy(header, room, PROXY_PROTOCOL_MAX);
	free(room);
	return length;
}

static void
expect_text(const struct proxy_protocol_ends *ends, const char *text)
{
	uint8_t header[PROXY_PROTOCOL_MAX];

	assert_int_equal(write_header(header, PROXY_PROTOCOL_V1, ends), strlen(text));
	assert_memory_equal(header, text, strlen(text));
}

static void
ipv4_clients_are_a_line_of_text(void **state)
{
	struct proxy_protocol_ends ends =
			ends_of("::ffff:192.168.0.1", 56324, "::ffff:192.168.0.11", 443);

	(void)state;
	/* The first example of section 2.1. */
	expect_text(&ends, "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n");
	ends = ends_of("::ffff:255.255.255.255", 65535, "::ffff:255.255.255.255", 65535);
	expect_text(&ends, "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n");
	ends = ends_of("::ffff:0.0.0.0", 0, "::ffff:1.20.0.9", 10);
	expect_text(&ends, "PROXY TCP4 0.0.0.0 1.20.0.9 0 10\r\n");
}

static void
ipv6_clients_are_a_line_of_text(void **state)
{
	struct proxy_protocol_ends ends = ends_of("2001:db8::1", 1024, "::", 80);

	(void)state;
	expect_text(&ends, "PROXY TCP6 2001:db8::1 :: 1024 80\r\n");
	ends = ends_of("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535,
			"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535);
	expect_text(&ends, "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
			   "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n");
	ends = ends_of("1:0:0:2:0:0:0:3", 1, "1:0:0:2:3:0:0:4", 2);
	expect_text(&ends, "PROXY TCP6 1:0:0:2::3 1::2:3:0:0:4 1 2\r\n");
	ends = ends_of("1:0:2:3:4:5:6:7", 1, "fe80::", 2);
	expect_text(&ends, "PROXY TCP6 1:0:2:3:4:5:6:7 fe80:: 1 2\r\n");
	ends = ends_of("::1", 1, "0:a0:b00:c000:0:0:0:0", 2);
	expect_text(&ends, "PROXY TCP6 ::1 0:a0:b00:c000:: 1 2\r\n");
}

static void
mixed_families_are_ipv6_and_mapped(void **state)
{
	struct proxy_protocol_ends ends = ends_of("::ffff:1.2.3.4", 1, "2001:db8::2", 2);
	uint8_t header[PROXY_PROTOCOL_MAX];

	(void)state;
	expect_text(&ends, "PROXY TCP6 ::ffff:102:304 2001:db8::2 1 2\r\n");
	assert_int_equal(write_header(header, PROXY_PROTOCOL_V2, &ends), 52);
	assert_int_equal(header[13], 0x21);
	assert_memory_equal(header + 16, ends.source, 16);
	ends = ends_of("2001:db8::2", 1, "::ffff:1.2.3.4", 2);
	assert_int_equal(write_header(header, PROXY_PROTOCOL_V2, &ends), 52);
	assert_memory_equal(header + 32, ends.destination, 16);
}

static void
ipv4_clients_are_28_bytes(void **state)
{
	static const uint8_t wanted[28] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55,
			0x49, 0x54, 0x0a, 0x21, 0x11, 0x00, 0x0c, 192, 168, 0, 1, 192, 168, 0, 11,
			0xdc, 0x04, 0x01, 0xbb};
	const struct proxy_protocol_ends ends =
			ends_of("::ffff:192.168.0.1", 56324, "::ffff:192.168.0.11", 443);
	uint8_t header[PROXY_PROTOCOL_MAX];

	(void)state;
	assert_int_equal(write_header(header, PROXY_PROTOCOL_V2, &ends), sizeof(wanted));
	assert_memory_equal(header, wanted, sizeof(wanted));
}

static void
ipv6_clients_are_52_bytes(void **state)
{
	static const uint8_t wanted[52] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55,
			0x49, 0x54, 0x0a, 0x21, 0x21, 0x00, 0x24, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0,
			0, 0, 0, 0, 0, 0, 0, 0, 1, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0,
			0, 0, 0, 2, 0xdc, 0x04, 0x01, 0xbb};
	const struct proxy_protocol_ends ends = ends_of("2001:db8::1", 56324, "2001:db8::2", 443);
	uint8_t header[PROXY_PROTOCOL_MAX];

	(void)state;
	assert_int_equal(write_header(header, PROXY_PROTOCOL_V2, &ends), sizeof(wanted));
	assert_memory_equal(header, wanted, sizeof(wanted));
}

static void
own_connections_say_so(void **state)
{
	static const uint8_t local[16] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55,
			0x49, 0x54, 0x0a, 0x20, 0x00, 0x00, 0x00};
	uint8_t header[PROXY_PROTOCOL_MAX];

	(void)state;
	assert_int_equal(write_header(header, PROXY_PROTOCOL_V1, NULL), 15);
	assert_memory_equal(header, "PROXY UNKNOWN\r\n", 15);
	assert_int_equal(write_header(header, PROXY_PROTOCOL_V2, NULL), sizeof(local));
	assert_memory_equal(header, local, sizeof(local));
	assert_int_equal(write_header(header, PROXY_PROTOCOL_NONE, NULL), 0);
}

static void
nothing_is_written_for_none(void **state)
{
	const struct proxy_protocol_ends ends = ends_of("::1", 1, "::2", 2);
	uint8_t header[PROXY_PROTOCOL_MAX];

	(void)state;
	assert_int_equal(write_header(header, PROXY_PROTOCOL_NONE, &ends), 0);
}

/* A field of a line, up to @p end; false unless it is there. */
static bool
read_field(const char **line, char end, char *field, size_t size)
{
	const char *to = strchr(*line, end);
	size_t length;

	if (to == NULL)
		return false;
	length = (size_t)(to - *line);
	if (length == 0 || length >= size)
		return false;
	memcpy(field, *line, length);
	field[length] = '\0';
	*line = to + 1;
	return true;
}

static bool
read_port(const char *field, rte_be16_t *port)
{
	char *end;
	unsigned long value = strtoul(field, &end, 10);

	if (*end != '\0' || value > 65535 || (field[0] == '0' && field[1] != '\0'))
		return false;
	*port = rte_cpu_to_be_16((uint16_t)value);
	return true;
}

static bool
read_address(const char *field, bool ipv4, uint8_t address[16])
{
	uint8_t bytes[4];

	if (!ipv4)
		return strchr(field, '.') == NULL && inet_pton(AF_INET6, field, address) == 1;
	if (inet_pton(AF_INET, field, bytes) != 1)
		return false;
	memcpy(address, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
	memcpy(address + 12, bytes, 4);
	return true;
}

/* Section 2.1. */
static bool
parse_v1(const uint8_t *header, size_t length, struct proxy_protocol_ends *ends)
{
	char line[PROXY_PROTOCOL_MAX + 1];
	const char *at = line;
	char field[64];
	bool ipv4;

	if (length < 2 || memcmp(header + length - 2, "\r\n", 2) != 0)
		return false;
	memcpy(line, header, length);
	line[length] = '\0';
	if (strlen(line) != length || !read_field(&at, ' ', field, sizeof(field)) ||
			strcmp(field, "PROXY") != 0 || !read_field(&at, ' ', field, sizeof(field)))
		return false;
	ipv4 = strcmp(field, "TCP4") == 0;
	if (!ipv4 && strcmp(field, "TCP6") != 0)
		return false;
	return read_field(&at, ' ', field, sizeof(field)) &&
	       read_address(field, ipv4, ends->source) &&
	       read_field(&at, ' ', field, sizeof(field)) &&
	       read_address(field, ipv4, ends->destination) &&
	       read_field(&at, ' ', field, sizeof(field)) && read_port(field, &ends->source_port) &&
	       read_field(&at, '\r', field, sizeof(field)) &&
	       read_port(field, &ends->destination_port) && strcmp(at, "\n") == 0;
}

/* Section 2.2, with the structures it prints. */
static bool
parse_v2(const uint8_t *header, size_t length, struct proxy_protocol_ends *ends)
{
	struct {
		uint8_t signature[12];
		uint8_t version_command;
		uint8_t family;
		uint16_t length;
		union {
			struct {
				uint32_t source;
				uint32_t destination;
				uint16_t source_port;
				uint16_t destination_port;
			} ipv4;
			struct {
				uint8_t source[16];
				uint8_t destination[16];
				uint16_t source_port;
				uint16_t destination_port;
			} ipv6;
		} addresses;
	} parsed;

	if (length < 16 || length > sizeof(parsed))
		return false;
	memcpy(&parsed, header, length);
	if (memcmp(parsed.signature, "\r\n\r\n\0\r\nQUIT\n", 12) != 0 ||
			parsed.version_command != 0x21 || ntohs(parsed.length) != length - 16)
		return false;
	memset(ends, 0, sizeof(*ends));
	switch (parsed.family) {
	case 0x11:
		flow_key_map_ipv4(ends->source, parsed.addresses.ipv4.source);
		flow_key_map_ipv4(ends->destination, parsed.addresses.ipv4.destination);
		ends->source_port = parsed.addresses.ipv4.source_port;
		ends->destination_port = parsed.addresses.ipv4.destination_port;
		return length == 28;
	case 0x21:
		memcpy(ends->source, parsed.addresses.ipv6.source, 16);
		memcpy(ends->destination, parsed.addresses.ipv6.destination, 16);
		ends->source_port = parsed.addresses.ipv6.source_port;
		ends->destination_port = parsed.addresses.ipv6.destination_port;
		return length == 52;
	default:
		return false;
	}
}

/* Addresses with runs of zeros at any place, of both families. */
static void
random_address(uint64_t *seed, uint8_t address[16])
{
	const uint32_t zeros = (uint32_t)random_next(seed);

	random_fill(seed, address, 16);
	if (random_below(seed, 3) == 0) {
		rte_be32_t ipv4;

		memcpy(&ipv4, address, sizeof(ipv4));
		flow_key_map_ipv4(address, ipv4);
		return;
	}
	for (unsigned int i = 0; i < 16; i++)
		if ((zeros >> i / 2 & 1) != 0 || random_below(seed, 8) == 0)
			address[i] = 0;
}

static void
any_header_is_read_back(void **state)
{
	uint64_t seed = SEED;

	(void)state;
	printf("seed %d\n", SEED);
	for (unsigned int i = 0; i < TRIALS; i++) {
		uint8_t header[PROXY_PROTOCOL_MAX];
		struct proxy_protocol_ends ends;
		struct proxy_protocol_ends seen;
		size_t length;

		random_address(&seed, ends.source);
		random_address(&seed, ends.destination);
		ends.source_port = (rte_be16_t)random_next(&seed);
		ends.destination_port = (rte_be16_t)(random_next(&seed) >> random_below(&seed, 16));
		length = write_header(header, PROXY_PROTOCOL_V1, &ends);
		assert_true(parse_v1(header, length, &seen));
		assert_memory_equal(&seen, &ends, sizeof(ends));
		length = write_header(header, PROXY_PROTOCOL_V2, &ends);
		assert_true(parse_v2(header, length, &seen));
		assert_memory_equal(&seen, &ends, sizeof(ends));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(ipv4_clients_are_a_line_of_text),
			cmocka_unit_test(ipv6_clients_are_a_line_of_text),
			cmocka_unit_test(mixed_families_are_ipv6_and_mapped),
			cmocka_unit_test(ipv4_clients_are_28_bytes),
			cmocka_unit_test(ipv6_clients_are_52_bytes),
			cmocka_unit_test(own_connections_say_so),
			cmocka_unit_test(nothing_is_written_for_none),
			cmocka_unit_test(any_header_is_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
