/* SPDX-License-Identifier: BSD-3-Clause */

#include <rte_malloc.h>

#include "engine/engine.h"
#include "engine/flow_rules.h"
#include "engine/health.h"
#include "engine/local_ports.h"
#include "engine/log.h"
#include "engine/proxy.h"
#include "engine/steering.h"
#include "engine/worker.h"
#include "table/service_map.h"
#include "wire/bytes.h"

_Static_assert(SETTINGS_PORTS_MAX <= 16, "one bit each in what is ruled");

/* So many free ports are looked at, times the number of workers, for one that steering favours. */
#define LOCAL_PORTS_TRIES     16

#define LOCAL_PORTS_REPORT_US 60000000

uint64_t
local_ports_footprint(const struct settings_port_range *range)
{
	const uint64_t count = (uint64_t)range->last - range->first + 1;

	return sizeof(struct local_ports) + count * LOCAL_PORTS_BYTES + 192;
}

unsigned int
local_ports_find(const struct local_addresses *addresses, const uint8_t address[16])
{
	unsigned int next = __atomic_load_n(&addresses->head[address[15]], __ATOMIC_ACQUIRE);

	while (next != 0 && memcmp(addresses->entry[next - 1].address, address, 16) != 0)
		next = addresses->entry[next - 1].next;
	return next == 0 ? LOCAL_PORTS_NONE : next - 1;
}

static struct local_ports *
local_ports_create(const struct worker *worker, const struct settings_port_range *range)
{
	struct local_ports *ports = rte_zmalloc_socket("handfast_local_ports",
			local_ports_footprint(range), RTE_CACHE_LINE_SIZE, worker->numa_node);

	if (ports == NULL) {
		log_error("local_ports", "out of memory on NUMA node %d", worker->numa_node);
		return NULL;
	}
	ports->first = range->first;
	ports->count = (uint32_t)range->last - range->first + 1;
	ports->slot = (uint32_t *)(ports + 1);
	ports->last = ports->slot + ports->count;
	ports->queue = (uint16_t *)(ports->last + ports->count);
	ports->free = ports->count;
	for (uint32_t i = 0; i < ports->count; i++) {
		ports->slot[i] = CONN_TABLE_NO_SLOT;
		ports->queue[i] = (uint16_t)i;
	}
	return ports;
}

static bool
local_ports_create_all(
		struct engine *engine, unsigned int number, const struct settings_port_range *range)
{
	for (unsigned int w = 0; w < engine->worker_count; w++) {
		struct proxy *proxy = engine->worker[w]->made.proxy;

		if (proxy->ports[number] == NULL)
			proxy->ports[number] = local_ports_create(engine->worker[w], range);
		if (proxy->ports[number] == NULL)
			return false;
	}
	return true;
}

/* The ports whose NIC could be told where replies to an address go. */
static uint16_t
local_ports_rule(const struct engine *engine, const uint8_t address[16])
{
	uint16_t ruled = 0;

	for (unsigned int p = 0; p < engine->port_count; p++) {
		if (engine->port[p].hardware_steering && flow_rules_add(&engine->port[p], address))
			ruled |= (uint16_t)(1u << p);
	}
	return ruled;
}

