/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * TIME_WAIT entries: their promises one by one.
 */

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <rte_common.h>

#include "random.h"
#include "table/bucket.h"
#include "tcp/tcp_step.h"
#include "time_wait_keys.h"

static unsigned int
insert(struct time_wait *table, uint32_t number, uint32_t now_ms)
{
	struct flow_key key = key_of(number);

	return insert_key(table, &key, number, now_ms);
}

static unsigned int
insert6(struct time_wait *table, uint32_t number, uint32_t now_ms)
{
	struct flow_key key = key6_of(number);

	return insert_key(table, &key, number, now_ms);
}

static struct time_wait_entry *
lookup(const struct time_wait *table, uint32_t number, uint32_t now_ms)
{
	struct flow_key key = key_of(number);

	return lookup_key(table, &key, now_ms);
}

static struct time_wait_entry *
lookup6(const struct time_wait *table, uint32_t number, uint32_t now_ms)
{
	struct flow_key key = key6_of(number);

	return lookup_key(table, &key, now_ms);
}

static void
footprint_is_forty_eight_bytes_a_connection(void **state)
{
	static const uint32_t capacities[] = {100, 1000, 1 << 20, 60000000, UINT32_C(1) << 30};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(capacities); i++)
		assert_true(time_wait_footprint(capacities[i]) <= UINT64_C(48) * capacities[i]);
	assert_int_equal(time_wait_footprint(0), 0);
	for (uint32_t capacity = 1; capacity < 5000; capacity += 7)
		assert_int_equal(time_wait_footprint(capacity) % 64, 0);
}

static void
all_connections_but_the_index_are_left_untouched(void **state)
{
	const uint32_t capacity = 10000;
	struct time_wait *table = table_new(capacity);
	const uint8_t *bytes = (const uint8_t *)table;
	size_t untouched = 0;

	(void)state;
	for (size_t i = 0; i < time_wait_footprint(capacity); i++)
		untouched += bytes[i] == 0xa5;
	assert_true(untouched >= capacity * 32);
	free(table);
}

/* Buckets that sent keys away; the index lies behind the table's own line. */
static uint64_t
sent_away(const struct time_wait *table, uint32_t capacity)
{
	const struct bucket *buckets = (const struct bucket *)((const uint8_t *)table + 64);
	uint64_t sum = 0;

	for (uint32_t i = 0; i < capacity / 5 + 2; i++)
		sum += (buckets[i].sent_away & UINT16_MAX) != 0;
	return sum;
}

/* Keys in a bucket that is too young to have let go of any. */
static unsigned int
keys_in(const struct time_wait *table, uint32_t number)
{
	const struct bucket *buckets = (const struct bucket *)((const uint8_t *)table + 64);
	unsigned int n = 0;

	for (unsigned int way = 0; way < BUCKET_WAYS; way++)
		n += buckets[number].tag[way] != BUCKET_TAG_EMPTY;
	return n;
}

static void
full_table_holds_as_many_connections_as_it_says(void **state)
{
	const uint32_t capacity = 100000;
	struct time_wait *table = table_new(capacity);

	(void)state;
	for (uint32_t i = 0; i < capacity; i++)
		assert_int_equal(insert(table, i, 0), 0);
	print_message("%.2f %% of the buckets sent keys away\n",
			500.0 * sent_away(table, capacity) / capacity);
	assert_in_range(sent_away(table, capacity), 1, capacity / 100);
	for (uint32_t i = 0; i < capacity; i++)
		check_tcp(lookup(table, i, 0), i);
	assert_int_equal(time_wait_count(table), capacity);
	assert_int_equal(time_wait_capacity(table), capacity);
	for (uint32_t i = 0; i < capacity; i += 2)
		time_wait_remove(table, lookup(table, i, 0));
	for (uint32_t i = 0; i < capacity; i++)
		assert_int_equal(lookup(table, i, 0) != NULL, i % 2);
	while (time_wait_expire(table, LIFETIME_MS, 1000) > 0)
		continue;
	assert_int_equal(time_wait_count(table), 0);
	free(table);
}

