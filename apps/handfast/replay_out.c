/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdio.h>

#include "replay_out.h"

#define OUT_SNAP 65535

bool
replay_out_open(struct replay_out *out, const char *program, const char *path)
{
	*out = (struct replay_out){.program = program, .path = path};
	if (path == NULL)
		return true;
	out->form = pcap_open_dead(DLT_EN10MB, OUT_SNAP);
	if (out->form != NULL)
		out->dumper = pcap_dump_open(out->form, path);
	if (out->dumper != NULL)
		return true;
	fprintf(stderr, "%s: %s\n", program,
			out->form != NULL ? pcap_geterr(out->form) : "out of memory");
	return false;
}

void
replay_out_write(struct replay_out *out, uint64_t time_us, const uint8_t *data, uint32_t length)
{
	const struct pcap_pkthdr header = {
			.ts = {.tv_sec = (time_t)(time_us / 1000000),
					.tv_usec = (suseconds_t)(time_us % 1000000)},
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
