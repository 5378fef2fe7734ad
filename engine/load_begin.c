/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Control's part of the load generator: making it ready, finding the way, beginning and ending.
 */

#include <string.h>
#include <time.h>

#include <rte_malloc.h>

#include "engine/load.h"
#include "engine/log.h"
#include "engine/outside.h"
#include "engine/worker.h"
#include "load/predict.h"
#include "settings/settings_address.h"

#define LOAD_PAUSE_NS 500000
/* How long answers may wait for the device before they are given up. */
#define LOAD_DEVICE_PATIENCE_US 50000
/* Our receive window; a scale of 2 says it exactly, so every segment says 65535. */
#define LOAD_WINDOW       (65535u << 2)
#define LOAD_WINDOW_SCALE 2
/* Where TSval is in the options, as tcp_options_build() writes them: of a SYN behind the MSS. */
#define LOAD_TIMES_OFFSET     4
#define LOAD_TIMES_OFFSET_SYN 8

static void
load_init_config(struct load_worker *load, const struct settings_tcp *tcp)
{
	const struct load_plan *plan = &load->load->plan;

	load->config = (struct tcp_config){
			.fin_timeout_ms = plan->timeout_ms,
			.idle_timeout_ms = plan->timeout_ms,
			.time_wait_ms = tcp->time_wait_ms,
			.rto_min_ms = tcp->rto_min_ms,
			.rto_max_ms = tcp->rto_max_ms,
			.synack_retries = plan->retries,
			.syn_retries = plan->retries,
			.retries2 = plan->retries,
			.orphan_retries = plan->retries,
			.initial_cwnd = (uint8_t)tcp->initial_cwnd,
			.rcv_wnd_scale = LOAD_WINDOW_SCALE,
			.timestamps = plan->timestamps,
			.window_scaling = tcp->window_scaling,
	};
}

/* The options of a SYN. @return their length. */
static unsigned int
load_options(const struct load_worker *load, uint32_t tsval, uint8_t *to)
{
	const struct tcp_options options = {
			.options = (uint8_t)(TCP_OPTION_MSS |
					     (load->config.window_scaling ? TCP_OPTION_WINDOW_SCALE
									  : 0) |
					     (load->config.timestamps ? TCP_OPTION_TIMESTAMPS : 0)),
			.mss = load->env.path_mss,
			.window_scale = LOAD_WINDOW_SCALE,
			.tsval = tsval,
	};

	return tcp_options_build(to, &options);
}

static void
load_set_options(struct load_worker *load)
{
	load->syn_options.bytes = load->syn_option_bytes;
	load->syn_options.length = load_options(load, load->env.ts_clock, load->syn_option_bytes);
	load->syn_options.sum = checksum_add(0, load->syn_option_bytes, load->syn_options.length);
}

void
load_set_env(struct worker *worker)
{
	struct load_worker *load = worker->load;
	const uint32_t ts_clock = worker->now_ms + worker->engine->cookies.ts_base_ms;

	load->env.now_ms = worker->now_ms;
	if (load->env.ts_clock == ts_clock)
		return;
	load->env.ts_clock = ts_clock;
	if (load->config.timestamps)
		load_set_options(load);
}

const struct frame_text *
load_write_times(const struct load_worker *load, uint32_t tsecr, uint8_t bytes[LOAD_TIMES_BYTES],
		struct frame_text *text)
{
	const struct tcp_options options = {
			.options = TCP_OPTION_TIMESTAMPS,
			.tsval = load->env.ts_clock,
			.tsecr = tsecr,
	};

	text->bytes = bytes;
	text->length = tcp_options_build(bytes, &options);
	text->sum = checksum_add(0, bytes, text->length);
	return text;
}

/* The smallest of all ports. */
static uint16_t
load_mtu(const struct engine *engine)
{
	uint16_t mtu = engine->port[0].mtu;

	for (unsigned int p = 1; p < engine->port_count; p++)
		mtu = RTE_MIN(mtu, engine->port[p].mtu);
	return mtu;
}

