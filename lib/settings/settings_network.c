/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Values that are addresses: Ethernet, IP, IP with a prefix length, IP with a TCP port, TCP ports.
 *
 * An address that no host can have is refused here, where its text is at hand; what depends on
 * other options is for settings_verify.c.
 */

#include "settings/settings_value.h"

#include <string.h>

#include "settings/settings_address.h"

/* Longer than any address, so that cutting a text to it never makes a good address of a bad one. */
#define ADDRESS_TEXT_MAX 64

static int
hex_digit(char character)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = character == '\0' ? NULL : strchr(digits, character | 0x20);

	return at == NULL ? -1 : (int)(at - digits);
}

bool
settings_network_mac(struct settings_value *value)
{
	static const uint8_t zero[6];
	struct settings_mac mac = {.automatic = false};
	const char *text = value->text;
	unsigned int i;
	bool good = strlen(text) == 17;

	if (strcmp(text, "auto") == 0) {
		*(struct settings_mac *)value->member = (struct settings_mac){.automatic = true};
		return true;
	}
	for (i = 0; good && i < 6; i++) {
		int high = hex_digit(text[3 * i]);
		int low = hex_digit(text[3 * i + 1]);

		good = high >= 0 && low >= 0 && (i == 5 || text[3 * i + 2] == ':');
		if (good)
			mac.bytes[i] = (uint8_t)(high << 4 | low);
	}
	if (!good) {
		settings_problem_add(value->errors, value->place,
				"mac: \"%s\" is no Ethernet address", text);
		settings_problem_hint(value->errors, "write it as 02:00:00:00:00:01, or auto");
		return false;
	}
	if ((mac.bytes[0] & 1) != 0 || memcmp(mac.bytes, zero, 6) == 0) {
		settings_problem_add(value->errors, value->place,
				"mac: %s is not the address of a single station", text);
		settings_problem_hint(
				value->errors, "an address of your own making begins with 02");
		return false;
	}
	*(struct settings_mac *)value->member = mac;
	return true;
}

static bool
read_ip(struct settings_value *value, const char *text, uint8_t address[16])
{
	if (settings_address_parse(text, address))
		return true;
	settings_problem_add(value->errors, value->place, "%s: \"%s\" is no IP address",
			value->option->name, text);
	if (strncasecmp(text, "::ffff:", 7) == 0)
		settings_problem_hint(value->errors, "write an IPv4 address as 192.0.2.1");
	return false;
}

static bool
check_usable(struct settings_value *value, const uint8_t address[16])
{
	static const uint8_t any[4];
	const char *unusable = settings_address_unusable(address);

	if (unusable == NULL)
		return true;
	settings_problem_add(value->errors, value->place, "%s: %s is %s address",
			value->option->name, value->text, unusable);
	if (value->option->kind == SETTINGS_KIND_ENDPOINTS &&
			memcmp(address + 12, any, sizeof(any)) == 0)
		settings_problem_hint(value->errors, "there is no listening on every address: list "
						     "the addresses");
	return false;
}

bool
settings_network_prefix(struct settings_value *value)
{
	struct settings_prefixes *prefixes = value->member;
	struct settings_prefix prefix = {.length = 0};
	char address[ADDRESS_TEXT_MAX];
	const char *slash = strchr(value->text, '/');
	const char *rest;
	unsigned int longest;
	uint64_t length;

	if (slash == NULL) {
		settings_problem_add(value->errors, value->place, "%s: \"%s\" has no prefix length",
				value->option->name, value->text);
		settings_problem_hint(value->errors, "write it as 192.0.2.1/24 or 2001:db8::1/64");
		return false;
	}
	snprintf(address, sizeof(address), "%.*s", (int)(slash - value->text), value->text);
	if (!read_ip(value, address, prefix.address))
		return false;
	longest = settings_address_is_ipv4(prefix.address) ? 32 : 128;
	rest = slash + 1;
	if (!settings_value_digits(&rest, &length) || *rest != '\0' || length > longest) {
		settings_problem_add(value->errors, value->place,
				"%s: \"%s\" is no prefix length of this address",
				value->option->name, slash + 1);
		settings_problem_hint(value->errors, "IPv4 has 0 to 32, IPv6 has 0 to 128");
		return false;
	}
	if (!check_usable(value, prefix.address))
		return false;
	if (prefixes->count == SETTINGS_ADDRESSES_MAX)
		return settings_value_refuse_more(value, SETTINGS_ADDRESSES_MAX);
	prefix.length = (uint8_t)length;
	prefixes->item[prefixes->count++] = prefix;
	return true;
}

bool
settings_network_address(struct settings_value *value)
{
	const bool local = value->option == &settings_options[SETTINGS_OPTION_pool_local_addresses];
	const unsigned int most = local ? SETTINGS_LOCALS_MAX : SETTINGS_ADDRESSES_MAX;
	struct settings_addresses *addresses = value->member;
	uint8_t address[16];

	if (!read_ip(value, value->text, address) || !check_usable(value, address))
		return false;
	if (addresses->count == most)
		return settings_value_refuse_more(value, most);
	memcpy(addresses->item[addresses->count++], address, sizeof(address));
	return true;
}