static void
connection_comes_back_as_it_went(void **state)
{
	struct time_wait *table = table_new(100);
	struct flow_key key = key_of(5);
	struct tcp_conn tcp = tcp_of(5);

	(void)state;
	tcp.flags |= TCP_CONN_RTT_MEASURED | TCP_CONN_DUP_ACKS | TCP_CONN_SACK | TCP_CONN_ECN;
	tcp.mss = 1460;
	tcp.srtt_8ms = 77;
	tcp.timer_tick = 4711;
	assert_int_equal(time_wait_insert(table, &key, hash_of(&key), &tcp, 9), 0);
	check_tcp(lookup(table, 5, 9), 5);
	assert_null(lookup(table, 6, 9));
	assert_null(lookup6(table, 5, 9));
	insert6(table, 6, 10);
	check_tcp(lookup6(table, 6, 10), 6);
	assert_null(lookup(table, 6, 10));
	check_tcp(lookup(table, 5, 10), 5);
	assert_int_equal(time_wait_count(table), 2);
	free(table);
}

static void
what_tcp_step_changed_is_kept(void **state)
{
	struct time_wait *table = table_new(100);
	struct tcp_conn tcp;

	(void)state;
	insert6(table, 31, 0);
	assert_true(time_wait_load(lookup6(table, 31, 0), &tcp));
	tcp.ts_recent = 123456;
	time_wait_store(lookup6(table, 31, 0), &tcp);
	memset(&tcp, 0, sizeof(tcp));
	assert_true(time_wait_load(lookup6(table, 31, 0), &tcp));
	assert_int_equal(tcp.ts_recent, 123456);
	assert_int_equal(tcp.rcv_nxt, tcp_of(31).rcv_nxt);
	assert_int_equal(tcp.flags, tcp_of(31).flags);
	free(table);
}

static void
challenge_is_remembered_with_all_else(void **state)
{
	struct time_wait *table = table_new(3);

	(void)state;
	insert(table, 6, 0);
	insert6(table, 7, 0);
	assert_int_equal(time_wait_challenged(lookup(table, 6, 0)), 0);
	assert_int_equal(time_wait_challenged(lookup6(table, 7, 0)), 0);
	time_wait_set_challenged(lookup(table, 6, 0), 15);
	time_wait_set_challenged(lookup6(table, 7, 0), 10);
	time_wait_set_challenged(lookup6(table, 7, 0), 5);
	time_wait_restart(lookup(table, 6, 1), 1);
	time_wait_expire(table, 1, 100); /* Queues it again. */
	assert_int_equal(time_wait_challenged(lookup(table, 6, 1)), 15);
	assert_int_equal(time_wait_challenged(lookup6(table, 7, 1)), 5);
	check_tcp(lookup(table, 6, 1), 6);
	check_tcp(lookup6(table, 7, 1), 7);
	free(table);
}

static struct tcp_segment
segment_near(uint64_t *random, const struct tcp_conn *tcp)
{
	struct tcp_segment segment = {
			.seq = tcp->rcv_nxt + random_below(random, 5) - 2,
			.ack = tcp->snd_nxt + random_below(random, 5) - 2,
			.tsval = tcp->ts_recent + random_below(random, 3) - 1,
			.window = (uint16_t)random_next(random),
			.payload_length = (uint16_t)random_below(random, 3),
			.mss = 1460,
			.flags = (uint8_t)random_below(random, 32),
			.options = (uint8_t)random_below(random, 16),
			.window_scale = (uint8_t)random_below(random, 16),
	};

	if (random_below(random, 4) == 0)
		segment.seq += (uint32_t)random_next(random) >> random_below(random, 32);
	if (random_below(random, 4) == 0)
		segment.ack -= (uint32_t)random_next(random) >> random_below(random, 32);
	return segment;
}

