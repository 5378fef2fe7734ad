/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Frames parsed sixteen at a time are what they are one by one, in every lane and in any company.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "golden.h"
#include "random.h"
#include "usual_options.h"
#include "tcp/tcp_step.h"
#include "wire/parse_columns.h"
#include "wire/parse_plain.h"

#define SEED      20261122
#define FRAME_MAX 256
#define ENDPOINT  0x1234

/* The longest header that is taken. */
#define HEADER_MAX 44

struct group {
	struct parse_columns_frames frames;
	uint8_t *bytes[COLUMNS];
	struct frame frame[COLUMNS];
	struct tcp_segment segment[COLUMNS];
	struct flow_key key[COLUMNS];
	uint8_t event[COLUMNS];
	struct parse_columns_end end[2];
	struct parse_columns_verdict verdict;
};

static const struct parse_columns_end nobody = {.mac = {0, 0, 0, 0, 0, 0, 1, 1}};

/* Every third address of a kind is no peer's. */
static const struct no_peers *
some_no_peers(void)
{
	static struct no_peers some;

	memset(&some, 0x49, sizeof(some));
	return &some;
}

static unsigned int
skip_without_columns(void)
{
	if (!parse_columns_available()) {
		print_message("this CPU has no AVX-512\n");
		skip();
	}
	return 0;
}

/* A copy with the room that is read, and not a byte more. */
static uint8_t *
copy_of(uint64_t *random, const uint8_t *bytes, uint32_t length)
{
	const size_t room = RTE_MAX(length, (uint32_t)PARSE_COLUMNS_READ);
	uint8_t *copy = malloc(room);

	assert_non_null(copy);
	random_fill(random, copy, room);
	memcpy(copy, bytes, length);
	return copy;
}

static void
group_begin(struct group *group, unsigned int n, unsigned int flags)
{
	memset(group, 0xa5, sizeof(*group));
	group->frames.n = n;
	group->frames.flags = flags;
	group->end[0] = nobody;
	group->end[1] = nobody;
}

static void
group_set(struct group *group, unsigned int lane, uint64_t *random, const uint8_t *bytes,
		uint32_t length)
{
	group->bytes[lane] = copy_of(random, bytes, length);
	group->frames.data[lane] = group->bytes[lane];
	group->frames.length[lane] = length;
}

static void
group_parse(struct group *group)
{
	const struct parse_columns_rows rows = {
			group->frame, group->segment, group->key, group->event};

	for (unsigned int lane = group->frames.n; lane < COLUMNS; lane++)
		group->frames.data[lane] = group->frames.data[0];
	group->verdict = parse_columns(&group->frames, group->end, &rows);
}

static void
group_end(struct group *group)
{
	for (unsigned int lane = 0; lane < group->frames.n; lane++)
		free(group->bytes[lane]);
}

/* What a good lane must say. */
static void
check_good(const struct group *group, unsigned int lane, const struct frame *frame,
		const struct tcp_segment *segment)
{
	const uint8_t *data = group->frames.data[lane];
	const struct parse_columns_end *end = &group->end[frame->family == 6];
	struct flow_key key, local;
	bool here;

	assert_int_equal(frame->kind, FRAME_TCP);
	assert_memory_equal(&group->frame[lane], frame, sizeof(*frame));
	assert_memory_equal(&group->segment[lane], segment, sizeof(*segment));
	assert_int_equal(group->event[lane], tcp_step_event(segment->flags));
	parse_source(data, frame, key.address);
	parse_destination(data, frame, local.address);
	memcpy(&key.port, data + frame->l4_offset, sizeof(key.port));
	memcpy(&local.port, data + frame->l4_offset + 2, sizeof(local.port));
	key.endpoint = end->local.endpoint;
	local.endpoint = end->local.endpoint;
	here = memcmp(data, end->mac, 6) == 0 && flow_key_equal(&local, &end->local);
	assert_memory_equal(&group->key[lane], &key, sizeof(key));
	assert_int_equal(group->verdict.here >> lane & 1, here);
	assert_int_equal(group->verdict.doubtful >> lane & 1,
			here && (segment->flags & TCP_SYN) != 0 &&
					(key.port == 0 || no_peers_may_hold(end->no_peers,
									  key.address)));
}

