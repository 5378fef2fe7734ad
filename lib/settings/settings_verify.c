/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The rules between options, but for addresses (settings_verify_address.c) and pools
 * (settings_verify_pool.c).
 *
 * A rule reports at the value that a reader would change: of two that clash, the later one, with
 * the line of the earlier one in the hint.
 */

#include "settings/settings_verify.h"

#include <string.h>

#include "respond/respond.h"

#define OPTION_OF(section, name) SETTINGS_OPTION_##section##_##name

_Static_assert(RESPOND_BODY_MAX == 1048576, "options.def: the maximum of body_size");

void
settings_verify_require(const struct settings_verify *verify, const struct settings_marks *marks,
		unsigned int option)
{
	static const char *const entry[SETTINGS_SECTION_COUNT] = {
			[SETTINGS_SECTION_port] = "port",
			[SETTINGS_SECTION_pool] = "pool",
			[SETTINGS_SECTION_service] = "service",
	};
	const struct settings_node *node = marks->option[option];

	if (node != NULL &&
			(node->refused || node->kind != SETTINGS_NODE_LIST || node->child != NULL))
		return;
	settings_problem_add(verify->errors, settings_schema_place(marks, option),
			"this %s has no %s", entry[settings_options[option].section],
			settings_options[option].name);
	settings_problem_hint(verify->errors, "%s: %s", settings_options[option].name,
			settings_options[option].help);
}

static void
require_entries(const struct settings_verify *verify, enum settings_section section,
		unsigned int count)
{
	static const struct settings_place start = {0, 1, 1};
	const struct settings_node *list = verify->source->list[section];

	if (count > 0 || (list == NULL && verify->source->doubtful))
		return;
	/* What is no list, or has entries that are no maps, was reported. */
	if (list != NULL && (list->refused || list->child != NULL))
		return;
	settings_problem_add(verify->errors, list != NULL ? &list->key->place : &start,
			"there are no %s", settings_option_section[section]);
	settings_problem_hint(verify->errors, "at least one port and one service are needed");
}

void
settings_verify_duplicate(const struct settings_verify *verify, const struct settings_marks *marks,
		const struct settings_marks *earlier, unsigned int option)
{
	settings_problem_add(verify->errors, settings_schema_place(marks, option),
			"%s %s is taken already", settings_options[option].name,
			marks->option[option]->text);
	settings_problem_hint(verify->errors, "the other one is in line %u",
			settings_schema_place(earlier, option)->line);
}

static void
verify_workers(const struct settings_verify *verify)
{
	const struct settings_marks *marks = &verify->source->engine;
	const struct settings_engine *engine = &verify->settings->engine;
	const struct settings_workers *workers = &engine->workers;
	unsigned int i, j;

	for (i = 0; i < workers->count && workers->cores[i] != SETTINGS_ANY_CORE; i++) {
		const struct settings_place *place =
				settings_schema_item_place(marks, OPTION_OF(engine, workers), i);

		for (j = 0; j < i && workers->cores[j] != workers->cores[i]; j++)
			;
		if (j < i) {
			settings_problem_add(verify->errors, place,
					"workers: core %u is listed twice", workers->cores[i]);
			continue;
		}
		if (!settings_verify_given(marks, OPTION_OF(engine, main_core)) ||
				engine->main_core != workers->cores[i])
			continue;
		settings_problem_add(verify->errors,
				settings_schema_place(marks, OPTION_OF(engine, main_core)),
				"main_core %u is a worker's core, too", engine->main_core);
		settings_problem_hint(verify->errors,
				"the control thread needs a core of its own: workers are in line "
				"%u",
				place->line);
	}
}

/* EAL arguments that follow from other options, and those options. */
static const struct {
	const char *argument;
	const char *instead;
} owned[] = {
		{"-a", "ports"},
		{"-c", "workers and main_core"},
		{"-l", "workers and main_core"},
		{"-m", "memory_size"},
		{"-w", "ports"},
		{"--allow", "ports"},
		{"--file-prefix", "instance"},
		{"--in-memory", "memory"},
		{"--lcores", "workers and main_core"},
		{"--main-lcore", "main_core"},
		{"--no-huge", "memory"},
		{"--socket-mem", "memory_size"},
		{"--vdev", "ports"},
};

/* getopt_long() takes -l1 for -l 1, and --lcor for --lcores. */
static bool
is_owned(const char *word, size_t length, const char *argument)
{
	size_t name = strcspn(word, "= \t");

	if (argument[1] != '-')
		return strncmp(word, argument, 2) == 0;
	name = RTE_MIN(name, length);
	return name > strlen("--") && strncmp(word, argument, name) == 0;
}