/* A connection with everything that a life may leave behind. */
static struct tcp_conn
tcp_with_a_past(uint64_t *random)
{
	struct tcp_conn tcp = tcp_of((uint32_t)random_next(random));

	tcp.flags |= (uint16_t)random_next(random) &
		     (uint16_t) ~(TCP_CONN_TIMESTAMPS | TCP_CONN_WINDOW_SCALE);
	tcp.snd_wnd = (uint16_t)random_next(random);
	tcp.mss = (uint16_t)random_next(random);
	tcp.srtt_8ms = (uint16_t)random_next(random);
	tcp.rttvar_4ms = (uint16_t)random_next(random);
	tcp.retries = (uint8_t)random_below(random, 8);
	tcp.cwnd = (uint8_t)random_next(random);
	return tcp;
}

static void
machine_does_not_notice_the_difference(void **state)
{
	const uint64_t seed = 7;
	struct time_wait *table = table_new(10);
	struct flow_key key = key_of(1);
	uint64_t random = seed;
	uint32_t reopened = 0;
	uint32_t closed = 0;

	(void)state;
	print_message("seed %d\n", (int)seed);
	for (uint32_t i = 0; i < 200000; i++) {
		const uint32_t bits = (uint32_t)random_next(&random);
		const struct tcp_config config = {
				.time_wait_ms = LIFETIME_MS,
				.timestamps = bits & 1,
				.sack = bits & 2,
				.window_scaling = bits & 4,
				.ecn = bits & 8,
				.rfc1337 = bits & 16,
		};
		const struct tcp_env env = {
				.config = &config,
				.ts_clock = bits,
				.rcv_wnd = bits & 32 ? 0 : bits >> 16,
				.isn = (uint32_t)random_next(&random),
				.path_mss = 1460,
				.default_mss = 536,
		};
		struct tcp_conn tcp = tcp_with_a_past(&random);
		const struct tcp_segment segment = segment_near(&random, &tcp);
		const enum tcp_event event = tcp_step_event(segment.flags);
		struct tcp_action expected, action;
		struct tcp_conn loaded;

		time_wait_insert(table, &key, 1, &tcp, 0);
		assert_true(time_wait_load(time_wait_lookup(table, &key, 1, 0), &loaded));
		expected = tcp_step(&tcp, event, &segment, &env);
		action = tcp_step(&loaded, event, &segment, &env);
		assert_memory_equal(&action, &expected, sizeof(action));
		assert_int_equal(loaded.state, tcp.state);
		assert_int_equal(loaded.snd_nxt, tcp.snd_nxt);
		assert_int_equal(loaded.rcv_nxt, tcp.rcv_nxt);
		assert_int_equal(loaded.ts_recent, tcp.ts_recent);
		if (tcp.state == TCP_SYN_RCVD)
			assert_memory_equal(&loaded, &tcp, sizeof(tcp));
		reopened += tcp.state == TCP_SYN_RCVD;
		closed += tcp.state == TCP_CLOSED;
	}
	assert_true(reopened > 1000);
	assert_true(closed > 1000);
	free(table);
}

static void
versions_that_end_alike_are_told_apart(void **state)
{
	struct time_wait *table = table_new(100);
	struct flow_key keys[3] = {key_of(7), key6_of(7), key6_of(7)};

	(void)state;
	keys[2].address[3]++;
	for (uint32_t i = 0; i < 3; i++) {
		struct tcp_conn tcp = tcp_of(i);

		for (uint32_t k = 0; k < 3; k++)
			assert_true((time_wait_lookup(table, &keys[k], 1, 0) != NULL) == (k < i));
		time_wait_insert(table, &keys[i], 1, &tcp, 0);
	}
	for (uint32_t i = 0; i < 3; i++)
		check_tcp(time_wait_lookup(table, &keys[i], 1, 0), i);
	free(table);
}

