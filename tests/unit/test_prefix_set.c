/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Who is denied: longest prefix first, compared with looking at every prefix; and a million of them
 * (`test_prefix_set million` prints what they take).
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "limit/prefix_set.h"
#include "settings/settings_address.h"

#define LOOKED_UP (PREFIX_SET_BURST_MAX * 4096)

static struct prefix_set *
make(const char *deny, const char *allow, bool deny_others)
{
	struct prefix_list list = {0};
	struct prefix_set *set;

	assert_true(prefix_list_parse(&list, "deny", deny, strlen(deny), false, stderr));
	assert_true(prefix_list_parse(&list, "allow", allow, strlen(allow), true, stderr));
	set = prefix_set_create(&list, deny_others);
	assert_non_null(set);
	prefix_list_free(&list);
	return set;
}

static bool
denies(const struct prefix_set *set, const char *address)
{
	uint8_t bytes[16];

	assert_true(settings_address_parse(address, bytes));
	return prefix_set_denies(set, bytes);
}

static void
longest_prefix_decides(void **state)
{
	struct prefix_set *set = make("10.0.0.0/8\n10.1.2.0/24\n2001:db8::/32\n192.0.2.1\n",
			"10.1.0.0/16\n10.1.2.3\n2001:db8:5::/48\n", false);

	(void)state;
	assert_false(denies(set, "9.255.255.255"));
	assert_true(denies(set, "10.0.0.0"));
	assert_true(denies(set, "10.0.255.255"));
	assert_false(denies(set, "10.1.0.0"));
	assert_false(denies(set, "10.1.1.255"));
	assert_true(denies(set, "10.1.2.0"));
	assert_true(denies(set, "10.1.2.2"));
	assert_false(denies(set, "10.1.2.3"));
	assert_true(denies(set, "10.1.2.4"));
	assert_true(denies(set, "10.1.2.255"));
	assert_false(denies(set, "10.1.3.0"));
	assert_false(denies(set, "10.1.255.255"));
	assert_true(denies(set, "10.255.255.255"));
	assert_false(denies(set, "11.0.0.0"));
	assert_true(denies(set, "192.0.2.1"));
	assert_false(denies(set, "192.0.2.0"));
	assert_false(denies(set, "192.0.2.2"));
	assert_false(denies(set, "255.255.255.255"));
	assert_false(denies(set, "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff"));
	assert_true(denies(set, "2001:db8::"));
	assert_false(denies(set, "2001:db8:5::"));
	assert_false(denies(set, "2001:db8:5:ffff:ffff:ffff:ffff:ffff"));
	assert_true(denies(set, "2001:db8:6::"));
	assert_true(denies(set, "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"));
	assert_false(denies(set, "2001:db9::"));
	prefix_set_free(set);
}

static void
of_equal_prefixes_the_allowed_one_decides(void **state)
{
	struct prefix_set *set = make("10.0.0.0/8\n10.0.0.0/8\n", "10.0.0.0/8\n", false);

	(void)state;
	assert_false(denies(set, "10.1.2.3"));
	assert_int_equal(prefix_set_ranges(set), 2);
	prefix_set_free(set);
}