/* Alike are those only whose segments say the same to who answers them. */
static void
check_alike(const struct group *group)
{
	assert_int_equal(group->verdict.alike & ~(group->verdict.here & group->verdict.here << 1),
			0);
	for (unsigned int lane = 1; lane < group->frames.n; lane++) {
		if ((group->verdict.alike >> lane & 1) == 0)
			continue;
		assert_memory_equal(&group->segment[lane].payload_offset,
				&group->segment[lane - 1].payload_offset, 8);
		assert_int_equal(group->key[lane].endpoint, group->key[lane - 1].endpoint);
	}
}

/* @return whether the lane was good. */
static bool
check_lane(const struct group *group, unsigned int lane)
{
	const uint8_t *data = group->frames.data[lane];
	const uint32_t length = group->frames.length[lane];
	const unsigned int flags = group->frames.flags;
	const bool good = (group->verdict.good >> lane & 1) != 0;
	struct tcp_segment segment;
	struct frame frame;

	memset(&segment, 0x5a, sizeof(segment));
	if (good) {
		assert_int_equal(parse_frame_carefully(data, length, flags, &frame, &segment),
				DROP_NONE);
		check_good(group, lane, &frame, &segment);
	} else {
		/* Nothing is left to the long way that need not be. */
		assert_false(parse_plain(data, length, flags, &frame, &segment) &&
				segment.payload_offset <= HEADER_MAX);
		assert_int_equal(group->verdict.here >> lane & 1, 0);
	}
	return good;
}

static unsigned int
check_group(const struct group *group)
{
	unsigned int good = 0;

	for (unsigned int lane = 0; lane < group->frames.n; lane++)
		good += check_lane(group, lane);
	assert_int_equal(group->verdict.good >> group->frames.n, 0);
	assert_int_equal(group->verdict.here >> group->frames.n, 0);
	check_alike(group);
	return good;
}

/* The end that a frame is for becomes the expected one, if it is TCP. */
static void
expect_end_of(struct group *group, unsigned int lane)
{
	const uint8_t *data = group->frames.data[lane];
	struct tcp_segment segment;
	struct frame frame;
	struct parse_columns_end *end;

	if (parse_frame_carefully(data, group->frames.length[lane], group->frames.flags, &frame,
			    &segment) != DROP_NONE ||
			frame.kind != FRAME_TCP)
		return;
	end = &group->end[frame.family == 6];
	memcpy(end->mac, data, 6);
	memset(end->mac + 6, 0, 2);
	parse_destination(data, &frame, end->local.address);
	memcpy(&end->local.port, data + frame.l4_offset + 2, sizeof(end->local.port));
	end->local.endpoint = ENDPOINT;
	end->no_peers = some_no_peers();
}

/* The frame alone in a lane, among as many others as there is room for. */
static bool
good_in_lane(const struct golden *golden, unsigned int lane, uint32_t length)
{
	uint64_t random = SEED + lane;
	struct group group;
	bool good;

	group_begin(&group, COLUMNS, 0);
	for (unsigned int i = 0; i < COLUMNS; i++)
		group_set(&group, i, &random, golden_syn_v4, 60);
	free(group.bytes[lane]);
	group_set(&group, lane, &random, golden->bytes, length);
	expect_end_of(&group, lane);
	group_parse(&group);
	check_group(&group);
	good = (group.verdict.good >> lane & 1) != 0;
	group_end(&group);
	return good;
}

static void
usual_frames_are_good_in_every_lane(void **state)
{
	static const struct golden usual[] = {
			{"", golden_syn_v4, sizeof(golden_syn_v4)},
			{"", golden_syn_v6, sizeof(golden_syn_v6)},
			{"", golden_syn_mss_only, sizeof(golden_syn_mss_only)},
			{"", golden_ack_padded, sizeof(golden_ack_padded)},
			{"", golden_ack_timestamps, sizeof(golden_ack_timestamps)},
			{"", golden_data_odd, sizeof(golden_data_odd)},
	};

	(void)state;
	skip_without_columns();
	for (size_t i = 0; i < RTE_DIM(usual); i++)
		for (unsigned int lane = 0; lane < COLUMNS; lane++)
			assert_true(good_in_lane(&usual[i], lane, (uint32_t)usual[i].length));
}

