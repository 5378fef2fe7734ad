/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_telemetry.h>

#include "engine/engine.h"
#include "engine/tap.h"
#include "engine/telemetry_tap.h"
#include "engine/telemetry_text.h"

#define TELEMETRY_TAP_SNAP_MIN 64
#define TELEMETRY_TAP_SNAP_MAX 9728

static bool
telemetry_tap_port(const struct engine *engine, const char *name, struct tap_wish *wish)
{
	wish->port = TAP_ANY;
	if (strcmp(name, "*") == 0)
		return true;
	for (unsigned int i = 0; i < engine->port_count; i++) {
		if (strcmp(engine->port[i].settings->name, name) == 0) {
			wish->port = (uint8_t)i;
			return true;
		}
	}
	return false;
}

static bool
telemetry_tap_direction(const char *word, struct tap_wish *wish)
{
	if (strcmp(word, "in") == 0)
		wish->directions = TAP_IN;
	else if (strcmp(word, "out") == 0)
		wish->directions = TAP_OUT;
	else if (strcmp(word, "both") == 0)
		wish->directions = TAP_IN | TAP_OUT;
	else
		return false;
	return true;
}

/* There is no port of that name, but some of others. */
static const char *
telemetry_tap_no_port(const struct engine *engine, const char *name, char *problem, size_t size)
{
	int used = snprintf(problem, size, "there is no port \"%s\"; there is", name);

	for (unsigned int i = 0; i < engine->port_count && used < (int)size; i++)
		used += snprintf(problem + used, size - (size_t)used, "%s %s", i > 0 ? "," : "",
				engine->port[i].settings->name);
	return problem;
}

/* @return what is wrong with the parameters, or NULL; @p problem has room for it. */
static const char *
telemetry_tap_parse(const struct engine *engine, const char *parameters, struct tap_wish *wish,
		char *problem, size_t size)
{
	char copy[128], *rest = NULL, *name, *direction, *snap;

	snprintf(copy, sizeof(copy), "%s", parameters != NULL ? parameters : "");
	name = strtok_r(copy, ",", &rest);
	direction = strtok_r(NULL, ",", &rest);
	snap = strtok_r(NULL, ",", &rest);
	if (snap == NULL)
		return "parameters are: port or *, in|out|both, snap length";
	if (!telemetry_tap_port(engine, name, wish))
		return telemetry_tap_no_port(engine, name, problem, size);
	if (!telemetry_tap_direction(direction, wish))
		return "the direction is in, out or both";
	wish->snap = (uint32_t)strtoul(snap, NULL, 10);
	if (wish->snap < TELEMETRY_TAP_SNAP_MIN || wish->snap > TELEMETRY_TAP_SNAP_MAX)
		return "the snap length is 64 to 9728 bytes";
	return NULL;
}

int
telemetry_tap_start(struct engine *engine, const char *parameters, struct rte_tel_data *data)
{
	static const struct {
		const char *reason;
		const char *remedy;
	} problems[] = {
			[TAP_BUSY] = {"another capture is running", "end it, or wait"},
			[TAP_NO_MEMORY] = {"no room for the packets in DPDK's run-time directory",
					"a smaller --snap"},
			[TAP_STOPPING] = {"the engine is stopping", ""},
	};
	struct tap_wish wish;
	char text[512];
	const char *problem = telemetry_tap_parse(engine, parameters, &wish, text, sizeof(text));
	enum tap_result result;

	if (problem != NULL)
		return telemetry_say_problem(data, problem, "handfast capture --help");
	result = tap_start(engine, &wish);
	if (result != TAP_OK)
		return telemetry_say_problem(
				data, problems[result].reason, problems[result].remedy);
	rte_tel_data_start_dict(data);
	rte_tel_data_add_dict_string(data, "result", "ok");
	return 0;
}

int
telemetry_tap_stop(struct engine *engine, const char *parameters, struct rte_tel_data *data)
{
	RTE_SET_USED(parameters);
	tap_stop(engine);
	rte_tel_data_start_dict(data);
	rte_tel_data_add_dict_string(data, "result", "ok");
	return 0;
}
