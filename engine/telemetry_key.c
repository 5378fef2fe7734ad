/* SPDX-License-Identifier: BSD-3-Clause */

#include <rte_common.h>
#include <rte_telemetry.h>

#include "engine/compat.h"
#include "engine/engine.h"
#include "engine/telemetry_key.h"
#include "engine/telemetry_text.h"

static void
telemetry_add_ids(struct rte_tel_data *data, const struct cookies_ids *ids)
{
	static const char *const sources[] = {
			[COOKIES_RANDOM] = "random",
			[COOKIES_FILE] = "file",
			[COOKIES_CREDENTIALS] = "credential",
	};

	rte_tel_data_add_dict_string(data, "source", sources[ids->source]);
	rte_tel_data_add_dict_string(data, "active", ids->active);
	rte_tel_data_add_dict_string(data, "accepted", ids->accepted);
	rte_tel_data_add_dict_string(data, "retired", ids->retired);
	compat_add_dict_uint(data, "retired_seconds", ids->retired_seconds);
}

int
telemetry_key(struct engine *engine, const char *parameters, struct rte_tel_data *data)
{
	struct cookies_ids ids;

	RTE_SET_USED(parameters);
	cookies_show(&engine->cookies, &ids);
	rte_tel_data_start_dict(data);
	telemetry_add_ids(data, &ids);
	return 0;
}

int
telemetry_key_rotate(struct engine *engine, const char *parameters, struct rte_tel_data *data)
{
	struct secret_problem problem;
	struct cookies_ids ids;

	RTE_SET_USED(parameters);
	if (!cookies_rotate(engine, &ids, &problem))
		return telemetry_say_problem(data, problem.what, problem.remedy);
	rte_tel_data_start_dict(data);
	rte_tel_data_add_dict_string(data, "result", "ok");
	rte_tel_data_add_dict_string(data, "before", ids.before);
	telemetry_add_ids(data, &ids);
	return 0;
}
