/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * One step of a script after the other, on an engine that moves only when it is told to.
 *
 * A flow per client port keeps what relative numbers are relative to.  Nothing here knows TCP's
 * rules: what is right is in the scripts.
 */

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cookie/isn.h"
#include "engine/targets.h"
#include "observe/counters.h"
#include "tcp/tcp_rules.h"
#include "tests/pipeline/rig.h"

#include "play.h"

#define CLIENT_PORT  40000
#define SERVICE_PORT 80
#define CLOSED_PORT  81
#define ACTIVE_PORT  50000 /* The engine's, when it opens; counted up with the flows. */
#define FLOWS_MAX    8
#define STREAM_MAX   65536
#define RULES_MAX    1024u

/* Longer than all retransmissions of a SYN. */
#define OPEN_TIMEOUT_MS 600000

/* One connection's numbers. */
struct flow {
	uint16_t port;       /* the client's */
	struct flow_key key; /* what the engine knows it by; the active port when it opened */
	bool active;
	bool known; /* the engine's initial sequence number is */
	struct packet_origin client;
	struct packet_origin engine;
	uint32_t engine_next; /* relative: behind the highest number the engine sent */
};

struct player {
	struct rig rig;
	const struct script *script;
	const char *path;
	const struct script_step *step;
	unsigned int family;
	uint32_t client_isn;
	struct flow flow[FLOWS_MAX];
	struct flow *now;
	uint8_t stream[STREAM_MAX]; /* what the engine said, by relative number */
	bool said[STREAM_MAX];
	char *failure;
	size_t size;
};

/* What `service` names stand for; each but `none` listens on SERVICE_PORT. */
static const struct {
	const char *name;
	const char *yaml;
	uint16_t port;
} services[] = {
		{"http", "reply: http, body_size: 100", SERVICE_PORT},
		{"http_close", "reply: http, body_size: 100, close: after_reply", SERVICE_PORT},
		{"http_large", "reply: http, body_size: 20000", SERVICE_PORT},
		{"echo", "reply: echo", SERVICE_PORT},
		{"discard", "reply: discard", SERVICE_PORT},
		{"banner", "reply: banner, banner: \"220 hi\\r\\n\"", SERVICE_PORT},
		{"banner_close", "reply: banner, banner: \"220 hi\\r\\n\", close: at_once",
				SERVICE_PORT},
		{"at_once", "reply: discard, close: at_once", SERVICE_PORT},
		{"none", "reply: discard", CLOSED_PORT},
};

static bool __attribute__((format(printf, 2, 3)))
fail(struct player *player, const char *format, ...)
{
	va_list arguments;
	size_t length = 0;

	if (player->step != NULL)
		length = (size_t)snprintf(player->failure, player->size, "%s:%u: (IPv%u) %s\n    ",
				player->path, player->step->line, player->family,
				player->step->text);
	if (length >= player->size)
		return false;
	va_start(arguments, format);
	vsnprintf(player->failure + length, player->size - length, format, arguments);
	va_end(arguments);
	return false;
}

static unsigned int
service_index(const struct script *script)
{
	unsigned int i = 0;

	while (i < RTE_DIM(services) && strcmp(services[i].name, script->service) != 0)
		i++;
	return i;
}

/* The script's settings of one section, as `key: value, ...`. */
static void
print_settings(const struct script *script, const char *section, const char *separator, char *text,
		size_t size)
{
	size_t length = 0;

	text[0] = '\0';
	for (unsigned int i = 0; i < script->setting_count && length < size; i++) {
		const struct script_setting *setting = &script->setting[i];

		if (strcmp(setting->section, section) == 0)
			length += (size_t)snprintf(text + length, size - length, "%s%s: %s",
					separator, setting->key, setting->value);
	}
}