unsigned int
local_ports_add(struct engine *engine, const uint8_t address[16],
		const struct settings_port_range *range, bool apart)
{
	struct local_addresses *addresses = &engine->local_addresses;
	unsigned int number = local_ports_find(addresses, address);
	char text[46];

	if (number != LOCAL_PORTS_NONE) {
		/* It may have been added for a reload that was given up. */
		if (!local_ports_create_all(engine, number, range))
			return LOCAL_PORTS_NONE;
		if (addresses->entry[number].first == range->first &&
				addresses->entry[number].last == range->last)
			return number;
		log_error("local_ports",
				"two pools use address %s with different local_ports: %u-%u and "
				"%u-%u",
				settings_format_address(address, text),
				addresses->entry[number].first, addresses->entry[number].last,
				range->first, range->last);
		return LOCAL_PORTS_NONE;
	}
	number = addresses->count;
	if (number == LOCAL_PORTS_ADDRESSES_MAX) {
		log_error("local_ports", "more than %u local addresses", LOCAL_PORTS_ADDRESSES_MAX);
		return LOCAL_PORTS_NONE;
	}
	if (!local_ports_create_all(engine, number, range))
		return LOCAL_PORTS_NONE;
	memcpy(addresses->entry[number].address, address, 16);
	addresses->entry[number].first = range->first;
	addresses->entry[number].last = range->last;
	addresses->entry[number].ruled = apart ? local_ports_rule(engine, address) : 0;
	addresses->entry[number].next = addresses->head[address[15]];
	__atomic_store_n(&addresses->count, number + 1, __ATOMIC_RELEASE);
	__atomic_store_n(&addresses->head[address[15]], (uint8_t)(number + 1), __ATOMIC_RELEASE);
	return number;
}

void
local_ports_report(struct engine *engine)
{
	struct local_addresses *addresses = &engine->local_addresses;
	const uint64_t now_us = clock_us(&engine->clock);
	uint64_t missed = 0;

	for (unsigned int w = 0; w < engine->worker_count; w++) {
		for (unsigned int p = 0; p < engine->port_count; p++) {
			const struct counters *counters = &engine->worker[w]->counters[p];

			missed += __atomic_load_n(&counters->value[COUNTER_local_ports_used_up],
					__ATOMIC_RELAXED);
		}
	}
	if (missed == addresses->missed ||
			(addresses->missed != 0 &&
					now_us - addresses->missed_us < LOCAL_PORTS_REPORT_US))
		return;
	log_warning("local_ports",
			"%llu clients were reset because no local port towards a backend was free: "
			"a port of an address of ours serves one connection at a time, so give "
			"pools more local_addresses, or wider local_ports",
			(unsigned long long)(missed - addresses->missed));
	addresses->missed = missed;
	addresses->missed_us = now_us;
}

void
local_ports_free(struct proxy *proxy)
{
	for (unsigned int i = 0; i < LOCAL_PORTS_ADDRESSES_MAX; i++)
		rte_free(proxy->ports[i]);
}

static bool
local_ports_comes_here(const struct worker *worker, const struct local_ports_way *way,
		rte_be16_t local_port)
{
	const struct engine *engine = worker->engine;
	const struct port *port = &engine->port[way->port_index];
	const uint8_t *address = engine->local_addresses.entry[way->local].address;
	struct port_flow flow = {.remote_port = way->remote_port, .local_port = local_port};

	/* A check's answers find it by our port alone. */
	if (health_of_port(engine->health, local_port) != HEALTH_NOBODY)
		return false;
	/* Where somebody listens a reply would be taken for a client's. */
	if (service_map_lookup(worker->services->map[way->port_index], address, local_port) <
			SERVICE_MAP_FOREIGN)
		return false;
	if (engine->worker_count == 1)
		return true;
	memcpy(flow.remote, way->remote, sizeof(flow.remote));
	memcpy(flow.local, address, sizeof(flow.local));
	return steering_flow_owner(engine, port, &flow) == worker->index;
}

static void
local_ports_append(struct local_ports *ports, uint32_t index)
{
	uint32_t tail = ports->head + ports->free++;

	if (tail >= ports->count)
		tail -= ports->count;
	ports->queue[tail] = (uint16_t)index;
}

rte_be16_t
local_ports_take(struct worker *worker, const struct local_ports_way *way, uint32_t slot)
{
	struct local_ports *ports = worker->proxy->ports[way->local];
	unsigned int tries = LOCAL_PORTS_TRIES * worker->engine->worker_count;

	for (tries = RTE_MIN(tries, ports->free); tries > 0; tries--) {
		const uint32_t index = ports->queue[ports->head];
		const rte_be16_t port = rte_cpu_to_be_16((uint16_t)(ports->first + index));

		ports->free--;
		if (++ports->head == ports->count)
			ports->head = 0;
		if (local_ports_comes_here(worker, way, port)) {
			ports->slot[index] = slot;
			/* The next one has rested for long, too. */
			rte_prefetch0(&ports->slot[ports->queue[ports->head]]);
			rte_prefetch0(&ports->last[ports->queue[ports->head]]);
			return port;
		}
		local_ports_append(ports, index);
	}
	return 0;
}