/* Places for as many connections as there may be at once. */
static int
load_init_index(struct worker *worker)
{
	const struct load_plan *plan = &worker->load->load->plan;
	const uint32_t share = (uint32_t)load_share(worker, plan->concurrency);
	const uint32_t most = load_keeps_state(plan->exchange)
					      ? RTE_MIN(share, conn_table_capacity(worker->table))
					      : 0;
	void *memory = rte_zmalloc_socket("handfast_load_index", tuple_index_footprint(most),
			RTE_CACHE_LINE_SIZE, worker->numa_node);

	if (memory == NULL)
		return -1;
	tuple_index_init(&worker->load->index, memory, most);
	return 0;
}

static int
load_init_worker(struct worker *worker, struct load *load, uint64_t secret)
{
	const struct engine *engine = worker->engine;
	const struct load_plan *plan = &load->plan;
	const bool ipv4 = flow_key_is_ipv4(load->target[0].address);
	const size_t walks = engine->port_count * sizeof(struct tuple_walk);
	const uint16_t mss = (uint16_t)(load_mtu(engine) - (ipv4 ? 40 : 60));
	struct load_worker *own = rte_zmalloc_socket("handfast_load", sizeof(*own) + walks,
			RTE_CACHE_LINE_SIZE, worker->numa_node);

	if (own == NULL)
		return -1;
	worker->load = own;
	own->walk = (struct tuple_walk *)(own + 1);
	worker->patience_us = LOAD_DEVICE_PATIENCE_US;
	worker->receive_most = LOAD_RECEIVE_MAX;
	worker_expect_none(worker);
	own->load = load;
	own->conns = conn_table_conns(worker->table);
	own->own = (struct load_conn *)conn_table_tail(worker->table, own->conns);
	own->secret = secret;
	own->random = secret + worker->index + 1;
	own->figures = &own->phases[LOAD_RAMP_UP];
	memcpy(own->walk, load->walk, walks);
	/* Two runs in a row do not begin with the same tuples. */
	for (unsigned int p = 0; p < engine->port_count; p++) {
		tuple_walk_seek(&own->walk[p],
				(load_random(own) >> 1) % tuple_walk_count(&own->walk[p]));
		/* The first is watched; tuples at random come in no rounds. */
		own->walk[p].rounds = plan->random_order ? 0 : LOAD_REUSE_ROUNDS;
	}
	pace_init(&own->pace, plan->shape, own->random | 1, worker->now_us);
	load_init_config(own, &engine->settings->tcp);
	own->syn_rto_ms = tcp_step_rto_ms(
			&(const struct tcp_conn){.state = TCP_SYN_SENT}, &own->config);
	own->env = (struct tcp_env){
			.config = &own->config,
			.rcv_wnd = own->config.window_scaling ? LOAD_WINDOW : UINT16_MAX,
			.path_mss = mss,
			.default_mss = ipv4 ? 536 : 1220,
	};
	load_set_options(own);
	own->predicts = predict_is_possible(&own->config);
	own->request = (struct frame_text){load->request, plan->request_length,
			checksum_add(0, plan->request, plan->request_length)};
	return plan->exchange == LOAD_IDLE ? load_idle_init(worker) : 0;
}

static int
load_init_share(struct worker *worker)
{
	struct load_worker *own = worker->load;
	const struct load_plan *plan = &own->load->plan;

	if (own->share > 0)
		own->left = plan->count == 0 ? UINT64_MAX : load_share(worker, plan->count);
	return load_init_index(worker);
}

/* The gateway of the address's family, or the address itself when it is a neighbour. */
static const uint8_t *
load_next_hop(const struct settings_port *port, const uint8_t address[16])
{
	for (unsigned int i = 0; i < port->addresses.count; i++) {
		if (settings_prefix_holds(&port->addresses.item[i], address))
			return address;
	}
	for (unsigned int i = 0; i < port->gateways.count; i++) {
		if (flow_key_is_ipv4(port->gateways.item[i]) == flow_key_is_ipv4(address))
			return port->gateways.item[i];
	}
	return NULL;
}