static void
print_yaml(const struct script *script, char *yaml, size_t size)
{
	char engine[256], tcp[512], port[256], service[256];

	print_settings(script, "engine", ", ", engine, sizeof(engine));
	print_settings(script, "tcp", "\n  ", tcp, sizeof(tcp));
	print_settings(script, "port", ", ", port, sizeof(port));
	print_settings(script, "service", ", ", service, sizeof(service));
	snprintf(yaml, size,
			"engine: {connections: 64, echo_buffers: 4%s}\n"
			"%s%s\n"
			"ports:\n"
			"  - {name: lan, device: \"vdev:net_ring_rig\", mac: 02:00:00:00:00:02,\n"
			"     addresses: [" RIG_ENGINE_IP4 "/24, \"" RIG_ENGINE_IP6 "/64\"]%s}\n"
			"services:\n"
			"  - {name: service, %s,\n"
			"     listen: [\"" RIG_ENGINE_IP4 ":%u\", \"[" RIG_ENGINE_IP6
			"]:%u\"]%s}\n",
			engine, tcp[0] != '\0' ? "tcp:" : "", tcp, port,
			services[service_index(script)].yaml, SERVICE_PORT, SERVICE_PORT, service);
}

static struct flow *
flow_of(struct player *player, uint16_t port)
{
	for (unsigned int i = 0; i < FLOWS_MAX; i++) {
		struct flow *flow = &player->flow[i];

		if (flow->port == 0) {
			flow->port = port;
			flow->client.seq = player->client_isn;
		}
		if (flow->port == port)
			return flow;
	}
	return NULL;
}

static void
path_of(const struct player *player, const struct flow *flow, bool to_engine,
		struct packet_path *path)
{
	const char *client = player->family == 4 ? RIG_CLIENT_IP4 : RIG_CLIENT_IP6;
	const char *engine = player->family == 4 ? RIG_ENGINE_IP4 : RIG_ENGINE_IP6;
	const int af = player->family == 4 ? AF_INET : AF_INET6;
	const uint16_t service = flow->active ? ntohs(flow->key.port)
					      : services[service_index(player->script)].port;
	struct build_path macs;

	memset(path, 0, sizeof(*path));
	rig_path(&player->rig, &macs, player->family, 0, 0);
	path->family = player->family;
	inet_pton(af, to_engine ? client : engine, path->from);
	inet_pton(af, to_engine ? engine : client, path->to);
	memcpy(path->from_mac, to_engine ? macs.local_mac : macs.remote_mac, 6);
	memcpy(path->to_mac, to_engine ? macs.remote_mac : macs.local_mac, 6);
	path->from_port = to_engine ? flow->port : service;
	path->to_port = to_engine ? service : flow->port;
}

/* Bytes said again are the same, and an echo is what was said. */
static bool
check_stream(struct player *player, const struct packet *got, const uint8_t *payload)
{
	const bool echo = strcmp(player->script->service, "echo") == 0;

	for (uint32_t i = 0; i < got->length; i++) {
		const uint32_t at = got->seq.value + i;

		if (at >= STREAM_MAX)
			return true;
		if (player->said[at] && player->stream[at] != payload[i])
			return fail(player, "byte %u of the stream changed when it was sent again",
					at);
		if (echo && !player->step->packet.has_text && payload[i] != packet_pattern(at))
			return fail(player, "byte %u is not what was said to be echoed", at);
		player->said[at] = true;
		player->stream[at] = payload[i];
	}
	return true;
}

static bool
check_text(struct player *player, const struct packet *expected, const struct packet *got,
		const uint8_t *payload)
{
	const size_t length = strlen(expected->text);

	if (expected->has_text &&
			(length > got->length || memcmp(expected->text, payload, length) != 0))
		return fail(player, "the payload is \"%.*s\"", got->length, payload);
	return true;
}

/* The engine's numbers are relative to its SYN-ACK's. */
static bool
learn_origin(struct player *player, const struct packet *expected, const struct packet *got)
{
	struct flow *flow = player->now;

	if (expected->base == PACKET_ABOVE &&
			(int32_t)(got->seq.value - flow->engine.seq - flow->engine_next) <= 0)
		return fail(player, "its initial sequence number %u is not above %u",
				got->seq.value, flow->engine.seq + flow->engine_next);
	if (flow->known && expected->base != PACKET_ABOVE && expected->base != PACKET_NEW)
		return true;
	flow->known = true;
	flow->engine = (struct packet_origin){.seq = got->seq.value};
	flow->engine_next = 0;
	memset(player->said, 0, sizeof(player->said));
	for (unsigned int i = 0; i < got->option_count; i++) {
		if (got->option[i].kind == PACKET_TIMESTAMPS)
			flow->engine.tsval = got->option[i].value[0].value;
	}
	return true;
}

