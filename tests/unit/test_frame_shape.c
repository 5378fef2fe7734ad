/* SPDX-License-Identifier: BSD-3-Clause */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "load/frame_shape.h"

#include "random.h"

#define ROUNDS 20000

static uint64_t seed = 19810901;

static uint32_t
any(void)
{
	return (uint32_t)random_next(&seed);
}

static void
any_address(uint8_t address[16], uint8_t family)
{
	random_fill(&seed, address, 16);
	if (family == 4)
		flow_key_map_ipv4(address, any());
}

static void
any_template(struct frame_template *frames)
{
	struct build_path path = {.family = any() & 1 ? 4 : 6,
			.tagged = any() & 1,
			.vlan = any() & 0xfff,
			.remote_port = (rte_be16_t)any()};

	random_fill(&seed, path.remote_mac, 6);
	random_fill(&seed, path.local_mac, 6);
	any_address(path.remote, path.family);
	frame_template_init(frames, &path);
}

static struct frame_text
any_text(uint8_t *bytes, uint32_t length)
{
	random_fill(&seed, bytes, length);
	return (struct frame_text){bytes, length, checksum_add(0, bytes, length)};
}

/* Whoever says it, whatever the numbers, it is what the template writes. */
static void
a_shape_writes_the_templates_frames(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < ROUNDS; i++) {
		uint8_t option_bytes[40], payload_bytes[320], written[512], same[512];
		const struct frame_text options = any_text(option_bytes, any() % 11 * 4);
		const struct frame_text payload = any_text(payload_bytes, any() % 300);
		const struct frame_text *with_options = options.length > 0 ? &options : NULL;
		const struct frame_text *with_payload = payload.length > 0 ? &payload : NULL;
		struct frame_template frames;
		struct frame_shape shape;
		struct flow_key local;
		struct frame_shape_rows rows = {.to = {written}, .local = {&local}};
		struct frame_tcp tcp = {.window = (uint16_t)any(), .flags = any() & 0x3f};

		any_template(&frames);
		frame_shape_init(&shape, &frames, &tcp, with_options, with_payload);
		for (unsigned int again = 0; again < 3; again++) {
			unsigned int length;

			any_address(local.address, frames.family);
			local.port = (rte_be16_t)any();
			tcp.source = local.address;
			tcp.port = local.port;
			tcp.seq = any();
			tcp.ack = any();
			rows.seq[0] = tcp.seq;
			rows.ack[0] = tcp.ack;
			random_fill(&seed, written, sizeof(written));
			length = frame_template_write(
					&frames, same, &tcp, with_options, with_payload);
			assert_int_equal(frame_shape_write(&shape, &rows, 0), length);
			assert_memory_equal(written, same, length);
		}
	}
}

/* Timestamps are options like others, but that each frame has its own. */
static void
timestamps_are_each_frames_own(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < ROUNDS; i++) {
		uint8_t option_bytes[40], payload_bytes[320], written[512], same[512];
		struct frame_text options = any_text(option_bytes, 8 + any() % 9 * 4);
		const struct frame_text payload = any_text(payload_bytes, any() % 300);
		const unsigned int at = any() % (options.length - 7) & ~3u;
		const uint32_t tsval = any(), tsecr = any();
		const rte_be32_t times[2] = {rte_cpu_to_be_32(tsval), rte_cpu_to_be_32(tsecr)};
		struct frame_tcp tcp = {.window = (uint16_t)any(), .flags = any() & 0x3f};
		struct flow_key local;
		struct frame_shape_rows rows = {.to = {written},
				.local = {&local},
				.tsval = tsval,
				.tsecr = {tsecr}};
		struct frame_template frames;
		struct frame_shape shape;
		unsigned int length;

		any_template(&frames);
		memset(option_bytes + at, 0, sizeof(times));
		options.sum = checksum_add(0, option_bytes, options.length);
		frame_shape_init(&shape, &frames, &tcp, &options, &payload);
		frame_shape_set_times(&shape, at);
		any_address(local.address, frames.family);
		local.port = (rte_be16_t)any();
		tcp.source = local.address;
		tcp.port = local.port;
		memcpy(option_bytes + at, times, sizeof(times));
		options.sum = checksum_add(0, option_bytes, options.length);
		length = frame_template_write(&frames, same, &tcp, &options, &payload);
		assert_int_equal(frame_shape_write(&shape, &rows, 0), length);
		assert_memory_equal(written, same, length);
	}
}

/* And so do many at once, of any number. */
static void
rows_are_written_like_single_frames(void **state)
{
	static uint8_t written[FRAME_SHAPE_ROWS][512];

	(void)state;
	for (unsigned int i = 0; i < ROUNDS / 10; i++) {
		uint8_t option_bytes[40], payload_bytes[320], same[512];
		const struct frame_text options = any_text(option_bytes, any() % 11 * 4);
		const struct frame_text payload = any_text(payload_bytes, any() % 300);
		const struct frame_tcp tcp = {.window = (uint16_t)any(), .flags = any() & 0x3f};
		struct flow_key local[FRAME_SHAPE_ROWS];
		struct frame_shape_rows rows = {
				.n = any() % (FRAME_SHAPE_ROWS + 1), .tsval = any()};
		struct frame_template frames;
		struct frame_shape shape;

		any_template(&frames);
		frame_shape_init(&shape, &frames, &tcp, options.length > 0 ? &options : NULL,
				payload.length > 0 ? &payload : NULL);
		shape.columns &= any() % 8 != 0;
		/* What is there already is not zero, but that is alike in both. */
		if (options.length >= 8 && any() % 2 == 0)
			frame_shape_set_times(&shape, any() % (options.length / 4 - 1) * 4);
		for (unsigned int k = 0; k < rows.n; k++) {
			any_address(local[k].address, frames.family);
			local[k].port = (rte_be16_t)any();
			rows.local[k] = &local[k];
			rows.to[k] = written[k];
			rows.seq[k] = any();
			rows.ack[k] = any();
			rows.tsecr[k] = any();
		}
		frame_shape_write_rows(&shape, &rows);
		for (unsigned int k = 0; k < rows.n; k++) {
			rows.to[k] = same;
			frame_shape_write(&shape, &rows, k);
			assert_memory_equal(written[k], same, shape.length);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(a_shape_writes_the_templates_frames),
			cmocka_unit_test(timestamps_are_each_frames_own),
			cmocka_unit_test(rows_are_written_like_single_frames),
	};

	printf("seed %llu\n", (unsigned long long)seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