/* Equal hashes mean equal buckets and equal tags: only the keys differ. */
static void
check_equal_hashes(uint64_t hash)
{
	struct time_wait *table = table_new(100);
	struct time_wait_entry *found[21];
	uint64_t hashes[21];
	struct flow_key keys[21];

	for (uint32_t i = 0; i < 21; i++) {
		struct tcp_conn tcp = tcp_of(i);

		hashes[i] = hash;
		keys[i] = i % 3 ? key_of(i) : key6_of(i);
		assert_int_equal(time_wait_insert(table, &keys[i], hash, &tcp, i), i == 20);
	}
	/* Two buckets of ten: the last one took the place of the first. */
	assert_int_equal(lookup_bulk(table, keys, hashes, 21, 0, found), 0x1ffffe);
	assert_null(found[0]);
	for (uint32_t i = 1; i < 21; i++)
		check_tcp(found[i], i);
	for (uint32_t i = 1; i < 21; i += 2)
		time_wait_remove(table, found[i]);
	assert_int_equal(lookup_bulk(table, keys, hashes, 21, 0, found), 0x155554);
	assert_int_equal(time_wait_count(table), 10);
	assert_int_equal(time_wait_expire(table, LIFETIME_MS + 20, 100), 10);
	assert_int_equal(lookup_bulk(table, keys, hashes, 21, 0, found), 0);
	free(table);
}

static void
equal_hashes_are_told_apart_by_key(void **state)
{
	(void)state;
	check_equal_hashes(UINT64_C(0x123456789abc));
	check_equal_hashes(UINT64_MAX);
	check_equal_hashes(0); /* whose tag would mean "empty" */
}

/* A hash with these two buckets, from *hash on; there are 42 buckets. */
static uint64_t
hash_in(uint64_t *hash, uint32_t home, uint32_t other)
{
	for (;;) {
		uint32_t first = bucket_first(*hash += UINT64_C(0x9e3779b97f4a7c15), 42);
		uint32_t second = bucket_second(*hash, 41);

		if (first == home && second + (second >= first) == other)
			return *hash;
	}
}

static void
full_bucket_sends_a_guest_home(void **state)
{
	/* Home and other bucket: ten at home, a guest in 2, nine at home there, ten in 3, and one
	 * for 2 or 3. */
	static const struct {
		uint32_t count;
		uint32_t home;
		uint32_t other;
	} groups[] = {{10, 1, 2}, {1, 1, 2}, {9, 2, 3}, {10, 3, 2}, {1, 2, 3}};
	struct time_wait *table = table_new(200);
	uint64_t hashes[31];
	struct flow_key keys[31];
	struct time_wait_entry *found[31];
	uint64_t hash = 0;
	uint32_t n = 0;

	(void)state;
	for (size_t group = 0; group < RTE_DIM(groups); group++) {
		for (uint32_t i = 0; i < groups[group].count; i++, n++) {
			struct tcp_conn tcp = tcp_of(n);

			keys[n] = key_of(n);
			hashes[n] = hash_in(&hash, groups[group].home, groups[group].other);
			assert_int_equal(time_wait_insert(table, &keys[n], hashes[n], &tcp, 0), 0);
		}
		assert_int_equal(sent_away(table, 200), group >= 1);
		if (group == 1)
			time_wait_remove(table, time_wait_lookup(table, &keys[0], hashes[0], 0));
	}
	assert_int_equal(lookup_bulk(table, keys, hashes, 31, 0, found), 0x7ffffffe);
	for (uint32_t i = 1; i < 31; i++)
		check_tcp(found[i], i);
	for (uint32_t bucket = 1; bucket <= 3; bucket++)
		assert_int_equal(keys_in(table, bucket), 10);
	free(table);
}

/* Positions pass 2^32 soon; with so many slots, eras have less than 16 bits. */
static void
who_was_sent_away_is_found_for_long(void **state)
{
	static const uint32_t capacities[] = {6000, 300000, 5000000};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(capacities); i++) {
		void *memory = aligned_alloc(64, time_wait_footprint(capacities[i]));
		struct time_wait *table;

		assert_non_null(memory);
		table = time_wait_init(memory, capacities[i], LIFETIME_MS);
		for (uint32_t n = 0; n < 20; n++) {
			struct flow_key key = key_of(n);
			struct tcp_conn tcp = tcp_of(n);

			assert_int_equal(time_wait_insert(table, &key, 4711, &tcp, 0), 0);
		}
		for (uint32_t n = 20; n < 6000; n++) {
			struct flow_key key = key_of(n % 20);

			if (n % 10 == 0)
				check_tcp(time_wait_lookup(table, &key, 4711, 0), n % 20);
			assert_int_equal(insert(table, n, 0), 0);
		}
		for (uint32_t n = 0; n < 20; n++) {
			struct flow_key key = key_of(n);

			check_tcp(time_wait_lookup(table, &key, 4711, 0), n);
		}
		free(table);
	}
}

