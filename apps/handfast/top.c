/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * `handfast top`: the screen of `stats`, again every second.
 *
 * Plain ANSI, no curses: the cursor goes home, every line is cut to the width of the terminal and
 * cleared to its end.  That is all a screen of text needs, and nothing flickers.
 */

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <rte_common.h>

#include "exit_code.h"
#include "sample.h"
#include "screen.h"
#include "top.h"
#include "verbs.h"

#define HIDE_CURSOR    "\033[?25l"
#define SHOW_CURSOR    "\033[?25h"
#define HOME           "\033[H"
#define CLEAR_SCREEN   "\033[2J"
#define CLEAR_LINE_END "\033[K"
#define CLEAR_BELOW    "\033[J"
#define BOLD           "\033[1m"
#define PLAIN          "\033[0m"

const char top_help[] =
		"usage: handfast top [--interval SECONDS] [--instance NAME]\n"
		"\n"
		"Shows the statistics of a running engine on the whole terminal, again every "
		"second;\n"
		"q ends it.  Without a terminal: one line of key=value pairs per second.  The\n"
		"environment variable NO_COLOR keeps it from using bold type.\n"
		"\n"
		"  --interval SECONDS  from 0.1 to 86400, default 1\n"
		"  --instance NAME     engine.instance of the configuration, default handfast\n"
		"\n"
		"examples:\n"
		"  handfast top\n"
		"  handfast top --instance lab --interval 5\n";

static volatile sig_atomic_t interrupted;

static void
on_signal(int signal_number)
{
	(void)signal_number;
	interrupted = 1;
}

/** Take over the terminal. @return whether standard input is one, and @p old its settings */
static bool
terminal_enter(struct termios *old)
{
	struct sigaction action = {.sa_handler = on_signal};
	struct termios raw;

	interrupted = 0;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	fputs(HIDE_CURSOR CLEAR_SCREEN, stdout);
	if (tcgetattr(STDIN_FILENO, old) != 0)
		return false;
	raw = *old;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	return true;
}

static void
terminal_leave(bool has_input, const struct termios *old)
{
	if (has_input)
		tcsetattr(STDIN_FILENO, TCSANOW, old);
	fputs(SHOW_CURSOR, stdout);
	fflush(stdout);
}

/** Write text line by line, cut to the terminal, over what was there. */
static void
draw(const char *text)
{
	struct winsize size = {.ws_row = 24, .ws_col = 80};
	bool bold = getenv("NO_COLOR") == NULL;
	unsigned int row = 0;

	ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	if (size.ws_row == 0 || size.ws_col == 0)
		size = (struct winsize){.ws_row = 24, .ws_col = 80};
	fputs(HOME, stdout);
	while (*text != '\0' && row + 1 < size.ws_row) {
		size_t length = strcspn(text, "\n");

		fputs(row == 0 && bold ? BOLD : "", stdout);
		printf("%.*s", (int)RTE_MIN(length, (size_t)size.ws_col), text);
		fputs(row == 0 && bold ? PLAIN : "", stdout);
		fputs(CLEAR_LINE_END "\n", stdout);
		text += length + (text[length] == '\n');
		row++;
	}
	fputs(CLEAR_BELOW, stdout);
	fflush(stdout);
}

static void
draw_screen(const struct sample *now, const struct sample *before)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	if (stream == NULL)
		return;
	screen_print(stream, now, before);
	fclose(stream);
	if (text != NULL)
		draw(text);
	free(text);
}

static double
monotonic_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/** Wait. @return false when the user wants to leave */
static bool
wait_for_user(bool has_input, double seconds)
{
	struct pollfd input = {.fd = has_input ? STDIN_FILENO : -1, .events = POLLIN};
	double deadline = monotonic_seconds() + seconds;

	while (!interrupted) {
		double left = deadline - monotonic_seconds();
		char key;

		if (left <= 0)
			return true;
		if (poll(&input, 1, (int)(left * 1000) + 1) <= 0)
			continue;
		if (read(STDIN_FILENO, &key, 1) != 1)
			input.fd = -1;
		else if (key == 'q' || key == 'Q')
			return false;
	}
	return false;
}

int
top_show(struct telemetry_client *client, double interval_seconds)
{
	struct sample before = {0};
	struct sample now = {0};
	struct termios old;
	bool has_input;
	double wait = 0.2; /* Until the first rates; then the interval. */
	int result = sample_take(&before, client);

	if (result != 0) {
		sample_free(&before);
		return result;
	}
	has_input = terminal_enter(&old);
	while (wait_for_user(has_input, wait)) {
		result = sample_take(&now, client);
		if (result != 0)
			break;
		draw_screen(&now, &before);
		sample_free(&before);
		before = now;
		memset(&now, 0, sizeof(now));
		wait = interval_seconds;
	}
	terminal_leave(has_input, &old);
	sample_free(&before);
	sample_free(&now);
	return result;
}

int
top_verb(int argc, char **argv)
{
	static const struct option options[] = {{"instance", required_argument, NULL, 'i'},
			{"interval", required_argument, NULL, 's'}, {0}};
	static char watch[128] = "--watch=1";
	char *stats_argv[4] = {argv[0], watch, NULL, NULL};
	int stats_argc = 2;
	static char instance[128];
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'i') {
			snprintf(instance, sizeof(instance), "--instance=%s", optarg);
			stats_argv[2] = instance;
			stats_argc = 3;
		} else if (option == 's') {
			snprintf(watch, sizeof(watch), "--watch=%s", optarg);
		} else {
			return EXIT_CODE_USAGE;
		}
	}
	if (optind != argc) {
		fprintf(stderr, "%s: takes no arguments\n", argv[0]);
		return EXIT_CODE_USAGE;
	}
	optind = 0; /* Begin anew with another vector. */
	return stats_verb(stats_argc, stats_argv);
}
