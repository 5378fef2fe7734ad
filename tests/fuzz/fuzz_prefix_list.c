/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Allow and deny lists of arbitrary bytes.
 *
 * Input: one byte of who is denied, then two files, the allowed and the denied, with a zero byte
 * between them.  What was read is written out and read again, and the set that is made of it has
 * to answer as a walk over all prefixes does, at and beside the ends of each.
 */

#include <arpa/inet.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "limit/prefix_list.h"
#include "limit/prefix_set.h"
#include "tcp/flow_key.h"

#include "fuzz.h"

#define JUDGED_MAX 200 /* Prefixes that are walked over for each other. */

static bool
read_text(struct prefix_list *list, const char *text, size_t length, bool allow)
{
	char *copy = malloc(length > 0 ? length : 1), *said = NULL;
	size_t said_length = 0;
	FILE *errors = open_memstream(&said, &said_length);
	bool good;

	CHECK(copy != NULL && errors != NULL);
	/* Behind its own last byte nothing may be read. */
	if (length > 0)
		memcpy(copy, text, length);
	good = prefix_list_parse(list, "fuzzed", copy, length, allow, errors);
	fclose(errors);
	CHECK(good == (said_length == 0));
	free(said);
	free(copy);
	return good;
}

/* ::/0 is every IPv6 address, and no IPv4 one. */
static bool
holds(const struct prefix *prefix, const uint8_t address[16])
{
	if (flow_key_is_ipv4(prefix->address) != flow_key_is_ipv4(address))
		return false;
	for (unsigned int bit = 0; bit < prefix->length; bit++) {
		if (((prefix->address[bit / 8] ^ address[bit / 8]) >> (7 - bit % 8) & 1) != 0)
			return false;
	}
	return true;
}

static bool
walk_denies(const struct prefix_list *list, bool deny_others, const uint8_t address[16])
{
	const struct prefix *best = NULL;

	for (size_t i = 0; i < list->count; i++) {
		const struct prefix *one = &list->item[i];

		if (holds(one, address) &&
				(best == NULL || one->length > best->length ||
						(one->length == best->length && one->allow)))
			best = one;
	}
	return best != NULL ? !best->allow : deny_others;
}

/* The next address up or down; around at the ends. */
static void
step(uint8_t address[16], bool up)
{
	for (int i = 15; i >= 0; i--) {
		address[i] = (uint8_t)(address[i] + (up ? 1 : -1));
		if (address[i] != (up ? 0 : UINT8_MAX))
			break;
	}
}

static void
check_answers(struct prefix_list *list, bool deny_others)
{
	struct prefix_set *set = prefix_set_create(list, deny_others);

	CHECK(set != NULL);
	for (size_t i = 0; i < list->count && list->count <= JUDGED_MAX; i++) {
		uint8_t first[16], last[16];

		memcpy(first, list->item[i].address, sizeof(first));
		memcpy(last, first, sizeof(last));
		for (unsigned int bit = list->item[i].length; bit < 128; bit++)
			last[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
		CHECK(prefix_set_denies(set, first) == walk_denies(list, deny_others, first));
		CHECK(prefix_set_denies(set, last) == walk_denies(list, deny_others, last));
		step(first, false);
		step(last, true);
		CHECK(prefix_set_denies(set, first) == walk_denies(list, deny_others, first));
		CHECK(prefix_set_denies(set, last) == walk_denies(list, deny_others, last));
	}
	prefix_set_free(set);
}

/* What was read is canonical, and is read again from what it is written as. */
static void
check_written(const struct prefix_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct prefix *one = &list->item[i];
		const bool ipv4 = flow_key_is_ipv4(one->address);
		char text[INET6_ADDRSTRLEN], line[INET6_ADDRSTRLEN + 8];
		struct prefix_list again = {0};
		int length;

		CHECK(one->length <= 128 && (!ipv4 || one->length >= 96));
		CHECK(inet_ntop(ipv4 ? AF_INET : AF_INET6, one->address + (ipv4 ? 12 : 0), text,
				      sizeof(text)) != NULL);
		length = snprintf(
				line, sizeof(line), "%s/%u", text, one->length - (ipv4 ? 96u : 0u));
		CHECK(read_text(&again, line, (size_t)length, one->allow));
		CHECK(again.count == 1 && again.item[0].length == one->length &&
				memcmp(again.item[0].address, one->address, 16) == 0);
		prefix_list_free(&again);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data + 1, *end = (const char *)data + size, *middle;
	struct prefix_list list = {0};

	if (size == 0)
		return 0;
	middle = size > 1 ? memchr(text, 0, size - 1) : NULL;
	read_text(&list, text, (size_t)((middle != NULL ? middle : end) - text), true);
	if (middle != NULL)
		read_text(&list, middle + 1, (size_t)(end - middle - 1), false);
	check_written(&list);
	check_answers(&list, (data[0] & 1) != 0);
	prefix_list_free(&list);
	return 0;
}
