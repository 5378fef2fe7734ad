/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Columns are wide enough for the largest figures, so that nothing moves while it is watched.
 */

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include <rte_common.h>

#include "screen.h"

#define FIGURE_MAX 24

/** A formatted figure, by value, so that several fit into one printf call. */
struct figure {
	char text[FIGURE_MAX];
};

/** Three significant digits and a unit: 0, 12, 1.25k, 206k, 4.02M. */
static struct figure
rate_figure(double rate)
{
	static const char units[] = {'\0', 'k', 'M', 'G', 'T'};
	struct figure figure;
	unsigned int unit = 0;

	while (rate >= 999.5 && unit + 1 < RTE_DIM(units)) {
		rate /= 1000;
		unit++;
	}
	snprintf(figure.text, sizeof(figure.text), "%.*f%.1s",
			unit == 0 || rate >= 99.95 ? 0
			: rate >= 9.995            ? 1
						   : 2,
			rate, &units[unit]);
	return figure;
}

/** Exactly, with commas. */
static struct figure
count_figure(uint64_t count)
{
	char digits[FIGURE_MAX];
	int length = snprintf(digits, sizeof(digits), "%" PRIu64, count);
	struct figure figure;
	char *out = figure.text;

	if (length > 18) {
		memcpy(figure.text, digits, sizeof(figure.text));
		return figure;
	}
	for (int i = 0; i < length; i++) {
		if (i != 0 && (length - i) % 3 == 0)
			*out++ = ',';
		*out++ = digits[i];
	}
	*out = '\0';
	return figure;
}

static struct figure
microseconds_figure(uint64_t microseconds)
{
	struct figure figure;

	if (microseconds < 10000)
		snprintf(figure.text, sizeof(figure.text), "%" PRIu64 "us", microseconds);
	else if (microseconds < 10000000)
		snprintf(figure.text, sizeof(figure.text), "%.1fms", (double)microseconds / 1e3);
	else
		snprintf(figure.text, sizeof(figure.text), "%.1fs", (double)microseconds / 1e6);
	return figure;
}

static struct figure
growth(const struct sample *now, const struct sample *before, const json_t *object_now,
		const json_t *object_before, const char *name)
{
	return rate_figure(sample_rate(now, before, sample_number(object_now, name),
			sample_number(object_before, name)));
}

static void
print_head(FILE *out, const struct sample *now)
{
	uint64_t uptime = sample_number(now->info, "uptime_seconds");

	fprintf(out,
			"handfast %s  instance %s  up %02" PRIu64 ":%02" PRIu64 ":%02" PRIu64
			"  workers %zu  ports %zu  services %zu  tsc %.1fGHz\n",
			sample_text(now->info, "version"), sample_text(now->info, "instance"),
			uptime / 3600, uptime / 60 % 60, uptime % 60, json_array_size(now->workers),
			json_array_size(now->ports), json_array_size(now->services),
			(double)sample_number(now->info, "tsc_hz") / 1e9);
}

static void
print_total(FILE *out, const struct sample *now, const struct sample *before)
{
	static const char *const names[] = {
			"syn_received", "opened", "closed", "reset", "timed_out", "requests"};
	uint64_t drops_now = sample_drops(now->counters);
	uint64_t drops_before = sample_drops(before->counters);

	fprintf(out, "%-18s %9s %9s %9s %9s %9s %9s %9s %11s\n", "", "SYN/s", "opened/s",
			"closed/s", "reset/s", "timeout/s", "request/s", "drop/s", "conns");
	fprintf(out, "%-18s", "total");
	for (unsigned int i = 0; i < RTE_DIM(names); i++)
		fprintf(out, " %9s",
				growth(now, before, now->counters, before->counters, names[i])
						.text);
	fprintf(out, " %9s %11s\n",
			rate_figure(sample_rate(now, before, drops_now, drops_before)).text,
			count_figure(sample_sum(now->workers, "connections")).text);
}

