/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Secrets: what is read, what is refused with which words, and what is derived.
 */

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <rte_common.h>

#include "cookie/secret.h"

/* The bytes 00 to 1f, whose digest below comes from `openssl dgst -sha256 -mac HMAC`. */
#define DIGITS "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static char folder[] = "/tmp/test_secret.XXXXXX";
static char path[64];
static struct secret_problem problem;

static int
setup(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/key", folder);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

static void
write_file(const void *bytes, size_t length, mode_t mode)
{
	int file;

	unlink(path);
	file = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_true(file >= 0);
	assert_int_equal(write(file, bytes, length), length);
	assert_int_equal(fchmod(file, mode), 0);
	close(file);
}

static void
refused(const char *what, const char *remedy)
{
	assert_null(secret_load(path, &problem));
	if (strstr(problem.what, what) == NULL || strstr(problem.what, path) == NULL)
		fail_msg("\"%s\" says nothing of \"%s\"", problem.what, what);
	if (strstr(problem.remedy, remedy) == NULL)
		fail_msg("\"%s\" says nothing of \"%s\"", problem.remedy, remedy);
}

static struct secret *
loaded(void)
{
	struct secret *secret = secret_load(path, &problem);

	if (secret == NULL)
		fail_msg("%s", problem.what);
	assert_string_equal(problem.what, "");
	return secret;
}

static void
raw_bytes_and_digits_are_the_same_secret(void **state)
{
	static const char *const texts[] = {DIGITS, DIGITS "\n",
			"000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F"};
	struct secret *raw;
	uint8_t bytes[32];

	(void)state;
	for (unsigned int i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	write_file(bytes, sizeof(bytes), 0600);
	raw = loaded();
	for (unsigned int i = 0; i < RTE_DIM(texts); i++) {
		struct secret *text;

		write_file(texts[i], strlen(texts[i]), 0400);
		text = loaded();
		assert_true(secret_equal(raw, text));
		secret_free(text);
	}
	secret_free(raw);
}

static void
keys_are_hmac_sha256(void **state)
{
	struct secret *secret;
	struct siphash_key key;
	char id[SECRET_ID_DIGITS + 1];

	(void)state;
	write_file(DIGITS, 64, 0600);
	secret = loaded();
	/* printf 'test\0\1\2\3\4\5\6\7\10' | openssl dgst -sha256 -mac HMAC -macopt hexkey:0001...
	 */
	assert_true(secret_derive(secret, "test", UINT64_C(0x0102030405060708), &key));
	assert_int_equal(key.k0, UINT64_C(0xeb08202467d5fe3d));
	assert_int_equal(key.k1, UINT64_C(0x42075949e94acf7f));
	/* printf 'handfast secret id\0\0\0\0\0\0\0\0\0' | ... */
	assert_true(secret_id(secret, id));
	assert_string_equal(id, "df6bec0e");
	secret_free(secret);
}

static void
labels_and_numbers_make_keys_of_their_own(void **state)
{
	static const char *const labels[] = {"a", "b", "ab", ""};
	struct siphash_key keys[4][3];
	struct secret *secret;

	(void)state;
	secret = secret_random(&problem);
	for (unsigned int i = 0; i < 12; i++)
		assert_true(secret_derive(secret, labels[i / 3], i % 3, &keys[i / 3][i % 3]));
	for (unsigned int i = 0; i < 12; i++)
		for (unsigned int j = 0; j < i; j++)
			assert_memory_not_equal(&keys[i / 3][i % 3], &keys[j / 3][j % 3],
					sizeof(keys[0][0]));
	secret_free(secret);
}

static void
too_long_a_label_makes_no_key(void **state)
{
	struct secret *secret = secret_random(&problem);
	struct siphash_key key = {1, 1};

	(void)state;
	assert_true(secret_derive(secret, "12345678901234567890123456789012", 0, &key));
	assert_false(secret_derive(secret, "123456789012345678901234567890123", 0, &key));
	assert_int_equal(key.k0 | key.k1, 0);
	secret_free(secret);
}

static void
random_secrets_differ(void **state)
{
	struct secret *a = secret_random(&problem), *b = secret_random(&problem);
	char id_a[SECRET_ID_DIGITS + 1], id_b[SECRET_ID_DIGITS + 1];

	(void)state;
	assert_false(secret_equal(a, b));
	assert_true(secret_equal(a, a));
	assert_true(secret_id(a, id_a) && secret_id(b, id_b));
	assert_string_not_equal(id_a, id_b);
	secret_free(a);
	secret_free(b);
	secret_free(NULL);
}

static void
every_right_of_others_is_refused(void **state)
{
	(void)state;
	for (mode_t bit = 1; bit <= 040; bit <<= 1) {
		write_file(DIGITS, 64, 0600 | bit);
		refused("lets others", "chmod 600");
	}
}

static void
foreign_owner_is_refused(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	write_file(DIGITS, 64, 0600);
	assert_int_equal(chown(path, 12345, 12345), 0);
	refused("belongs to user 12345", "chown 0");
}

static void
wrong_lengths_are_refused(void **state)
{
	static const char long_text[] = DIGITS DIGITS;

	(void)state;
	write_file("", 0, 0600);
	refused("holds 0 bytes", "head -c 32");
	for (size_t length = 1; length < sizeof(long_text); length++) {
		if (length == 64)
			continue;
		write_file(long_text, length, 0600);
		refused("64 are needed", "head -c 32 /dev/urandom");
		assert_null(strstr(problem.what, "0001"));
	}
	write_file("\1\2\3", 3, 0600);
	refused("holds 3 bytes", "head -c 32");
	write_file("secret secret secret secret secret!!", 33, 0600);
	refused("holds 33 bytes", "head -c 32");
	assert_null(strstr(problem.what, "secret secret"));
	write_file(DIGITS "\r\n", 66, 0600);
	refused("holds at least 66 bytes", "head -c 32");
	write_file(DIGITS "x", 65, 0600);
	refused("64", "head -c 32");
}

static void
no_digit_is_refused(void **state)
{
	char text[] = DIGITS;

	(void)state;
	text[17] = 'g';
	write_file(text, 64, 0600);
	refused("holds 64 bytes", "head -c 32");
}

static void
one_byte_repeated_is_refused(void **state)
{
	uint8_t zeros[32] = {0};

	(void)state;
	write_file(zeros, sizeof(zeros), 0600);
	refused("no secret", "head -c 32");
}

static void
missing_file_is_refused(void **state)
{
	(void)state;
	unlink(path);
	refused("No such file", "head -c 32 /dev/urandom");
}

static void
what_is_no_file_is_refused_at_once(void **state)
{
	(void)state;
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	refused("no regular file", "name a file");
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	refused("no regular file", "name a file");
}

static void
unreadable_file_is_refused(void **state)
{
	(void)state;
	if (geteuid() == 0) {
		write_file(DIGITS, 64, 0600);
		assert_int_equal(seteuid(12345), 0);
		assert_null(secret_load(path, &problem));
		assert_int_equal(seteuid(0), 0);
	} else {
		write_file(DIGITS, 64, 0200);
		assert_null(secret_load(path, &problem));
	}
	assert_non_null(strstr(problem.what, "Permission denied"));
	assert_non_null(strstr(problem.remedy, "chown"));
}

static void
credentials_are_found_by_name(void **state)
{
	struct secret *secret;

	(void)state;
	write_file(DIGITS, 64, 0440); /* As systemd shows an access control list. */
	unsetenv("CREDENTIALS_DIRECTORY");
	assert_null(secret_load_credential("key", &problem));
	assert_non_null(strstr(problem.remedy, "LoadCredential=key:"));
	setenv("CREDENTIALS_DIRECTORY", folder, 1);
	secret = secret_load_credential("key", &problem);
	assert_non_null(secret);
	secret_free(secret);
	assert_null(secret_load_credential("../key", &problem));
	assert_null(secret_load_credential("..", &problem));
	assert_null(secret_load_credential("", &problem));
	assert_null(secret_load_credential("other", &problem));
	assert_non_null(strstr(problem.what, "No such file"));
	assert_non_null(strstr(problem.remedy, "LoadCredential=other:"));
	assert_int_equal(chmod(path, 0444), 0);
	assert_null(secret_load_credential("key", &problem));
	unsetenv("CREDENTIALS_DIRECTORY");
}

static void
what_is_stored_is_loaded(void **state)
{
	struct secret *a = secret_random(&problem), *b = secret_random(&problem), *c;
	struct stat status;

	(void)state;
	unlink(path);
	assert_true(secret_store(a, path, &problem));
	assert_true(secret_store(b, path, &problem)); /* It replaces. */
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_int_equal(status.st_size, 65);
	c = loaded();
	assert_true(secret_equal(b, c));
	secret_free(a);
	secret_free(b);
	secret_free(c);
}

static void
interrupted_store_is_not_overwritten(void **state)
{
	struct secret *secret = secret_random(&problem);
	char new_path[80];
	int file;

	(void)state;
	snprintf(new_path, sizeof(new_path), "%s.new", path);
	file = open(new_path, O_WRONLY | O_CREAT, 0600);
	assert_true(file >= 0);
	close(file);
	assert_false(secret_store(secret, path, &problem));
	assert_non_null(strstr(problem.remedy, "rm "));
	unlink(new_path);
	secret_free(secret);
}

/* Whether the mapping that holds an address has a flag, as /proc/self/smaps says. */
static bool
mapping_has(const void *address, const char *flag)
{
	FILE *maps = fopen("/proc/self/smaps", "r");
	bool inside = false, has = false;
	char line[512];

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps) != NULL) {
		unsigned long from, to;

		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			inside = (unsigned long)address >= from && (unsigned long)address < to;
		else if (inside && strncmp(line, "VmFlags:", 8) == 0)
			has = strstr(line, flag) != NULL;
	}
	fclose(maps);
	return has;
}

