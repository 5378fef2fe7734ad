/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_telemetry.h>

#include "engine/compat.h"
#include "engine/engine.h"
#include "engine/probe.h"
#include "engine/telemetry_probe.h"
#include "engine/worker.h"
#include "settings/settings_address.h"

/* Service names are cut to this, so that a connection's line stays below DPDK's 128 bytes. */
#define TELEMETRY_NAME_MAX 20

static const char *const telemetry_results[] = {
		[PROBE_OPENED] = "opened",
		[PROBE_REFUSED] = "refused",
		[PROBE_UNREACHABLE] = "unreachable",
		[PROBE_TIMED_OUT] = "timed_out",
		[PROBE_STOPPED] = "stopped",
		[PROBE_NO_PORT] = "no_port",
		[PROBE_FULL] = "table_full",
		[PROBE_NO_ROUTE] = "no_route",
		[PROBE_OUR_OWN] = "our_own",
		[PROBE_NO_TARGET] = "busy",
		[PROBE_UNRESOLVED] = "unresolved",
		[PROBE_NO_ANSWER] = "no_answer",
};

/* What a person wants to know of a failure; handshakes that failed need no words. */
static void
telemetry_reason(const struct probe_report *report, char *text, size_t size)
{
	static const char *const reasons[] = {
			[PROBE_UNREACHABLE] = "an ICMP error says that it cannot be reached",
			[PROBE_STOPPED] =
					"the engine is stopping, or somebody ended the connection",
			[PROBE_NO_PORT] = "no free local port was found: too many connections to "
					  "this address are open, or were in the last 2 MSL",
			[PROBE_FULL] = "the connection table is full (engine.connections)",
			[PROBE_NO_ROUTE] = "no port has it in a subnet, and none has a gateway and "
					   "an address of its family",
			[PROBE_OUR_OWN] = "it is an address of this engine",
			[PROBE_NO_TARGET] = "too many other addresses are being probed",
			[PROBE_NO_ANSWER] = "the worker did not answer",
	};
	char address[46];

	text[0] = '\0';
	if (report->result == PROBE_UNRESOLVED)
		snprintf(text, size, "no answer to %s for %s",
				flow_key_is_ipv4(report->next_hop) ? "ARP" : "neighbour discovery",
				settings_format_address(report->next_hop, address));
	else if (report->result < RTE_DIM(reasons) && reasons[report->result] != NULL)
		snprintf(text, size, "%s", reasons[report->result]);
}

/* A question that makes no sense is answered, so that its asker can say why. */
static int
telemetry_refuse(struct rte_tel_data *data, const char *reason)
{
	rte_tel_data_start_dict(data);
	rte_tel_data_add_dict_string(data, "result", "error");
	rte_tel_data_add_dict_string(data, "reason", reason);
	return 0;
}

/* @return NULL, or what is wrong. */
static const char *
telemetry_parse_end(const char *address, unsigned int port, uint8_t parsed[16])
{
	if (!settings_address_parse(address, parsed))
		return "the address is neither an IPv4 nor an IPv6 address";
	if (port == 0 || port > UINT16_MAX)
		return "the port is not from 1 to 65535";
	return settings_address_unusable(parsed) != NULL ? "no host can have that address" : NULL;
}

int
telemetry_probe(struct engine *engine, const char *parameters, struct rte_tel_data *data)
{
	char address[46], close[8], reason[128];
	struct probe probe = {0};
	struct probe_report report;
	unsigned int port;
	const char *wrong;

	if (parameters == NULL || sscanf(parameters, "%45[^,],%u,%7[^,],%u", address, &port, close,
						  &probe.timeout_ms) != 4)
		return telemetry_refuse(data, "parameters: ADDRESS,PORT,fin|rst,TIMEOUT_MS");
	wrong = telemetry_parse_end(address, port, probe.address);
	if (wrong != NULL)
		return telemetry_refuse(data, wrong);
	if (probe.timeout_ms == 0 || probe.timeout_ms > PROBE_TIMEOUT_MAX_MS)
		return telemetry_refuse(data, "the timeout is not from 1 to 60000 milliseconds");
	probe.reset = strcmp(close, "rst") == 0;
	if (!probe.reset && strcmp(close, "fin") != 0)
		return telemetry_refuse(data, "a probe is closed by fin or rst");
	probe.port = rte_cpu_to_be_16((uint16_t)port);
	probe_run(engine, &probe, &report);
	telemetry_reason(&report, reason, sizeof(reason));
	rte_tel_data_start_dict(data);
	rte_tel_data_add_dict_string(data, "result", telemetry_results[report.result]);
	compat_add_dict_uint(data, "handshake_us", report.handshake_us);
	compat_add_dict_uint(data, "local_port", report.local_port);
	if (reason[0] != '\0')
		rte_tel_data_add_dict_string(data, "reason", reason);
	return 0;
}

void
telemetry_conn_name(
		struct engine *engine, const struct mailbox_record *record, char *text, size_t size)
{
	const struct services *services = engine_services(engine);
	const struct flow_key *key = &record->key;
	char address[46];
	struct target target;

