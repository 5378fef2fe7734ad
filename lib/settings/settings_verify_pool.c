/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The rules about pools, their backends, and the services that use them.
 */

#include "settings/settings_verify.h"

#include <string.h>

#include <arpa/inet.h>

#include "settings/settings_address.h"

#define OPTION_OF(section, name) SETTINGS_OPTION_##section##_##name

/* Ports' addresses that were refused leave every rule about reaching something in doubt. */
static bool
are_ports_sound(const struct settings_verify *verify)
{
	unsigned int i;

	for (i = 0; i < verify->settings->port_count; i++) {
		const struct settings_marks *marks = &verify->source->port[i];

		if (!settings_verify_sound(marks, OPTION_OF(port, addresses)) ||
				!settings_verify_sound(marks, OPTION_OF(port, gateways)))
			return false;
	}
	return verify->settings->port_count > 0;
}

static bool
is_reached(const struct settings *settings, const uint8_t address[16])
{
	unsigned int i;

	for (i = 0; i < settings->port_count; i++)
		if (settings_verify_reaches(&settings->port[i], address))
			return true;
	return false;
}

static bool
is_port_address(const struct settings *settings, const uint8_t address[16])
{
	unsigned int i, j;

	for (i = 0; i < settings->port_count; i++) {
		const struct settings_prefixes *prefixes = &settings->port[i].addresses;

		for (j = 0; j < prefixes->count; j++)
			if (memcmp(prefixes->item[j].address, address, 16) == 0)
				return true;
	}
	return false;
}

static bool
is_service_address(const struct settings *settings, const uint8_t address[16])
{
	unsigned int i, j;

	for (i = 0; i < settings->service_count; i++) {
		const struct settings_endpoints *listen = &settings->service[i].listen;

		for (j = 0; j < listen->count; j++)
			if (memcmp(listen->item[j].address, address, 16) == 0)
				return true;
	}
	return false;
}

/* Whether a pool has an address of ours from which to speak to a backend. */
static bool
has_local(const struct settings *settings, const struct settings_pool *pool, bool ipv4)
{
	unsigned int i, j;

	for (i = 0; i < pool->local_addresses.count; i++)
		if (settings_address_is_ipv4(pool->local_addresses.item[i]) == ipv4)
			return true;
	for (i = 0; i < settings->port_count && pool->local_addresses.count == 0; i++) {
		const struct settings_prefixes *prefixes = &settings->port[i].addresses;

		for (j = 0; j < prefixes->count; j++)
			if (settings_address_is_ipv4(prefixes->item[j].address) == ipv4)
				return true;
	}
	return false;
}

static void
verify_backend(const struct settings_verify *verify, unsigned int number, unsigned int index)
{
	const struct settings_pool *pool = &verify->settings->pool[number];
	const struct settings_marks *marks = &verify->source->pool[number];
	const struct settings_backend *backend = &pool->backends.item[index];
	const struct settings_place *place =
			settings_schema_item_place(marks, OPTION_OF(pool, backends), index);
	const bool ipv4 = settings_address_is_ipv4(backend->address);
	char text[INET6_ADDRSTRLEN];
	unsigned int i;

	settings_format_address(backend->address, text);
	for (i = 0; i < index; i++) {
		const struct settings_backend *other = &pool->backends.item[i];

		if (other->port != backend->port ||
				memcmp(other->address, backend->address, 16) != 0)
			continue;
		settings_problem_add(verify->errors, place, "backend %s port %u is listed twice",
				text, rte_be_to_cpu_16(backend->port));
		settings_problem_hint(verify->errors, "give one of them a weight instead");
		break;
	}
	if (is_port_address(verify->settings, backend->address) ||
			is_service_address(verify->settings, backend->address)) {
		settings_problem_add(
				verify->errors, place, "backend %s is an address of ours", text);
		settings_problem_hint(verify->errors, "a backend is another machine");
		return;
	}
	if (!are_ports_sound(verify))
		return;
	if (!is_reached(verify->settings, backend->address)) {
		settings_problem_add(verify->errors, place,
				"backend %s is in no port's subnet, and no port has a gateway of "
				"its family",
				text);
		settings_problem_hint(verify->errors,
				"give a port an address in its subnet, or the gateway towards it");
	} else if (pool->source == SETTINGS_SOURCE_LOCAL &&
			settings_verify_sound(marks, OPTION_OF(pool, local_addresses)) &&
			!has_local(verify->settings, pool, ipv4)) {
		settings_problem_add(verify->errors, place,
				"there is no local address to speak to backend %s from", text);
		settings_problem_hint(verify->errors,
				"local_addresses, or else the ports, need an %s address",
				ipv4 ? "IPv4" : "IPv6");
	}
}

