/* SPDX-License-Identifier: BSD-3-Clause */

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ethdev.h>
#include <rte_telemetry.h>
#include <rte_version.h>

#include "engine/compat.h"
#include "engine/engine.h"
#include "engine/proxy.h"
#include "engine/telemetry.h"
#include "engine/telemetry_backends.h"
#include "engine/telemetry_key.h"
#include "engine/telemetry_lists.h"
#include "engine/telemetry_probe.h"
#include "engine/telemetry_reload.h"
#include "engine/telemetry_tap.h"
#include "engine/worker.h"
#include "splice/splice.h"
#include "version.h"

/* Held, shared, while a command reads the engine, so that the engine is not freed under it. */
static pthread_rwlock_t telemetry_lock = PTHREAD_RWLOCK_INITIALIZER;
static struct engine *telemetry_engine;

/* An answer has at most 16 KiB. */
#define TELEMETRY_ROWS_PAGE  32
#define TELEMETRY_RULES_PAGE 100

static void
telemetry_sum_counters(const struct engine *engine, unsigned int port, struct counters *sum)
{
	for (unsigned int w = 0; w < engine->worker_count; w++)
		counters_add(sum, &engine->worker[w]->counters[port]);
}

static uint64_t
telemetry_read(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

/* Those of the settings, and removed ones that still have connections; not our own. */
static unsigned int
telemetry_service_count(const struct engine *engine)
{
	const struct services *services = engine_services(engine);
	unsigned int count = 0;

	for (unsigned int i = SERVICES_OWN + 1; i < services->service_count; i++)
		count += services_is_used(services, i);
	return count;
}

/* Number of the service in a row. */
static unsigned int
telemetry_service_number(const struct engine *engine, unsigned int row)
{
	const struct services *services = engine_services(engine);
	unsigned int number = SERVICES_OWN + 1;

	while (!services_is_used(services, number) || row-- > 0)
		number++;
	return number;
}

static int
telemetry_info(struct engine *engine, const char *parameters, struct rte_tel_data *data)
{
	RTE_SET_USED(parameters);
	rte_tel_data_start_dict(data);
	rte_tel_data_add_dict_string(data, "version", VERSION_TEXT);
	rte_tel_data_add_dict_string(data, "commit", VERSION_COMMIT);
	rte_tel_data_add_dict_string(data, "dpdk", rte_version());
	rte_tel_data_add_dict_string(data, "instance", engine->settings->engine.instance);
	compat_add_dict_uint(data, "uptime_seconds", clock_us(&engine->clock) / 1000000);
	compat_add_dict_uint(data, "workers", engine->worker_count);
	compat_add_dict_uint(data, "ports", engine->port_count);
	compat_add_dict_uint(data, "services", telemetry_service_count(engine));
	compat_add_dict_uint(data, "backends", telemetry_backends_count(engine));
	compat_add_dict_uint(data, "tsc_hz", rte_get_tsc_hz());
	return 0;
}

static unsigned int
telemetry_offset(const char *parameters)
{
	return parameters == NULL ? 0 : (unsigned int)strtoul(parameters, NULL, 10);
}

/*
 * Rows as a dict of dicts whose keys are the index: DPDK 22.11 puts no dict into an array.  An
 * answer is cut silently at 16 KiB, so it holds a page, from the offset that the parameter gives.
 */
static int
telemetry_list(const struct engine *engine, const char *parameters, unsigned int count,
		void (*fill)(const struct engine *engine, unsigned int index,
				struct rte_tel_data *row),
		struct rte_tel_data *data)
{
	const unsigned int first = telemetry_offset(parameters);
	const unsigned int last = RTE_MIN(first + TELEMETRY_ROWS_PAGE, count);

	rte_tel_data_start_dict(data);
	for (unsigned int i = first; i < last; i++) {
		struct rte_tel_data *row = rte_tel_data_alloc();
		char key[16];

		if (row == NULL)
			return -1;
		fill(engine, i, row);
		snprintf(key, sizeof(key), "%u", i);
		rte_tel_data_add_dict_container(data, key, row, 0);
	}
	return 0;
}

static unsigned int
telemetry_busy_percent(const struct engine *engine, const struct worker *worker)
{
	const uint64_t now_us = clock_us(&engine->clock);

	return now_us == 0 ? 0 : (unsigned int)(telemetry_read(&worker->busy_us) * 100 / now_us);
}

static void
telemetry_worker(const struct engine *engine, unsigned int index, struct rte_tel_data *data)
{
	const struct worker *worker = engine->worker[index];
	struct counters sum = {0};

	for (unsigned int p = 0; p < engine->port_count; p++)
		counters_add(&sum, &worker->counters[p]);
	rte_tel_data_start_dict(data);
	compat_add_dict_uint(data, "core", worker->core);
	compat_add_dict_uint(data, "numa", (uint64_t)worker->numa_node);
	compat_add_dict_uint(data, "busy_percent", telemetry_busy_percent(engine, worker));
	compat_add_dict_uint(data, "busy_us", telemetry_read(&worker->busy_us));
	compat_add_dict_uint(data, "connections", conn_table_count(worker->table));
	compat_add_dict_uint(data, "capacity", conn_table_capacity(worker->table));
	compat_add_dict_uint(data, "time_wait", time_wait_count(worker->time_wait));
	compat_add_dict_uint(data, "early_bytes_held",
			worker->proxy != NULL ? telemetry_read(&worker->proxy->held.bytes) : 0);
	compat_add_dict_uint(data, "rx", sum.value[COUNTER_rx]);
	compat_add_dict_uint(data, "tx", sum.value[COUNTER_tx]);
	compat_add_dict_uint(data, "opened", sum.value[COUNTER_opened]);
	compat_add_dict_uint(data, "steered_in", sum.value[COUNTER_steered_in]);
	compat_add_dict_uint(data, "steered_out", sum.value[COUNTER_steered_out]);
	compat_add_dict_uint(data, "loops", telemetry_read(&worker->turns));
}

static int
telemetry_workers(struct engine *engine, const char *parameters, struct rte_tel_data *data)
{
	return telemetry_list(engine, parameters, engine->worker_count, telemetry_worker, data);
}

static void
telemetry_port(const struct engine *engine, unsigned int index, struct rte_tel_data *data)
{
	const struct port *port = &engine->port[index];
	struct rte_eth_stats stats = {0};
	char mac[RTE_ETHER_ADDR_FMT_SIZE];

	rte_ether_format_addr(mac, sizeof(mac), &port->mac);
	if (port->memif == NULL)
		rte_eth_stats_get(port->id, &stats);
	rte_tel_data_start_dict(data);
	rte_tel_data_add_dict_string(data, "name", port->settings->name);
	rte_tel_data_add_dict_string(data, "device", port->device.name);
	rte_tel_data_add_dict_string(data, "driver", port->driver);
	rte_tel_data_add_dict_string(data, "mac", mac);
	rte_tel_data_add_dict_string(data, "link", port_link_is_up(port) ? "up" : "down");
	compat_add_dict_uint(data, "queues", port->receive_queues);
	rte_tel_data_add_dict_string(data, "csum", port->receive_offload ? "nic" : "software");
	rte_tel_data_add_dict_string(data, "rss", port->rss);
	compat_add_dict_uint(data, "mtu", port->mtu);
	compat_add_dict_uint(data, "vlan", port->vlan);
	rte_tel_data_add_dict_int(data, "numa", port->numa_node);
	compat_add_dict_uint(data, "imissed", stats.imissed);
	compat_add_dict_uint(data, "rx_nombuf", stats.rx_nombuf);
}

static int
telemetry_ports(struct engine *engine, const char *parameters, struct rte_tel_data *data)
{
	return telemetry_list(engine, parameters, engine->port_count, telemetry_port, data);
}

/* All counters of one port, or of all without a parameter. */
static int
telemetry_counters(struct engine *engine, const char *parameters, struct rte_tel_data *data)
{
	struct counters sum = {0};
	bool found = parameters == NULL;

	for (unsigned int p = 0; p < engine->port_count; p++) {
		if (parameters != NULL && strcmp(parameters, engine->port[p].settings->name) != 0)
			continue;
		found = true;
		telemetry_sum_counters(engine, p, &sum);
	}
	if (!found)
		return -1;
	rte_tel_data_start_dict(data);
	for (unsigned int c = 0; c < COUNTERS; c++)
		compat_add_dict_uint(data, counters_name((enum counter)c), sum.value[c]);
	return 0;
}

static void
telemetry_share(const struct engine *engine, unsigned int service, struct service_share *sum)
{
	for (unsigned int w = 0; w < engine->worker_count; w++) {
		const struct service_share *share = &engine->worker[w]->share[service];

		sum->opened += telemetry_read(&share->opened);
		sum->closed += telemetry_read(&share->closed);
		sum->reset += telemetry_read(&share->reset);
		sum->timed_out += telemetry_read(&share->timed_out);
		sum->requests += telemetry_read(&share->requests);
		sum->connections += __atomic_load_n(&share->connections, __ATOMIC_RELAXED);
	}
}

static const char *
telemetry_reply_name(uint8_t reply)
{
	static const char *const names[] = {
			[RESPOND_DISCARD] = "discard",
			[RESPOND_ECHO] = "echo",
			[RESPOND_BANNER] = "banner",
			[RESPOND_HTTP] = "http",
	};

	return names[reply];
}

static const char *
telemetry_mode_name(enum settings_mode mode)
{
	static const char *const names[] = {
			[SETTINGS_MODE_RESPOND] = "respond",
			[SETTINGS_MODE_PROXY] = "proxy",
			[SETTINGS_MODE_DIRECT] = "direct",
	};

	return names[mode];
}

static void
telemetry_service(const struct engine *engine, unsigned int index, struct rte_tel_data *data)
{
	const unsigned int number = telemetry_service_number(engine, index);
	const struct service *service = &engine_services(engine)->service[number];
	const struct settings_service *settings = service->settings;
	struct service_share sum = {0};

	telemetry_share(engine, number, &sum);
	rte_tel_data_start_dict(data);
	rte_tel_data_add_dict_string(data, "name", settings->name);
	rte_tel_data_add_dict_string(data, "mode", telemetry_mode_name(settings->mode));
	if (settings->mode != SETTINGS_MODE_RESPOND)
		rte_tel_data_add_dict_string(data, "pool", settings->pool);
	else
		rte_tel_data_add_dict_string(data, "reply", telemetry_reply_name(settings->reply));
	rte_tel_data_add_dict_string(data, "state",
			service->retired   ? "removed"
			: service->drained ? "drained"
					   : "open");
	compat_add_dict_uint(data, "connections", sum.connections);
	compat_add_dict_uint(data, "opened", sum.opened);
	compat_add_dict_uint(data, "closed", sum.closed);
	compat_add_dict_uint(data, "reset", sum.reset);
	compat_add_dict_uint(data, "timed_out", sum.timed_out);
	compat_add_dict_uint(data, "requests", sum.requests);
	compat_add_dict_uint(data, "max_connections", settings->max_connections);
}

static int
telemetry_services(struct engine *engine, const char *parameters, struct rte_tel_data *data)
{
	return telemetry_list(engine, parameters, telemetry_service_count(engine),
			telemetry_service, data);
}

static int
telemetry_latency(struct engine *engine, const char *parameters, struct rte_tel_data *data)
{
	struct histogram *sum = calloc(1, sizeof(*sum));

	RTE_SET_USED(parameters);
	if (sum == NULL)
		return -1;
	for (unsigned int w = 0; w < engine->worker_count; w++)
		histogram_add(sum, &engine->worker[w]->handshake_us);
	rte_tel_data_start_dict(data);
	compat_add_dict_uint(data, "handshake_us_p50", histogram_percentile(sum, 50));
	compat_add_dict_uint(data, "handshake_us_p90", histogram_percentile(sum, 90));
	compat_add_dict_uint(data, "handshake_us_p99", histogram_percentile(sum, 99));
	compat_add_dict_uint(data, "handshake_us_p999", histogram_percentile(sum, 99.9));
	compat_add_dict_uint(data, "handshake_us_max", sum->max);
	compat_add_dict_uint(data, "count", histogram_total(sum));
	free(sum);
	return 0;
}

/* How often each row of the TCP table fired, a page from the row given. */
static int
telemetry_rules(struct engine *engine, const char *parameters, struct rte_tel_data *data)
{
	const unsigned int first = telemetry_offset(parameters);
	const unsigned int last = RTE_MIN(first + TELEMETRY_RULES_PAGE, tcp_rules_count());
	struct rte_tel_data *rows = rte_tel_data_alloc();

	if (rows == NULL)
		return -1;
	rte_tel_data_start_array(rows, RTE_TEL_STRING_VAL);
	for (unsigned int rule = first; rule < last; rule++) {
		char text[RTE_TEL_MAX_STRING_LEN], description[RTE_TEL_MAX_STRING_LEN];
		uint64_t fired = 0;

		for (unsigned int w = 0; w < engine->worker_count; w++)
			fired += telemetry_read(&engine->worker[w]->rules[rule]);
		snprintf(text, sizeof(text), "%llu %s", (unsigned long long)fired,
				tcp_rules_describe(rule, description, sizeof(description)));
		rte_tel_data_add_array_string(rows, text);
	}
	rte_tel_data_start_dict(data);
	rte_tel_data_add_dict_int(data, "next", last == tcp_rules_count() ? -1 : (int)last);
	rte_tel_data_add_dict_container(data, "rules", rows, 0);
	return 0;
}

static void
telemetry_format_conn(
		struct engine *engine, const struct mailbox_record *record, char *text, size_t size)
{
	char name[96];

	telemetry_conn_name(engine, record, name, sizeof(name));
	snprintf(text, size, "%s %s %u %u %u %u %d", name, tcp_rules_state_name(record->state),
			record->snd_una, record->snd_nxt, record->rcv_nxt, record->retries,
			record->deadline_ms);
}

static const char *
telemetry_closing(uint8_t closing)
{
	const unsigned int fins = closing & SPLICE_BOTH_FINS;

	if ((closing & SPLICE_ANY_RESET) != 0)
		return "reset";
	if ((closing & SPLICE_BOTH_FINS_ACKED) == SPLICE_BOTH_FINS_ACKED)
		return "closed";
	return fins == 0                             ? "open"
	       : fins == SPLICE_BOTH_FINS            ? "closing"
	       : fins == SPLICE_FIN << SPLICE_CLIENT ? "client_closed"
						     : "backend_closed";
}

/* BACKEND PORT LOCAL_ADDRESS LOCAL_PORT CLOSING, or nothing for a connection without. */
static void
telemetry_format_half(
		struct engine *engine, const struct mailbox_record *record, char *text, size_t size)
{
	const struct backends_entry *backend = &engine->backends->entry[record->backend];
	const uint8_t *from =
			record->local == LOCAL_PORTS_CLIENT
					? record->key.address
					: engine->local_addresses.entry[record->local].address;
	char address[46], local[46];

	text[0] = '\0';
	if (!record->has_backend)
		return;
	snprintf(text, size, "%s %u %s %u %s", settings_format_address(backend->address, address),
			rte_be_to_cpu_16(backend->port), settings_format_address(from, local),
			rte_be_to_cpu_16(record->local_port), telemetry_closing(record->closing));
}

/* WORKER,CURSOR,LIMIT */
static int
telemetry_conns(struct engine *engine, const char *parameters, struct rte_tel_data *data)
{
	struct mailbox_question question = {.kind = MAILBOX_DUMP};
	struct mailbox_answer answer;
	struct rte_tel_data *list, *halves;
	unsigned int worker;
	uint32_t cursor;

	if (parameters == NULL ||
			sscanf(parameters, "%u,%u,%u", &worker, &question.dump.cursor,
					&question.dump.limit) != 3 ||
			worker >= engine->worker_count ||
			mailbox_ask(&engine->worker[worker]->mailbox, &question, MAILBOX_WAIT_MS,
					&answer) != 0)
		return -1;
	list = rte_tel_data_alloc();
	halves = rte_tel_data_alloc();
	if (list == NULL || halves == NULL) {
		rte_tel_data_free(list);
		rte_tel_data_free(halves);
		return -1;
	}
	rte_tel_data_start_array(list, RTE_TEL_STRING_VAL);
	rte_tel_data_start_array(halves, RTE_TEL_STRING_VAL);
	for (unsigned int i = 0; i < answer.dump.count; i++) {
		char text[RTE_TEL_MAX_STRING_LEN];

		telemetry_format_conn(engine, &answer.dump.record[i], text, sizeof(text));
		rte_tel_data_add_array_string(list, text);
		telemetry_format_half(engine, &answer.dump.record[i], text, sizeof(text));
		rte_tel_data_add_array_string(halves, text);
	}
	cursor = answer.dump.cursor;
	rte_tel_data_start_dict(data);
	rte_tel_data_add_dict_int(data, "next", cursor == MAILBOX_NO_CURSOR ? -1 : (int)cursor);
	rte_tel_data_add_dict_container(data, "conns", list, 0);
	rte_tel_data_add_dict_container(data, "backends", halves, 0);
	return 0;
}

static int
telemetry_gateways(struct engine *engine, const char *parameters, struct rte_tel_data *data)
{
	RTE_SET_USED(parameters);
	rte_tel_data_start_array(data, RTE_TEL_STRING_VAL);
	for (unsigned int i = 0; i < __atomic_load_n(&engine->resolver.count, __ATOMIC_ACQUIRE);
			i++) {
		const struct resolver_entry *entry = &engine->resolver.entry[i];
		struct rte_ether_addr mac;
		char text[RTE_TEL_MAX_STRING_LEN], mac_text[RTE_ETHER_ADDR_FMT_SIZE] = "unresolved";
		char address[46];

		if (entry->wanted_us != UINT64_MAX)
			continue;
		if (resolver_get(&engine->resolver, i, mac.addr_bytes))
			rte_ether_format_addr(mac_text, sizeof(mac_text), &mac);
		snprintf(text, sizeof(text), "%s %s %s", engine->port[entry->port].settings->name,
				settings_format_address(entry->address, address), mac_text);
		rte_tel_data_add_array_string(data, text);
	}
	return 0;
}

static const struct {
	const char *command;
	const char *help;
	int (*answer)(struct engine *engine, const char *parameters, struct rte_tel_data *data);
} telemetry_commands[] = {
		{"/handfast/info", "Version, uptime, sizes. No parameters", telemetry_info},
		{"/handfast/workers", "What each worker does. Parameter: first row",
				telemetry_workers},
		{"/handfast/ports", "What was found of each port. Parameter: first row",
				telemetry_ports},
		{"/handfast/counters", "All counters, summed. Parameter: a port's name, or none",
				telemetry_counters},
		{"/handfast/services", "Connections of each service. Parameter: first row",
				telemetry_services},
		{"/handfast/backends", "State and connections of backends. Parameter: first row",
				telemetry_backends},
		{"/handfast/latency", "Handshake latency in microseconds. No parameters",
				telemetry_latency},
		{"/handfast/rules", "How often TCP table rows fired. Parameter: first row",
				telemetry_rules},
		{"/handfast/conns", "Connections. Parameters: worker,cursor,limit",
				telemetry_conns},
		{"/handfast/probe",
				"Open a connection. Parameters: address,port,fin|rst,timeout_ms",
				telemetry_probe},
		{"/handfast/conn_act",
				"End connections. Parameters: "
				"close|shutdown|reset,service,address,port",
				telemetry_conn_act},
		{"/handfast/key", "Public numbers of the cookies' secrets. No parameters",
				telemetry_key},
		{"/handfast/key_rotate", "Read the cookies' secrets again. No parameters",
				telemetry_key_rotate},
		{"/handfast/reload", "Read the configuration again. Parameter: run|dry",
				telemetry_reload},
		{"/handfast/reload_report", "More of a report. Parameters: serial,offset",
				telemetry_reload_report},
		{"/handfast/drain", "Take no new connections. Parameters: on|off,service",
				telemetry_drain},
		{"/handfast/capture_start",
				"Copy packets. Parameters: port or *,in|out|both,snap length",
				telemetry_tap_start},
		{"/handfast/capture_stop", "End a capture. No parameters", telemetry_tap_stop},
		{"/handfast/lists", "Who is denied and allowed. No parameters", telemetry_lists},
		{"/handfast/lists_reload", "Read the lists again. No parameters",
				telemetry_lists_reload},
		{"/handfast/gateways", "Next hops and their addresses. No parameters",
				telemetry_gateways},
};

/* Whoever may wait for long holds no snapshot of the services meanwhile; the others do. */
static int
telemetry_call(int (*answer)(struct engine *engine, const char *parameters,
			       struct rte_tel_data *data),
		const char *parameters, struct rte_tel_data *data)
{
	pthread_rwlock_t *readers = &telemetry_engine->reload.readers;
	int result;

	if (answer == telemetry_probe || answer == telemetry_reload || answer == telemetry_drain)
		return answer(telemetry_engine, parameters, data);
	pthread_rwlock_rdlock(readers);
	result = answer(telemetry_engine, parameters, data);
	pthread_rwlock_unlock(readers);
	return result;
}

static int
telemetry_answer(const char *command, const char *parameters, struct rte_tel_data *data)
{
	int result = -1;

	pthread_rwlock_rdlock(&telemetry_lock);
	for (unsigned int i = 0; i < RTE_DIM(telemetry_commands); i++) {
		if (telemetry_engine == NULL || strcmp(command, telemetry_commands[i].command) != 0)
			continue;
		result = telemetry_call(telemetry_commands[i].answer, parameters, data);
	}
	pthread_rwlock_unlock(&telemetry_lock);
	return result;
}

void
telemetry_init(struct engine *engine)
{
	pthread_rwlock_wrlock(&telemetry_lock);
	telemetry_engine = engine;
	pthread_rwlock_unlock(&telemetry_lock);
	for (unsigned int i = 0; i < RTE_DIM(telemetry_commands); i++)
		rte_telemetry_register_cmd(telemetry_commands[i].command, telemetry_answer,
				telemetry_commands[i].help);
}

void
telemetry_stop(void)
{
	pthread_rwlock_wrlock(&telemetry_lock);
	telemetry_engine = NULL;
	pthread_rwlock_unlock(&telemetry_lock);
}

void
telemetry_dump(const struct engine *engine, FILE *out)
{
	for (unsigned int p = 0; p < engine->port_count; p++) {
		struct counters sum = {0};

		telemetry_sum_counters(engine, p, &sum);
		for (unsigned int c = 0; c < COUNTERS; c++) {
			if (sum.value[c] != 0)
				fprintf(out, "%s.%s %llu\n", engine->port[p].settings->name,
						counters_name((enum counter)c),
						(unsigned long long)sum.value[c]);
		}
	}
	for (unsigned int w = 0; w < engine->worker_count; w++)
		fprintf(out, "worker%u.connections %u\nworker%u.busy_percent %u\n", w,
				conn_table_count(engine->worker[w]->table), w,
				telemetry_busy_percent(engine, engine->worker[w]));
	fflush(out);
}

unsigned int
telemetry_connections(const struct engine *engine)
{
	unsigned int connections = 0;

	for (unsigned int s = 1; s < engine_services(engine)->service_count; s++) {
		struct service_share sum = {0};

		telemetry_share(engine, s, &sum);
		connections += sum.connections;
	}
	return connections;
}
