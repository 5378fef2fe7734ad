/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The rules about addresses of ports, gateways and services.
 *
 * What arrives must have a way back: a peer is on a port's subnet or behind a gateway.  A
 * service's address outside every subnet is therefore allowed where a gateway is, because then a
 * router can have a route for it.
 */

#include "settings/settings_verify.h"

#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>

#include "settings/settings_address.h"

#define OPTION_OF(section, name) SETTINGS_OPTION_##section##_##name

#define IPV6_MTU_MIN             1280 /* RFC 8200 section 5 */

/* The earlier port's line that has the same address, 0 for none. */
static uint32_t
other_line(const struct settings_verify *verify, unsigned int number, unsigned int index)
{
	const uint8_t *address = verify->settings->port[number].addresses.item[index].address;
	unsigned int i, j;

	for (i = 0; i <= number; i++) {
		const struct settings_prefixes *prefixes = &verify->settings->port[i].addresses;
		unsigned int count = i == number ? index : prefixes->count;

		for (j = 0; j < count; j++)
			if (memcmp(prefixes->item[j].address, address, 16) == 0)
				return settings_schema_item_place(&verify->source->port[i],
						OPTION_OF(port, addresses), j)
						->line;
	}
	return 0;
}

static void
verify_address(const struct settings_verify *verify, unsigned int number, unsigned int index)
{
	const struct settings_port *port = &verify->settings->port[number];
	const struct settings_marks *marks = &verify->source->port[number];
	const struct settings_prefix *prefix = &port->addresses.item[index];
	const struct settings_place *place =
			settings_schema_item_place(marks, OPTION_OF(port, addresses), index);
	uint32_t line = other_line(verify, number, index);
	char text[INET6_ADDRSTRLEN];

	settings_format_address(prefix->address, text);
	if (line != 0) {
		settings_problem_add(verify->errors, place, "address %s is taken already", text);
		settings_problem_hint(verify->errors, "the other one is in line %u", line);
	}
	if (settings_prefix_reserves(prefix, prefix->address)) {
		settings_problem_add(verify->errors, place,
				"%s is the subnet's own or its broadcast address", text);
		settings_problem_hint(verify->errors, "take another address of the subnet, or /32");
	}
	if (!settings_address_is_ipv4(prefix->address) && port->mtu < IPV6_MTU_MIN &&
			settings_verify_sound(marks, OPTION_OF(port, mtu))) {
		settings_problem_add(verify->errors, place, "an IPv6 address needs an mtu of 1280");
		settings_problem_hint(verify->errors, "mtu is in line %u",
				settings_schema_place(marks, OPTION_OF(port, mtu))->line);
	}
}

/* IPv6's link-local addresses are on every link that has IPv6 (RFC 4291 section 2.5.6). */
static bool
is_on_link(const struct settings_port *port, const uint8_t address[16])
{
	bool link_local = settings_address_is_link_local(address);
	unsigned int i;

	for (i = 0; i < port->addresses.count; i++) {
		const struct settings_prefix *prefix = &port->addresses.item[i];

		if (settings_prefix_holds(prefix, address) ||
				(link_local && !settings_address_is_ipv4(prefix->address)))
			return true;
	}
	return false;
}

static bool
is_own(const struct settings_port *port, const uint8_t address[16])
{
	unsigned int i;

	for (i = 0; i < port->addresses.count; i++)
		if (memcmp(port->addresses.item[i].address, address, 16) == 0)
			return true;
	return false;
}

static bool
is_reserved(const struct settings_port *port, const uint8_t address[16])
{
	unsigned int i;

	for (i = 0; i < port->addresses.count; i++)
		if (settings_prefix_reserves(&port->addresses.item[i], address))
			return true;
	return false;
}

static void
verify_gateway(const struct settings_verify *verify, unsigned int number, unsigned int index)
{
	const struct settings_port *port = &verify->settings->port[number];
	const struct settings_marks *marks = &verify->source->port[number];
	const uint8_t *gateway = port->gateways.item[index];
	const struct settings_place *place =
			settings_schema_item_place(marks, OPTION_OF(port, gateways), index);
	char text[INET6_ADDRSTRLEN];
	unsigned int i;

	settings_format_address(gateway, text);
	for (i = 0; i < index && memcmp(port->gateways.item[i], gateway, 16) != 0; i++)
		;
	if (i < index)
		settings_problem_add(verify->errors, place, "gateway %s is listed twice", text);
	if (!settings_verify_sound(marks, OPTION_OF(port, addresses)))
		return;
	if (is_own(port, gateway)) {
		settings_problem_add(verify->errors, place, "gateway %s is our own address", text);
	} else if (is_reserved(port, gateway)) {
		settings_problem_add(verify->errors, place,
				"gateway %s is its subnet's own or its broadcast address", text);
	} else if (!is_on_link(port, gateway)) {
		settings_problem_add(verify->errors, place,
				"gateway %s is in no subnet of this port's addresses", text);
		settings_problem_hint(verify->errors,
				"a gateway is a neighbour: give the port an address in its subnet");
	}
}