static void
verify_local_address(const struct settings_verify *verify, unsigned int number, unsigned int index)
{
	const struct settings_addresses *locals = &verify->settings->pool[number].local_addresses;
	const struct settings_place *place = settings_schema_item_place(
			&verify->source->pool[number], OPTION_OF(pool, local_addresses), index);
	const uint8_t *address = locals->item[index];
	char text[INET6_ADDRSTRLEN];
	unsigned int i;

	settings_format_address(address, text);
	for (i = 0; i < index && memcmp(locals->item[i], address, 16) != 0; i++)
		;
	if (i < index)
		settings_problem_add(
				verify->errors, place, "local address %s is listed twice", text);
	if (!are_ports_sound(verify) || is_reached(verify->settings, address))
		return;
	settings_problem_add(verify->errors, place,
			"replies to %s cannot come: it is in no port's subnet, and no port has a "
			"gateway of its family",
			text);
	settings_problem_hint(verify->errors, "take an address of a port's subnet");
}

/* Options that others make meaningless. */
static void
verify_pointless(const struct settings_verify *verify, unsigned int number,
		const struct settings_pool *standard)
{
	const struct settings_pool *pool = &verify->settings->pool[number];
	const struct settings_marks *marks = &verify->source->pool[number];

	if (pool->source == SETTINGS_SOURCE_CLIENT) {
		if (pool->local_addresses.count > 0)
			settings_verify_pointless(verify, marks, OPTION_OF(pool, local_addresses),
					"source: client");
		if (pool->local_ports.first != standard->local_ports.first ||
				pool->local_ports.last != standard->local_ports.last)
			settings_verify_pointless(verify, marks, OPTION_OF(pool, local_ports),
					"source: client");
	}
	if (pool->check != SETTINGS_CHECK_HTTP &&
			strcmp(pool->check_path, standard->check_path) != 0)
		settings_verify_pointless(verify, marks, OPTION_OF(pool, check_path),
				pool->check == SETTINGS_CHECK_TCP ? "check: tcp" : "check: none");
	if (pool->check != SETTINGS_CHECK_NONE && pool->check_timeout_ms > pool->check_interval_ms)
		settings_problem_add(verify->errors,
				settings_schema_place(marks, OPTION_OF(pool, check_timeout)),
				"check_timeout is longer than check_interval");
}

/* It becomes a request's target (RFC 9112 section 3.2.1): visible ASCII from the root. */
static void
verify_check_path(const struct settings_verify *verify, unsigned int number)
{
	const char *path = verify->settings->pool[number].check_path;
	const char *at = path;

	while (*at > ' ' && *at <= '~')
		at++;
	if (*at == '\0' && path[0] == '/')
		return;
	settings_problem_add(verify->errors,
			settings_schema_place(
					&verify->source->pool[number], OPTION_OF(pool, check_path)),
			"check_path cannot be asked for");
	settings_problem_hint(
			verify->errors, "it begins with / and has visible ASCII characters only");
}

static void
verify_pool(const struct settings_verify *verify, unsigned int number,
		const struct settings_pool *standard)
{
	const struct settings_pool *pool = &verify->settings->pool[number];
	const struct settings_marks *marks = &verify->source->pool[number];
	unsigned int i;

	settings_verify_require(verify, marks, OPTION_OF(pool, name));
	settings_verify_require(verify, marks, OPTION_OF(pool, backends));
	for (i = 0; i < number && pool->name[0] != '\0'; i++) {
		if (strcmp(pool->name, verify->settings->pool[i].name) != 0)
			continue;
		settings_verify_duplicate(
				verify, marks, &verify->source->pool[i], OPTION_OF(pool, name));
		break;
	}
	for (i = 0; i < pool->backends.count && !settings_problem_full(verify->errors); i++)
		verify_backend(verify, number, i);
	for (i = 0; i < pool->local_addresses.count; i++)
		verify_local_address(verify, number, i);
	verify_pointless(verify, number, standard);
	verify_check_path(verify, number);
}

