/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * `handfast explain`: what happened on every TCP connection of a capture file.
 *
 * Reads with libpcap, which knows pcap and pcapng; everything that is thought about is in
 * lib/explain/.
 */

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <pcap/pcap.h>

#include <rte_common.h>

#include "tcp/flow_key.h"

#include "exit_code.h"
#include "explain.h"
#include "usage.h"
#include "verbs.h"

const char explain_help[] =
		"usage: handfast explain FILE [--summary] [--json]\n"
		"                        [--connection N] [--address A] [--port N]\n"
		"\n"
		"Shows every TCP connection of a capture (pcap or pcapng, of any host; - is "
		"standard\n"
		"input) as a ladder: time, states of client and server after each segment, its "
		"header as\n"
		"tcpdump has it, and the name of what happened.  Times as `curl -w` has them:\n"
		"time_connect is from the first SYN to the end of the handshake, time_appconnect "
		"to the\n"
		"end of TLS's or WebSocket's, time_starttransfer to the first that the server says "
		"after\n"
		"the request (in TLS 1.3 this may be a session ticket).  States are those that the "
		"ends\n"
		"have if every captured segment arrives.\n"
		"\n"
		"  -s, --summary        a line for each connection instead of its ladder\n"
		"  -j, --json           one JSON object; with --summary without the segments\n"
		"  -c, --connection N   only this one, by its number in the file\n"
		"  -a, --address A      only connections with this address\n"
		"  -p, --port N         only connections with this port\n"
		"\n"
		"exit codes: 0 ok, 1 the file cannot be read or ends too early (what could be read "
		"of it\n"
		"is shown), 2 usage, 6 permission\n"
		"\n"
		"examples:\n"
		"  handfast explain trace.pcap\n"
		"  handfast explain trace.pcapng --summary --address 10.9.0.1\n"
		"  tcpdump -i eth0 -w - -c 100 tcp | handfast explain -\n";

/** In the years 1901, where pcap's 32 bits may begin, and 2191: within 64 bits of ns of it. */
#define SECONDS_MIN INT64_C(-2147483648)
#define SECONDS_MAX INT64_C(7000000000)

struct explain_options {
	const char *path;
	struct explain_filter filter;
	bool summary;
	bool json;
};

static bool
parse_address(const char *text, uint8_t address[16])
{
	uint32_t ipv4;

	if (inet_pton(AF_INET, text, &ipv4) == 1) {
		flow_key_map_ipv4(address, ipv4);
		return true;
	}
	return inet_pton(AF_INET6, text, address) == 1;
}

static bool
parse_number(const char *text, uint64_t most, uint64_t *number)
{
	char *end;

	errno = 0;
	*number = strtoull(text, &end, 10);
	return errno == 0 && end != text && *end == '\0' && text[0] != '-' && *number > 0 &&
	       *number <= most;
}

/* One option with its value. @return false when the value makes no sense. */
static bool
take_option(struct explain_options *options, int option, const char *value)
{
	uint64_t number;

	switch (option) {
	case 's':
		options->summary = true;
		return true;
	case 'j':
		options->json = true;
		return true;
	case 'c':
		return parse_number(value, UINT64_MAX, &options->filter.connection);
	case 'a':
		options->filter.by_address = true;
		return parse_address(value, options->filter.address);
	case 'p':
		if (!parse_number(value, UINT16_MAX, &number))
			return false;
		options->filter.port = (uint16_t)number;
		return true;
	default:
		return false;
	}
}

/* What take_option() takes. */
static const char *
allowed(int option)
{
	switch (option) {
	case 'a':
		return "an IP address";
	case 'p':
		return "a number from 1 to 65535";
	default:
		return "a number from 1 on";
	}
}

static int
parse_options(int argc, char **argv, struct explain_options *options)
{
	static const struct option known[] = {{"summary", no_argument, NULL, 's'},
			{"json", no_argument, NULL, 'j'},
			{"connection", required_argument, NULL, 'c'},
			{"address", required_argument, NULL, 'a'},
			{"port", required_argument, NULL, 'p'}, {0}};
	int option;

	while ((option = getopt_long(argc, argv, "sjc:a:p:", known, NULL)) != -1) {
		if (option == '?')
			return EXIT_CODE_USAGE;
		if (!take_option(options, option, optarg)) {
			usage_refuse(argv[0], known, option, optarg, allowed(option));
			return EXIT_CODE_USAGE;
		}
	}
	if (optind + 1 != argc) {
		fprintf(stderr, "%s: needs one capture file: handfast explain FILE\n", argv[0]);
		return EXIT_CODE_USAGE;
	}
	options->path = argv[optind];
	options->filter.ladders = !options->summary;
	return EXIT_CODE_OK;
}

