/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "explain/explain.h"

#define EXPLAIN_PLACES_FIRST 1024

/*
 * The same for both directions.  FNV-1a, not keyed: who makes a capture of colliding connections
 * makes its own analysis slow, and nothing else.
 */
static uint64_t
hash_tuple(const struct explain_packet *packet)
{
	uint64_t hash = UINT64_C(14695981039346656037);

	for (unsigned int i = 0; i < 16; i++) {
		hash ^= (uint64_t)(packet->source[i] + packet->destination[i]) << 8 |
			(packet->source[i] ^ packet->destination[i]);
		hash *= UINT64_C(1099511628211);
	}
	hash ^= (uint64_t)(packet->source_port + packet->destination_port) << 16 |
		(packet->source_port ^ packet->destination_port);
	hash *= UINT64_C(1099511628211);
	return hash ^ hash >> 29;
}

static bool
is_end(const struct explain_end *end, const uint8_t address[16], uint16_t port)
{
	return end->port == port && memcmp(end->address, address, sizeof(end->address)) == 0;
}

static bool
is_of(const struct explain_conn *conn, const struct explain_packet *packet)
{
	for (unsigned int i = 0; i < 2; i++)
		if (is_end(&conn->end[i], packet->source, packet->source_port) &&
				is_end(&conn->end[!i], packet->destination,
						packet->destination_port))
			return true;
	return false;
}

static uint64_t
hash_conn(const struct explain_conn *conn)
{
	struct explain_packet packet = {
			.source_port = conn->end[0].port,
			.destination_port = conn->end[1].port,
	};

	memcpy(packet.source, conn->end[0].address, sizeof(packet.source));
	memcpy(packet.destination, conn->end[1].address, sizeof(packet.destination));
	return hash_tuple(&packet);
}

/* Newer connections stand before older ones of the same ends. */
static void
enter(struct explain *explain, struct explain_record *record)
{
	struct explain_record **place =
			&explain->place[hash_conn(&record->conn) & (explain->places - 1)];

	record->chain = *place;
	*place = record;
}

static bool
grow_places(struct explain *explain)
{
	const size_t places = explain->places * 4;
	struct explain_record **place = calloc(places, sizeof(*place));

	if (place == NULL)
		return false;
	free(explain->place);
	explain->place = place;
	explain->places = places;
	for (size_t i = 0; i < explain->records; i++)
		enter(explain, explain->record[i]);
	return true;
}

static bool
grow_records(struct explain *explain)
{
	const size_t room = explain->room > 0 ? explain->room * 2 : 64;
	struct explain_record **record = realloc(explain->record, room * sizeof(*record));

	if (record == NULL)
		return false;
	explain->record = record;
	explain->room = room;
	return true;
}

bool
explain_init(struct explain *explain, const struct explain_filter *filter)
{
	memset(explain, 0, sizeof(*explain));
	explain->filter = *filter;
	explain->places = EXPLAIN_PLACES_FIRST;
	explain->place = calloc(explain->places, sizeof(*explain->place));
	return explain->place != NULL;
}

static bool
is_wanted(const struct explain *explain, const struct explain_record *record)
{
	const struct explain_filter *filter = &explain->filter;
	const struct explain_end *end = record->conn.end;

	if (filter->connection != 0 && record->number != filter->connection)
		return false;
	if (filter->by_address &&
			memcmp(end[0].address, filter->address, sizeof(filter->address)) != 0 &&
			memcmp(end[1].address, filter->address, sizeof(filter->address)) != 0)
		return false;
	return filter->port == 0 || end[0].port == filter->port || end[1].port == filter->port;
}

static struct explain_record *
find_record(const struct explain *explain, const struct explain_packet *packet)
{
	struct explain_record *record = explain->place[hash_tuple(packet) & (explain->places - 1)];

	while (record != NULL && !is_of(&record->conn, packet))
		record = record->chain;
	return record;
}

static struct explain_record *
add_record(struct explain *explain, const struct explain_packet *packet)
{
	struct explain_record *record;

	if (explain->records == explain->room && !grow_records(explain))
		return NULL;
	if (explain->records > explain->places * 2 && !grow_places(explain))
		return NULL;
	record = calloc(1, sizeof(*record));
	if (record == NULL)
		return NULL;
	explain_conn_init(&record->conn, packet);
	explain->record[explain->records++] = record;
	record->number = explain->records;
	record->wanted = is_wanted(explain, record);
	record->conn.unread = !record->wanted;
	enter(explain, record);
	return record;
}