/* Laps without end, and past 2^32: what the index says of those who left is in nobody's way. */
static void
who_left_makes_room_for_who_comes(void **state)
{
	const uint32_t capacity = 997;
	struct time_wait *table = table_new(capacity);
	uint32_t evicted = 0;

	(void)state;
	for (uint32_t i = 0; i < 100 * capacity; i++) {
		evicted += insert(table, i, i);
		assert_int_equal(time_wait_count(table), RTE_MIN(i + 1, capacity));
	}
	assert_int_equal(evicted, 99 * capacity);
	for (uint32_t i = 98 * capacity; i < 100 * capacity; i++)
		assert_int_equal(lookup(table, i, 100 * capacity) != NULL, i >= 99 * capacity);
	free(table);
}

static void
upper_sixteen_bits_have_no_part_in_placement(void **state)
{
	struct time_wait *table = table_new(10000);

	(void)state;
	for (uint32_t i = 0; i < 10000; i++) {
		struct flow_key key = key_of(i);
		uint64_t hash = hash_of(&key);

		insert(table, i, 0);
		assert_non_null(time_wait_lookup(table, &key, hash ^ UINT64_C(0xffff) << 48, 0));
	}
	free(table);
}

static void
entry_lapses_after_two_msl_whether_reclaimed_or_not(void **state)
{
	struct time_wait *table = table_new(10);
	struct flow_key keys[1] = {key_of(1)};
	uint64_t hashes[1] = {hash_of(&keys[0])};
	struct time_wait_entry *found[1];

	(void)state;
	insert(table, 1, 1000);
	assert_int_equal(time_wait_expire(table, 1000 + LIFETIME_MS - 1, 100), 0);
	assert_non_null(lookup(table, 1, 1000 + LIFETIME_MS - 1));
	assert_null(lookup(table, 1, 1000 + LIFETIME_MS));
	assert_int_equal(lookup_bulk(table, keys, hashes, 1, 60999, found), 1);
	assert_int_equal(lookup_bulk(table, keys, hashes, 1, 61000, found), 0);
	assert_null(found[0]);
	assert_int_equal(time_wait_count(table), 1);
	assert_int_equal(time_wait_expire(table, 1000 + LIFETIME_MS, 100), 1);
	assert_int_equal(time_wait_count(table), 0);
	assert_int_equal(lookup_bulk(table, keys, hashes, 1, 61000, found), 0);
	assert_null(found[0]);
	free(table);
}

static void
repeated_fin_starts_two_msl_anew(void **state)
{
	struct time_wait *table = table_new(10);

	(void)state;
	for (uint32_t i = 0; i < 5; i++)
		insert(table, i, i);
	time_wait_restart(lookup(table, 0, 30000), 30000);
	time_wait_restart(lookup(table, 3, 59000), 59000);
	assert_int_equal(time_wait_expire(table, LIFETIME_MS + 100, 100), 3);
	for (uint32_t i = 0; i < 5; i++)
		assert_true((lookup(table, i, 60100) != NULL) == (i == 0 || i == 3));
	check_tcp(lookup(table, 0, 89999), 0);
	assert_null(lookup(table, 0, 90000));
	assert_int_equal(time_wait_expire(table, 118999, 100), 1);
	check_tcp(lookup(table, 3, 118999), 3);
	assert_null(lookup(table, 3, 119000));
	assert_int_equal(time_wait_expire(table, 119000, 100), 1);
	assert_int_equal(time_wait_count(table), 0);
	free(table);
}