static void
frames_cut_at_every_length_are_parsed_alike(void **state)
{
	(void)state;
	skip_without_columns();
	for (size_t i = 0; i < RTE_DIM(golden_inputs); i++) {
		for (uint32_t length = 0; length <= golden_inputs[i].length; length++)
			good_in_lane(&golden_inputs[i], length % COLUMNS, length);
	}
}

/* Which of sixteen frames, two kinds of them mixed, are like the one before. */
static uint16_t
alike_of(const struct golden *usual, const struct golden *other, uint16_t others)
{
	uint64_t random = SEED;
	struct group group;

	group_begin(&group, COLUMNS, PARSE_TCP_CHECKSUM_GOOD);
	for (unsigned int i = 0; i < COLUMNS; i++) {
		const struct golden *golden = (others >> i & 1) != 0 ? other : usual;

		group_set(&group, i, &random, golden->bytes, (uint32_t)golden->length);
	}
	for (unsigned int i = 0; i < COLUMNS; i++)
		expect_end_of(&group, i);
	group_parse(&group);
	assert_int_equal(check_group(&group), COLUMNS);
	assert_int_equal(group.verdict.here, 0xffff);
	group_end(&group);
	return group.verdict.alike;
}

static void
frames_like_the_one_before_are_found(void **state)
{
	static const struct golden v4 = {"", golden_syn_v4, sizeof(golden_syn_v4)};
	static const struct golden v6 = {"", golden_syn_v6, sizeof(golden_syn_v6)};
	uint8_t with_ecn[sizeof(golden_syn_v4)], other_mss[sizeof(golden_syn_v4)];
	struct golden ecn = {"", with_ecn, sizeof(with_ecn)};
	struct golden mss = {"", other_mss, sizeof(other_mss)};

	(void)state;
	skip_without_columns();
	memcpy(with_ecn, golden_syn_v4, sizeof(with_ecn));
	with_ecn[14 + 20 + 13] |= TCP_ECE | TCP_CWR;
	memcpy(other_mss, golden_syn_v4, sizeof(other_mss));
	other_mss[14 + 20 + 20 + 3] ^= 1;
	assert_int_equal(alike_of(&v4, NULL, 0), 0xfffe);
	assert_int_equal(alike_of(&v6, NULL, 0), 0xfffe);
	assert_int_equal(alike_of(&v4, &ecn, 0x0080), 0xfffe & ~0x0180);
	assert_int_equal(alike_of(&v4, &mss, 0x8001), 0xfffe & ~0x8002);
	assert_int_equal(alike_of(&v4, &v6, 0x0ff0), 0xfffe & ~0x1010);
}

/* A golden frame with some bytes changed, or cut off. */
static void
set_mutant(struct group *group, unsigned int lane, uint64_t *random)
{
	const struct golden *golden = &golden_inputs[random_below(random, RTE_DIM(golden_inputs))];
	uint32_t length = (uint32_t)RTE_MIN(golden->length, (size_t)FRAME_MAX);
	uint8_t bytes[FRAME_MAX];

	memcpy(bytes, golden->bytes, length);
	for (unsigned int n = random_below(random, 3); n > 0; n--)
		bytes[random_below(random, length)] = (uint8_t)random_next(random);
	if (random_below(random, 8) == 0)
		length = random_below(random, length + 1);
	group_set(group, lane, random, bytes, length);
}