void
local_ports_give(struct worker *worker, unsigned int local, rte_be16_t port, uint32_t last)
{
	struct local_ports *ports = worker->proxy->ports[local];
	const uint32_t index = rte_be_to_cpu_16(port) - ports->first;

	ports->slot[index] = CONN_TABLE_NO_SLOT;
	ports->last[index] = last;
	local_ports_append(ports, index);
}

uint32_t
local_ports_last(const struct worker *worker, unsigned int local, rte_be16_t port)
{
	const struct local_ports *ports = worker->proxy->ports[local];

	return ports->last[rte_be_to_cpu_16(port) - ports->first];
}

/* NULL where the address is known from a reload that was given up. */
static const struct local_ports *
local_ports_of(const struct proxy *proxy, unsigned int local)
{
	return proxy == NULL ? NULL : proxy->ports[local];
}

static uint32_t
local_ports_slot_of(const struct proxy *proxy, unsigned int local, rte_be16_t port)
{
	const struct local_ports *ports = local_ports_of(proxy, local);
	uint32_t index;

	if (ports == NULL)
		return CONN_TABLE_NO_SLOT;
	index = (uint32_t)rte_be_to_cpu_16(port) - ports->first;
	return index < ports->count ? ports->slot[index] : CONN_TABLE_NO_SLOT;
}

bool
local_ports_is_used(const struct engine *engine, const uint8_t address[16], rte_be16_t port)
{
	const unsigned int local = local_ports_find(&engine->local_addresses, address);

	for (unsigned int w = 0; local != LOCAL_PORTS_NONE && w < engine->worker_count; w++) {
		if (local_ports_slot_of(engine->worker[w]->made.proxy, local, port) !=
				CONN_TABLE_NO_SLOT)
			return true;
	}
	return false;
}

uint32_t
local_ports_slot_at(const struct worker *worker, const uint8_t address[16], rte_be16_t port)
{
	const unsigned int local = local_ports_find(&worker->engine->local_addresses, address);

	return local == LOCAL_PORTS_NONE ? CONN_TABLE_NO_SLOT
					 : local_ports_slot_of(worker->proxy, local, port);
}

/* The number plus one of the address that a segment goes to, or 0. */
static inline unsigned int
local_ports_number(const struct local_addresses *addresses, const uint8_t *data,
		const struct frame *frame)
{
	const unsigned int length = frame->family == 4 ? 4 : 16;
	const uint8_t *address = data + frame->l3_offset + (frame->family == 4 ? 16 : 24);
	unsigned int next =
			__atomic_load_n(&addresses->head[address[length - 1]], __ATOMIC_ACQUIRE);

	for (; next != 0; next = addresses->entry[next - 1].next) {
		const uint8_t *ours = addresses->entry[next - 1].address;

		if (memcmp(ours + 16 - length, address, length) == 0 &&
				(length == 16 || flow_key_is_ipv4(ours)))
			break;
	}
	return next;
}

const uint32_t *
local_ports_place(const struct worker *worker, const uint8_t *data, const struct frame *frame)
{
	const unsigned int number =
			local_ports_number(&worker->engine->local_addresses, data, frame);
	const struct local_ports *ports;
	uint32_t index;

	if (number == 0)
		return NULL;
	ports = local_ports_of(worker->proxy, number - 1);
	if (unlikely(ports == NULL))
		return NULL;
	index = (uint32_t)bytes_read_16(data + frame->l4_offset + 2) - ports->first;
	return index < ports->count ? &ports->slot[index] : NULL;
}
