/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Files of prefixes: what a line may be, and that each mistake is said with its place.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "limit/prefix_list.h"
#include "settings/settings_address.h"

/* What was said about the text, to be freed; NULL when it was good. */
static char *
parse(struct prefix_list *list, const char *text)
{
	char *said = NULL;
	size_t length;
	FILE *errors = open_memstream(&said, &length);
	bool good;

	assert_non_null(errors);
	good = prefix_list_parse(list, "deny.txt", text, strlen(text), false, errors);
	assert_int_equal(fclose(errors), 0);
	assert_int_equal(good, length == 0);
	if (!good)
		return said;
	free(said);
	return NULL;
}

static void
expect(const struct prefix_list *list, size_t index, const char *address, unsigned int length)
{
	uint8_t bytes[16];

	assert_true(index < list->count);
	assert_true(settings_address_parse(address, bytes));
	assert_memory_equal(list->item[index].address, bytes, sizeof(bytes));
	assert_int_equal(list->item[index].length, length);
}

static void
lines_hold_prefixes_addresses_and_comments(void **state)
{
	struct prefix_list list = {0};

	(void)state;
	assert_null(parse(&list, "# who is not welcome\n"
				 "192.0.2.0/24\n"
				 "\n"
				 "   2001:db8::/32\t# documentation\r\n"
				 "198.51.100.7\n"
				 "1.10.16.0/20 ; SBL256894\n"
				 "0.0.0.0/0\n"
				 "::/0;all\n"
				 "fe80::1"));
	assert_int_equal(list.count, 7);
	expect(&list, 0, "192.0.2.0", 120);
	expect(&list, 1, "2001:db8::", 32);
	expect(&list, 2, "198.51.100.7", 128);
	expect(&list, 3, "1.10.16.0", 116);
	expect(&list, 4, "0.0.0.0", 96);
	expect(&list, 5, "::", 0);
	expect(&list, 6, "fe80::1", 128);
	prefix_list_free(&list);
	assert_int_equal(list.count, 0);
	assert_null(parse(&list, ""));
	assert_int_equal(list.count, 0);
}

static void
every_mistake_is_said_with_its_place(void **state)
{
	static const struct {
		const char *line;
		const char *said;
	} cases[] = {
			{"  192.0.2.0/33", "deny.txt:2:13: error: the prefix length is not"},
			{"2001:db8::/129", "deny.txt:2:12: error: the prefix length is not"},
			{"192.0.2.0/", "deny.txt:2:11: error: the prefix length is not"},
			{"192.0.2.0/-1", "deny.txt:2:11: error: the prefix length is not"},
			{"192.0.2.0/0x8", "deny.txt:2:11: error: the prefix length is not"},
			{"192.0.2.0/0024", "deny.txt:2:11: error: the prefix length is not"},
			{"192.0.2.1/24", "deny.txt:2:1: error: the address has bits set behind"},
			{"2001:db8::1/64", "deny.txt:2:1: error: the address has bits set behind"},
			{"192.0.2/24", "deny.txt:2:1: error: this is neither an IPv4 nor an IPv6"},
			{"\texample.net",
					"deny.txt:2:2: error: this is neither an IPv4 nor an IPv6"},
			{"::ffff:192.0.2.1", "deny.txt:2:1: error: this is neither an IPv4 nor"},
			{"/24", "deny.txt:2:1: error: this is neither an IPv4 nor an IPv6"},
			{"192.0.2.0/24 192.0.3.0/24",
					"deny.txt:2:14: error: there is something behind the"},
			{"192.0.2.0 /24", "deny.txt:2:11: error: there is something behind the"},
			{"1234567890123456789012345678901234567890123456789012345678901234567890",
					"deny.txt:2:1: error: this is neither an IPv4 nor an IPv6"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct prefix_list list = {0};
		char text[256], *said;

		snprintf(text, sizeof(text), "10.0.0.0/8\n%s\n10.0.0.0/8\n", cases[i].line);
		said = parse(&list, text);
		assert_non_null(said);
		assert_ptr_equal(strstr(said, cases[i].said), said);
		assert_non_null(strstr(said, "hint: "));
		assert_null(strstr(said + 1, "deny.txt:"));
		free(said);
		prefix_list_free(&list);
	}
}

static void
all_mistakes_are_said_but_no_more_than_help(void **state)
{
	struct prefix_list list = {0};
	char *text = malloc(200001), *said;
	unsigned int count = 0;

	(void)state;
	said = parse(&list, "a\n10.0.0.0/8\nb\n");
	assert_non_null(strstr(said, "deny.txt:1:1:"));
	assert_non_null(strstr(said, "deny.txt:3:1:"));
	free(said);
	for (unsigned int i = 0; i < 200000; i += 2)
		memcpy(text + i, "x\n", 2);
	text[200000] = '\0';
	said = parse(&list, text);
	for (const char *at = said; (at = strstr(at, "deny.txt:")) != NULL; at++)
		count++;
	assert_in_range(count, 50, 101);
	free(said);
	free(text);
	prefix_list_free(&list);
}

static void
bytes_that_are_no_text_are_said_safely(void **state)
{
	struct prefix_list list = {0};
	char *said = parse(&list, "\x1b[31m\xff\xfe\n");

	(void)state;
	assert_non_null(said);
	assert_null(strchr(said, '\x1b'));
	free(said);
	prefix_list_free(&list);
}

static void
files_are_read_or_it_is_said_why_not(void **state)
{
	char path[] = "/tmp/handfast-list-XXXXXX";
	const int file = mkstemp(path);
	struct prefix_list list = {0};
	char said[256] = "";
	FILE *errors = fmemopen(said, sizeof(said), "w");

	(void)state;
	assert_true(file >= 0);
	for (unsigned int i = 0; i < 20000; i++)
		assert_int_equal(dprintf(file, "10.%u.%u.0/24\n", i / 256, i % 256) > 0, 1);
	close(file);
	assert_true(prefix_list_read(&list, path, true, errors));
	assert_int_equal(list.count, 20000);
	assert_true(list.item[19999].allow);
	unlink(path);
	assert_false(prefix_list_read(&list, path, true, errors));
	fflush(errors);
	assert_non_null(strstr(said, "cannot be read: No such file"));
	assert_false(prefix_list_read(&list, "/tmp", true, errors));
	fclose(errors);
	assert_non_null(strstr(said, "/tmp: error: cannot be read: Is a directory"));
	prefix_list_free(&list);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(lines_hold_prefixes_addresses_and_comments),
			cmocka_unit_test(every_mistake_is_said_with_its_place),
			cmocka_unit_test(all_mistakes_are_said_but_no_more_than_help),
			cmocka_unit_test(bytes_that_are_no_text_are_said_safely),
			cmocka_unit_test(files_are_read_or_it_is_said_why_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