static void
print_workers(FILE *out, const struct sample *now, const struct sample *before)
{
	json_t *worker;
	size_t i;

	fprintf(out, "\n%-18s %9s %9s %9s %9s %11s %11s\n", "", "rx/s", "tx/s", "loops/s", "busy%",
			"conns", "capacity");
	json_array_foreach(now->workers, i, worker)
	{
		const json_t *old = json_array_get(before->workers, i);
		char name[32];

		snprintf(name, sizeof(name), "worker on core %" PRIu64,
				sample_number(worker, "core"));
		fprintf(out, "%-18s %9s %9s %9s %9" PRIu64 " %11s %11s\n", name,
				growth(now, before, worker, old, "rx").text,
				growth(now, before, worker, old, "tx").text,
				growth(now, before, worker, old, "loops").text,
				sample_number(worker, "busy_percent"),
				count_figure(sample_number(worker, "connections")).text,
				count_figure(sample_number(worker, "capacity")).text);
	}
}

static void
print_ports(FILE *out, const struct sample *now, const struct sample *before)
{
	json_t *port;
	size_t i;

	fputc('\n', out);
	json_array_foreach(now->ports, i, port)
	{
		const json_t *counters = json_object_get(port, "counters");
		const json_t *old = json_object_get(json_array_get(before->ports, i), "counters");

		fprintf(out,
				"port %-13s rx %s/s  tx %s/s  tx_full %s/s  missed %" PRIu64
				"  nombuf %" PRIu64 "  link %s  queues %" PRIu64
				"  csum %s  rss %s  mtu %" PRIu64 "  %s %s\n",
				sample_text(port, "name"),
				growth(now, before, counters, old, "rx").text,
				growth(now, before, counters, old, "tx").text,
				growth(now, before, counters, old, "tx_full").text,
				sample_number(port, "imissed"), sample_number(port, "rx_nombuf"),
				sample_text(port, "link"), sample_number(port, "queues"),
				sample_text(port, "csum"), sample_text(port, "rss"),
				sample_number(port, "mtu"), sample_text(port, "driver"),
				sample_text(port, "device"));
	}
}

/* A reload may have moved rows. */
static const json_t *
row_named(const json_t *rows, const char *name)
{
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		if (strcmp(sample_text(row, "name"), name) == 0)
			return row;
	}
	return NULL;
}

static void
print_services(FILE *out, const struct sample *now, const struct sample *before)
{
	json_t *service;
	size_t i;

	json_array_foreach(now->services, i, service)
	{
		const json_t *old = row_named(before->services, sample_text(service, "name"));
		const char *state = sample_text(service, "state");
		const bool responds = json_object_get(service, "reply") != NULL;
		uint64_t limit = sample_number(service, "max_connections");

		fprintf(out,
				"service %-10s %s%s%s%s  conns %s%s%s  opened %s/s  closed %s/s  "
				"requests %s/s  reset %s  timed out %s\n",
				sample_text(service, "name"),
				responds ? "" : sample_text(service, "mode"),
				responds ? sample_text(service, "reply") : "",
				strcmp(state, "open") == 0 ? "" : " ",
				strcmp(state, "open") == 0 ? "" : state,
				count_figure(sample_number(service, "connections")).text,
				limit == 0 ? "" : " of ",
				limit == 0 ? "" : count_figure(limit).text,
				growth(now, before, service, old, "opened").text,
				growth(now, before, service, old, "closed").text,
				growth(now, before, service, old, "requests").text,
				count_figure(sample_number(service, "reset")).text,
				count_figure(sample_number(service, "timed_out")).text);
	}
}

/* The row of a backend in another sample; its name is its pool's and its own. */
static const json_t *
backend_row(const json_t *rows, const json_t *backend)
{
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		if (strcmp(sample_text(row, "pool"), sample_text(backend, "pool")) == 0 &&
				strcmp(sample_text(row, "backend"),
						sample_text(backend, "backend")) == 0)
			return row;
	}
	return NULL;
}

