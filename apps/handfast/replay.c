/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * `handfast replay`: the packets of a capture through the engine's own pipeline, as fast as they
 * can be read, on the clock of the capture.
 *
 * The file is read twice: once to see whom its SYNs go to and once to play it.  Captures with
 * another link layer than Ethernet get Ethernet headers.  What the capture's server said is left
 * out, and its clients are made to talk to the engine instead (replay_follow.h, replay_end.h).
 */

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/stat.h>

#include <pcap/pcap.h>

#include "engine/log.h"
#include "settings/settings_value.h"
#include "wire/bytes.h"

#include "exit_code.h"
#include "replay_end.h"
#include "replay_engine.h"
#include "replay_follow.h"
#include "replay_out.h"
#include "replay_report.h"
#include "replay_settings.h"
#include "replay_time.h"
#include "usage.h"
#include "verbs.h"

#define REPLAY_HEADER    14
#define REPLAY_FRAME_MAX (262144 + REPLAY_HEADER) /* libpcap reads no longer ones. */

const char replay_help[] =
		"usage: handfast replay IN.pcap [OUT.pcap] [-c FILE | --listen ADDRESS:PORT ...] "
		"[OPTIONS]\n"
		"\n"
		"Sends the packets of a capture through the engine on the capture's own clock and "
		"prints\n"
		"the counters; what the engine sent goes to OUT.  Needs neither root nor a device; "
		"the\n"
		"same input gives the same output, byte by byte.  Without -c the engine listens "
		"wherever\n"
		"a SYN of the capture goes to.  Captured clients are made to acknowledge what the "
		"engine\n"
		"says and to end what their server ended; what that server said is left out.\n"
		"\n"
		"  -c, --config FILE     a configuration; its devices are not used\n"
		"  -l, --listen A:PORT   listen here instead of where SYNs go; may be repeated\n"
		"  -r, --reply KIND      discard | echo | banner | http, without -c; else by port\n"
		"  -k, --cookies WHEN    auto | always | never, without -c\n"
		"  -b, --both            OUT holds what went in, too\n"
		"  -a, --as-is           change no packet and leave none out\n"
		"  -s, --seed N          of initial sequence numbers and keys, below 2^63; default "
		"1\n"
		"  -t, --tail SECONDS    time after the last packet; default 1\n"
		"  -j, --json            one JSON object\n"
		"\n"
		"exit codes: 0 ok, 1 a file cannot be read or written, 2 usage, 3 configuration\n"
		"\n"
		"examples:\n"
		"  handfast replay flood.pcap answers.pcap --cookies always\n"
		"  handfast replay trace.pcap both.pcap --both && handfast explain both.pcap\n";

/** A packet that waits for the next one's time. */
struct replay_held {
	uint8_t data[REPLAY_FRAME_MAX]; /**< With an Ethernet header. */
	uint32_t length;                /**< 0: it cannot be played. */
	int64_t time_ns;
	bool here;
};

struct replay {
	const char *program;
	const char *in;
	const char *out;
	struct replay_words words;
	struct replay_wish wish;
	bool wished; /**< By the command line, not by the capture. */
	bool both;
	bool as_is;
	bool json;
	uint64_t seed;
	uint64_t tail_us;

	struct settings *settings;
	struct replay_engine *engine;
	struct replay_follow *follow;
	struct replay_out writer;
	struct replay_time time;
	uint64_t rest_ns; /**< Has passed, and is less than the engine's clock has. */
	struct replay_held held;
	uint64_t left_out;
	uint64_t opened_by_us; /**< Connections that are left out since we are a server in others.
				*/
	uint64_t for_us;       /**< Segments to an address of the engine's. */
	uint64_t cut;          /**< Not whole in the capture. */
	uint64_t too_long;     /**< For a buffer. */
	uint64_t played;
	uint64_t ended; /**< Connections that the capture does not end. */
	bool broken;    /**< The capture ends in the middle of a packet or the like. */
};

static bool
parse_tail(const char *text, uint64_t *us)
{
	char *end;
	const double seconds = strtod(text, &end);

	if (end == text || *end != '\0' || !(seconds >= 0 && seconds <= 86400))
		return false;
	*us = (uint64_t)(seconds * 1e6);
	return true;
}

