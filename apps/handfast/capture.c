/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * `handfast capture`: packets of a running engine, filtered here and written with our own rights.
 *
 * The engine leaves copies in shared memory (engine/tap_shared.h) for as long as this process is
 * alive and says so every second.
 */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <pcap/pcap.h>

#include "engine/tap_shared.h"

#include "capture_file.h"
#include "exit_code.h"
#include "telemetry_client.h"
#include "usage.h"
#include "verbs.h"

#define CAPTURE_SNAP_DEFAULT  2048
#define CAPTURE_BYTES_DEFAULT UINT64_C(1000000000)
#define CAPTURE_NAP_NS        2000000
#define CAPTURE_FILES_MAX     10000
/* Packets between two looks at the clock: a slow disk has them before the engine is impatient. */
#define CAPTURE_TURN 256

const char capture_help[] =
		"usage: handfast capture FILE [--filter EXPRESSION] [--port NAME]\n"
		"                        [--direction in|out|both] [OPTIONS]\n"
		"\n"
		"Writes packets of a running engine, in every memory mode, as pcapng (as pcap when "
		"FILE\n"
		"ends in .pcap; - is standard output).  What the engine's workers cannot copy in "
		"time is\n"
		"counted, never waited for.  One capture at a time.  Ctrl-C ends it.\n"
		"\n"
		"  -f, --filter EXPRESSION   as tcpdump's: \"tcp port 80 and host 10.0.0.1\"\n"
		"  -p, --port NAME           only this port of the engine\n"
		"  -d, --direction WHICH     in | out | both, the default\n"
		"  -c, --count N             end after N packets\n"
		"  -t, --duration SECONDS    end after so long\n"
		"  -C, --file-size MB        size of a file, default 1000; then the capture ends\n"
		"  -W, --files N             write a ring of N files FILE.1, FILE.2...\n"
		"  -s, --snap BYTES          keep so much of each packet, 64 to 9728, default "
		"2048\n"
		"  -i, --instance NAME       engine.instance of the configuration, default "
		"handfast\n"
		"\n"
		"exit codes: 0 ok, 1 no engine, another capture, the file cannot be written, or "
		"the\n"
		"engine died or gave the capture up, 2 usage, 6 permission\n"
		"\n"
		"examples:\n"
		"  handfast capture trace.pcapng --filter \"tcp[tcpflags] & tcp-syn != 0\" --count "
		"1000\n"
		"  handfast capture - --duration 10 | tshark -r -\n"
		"  handfast capture ring --file-size 100 --files 10 --port lan --direction in\n";

struct capture {
	const char *program;
	const char *instance;
	const char *filter;
	const char *port;
	const char *direction;
	struct capture_plan plan;
	uint64_t count;
	double seconds; /**< 0: until somebody ends it. */
	uint64_t snap;

	struct telemetry_client *client;
	struct tap_memory *memory;
	struct bpf_program program_of_filter;
	bool filtered;
	struct capture_file *file;
	uint64_t written;
	uint64_t passed_over; /**< By the filter. */
};

static volatile sig_atomic_t interrupted;

static void
interrupt(int number)
{
	(void)number;
	interrupted = 1;
}

static bool
parse_count(const char *text, uint64_t least, uint64_t most, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 10);
	return errno == 0 && end != text && *end == '\0' && text[0] != '-' && *value >= least &&
	       *value <= most;
}

static bool
parse_seconds(const char *text, double *seconds)
{
	char *end;

	*seconds = strtod(text, &end);
	return end != text && *end == '\0' && *seconds > 0 && *seconds < 1e9;
}

static bool
take_option(struct capture *capture, int option, const char *value)
{
	uint64_t number;

	switch (option) {
	case 'f':
		capture->filter = value;
		return true;
	case 'p':
		capture->port = value;
		return strlen(value) < TAP_NAME && strpbrk(value, ",") == NULL;
	case 'd':
		capture->direction = value;
		return strcmp(value, "in") == 0 || strcmp(value, "out") == 0 ||
		       strcmp(value, "both") == 0;
	case 'c':
		return parse_count(value, 1, UINT64_MAX, &capture->count);
	case 't':
		return parse_seconds(value, &capture->seconds);
	case 'C':
		if (!parse_count(value, 1, 1 << 20, &number))
			return false;
		capture->plan.bytes = number * 1000000;
		return true;
	case 'W':
		if (!parse_count(value, 1, CAPTURE_FILES_MAX, &number))
			return false;
		capture->plan.files = (unsigned int)number;
		return true;
	case 's':
		return parse_count(value, 64, 9728, &capture->snap);
	default:
		capture->instance = value;
		return true;
	}
}

