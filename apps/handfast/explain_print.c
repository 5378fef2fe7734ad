/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Ladders and summaries for people.
 */

#include <inttypes.h>

#include "explain/explain_text.h"
#include "tcp/tcp_rules.h"

#include "explain.h"

/* One line: when, the ends' states and who spoke, the header, what happened. */
static void
print_step(const struct explain_conn *conn, const struct explain_step *step, FILE *out)
{
	char flags[9], options[256], events[512];

	explain_text_options(conn, step, options, sizeof(options));
	fprintf(out, "%11.6f  %-11s %s %-11s  [%s], seq %" PRIu32,
			(double)(step->time_ns - conn->times.first) / 1e9,
			tcp_rules_state_name(step->state[0]), step->from == 0 ? "-->" : "<--",
			tcp_rules_state_name(step->state[1]),
			explain_text_flags(step->flags, flags), step->seq);
	if (step->payload_length > 0)
		fprintf(out, ":%" PRIu32, step->seq + step->payload_length);
	if (step->flags & TCP_ACK)
		fprintf(out, ", ack %" PRIu32, step->ack);
	fprintf(out, ", win %" PRIu32, step->window);
	if (options[0] != '\0')
		fprintf(out, ", options [%s]", options);
	fprintf(out, ", length %" PRIu32 "  # %s\n", step->payload_length,
			explain_text_events(step, events, sizeof(events)));
}

static void
print_time(const char *name, int64_t from, int64_t to, FILE *out)
{
	const double seconds = explain_seconds(from, to);

	if (seconds >= 0)
		fprintf(out, "  %s %.6f", name, seconds);
}

static void
print_times(const struct explain_conn *conn, FILE *out)
{
	const struct explain_times *times = &conn->times;

	print_time("time_connect", times->syn, times->connected, out);
	print_time("time_appconnect", times->syn, times->application, out);
	print_time("time_starttransfer", times->syn, times->reply, out);
	print_time("time_total", times->first, times->last, out);
}

static void
print_heading(const struct explain_record *record, FILE *out)
{
	const struct explain_conn *conn = &record->conn;
	const char *protocol = conn->payload != NULL ? explain_payload_name(conn->payload) : NULL;
	char client[EXPLAIN_TEXT_ADDRESS], server[EXPLAIN_TEXT_ADDRESS];

	fprintf(out, "connection %" PRIu64 "  %s --> %s  %" PRIu64 " segments, %s", record->number,
			explain_text_end(&conn->end[0], client),
			explain_text_end(&conn->end[1], server), conn->packets,
			explain_text_fate(explain_conn_fate(conn)));
	if (protocol != NULL)
		fprintf(out, ", %s", protocol);
	if (conn->payload != NULL && conn->payload->name[0] != '\0')
		fprintf(out, " %s", conn->payload->name);
	fputc('\n', out);
	print_times(conn, out);
	fputc('\n', out);
}

void
explain_print_ladders(const struct explain *explain, FILE *out)
{
	for (size_t i = 0; i < explain->records; i++) {
		const struct explain_record *record = explain->record[i];

		if (!record->wanted)
			continue;
		print_heading(record, out);
		fprintf(out, "%11s  %-11s     %-11s\n", "time", "client", "server");
		for (size_t s = 0; s < record->steps; s++)
			print_step(&record->conn, &record->step[s], out);
		fputc('\n', out);
	}
}

static void
print_cell(double seconds, FILE *out)
{
	if (seconds >= 0)
		fprintf(out, "  %12.6f", seconds);
	else
		fprintf(out, "  %12s", "-");
}

static void
print_line(const struct explain_record *record, FILE *out)
{
	const struct explain_conn *conn = &record->conn;
	const struct explain_times *times = &conn->times;
	const char *protocol = conn->payload != NULL ? explain_payload_name(conn->payload) : NULL;
	char client[EXPLAIN_TEXT_ADDRESS], server[EXPLAIN_TEXT_ADDRESS];

	fprintf(out, "%6" PRIu64 "  %-23s %-23s %8" PRIu64 " %10" PRIu64 " %10" PRIu64 " %6" PRIu64,
			record->number, explain_text_end(&conn->end[0], client),
			explain_text_end(&conn->end[1], server), conn->packets, conn->end[0].bytes,
			conn->end[1].bytes,
			conn->end[0].retransmissions + conn->end[1].retransmissions);
	print_cell(explain_seconds(times->syn, times->connected), out);
	print_cell(explain_seconds(times->syn, times->application), out);
	print_cell(explain_seconds(times->first, times->last), out);
	fprintf(out, "  %s", explain_text_fate(explain_conn_fate(conn)));
	if (protocol != NULL)
		fprintf(out, ", %s", protocol);
	fputc('\n', out);
}

static void
print_total(const struct explain *explain, const struct explain_file *file, FILE *out)
{
	static const char *const kinds[EXPLAIN_KINDS] = {"TCP segments", "other IP packets",
			"not IP", "fragments", "cut off or malformed"};
	const char *comma = ": ";

	fprintf(out, "%s (%s): %" PRIu64 " packets in %.6f s, %zu connections", file->path,
			file->link, explain_packets(explain),
			(double)(explain->latest_ns - explain->earliest_ns) / 1e9,
			explain->records);
	for (unsigned int kind = 0; kind < EXPLAIN_KINDS; kind++) {
		if (explain->kinds[kind] == 0)
			continue;
		fprintf(out, "%s%" PRIu64 " %s", comma, explain->kinds[kind], kinds[kind]);
		comma = ", ";
	}
	fputc('\n', out);
	if (explain->backward == 0)
		return;
	fprintf(out,
			"%" PRIu64
			" packets are older than the one before them: clocks were set back, "
			"or the file is of several; times across that mean little\n",
			explain->backward);
}

/* What happened how often, over the connections that were asked for. */
static void
print_events(const struct explain *explain, FILE *out)
{
	for (unsigned int event = 0; event < EXPLAIN_EVENTS; event++) {
		uint64_t count = 0;

		for (size_t i = 0; i < explain->records; i++)
			if (explain->record[i]->wanted)
				count += explain->record[i]->conn.counts[event];
		if (count > 0)
			fprintf(out, "%10" PRIu64 "  %s\n", count, explain_event_text(event));
	}
}

void
explain_print_summary(const struct explain *explain, const struct explain_file *file, FILE *out)
{
	if (!explain->filter.ladders) {
		fprintf(out, "%6s  %-23s %-23s %8s %10s %10s %6s  %12s  %12s  %12s  %s\n", "number",
				"client", "server", "segments", "bytes out", "bytes back", "again",
				"time_connect", "appconnect", "time_total", "end");
		for (size_t i = 0; i < explain->records; i++)
			if (explain->record[i]->wanted)
				print_line(explain->record[i], out);
		fputc('\n', out);
	}
	print_events(explain, out);
	print_total(explain, file, out);
}
