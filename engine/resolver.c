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

int
resolver_init(struct resolver *resolver, const struct settings *settings)
{
	memset(resolver, 0, sizeof(*resolver));
	for (unsigned int p = 0; p < settings->port_count; p++) {
		const struct settings_addresses *gateways = &settings->port[p].gateways;

		for (unsigned int i = 0; i < gateways->count; i++) {
			struct resolver_entry *entry = &resolver->entry[resolver->count];

			if (resolver->count == RESOLVER_MAX) {
				log_error(settings->port[p].name, "more than %u gateways",
						RESOLVER_MAX);
				return -1;
			}
			memcpy(entry->address, gateways->item[i], 16);
			entry->port = (uint8_t)p;
			resolver->count++;
		}
	}
	return 0;
}

void
resolver_learn(struct resolver *resolver, uint8_t port, const uint8_t address[16],
		const uint8_t mac[6])
{
	for (unsigned int i = 0; i < resolver->count; i++) {
		struct resolver_entry *entry = &resolver->entry[i];
		uint64_t word = RESOLVER_KNOWN;

		if (entry->port != port || memcmp(entry->address, address, 16) != 0)
			continue;
		for (unsigned int byte = 0; byte < 6; byte++)
			word |= (uint64_t)mac[byte] << (8 * byte);
		__atomic_store_n(&entry->mac, word, __ATOMIC_RELAXED);
	}
}

bool
resolver_get(const struct resolver *resolver, unsigned int entry, uint8_t mac[6])
{
	const uint64_t word = __atomic_load_n(&resolver->entry[entry].mac, __ATOMIC_RELAXED);

	for (unsigned int byte = 0; byte < 6; byte++)
		mac[byte] = (uint8_t)(word >> (8 * byte));
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

	for (unsigned int i = 0; i < resolver->count; i++) {
		struct resolver_entry *entry = &resolver->entry[i];
		uint8_t mac[6];
		const uint64_t pause_us = resolver_get(resolver, i, mac) ? RESOLVER_REFRESH_US
									 : RESOLVER_RETRY_US;

		if (entry->asked_us != 0 && worker->now_us - entry->asked_us < pause_us)
			continue;
		entry->asked_us = worker->now_us;
		resolver_ask(worker, entry);
	}
}