static void
endless_fins_take_no_room_from_others(void **state)
{
	struct time_wait *table = table_new(4);

	(void)state;
	for (uint32_t i = 0; i < 3; i++)
		insert(table, i, 0);
	for (uint32_t now_ms = 0; now_ms < LIFETIME_MS; now_ms += 10) {
		time_wait_restart(lookup(table, now_ms / 10 % 2, now_ms), now_ms);
		assert_int_equal(time_wait_expire(table, now_ms, 100), 0);
	}
	for (uint32_t i = 0; i < 3; i++)
		check_tcp(lookup(table, i, LIFETIME_MS - 1), i);
	assert_int_equal(insert(table, 3, LIFETIME_MS - 1), 0);
	assert_int_equal(time_wait_expire(table, LIFETIME_MS, 100), 1);
	assert_int_equal(time_wait_count(table), 3);
	free(table);
}

static void
new_lifetime_counts_for_old_entries(void **state)
{
	struct time_wait *table = table_new(10);

	(void)state;
	insert(table, 1, 0);
	insert(table, 2, 500);
	time_wait_set_lifetime(table, 1000);
	assert_null(lookup(table, 1, 1000));
	assert_non_null(lookup(table, 2, 1000));
	assert_int_equal(time_wait_expire(table, 1000, 100), 1);
	time_wait_set_lifetime(table, 240000);
	assert_int_equal(time_wait_expire(table, 240000, 100), 0);
	assert_non_null(lookup(table, 2, 240499));
	assert_int_equal(time_wait_expire(table, 240500, 100), 1);
	free(table);
}

static void
expiry_keeps_to_its_budget_and_goes_on(void **state)
{
	struct time_wait *table = table_new(100);

	(void)state;
	for (uint32_t i = 0; i < 100; i++)
		insert(table, i, i);
	assert_int_equal(time_wait_expire(table, LIFETIME_MS + 99, 0), 0);
	assert_int_equal(time_wait_expire(table, LIFETIME_MS + 99, 1), 1);
	assert_int_equal(time_wait_expire(table, LIFETIME_MS + 99, 33), 33);
	assert_int_equal(time_wait_count(table), 66);
	assert_int_equal(time_wait_expire(table, LIFETIME_MS + 89, 100), 56);
	assert_int_equal(time_wait_expire(table, LIFETIME_MS + 99, 100), 10);
	assert_int_equal(time_wait_expire(table, LIFETIME_MS + 99, 100), 0);
	assert_int_equal(time_wait_count(table), 0);
	free(table);
}

static void
clock_may_wrap(void **state)
{
	struct time_wait *table = table_new(10);
	const uint32_t start_ms = UINT32_MAX - 30000;

	(void)state;
	insert(table, 1, start_ms);
	insert(table, 2, start_ms + 40000);
	time_wait_restart(lookup(table, 2, start_ms + 50000), start_ms + 50000);
	assert_int_equal(time_wait_expire(table, start_ms + LIFETIME_MS - 1, 100), 0);
	assert_non_null(lookup(table, 1, start_ms + LIFETIME_MS - 1));
	assert_int_equal(time_wait_expire(table, start_ms + LIFETIME_MS, 100), 1);
	assert_non_null(lookup(table, 2, start_ms + 50000 + LIFETIME_MS - 1));
	assert_int_equal(time_wait_expire(table, start_ms + 50000 + LIFETIME_MS, 100), 1);
	free(table);
}

static void
removed_entry_is_gone_and_says_so(void **state)
{
	struct time_wait *table = table_new(10);
	struct time_wait_entry *entry;
	struct tcp_conn tcp;

	(void)state;
	insert(table, 1, 0);
	insert6(table, 2, 0);
	entry = lookup(table, 1, 0);
	time_wait_remove(table, entry);
	assert_false(time_wait_load(entry, &tcp));
	time_wait_restart(entry, 1); /* By another packet of the burst, too late. */
	time_wait_remove(table, entry);
	assert_null(lookup(table, 1, 1));
	assert_int_equal(time_wait_count(table), 1);
	check_tcp(lookup6(table, 2, 1), 2);
	assert_int_equal(time_wait_expire(table, LIFETIME_MS, 100), 1);
	assert_int_equal(time_wait_count(table), 0);
	free(table);
}

