/* SPDX-License-Identifier: BSD-3-Clause */

#include <inttypes.h>

#include <jansson.h>

#include "observe/counters.h"
#include "settings/settings.h"

#include "json_text.h"
#include "replay_report.h"

static void
print_text(const struct replay_report *report, FILE *out)
{
	fprintf(out, "%s: %" PRIu64 " packets played", report->in, report->played);
	if (report->left_out > 0)
		fprintf(out, ", %" PRIu64 " of the captured server left out", report->left_out);
	if (report->ended > 0)
		fprintf(out, ", %" PRIu64 " connections ended for their clients", report->ended);
	if (report->cut > 0)
		fprintf(out, ", %" PRIu64 " cut off", report->cut);
	if (report->too_long > 0)
		fprintf(out, ", %" PRIu64 " too long", report->too_long);
	if (report->backward > 0)
		fprintf(out, "; time went backwards %" PRIu64 " times", report->backward);
	if (report->listen_short > 0)
		fprintf(out, "; SYNs to more than %u places: see --listen", SETTINGS_ENDPOINTS_MAX);
	fprintf(out, "; %u connections are left\n", replay_engine_connections(report->engine));
	for (unsigned int i = 0; i < COUNTERS; i++) {
		const uint64_t value = replay_engine_counter(report->engine, i);

		if (value > 0)
			fprintf(out, "%12" PRIu64 "  %s\n", value, counters_name((enum counter)i));
	}
}

static json_t *
counters_object(const struct replay_engine *engine)
{
	json_t *counters = json_object();

	for (unsigned int i = 0; i < COUNTERS; i++)
		json_object_set_new(counters, counters_name((enum counter)i),
				json_integer((json_int_t)replay_engine_counter(engine, i)));
	return counters;
}

static void
print_json(const struct replay_report *report, FILE *out)
{
	json_t *object = json_pack("{s:i, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:i, s:o}",
			"schema", 1, "file", json_text(report->in), "seed",
			(json_int_t)report->seed, "played", (json_int_t)report->played, "left_out",
			(json_int_t)report->left_out, "ended", (json_int_t)report->ended, "refused",
			(json_int_t)(report->cut + report->too_long), "too_long",
			(json_int_t)report->too_long, "backward", (json_int_t)report->backward,
			"connections", (int)replay_engine_connections(report->engine), "counters",
			counters_object(report->engine));

	json_dumpf(object, out, JSON_COMPACT);
	fputc('\n', out);
	json_decref(object);
}

bool
replay_report_print(const struct replay_report *report, bool json, FILE *out)
{
	if (json)
		print_json(report, out);
	else
		print_text(report, out);
	return fflush(out) == 0 && !ferror(out);
}
