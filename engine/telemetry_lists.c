/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdlib.h>

#include <rte_common.h>
#include <rte_telemetry.h>

#include "engine/compat.h"
#include "engine/engine.h"
#include "engine/log.h"
#include "engine/telemetry_lists.h"
#include "engine/telemetry_text.h"

/* The first mistakes; DPDK's answers end at 16 KiB. */
#define TELEMETRY_ERRORS_MAX 3000

static void
telemetry_add_lists(struct engine *engine, struct rte_tel_data *data)
{
	struct lists_report report;

	lists_show(&engine->lists, &report);
	rte_tel_data_add_dict_string(data, "used", report.used ? "yes" : "no");
	compat_add_dict_uint(data, "denied", report.denied);
	compat_add_dict_uint(data, "allowed", report.allowed);
	compat_add_dict_uint(data, "ranges", report.ranges);
	compat_add_dict_uint(data, "bytes", report.bytes);
}

int
telemetry_lists(struct engine *engine, const char *parameters, struct rte_tel_data *data)
{
	RTE_SET_USED(parameters);
	rte_tel_data_start_dict(data);
	telemetry_add_lists(engine, data);
	return 0;
}

int
telemetry_lists_reload(struct engine *engine, const char *parameters, struct rte_tel_data *data)
{
	const uint64_t began_us = clock_us(&engine->clock);
	char *text = NULL;
	size_t length = 0;
	FILE *errors = open_memstream(&text, &length);
	bool good;

	RTE_SET_USED(parameters);
	if (errors == NULL)
		return -1;
	good = lists_reload(engine, NULL, errors);
	fclose(errors);
	if (good) {
		rte_tel_data_start_dict(data);
		rte_tel_data_add_dict_string(data, "result", "ok");
		compat_add_dict_uint(data, "ms", (clock_us(&engine->clock) - began_us) / 1000);
		telemetry_add_lists(engine, data);
	} else {
		log_warning("lists", "not read again, those in use stay");
		text[RTE_MIN(length, (size_t)TELEMETRY_ERRORS_MAX)] = '\0';
		telemetry_say_problem(data, text, "");
	}
	free(text);
	return 0;
}