static void
mutated_frames_in_any_company_are_parsed_alike(void **state)
{
	uint64_t random = SEED;
	unsigned int good = 0, all = 0, here = 0;

	(void)state;
	skip_without_columns();
	print_message("seed %u\n", SEED);
	for (unsigned int round = 0; round < 40000; round++) {
		struct group group;

		/* Without a NIC's word for the checksums hardly any mutant would be good. */
		group_begin(&group, 1 + random_below(&random, COLUMNS), random_below(&random, 8));
		for (unsigned int lane = 0; lane < group.frames.n; lane++)
			set_mutant(&group, lane, &random);
		expect_end_of(&group, random_below(&random, group.frames.n));
		group_parse(&group);
		good += check_group(&group);
		all += group.frames.n;
		here += (unsigned int)__builtin_popcount(group.verdict.here);
		group_end(&group);
	}
	assert_in_range(good, all / 10, all);
	assert_in_range(here, all / 100, all);
}

/* Nothing but TCP over one IP version, with random numbers, addresses, options and data. */
static void
set_random_segment(struct group *group, unsigned int lane, uint64_t *random)
{
	const bool ipv6 = random_below(random, 2) == 1;
	const unsigned int ip_length = ipv6 ? 40 : 20;
	const struct usual_options *options =
			&usual_options[random_below(random, RTE_DIM(usual_options))];
	const unsigned int header = 20 + options->length;
	const unsigned int data = random_below(random, 2) * random_below(random, 90);
	uint8_t bytes[FRAME_MAX], *ip = bytes + 14, *tcp = ip + ip_length;
	rte_be16_t sum;

	random_fill(random, bytes, sizeof(bytes));
	memcpy(bytes + 12, ipv6 ? "\x86\xdd" : "\x08\x00", 2);
	ip[0] = (uint8_t)(ipv6 ? 0x60 | (ip[0] & 15) : 0x45);
	if (ipv6) {
		bytes_write_16(ip + 4, (uint16_t)(header + data));
		ip[6] = 6;
	} else {
		bytes_write_16(ip + 2, (uint16_t)(ip_length + header + data));
		bytes_write_16(ip + 6, random_below(random, 2) ? 0x4000 : 0);
		ip[9] = 6;
		bytes_write_16(ip + 10, 0);
		sum = checksum_finish(checksum_add(0, ip, 20));
		memcpy(ip + 10, &sum, 2);
	}
	tcp[12] = (uint8_t)(header / 4 << 4 | (tcp[12] & 15));
	if (random_below(random, 2))
		tcp[13] = TCP_SYN;
	memcpy(tcp + 20, options->bytes, options->length);
	if (random_below(random, 4) == 0)
		tcp[20 + random_below(random, 40)] = (uint8_t)random_next(random);
	bytes_write_16(tcp + 16, 0);
	sum = checksum_finish(
			checksum_add(checksum_pseudo(ip + (ipv6 ? 8 : 12), ip + (ipv6 ? 24 : 16),
						     ipv6 ? 16 : 4, 6, header + data),
					tcp, header + data));
	memcpy(tcp + 16, &sum, 2);
	group_set(group, lane, random, bytes,
			14 + ip_length + header + data + random_below(random, 3) * 3);
}

static void
random_segments_are_parsed_alike(void **state)
{
	uint64_t random = SEED;
	unsigned int good = 0, all = 0, doubtful = 0;

	(void)state;
	skip_without_columns();
	print_message("seed %u\n", SEED);
	for (unsigned int round = 0; round < 20000; round++) {
		struct group group;

		group_begin(&group, 1 + random_below(&random, COLUMNS), 0);
		for (unsigned int lane = 0; lane < group.frames.n; lane++)
			set_random_segment(&group, lane, &random);
		expect_end_of(&group, random_below(&random, group.frames.n));
		group_parse(&group);
		good += check_group(&group);
		all += group.frames.n;
		doubtful += (unsigned int)__builtin_popcount(group.verdict.doubtful);
		group_end(&group);
	}
	assert_in_range(good, all / 2, all);
	assert_in_range(doubtful, all / 100, all / 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(usual_frames_are_good_in_every_lane),
			cmocka_unit_test(frames_cut_at_every_length_are_parsed_alike),
			cmocka_unit_test(frames_like_the_one_before_are_found),
			cmocka_unit_test(mutated_frames_in_any_company_are_parsed_alike),
			cmocka_unit_test(random_segments_are_parsed_alike),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
