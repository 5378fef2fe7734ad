/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>

#include "load/frame_template.h"

void
frame_template_init(struct frame_template *frames, const struct build_path *path)
{
	static const struct build_tcp nothing;
	struct build_path without = *path;
	uint8_t frame[BUILD_HEADERS_MAX];
	struct build_lengths lengths;
	static const uint8_t zero[6];
	uint8_t *ip;

	memset(frames, 0, sizeof(*frames));
	memset(without.local, 0, sizeof(without.local));
	without.local_port = 0;
	build_tcp(frame, &without, &nothing, 0, BUILD_CHECKSUM_SOFTWARE, &lengths);
	memcpy(frames->bytes, frame, lengths.l2 + lengths.l3 + lengths.l4);
	frames->family = path->family;
	frames->l3 = (uint8_t)lengths.l2;
	frames->l4 = (uint8_t)(lengths.l2 + lengths.l3);

	/* What frame_template_write() fills in counts as zero here. */
	ip = frames->bytes + frames->l3;
	memcpy(frames->bytes + frames->l4 + 12, zero, 6);
	frames->tcp_sum = (uint64_t)path->remote_port + rte_cpu_to_be_16(6);
	if (path->family == 4) {
		memcpy(ip + 2, zero, 2);
		memcpy(ip + 10, zero, 2);
		frames->ip_sum = checksum_fold(checksum_add(0, ip, 20));
		frames->tcp_sum += checksum_add(0, ip + 16, 4);
	} else {
		frames->tcp_sum += checksum_add(0, ip + 24, 16);
	}
}
