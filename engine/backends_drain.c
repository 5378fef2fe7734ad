/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdlib.h>
#include <string.h>

#include "engine/backends_drain.h"
#include "engine/engine.h"
#include "settings/settings_address.h"

/* Where a backend is, in words. */
struct backends_name {
	char pool[SETTINGS_NAME_MAX];
	uint8_t address[16];
	rte_be16_t port;
};

/* @return whether the text is POOL/ADDRESS:PORT or POOL/[ADDRESS]:PORT. */
static bool
backends_parse_name(const char *text, struct backends_name *name)
{
	char address[48];
	const char *slash = strchr(text, '/');
	const char *colon = strrchr(text, ':');
	const bool brackets = slash != NULL && slash[1] == '[' && colon != NULL && colon[-1] == ']';
	char *end;
	unsigned long port;
	int length;

	if (slash == NULL || colon == NULL || colon < slash ||
			(size_t)(slash - text) >= sizeof(name->pool))
		return false;
	snprintf(name->pool, sizeof(name->pool), "%.*s", (int)(slash - text), text);
	length = (int)(colon - slash) - 1 - (brackets ? 2 : 0);
	if (length <= 0 || (size_t)length >= sizeof(address))
		return false;
	snprintf(address, sizeof(address), "%.*s", length, slash + 1 + brackets);
	port = strtoul(colon + 1, &end, 10);
	name->port = rte_cpu_to_be_16((uint16_t)port);
	return end != colon + 1 && *end == '\0' && port > 0 && port <= UINT16_MAX &&
	       settings_address_parse(address, name->address);
}

static unsigned int
backends_find_name(const struct backends *backends, const struct backends_name *name)
{
	for (unsigned int i = 0; i < backends->count; i++) {
		const struct backends_entry *entry = &backends->entry[i];

		if (entry->users > 0 && entry->port == name->port &&
				memcmp(entry->address, name->address, sizeof(entry->address)) ==
						0 &&
				strcmp(entry->pool, name->pool) == 0)
			return i;
	}
	return BACKENDS_NONE;
}

enum reload_result
backends_drain(struct engine *engine, const char *name, bool drained, FILE *report)
{
	struct backends *backends = engine->backends;
	enum reload_result result = RELOAD_REFUSED;
	struct backends_name wanted;
	unsigned int number;

	if (!backends_parse_name(name, &wanted)) {
		fprintf(report, "%s is not POOL/ADDRESS:PORT\n", name);
		return RELOAD_REFUSED;
	}
	pthread_mutex_lock(&backends->control);
	number = backends_find_name(backends, &wanted);
	if (number == BACKENDS_NONE) {
		fprintf(report, "there is no backend %s\n", name);
	} else if (backends->drained[number] == drained) {
		fputs("nothing has changed\n", report);
		result = RELOAD_SAME;
	} else {
		backends->drained[number] = drained;
		/* Health says whether it is usable again; that it is not holds at once. */
		if (drained)
			__atomic_store_n(&backends->usable[number], 0, __ATOMIC_RELAXED);
		if (drained)
			fprintf(report,
					"backend %s: takes no new connections; %u stay until they "
					"end\n",
					name, backends_connections(engine, number));
		else
			fprintf(report, "backend %s: takes new connections\n", name);
		result = RELOAD_DONE;
	}
	pthread_mutex_unlock(&backends->control);
	return result;
}