static void
secrets_are_not_in_core_files(void **state)
{
	struct secret *secret = secret_random(&problem);
	uint8_t *pages = secret_pages_alloc(10000);
	int on_the_stack = 0;

	(void)state;
	assert_true(mapping_has(secret, " dd"));
	assert_true(mapping_has(pages, " dd"));
	assert_true(mapping_has(pages + 9999, " dd"));
	assert_false(mapping_has(&on_the_stack, " dd"));
	secret_free(secret);
	secret_pages_free(pages, 10000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(raw_bytes_and_digits_are_the_same_secret),
			cmocka_unit_test(keys_are_hmac_sha256),
			cmocka_unit_test(labels_and_numbers_make_keys_of_their_own),
			cmocka_unit_test(too_long_a_label_makes_no_key),
			cmocka_unit_test(random_secrets_differ),
			cmocka_unit_test(every_right_of_others_is_refused),
			cmocka_unit_test(foreign_owner_is_refused),
			cmocka_unit_test(wrong_lengths_are_refused),
			cmocka_unit_test(no_digit_is_refused),
			cmocka_unit_test(one_byte_repeated_is_refused),
			cmocka_unit_test(missing_file_is_refused),
			cmocka_unit_test(what_is_no_file_is_refused_at_once),
			cmocka_unit_test(unreadable_file_is_refused),
			cmocka_unit_test(credentials_are_found_by_name),
			cmocka_unit_test(what_is_stored_is_loaded),
			cmocka_unit_test(interrupted_store_is_not_overwritten),
			cmocka_unit_test(secrets_are_not_in_core_files),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
