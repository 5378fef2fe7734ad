/* SPDX-License-Identifier: BSD-3-Clause */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load/frame_template.h"

#define ROUNDS 20000

static uint64_t random_state = 88172645463325252u;

static uint32_t
any(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 20);
}

static void
fill(void *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		((uint8_t *)bytes)[i] = (uint8_t)any();
}

static void
any_path(struct build_path *path, uint8_t family)
{
	*path = (struct build_path){.family = family, .tagged = any() & 1, .vlan = any() & 0xfff};
	fill(path->remote_mac, 6);
	fill(path->local_mac, 6);
	fill(path->remote, 16);
	fill(path->local, 16);
	if (family == 4) {
		flow_key_map_ipv4(path->remote, any());
		flow_key_map_ipv4(path->local, any());
	}
	path->remote_port = (rte_be16_t)any();
	path->local_port = (rte_be16_t)any();
}

/* The same frame by build_tcp(), which has tests of its own. */
static void
compare(const struct frame_template *frames, const struct build_path *path)
{
	const struct build_tcp tcp = {
			.seq = any(),
			.ack = any(),
			.window = (uint16_t)any(),
			.flags = (uint8_t)(any() & 0x3f),
			.options =
					{
							.options = any() & 1 ? TCP_OPTION_MSS | TCP_OPTION_WINDOW_SCALE
									     : 0,
							.mss = (uint16_t)any(),
							.window_scale = 7,
					},
	};
	const struct frame_tcp same = {
			path->local, path->local_port, tcp.window, tcp.seq, tcp.ack, tcp.flags};
	uint8_t built[512], written[512], options[40], payload[200];
	const unsigned int payload_length = any() % sizeof(payload);
	const unsigned int options_length = tcp_options_build(options, &tcp.options);
	const struct frame_text options_text = {
			options, options_length, checksum_add(0, options, options_length)};
	struct frame_text payload_text = {payload, payload_length, 0};
	struct build_lengths lengths;
	unsigned int length;

	fill(payload, sizeof(payload));
	fill(written, sizeof(written));
	payload_text.sum = checksum_add(0, payload, payload_length);
	memcpy(built + build_tcp_headers_length(path, &tcp.options), payload, payload_length);
	length = build_tcp(built, path, &tcp, payload_length, BUILD_CHECKSUM_SOFTWARE, &lengths);
	assert_int_equal(frame_template_write(frames, written, &same,
					 options_length > 0 ? &options_text : NULL,
					 payload_length > 0 ? &payload_text : NULL),
			length);
	assert_memory_equal(written, built, length);
}

static void
frames_equal_those_built_from_scratch(void **state)
{
	struct frame_template frames;
	struct build_path path;

	(void)state;
	for (unsigned int i = 0; i < ROUNDS; i++) {
		any_path(&path, i & 1 ? 4 : 6);
		frame_template_init(&frames, &path);
		compare(&frames, &path);
		/* A template does not know where it was made. */
		if (path.family == 4)
			flow_key_map_ipv4(path.local, any());
		else
			fill(path.local, 16);
		path.local_port = (rte_be16_t)any();
		compare(&frames, &path);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(frames_equal_those_built_from_scratch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