static int
report_unreadable(const char *program, const char *path, const char *problem)
{
	/* libpcap's message has the path in it when it is the system's. */
	if (strstr(problem, path) != NULL)
		fprintf(stderr, "%s: %s\n", program, problem);
	else
		fprintf(stderr, "%s: %s: %s\n", program, path, problem);
	return EXIT_CODE_RUNTIME;
}

/* In nanoseconds.  Beyond are damaged files and wrong units: no further than the bounds. */
static int64_t
take_time(const struct timeval *time)
{
	const int64_t most = RTE_MIN((int64_t)time->tv_sec, SECONDS_MAX);

	return RTE_MAX(most, SECONDS_MIN) * 1000000000 + time->tv_usec;
}

/* Read the whole file. @return an exit code; with a problem in @p file when its end is missing. */
static int
read_packets(pcap_t *pcap, struct explain *explain, struct explain_file *file)
{
	struct pcap_pkthdr *header;
	const u_char *data;
	int got;

	while ((got = pcap_next_ex(pcap, &header, &data)) == 1) {
		const struct explain_frame frame = {
				.data = data,
				.captured = header->caplen,
				.length = header->len,
				.link = pcap_datalink(pcap),
		};

		if (!explain_add(explain, &frame, take_time(&header->ts))) {
			file->problem = "out of memory; --connection, --address or --summary take "
					"less";
			return EXIT_CODE_RUNTIME;
		}
	}
	if (got != PCAP_ERROR)
		return EXIT_CODE_OK;
	file->problem = pcap_geterr(pcap);
	return EXIT_CODE_RUNTIME;
}

/* @return false when not all was written. */
static bool
print(const struct explain *explain, const struct explain_options *options,
		const struct explain_file *file)
{
	if (options->json) {
		explain_print_json(explain, file, stdout);
	} else {
		if (!options->summary)
			explain_print_ladders(explain, stdout);
		explain_print_summary(explain, file, stdout);
	}
	errno = 0;
	return fflush(stdout) == 0 && !ferror(stdout);
}

static int
explain_pcap(const char *program, pcap_t *pcap, const struct explain_options *options)
{
	const char *link = pcap_datalink_val_to_name(pcap_datalink(pcap));
	struct explain_file file = {.path = options->path, .link = link != NULL ? link : "unknown"};
	struct explain explain;
	int code;

	if (!explain_packet_link_known(pcap_datalink(pcap))) {
		fprintf(stderr,
				"%s: %s: cannot read link layer %s (%d); Ethernet, Linux cooked, "
				"loopback and raw IP are known\n",
				program, options->path, file.link, pcap_datalink(pcap));
		return EXIT_CODE_RUNTIME;
	}
	if (!explain_init(&explain, &options->filter)) {
		fprintf(stderr, "%s: out of memory\n", program);
		return EXIT_CODE_RUNTIME;
	}
	code = read_packets(pcap, &explain, &file);
	if (!print(&explain, options, &file)) {
		/* What was written before may have failed with an errno that is gone. */
		fprintf(stderr, "%s: standard output: %s\n", program,
				strerror(errno != 0 ? errno : EIO));
		code = EXIT_CODE_RUNTIME;
	}
	if (file.problem != NULL)
		fprintf(stderr, "%s: %s: after %llu packets: %s\n", program, options->path,
				(unsigned long long)explain_packets(&explain), file.problem);
	if (code == EXIT_CODE_OK && options->filter.connection > explain.records) {
		fprintf(stderr, "%s: %s: there is no connection %llu, only %zu\n", program,
				options->path, (unsigned long long)options->filter.connection,
				explain.records);
		code = EXIT_CODE_RUNTIME;
	}
	explain_free(&explain);
	return code;
}

int
explain_verb(int argc, char **argv)
{
	struct explain_options options = {0};
	char problem[PCAP_ERRBUF_SIZE];
	int code = parse_options(argc, argv, &options);
	pcap_t *pcap;

	if (code != EXIT_CODE_OK)
		return code;
	if (strcmp(options.path, "-") != 0 && access(options.path, R_OK) != 0 && errno == EACCES) {
		report_unreadable(argv[0], options.path, strerror(EACCES));
		return EXIT_CODE_PERMISSION;
	}
	pcap = pcap_open_offline_with_tstamp_precision(
			options.path, PCAP_TSTAMP_PRECISION_NANO, problem);
	if (pcap == NULL)
		return report_unreadable(argv[0], options.path, problem);
	code = explain_pcap(argv[0], pcap, &options);
	pcap_close(pcap);
	return code;
}
