/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * IP addresses in settings.
 *
 * Both families are 16 bytes, IPv4 as ::ffff:0:0/96 (RFC 4291 section 2.5.5.2).  So that one
 * address has one spelling, a literal in that range is refused.
 */

#include "settings/settings_address.h"

#include <string.h>

#include <arpa/inet.h>

#define MAPPED_BITS 96

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

bool
settings_address_is_ipv4(const uint8_t address[16])
{
	return memcmp(address, mapped, sizeof(mapped)) == 0;
}

bool
settings_address_parse(const char *text, uint8_t address[16])
{
	uint8_t parsed[16];

	memcpy(parsed, mapped, sizeof(mapped));
	if (inet_pton(AF_INET, text, parsed + sizeof(mapped)) != 1 &&
			(inet_pton(AF_INET6, text, parsed) != 1 ||
					settings_address_is_ipv4(parsed)))
		return false;
	memcpy(address, parsed, sizeof(parsed));
	return true;
}

const char *
settings_format_address(const uint8_t address[16], char text[46])
{
	bool ipv4 = settings_address_is_ipv4(address);

	inet_ntop(ipv4 ? AF_INET : AF_INET6, ipv4 ? address + sizeof(mapped) : address, text,
			INET6_ADDRSTRLEN);
	return text;
}

bool
settings_address_is_link_local(const uint8_t address[16])
{
	return address[0] == 0xfe && (address[1] & 0xc0) == 0x80;
}

/* RFC 1122 section 3.2.1.3; RFC 4291 section 2.5 */
const char *
settings_address_unusable(const uint8_t address[16])
{
	static const uint8_t unspecified[16];
	static const uint8_t loopback[16] = {[15] = 1};
	static const uint8_t broadcast[4] = {0xff, 0xff, 0xff, 0xff};
	const uint8_t *ipv4 = address + sizeof(mapped);

	if (settings_address_is_ipv4(address)) {
		if (ipv4[0] == 0)
			return "an unspecified";
		if (ipv4[0] == 127)
			return "a loopback";
		if ((ipv4[0] & 0xf0) == 0xe0)
			return "a multicast";
		return memcmp(ipv4, broadcast, 4) == 0 ? "a broadcast" : NULL;
	}
	if (memcmp(address, unspecified, 16) == 0)
		return "an unspecified";
	if (memcmp(address, loopback, 16) == 0)
		return "a loopback";
	return address[0] == 0xff ? "a multicast" : NULL;
}

static bool
same_bits(const uint8_t *left, const uint8_t *right, unsigned int bits)
{
	unsigned int whole = bits / 8;
	uint8_t mask = (uint8_t)(0xff00u >> bits % 8);

	if (memcmp(left, right, whole) != 0)
		return false;
	return mask == 0 || ((left[whole] ^ right[whole]) & mask) == 0;
}

bool
settings_prefix_holds(const struct settings_prefix *prefix, const uint8_t address[16])
{
	bool ipv4 = settings_address_is_ipv4(prefix->address);

	return ipv4 == settings_address_is_ipv4(address) &&
	       same_bits(prefix->address, address, prefix->length + (ipv4 ? MAPPED_BITS : 0));
}

bool
settings_prefix_reserves(const struct settings_prefix *prefix, const uint8_t address[16])
{
	uint32_t host, word;

	/* RFC 3021: a subnet of 31 bits has neither. */
	if (!settings_prefix_holds(prefix, address) || !settings_address_is_ipv4(address) ||
			prefix->length > 30)
		return false;
	memcpy(&word, address + sizeof(mapped), sizeof(word));
	host = UINT32_MAX >> prefix->length;
	return (ntohl(word) & host) == 0 || (ntohl(word) & host) == host;
}