static void
verify_eal(const struct settings_verify *verify)
{
	const char *word = verify->settings->engine.eal;
	unsigned int i;

	word += strspn(word, " \t");
	while (*word != '\0') {
		size_t length = strcspn(word, " \t");

		for (i = 0; i < RTE_DIM(owned); i++) {
			if (!is_owned(word, length, owned[i].argument))
				continue;
			settings_problem_add(verify->errors,
					settings_schema_place(&verify->source->engine,
							OPTION_OF(engine, eal)),
					"eal: %.*s is set by handfast itself", (int)length, word);
			settings_problem_hint(verify->errors, "use %s", owned[i].instead);
			break;
		}
		word += length;
		word += strspn(word, " \t");
	}
}

static bool
is_same_device(const struct settings_device *left, const struct settings_device *right)
{
	/* Any number of ports can have nothing behind them. */
	return left->kind == right->kind && left->kind != SETTINGS_DEVICE_NULL &&
	       left->kind != SETTINGS_DEVICE_RING && strcmp(left->argument, right->argument) == 0;
}

static void
verify_port(const struct settings_verify *verify, unsigned int number)
{
	const struct settings_port *port = &verify->settings->port[number];
	const struct settings_marks *marks = &verify->source->port[number];
	unsigned int i;

	settings_verify_require(verify, marks, OPTION_OF(port, name));
	settings_verify_require(verify, marks, OPTION_OF(port, device));
	for (i = 0; i < number; i++) {
		const struct settings_marks *other = &verify->source->port[i];

		if (port->name[0] != '\0' &&
				strcmp(port->name, verify->settings->port[i].name) == 0)
			settings_verify_duplicate(verify, marks, other, OPTION_OF(port, name));
		if (settings_verify_given(marks, OPTION_OF(port, device)) &&
				settings_verify_given(other, OPTION_OF(port, device)) &&
				is_same_device(&port->device, &verify->settings->port[i].device))
			settings_verify_duplicate(verify, marks, other, OPTION_OF(port, device));
	}
}

void
settings_verify_pointless(const struct settings_verify *verify, const struct settings_marks *marks,
		unsigned int option, const char *with)
{
	settings_problem_add(verify->errors, settings_schema_place(marks, option),
			"%s means nothing with %s", settings_options[option].name, with);
	settings_problem_hint(verify->errors, "remove the line");
}

static void
verify_reply(const struct settings_verify *verify, const struct settings_service *service,
		const struct settings_marks *marks, const struct settings_service *standard)
{
	static const char *const replies[] = {
			[RESPOND_DISCARD] = "reply: discard",
			[RESPOND_ECHO] = "reply: echo",
			[RESPOND_BANNER] = "reply: banner",
			[RESPOND_HTTP] = "reply: http",
	};
	const char *reply = replies[service->reply];

	if (!settings_verify_sound(marks, OPTION_OF(service, reply)))
		return;
	if (service->reply != RESPOND_BANNER && strcmp(service->banner, standard->banner) != 0)
		settings_verify_pointless(verify, marks, OPTION_OF(service, banner), reply);
	if (service->reply != RESPOND_HTTP) {
		if (service->body_size != standard->body_size)
			settings_verify_pointless(
					verify, marks, OPTION_OF(service, body_size), reply);
		if (service->body_file[0] != '\0')
			settings_verify_pointless(
					verify, marks, OPTION_OF(service, body_file), reply);
		if (strcmp(service->content_type, standard->content_type) != 0)
			settings_verify_pointless(
					verify, marks, OPTION_OF(service, content_type), reply);
		if (service->websocket != standard->websocket)
			settings_verify_pointless(
					verify, marks, OPTION_OF(service, websocket), reply);
	} else if (service->body_file[0] != '\0' && service->body_size != standard->body_size) {
		settings_verify_pointless(
				verify, marks, OPTION_OF(service, body_size), "body_file");
	}
	if (service->reply == RESPOND_BANNER && service->banner[0] == '\0') {
		settings_problem_add(verify->errors,
				settings_schema_place(marks, OPTION_OF(service, banner)),
				"the banner is empty");
		settings_problem_hint(
				verify->errors, "a service that says nothing is reply: discard");
	}
	if (service->close == RESPOND_CLOSE_AFTER_REPLY &&
			(service->reply == RESPOND_DISCARD || service->reply == RESPOND_ECHO)) {
		settings_problem_add(verify->errors,
				settings_schema_place(marks, OPTION_OF(service, close)),
				"%s has no reply that ends", reply);
		settings_problem_hint(verify->errors, "close: peer or close: at_once");
	}
}