static bool
check_frame(struct player *player, const struct packet *expected, const uint8_t *frame,
		unsigned int length)
{
	const bool absolute = expected->base == PACKET_ABSOLUTE;
	struct flow *flow = player->now;
	struct packet_path path;
	struct packet got;
	const uint8_t *payload = NULL;
	const char *problem;
	char text[SCRIPT_LINE_MAX];
	uint32_t next;

	path_of(player, flow, false, &path);
	problem = packet_decode(&got, &path, frame, length, &payload);
	if (problem != NULL)
		return fail(player, "what came is wrong: %s", problem);
	if ((got.flags & 0x02) != 0 && !learn_origin(player, expected, &got))
		return false;
	packet_make_relative(&got, &flow->engine, &flow->client);
	if (absolute)
		got.seq.value += flow->engine.seq;
	if (expected->ack_base == PACKET_ABSOLUTE)
		got.ack.value += flow->client.seq;
	if (!packet_matches(expected, &got)) {
		packet_print(&got, text, sizeof(text));
		return fail(player, "got  > %s", text);
	}
	next = got.seq.value + got.length + (got.flags & 1) + ((got.flags >> 1) & 1);
	if ((int32_t)(next - flow->engine_next) > 0 && (got.flags & 0x04) == 0)
		flow->engine_next = next;
	return check_text(player, expected, &got, payload) && check_stream(player, &got, payload);
}

static bool
fail_unexpected(struct player *player, const struct rig_bytes *bytes, unsigned int after_ms)
{
	struct packet got;
	struct packet_path path;
	const uint8_t *payload;
	const char *problem;
	char text[SCRIPT_LINE_MAX];

	path_of(player, player->now, false, &path);
	problem = packet_decode(&got, &path, bytes->data, bytes->length, &payload);
	if (problem != NULL)
		return fail(player, "something came after +%u ms that nobody expected: %s",
				after_ms, problem);
	packet_make_relative(&got, &player->now->engine, &player->now->client);
	packet_print(&got, text, sizeof(text));
	return fail(player, "unexpected, after +%u ms  > %s", after_ms, text);
}

/* Let time pass, in which nothing may come. */
static bool
pass(struct player *player, unsigned int ms)
{
	struct rig_bytes bytes;

	for (unsigned int passed = 0;; passed++) {
		if (rig_take_bytes(&player->rig, &bytes))
			return fail_unexpected(player, &bytes, passed);
		if (passed == ms)
			return true;
		rig_wait_ms(&player->rig, 1);
	}
}

/* At the very time, or for what a timer sends, at most a tick of the wheel later. */
static bool
expect(struct player *player, const struct script_step *step)
{
	const unsigned int late_ms = step->after_ms > 0 ? TIMER_WHEEL_TICK_MS : 0;
	struct rig_bytes bytes;
	char text[SCRIPT_LINE_MAX];

	for (unsigned int passed = 0; passed <= step->after_ms + late_ms; passed++) {
		if (passed > 0)
			rig_wait_ms(&player->rig, 1);
		if (!rig_take_bytes(&player->rig, &bytes))
			continue;
		if (passed < step->after_ms)
			return fail_unexpected(player, &bytes, passed);
		return check_frame(player, &step->packet, bytes.data, bytes.length);
	}
	packet_print(&step->packet, text, sizeof(text));
	return fail(player, "nothing came");
}

static bool
put(struct player *player, const struct script_step *step, bool another_joins)
{
	uint8_t frame[PACKET_FRAME_MAX];
	struct packet_path path;
	unsigned int length;

	if (!step->joined && !pass(player, step->after_ms))
		return false;
	path_of(player, player->now, true, &path);
	length = packet_encode(
			&step->packet, &path, &player->now->client, &player->now->engine, frame);
	rig_put(&player->rig, frame, length);
	if (!another_joins)
		rig_turn(&player->rig);
	return true;
}

