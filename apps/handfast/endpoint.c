/* SPDX-License-Identifier: BSD-3-Clause */

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "endpoint.h"
#include "settings/settings.h"
#include "settings/settings_address.h"

static bool
parse_port(const char *text, unsigned int *port)
{
	unsigned long number;
	char *end;

	errno = 0;
	number = strtoul(text, &end, 10);
	*port = (unsigned int)number;
	return errno == 0 && text[0] >= '0' && text[0] <= '9' && *end == '\0' && number > 0 &&
	       number <= UINT16_MAX;
}

bool
endpoint_parse_words(const char *address, const char *port, struct endpoint *endpoint)
{
	uint8_t bytes[16];

	if (!settings_address_parse(address, bytes) || !parse_port(port, &endpoint->port))
		return false;
	settings_format_address(bytes, endpoint->address);
	return true;
}

bool
endpoint_parse(const char *text, struct endpoint *endpoint)
{
	const char *colon = strrchr(text, ':');
	const bool bracketed = text[0] == '[';
	char address[64];
	size_t length;

	if (colon == NULL || (!bracketed && strchr(text, ':') != colon) ||
			(bracketed && colon[-1] != ']'))
		return false;
	length = (size_t)(colon - text) - (bracketed ? 2 : 0);
	if (length >= sizeof(address))
		return false;
	memcpy(address, text + bracketed, length);
	address[length] = '\0';
	return endpoint_parse_words(address, colon + 1, endpoint);
}

const char *
endpoint_format(const struct endpoint *endpoint, char text[64])
{
	const bool ipv6 = strchr(endpoint->address, ':') != NULL;

	snprintf(text, 64, "%s%s%s:%u", ipv6 ? "[" : "", endpoint->address, ipv6 ? "]" : "",
			endpoint->port);
	return text;
}
