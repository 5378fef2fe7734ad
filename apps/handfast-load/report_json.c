/* SPDX-License-Identifier: BSD-3-Clause */

#include <inttypes.h>

#include "engine/engine.h"

#include "report_json.h"
#include "version.h"

static void
write_targets(const struct report *report, FILE *out)
{
	const struct settings_endpoints *targets = &report->options->plan.targets;

	fputs("\"targets\":[", out);
	for (unsigned int i = 0; i < targets->count; i++) {
		const bool ipv6 = !flow_key_is_ipv4(targets->item[i].address);
		char address[46];

		fprintf(out, "%s\"%s%s%s:%u\"", i > 0 ? "," : "", ipv6 ? "[" : "",
				settings_format_address(targets->item[i].address, address),
				ipv6 ? "]" : "", rte_be_to_cpu_16(targets->item[i].port));
	}
	fputs("],", out);
}

void
report_json_start(struct report *report)
{
	const struct load_plan *plan = &report->options->plan;
	FILE *out = report->json;

	fprintf(out,
			"{\"type\":\"start\",\"schema\":%d,\"version\":\"%s\",\"exchange\":\"%s\","
			"\"packets_per_connection\":%u,",
			REPORT_JSON_SCHEMA, VERSION_TEXT " " VERSION_COMMIT,
			options_exchanges[plan->exchange], options_packets(plan));
	write_targets(report, out);
	fprintf(out,
			"\"sources\":%" PRIu64 ",\"tuples\":%" PRIu64 ",\"workers\":%u,"
			"\"concurrency\":%u,\"rate\":%.10g,\"spacing\":\"%s\",\"count\":%" PRIu64
			",",
			load_sources(report->engine), load_tuples(report->engine),
			report->engine->worker_count, plan->concurrency, plan->rate,
			plan->shape == PACE_POISSON ? "poisson" : "even", plan->count);
	fprintf(out,
			"\"requests\":%u,\"delay\":%.6f,\"ramp_up\":%.6f,\"duration\":%.6f,"
			"\"ramp_down\":%.6f}\n",
			plan->requests, (double)plan->delay_us / 1e6,
			(double)plan->ramp_up_us / 1e6, (double)plan->duration_us / 1e6,
			(double)plan->ramp_down_us / 1e6);
	report_flush(report, out);
}

static void
write_figures(FILE *out, const struct figures *figures)
{
	fputs("\"figures\":{", out);
	for (unsigned int i = 0; i < FIGURES; i++)
		fprintf(out, "%s\"%s\":%" PRIu64, i > 0 ? "," : "", figures_name((enum figure)i),
				figures->count[i]);
	fprintf(out, "},\"failures\":%" PRIu64 ",\"failed\":{", figures_failed(figures));
	for (unsigned int i = 0; i < FAILURES; i++)
		fprintf(out, "%s\"%s\":%" PRIu64, i > 0 ? "," : "",
				figures_failure_name((enum failure)i), figures->failed[i]);
	fputc('}', out);
}

static void
write_latency(FILE *out, const char *name, const struct histogram *histogram)
{
	static const double percentiles[] = {50, 90, 99, 99.9, 99.99};

	fprintf(out, "\"%s\":{\"count\":%" PRIu64, name, histogram_total(histogram));
	for (unsigned int i = 0; i < RTE_DIM(percentiles); i++)
		fprintf(out, ",\"p%g\":%" PRIu64, percentiles[i],
				histogram_percentile(histogram, percentiles[i]));
	fprintf(out, ",\"max\":%" PRIu64 "}", histogram->max);
}

static void
write_latencies(FILE *out, const struct figures *figures)
{
	fputs("\"latency_us\":{", out);
	write_latency(out, "connect", &figures->connect_us);
	fputc(',', out);
	write_latency(out, "first_byte", &figures->first_byte_us);
	fputc(',', out);
	write_latency(out, "close", &figures->close_us);
	fputc('}', out);
}

void
report_json_second(struct report *report, const struct report_second *second)
{
	FILE *out = report->json;

	fprintf(out,
			"{\"type\":\"second\",\"t\":%.3f,\"seconds\":%.6f,\"phase\":\"%s\","
			"\"active\":%u,\"rate\":%.1f,\"busy\":%.4f,",
			(double)second->sample->us / 1e6, second->seconds,
			report_phase_name(second->sample->phase), second->sample->active,
			second->rate, second->busy);
	write_figures(out, second->figures);
	fputc(',', out);
	write_latencies(out, second->figures);
	fputs("}\n", out);
	report_flush(report, out);
}

static void
write_thresholds(const struct report *report, FILE *out)
{
	bool met = true;

	fputs("\"thresholds\":[", out);
	for (unsigned int i = 0; i < report->threshold_count; i++) {
		const struct report_threshold *threshold = &report->threshold[i];

		fprintf(out, "%s{\"name\":\"%s\",\"wanted\":%.10g,\"got\":%.10g,\"met\":%s}",
				i > 0 ? "," : "", threshold->name, threshold->wanted,
				threshold->got, threshold->met ? "true" : "false");
		met &= threshold->met;
	}
	fprintf(out, "],\"met\":%s", met ? "true" : "false");
}

void
report_json_end(struct report *report, const struct report_whole *whole)
{
	FILE *out = report->json;

	fprintf(out,
			"{\"type\":\"end\",\"exchange\":\"%s\",\"packets_per_connection\":%u,"
			"\"packets_per_connection_seen\":%.4f,\"seconds\":%.6f,\"done\":%" PRIu64
			",\"rate\":%.1f,\"goodput\":%.1f,\"busy\":%.4f,",
			options_exchanges[report->options->plan.exchange],
			options_packets(&report->options->plan), whole->packets, whole->seconds,
			whole->done, whole->rate, whole->goodput, whole->busy);
	write_figures(out, &report->whole);
	fprintf(out, ",\"unfinished\":%" PRIu64 ",\"reuse_seconds\":", whole->unfinished);
	/* Tuples at random come in no rounds. */
	if (report->options->plan.random_order)
		fputs("null", out);
	else
		fprintf(out, "%.6f", whole->reuse_seconds);
	fprintf(out, ",\"cut_short\":%s,", whole->cut_short ? "true" : "false");
	write_latencies(out, &report->timed);
	fputc(',', out);
	write_thresholds(report, out);
	fputs("}\n", out);
	report_flush(report, out);
}