static bool
keep_step(struct explain_record *record, const struct explain_step *step)
{
	if (record->steps == record->room) {
		const size_t room = record->room > 0 ? record->room * 2 : 4;
		struct explain_step *steps = realloc(record->step, room * sizeof(*steps));

		if (steps == NULL)
			return false;
		record->step = steps;
		record->room = room;
	}
	record->step[record->steps++] = *step;
	return true;
}

/* Keep a copy of a SYN for an open connection. */
static bool
hold(struct explain_record *record, const struct explain_packet *packet)
{
	struct explain_held *held;

	if (record->held == NULL)
		record->held = calloc(EXPLAIN_HELD, sizeof(*record->held));
	if (record->held == NULL)
		return false;
	held = record->held;
	if (held->packet.segment.seq != packet->segment.seq ||
			held->packet.source_port != packet->source_port)
		record->helds = 0;
	if (record->helds == EXPLAIN_HELD)
		return true;
	held = &record->held[record->helds++];
	held->packet = *packet;
	held->packet.payload = NULL;
	held->packet.payload_captured = 0;
	if (packet->options_length > 0)
		memcpy(held->options, packet->options, packet->options_length);
	held->packet.options = held->options;
	return true;
}

/* What a packet does to its connection, kept if that is wanted. */
static bool
track(const struct explain *explain, struct explain_record *record,
		const struct explain_packet *packet)
{
	struct explain_step step;

	explain_conn_track(&record->conn, packet, &step);
	if ((step.events & explain_event_bit(EXPLAIN_EVENT_STRAY_SYN)) &&
			!(packet->segment.flags & TCP_ACK) && !hold(record, packet))
		return false;
	return !record->wanted || !explain->filter.ladders || keep_step(record, &step);
}

/* Take the held SYNs out of a connection's ladder. */
static void
drop_held(struct explain_record *record)
{
	unsigned int held = 0;
	size_t kept = 0;

	for (size_t i = 0; i < record->steps; i++) {
		if (held < record->helds &&
				record->step[i].number == record->held[held].packet.number)
			held++;
		else
			record->step[kept++] = record->step[i];
	}
	record->steps = kept;
}

/* The connection that took over an older one's ends, with the SYNs that opened it. */
static struct explain_record *
replace(struct explain *explain, struct explain_record *old)
{
	struct explain_record *record = add_record(explain, &old->held[0].packet);

	if (record == NULL)
		return NULL;
	drop_held(old);
	for (unsigned int i = 0; i < old->helds; i++) {
		explain_conn_untrack(&old->conn, &old->held[i].packet);
		if (!track(explain, record, &old->held[i].packet))
			return NULL;
	}
	free(old->held);
	old->held = NULL;
	old->helds = 0;
	return record;
}

/* Clocks are set back, and files are put together out of several interfaces' or hosts'. */
static void
watch_clock(struct explain *explain, int64_t time_ns)
{
	const bool first = explain_packets(explain) == 0;

	if (first || time_ns < explain->earliest_ns)
		explain->earliest_ns = time_ns;
	if (first || time_ns > explain->latest_ns)
		explain->latest_ns = time_ns;
	if (!first && time_ns < explain->previous_ns)
		explain->backward++;
	explain->previous_ns = time_ns;
}

bool
explain_add(struct explain *explain, const struct explain_frame *frame, int64_t time_ns)
{
	struct explain_packet packet;
	struct explain_record *record;
	enum explain_kind kind;

	watch_clock(explain, time_ns);
	kind = explain_packet_parse(frame, &packet);
	explain->kinds[kind]++;
	if (kind != EXPLAIN_TCP)
		return true;
	packet.time_ns = time_ns;
	packet.number = explain_packets(explain);
	record = find_record(explain, &packet);
	if (record != NULL && explain_conn_is_replaced(&record->conn, &packet))
		record = replace(explain, record);
	else if (record == NULL || explain_conn_is_next(&record->conn, &packet))
		record = add_record(explain, &packet);
	return record != NULL && track(explain, record, &packet);
}

uint64_t
explain_packets(const struct explain *explain)
{
	uint64_t packets = 0;

	for (unsigned int i = 0; i < EXPLAIN_KINDS; i++)
		packets += explain->kinds[i];
	return packets;
}

void
explain_free(struct explain *explain)
{
	for (size_t i = 0; i < explain->records; i++) {
		explain_conn_free(&explain->record[i]->conn);
		free(explain->record[i]->step);
		free(explain->record[i]->held);
		free(explain->record[i]);
	}
	free(explain->record);
	free(explain->place);
	memset(explain, 0, sizeof(*explain));
}
