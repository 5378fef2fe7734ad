/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdio.h>
#include <string.h>

#include "settings/settings_address.h"

#include "../handfast/endpoint.h"
#include "number.h"
#include "tuples.h"

static bool
parse_prefix(char *text, void *into)
{
	struct settings_prefixes *sources = into;
	struct settings_prefix *prefix = &sources->item[sources->count];
	char *slash = strchr(text, '/');
	unsigned int whole;
	uint64_t length;

	if (sources->count == SETTINGS_ADDRESSES_MAX)
		return false;
	if (slash != NULL)
		*slash = '\0';
	if (!settings_address_parse(text, prefix->address))
		return false;
	whole = flow_key_is_ipv4(prefix->address) ? 32 : 128;
	length = whole;
	if (slash != NULL && !number_parse_whole(slash + 1, 0, whole, &length))
		return false;
	prefix->length = (uint8_t)length;
	sources->count++;
	return true;
}

static bool
parse_target(char *text, void *into)
{
	struct settings_endpoints *targets = into;
	struct settings_endpoint *target = &targets->item[targets->count];
	struct endpoint endpoint;

	if (targets->count == SETTINGS_ENDPOINTS_MAX || !endpoint_parse(text, &endpoint) ||
			!settings_address_parse(endpoint.address, target->address))
		return false;
	target->port = rte_cpu_to_be_16((uint16_t)endpoint.port);
	targets->count++;
	return true;
}

/* Items between commas; a list of none is none that was meant. */
static bool
parse_each(char *text, bool (*parse)(char *, void *), void *into)
{
	char *rest = NULL, *item = strtok_r(text, ", ", &rest);

	if (item == NULL)
		return false;
	for (; item != NULL; item = strtok_r(NULL, ", ", &rest)) {
		if (!parse(item, into))
			return false;
	}
	return true;
}

bool
tuples_parse_sources(char *text, struct settings_prefixes *sources)
{
	return parse_each(text, parse_prefix, sources);
}

bool
tuples_parse_targets(char *text, struct settings_endpoints *targets)
{
	return parse_each(text, parse_target, targets);
}

bool
tuples_parse_ports(const char *text, struct load_plan *plan)
{
	unsigned int first, last;
	char more;

	/* More digits than a port has would wrap. */
	if (sscanf(text, "%5u-%5u%c", &first, &last, &more) != 2 || first == 0 ||
			last > UINT16_MAX || first > last)
		return false;
	plan->first_port = (uint16_t)first;
	plan->last_port = (uint16_t)last;
	return true;
}

bool
tuples_check_sources(const struct settings_prefixes *sources, const char *program)
{
	for (unsigned int i = 1; i < sources->count; i++) {
		const struct settings_prefix *a = &sources->item[i];

		for (unsigned int j = 0; j < i; j++) {
			const struct settings_prefix *b = &sources->item[j];
			char one[46], other[46];

			/* Of two prefixes that overlap, one holds the other. */
			if (!settings_prefix_holds(a, b->address) &&
					!settings_prefix_holds(b, a->address))
				continue;
			fprintf(stderr,
					"%s: --sources: %s/%u and %s/%u overlap; name each address "
					"once\n",
					program, settings_format_address(b->address, other),
					b->length, settings_format_address(a->address, one),
					a->length);
			return false;
		}
	}
	return true;
}