static void
print_backends(FILE *out, const struct sample *now, const struct sample *before)
{
	json_t *backend;
	size_t i;

	json_array_foreach(now->backends, i, backend)
	{
		const json_t *old = backend_row(before->backends, backend);

		fprintf(out,
				"backend %-10s %-21s %-7s weight %" PRIu64 "  conns %s  new %s/s  "
				"failed %s  handshake p50 %s p99 %s  check %s\n",
				sample_text(backend, "pool"), sample_text(backend, "backend"),
				sample_text(backend, "state"), sample_number(backend, "weight"),
				count_figure(sample_number(backend, "connections")).text,
				growth(now, before, backend, old, "chosen").text,
				count_figure(sample_number(backend, "failed")).text,
				microseconds_figure(sample_number(backend, "handshake_us_p50"))
						.text,
				microseconds_figure(sample_number(backend, "handshake_us_p99"))
						.text,
				sample_text(backend, "check"));
	}
}

static void
print_latency(FILE *out, const struct sample *now)
{
	static const char *const names[][2] = {
			{"p50", "handshake_us_p50"},
			{"p90", "handshake_us_p90"},
			{"p99", "handshake_us_p99"},
			{"p99.9", "handshake_us_p999"},
			{"max", "handshake_us_max"},
	};

	fprintf(out, "%-17s", "handshake");
	for (unsigned int i = 0; i < RTE_DIM(names); i++)
		fprintf(out, "  %s %s", names[i][0],
				microseconds_figure(sample_number(now->latency, names[i][1])).text);
	fprintf(out, "  of %s\n", count_figure(sample_number(now->latency, "count")).text);
}

static void
print_drops(FILE *out, const struct sample *now, const struct sample *before)
{
	const char *name;
	json_t *value;
	bool any = false;

	fprintf(out, "%-17s", "drops");
	json_object_foreach(now->counters, name, value)
	{
		uint64_t count = (uint64_t)json_integer_value(value);
		double rate;

		if (strncmp(name, "drop_", 5) != 0 || count == 0)
			continue;
		rate = sample_rate(now, before, count, sample_number(before->counters, name));
		fprintf(out, "  %s %s", name + 5, count_figure(count).text);
		if (rate > 0)
			fprintf(out, " (%s/s)", rate_figure(rate).text);
		any = true;
	}
	fputs(any ? "\n" : "  none\n", out);
}

void
screen_print(FILE *out, const struct sample *now, const struct sample *before)
{
	print_head(out, now);
	print_total(out, now, before);
	print_workers(out, now, before);
	print_ports(out, now, before);
	print_services(out, now, before);
	print_backends(out, now, before);
	print_latency(out, now);
	print_drops(out, now, before);
}

static uint64_t
mean_busy(const struct sample *sample)
{
	size_t workers = json_array_size(sample->workers);

	return workers == 0 ? 0 : sample_sum(sample->workers, "busy_percent") / workers;
}

void
screen_print_line(FILE *out, const struct sample *now, const struct sample *before)
{
	static const char *const names[] = {"rx", "tx", "syn_received", "opened", "closed", "reset",
			"timed_out", "requests", "resets_sent", "synack_retransmits"};
	time_t seconds = (time_t)now->unix_seconds;
	char when[32];
	struct tm utc;

	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &utc));
	fprintf(out, "time=%s uptime=%" PRIu64 " conns=%" PRIu64 " busy_percent=%" PRIu64, when,
			sample_number(now->info, "uptime_seconds"),
			sample_sum(now->workers, "connections"), mean_busy(now));
	for (unsigned int i = 0; i < RTE_DIM(names); i++)
		fprintf(out, " %s_per_s=%.0f", names[i],
				sample_rate(now, before, sample_number(now->counters, names[i]),
						sample_number(before->counters, names[i])));
	fprintf(out, " drops_per_s=%.0f missed=%" PRIu64 " nombuf=%" PRIu64,
			sample_rate(now, before, sample_drops(now->counters),
					sample_drops(before->counters)),
			sample_sum(now->ports, "imissed"), sample_sum(now->ports, "rx_nombuf"));
	fprintf(out, " handshake_us_p50=%" PRIu64 " handshake_us_p99=%" PRIu64 "\n",
			sample_number(now->latency, "handshake_us_p50"),
			sample_number(now->latency, "handshake_us_p99"));
}