/* One that --json can tell again: integers of JSON are signed here. */
static bool
parse_seed(const char *text, uint64_t *seed)
{
	char *end;
	long long number;

	errno = 0;
	number = strtoll(text, &end, 0);
	*seed = (uint64_t)number;
	return errno == 0 && end != text && *end == '\0' && number >= 0;
}

/* One of an option's words, which goes into a configuration as it is. */
static bool
parse_word(const char *text, enum settings_kind kind, const char **word)
{
	unsigned int count;
	const char *const *words = settings_value_words(kind, &count);

	*word = text;
	for (unsigned int i = 0; i < count; i++)
		if (strcmp(text, words[i]) == 0)
			return true;
	return false;
}

static bool
take_option(struct replay *replay, int option, const char *value)
{
	switch (option) {
	case 'c':
		replay->words.config = value;
		return true;
	case 'l':
		replay->wished = true;
		return replay_wish_add(&replay->wish, value);
	case 'r':
		return parse_word(value, SETTINGS_KIND_REPLY, &replay->words.reply);
	case 'k':
		return parse_word(value, SETTINGS_KIND_COOKIES, &replay->words.cookies);
	case 'b':
		replay->both = true;
		return true;
	case 'a':
		replay->as_is = true;
		return true;
	case 'j':
		replay->json = true;
		return true;
	case 's':
		return parse_seed(value, &replay->seed);
	default:
		return parse_tail(value, &replay->tail_us);
	}
}

/* What take_option() takes. */
static const char *
allowed(int option)
{
	switch (option) {
	case 'l':
		return "ADDRESS:PORT or [ADDRESS]:PORT";
	case 'r':
		return "discard, echo, banner or http";
	case 'k':
		return "auto, always or never";
	case 's':
		return "a number, 0 to 9223372036854775807";
	default:
		return "seconds, 0 to 86400";
	}
}

static int
parse_options(int argc, char **argv, struct replay *replay)
{
	static const struct option known[] = {{"config", required_argument, NULL, 'c'},
			{"listen", required_argument, NULL, 'l'},
			{"reply", required_argument, NULL, 'r'},
			{"cookies", required_argument, NULL, 'k'}, {"both", no_argument, NULL, 'b'},
			{"as-is", no_argument, NULL, 'a'}, {"json", no_argument, NULL, 'j'},
			{"seed", required_argument, NULL, 's'},
			{"tail", required_argument, NULL, 't'}, {0}};
	int option;

	while ((option = getopt_long(argc, argv, "c:l:r:k:bajs:t:", known, NULL)) != -1) {
		if (option == '?')
			return EXIT_CODE_USAGE;
		if (!take_option(replay, option, optarg)) {
			usage_refuse(argv[0], known, option, optarg, allowed(option));
			return EXIT_CODE_USAGE;
		}
	}
	if (optind == argc || argc - optind > 2) {
		fprintf(stderr, "%s: needs a capture: handfast replay IN.pcap [OUT.pcap]\n",
				argv[0]);
		return EXIT_CODE_USAGE;
	}
	if (replay->words.config != NULL && (replay->wished || replay->words.reply != NULL ||
							    replay->words.cookies != NULL)) {
		fprintf(stderr, "%s: --listen, --reply and --cookies are -c's business\n", argv[0]);
		return EXIT_CODE_USAGE;
	}
	replay->in = argv[optind];
	replay->out = optind + 1 < argc ? argv[optind + 1] : NULL;
	return EXIT_CODE_OK;
}

/* Both files are what they must be: IN is read twice, and OUT is written meanwhile. */
static int
check_files(const struct replay *replay)
{
	struct stat in, out;

	if (strcmp(replay->in, "-") == 0 || (stat(replay->in, &in) == 0 && !S_ISREG(in.st_mode))) {
		fprintf(stderr,
				"%s: %s is no file; a capture is read twice: write it to a file "
				"first\n",
				replay->program, replay->in);
		return EXIT_CODE_USAGE;
	}
	if (replay->out != NULL && stat(replay->in, &in) == 0 && stat(replay->out, &out) == 0 &&
			in.st_dev == out.st_dev && in.st_ino == out.st_ino) {
		fprintf(stderr, "%s: %s is the capture itself: name another file to write\n",
				replay->program, replay->out);
		return EXIT_CODE_USAGE;
	}
	return EXIT_CODE_OK;
}

