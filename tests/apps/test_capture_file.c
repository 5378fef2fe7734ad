/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * apps/handfast/capture_file.c where writing fails: on a full disk, and at a limit of the file's
 * size, which leaves the beginning of a packet.  What it writes is tests/system/test_capture.py's.
 */

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/resource.h>

#include <cmocka.h>

#include "apps/handfast/capture_file.h"

#define CAPTURED 700
#define RECORD   (16 + CAPTURED) /* Of classic pcap, after 24 bytes. */

/** How a capture ended. */
struct ending {
	uint64_t written;
	uint64_t unsure;
	unsigned int complaints; /**< Lines on standard error. */
	bool good;
};

static unsigned int
count_lines(FILE *file)
{
	unsigned int lines = 0;
	int c;

	rewind(file);
	while ((c = getc(file)) != EOF)
		lines += c == '\n';
	return lines;
}

/* Write as many packets, or until one is refused, with standard error in a file. */
static struct ending
write_packets(const char *path, uint64_t packets)
{
	struct {
		struct tap_slot slot;
		uint8_t data[CAPTURED];
	} packet = {.slot = {.length = CAPTURED, .captured = CAPTURED}};
	const struct tap_memory memory = {.snap = CAPTURED, .ports = 1, .name = {"lan"}};
	const struct capture_plan plan = {.path = path, .files = 1, .memory = &memory};
	const int standard_error = dup(STDERR_FILENO);
	FILE *complaints = tmpfile();
	struct ending ending = {0};
	struct capture_file *file;

	assert_non_null(complaints);
	dup2(fileno(complaints), STDERR_FILENO);
	file = capture_file_open("test", &plan);
	while (ending.written < packets &&
			capture_file_write(file, &packet.slot) == CAPTURE_WRITTEN)
		ending.written++;
	ending.good = capture_file_close(file, 0, &ending.unsure);
	dup2(standard_error, STDERR_FILENO);
	close(standard_error);
	ending.complaints = count_lines(complaints);
	fclose(complaints);
	return ending;
}

static void
full_disk_is_said_once(void **state)
{
	(void)state;
	/* Noticed while packets come, and not before the end. */
	for (uint64_t packets = 10; packets <= 1000; packets *= 100) {
		const struct ending ending = write_packets("/dev/full", packets);

		assert_false(ending.good);
		assert_int_equal(ending.complaints, 1);
		assert_int_equal(ending.written, ending.unsure);
	}
}

static void
packets_that_are_surely_there_are_told_from_others(void **state)
{
	const struct rlimit little = {.rlim_cur = 200000, .rlim_max = RLIM_INFINITY};
	struct rlimit before;
	char path[] = "/tmp/test_capture_file.XXXXXX.pcap";
	const int made = mkstemps(path, 5);
	struct ending ending;
	uint64_t there;

	(void)state;
	assert_true(made >= 0);
	getrlimit(RLIMIT_FSIZE, &before);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
	ending = write_packets(path, 1000);
	setrlimit(RLIMIT_FSIZE, &before);
	there = ((uint64_t)lseek(made, 0, SEEK_END) - 24) / RECORD;
	close(made);
	unlink(path);
	assert_false(ending.good);
	assert_int_equal(ending.complaints, 1);
	assert_int_equal(there, (200000 - 24) / RECORD);
	assert_true(there >= ending.written - ending.unsure);
	assert_true(there <= ending.written);
	assert_true(ending.unsure > 0 && ending.unsure < ending.written);
}

static void
nothing_is_unsure_when_all_was_written(void **state)
{
	const struct ending ending = write_packets("/dev/null", 1000);

	(void)state;
	assert_true(ending.good);
	assert_int_equal(ending.written, 1000);
	assert_int_equal(ending.unsure, 0);
	assert_int_equal(ending.complaints, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(full_disk_is_said_once),
			cmocka_unit_test(packets_that_are_surely_there_are_told_from_others),
			cmocka_unit_test(nothing_is_unsure_when_all_was_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
