/* SPDX-License-Identifier: BSD-3-Clause */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ctype.h>
#include <string.h>

#include "load/figures.h"

static struct figures sum, other;

static void
figures_of_workers_add_up(void **state)
{
	(void)state;
	figures_count(&sum, FIGURE_opened, 3);
	figures_count(&other, FIGURE_opened, 4);
	figures_count(&other, FIGURE_lost, 1);
	figures_fail(&sum, FAILURE_refused);
	figures_fail(&other, FAILURE_refused);
	figures_fail(&other, FAILURE_no_syn_ack);
	histogram_record(&other.connect_us, 20, 2);
	histogram_record(&other.close_us, 10, 1);
	figures_add(&sum, &other);
	assert_int_equal(sum.count[FIGURE_opened], 7);
	assert_int_equal(sum.count[FIGURE_lost], 1);
	assert_int_equal(sum.failed[FAILURE_refused], 2);
	assert_int_equal(figures_failed(&sum), 3);
	assert_int_equal(histogram_total(&sum.connect_us), 2);
	assert_int_equal(histogram_total(&sum.first_byte_us), 0);
	assert_int_equal(histogram_total(&sum.close_us), 1);
}

/* Each failure is one of a connection that was open, or one of these. */
static void
what_never_opened_is_told_apart(void **state)
{
	static const enum failure opened[] = {FAILURE_reset_established, FAILURE_reset_closing,
			FAILURE_timeout_established, FAILURE_timeout_fin_wait_1,
			FAILURE_timeout_fin_wait_2, FAILURE_timeout_close_wait,
			FAILURE_timeout_closing, FAILURE_timeout_last_ack, FAILURE_closed_early,
			FAILURE_wrong_reply, FAILURE_timeout_answered};
	struct figures figures = {0};

	(void)state;
	for (unsigned int i = 0; i < FAILURES; i++)
		figures.failed[i] = 1;
	assert_int_equal(figures_never_opened(&figures),
			FAILURES - sizeof(opened) / sizeof(opened[0]));
	for (unsigned int i = 0; i < sizeof(opened) / sizeof(opened[0]); i++)
		figures.failed[opened[i]] = 0;
	assert_int_equal(figures_never_opened(&figures), figures_failed(&figures));
}

/* Begun 10, opened 5, refused 2, reset once open 1: of 3 nothing was heard. */
static void
what_had_no_answer_yet_did_not_open(void **state)
{
	struct figures figures = {0};

	(void)state;
	figures_count(&figures, FIGURE_started, 10);
	figures_count(&figures, FIGURE_opened, 5);
	for (unsigned int i = 0; i < 2; i++)
		figures_fail(&figures, FAILURE_refused);
	figures_fail(&figures, FAILURE_reset_established);
	assert_int_equal(figures_unopened(&figures), 3);
	/* More opened while the words were read. */
	figures_count(&figures, FIGURE_opened, 4);
	assert_int_equal(figures_unopened(&figures), 0);
}

/* They are keys of JSON and columns of CSV. */
static void
check_name(const char *name)
{
	assert_true(name[0] != '\0');
	for (; *name != '\0'; name++)
		assert_true(islower(*name) || isdigit(*name) || *name == '_');
}

static void
names_are_unique_words(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < FIGURES; i++) {
		check_name(figures_name((enum figure)i));
		for (unsigned int j = 0; j < i; j++)
			assert_string_not_equal(
					figures_name((enum figure)i), figures_name((enum figure)j));
	}
	for (unsigned int i = 0; i < FAILURES; i++) {
		check_name(figures_failure_name((enum failure)i));
		assert_true(strlen(figures_failure_help((enum failure)i)) > 0);
		for (unsigned int j = 0; j < i; j++)
			assert_string_not_equal(figures_failure_name((enum failure)i),
					figures_failure_name((enum failure)j));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(figures_of_workers_add_up),
			cmocka_unit_test(what_never_opened_is_told_apart),
			cmocka_unit_test(what_had_no_answer_yet_did_not_open),
			cmocka_unit_test(names_are_unique_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