/* What take_option() takes. */
static const char *
allowed(int option)
{
	switch (option) {
	case 'p':
		return "the name of one of the engine's ports";
	case 'd':
		return "in, out or both";
	case 'c':
		return "a number of packets, from 1 on";
	case 't':
		return "seconds, more than 0 and less than 1000000000";
	case 'C':
		return "megabytes, 1 to 1048576";
	case 'W':
		return "a number of files, 1 to 10000";
	default:
		return "bytes, 64 to 9728";
	}
}

static int
parse_options(int argc, char **argv, struct capture *capture)
{
	static const struct option known[] = {{"filter", required_argument, NULL, 'f'},
			{"port", required_argument, NULL, 'p'},
			{"direction", required_argument, NULL, 'd'},
			{"count", required_argument, NULL, 'c'},
			{"duration", required_argument, NULL, 't'},
			{"file-size", required_argument, NULL, 'C'},
			{"files", required_argument, NULL, 'W'},
			{"snap", required_argument, NULL, 's'},
			{"instance", required_argument, NULL, 'i'}, {0}};
	int option;

	while ((option = getopt_long(argc, argv, "f:p:d:c:t:C:W:s:i:", known, NULL)) != -1) {
		if (option == '?')
			return EXIT_CODE_USAGE;
		if (!take_option(capture, option, optarg)) {
			usage_refuse(argv[0], known, option, optarg, allowed(option));
			return EXIT_CODE_USAGE;
		}
	}
	if (optind + 1 != argc) {
		fprintf(stderr, "%s: needs a file: handfast capture FILE\n", argv[0]);
		return EXIT_CODE_USAGE;
	}
	capture->plan.path = argv[optind];
	capture->plan.filter = capture->filter;
	if (capture->plan.files > 1 && strcmp(capture->plan.path, "-") == 0) {
		fprintf(stderr, "%s: standard output is no ring of files\n", argv[0]);
		return EXIT_CODE_USAGE;
	}
	return EXIT_CODE_OK;
}

/* The filter in BPF; checked before the engine is asked for anything. */
static int
compile_filter(struct capture *capture)
{
	pcap_t *pcap;
	int result;

	if (capture->filter == NULL)
		return EXIT_CODE_OK;
	pcap = pcap_open_dead(DLT_EN10MB, (int)capture->snap);
	if (pcap == NULL)
		return EXIT_CODE_RUNTIME;
	result = pcap_compile(pcap, &capture->program_of_filter, capture->filter, 1,
			PCAP_NETMASK_UNKNOWN);
	if (result != 0)
		fprintf(stderr, "%s: filter \"%s\": %s\n", capture->program, capture->filter,
				pcap_geterr(pcap));
	pcap_close(pcap);
	capture->filtered = result == 0;
	return result == 0 ? EXIT_CODE_OK : EXIT_CODE_USAGE;
}

static int
report_refusal(const struct capture *capture, const json_t *answer)
{
	char reason[256], remedy[256];

	if (!json_is_object(answer)) {
		fprintf(stderr, "%s: the engine does not know this command\n", capture->program);
		return EXIT_CODE_RUNTIME;
	}
	telemetry_client_join(answer, "reason", reason, sizeof(reason));
	telemetry_client_join(answer, "remedy", remedy, sizeof(remedy));
	fprintf(stderr, "%s: %s\n", capture->program, reason);
	if (remedy[0] != '\0')
		fprintf(stderr, "try: %s\n", remedy);
	return EXIT_CODE_RUNTIME;
}

static int
arm(struct capture *capture)
{
	json_t *answer = telemetry_client_ask(capture->client, "/handfast/capture_start,%s,%s,%llu",
			capture->port, capture->direction, (unsigned long long)capture->snap);
	int code = EXIT_CODE_RUNTIME;

	if (answer == NULL)
		return code;
	if (json_is_object(answer) && json_object_get(answer, "reason") == NULL)
		code = EXIT_CODE_OK;
	else
		code = report_refusal(capture, answer);
	json_decref(answer);
	return code;
}

