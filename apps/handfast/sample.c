/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * A list comes as an object of objects, {"0": {...}, "1": {...}}: DPDK 22.11 cannot put objects
 * into an array.  DPDK also cuts an answer at 16 KiB, at the end of an element and silently, and an
 * object at 256 elements.  Lists are therefore read from an offset until as many elements came as
 * /handfast/info announced.
 */

#include <string.h>
#include <time.h>

#include "sample.h"

static double
monotonic_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int
ask_object(struct telemetry_client *client, const char *command, json_t **object)
{
	*object = telemetry_client_ask(client, "%s", command);
	return *object == NULL ? -1 : 0;
}

/** Append the elements of one answer to a list. @return how many */
static size_t
append_page(json_t *list, json_t *page)
{
	const char *key;
	json_t *element;

	json_object_foreach(page, key, element) json_array_append(list, element);
	return json_object_size(page);
}

/** Read the @p count elements of a list, in as many answers as it takes. */
static int
ask_list(struct telemetry_client *client, const char *command, uint64_t count, json_t **list)
{
	*list = json_array();
	while (json_array_size(*list) < count) {
		json_t *page = telemetry_client_ask(
				client, "%s,%zu", command, json_array_size(*list));
		size_t size;

		if (page == NULL)
			return -1;
		size = append_page(*list, page);
		json_decref(page);
		if (size == 0)
			break;
	}
	return 0;
}

static int
ask_port_counters(struct telemetry_client *client, json_t *ports)
{
	json_t *port;
	size_t i;

	json_array_foreach(ports, i, port)
	{
		json_t *counters = telemetry_client_ask(
				client, "/handfast/counters,%s", sample_text(port, "name"));

		if (counters == NULL)
			return -1;
		json_object_set_new(port, "counters", counters);
	}
	return 0;
}

int
sample_take(struct sample *sample, struct telemetry_client *client)
{
	memset(sample, 0, sizeof(*sample));
	sample->seconds = monotonic_seconds();
	sample->unix_seconds = time(NULL);
	if (ask_object(client, "/handfast/info", &sample->info) != 0)
		return -1;
	if (!json_is_object(sample->info)) {
		fputs("handfast: that instance is some other DPDK program\n", stderr);
		return -1;
	}
	if (ask_object(client, "/handfast/counters", &sample->counters) != 0 ||
			ask_object(client, "/handfast/latency", &sample->latency) != 0 ||
			ask_list(client, "/handfast/workers",
					sample_number(sample->info, "workers"),
					&sample->workers) != 0 ||
			ask_list(client, "/handfast/ports", sample_number(sample->info, "ports"),
					&sample->ports) != 0 ||
			ask_list(client, "/handfast/services",
					sample_number(sample->info, "services"),
					&sample->services) != 0 ||
			ask_list(client, "/handfast/backends",
					sample_number(sample->info, "backends"),
					&sample->backends) != 0)
		return -1;
	return ask_port_counters(client, sample->ports);
}

void
sample_free(struct sample *sample)
{
	json_decref(sample->info);
	json_decref(sample->counters);
	json_decref(sample->latency);
	json_decref(sample->workers);
	json_decref(sample->ports);
	json_decref(sample->services);
	json_decref(sample->backends);
	memset(sample, 0, sizeof(*sample));
}

uint64_t
sample_number(const json_t *object, const char *name)
{
	json_int_t number = json_integer_value(json_object_get(object, name));

	return number < 0 ? 0 : (uint64_t)number;
}

const char *
sample_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text == NULL ? "-" : text;
}

uint64_t
sample_sum(const json_t *array, const char *name)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < json_array_size(array); i++)
		sum += sample_number(json_array_get(array, i), name);
	return sum;
}

uint64_t
sample_drops(const json_t *counters)
{
	uint64_t sum = 0;
	const char *name;
	json_t *value;

	/* The macro's iterator wants a pointer to a mutable object and does not change it. */
	json_object_foreach((json_t *)(uintptr_t)counters, name, value)
	{
		if (strncmp(name, "drop_", 5) == 0 && strcmp(name, "drop_consumed") != 0)
			sum += (uint64_t)json_integer_value(value);
	}
	return sum;
}

double
sample_rate(const struct sample *now, const struct sample *before, uint64_t number_now,
		uint64_t number_before)
{
	double elapsed = now->seconds - before->seconds;

	if (elapsed <= 0 || number_now < number_before)
		return 0;
	return (double)(number_now - number_before) / elapsed;
}