static bool
put_error(struct player *player, const struct script_step *step)
{
	uint8_t frame[PACKET_FRAME_MAX];
	struct packet_error error = step->error;
	struct packet_path path;
	unsigned int length;

	path_of(player, player->now, true, &path);
	error.seq += player->now->engine.seq;
	length = packet_encode_error(&error, &path, frame);
	rig_put(&player->rig, frame, length);
	rig_turn(&player->rig);
	return true;
}

static bool
check_state(struct player *player, const struct script_step *step)
{
	const char *name = tcp_rules_state_name(rig_state(&player->rig,
			player->now->active ? ntohs(player->now->key.port) : player->now->port));

	return strcmp(name, step->name) == 0 || fail(player, "it is %s", name);
}

static bool
check_counter(struct player *player, const struct script_step *step)
{
	for (unsigned int c = 0; c < COUNTERS; c++) {
		const uint64_t value = rig_counter(&player->rig, (enum counter)c);

		if (strcmp(counters_name((enum counter)c), step->name) == 0)
			return value == step->number || fail(player, "it is %u", (unsigned)value);
	}
	return fail(player, "no counter has this name");
}

static bool
check_connections(struct player *player, const struct script_step *step)
{
	const unsigned int count = rig_connections(&player->rig);

	return count == step->number || fail(player, "there are %u", count);
}

/* One of the script's two addresses, IPv4-mapped. */
static void
map_address(const struct player *player, const uint8_t address[16], uint8_t mapped[16])
{
	uint32_t ipv4;

	if (player->family == 4) {
		memcpy(&ipv4, address, sizeof(ipv4));
		flow_key_map_ipv4(mapped, ipv4);
	} else {
		memcpy(mapped, address, 16);
	}
}

/* What the engine will know the current flow by. */
static void
make_key(struct player *player)
{
	const struct engine *engine = &player->rig.engine;
	struct flow *flow = player->now;
	struct packet_path path;
	uint8_t local[16];

	path_of(player, flow, true, &path);
	map_address(player, path.from, flow->key.address);
	map_address(player, path.to, local);
	flow->key.port = htons(flow->port);
	flow->key.endpoint =
			service_map_lookup(engine->services->map[0], local, htons(path.to_port));
}

/* An initial sequence number is a hash plus a clock: turn the clock. */
static bool
turn_clock(struct player *player, uint32_t isn)
{
	struct engine *engine = &player->rig.engine;
	uint32_t would_be;

	make_key(player);
	would_be = isn_make(&engine->isn_key,
			conn_table_hash(engine->worker[0]->table, &player->now->key),
			engine->clock.base_us);
	engine->clock.base_us += (uint64_t)(isn - would_be) << 2;
	rig_turn(&player->rig);
	return true;
}

/* The engine opens a connection to the client's port, as `handfast probe` makes it. */
static bool
open_connection(struct player *player)
{
	struct engine *engine = &player->rig.engine;
	struct flow *flow = player->now;
	struct target target = {.port = htons(flow->port)};
	struct mailbox_question question = {
			.kind = MAILBOX_OPEN,
			.opening.timeout_ms = OPEN_TIMEOUT_MS,
	};
	struct packet_path path;
	unsigned int number;

	path_of(player, flow, true, &path);
	map_address(player, path.from, target.address);
	number = targets_take(engine, &target);
	if (number == TARGETS_NONE)
		return fail(player, "there is no room for a target");
	flow->active = true;
	map_address(player, path.to, flow->key.address);
	flow->key.port = htons((uint16_t)(ACTIVE_PORT + (flow - player->flow)));
	flow->key.endpoint = (uint16_t)(FLOW_KEY_ACTIVE | number);
	question.opening.key = flow->key;
	memcpy(question.opening.origin.peer_mac, path.from_mac, 6);
	mailbox_post(&engine->worker[0]->openings, &question);
	rig_turn(&player->rig);
	return true;
}