static enum load_result
load_init_targets(struct load *load, unsigned int *which)
{
	const struct load_plan *plan = &load->plan;

	for (unsigned int i = 0; i < plan->targets.count; i++) {
		const struct settings_endpoint *endpoint = &plan->targets.item[i];
		const uint8_t by_port = plan->target_port[i];
		const uint8_t *next_hop = load_next_hop(
				load->engine->port[by_port].settings, endpoint->address);
		struct load_target *target = &load->target[i];

		*which = i;
		if (next_hop == NULL && !plan->has_target_mac)
			return LOAD_NO_ROUTE;
		memcpy(target->address, endpoint->address, sizeof(target->address));
		if (flow_key_is_ipv4(endpoint->address))
			memcpy(&target->ipv4, endpoint->address + 12, sizeof(target->ipv4));
		target->port = endpoint->port;
		target->by_port = by_port;
		memcpy(target->next_hop, next_hop != NULL ? next_hop : endpoint->address,
				sizeof(target->next_hop));
	}
	load->target_count = plan->targets.count;
	return LOAD_OK;
}

/* The plan's sources, or the port's addresses; never a target's or a next hop's. */
static enum load_result
load_init_walk(struct load *load, unsigned int port, unsigned int *which)
{
	const struct load_plan *plan = &load->plan;
	const struct settings_prefixes *own = &load->engine->port[port].settings->addresses;
	const struct settings_prefixes *sources =
			plan->sources[port].count > 0 ? &plan->sources[port] : own;
	const bool ipv4 = flow_key_is_ipv4(load->target[0].address);
	struct tuple_walk *walk = &load->walk[port];
	unsigned int first = 0, count = 0;
	bool fits = true;

	for (unsigned int t = load->target_count; t-- > 0;) {
		count += load->target[t].by_port == port;
		first = load->target[t].by_port == port ? t : first;
	}
	*which = first;
	tuple_walk_init(walk, plan->first_port, plan->last_port, count);
	walk->first_target = first;
	for (unsigned int i = 0; i < sources->count; i++) {
		const struct settings_prefix *prefix = &sources->item[i];
		const unsigned int whole = flow_key_is_ipv4(prefix->address) ? 32 : 128;

		if (flow_key_is_ipv4(prefix->address) == ipv4)
			fits &= tuple_walk_add(walk, prefix->address,
					sources == own ? whole : prefix->length);
	}
	for (unsigned int t = 0; t < load->target_count; t++) {
		fits &= tuple_walk_exclude(walk, load->target[t].address);
		fits &= tuple_walk_exclude(walk, load->target[t].next_hop);
	}
	return fits && count > 0 && walk->source_count > 0 ? LOAD_OK : LOAD_NO_SOURCE;
}

/* Two ports to the same target must not have a source in common. */
static enum load_result
load_check_walks(const struct load *load, unsigned int *which)
{
	for (unsigned int t = 0; t < load->target_count; t++) {
		const struct load_target *target = &load->target[t];

		*which = t;
		for (unsigned int u = 0; u < t; u++) {
			const struct load_target *other = &load->target[u];

			if (memcmp(target->address, other->address, sizeof(target->address)) == 0 &&
					target->port == other->port &&
					(target->by_port == other->by_port ||
							tuple_walk_overlaps(
									&load->walk[target->by_port],
									&load->walk[other->by_port])))
				return LOAD_SAME_TUPLES;
		}
	}
	return LOAD_OK;
}

uint64_t
load_tuples(const struct engine *engine)
{
	uint64_t sum = 0;

	for (unsigned int p = 0; p < engine->port_count; p++)
		sum += tuple_walk_count(&engine->load->walk[p]);
	return sum;
}

uint64_t
load_sources(const struct engine *engine)
{
	uint64_t sum = 0;

	for (unsigned int p = 0; p < engine->port_count; p++)
		sum += engine->load->walk[p].source_count;
	return sum;
}