/* The engine has sent a frame. */
static void
hear(void *context, const struct replay_frame *sent)
{
	struct replay *replay = context;
	const struct explain_frame frame = {
			sent->data, sent->length, sent->length, EXPLAIN_LINK_ETHERNET};
	struct explain_packet packet;

	if (explain_packet_parse(&frame, &packet) == EXPLAIN_TCP)
		replay_follow_engine(replay->follow, &packet);
	replay_out_write(&replay->writer, replay->time.at_ns, sent->data, sent->length);
}

static pcap_t *
open_capture(const struct replay *replay)
{
	char problem[PCAP_ERRBUF_SIZE];
	pcap_t *pcap = pcap_open_offline_with_tstamp_precision(
			replay->in, PCAP_TSTAMP_PRECISION_NANO, problem);

	if (pcap == NULL) {
		fprintf(stderr, "%s: %s%s%s\n", replay->program,
				strstr(problem, replay->in) == NULL ? replay->in : "",
				strstr(problem, replay->in) == NULL ? ": " : "", problem);
		return NULL;
	}
	if (!explain_packet_link_known(pcap_datalink(pcap))) {
		fprintf(stderr, "%s: %s: cannot read its link layer (%d)\n", replay->program,
				replay->in, pcap_datalink(pcap));
		pcap_close(pcap);
		return NULL;
	}
	return pcap;
}

/* The capture goes on in no way that can be read: what came before is played. */
static void
report_broken(struct replay *replay, pcap_t *pcap)
{
	const char *problem = pcap_geterr(pcap);

	if (replay->broken)
		return;
	replay->broken = true;
	fprintf(stderr, "%s: %s: %s\n", replay->program, replay->in, problem);
	/* "an interface has a type 1 different from the type of the first interface" */
	if (strstr(problem, "from the type of the first") != NULL)
		fprintf(stderr,
				"%s: one link layer in a file can be read; try: tshark -r "
				"IN.pcapng -Y "
				"'frame.interface_id == 0' -w ONE.pcapng && editcap -F pcap -T "
				"ether "
				"ONE.pcapng ONE.pcap\n",
				replay->program);
}

/* Read the capture once. @return false when it cannot be, which was reported. */
static bool
for_each_packet(struct replay *replay,
		void (*take)(struct replay *replay, const struct explain_frame *frame,
				int64_t time_ns))
{
	pcap_t *pcap = open_capture(replay);
	struct pcap_pkthdr *header;
	const u_char *data;
	int got;

	if (pcap == NULL)
		return false;
	while ((got = pcap_next_ex(pcap, &header, &data)) == 1) {
		const struct explain_frame frame = {
				data, header->caplen, header->len, pcap_datalink(pcap)};

		take(replay, &frame, replay_time_ns(header->ts.tv_sec, header->ts.tv_usec));
	}
	if (got == PCAP_ERROR)
		report_broken(replay, pcap);
	pcap_close(pcap);
	return true;
}

static void
look(struct replay *replay, const struct explain_frame *frame, int64_t time_ns)
{
	if (replay->wish.packets++ == 0)
		replay->wish.first_ns = time_ns;
	replay->wish.nanoseconds |= time_ns % 1000 != 0;
	if (!replay->wished)
		replay_wish_note(&replay->wish, frame);
}

/* The frame with an Ethernet header to us, into @p to. @return its length, 0 if it has none. */
static uint32_t
make_ethernet(const struct replay *replay, const struct explain_frame *frame, uint8_t *to)
{
	static const uint8_t somebody[6] = {0x02, 0, 0, 0, 0, 1};
	struct explain_network network;

	if (frame->link == EXPLAIN_LINK_ETHERNET) {
		if (frame->captured > REPLAY_FRAME_MAX)
			return 0;
		memcpy(to, frame->data, frame->captured);
		return frame->captured;
	}
	if (!explain_packet_network(frame, &network) ||
			network.captured > REPLAY_FRAME_MAX - REPLAY_HEADER)
		return 0;
	memcpy(to, replay_engine_mac(replay->engine, 0), 6);
	memcpy(to + 6, somebody, 6);
	bytes_write_16(to + 12, network.ethertype);
	memcpy(to + REPLAY_HEADER, network.data, network.captured);
	return REPLAY_HEADER + network.captured;
}