/* What `handfast conns close|shutdown|reset` does to the current flow's connection. */
static bool
act_on_connection(struct player *player, const struct script_step *step)
{
	struct worker *worker = player->rig.engine.worker[0];
	struct mailbox_question question = {.kind = MAILBOX_ACT, .act.count = 1};

	if (!player->now->active)
		make_key(player);
	question.act.key[0] = player->now->key;
	question.act.act = step->name[0] == 'c'   ? CONN_ACT_CLOSE
			   : step->name[0] == 's' ? CONN_ACT_SHUTDOWN
						  : CONN_ACT_RESET;
	mailbox_post(&worker->mailbox, &question);
	rig_turn(&player->rig);
	if (!mailbox_is_answered(&worker->mailbox))
		return fail(player, "the worker did not answer");
	return worker->mailbox.answer.act.done == 1 ||
	       fail(player, "there was nothing to be done to");
}

static bool
play_step(struct player *player, unsigned int i)
{
	const struct script_step *step = &player->script->step[i];
	const bool another_joins =
			i + 1 < player->script->step_count && player->script->step[i + 1].joined;

	player->step = step;
	switch (step->kind) {
	case SCRIPT_PUT:
		return put(player, step, another_joins);
	case SCRIPT_EXPECT:
		return expect(player, step);
	case SCRIPT_PORT:
		player->now = flow_of(player, (uint16_t)step->number);
		return player->now != NULL || fail(player, "too many ports");
	case SCRIPT_ISN:
		player->client_isn = step->number;
		player->now->client.seq = step->number;
		return true;
	case SCRIPT_ENGINE_ISN:
		return turn_clock(player, step->number);
	default:
		break;
	}
	if (!pass(player, step->after_ms))
		return false;
	switch (step->kind) {
	case SCRIPT_ICMP:
		return put_error(player, step);
	case SCRIPT_OPEN:
		return open_connection(player);
	case SCRIPT_ACT:
		return act_on_connection(player, step);
	case SCRIPT_STATE:
		return check_state(player, step);
	case SCRIPT_COUNTER:
		return check_counter(player, step);
	case SCRIPT_CONNECTIONS:
		return check_connections(player, step);
	default:
		return true;
	}
}

static bool
play_steps(struct player *player)
{
	struct rig_bytes bytes;
	char reason[256];

	player->client_isn = 1000;
	player->now = flow_of(player, CLIENT_PORT);
	for (unsigned int i = 0; i < player->script->step_count; i++) {
		if (!play_step(player, i))
			return false;
	}
	if (rig_take_bytes(&player->rig, &bytes))
		return fail_unexpected(player, &bytes, 0);
	if (!rig_conserves(&player->rig, reason, sizeof(reason)))
		return fail(player, "after the last line: %s", reason);
	return true;
}

/* How often each row of the TCP table fired, in all plays. */
static uint64_t fired[RULES_MAX];

static void
count_rules(const struct player *player)
{
	for (unsigned int rule = 0; rule < RTE_MIN(tcp_rules_count(), RULES_MAX); rule++)
		fired[rule] += player->rig.engine.worker[0]->rules[rule];
}

unsigned int
play_print_unfired(void)
{
	unsigned int count = 0;
	char text[256];

	for (unsigned int rule = 0; rule < RTE_MIN(tcp_rules_count(), RULES_MAX); rule++) {
		if (fired[rule] > 0)
			continue;
		printf("no script fires: %s\n", tcp_rules_describe(rule, text, sizeof(text)));
		count++;
	}
	return count;
}

bool
play(const struct script *script, const char *path, unsigned int family, char *failure, size_t size)
{
	static struct player player;
	char yaml[2048];
	bool passed;

	memset(&player, 0, sizeof(player));
	player.script = script;
	player.path = path;
	player.family = family;
	player.failure = failure;
	player.size = size;
	if (service_index(script) == RTE_DIM(services)) {
		snprintf(failure, size, "%s: no service is called %s", path, script->service);
		return false;
	}
	print_yaml(script, yaml, sizeof(yaml));
	rig_init(&player.rig, yaml, 1);
	passed = play_steps(&player);
	count_rules(&player);
	rig_close(&player.rig);
	return passed;
}
