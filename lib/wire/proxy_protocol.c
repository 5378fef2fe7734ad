/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * PROXY protocol headers.  Text is made digit by digit: this runs once per connection.
 */

#include <stdbool.h>
#include <string.h>

#include "tcp/flow_key.h"
#include "wire/bytes.h"
#include "wire/proxy_protocol.h"

#define IPV6_GROUPS    8
#define IPV4_IN_MAPPED 12 /* Where the IPv4 address begins. */

/* Section 2.2: version 2 and the command; family and protocol. */
#define V2_PROXY  0x21
#define V2_LOCAL  0x20
#define V2_TCP4   0x11
#define V2_TCP6   0x21
#define V2_UNSPEC 0x00

static const uint8_t v2_signature[12] = {
		0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

_Static_assert(sizeof("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n") -
						1 <=
				PROXY_PROTOCOL_MAX,
		"the longest line with addresses; section 2.1 counts UNKNOWN with them, too");

static bool
is_ipv4(const struct proxy_protocol_ends *ends)
{
	return flow_key_is_ipv4(ends->source) && flow_key_is_ipv4(ends->destination);
}

static uint8_t *
put_text(uint8_t *to, const char *text)
{
	size_t length = strlen(text);

	memcpy(to, text, length);
	return to + length;
}

static uint8_t *
put_decimal(uint8_t *to, unsigned int value)
{
	uint8_t digits[5];
	unsigned int n = 0;

	do {
		digits[n++] = (uint8_t)('0' + value % 10);
		value /= 10;
	} while (value != 0);
	while (n > 0)
		*to++ = digits[--n];
	return to;
}

static uint8_t *
put_hexadecimal(uint8_t *to, uint16_t value)
{
	static const char digits[16] = "0123456789abcdef";
	int shift = 12;

	while (shift > 0 && value >> shift == 0)
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		*to++ = (uint8_t)digits[value >> shift & 0xf];
	return to;
}

static uint8_t *
put_ipv4(uint8_t *to, const uint8_t address[4])
{
	for (unsigned int i = 0; i < 4; i++) {
		if (i > 0)
			*to++ = '.';
		to = put_decimal(to, address[i]);
	}
	return to;
}

/* The longest run of zero groups, if it is more than one; the first of equals (RFC 5952 4.2). */
static unsigned int
zero_run(const uint8_t address[16], unsigned int *length)
{
	unsigned int begin = IPV6_GROUPS;

	*length = 1;
	for (unsigned int i = 0; i < IPV6_GROUPS; i++) {
		unsigned int n = 0;

		while (i + n < IPV6_GROUPS && bytes_read_16(address + 2 * (i + n)) == 0)
			n++;
		if (n > *length) {
			begin = i;
			*length = n;
		}
	}
	return begin;
}

/* As RFC 5952 wants it, but a mapped address in groups, too: section 2.1 allows nothing else. */
static uint8_t *
put_ipv6(uint8_t *to, const uint8_t address[16])
{
	unsigned int run_length;
	unsigned int run = zero_run(address, &run_length);
	unsigned int i = 0;

	while (i < IPV6_GROUPS) {
		if (i == run) {
			*to++ = ':';
			*to++ = ':';
			i += run_length;
			continue;
		}
		if (i > 0 && i != run + run_length)
			*to++ = ':';
		to = put_hexadecimal(to, bytes_read_16(address + 2 * i));
		i++;
	}
	return to;
}

static uint8_t *
put_address(uint8_t *to, const uint8_t address[16], bool ipv4)
{
	return ipv4 ? put_ipv4(to, address + IPV4_IN_MAPPED) : put_ipv6(to, address);
}

static size_t
write_v1(uint8_t *to, const struct proxy_protocol_ends *ends)
{
	const bool ipv4 = is_ipv4(ends);
	uint8_t *at = put_text(to, ipv4 ? "PROXY TCP4 " : "PROXY TCP6 ");

	at = put_address(at, ends->source, ipv4);
	*at++ = ' ';
	at = put_address(at, ends->destination, ipv4);
	*at++ = ' ';
	at = put_decimal(at, rte_be_to_cpu_16(ends->source_port));
	*at++ = ' ';
	at = put_decimal(at, rte_be_to_cpu_16(ends->destination_port));
	at = put_text(at, "\r\n");
	return (size_t)(at - to);
}

static uint8_t *
put_v2_head(uint8_t *to, uint8_t command, uint8_t family, uint16_t length)
{
	memcpy(to, v2_signature, sizeof(v2_signature));
	to += sizeof(v2_signature);
	*to++ = command;
	*to++ = family;
	bytes_write_16(to, length);
	return to + 2;
}

static size_t
write_v2(uint8_t *to, const struct proxy_protocol_ends *ends)
{
	const bool ipv4 = is_ipv4(ends);
	const size_t skipped = ipv4 ? IPV4_IN_MAPPED : 0;
	const size_t size = sizeof(ends->source) - skipped;
	uint8_t *at = put_v2_head(to, V2_PROXY, ipv4 ? V2_TCP4 : V2_TCP6,
			(uint16_t)(2 * size + 2 * sizeof(ends->source_port)));

	memcpy(at, ends->source + skipped, size);
	memcpy(at + size, ends->destination + skipped, size);
	at += 2 * size;
	memcpy(at, &ends->source_port, sizeof(ends->source_port));
	at += sizeof(ends->source_port);
	memcpy(at, &ends->destination_port, sizeof(ends->destination_port));
	return (size_t)(at + sizeof(ends->destination_port) - to);
}

size_t
proxy_protocol_write(uint8_t *to, enum proxy_protocol_version version,
		const struct proxy_protocol_ends *ends)
{
	switch (version) {
	case PROXY_PROTOCOL_V1:
		return write_v1(to, ends);
	case PROXY_PROTOCOL_V2:
		return write_v2(to, ends);
	case PROXY_PROTOCOL_NONE:
		break;
	}
	return 0;
}

size_t
proxy_protocol_write_own(uint8_t *to, enum proxy_protocol_version version)
{
	switch (version) {
	case PROXY_PROTOCOL_V1:
		return (size_t)(put_text(to, "PROXY UNKNOWN\r\n") - to);
	case PROXY_PROTOCOL_V2:
		return (size_t)(put_v2_head(to, V2_LOCAL, V2_UNSPEC, 0) - to);
	case PROXY_PROTOCOL_NONE:
		break;
	}
	return 0;
}

size_t
proxy_protocol_length(enum proxy_protocol_version version, const struct proxy_protocol_ends *ends)
{
	uint8_t header[PROXY_PROTOCOL_MAX];

	return proxy_protocol_write(header, version, ends);
}