enum load_result
load_init(struct engine *engine, const struct load_plan *plan, unsigned int *which)
{
	struct load *load = rte_zmalloc("handfast_load", sizeof(*load), RTE_CACHE_LINE_SIZE);
	enum load_result result;
	uint64_t secret;

	*which = 0;
	if (load == NULL || !outside_random(&secret, sizeof(secret))) {
		rte_free(load);
		return LOAD_NO_MEMORY;
	}
	engine->load = load;
	load->engine = engine;
	load->plan = *plan;
	if (plan->request_length > 0)
		memcpy(load->request, plan->request, plan->request_length);
	load->end_us = UINT64_MAX;
	result = load_init_targets(load, which);
	for (unsigned int p = 0; result == LOAD_OK && p < engine->port_count; p++)
		result = load_init_walk(load, p, which);
	if (result == LOAD_OK)
		result = load_check_walks(load, which);
	if (result != LOAD_OK)
		return result;
	for (unsigned int p = 0; p < engine->port_count; p++)
		engine->port[p].sources = &load->walk[p];
	for (unsigned int i = 0; i < engine->worker_count; i++) {
		if (load_init_worker(engine->worker[i], load, secret) != 0)
			return LOAD_NO_MEMORY;
	}
	load_share_out(engine);
	for (unsigned int i = 0; i < engine->worker_count; i++) {
		if (load_init_share(engine->worker[i]) != 0)
			return LOAD_NO_MEMORY;
	}
	return LOAD_OK;
}

void
load_free(struct engine *engine)
{
	for (unsigned int i = 0; i < engine->worker_count; i++) {
		if (engine->worker[i]->load != NULL) {
			load_idle_free(engine->worker[i]->load);
			rte_free(engine->worker[i]->load->index.word);
		}
		rte_free(engine->worker[i]->load);
		engine->worker[i]->load = NULL;
	}
	for (unsigned int p = 0; p < engine->port_count; p++)
		engine->port[p].sources = NULL;
	rte_free(engine->load);
	engine->load = NULL;
}

static void
load_resolve_shapes_of(const struct load_worker *load, const struct frame_template *frames,
		const struct frame_text *options, struct load_shapes *shapes)
{
	struct frame_tcp tcp = {.window = UINT16_MAX, .flags = TCP_ACK};

	frame_shape_init(&shapes->ack, frames, &tcp, options, NULL);
	tcp.flags = TCP_ACK | TCP_FIN;
	frame_shape_init(&shapes->fin, frames, &tcp, options, NULL);
	tcp.flags = TCP_ACK | TCP_PSH;
	frame_shape_init(&shapes->request, frames, &tcp, options, &load->request);
	tcp.flags = TCP_ACK | TCP_RST;
	frame_shape_init(&shapes->reset, frames, &tcp, options, NULL);
	if (options == NULL)
		return;
	frame_shape_set_times(&shapes->ack, LOAD_TIMES_OFFSET);
	frame_shape_set_times(&shapes->fin, LOAD_TIMES_OFFSET);
	frame_shape_set_times(&shapes->request, LOAD_TIMES_OFFSET);
	frame_shape_set_times(&shapes->reset, LOAD_TIMES_OFFSET);
}

/* What connections say; the texts are the same for all workers. */
static void
load_resolve_shapes(struct load_worker *load, struct load_target *target)
{
	const struct tcp_options times = {.options = TCP_OPTION_TIMESTAMPS};
	const struct frame_tcp tcp = {.window = UINT16_MAX, .flags = TCP_SYN};
	uint8_t bytes[TCP_OPTIONS_BYTES_MAX];
	struct frame_text text = {.bytes = bytes};

	text.length = load_options(load, 0, bytes);
	text.sum = checksum_add(0, bytes, text.length);
	frame_shape_init(&target->syn, &target->frames, &tcp, &text, NULL);
	if (load->config.timestamps)
		frame_shape_set_times(&target->syn, LOAD_TIMES_OFFSET_SYN);
	load_resolve_shapes_of(load, &target->frames, NULL, &target->shapes[false]);
	text.length = tcp_options_build(bytes, &times);
	text.sum = checksum_add(0, bytes, text.length);
	load_resolve_shapes_of(load, &target->frames, &text, &target->shapes[true]);
}