/* Where a service listens, for finding two of one. */
struct listener {
	const struct settings_endpoint *endpoint;
	unsigned int service;
	unsigned int index;
};

static int
compare_listeners(const void *left, const void *right)
{
	const struct listener *a = left;
	const struct listener *b = right;
	int order = memcmp(a->endpoint->address, b->endpoint->address, 16);

	if (order == 0)
		order = memcmp(&a->endpoint->port, &b->endpoint->port, sizeof(a->endpoint->port));
	if (order == 0)
		order = a->service < b->service ? -1 : a->service > b->service;
	if (order == 0)
		order = a->index < b->index ? -1 : a->index > b->index;
	return order;
}

static const struct settings_place *
listener_place(const struct settings_verify *verify, const struct listener *listener)
{
	return settings_schema_item_place(&verify->source->service[listener->service],
			OPTION_OF(service, listen), listener->index);
}

static void
verify_listeners(const struct settings_verify *verify, struct listener *listener, size_t count)
{
	char text[INET6_ADDRSTRLEN];
	size_t i;

	qsort(listener, count, sizeof(*listener), compare_listeners);
	for (i = 1; i < count; i++) {
		const struct settings_endpoint *endpoint = listener[i].endpoint;

		if (memcmp(endpoint->address, listener[i - 1].endpoint->address, 16) != 0 ||
				endpoint->port != listener[i - 1].endpoint->port)
			continue;
		settings_problem_add(verify->errors, listener_place(verify, &listener[i]),
				"a service listens on %s port %u already",
				settings_format_address(endpoint->address, text),
				rte_be_to_cpu_16(endpoint->port));
		settings_problem_hint(verify->errors, "the other one is in line %u",
				listener_place(verify, &listener[i - 1])->line);
	}
}

static bool
has_gateway(const struct settings_port *port, bool ipv4)
{
	unsigned int i;

	for (i = 0; i < port->gateways.count; i++)
		if (settings_address_is_ipv4(port->gateways.item[i]) == ipv4)
			return true;
	return false;
}

bool
settings_verify_reaches(const struct settings_port *port, const uint8_t address[16])
{
	return has_gateway(port, settings_address_is_ipv4(address)) || is_on_link(port, address);
}

/* Whether packets for an address can come, and answers go: see the file comment. */
static void
verify_reach(const struct settings_verify *verify, const struct listener *listener)
{
	const struct settings *settings = verify->settings;
	const uint8_t *address = listener->endpoint->address;
	char text[INET6_ADDRSTRLEN];
	bool reachable = false;
	unsigned int i;

	settings_format_address(address, text);
	for (i = 0; i < settings->port_count; i++) {
		const struct settings_port *port = &settings->port[i];
		const struct settings_marks *marks = &verify->source->port[i];

		/* With a port's addresses in doubt nothing can be said. */
		if (!settings_verify_sound(marks, OPTION_OF(port, addresses)) ||
				!settings_verify_sound(marks, OPTION_OF(port, gateways)))
			return;
		if (is_reserved(port, address)) {
			settings_problem_add(verify->errors, listener_place(verify, listener),
					"%s is the own or broadcast address of port %s's subnet",
					text, port->name);
			return;
		}
		reachable |= settings_verify_reaches(port, address);
	}
	if (reachable || settings->port_count == 0)
		return;
	settings_problem_add(verify->errors, listener_place(verify, listener),
			"%s is in no port's subnet, and no port has a gateway of its family", text);
	settings_problem_hint(verify->errors,
			"give a port an address in its subnet, or the gateway "
			"that routes it here");
}

bool
settings_verify_addresses(const struct settings_verify *verify)
{
	const struct settings *settings = verify->settings;
	struct listener *listener;
	size_t count = 0;
	unsigned int i, j;

	for (i = 0; i < settings->port_count; i++) {
		for (j = 0; j < settings->port[i].addresses.count; j++)
			verify_address(verify, i, j);
		for (j = 0; j < settings->port[i].gateways.count; j++)
			verify_gateway(verify, i, j);
	}
	for (i = 0; i < settings->service_count; i++)
		count += settings->service[i].listen.count;
	listener = calloc(count + 1, sizeof(*listener));
	if (listener == NULL)
		return false;
	count = 0;
	for (i = 0; i < settings->service_count; i++)
		for (j = 0; j < settings->service[i].listen.count; j++)
			listener[count++] = (struct listener){
					&settings->service[i].listen.item[j], i, j};
	for (i = 0; i < count && !settings_problem_full(verify->errors); i++)
		verify_reach(verify, &listener[i]);
	verify_listeners(verify, listener, count);
	free(listener);
	return true;
}