static void
inserting_again_replaces_in_place(void **state)
{
	struct time_wait *table = table_new(3);
	struct flow_key key = key_of(1);

	(void)state;
	insert(table, 1, 0);
	insert(table, 2, 0);
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(insert_key(table, &key, 77, i), 0);
	assert_int_equal(time_wait_count(table), 2);
	check_tcp(lookup(table, 2, 99), 2);
	check_tcp(lookup(table, 1, LIFETIME_MS + 98), 77);
	assert_int_equal(time_wait_expire(table, LIFETIME_MS, 100), 1);
	assert_int_equal(time_wait_expire(table, LIFETIME_MS + 99, 100), 1);
	/* Nor does one that lapsed, and was not reclaimed, come back with a longer lifetime. */
	insert(table, 1, 200000);
	insert_key(table, &key, 78, 300000);
	time_wait_set_lifetime(table, 240000);
	check_tcp(lookup(table, 1, 300000), 78);
	assert_int_equal(time_wait_count(table), 1);
	free(table);
}

static void
when_full_the_next_to_lapse_gives_way(void **state)
{
	const uint32_t capacity = 1000;
	struct time_wait *table = table_new(capacity);

	(void)state;
	for (uint32_t i = 0; i < 5 * capacity; i++) {
		assert_int_equal(insert(table, i, i), i >= capacity);
		check_tcp(lookup(table, i, i), i);
		if (i < capacity)
			continue;
		assert_null(lookup(table, i - capacity, i));
		check_tcp(lookup(table, i - capacity + 1, i), i - capacity + 1);
	}
	assert_int_equal(time_wait_count(table), capacity);
	free(table);
}

static void
room_of_lapsed_and_removed_entries_is_taken_first(void **state)
{
	struct time_wait *table = table_new(3);

	(void)state;
	insert(table, 1, 0);
	insert(table, 2, 10);
	insert(table, 3, 20);
	assert_int_equal(insert(table, 4, LIFETIME_MS), 0); /* 1 has lapsed */
	time_wait_remove(table, lookup(table, 2, LIFETIME_MS));
	assert_int_equal(insert(table, 5, LIFETIME_MS), 0);
	assert_int_equal(insert(table, 6, LIFETIME_MS), 1); /* 3 has not */
	assert_null(lookup(table, 3, LIFETIME_MS));
	for (uint32_t i = 4; i <= 6; i++)
		check_tcp(lookup(table, i, LIFETIME_MS), i);
	free(table);
}

static void
restarted_entry_is_not_the_next_to_lapse(void **state)
{
	struct time_wait *table = table_new(3);

	(void)state;
	for (uint32_t i = 1; i <= 3; i++)
		insert(table, i, i);
	time_wait_restart(lookup(table, 1, 4), 4);
	assert_int_equal(insert(table, 4, 5), 1);
	check_tcp(lookup(table, 1, 5), 1);
	assert_null(lookup(table, 2, 5));
	check_tcp(lookup(table, 3, 5), 3);
	/* But now it has its place, and will be when its turn comes. */
	assert_int_equal(insert(table, 5, 6), 1);
	check_tcp(lookup(table, 1, 6), 1);
	assert_null(lookup(table, 3, 6));
	assert_int_equal(insert(table, 6, 7), 1);
	assert_null(lookup(table, 1, 7));
	check_tcp(lookup(table, 4, 7), 4);
	free(table);
}

static void
full_table_of_restarted_entries_takes_new_ones(void **state)
{
	struct time_wait *table = table_new(100);

	(void)state;
	for (uint32_t i = 0; i < 100; i++)
		insert(table, i, i);
	for (uint32_t i = 0; i < 100; i++)
		time_wait_restart(lookup(table, i, 200), 200);
	for (uint32_t i = 100; i < 200; i++) {
		assert_int_equal(insert(table, i, 300), 1);
		check_tcp(lookup(table, i, 300), i);
		/* It looked at five only: four were queued again, the fifth gave way. */
		assert_true(i > 100 || lookup(table, 4, 300) == NULL);
	}
	assert_int_equal(time_wait_count(table), 100);
	free(table);
}