static bool
read_tcp_port(struct settings_value *value, const char *text, rte_be16_t *port)
{
	const char *rest = text;
	uint64_t number;

	if (!settings_value_digits(&rest, &number) || *rest != '\0') {
		settings_problem_add(value->errors, value->place, "%s: port \"%s\" is not a number",
				value->option->name, text);
		return false;
	}
	if (number > UINT16_MAX) {
		settings_problem_add(value->errors, value->place, "%s: port %s is above 65535",
				value->option->name, text);
		return false;
	}
	if (number == 0) {
		settings_problem_add(value->errors, value->place, "%s: there is no port 0",
				value->option->name);
		return false;
	}
	*port = rte_cpu_to_be_16((uint16_t)number);
	return true;
}

/* Split ADDRESS:PORT or [ADDRESS]:PORT.  @return where the port begins, NULL after an error */
static const char *
split_endpoint(struct settings_value *value, char address[ADDRESS_TEXT_MAX])
{
	const char *text = value->text;
	const char *colon = strrchr(text, ':');
	bool bracket = text[0] == '[';

	if (bracket && (colon == NULL || colon == text || colon[-1] != ']'))
		colon = NULL;
	if (colon == NULL) {
		settings_problem_add(value->errors, value->place, "%s: \"%s\" has no port",
				value->option->name, text);
		settings_problem_hint(
				value->errors, "write it as 192.0.2.1:80 or [2001:db8::1]:80");
		return NULL;
	}
	if (!bracket && strchr(text, ':') != colon) {
		settings_problem_add(value->errors, value->place, "%s: \"%s\" needs brackets",
				value->option->name, text);
		settings_problem_hint(value->errors, "write [%.*s]:%s", (int)(colon - text), text,
				colon + 1);
		return NULL;
	}
	snprintf(address, ADDRESS_TEXT_MAX, "%.*s", (int)(colon - text) - 2 * bracket,
			text + bracket);
	if (strcmp(address, "*") == 0 || address[0] == '\0')
		strcpy(address, "0.0.0.0");
	if (bracket && strchr(address, ':') == NULL) {
		settings_problem_add(value->errors, value->place,
				"%s: brackets are for IPv6 addresses", value->option->name);
		settings_problem_hint(value->errors, "write %s:%s", address, colon + 1);
		return NULL;
	}
	return colon + 1;
}

static bool
read_endpoint(struct settings_value *value, struct settings_endpoint *endpoint)
{
	char address[ADDRESS_TEXT_MAX];
	const char *port = split_endpoint(value, address);

	return port != NULL && read_ip(value, address, endpoint->address) &&
	       check_usable(value, endpoint->address) &&
	       read_tcp_port(value, port, &endpoint->port);
}

bool
settings_network_endpoint(struct settings_value *value)
{
	struct settings_endpoints *endpoints = value->member;
	struct settings_endpoint endpoint;

	if (!read_endpoint(value, &endpoint))
		return false;
	if (endpoints->count == SETTINGS_ENDPOINTS_MAX)
		return settings_value_refuse_more(value, SETTINGS_ENDPOINTS_MAX);
	endpoints->item[endpoints->count++] = endpoint;
	return true;
}

/* What stands behind the endpoint of a backend: nothing, or weight=N. */
static bool
read_weight(struct settings_value *value, const char *rest, uint16_t *weight)
{
	static const char word[] = "weight=";
	uint64_t number;

	*weight = 1;
	rest += strspn(rest, " ");
	if (*rest == '\0')
		return true;
	if (strncmp(rest, word, strlen(word)) != 0) {
		settings_problem_add(value->errors, value->place,
				"%s: \"%s\" behind an address and port", value->option->name, rest);
		settings_problem_hint(value->errors, "only weight=N may stand there");
		return false;
	}
	rest += strlen(word);
	if (!settings_value_digits(&rest, &number) || *rest != '\0' || number > UINT8_MAX) {
		settings_problem_add(value->errors, value->place,
				"%s: a weight is a number from 0 to 255", value->option->name);
		settings_problem_hint(value->errors, "a backend of weight 0 gets no new ones");
		return false;
	}
	*weight = (uint16_t)number;
	return true;
}

bool
settings_network_backend(struct settings_value *value)
{
	struct settings_backends *backends = value->member;
	struct settings_value part = *value;
	struct settings_endpoint endpoint;
	struct settings_backend backend;
	char text[2 * ADDRESS_TEXT_MAX];
	const size_t length = strcspn(value->text, " ");

	snprintf(text, sizeof(text), "%.*s", (int)length, value->text);
	part.text = text;
	if (!read_endpoint(&part, &endpoint) ||
			!read_weight(value, value->text + length, &backend.weight))
		return false;
	if (backends->count == SETTINGS_POOL_BACKENDS_MAX)
		return settings_value_refuse_more(value, SETTINGS_POOL_BACKENDS_MAX);
	memcpy(backend.address, endpoint.address, sizeof(backend.address));
	backend.port = endpoint.port;
	backends->item[backends->count++] = backend;
	return true;
}

bool
settings_network_port_range(struct settings_value *value)
{
	struct settings_port_range *range = value->member;
	const char *rest = value->text;
	uint64_t first, last;

	if (!settings_value_digits(&rest, &first) || *rest++ != '-' ||
			!settings_value_digits(&rest, &last) || *rest != '\0' || first == 0 ||
			first > last || last > UINT16_MAX) {
		settings_problem_add(value->errors, value->place, "%s: \"%s\" is no range of ports",
				value->option->name, value->text);
		settings_problem_hint(value->errors, "write it as 1024-65535");
		return false;
	}
	*range = (struct settings_port_range){(uint16_t)first, (uint16_t)last};
	return true;
}