/* Transparent, a client's address goes where the backend's family is. */
static void
verify_families(const struct settings_verify *verify, unsigned int number,
		const struct settings_pool *pool)
{
	const struct settings_service *service = &verify->settings->service[number];
	const struct settings_marks *marks = &verify->source->service[number];
	const char *why = service->mode == SETTINGS_MODE_DIRECT ? "mode: direct" : "source: client";
	unsigned int i, j;

	if (service->mode == SETTINGS_MODE_PROXY && pool->source == SETTINGS_SOURCE_LOCAL)
		return;
	for (i = 0; i < service->listen.count; i++) {
		const bool ipv4 = settings_address_is_ipv4(service->listen.item[i].address);

		for (j = 0; j < pool->backends.count; j++) {
			if (settings_address_is_ipv4(pool->backends.item[j].address) == ipv4)
				continue;
			settings_problem_add(verify->errors,
					settings_schema_item_place(
							marks, OPTION_OF(service, listen), i),
					"pool %s has backends of the other IP version, which %s "
					"cannot reach",
					pool->name, why);
			settings_problem_hint(verify->errors,
					"source: local translates between IPv4 and IPv6");
			return;
		}
	}
}

/* Nothing is put into what mode: direct passes on; who relies on the header must hear of it. */
static void
verify_untouched(const struct settings_verify *verify, unsigned int number,
		const struct settings_pool *pool)
{
	const struct settings_marks *marks = &verify->source->service[number];

	if (verify->settings->service[number].mode != SETTINGS_MODE_DIRECT ||
			pool->proxy_protocol == SETTINGS_PROXY_PROTOCOL_NONE)
		return;
	settings_problem_add(verify->errors, settings_schema_place(marks, OPTION_OF(service, pool)),
			"pool %s wants a PROXY protocol header, which mode: direct cannot add",
			pool->name);
	settings_problem_hint(verify->errors, "backends see the client's own address: take a pool "
					      "without proxy_protocol");
}

static void
verify_service(const struct settings_verify *verify, unsigned int number)
{
	const struct settings_service *service = &verify->settings->service[number];
	const struct settings_marks *marks = &verify->source->service[number];
	const struct settings *settings = verify->settings;
	struct settings_nearest nearest = {.word = service->pool};
	const unsigned int pool = settings_find_pool(settings, service->pool);
	unsigned int i;

	if (service->mode == SETTINGS_MODE_RESPOND) {
		if (service->pool[0] != '\0' &&
				settings_verify_sound(marks, OPTION_OF(service, mode)))
			settings_verify_pointless(
					verify, marks, OPTION_OF(service, pool), "mode: respond");
		return;
	}
	settings_verify_require(verify, marks, OPTION_OF(service, pool));
	if (service->pool[0] == '\0')
		return;
	if (pool < settings->pool_count) {
		verify_families(verify, number, &settings->pool[pool]);
		verify_untouched(verify, number, &settings->pool[pool]);
		return;
	}
	settings_problem_add(verify->errors, settings_schema_place(marks, OPTION_OF(service, pool)),
			"there is no pool %s", service->pool);
	for (i = 0; i < settings->pool_count; i++)
		settings_nearest_offer(&nearest, settings->pool[i].name);
	if (nearest.best != NULL)
		settings_problem_hint(verify->errors, "did you mean %s?", nearest.best);
	else
		settings_problem_hint(verify->errors, "pools: lists them, each with its name");
}

void
settings_verify_pools(const struct settings_verify *verify)
{
	const struct settings *settings = verify->settings;
	struct settings_pool standard = {.name = ""};
	unsigned int backends = 0;
	unsigned int i;

	settings_schema_set_defaults(verify->errors, SETTINGS_SECTION_pool, &standard);
	for (i = 0; i < settings->pool_count; i++) {
		verify_pool(verify, i, &standard);
		backends += settings->pool[i].backends.count;
		if (backends <= SETTINGS_BACKENDS_MAX)
			continue;
		settings_problem_add(verify->errors,
				settings_schema_place(&verify->source->pool[i],
						OPTION_OF(pool, backends)),
				"more than %u backends in all pools together",
				SETTINGS_BACKENDS_MAX);
		break;
	}
	for (i = 0; i < settings->service_count; i++)
		verify_service(verify, i);
}