static void
ipv6_takes_the_room_of_two(void **state)
{
	(void)state;
	for (uint32_t capacity = 1; capacity < 40; capacity++) {
		struct time_wait *table = table_new(capacity);
		uint32_t n = 0;

		while (insert6(table, n, 0) == 0)
			n++;
		assert_int_equal(n, (capacity + 1) / 2);
		assert_null(lookup6(table, 0, 0));
		for (uint32_t i = 1; i <= n; i++)
			check_tcp(lookup6(table, i, 0), i);
		assert_true(insert(table, 1000, 0) <= 1);
		check_tcp(lookup(table, 1000, 0), 1000);
		free(table);
	}
}

static void
every_connection_is_listed_once(void **state)
{
	(void)state;
	for (uint32_t capacity = 5; capacity < 12; capacity++) {
		struct time_wait *table = table_new(capacity);

		for (uint32_t i = 0; i < 40; i++) {
			struct flow_key key;
			struct tcp_conn tcp;
			uint32_t listed = 0;

			if (i % 3 == 0)
				insert6(table, i, i);
			else
				insert(table, i, i);
			if (i % 5 == 0 && lookup(table, i - 1, i) != NULL)
				time_wait_remove(table, lookup(table, i - 1, i));
			for (uint32_t slot = 0; slot <= capacity; slot++) {
				if (!time_wait_at(table, slot, &key, &tcp))
					continue;
				check_tcp(lookup_key(table, &key, i), key.endpoint);
				assert_int_equal(tcp.rcv_nxt, ~(uint32_t)key.endpoint);
				listed++;
			}
			assert_int_equal(listed, time_wait_count(table));
		}
		free(table);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(footprint_is_forty_eight_bytes_a_connection),
			cmocka_unit_test(all_connections_but_the_index_are_left_untouched),
			cmocka_unit_test(full_table_holds_as_many_connections_as_it_says),
			cmocka_unit_test(connection_comes_back_as_it_went),
			cmocka_unit_test(what_tcp_step_changed_is_kept),
			cmocka_unit_test(challenge_is_remembered_with_all_else),
			cmocka_unit_test(machine_does_not_notice_the_difference),
			cmocka_unit_test(versions_that_end_alike_are_told_apart),
			cmocka_unit_test(equal_hashes_are_told_apart_by_key),
			cmocka_unit_test(full_bucket_sends_a_guest_home),
			cmocka_unit_test(who_was_sent_away_is_found_for_long),
			cmocka_unit_test(who_left_makes_room_for_who_comes),
			cmocka_unit_test(upper_sixteen_bits_have_no_part_in_placement),
			cmocka_unit_test(entry_lapses_after_two_msl_whether_reclaimed_or_not),
			cmocka_unit_test(repeated_fin_starts_two_msl_anew),
			cmocka_unit_test(endless_fins_take_no_room_from_others),
			cmocka_unit_test(new_lifetime_counts_for_old_entries),
			cmocka_unit_test(expiry_keeps_to_its_budget_and_goes_on),
			cmocka_unit_test(clock_may_wrap),
			cmocka_unit_test(removed_entry_is_gone_and_says_so),
			cmocka_unit_test(inserting_again_replaces_in_place),
			cmocka_unit_test(when_full_the_next_to_lapse_gives_way),
			cmocka_unit_test(room_of_lapsed_and_removed_entries_is_taken_first),
			cmocka_unit_test(restarted_entry_is_not_the_next_to_lapse),
			cmocka_unit_test(full_table_of_restarted_entries_takes_new_ones),
			cmocka_unit_test(ipv6_takes_the_room_of_two),
			cmocka_unit_test(every_connection_is_listed_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
