/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdio.h>

#include "replay_out.h"

#define OUT_SNAP      65535
#define OUT_SECOND_NS INT64_C(1000000000)

bool
replay_out_open(struct replay_out *out, const char *program, const char *path, bool nanoseconds)
{
	*out = (struct replay_out){.program = program, .path = path, .nanoseconds = nanoseconds};
	if (path == NULL)
		return true;
	out->form = pcap_open_dead_with_tstamp_precision(DLT_EN10MB, OUT_SNAP,
			nanoseconds ? PCAP_TSTAMP_PRECISION_NANO : PCAP_TSTAMP_PRECISION_MICRO);
	if (out->form != NULL)
		out->dumper = pcap_dump_open(out->form, path);
	if (out->dumper != NULL)
		return true;
	fprintf(stderr, "%s: %s\n", program,
			out->form != NULL ? pcap_geterr(out->form) : "out of memory");
	return false;
}

void
replay_out_write(struct replay_out *out, int64_t time_ns, const uint8_t *data, uint32_t length)
{
	/* Rounded down before 1970, too. */
	const int64_t seconds = time_ns / OUT_SECOND_NS - (time_ns % OUT_SECOND_NS < 0);
	const int64_t rest_ns = time_ns - seconds * OUT_SECOND_NS;
	const struct pcap_pkthdr header = {
			.ts = {.tv_sec = (time_t)seconds,
					.tv_usec = (suseconds_t)(out->nanoseconds
										 ? rest_ns
										 : rest_ns / 1000)},
			.caplen = length,
			.len = length,
	};

	if (out->dumper != NULL)
		pcap_dump((u_char *)out->dumper, &header, data);
}

/* What was left of a failed write is forgotten, so that the last flush may have nothing to do. */
static bool
has_all(struct replay_out *out)
{
	const bool flushed = pcap_dump_flush(out->dumper) == 0;

	return flushed && !ferror(pcap_dump_file(out->dumper));
}

bool
replay_out_close(struct replay_out *out)
{
	bool good = true;

	if (out->dumper != NULL) {
		good = has_all(out);
		if (!good)
			fprintf(stderr, "%s: %s: cannot be written; what is there is not whole\n",
					out->program, out->path);
		pcap_dump_close(out->dumper);
	}
	if (out->form != NULL)
		pcap_close(out->form);
	return good;
}