/* @return whether nobody asked to stop. */
static bool
load_pause(const struct engine *engine)
{
	const struct timespec pause = {.tv_nsec = LOAD_PAUSE_NS};

	if (__atomic_load_n(&engine->load->end_us, __ATOMIC_RELAXED) != UINT64_MAX)
		return false;
	nanosleep(&pause, NULL);
	return true;
}

static enum load_result
load_resolve(struct engine *engine, struct load_target *target, uint64_t until_us)
{
	const struct port *port = &engine->port[target->by_port];
	struct build_path path = {
			.tagged = port->tagged,
			.vlan = port->vlan,
			.family = flow_key_is_ipv4(target->address) ? 4 : 6,
			.remote_port = target->port,
	};
	unsigned int entry;

	memcpy(path.remote, target->address, sizeof(path.remote));
	memcpy(path.local_mac, port->mac.addr_bytes, sizeof(path.local_mac));
	memcpy(path.remote_mac, engine->load->plan.target_mac, sizeof(path.remote_mac));
	pthread_mutex_lock(&engine->targets.control);
	entry = engine->load->plan.has_target_mac
				? RESOLVER_NONE
				: resolver_want(engine, target->by_port, target->next_hop);
	pthread_mutex_unlock(&engine->targets.control);
	while (entry != RESOLVER_NONE && !resolver_get(&engine->resolver, entry, path.remote_mac)) {
		if (clock_us(&engine->clock) > until_us)
			return LOAD_UNRESOLVED;
		if (!load_pause(engine))
			return LOAD_STOPPED;
	}
	frame_template_init(&target->frames, &path);
	load_resolve_shapes(engine->worker[0]->load, target);
	return LOAD_OK;
}

enum load_result
load_begin(struct engine *engine, uint32_t patience_ms, unsigned int *which)
{
	struct load *load = engine->load;
	const uint64_t until_us = clock_us(&engine->clock) + (uint64_t)patience_ms * 1000;
	uint64_t begin_us;

	for (unsigned int t = 0; t < load->target_count; t++) {
		const enum load_result result = load_resolve(engine, &load->target[t], until_us);

		*which = t;
		if (result != LOAD_OK)
			return result;
	}
	begin_us = clock_us(&engine->clock) + load->plan.delay_us;
	while (clock_us(&engine->clock) < begin_us) {
		if (!load_pause(engine))
			return LOAD_STOPPED;
	}
	__atomic_store_n(&load->begin_us, clock_us(&engine->clock), __ATOMIC_RELEASE);
	return LOAD_OK;
}

void
load_end(struct engine *engine)
{
	__atomic_store_n(&engine->load->end_us, clock_us(&engine->clock), __ATOMIC_RELAXED);
}

uint64_t
load_planned_end_us(const struct load *load)
{
	const struct load_plan *plan = &load->plan;

	if (plan->duration_us == 0)
		return UINT64_MAX;
	return __atomic_load_n(&load->begin_us, __ATOMIC_RELAXED) + plan->ramp_up_us +
	       plan->duration_us + plan->ramp_down_us;
}

bool
load_is_cut_short(const struct engine *engine)
{
	return engine->load->end_us < load_planned_end_us(engine->load);
}

bool
load_is_done(const struct engine *engine)
{
	for (unsigned int i = 0; i < engine->worker_count; i++) {
		if (!__atomic_load_n(&engine->worker[i]->load->done, __ATOMIC_ACQUIRE))
			return false;
	}
	return true;
}

void
load_figures(const struct engine *engine, enum load_phase phase, struct figures *sum)
{
	for (unsigned int i = 0; i < engine->worker_count; i++)
		figures_add(sum, &engine->worker[i]->load->phases[phase]);
}