static void
others_are_treated_as_said(void **state)
{
	struct prefix_set *set = make("", "192.0.2.0/24\n::1\n255.255.255.255\n", true);

	(void)state;
	assert_false(denies(set, "192.0.2.9"));
	assert_true(denies(set, "192.0.3.0"));
	assert_true(denies(set, "0.0.0.0"));
	assert_false(denies(set, "255.255.255.255"));
	assert_false(denies(set, "::1"));
	assert_true(denies(set, "::2"));
	assert_true(denies(set, "::"));
	assert_true(denies(set, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
	prefix_set_free(set);
	set = make("", "", true);
	assert_true(denies(set, "192.0.2.9"));
	assert_true(denies(set, "::1"));
	prefix_set_free(set);
	set = make("0.0.0.0/0\n", "", false);
	assert_true(denies(set, "0.0.0.0"));
	assert_true(denies(set, "255.255.255.255"));
	assert_false(denies(set, "::1"));
	prefix_set_free(set);
	set = make("::/0\n", "", false);
	assert_false(denies(set, "1.2.3.4"));
	assert_true(denies(set, "::"));
	assert_true(denies(set, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
	prefix_set_free(set);
}

static void
a_prefix_many_times_over_is_one(void **state)
{
	struct prefix_list list = {0};
	struct prefix_set *set;

	(void)state;
	for (unsigned int i = 0; i < 5000; i++)
		assert_true(prefix_list_parse(&list, "deny", "10.0.0.0/8", 10, false, stderr));
	set = prefix_set_create(&list, false);
	assert_int_equal(prefix_set_ranges(set), 4);
	assert_true(denies(set, "10.9.8.7"));
	prefix_list_free(&list);
	prefix_set_free(set);
}

static void
sets_are_equal_when_their_answers_are(void **state)
{
	struct prefix_set *a = make("10.0.0.0/9\n10.128.0.0/9\n2001:db8::/32\n", "", false);
	struct prefix_set *b = make("2001:db8::/32\n10.0.0.0/8\n10.1.0.0/16\n", "", false);
	struct prefix_set *c = make("2001:db8::/33\n10.0.0.0/8\n", "", false);
	struct prefix_set *d = make("2001:db8::/32\n10.0.0.0/8\n", "", true);

	(void)state;
	assert_true(prefix_set_equal(a, b));
	assert_false(prefix_set_equal(a, c));
	assert_false(prefix_set_equal(a, d));
	prefix_set_free(a);
	prefix_set_free(b);
	prefix_set_free(c);
	prefix_set_free(d);
}

static bool
holds(const struct prefix *prefix, const uint8_t address[16])
{
	for (unsigned int bit = 0; bit < prefix->length; bit++) {
		if (((prefix->address[bit / 8] ^ address[bit / 8]) >> (7 - bit % 8) & 1) != 0)
			return false;
	}
	return true;
}

/* By looking at them all. */
static bool
denied_by_all(const struct prefix_list *list, const uint8_t address[16], bool deny_others)
{
	const struct prefix *best = NULL;

	for (size_t i = 0; i < list->count; i++) {
		const struct prefix *prefix = &list->item[i];

		if (flow_key_is_ipv4(prefix->address) != flow_key_is_ipv4(address) ||
				!holds(prefix, address))
			continue;
		if (best == NULL || prefix->length > best->length ||
				(prefix->length == best->length && prefix->allow))
			best = prefix;
	}
	return best == NULL ? deny_others : !best->allow;
}

/* Few different bits, so that prefixes meet and hold one another. */
static void
random_address(uint8_t address[16], unsigned int *seed)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	for (unsigned int i = 0; i < 16; i++)
		address[i] = (uint8_t)(rand_r(seed) % 4 == 0 ? rand_r(seed)
							     : (rand_r(seed) & 1) * 0xff);
	if (rand_r(seed) % 2 == 0)
		memcpy(address, mapped, sizeof(mapped));
}

static void
random_prefix(struct prefix *prefix, unsigned int *seed)
{
	random_address(prefix->address, seed);
	prefix->allow = rand_r(seed) % 2 == 0;
	prefix->length = (uint8_t)(flow_key_is_ipv4(prefix->address) ? 96 + rand_r(seed) % 33
								     : rand_r(seed) % 129);
	for (unsigned int bit = prefix->length; bit < 128; bit++)
		prefix->address[bit / 8] &= (uint8_t) ~(1 << (7 - bit % 8));
}

static void
answers_are_those_of_looking_at_them_all(void **state)
{
	const char *wanted = getenv("SEED");
	unsigned int seed = wanted != NULL ? (unsigned int)strtoul(wanted, NULL, 0) : 8021;

	(void)state;
	print_message("SEED=%u\n", seed);
	for (unsigned int round = 0; round < 300; round++) {
		const bool deny_others = rand_r(&seed) % 2 == 0;
		struct prefix item[200];
		struct prefix_list list = {(size_t)rand_r(&seed) % 200, 200, item};
		struct flow_key flows[PREFIX_SET_BURST_MAX] = {0};
		struct prefix_set *set;
		uint64_t denied;

		for (size_t i = 0; i < list.count; i++)
			random_prefix(&item[i], &seed);
		set = prefix_set_create(&list, deny_others);
		assert_non_null(set);
		for (unsigned int i = 0; i < PREFIX_SET_BURST_MAX; i++)
			random_address(flows[i].address, &seed);
		/* Where prefixes begin and end is where it may go wrong. */
		for (unsigned int i = 0; i < 40 && i < list.count; i++) {
			const struct prefix *prefix = &item[(size_t)rand_r(&seed) % list.count];

			memcpy(flows[i].address, prefix->address, 16);
			for (unsigned int bit = prefix->length; bit < 128 && i % 2 == 0; bit++)
				flows[i].address[bit / 8] |= (uint8_t)(1 << (7 - bit % 8));
		}
		denied = prefix_set_denied_bulk(set, flows, 0xfffffffffffffff7);
		assert_int_equal(denied >> 3 & 1, 0);
		for (unsigned int i = 0; i < PREFIX_SET_BURST_MAX; i++) {
			const bool should = denied_by_all(&list, flows[i].address, deny_others);

			assert_int_equal(prefix_set_denies(set, flows[i].address), should);
			if (i != 3)
				assert_int_equal(denied >> i & 1, should);
		}
		prefix_set_free(set);
	}
}

static double
seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* As networks are given out: IPv4 from /16 to /24, and a tenth longer; IPv6 from /40 to /64. */
static char *
million(bool ipv6, size_t *length)
{
	unsigned int seed = 1;
	char *text = NULL;
	FILE *file = open_memstream(&text, length);

	for (unsigned int i = 0; i < 1000000; i++) {
		const unsigned int bits = i % 10 == 0 ? 28 + (unsigned int)rand_r(&seed) % 5
						      : 16 + (unsigned int)rand_r(&seed) % 9;
		const uint32_t a = ((uint32_t)rand_r(&seed) << 1 ^ (uint32_t)rand_r(&seed)) &
				   UINT32_MAX << (32 - bits);

		if (ipv6)
			fprintf(file, "2%03x:%x:%x:%x::/%d\n", i % 16, rand_r(&seed) & 0xffff,
					rand_r(&seed) & 0xff00,
					i % 2 == 0 ? rand_r(&seed) & 0xffff : 0,
					i % 2 == 0 ? 64 : 40);
		else
			fprintf(file, "%u.%u.%u.%u/%u\n", a >> 24, a >> 16 & 0xff, a >> 8 & 0xff,
					a & 0xff, bits);
	}
	assert_int_equal(fclose(file), 0);
	return text;
}

static void
measure(bool ipv6)
{
	size_t length;
	char *text = million(ipv6, &length);
	struct prefix_list list = {0};
	struct flow_key *flows = calloc(LOOKED_UP, sizeof(*flows));
	struct prefix_set *set;
	unsigned int seed = 2;
	uint64_t denied = 0;
	double begin = seconds(), parsed, made;

	assert_true(prefix_list_parse(&list, "million", text, length, false, stderr));
	parsed = seconds();
	set = prefix_set_create(&list, false);
	assert_non_null(set);
	made = seconds();
	print_message("IPv%d: 1000000 lines read in %.2f s, made in %.2f s: %zu ranges, %.1f MiB\n",
			ipv6 ? 6 : 4, parsed - begin, made - parsed, prefix_set_ranges(set),
			(double)prefix_set_size(set) / 1048576);
	for (unsigned int i = 0; i < LOOKED_UP; i++) {
		const uint32_t a = (uint32_t)rand_r(&seed) << 1;

		flow_key_map_ipv4(flows[i].address, rte_cpu_to_be_32(a));
		if (ipv6)
			memcpy(flows[i].address, list.item[a % list.count].address, 16);
	}
	begin = seconds();
	for (unsigned int i = 0; i < LOOKED_UP; i += PREFIX_SET_BURST_MAX)
		denied += (uint64_t)__builtin_popcountll(
				prefix_set_denied_bulk(set, &flows[i], UINT64_MAX));
	print_message("      %.1f ns for an address, %.0f%% denied\n",
			(seconds() - begin) / LOOKED_UP * 1e9, (double)denied / LOOKED_UP * 100);
	free(flows);
	prefix_set_free(set);
	prefix_list_free(&list);
	free(text);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(longest_prefix_decides),
			cmocka_unit_test(of_equal_prefixes_the_allowed_one_decides),
			cmocka_unit_test(others_are_treated_as_said),
			cmocka_unit_test(a_prefix_many_times_over_is_one),
			cmocka_unit_test(sets_are_equal_when_their_answers_are),
			cmocka_unit_test(answers_are_those_of_looking_at_them_all),
	};

	if (argc > 1 && strcmp(argv[1], "million") == 0) {
		measure(false);
		measure(true);
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
