/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>

#include <rte_mbuf.h>

#include "engine/engine.h"
#include "engine/log.h"
#include "engine/resolver.h"
#include "engine/transmit.h"
#include "engine/worker.h"
#include "tcp/flow_key.h"
#include "wire/build.h"

#define RESOLVER_RETRY_US   1000000
#define RESOLVER_REFRESH_US 30000000
#define RESOLVER_WANTED_US  30000000

int
resolver_init(struct resolver *resolver, const struct settings *settings)
{
	memset(resolver, 0, sizeof(*resolver));
	for (unsigned int p = 0; p < settings->port_count; p++) {
		const struct settings_addresses *gateways = &settings->port[p].gateways;

		for (unsigned int i = 0; i < gateways->count; i++) {
			struct resolver_entry *entry = &resolver->entry[resolver->count];

			if (resolver->count == RESOLVER_GATEWAYS_MAX) {
				log_error(settings->port[p].name, "more than %u gateways",
						RESOLVER_GATEWAYS_MAX);
				return -1;
			}
			memcpy(entry->address, gateways->item[i], 16);
			entry->port = (uint8_t)p;
			entry->wanted_us = UINT64_MAX;
			resolver->count++;
		}
	}
	return 0;
}

unsigned int
resolver_find(const struct resolver *resolver, uint8_t port, const uint8_t address[16])
{
	const unsigned int count = __atomic_load_n(&resolver->count, __ATOMIC_ACQUIRE);

	for (unsigned int i = 0; i < count; i++) {
		const struct resolver_entry *entry = &resolver->entry[i];

		if (__atomic_load_n(&entry->port, __ATOMIC_ACQUIRE) == port &&
				memcmp(entry->address, address, 16) == 0)
			return i;
	}
	return RESOLVER_NONE;
}

static bool
resolver_is_wanted(const struct resolver_entry *entry, uint64_t now_us)
{
	return now_us <= __atomic_load_n(&entry->wanted_us, __ATOMIC_RELAXED);
}

/* An entry that nobody looks at: a new one, or one that nobody wants any more. */
static unsigned int
resolver_vacate(struct engine *engine, uint64_t now_us)
{
	struct resolver *resolver = &engine->resolver;

	if (resolver->count - resolver->kept < RESOLVER_MAX)
		return resolver->count;
	for (unsigned int i = 0; i < resolver->count; i++) {
		if (resolver_is_wanted(&resolver->entry[i], now_us))
			continue;
		__atomic_store_n(&resolver->entry[i].port, PORT_NONE, __ATOMIC_SEQ_CST);
		return worker_wait_for_turns(engine) ? i : RESOLVER_NONE;
	}
	return RESOLVER_NONE;
}

/* Give the entry @p number to an address. */
static void
resolver_occupy(struct resolver *resolver, unsigned int number, uint8_t port,
		const uint8_t address[16])
{
	struct resolver_entry *entry = &resolver->entry[number];

	memcpy(entry->address, address, 16);
	__atomic_store_n(&entry->mac, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&entry->port, port, __ATOMIC_RELEASE);
	if (number == resolver->count)
		__atomic_store_n(&resolver->count, number + 1, __ATOMIC_RELEASE);
}

unsigned int
resolver_keep(struct engine *engine, uint8_t port, const uint8_t address[16])
{
	struct resolver *resolver = &engine->resolver;
	unsigned int number = resolver_find(resolver, port, address);

	if (number == RESOLVER_NONE) {
		if (resolver->kept == RESOLVER_KEPT_MAX)
			return RESOLVER_NONE;
		number = resolver->count;
		resolver->kept++;
		resolver->entry[number].wanted_us = UINT64_MAX;
		resolver_occupy(resolver, number, port, address);
	}
	__atomic_store_n(&resolver->entry[number].wanted_us, UINT64_MAX, __ATOMIC_RELAXED);
	return number;
}

