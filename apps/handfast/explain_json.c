/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The same as JSON: one object, written segment by segment so that neither it nor a connection's
 * ladder is ever in memory as a whole.
 */

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "explain/explain_text.h"
#include "tcp/tcp_rules.h"

#include "explain.h"
#include "json_text.h"

#define EXPLAIN_JSON_FORMAT (JSON_COMPACT | JSON_REAL_PRECISION(15))

/* An object without its closing brace, so that more may follow.  Takes the object. */
static void
print_open(json_t *object, FILE *out)
{
	char *text = json_dumps(object, EXPLAIN_JSON_FORMAT);

	if (text != NULL)
		fprintf(out, "%.*s", (int)(strlen(text) - 1), text);
	free(text);
	json_decref(object);
}

/* Seconds, or nothing at all when there is no such time. */
static void
set_seconds(json_t *object, const char *name, int64_t from, int64_t to)
{
	const double seconds = explain_seconds(from, to);

	if (seconds >= 0)
		json_object_set_new(object, name, json_real(seconds));
}

static json_t *
event_list(uint64_t events)
{
	json_t *list = json_array();

	for (unsigned int event = 0; event < EXPLAIN_EVENTS; event++)
		if (events & explain_event_bit(event))
			json_array_append_new(list, json_string(explain_event_slug(event)));
	return list;
}

static json_t *
step_object(const struct explain_conn *conn, const struct explain_step *step)
{
	char flags[9], options[256];
	json_t *object = json_object();

	json_object_set_new(object, "frame", json_integer((json_int_t)step->number));
	json_object_set_new(object, "time",
			json_real((double)(step->time_ns - conn->times.first) / 1e9));
	json_object_set_new(object, "from", json_string(step->from == 0 ? "client" : "server"));
	json_object_set_new(object, "flags", json_string(explain_text_flags(step->flags, flags)));
	json_object_set_new(object, "seq", json_integer(step->seq));
	if (step->flags & TCP_ACK)
		json_object_set_new(object, "ack", json_integer(step->ack));
	json_object_set_new(object, "window", json_integer(step->window));
	json_object_set_new(object, "length", json_integer(step->payload_length));
	json_object_set_new(object, "options",
			json_string(explain_text_options(conn, step, options, sizeof(options))));
	json_object_set_new(object, "client", json_string(tcp_rules_state_name(step->state[0])));
	json_object_set_new(object, "server", json_string(tcp_rules_state_name(step->state[1])));
	json_object_set_new(object, "events", event_list(step->events));
	if (step->why != EXPLAIN_WHY_NONE)
		json_object_set_new(object, "why", json_string(explain_why_text(step->why)));
	return object;
}

static json_t *
end_object(const struct explain_end *end)
{
	char address[EXPLAIN_TEXT_ADDRESS];

	return json_pack("{s:s, s:i, s:s, s:I, s:I, s:I}", "address",
			explain_text_address(end->address, address), "port", (int)end->port,
			"state", tcp_rules_state_name(end->state), "segments",
			(json_int_t)end->packets, "bytes", (json_int_t)end->bytes,
			"retransmissions", (json_int_t)end->retransmissions);
}

static json_t *
times_object(const struct explain_times *times)
{
	json_t *object = json_object();

	set_seconds(object, "time_syn_ack", times->syn, times->syn_ack);
	set_seconds(object, "time_connect", times->syn, times->connected);
	set_seconds(object, "time_appconnect", times->syn, times->application);
	set_seconds(object, "time_starttransfer", times->syn, times->reply);
	set_seconds(object, "time_close", times->first, times->close);
	set_seconds(object, "time_total", times->first, times->last);
	return object;
}

static json_t *
counts_object(const struct explain_conn *conn)
{
	json_t *object = json_object();

	for (unsigned int event = 0; event < EXPLAIN_EVENTS; event++)
		if (conn->counts[event] > 0)
			json_object_set_new(object, explain_event_slug(event),
					json_integer(conn->counts[event]));
	return object;
}

static json_t *
connection_object(const struct explain_record *record)
{
	const struct explain_conn *conn = &record->conn;
	json_t *object = json_pack("{s:I, s:o, s:o, s:s, s:I, s:I, s:o, s:o}", "number",
			(json_int_t)record->number, "client", end_object(&conn->end[0]), "server",
			end_object(&conn->end[1]), "end",
			explain_text_fate(explain_conn_fate(conn)), "segments",
			(json_int_t)conn->packets, "start_ns", (json_int_t)conn->times.first,
			"times", times_object(&conn->times), "events", counts_object(conn));

	if (conn->reset)
		json_object_set_new(object, "why", json_string(explain_why_text(conn->fate_why)));
	if (conn->payload != NULL && explain_payload_name(conn->payload) != NULL)
		json_object_set_new(object, "protocol",
				json_string(explain_payload_name(conn->payload)));
	if (conn->payload != NULL && conn->payload->name[0] != '\0')
		json_object_set_new(object, "server_name", json_string(conn->payload->name));
	return object;
}

static void
print_ladder(const struct explain_record *record, FILE *out)
{
	fputs(",\"ladder\":[", out);
	for (size_t i = 0; i < record->steps; i++) {
		json_t *step = step_object(&record->conn, &record->step[i]);

		if (i > 0)
			fputc(',', out);
		json_dumpf(step, out, EXPLAIN_JSON_FORMAT);
		json_decref(step);
	}
	fputc(']', out);
}

static void
print_connection(const struct explain_record *record, bool ladder, FILE *out)
{
	print_open(connection_object(record), out);
	if (ladder)
		print_ladder(record, out);
	fputc('}', out);
}

static void
print_head(const struct explain *explain, const struct explain_file *file, FILE *out)
{
	json_t *head = json_pack("{s:i, s:o, s:s, s:I, s:I, s:I, s:I, s:I, s:f, s:I, s:I, s:o*}",
			"schema", 1, "file", json_text(file->path), "link", file->link, "tcp",
			(json_int_t)explain->kinds[EXPLAIN_TCP], "other_ip",
			(json_int_t)explain->kinds[EXPLAIN_NOT_TCP], "not_ip",
			(json_int_t)explain->kinds[EXPLAIN_NOT_IP], "fragments",
			(json_int_t)explain->kinds[EXPLAIN_FRAGMENT], "cut",
			(json_int_t)explain->kinds[EXPLAIN_CUT], "seconds",
			(double)(explain->latest_ns - explain->earliest_ns) / 1e9, "backward",
			(json_int_t)explain->backward, "total", (json_int_t)explain->records,
			"problem", file->problem != NULL ? json_text(file->problem) : NULL);

	print_open(head, out);
}

void
explain_print_json(const struct explain *explain, const struct explain_file *file, FILE *out)
{
	const char *comma = "\n";

	print_head(explain, file, out);
	fputs(",\"connections\":[", out);
	for (size_t i = 0; i < explain->records; i++) {
		if (!explain->record[i]->wanted)
			continue;
		fputs(comma, out);
		print_connection(explain->record[i], explain->filter.ladders, out);
		comma = ",\n";
	}
	fputs("]}\n", out);
}
