/* SPDX-License-Identifier: BSD-3-Clause */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_telemetry.h>

#include "engine/backends_drain.h"
#include "engine/compat.h"
#include "engine/control.h"
#include "engine/engine.h"
#include "engine/telemetry_reload.h"
#include "engine/telemetry_text.h"

/* So much of a report fits one answer of 16 KiB, however much of it must be escaped. */
#define PAGE_MAX 6000

/* The report of the last command. */
static struct {
	pthread_mutex_t lock;
	unsigned int serial;
	char *text;
} telemetry_last = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* What the control thread is asked to do. */
struct telemetry_order {
	enum reload_result (*work)(
			struct engine *engine, const struct telemetry_order *order, FILE *report);
	const char *name;
	bool flag;
	bool silent; /* Nothing happens: the log hears nothing of it. */
	enum reload_result result;
	char *report; /* To be freed. */
};

static void
telemetry_carry_out(struct engine *engine, void *argument)
{
	struct telemetry_order *order = argument;
	size_t length;
	FILE *report = open_memstream(&order->report, &length);

	order->result = RELOAD_REFUSED;
	if (report == NULL)
		return;
	if (engine_phase(engine) == ENGINE_RUNNING)
		order->result = order->work(engine, order, report);
	else
		fputs("the engine is stopping\n", report);
	if (order->result == RELOAD_DONE && !order->silent)
		control_await_workers(engine, report);
	fclose(report);
	if (!order->silent)
		control_log_report(order->report,
				order->result == RELOAD_DONE || order->result == RELOAD_SAME);
}

/* A page of the last report. */
static void
telemetry_add_page(struct rte_tel_data *data, unsigned int offset)
{
	const char *text = telemetry_last.text + offset;
	const size_t length = strnlen(text, PAGE_MAX);
	char *page = strndup(text, length);

	if (page == NULL)
		return;
	telemetry_add_text(data, "report", page);
	compat_add_dict_uint(data, "serial", telemetry_last.serial);
	if (text[length] != '\0')
		compat_add_dict_uint(data, "next", offset + length);
	free(page);
}

static int
telemetry_order(struct telemetry_order *order, struct rte_tel_data *data)
{
	static const char *const results[] = {
			[RELOAD_DONE] = "done",
			[RELOAD_SAME] = "same",
			[RELOAD_BAD_FILE] = "bad_file",
			[RELOAD_REFUSED] = "refused",
	};

	if (!control_call(telemetry_carry_out, order))
		return telemetry_say_problem(data, "the engine is stopping", "");
	if (order->report == NULL)
		return telemetry_say_problem(data, "out of memory", "");
	rte_tel_data_start_dict(data);
	rte_tel_data_add_dict_string(data, "result", results[order->result]);
	pthread_mutex_lock(&telemetry_last.lock);
	free(telemetry_last.text);
	telemetry_last.text = order->report;
	telemetry_last.serial++;
	telemetry_add_page(data, 0);
	pthread_mutex_unlock(&telemetry_last.lock);
	return 0;
}

static enum reload_result
telemetry_do_reload(struct engine *engine, const struct telemetry_order *order, FILE *report)
{
	return reload_file(engine, order->flag, report);
}

int
telemetry_reload(struct engine *engine, const char *parameters, struct rte_tel_data *data)
{
	struct telemetry_order order = {.work = telemetry_do_reload};

	RTE_SET_USED(engine);
	if (parameters == NULL ||
			(strcmp(parameters, "run") != 0 && strcmp(parameters, "dry") != 0))
		return telemetry_say_problem(data, "parameter: run|dry", "");
	order.flag = strcmp(parameters, "dry") == 0;
	order.silent = order.flag;
	return telemetry_order(&order, data);
}

int
telemetry_reload_report(struct engine *engine, const char *parameters, struct rte_tel_data *data)
{
	unsigned int serial, offset;
	int result = -1;

	RTE_SET_USED(engine);
	if (parameters == NULL || sscanf(parameters, "%u,%u", &serial, &offset) != 2)
		return telemetry_say_problem(data, "parameters: SERIAL,OFFSET", "");
	pthread_mutex_lock(&telemetry_last.lock);
	if (telemetry_last.text != NULL && serial == telemetry_last.serial &&
			offset <= strlen(telemetry_last.text)) {
		rte_tel_data_start_dict(data);
		telemetry_add_page(data, offset);
		result = 0;
	}
	pthread_mutex_unlock(&telemetry_last.lock);
	return result;
}

static enum reload_result
telemetry_do_drain(struct engine *engine, const struct telemetry_order *order, FILE *report)
{
	const char *name = strcmp(order->name, "*") == 0 ? NULL : order->name;

	/* Names have no slash. */
	if (name != NULL && strchr(name, '/') != NULL)
		return backends_drain(engine, name, order->flag, report);
	return reload_drain(engine, name, order->flag, report);
}

int
telemetry_drain(struct engine *engine, const char *parameters, struct rte_tel_data *data)
{
	struct telemetry_order order = {.work = telemetry_do_drain};
	const char *comma = parameters != NULL ? strchr(parameters, ',') : NULL;

	RTE_SET_USED(engine);
	if (comma == NULL || comma[1] == '\0' ||
			(strncmp(parameters, "on,", 3) != 0 && strncmp(parameters, "off,", 4) != 0))
		return telemetry_say_problem(
				data, "parameters: on|off,SERVICE or POOL/ADDRESS:PORT", "");
	order.flag = strncmp(parameters, "on,", 3) == 0;
	order.name = comma + 1;
	return telemetry_order(&order, data);
}