static void
verify_handshake(const struct settings_verify *verify, const struct settings_service *service,
		const struct settings_marks *marks, const struct settings_service *standard)
{
	if (service->cookies != SETTINGS_COOKIES_AUTO &&
			service->max_syn_rate != standard->max_syn_rate)
		settings_verify_pointless(verify, marks, OPTION_OF(service, max_syn_rate),
				service->cookies == SETTINGS_COOKIES_NEVER ? "cookies: never"
									   : "cookies: always");
	if (!service->fast_open && service->fast_open_pending != standard->fast_open_pending)
		settings_verify_pointless(verify, marks, OPTION_OF(service, fast_open_pending),
				"fast_open: false");
}

/* What only handfast's own answers have, in a service that others answer. */
static void
verify_mode(const struct settings_verify *verify, const struct settings_service *service,
		const struct settings_marks *marks, const struct settings_service *standard)
{
	const char *mode = service->mode == SETTINGS_MODE_PROXY ? "mode: proxy" : "mode: direct";
	const struct {
		unsigned int option;
		bool changed;
	} own[] = {
			{OPTION_OF(service, reply), service->reply != standard->reply},
			{OPTION_OF(service, close), service->close != standard->close},
			{OPTION_OF(service, banner),
					strcmp(service->banner, standard->banner) != 0},
			{OPTION_OF(service, body_size), service->body_size != standard->body_size},
			{OPTION_OF(service, body_file), service->body_file[0] != '\0'},
			{OPTION_OF(service, content_type),
					strcmp(service->content_type, standard->content_type) != 0},
			{OPTION_OF(service, websocket), service->websocket != standard->websocket},
			{OPTION_OF(service, fast_open), service->fast_open != standard->fast_open},
	};
	unsigned int i;

	for (i = 0; i < RTE_DIM(own); i++)
		if (own[i].changed)
			settings_verify_pointless(verify, marks, own[i].option, mode);
}

/* It becomes a header field (RFC 9110 section 5.5): one line of printable ASCII. */
static void
verify_content_type(const struct settings_verify *verify, const struct settings_service *service,
		const struct settings_marks *marks)
{
	const char *at = service->content_type;

	while (*at >= ' ' && *at <= '~')
		at++;
	if (*at == '\0' && service->content_type[0] > ' ' && at[-1] != ' ')
		return;
	settings_problem_add(verify->errors,
			settings_schema_place(marks, OPTION_OF(service, content_type)),
			"content_type cannot be sent in a header");
	settings_problem_hint(verify->errors, "printable ASCII such as text/plain is needed");
}

static void
verify_service(const struct settings_verify *verify, unsigned int number,
		const struct settings_service *standard)
{
	const struct settings_service *service = &verify->settings->service[number];
	const struct settings_marks *marks = &verify->source->service[number];
	unsigned int i;

	settings_verify_require(verify, marks, OPTION_OF(service, name));
	settings_verify_require(verify, marks, OPTION_OF(service, listen));
	for (i = 0; i < number && service->name[0] != '\0'; i++) {
		if (strcmp(service->name, verify->settings->service[i].name) != 0)
			continue;
		settings_verify_duplicate(verify, marks, &verify->source->service[i],
				OPTION_OF(service, name));
		break;
	}
	if (service->mode == SETTINGS_MODE_RESPOND)
		verify_reply(verify, service, marks, standard);
	else
		verify_mode(verify, service, marks, standard);
	verify_handshake(verify, service, marks, standard);
	verify_content_type(verify, service, marks);
}

bool
settings_verify(const struct settings_verify *verify)
{
	struct settings_service standard = {.name = ""};
	unsigned int i;

	settings_schema_set_defaults(verify->errors, SETTINGS_SECTION_service, &standard);
	require_entries(verify, SETTINGS_SECTION_port, verify->settings->port_count);
	require_entries(verify, SETTINGS_SECTION_service, verify->settings->service_count);
	verify_workers(verify);
	verify_eal(verify);
	for (i = 0; i < verify->settings->port_count; i++)
		verify_port(verify, i);
	for (i = 0; i < verify->settings->service_count; i++)
		verify_service(verify, i, &standard);
	settings_verify_pools(verify);
	return settings_verify_addresses(verify);
}
