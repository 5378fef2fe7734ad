/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * `handfast run`: the daemon.
 */

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/control.h"
#include "engine/engine.h"
#include "engine/launch.h"
#include "engine/log.h"
#include "engine/telemetry.h"
#include "settings/settings.h"

#include "exit_code.h"
#include "preflight.h"
#include "verbs.h"

const char run_help[] =
		"usage: handfast run -c FILE [--eal ARGUMENTS] [--print-config]\n"
		"\n"
		"Runs the engine in the foreground.  SIGTERM or SIGINT drains it and exits 0, a "
		"second "
		"one\n"
		"stops at once; SIGHUP reads the configuration again, as `handfast reload` does;\n"
		"SIGUSR1 writes the statistics to standard error.\n"
		"\n"
		"  -c, --config FILE    the configuration; `handfast check FILE` reads it without "
		"running\n"
		"  --eal ARGUMENTS      further DPDK EAL arguments, in place of engine.eal\n"
		"  --print-config       print the settings in full, defaults included, and exit\n"
		"\n"
		"exit codes: 0 stopped as asked, 1 ran into trouble, 2 usage, 3 configuration,\n"
		"4 machine not ready, 5 a device, 6 permission\n"
		"\n"
		"examples:\n"
		"  handfast run -c config/responder.yaml\n"
		"  handfast run -c config/responder.yaml --eal \"--log-level=lib.eal:debug\"\n";

struct run_options {
	const char *config;
	const char *eal;
	bool print;
};

static int
run_parse(int argc, char **argv, struct run_options *options)
{
	static const struct option known[] = {{"config", required_argument, NULL, 'c'},
			{"eal", required_argument, NULL, 'e'},
			{"print-config", no_argument, NULL, 'p'}, {0}};
	int option;

	while ((option = getopt_long(argc, argv, "c:", known, NULL)) != -1) {
		if (option == 'c')
			options->config = optarg;
		else if (option == 'e')
			options->eal = optarg;
		else if (option == 'p')
			options->print = true;
		else
			return EXIT_CODE_USAGE;
	}
	if (options->config == NULL || optind != argc) {
		fprintf(stderr,
				"%s: needs a configuration, and nothing else: handfast run -c "
				"FILE\n",
				argv[0]);
		return EXIT_CODE_USAGE;
	}
	return EXIT_CODE_OK;
}

static int
run_engine(const struct settings *settings, const struct run_options *options)
{
	struct engine *engine;
	int code = EXIT_CODE_RUNTIME;
	/* Absolute, for whoever reads a message about it. */
	char *path = realpath(options->config, NULL);

	log_init((enum log_level)settings->engine.log_level);
	control_block_signals();
	switch (launch_start(settings, &engine)) {
	case LAUNCH_OK:
		break;
	case LAUNCH_NO_DEVICE:
		code = EXIT_CODE_DEVICE;
		goto end;
	case LAUNCH_NO_MEMORY:
	case LAUNCH_NO_EAL:
		goto end;
	}
	engine->reload.path = path != NULL ? path : options->config;
	engine->reload.eal = options->eal;
	log_info("control", "ready");
	control_run(engine);
	launch_quiesce(engine);
	telemetry_dump(engine, stderr);
	launch_stop(engine);
	code = EXIT_CODE_OK;
end:
	free(path);
	return code;
}

int
run_verb(int argc, char **argv)
{
	struct run_options options = {0};
	struct settings *settings;
	int code = run_parse(argc, argv, &options);

	if (code != EXIT_CODE_OK)
		return code;
	settings = settings_load(options.config, stderr);
	if (settings == NULL)
		return EXIT_CODE_SETTINGS;
	if (options.eal != NULL)
		snprintf(settings->engine.eal, sizeof(settings->engine.eal), "%s", options.eal);
	if (options.print) {
		settings_print(settings, stdout);
	} else {
		code = preflight(settings, stderr);
		if (code == EXIT_CODE_OK)
			code = run_engine(settings, &options);
	}
	settings_free(settings);
	return code;
}