	if (!flow_key_is_active(key)) {
		snprintf(text, size, "%.*s %s %u", TELEMETRY_NAME_MAX,
				services_of(services, key)->settings->name,
				settings_format_address(key->address, address),
				rte_be_to_cpu_16(key->port));
		return;
	}
	if (flow_key_is_check(key)) {
		const struct backends_entry *backend =
				&engine->backends->entry[flow_key_backend(key)];

		snprintf(text, size, SERVICES_CHECK_NAME "%u %s %u", rte_be_to_cpu_16(key->port),
				settings_format_address(backend->address, address),
				rte_be_to_cpu_16(backend->port));
		return;
	}
	targets_get(engine, flow_key_target(key), &target);
	/* Our port tells connections to one target apart. */
	snprintf(text, size, SERVICES_OWN_NAME "%u %s %u", rte_be_to_cpu_16(key->port),
			settings_format_address(target.address, address),
			rte_be_to_cpu_16(target.port));
}

/* Ask every worker to act on the keys collected so far. @return 0, or -1 when one is silent. */
static int
telemetry_act_flush(const struct engine *engine, struct mailbox_question *question,
		struct conn_act_answer *sum)
{
	for (unsigned int w = 0; w < engine->worker_count && question->act.count > 0; w++) {
		struct mailbox_answer answer;

		if (mailbox_ask(&engine->worker[w]->mailbox, question, MAILBOX_WAIT_MS, &answer) !=
				0)
			return -1;
		sum->done += answer.act.done;
		sum->unfit += answer.act.unfit;
	}
	question->act.count = 0;
	return 0;
}

/* Which worker has a connection, and at which of its service's addresses, is not known: ask all. */
static int
telemetry_act_services(const struct engine *engine, const char *service,
		const struct flow_key *remote, struct mailbox_question *question,
		struct conn_act_answer *sum)
{
	const struct services *services = engine_services(engine);
	const bool any = strcmp(service, "*") == 0;
	int result = 0;

	for (unsigned int i = 0; i < services->listener_count && result == 0; i++) {
		const struct listener *listener = &services->listener[i];
		struct flow_key *key = &question->act.key[question->act.count];

		if (listener->family == 0)
			continue;
		if (!any && strncmp(services->service[listener->service].settings->name, service,
					    TELEMETRY_NAME_MAX) != 0)
			continue;
		*key = *remote;
		key->endpoint = (uint16_t)i;
		if (++question->act.count == CONN_ACT_KEYS)
			result = telemetry_act_flush(engine, question, sum);
	}
	return result == 0 ? telemetry_act_flush(engine, question, sum) : result;
}

/* A connection that we opened, named by our port and its target; from any of our addresses. */
static int
telemetry_act_opened(struct engine *engine, rte_be16_t local_port, const struct flow_key *remote,
		struct mailbox_question *question, struct conn_act_answer *sum)
{
	for (unsigned int p = 0; p < engine->port_count; p++) {
		const struct settings_prefixes *addresses = &engine->port[p].settings->addresses;
		const unsigned int number = targets_find(
				&engine->targets, (uint8_t)p, remote->address, remote->port);

		for (unsigned int i = 0; number != TARGETS_NONE && i < addresses->count; i++) {
			struct flow_key *key = &question->act.key[question->act.count++];

			memcpy(key->address, addresses->item[i].address, sizeof(key->address));
			key->port = local_port;
			key->endpoint = (uint16_t)(FLOW_KEY_ACTIVE | number);
		}
		if (telemetry_act_flush(engine, question, sum) != 0)
			return -1;
	}
	return 0;
}

_Static_assert(SETTINGS_ADDRESSES_MAX <= CONN_ACT_KEYS, "a port's addresses fit one question");

static bool
telemetry_parse_act(const char *text, enum conn_act *act)
{
	static const char *const names[] = {
			[CONN_ACT_CLOSE] = "close",
			[CONN_ACT_SHUTDOWN] = "shutdown",
			[CONN_ACT_RESET] = "reset",
	};

	for (unsigned int i = 0; i < RTE_DIM(names); i++) {
		*act = (enum conn_act)i;
		if (strcmp(text, names[i]) == 0)
			return true;
	}
	return false;
}

int
telemetry_conn_act(struct engine *engine, const char *parameters, struct rte_tel_data *data)
{
	const size_t own = strlen(SERVICES_OWN_NAME);
	struct mailbox_question question = {.kind = MAILBOX_ACT};
	char act[16], service[SETTINGS_NAME_MAX], address[46];
	struct conn_act_answer sum = {0};
	struct flow_key remote = {0};
	unsigned int port;
	const char *wrong;
	int result;

	if (parameters == NULL ||
			sscanf(parameters, "%15[^,],%31[^,],%45[^,],%u", act, service, address,
					&port) != 4 ||
			!telemetry_parse_act(act, &question.act.act))
		return telemetry_refuse(
				data, "parameters: close|shutdown|reset,SERVICE,ADDRESS,PORT");
	wrong = telemetry_parse_end(address, port, remote.address);
	if (wrong != NULL)
		return telemetry_refuse(data, wrong);
	remote.port = rte_cpu_to_be_16((uint16_t)port);
	if (strncmp(service, SERVICES_OWN_NAME, own) == 0)
		result = telemetry_act_opened(engine,
				rte_cpu_to_be_16((uint16_t)strtoul(service + own, NULL, 10)),
				&remote, &question, &sum);
	else
		result = telemetry_act_services(engine, service, &remote, &question, &sum);
	if (result != 0)
		return telemetry_refuse(data, "a worker did not answer");
	rte_tel_data_start_dict(data);
	compat_add_dict_uint(data, "done", sum.done);
	compat_add_dict_uint(data, "unfit", sum.unfit);
	return 0;
}