/* The client's last word, if the packet is the end of the engine's connection, or comes after. */
static void
end_connection(struct replay *replay, int port, const uint8_t *data,
		const struct explain_packet *said, bool from_server)
{
	const struct replay_end end = {
			.engine = replay->engine,
			.follow = replay->follow,
			.data = data,
			.packet = said,
			.port = (unsigned int)port,
			.from_server = from_server,
	};
	uint8_t frame[BUILD_HEADERS_MAX];
	const unsigned int length = replay_end_write(&end, frame);
	struct rte_mbuf *packet =
			length > 0 ? replay_engine_buffer(replay->engine, frame, length) : NULL;

	if (packet == NULL)
		return;
	if (replay->both)
		replay_out_write(&replay->writer, replay->time.at_ns, frame, length);
	replay->ended++;
	replay_engine_put(replay->engine, end.port, packet);
}

/* Adapt a frame in place. @return the port it comes in at, -1 when it is left out. */
static int
adapt(struct replay *replay, uint8_t *data, uint32_t length)
{
	const struct explain_frame frame = {data, length, length, EXPLAIN_LINK_ETHERNET};
	struct explain_packet packet;
	bool opens;
	int port;

	if (replay->as_is || explain_packet_parse(&frame, &packet) != EXPLAIN_TCP)
		return 0;
	opens = (packet.segment.flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN;
	port = replay_settings_port(replay->settings, packet.source);
	if (port >= 0) {
		replay->opened_by_us += opens;
		if (replay_follow_server(replay->follow, &packet))
			end_connection(replay, port, data, &packet, true);
		return -1;
	}
	port = replay_settings_port(replay->settings, packet.destination);
	if (port < 0)
		return 0;
	replay->for_us++;
	memcpy(data, replay_engine_mac(replay->engine, (unsigned int)port), 6);
	if (opens)
		end_connection(replay, port, data, &packet, false);
	replay_follow_client(replay->follow, &packet, data + (packet.options - data) - 20);
	return port;
}

/* Step by step, so that what timeouts send is written with its own time. */
static void
let_pass(struct replay *replay, uint64_t left_ns)
{
	while (left_ns > 0) {
		const uint64_t most_us = replay_engine_step_us(replay->engine, left_ns / 1000 + 1);
		const uint64_t step_ns = RTE_MIN(left_ns, most_us * 1000);

		left_ns -= step_ns;
		replay->time.at_ns += (int64_t)step_ns;
		replay->rest_ns += step_ns;
		replay_engine_step(replay->engine, replay->rest_ns / 1000);
		replay->rest_ns %= 1000;
	}
}

static void
hold(struct replay *replay, const struct explain_frame *frame, int64_t time_ns)
{
	struct replay_held *held = &replay->held;

	held->here = true;
	held->time_ns = time_ns;
	held->length = frame->captured < frame->length ? 0
						       : make_ethernet(replay, frame, held->data);
}

/* @p next_ns is the time of the packet after it. */
static void
play_held(struct replay *replay, int64_t next_ns)
{
	struct replay_held *held = &replay->held;
	struct rte_mbuf *packet;
	int64_t arrival_ns;
	int port;

	if (!held->here)
		return;
	let_pass(replay, replay_time_gap(&replay->time, held->time_ns, next_ns, &arrival_ns));
	replay->time.at_ns = arrival_ns;
	if (held->length == 0) {
		replay->cut++;
		return;
	}
	port = adapt(replay, held->data, held->length);
	if (port < 0) {
		replay->left_out++;
		return;
	}
	packet = replay_engine_buffer(replay->engine, held->data, held->length);
	if (packet == NULL) {
		replay->too_long++;
		return;
	}
	if (replay->both)
		replay_out_write(&replay->writer, arrival_ns, held->data, held->length);
	replay->played++;
	replay_engine_put(replay->engine, (unsigned int)port, packet);
}

static void
play(struct replay *replay, const struct explain_frame *frame, int64_t time_ns)
{
	play_held(replay, time_ns);
	hold(replay, frame, time_ns);
}

static void
play_tail(struct replay *replay)
{
	play_held(replay, replay->held.time_ns);
	let_pass(replay, replay->tail_us * 1000);
}

/* What may not be what was wanted. */
static void
print_hints(const struct replay *replay)
{
	if (replay->opened_by_us > 0)
		fprintf(stderr,
				"%s: %" PRIu64 " SYNs of hosts that are servers, too, were left "
				"out; try: --listen ADDRESS:PORT of the one to be\n",
				replay->program, replay->opened_by_us);
	if (replay->too_long > 0)
		fprintf(stderr,
				"%s: %" PRIu64
				" packets are too long for a buffer, which has %d bytes with the "
				"Ethernet header, as those of hosts that offload and of loopbacks "
				"may be; try: ethtool -K DEVICE gro off tso off gso off, for a "
				"loopback ip link set lo mtu 1500, too, and capture again\n",
				replay->program, replay->too_long, REPLAY_LONGEST);
	if (!replay->as_is && replay->for_us == 0)
		fprintf(stderr,
				"%s: no segment of the capture is for an address of the engine's; "
				"try: without --listen and -c it has those that SYNs go to\n",
				replay->program);
}

/* Where OUT is standard output, counters go to the other one. */
static bool
print_counters(const struct replay *replay)
{
	const bool piped = replay->out != NULL && strcmp(replay->out, "-") == 0;
	FILE *out = piped ? stderr : stdout;
	const struct replay_report report = {
			.in = replay->in,
			.engine = replay->engine,
			.seed = replay->seed,
			.played = replay->played,
			.left_out = replay->left_out,
			.cut = replay->cut,
			.too_long = replay->too_long,
			.ended = replay->ended,
			.backward = replay->time.backward,
			.listen_short = replay->wish.left_out,
	};

	print_hints(replay);
	if (replay_report_print(&report, replay->json, out))
		return true;
	fprintf(stderr, "%s: standard output: %s\n", replay->program, strerror(errno));
	return false;
}

static int
play_capture(struct replay *replay)
{
	const struct replay_plan plan = {
			.settings = replay->settings,
			.seed = replay->seed,
			.unix_us = (uint64_t)RTE_MAX(replay->wish.first_ns, 0) / 1000,
			.listener = {hear, replay},
	};
	bool good;

	replay_time_start(&replay->time, replay->wish.first_ns);
	replay->follow = replay_follow_create();
	if (replay->follow == NULL || !replay_out_open(&replay->writer, replay->program,
						      replay->out, replay->wish.nanoseconds))
		return EXIT_CODE_RUNTIME;
	log_init(LOG_LEVEL_WARNING);
	replay->engine = replay_engine_start(&plan);
	if (replay->engine == NULL)
		return EXIT_CODE_RUNTIME;
	good = for_each_packet(replay, play) && !replay->broken;
	play_tail(replay);
	good &= print_counters(replay);
	replay_engine_stop(replay->engine);
	good &= replay_out_close(&replay->writer);
	return good ? EXIT_CODE_OK : EXIT_CODE_RUNTIME;
}

int
replay_verb(int argc, char **argv)
{
	struct replay replay = {.program = argv[0], .seed = 1, .tail_us = 1000000};
	int code = parse_options(argc, argv, &replay);

	if (code == EXIT_CODE_OK)
		code = check_files(&replay);
	if (code != EXIT_CODE_OK)
		return code;
	if (!for_each_packet(&replay, look) || (replay.broken && replay.wish.packets == 0))
		return EXIT_CODE_RUNTIME;
	replay.settings = replay_settings_make(&replay.words, &replay.wish);
	if (replay.settings == NULL)
		return replay.words.config != NULL ? EXIT_CODE_SETTINGS : EXIT_CODE_RUNTIME;
	code = play_capture(&replay);
	replay_follow_free(replay.follow);
	settings_free(replay.settings);
	return code;
}