/* @return enum tap_ended, or 0. */
static uint64_t
ended(const struct capture *capture)
{
	return __atomic_load_n(&capture->memory->ended, __ATOMIC_ACQUIRE);
}

/* Unless it has ended: the next one may be another's. */
static void
disarm(struct capture *capture)
{
	if (capture->memory == NULL || ended(capture) == 0)
		json_decref(telemetry_client_ask(capture->client, "/handfast/capture_stop"));
}

/* An engine that ends says so first. */
static bool
engine_is_gone(const struct capture *capture)
{
	return telemetry_client_lost(capture->client) && ended(capture) == 0;
}

static int
map_memory(struct capture *capture)
{
	char directory[PATH_MAX], path[PATH_MAX + 256];
	void *memory = MAP_FAILED;
	struct stat status;
	int file;

	snprintf(path, sizeof(path), "%s/%s/%s",
			telemetry_client_directory(directory, sizeof(directory)), capture->instance,
			TAP_FILE);
	file = open(path, O_RDWR | O_CLOEXEC);
	if (file >= 0 && fstat(file, &status) == 0 && flock(file, LOCK_SH | LOCK_NB) == 0)
		memory = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED,
				file, 0);
	if (memory == MAP_FAILED) {
		fprintf(stderr, "%s: %s: %s\n", capture->program, path, strerror(errno));
		if (file >= 0)
			close(file);
		return errno == EACCES ? EXIT_CODE_PERMISSION : EXIT_CODE_RUNTIME;
	}
	capture->memory = memory;
	if (capture->memory->magic == TAP_MAGIC &&
			capture->memory->bytes == (uint64_t)status.st_size) {
		/* The file stays open, and so locked, until this process ends. */
		__atomic_store_n(&capture->memory->locked, 1, __ATOMIC_RELEASE);
		return EXIT_CODE_OK;
	}
	close(file);
	fprintf(stderr, "%s: the engine is of another version\n", capture->program);
	munmap(memory, (size_t)status.st_size);
	capture->memory = NULL;
	return EXIT_CODE_RUNTIME;
}

static bool
passes(const struct capture *capture, const struct tap_slot *slot)
{
	const struct pcap_pkthdr header = {.caplen = slot->captured, .len = slot->length};

	return !capture->filtered || pcap_offline_filter(&capture->program_of_filter, &header,
						     (const u_char *)(slot + 1)) != 0;
}

/* The ring with the oldest packet, so that the file is in order; -1: all are empty. */
static int
oldest(const struct capture *capture)
{
	uint64_t least = UINT64_MAX;
	int found = -1;

	for (unsigned int i = 0; i < capture->memory->rings; i++) {
		const struct tap_ring *ring = &capture->memory->ring[i];

		if (__atomic_load_n(&ring->head, __ATOMIC_ACQUIRE) == ring->tail)
			continue;
		if (tap_slot_at(capture->memory, i, ring->tail)->unix_ns < least) {
			least = tap_slot_at(capture->memory, i, ring->tail)->unix_ns;
			found = (int)i;
		}
	}
	return found;
}

/* The oldest @p most packets, or what is there. @return whether to go on. */
static bool
drain(struct capture *capture, unsigned int most, int *code)
{
	int i;

	while (most-- > 0 && (i = oldest(capture)) >= 0) {
		struct tap_ring *ring = &capture->memory->ring[i];
		const struct tap_slot *slot =
				tap_slot_at(capture->memory, (unsigned int)i, ring->tail);
		enum capture_written result = CAPTURE_WRITTEN;

		if (passes(capture, slot)) {
			result = capture_file_write(capture->file, slot);
			capture->written += result == CAPTURE_WRITTEN;
		} else {
			capture->passed_over++;
		}
		__atomic_store_n(&ring->tail, ring->tail + 1, __ATOMIC_RELEASE);
		if (result == CAPTURE_ERROR)
			*code = EXIT_CODE_RUNTIME;
		if (result != CAPTURE_WRITTEN ||
				(capture->count != 0 && capture->written == capture->count))
			return false;
	}
	return true;
}

static double
now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Tell the engine that we are there, and whom the file is for what is in it. @return good */
static bool
beat(struct capture *capture)
{
	__atomic_add_fetch(&capture->memory->beat, 1, __ATOMIC_RELAXED);
	return capture_file_flush(capture->file);
}

