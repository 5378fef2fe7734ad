/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef REPLAY_OUT_H
#define REPLAY_OUT_H

/**
 * @file
 * The capture that `handfast replay` writes.
 */

#include <stdbool.h>
#include <stdint.h>

#include <pcap/pcap.h>

struct replay_out {
	const char *program;
	const char *path; /**< NULL: nothing is written. */
	bool nanoseconds; /**< In its timestamps; else microseconds. */
	pcap_t *form;
	pcap_dumper_t *dumper;
};

/** @return false after the reason was written to standard error. */
bool replay_out_open(
		struct replay_out *out, const char *program, const char *path, bool nanoseconds);

/** Add an Ethernet frame; errors are told when the file is closed. */
void replay_out_write(
		struct replay_out *out, int64_t time_ns, const uint8_t *data, uint32_t length);

/** @return false after it was reported that not all is in the file. */
bool replay_out_close(struct replay_out *out);

#endif /* REPLAY_OUT_H */