unsigned int
resolver_want(struct engine *engine, uint8_t port, const uint8_t address[16])
{
	struct resolver *resolver = &engine->resolver;
	const uint64_t now_us = clock_us(&engine->clock);
	unsigned int number = resolver_find(resolver, port, address);
	struct resolver_entry *entry;

	if (number == RESOLVER_NONE) {
		number = resolver_vacate(engine, now_us);
		if (number == RESOLVER_NONE)
			return number;
		resolver_occupy(resolver, number, port, address);
	}
	entry = &resolver->entry[number];
	/* What was known half a minute ago may have moved. */
	if (!resolver_is_wanted(entry, now_us))
		__atomic_store_n(&entry->mac, 0, __ATOMIC_RELAXED);
	if (entry->wanted_us != UINT64_MAX)
		__atomic_store_n(&entry->wanted_us, now_us + RESOLVER_WANTED_US, __ATOMIC_RELAXED);
	return number;
}

void
resolver_learn(struct resolver *resolver, uint8_t port, const uint8_t address[16],
		const uint8_t mac[6])
{
	const unsigned int number = resolver_find(resolver, port, address);
	uint64_t word = RESOLVER_KNOWN;

	if (number == RESOLVER_NONE)
		return;
	for (unsigned int byte = 0; byte < 6; byte++)
		word |= (uint64_t)mac[byte] << (8 * byte);
	__atomic_store_n(&resolver->entry[number].mac, word, __ATOMIC_RELAXED);
}

bool
resolver_get(const struct resolver *resolver, unsigned int entry, uint8_t mac[6])
{
	const uint64_t word = __atomic_load_n(&resolver->entry[entry].mac, __ATOMIC_RELAXED);
	const rte_le64_t bytes = rte_cpu_to_le_64(word);

	memcpy(mac, &bytes, 6);
	return (word & RESOLVER_KNOWN) != 0;
}

/* The port's first address of the same family, to ask from; NULL when it has none. */
static const uint8_t *
resolver_source(const struct settings_port *port, bool ipv4)
{
	for (unsigned int i = 0; i < port->addresses.count; i++) {
		if (flow_key_is_ipv4(port->addresses.item[i].address) == ipv4)
			return port->addresses.item[i].address;
	}
	return NULL;
}

static void
resolver_ask(struct worker *worker, const struct resolver_entry *entry)
{
	const struct port *port = &worker->engine->port[entry->port];
	const bool ipv4 = flow_key_is_ipv4(entry->address);
	const uint8_t *source = resolver_source(port->settings, ipv4);
	struct rte_mbuf *packet;
	unsigned int length;
	uint8_t *data;

	if (source == NULL)
		return;
	packet = rte_pktmbuf_alloc(worker->pool);
	if (packet == NULL)
		return;
	data = rte_pktmbuf_mtod(packet, uint8_t *);
	if (ipv4) {
		rte_be32_t from, target;

		memcpy(&from, source + 12, sizeof(from));
		memcpy(&target, entry->address + 12, sizeof(target));
		length = build_arp_request(
				data, port->mac.addr_bytes, from, target, port->tagged, port->vlan);
	} else {
		length = build_neighbour_solicitation(data, port->mac.addr_bytes, source,
				entry->address, port->tagged, port->vlan);
	}
	packet->data_len = (uint16_t)length;
	packet->pkt_len = length;
	transmit_originated(worker, packet, entry->port);
}

void
resolver_poll(struct worker *worker)
{
	struct resolver *resolver = &worker->engine->resolver;

	const unsigned int count = __atomic_load_n(&resolver->count, __ATOMIC_ACQUIRE);

	for (unsigned int i = 0; i < count; i++) {
		struct resolver_entry *entry = &resolver->entry[i];
		uint8_t mac[6];
		const uint64_t pause_us = resolver_get(resolver, i, mac) ? RESOLVER_REFRESH_US
									 : RESOLVER_RETRY_US;

		if (__atomic_load_n(&entry->port, __ATOMIC_ACQUIRE) == PORT_NONE ||
				!resolver_is_wanted(entry, worker->now_us))
			continue;
		if (entry->asked_us != 0 && worker->now_us - entry->asked_us < pause_us)
			continue;
		entry->asked_us = worker->now_us;
		resolver_ask(worker, entry);
	}
}