/* Write until somebody ends it. @return whether what is in the rings then is wanted, too. */
static bool
run(struct capture *capture, int *code)
{
	const double end = capture->seconds > 0 ? now_seconds() + capture->seconds : 1e300;
	const struct timespec nap = {.tv_nsec = CAPTURE_NAP_NS};
	double beaten = 0, now = now_seconds();

	while (!interrupted && now < end && ended(capture) == 0) {
		if (!drain(capture, CAPTURE_TURN, code))
			return false;
		if (now - beaten > 0.5) {
			beaten = now;
			if (!beat(capture)) {
				*code = EXIT_CODE_RUNTIME;
				return false;
			}
			if (engine_is_gone(capture))
				return true;
		}
		if (oldest(capture) < 0)
			nanosleep(&nap, NULL);
		now = now_seconds();
	}
	return true;
}

/* Have the engine end it, unless it has. @return exit code: whether it ended as it should. */
static int
conclude(struct capture *capture)
{
	if (engine_is_gone(capture)) {
		fprintf(stderr, "%s: the engine is gone; the capture ends here\n",
				capture->program);
		return EXIT_CODE_RUNTIME;
	}
	disarm(capture);
	if (ended(capture) != TAP_ENDED_SILENT)
		return EXIT_CODE_OK;
	fprintf(stderr,
			"%s: the engine ended the capture: it heard nothing from here for %d "
			"seconds\n"
			"try: a faster disk, or a reader of %s that keeps up\n",
			capture->program, TAP_PATIENCE_SECONDS, capture->plan.path);
	return EXIT_CODE_RUNTIME;
}

static uint64_t
dropped(const struct capture *capture)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < capture->memory->rings; i++)
		sum += __atomic_load_n(&capture->memory->ring[i].dropped, __ATOMIC_RELAXED);
	return sum;
}

static void
report(const struct capture *capture, uint64_t lost, uint64_t unsure)
{
	fprintf(stderr, "%s: %llu packets written", capture->program,
			(unsigned long long)(capture->written - unsure));
	if (unsure > 0)
		fprintf(stderr, " and perhaps some of %llu more", (unsigned long long)unsure);
	fprintf(stderr, ", %llu not wanted by the filter, %llu dropped\n",
			(unsigned long long)capture->passed_over, (unsigned long long)lost);
}

/* The engine's memory and our file. */
static int
begin(struct capture *capture)
{
	const struct sigaction action = {.sa_handler = interrupt};
	const int code = map_memory(capture);

	if (code != EXIT_CODE_OK)
		return code;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	capture->plan.memory = capture->memory;
	capture->file = capture_file_open(capture->program, &capture->plan);
	if (capture->file == NULL)
		return EXIT_CODE_RUNTIME;
	fprintf(stderr, "%s: capturing into %s; Ctrl-C ends it\n", capture->program,
			capture->plan.path);
	return EXIT_CODE_OK;
}

static int
capture_packets(struct capture *capture)
{
	int code = begin(capture), concluded;
	uint64_t lost, unsure;
	bool more;

	if (code != EXIT_CODE_OK) {
		disarm(capture);
		return code;
	}
	more = run(capture, &code);
	concluded = conclude(capture);
	/* All that may be in the rings, and no more, should the engine not have heard us. */
	if (more)
		drain(capture, capture->memory->rings * TAP_SLOTS, &code);
	lost = dropped(capture);
	if (!capture_file_close(capture->file, lost, &unsure))
		code = EXIT_CODE_RUNTIME;
	report(capture, lost, unsure);
	return code != EXIT_CODE_OK ? code : concluded;
}

int
capture_verb(int argc, char **argv)
{
	struct capture capture = {.program = argv[0],
			.instance = "handfast",
			.port = "*",
			.direction = "both",
			.snap = CAPTURE_SNAP_DEFAULT,
			.plan = {.bytes = CAPTURE_BYTES_DEFAULT, .files = 1}};
	int code = parse_options(argc, argv, &capture);

	if (code == EXIT_CODE_OK)
		code = compile_filter(&capture);
	if (code != EXIT_CODE_OK)
		return code;
	capture.client = telemetry_client_open(capture.instance, &code);
	if (capture.client != NULL) {
		code = arm(&capture);
		if (code == EXIT_CODE_OK)
			code = capture_packets(&capture);
		telemetry_client_close(capture.client);
	}
	if (capture.filtered)
		pcap_freecode(&capture.program_of_filter);
	return code;
}
