/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The table as a table: its form, and how it shows itself.
 */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tcp/tcp_rules.h"

#define DESCRIPTION_BYTES 200

/* One past the last row of the cell that begins at @p first. */
static unsigned int
cell_end(unsigned int first)
{
	unsigned int end = tcp_rules_count();

	for (unsigned int s = 0; s < TCP_STATES; s++)
		for (unsigned int e = 0; e < TCP_EVENTS; e++)
			if (tcp_rules_cell[s][e] > first && tcp_rules_cell[s][e] < end)
				end = tcp_rules_cell[s][e];
	return end;
}

static void
last_row_of_every_cell_has_no_condition_and_no_other(void **state)
{
	(void)state;
	assert_true(tcp_rules[0].when == 0);
	for (unsigned int s = 0; s < TCP_STATES; s++) {
		for (unsigned int e = 0; e < TCP_EVENTS; e++) {
			const unsigned int first = tcp_rules_cell[s][e];

			if (first == 0)
				continue;
			for (unsigned int row = first; row < cell_end(first) - 1; row++)
				assert_true(tcp_rules[row].when != 0);
			assert_true(tcp_rules[cell_end(first) - 1].when == 0);
		}
	}
}

static void
no_condition_contradicts_itself(void **state)
{
	(void)state;
	for (unsigned int row = 0; row < tcp_rules_count(); row++)
		assert_true(((uint32_t)tcp_rules[row].when & tcp_rules[row].when >> 32) == 0);
}

static void
timer_stops_exactly_on_the_way_to_closed(void **state)
{
	const uint8_t ends = TCP_OUTCOME_CLOSED | TCP_OUTCOME_RESET | TCP_OUTCOME_TIMED_OUT;

	(void)state;
	for (unsigned int row = 0; row < tcp_rules_count(); row++) {
		const bool closes = tcp_rules[row].next_state == TCP_CLOSED;

		assert_int_equal(tcp_rules[row].timer == TCP_RULE_TIMER_STOP, closes);
		assert_int_equal((tcp_rules[row].outcome & ends) != 0, closes);
	}
}

static void
no_row_answers_a_reset_with_a_reset(void **state)
{
	(void)state;
	for (unsigned int s = 0; s < TCP_STATES; s++) {
		const unsigned int first = tcp_rules_cell[s][TCP_EVENT_RST];

		for (unsigned int row = first; row < cell_end(first); row++)
			assert_true(tcp_rules[row].send == TCP_SEND_NOTHING ||
					tcp_rules[row].send == TCP_SEND_CHALLENGE_ACK);
	}
}

static void
every_segment_has_a_cell_in_every_state(void **state)
{
	(void)state;
	for (unsigned int s = 0; s < TCP_STATES; s++)
		for (unsigned int e = TCP_EVENT_SYN; e <= TCP_EVENT_BARE; e++)
			assert_true(tcp_rules_cell[s][e] != 0);
}

static void
descriptions_read_as_sentences(void **state)
{
	char text[DESCRIPTION_BYTES];

	(void)state;
	assert_string_equal(tcp_rules_describe(tcp_rules_cell[TCP_ESTABLISHED][TCP_EVENT_RST], text,
					    sizeof(text)),
			"ESTABLISHED RST: AT_RCV_NXT -> CLOSED");
	assert_string_equal(tcp_rules_describe(tcp_rules_cell[TCP_LISTEN][TCP_EVENT_SYN] + 2, text,
					    sizeof(text)),
			"LISTEN SYN: always -> SYN_RCVD, send SYN_ACK");
	assert_string_equal(tcp_rules_describe(tcp_rules_cell[TCP_SYN_SENT][TCP_EVENT_ACK], text,
					    sizeof(text)),
			"SYN_SENT ACK: not ACK_NEW -> same, send RST");
	assert_string_equal(tcp_rules_describe(0, text, sizeof(text)),
			"any state, any event without a row: refused");
	assert_string_equal(tcp_rules_describe(tcp_rules_count(), text, sizeof(text)), "?");
}

static void
descriptions_differ_and_fit(void **state)
{
	char(*text)[DESCRIPTION_BYTES] = calloc(tcp_rules_count(), sizeof(*text));

	(void)state;
	assert_non_null(text);
	for (unsigned int row = 0; row < tcp_rules_count(); row++) {
		tcp_rules_describe(row, text[row], sizeof(text[row]));
		assert_in_range(strlen(text[row]), 1, sizeof(text[row]) - 2);
		assert_in_range(strlen(tcp_rules_reason(row)), 5, 120);
		for (unsigned int other = 0; other < row; other++)
			assert_string_not_equal(text[row], text[other]);
	}
	free(text);
}

static void
long_description_is_cut_off_at_the_given_size(void **state)
{
	char text[12];

	(void)state;
	memset(text, 'x', sizeof(text));
	tcp_rules_describe(tcp_rules_cell[TCP_ESTABLISHED][TCP_EVENT_RST], text, 8);
	assert_string_equal(text, "ESTABLI");
	assert_int_equal(text[8], 'x');
}

static void
printed_table_has_a_line_for_every_row(void **state)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	unsigned int lines = 0;

	(void)state;
	assert_non_null(out);
	tcp_rules_print(out);
	fclose(out);
	for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
		lines += at[1] == '|' && at[2] == ' ' && strncmp(at, "\n| when", 7) != 0;
	assert_int_equal(lines, tcp_rules_count() - 1);
	assert_non_null(strstr(text, "\n### FIN in FIN_WAIT_1\n"));
	assert_null(strstr(text, "(null)"));
	free(text);
}

static void
names_cover_every_state_and_event(void **state)
{
	(void)state;
	assert_string_equal(tcp_rules_state_name(TCP_CLOSED), "CLOSED");
	assert_string_equal(tcp_rules_state_name(TCP_TIME_WAIT), "TIME_WAIT");
	assert_string_equal(tcp_rules_state_name(TCP_JOINING), "JOINING");
	assert_string_equal(tcp_rules_state_name(TCP_SPLICED), "SPLICED");
	assert_string_equal(tcp_rules_state_name(TCP_SPLICED + 1), "?");
	assert_string_equal(tcp_rules_event_name(TCP_EVENT_SYN), "SYN");
	assert_string_equal(tcp_rules_event_name(TCP_EVENT_ABORT), "ABORT");
	assert_string_equal(tcp_rules_event_name(TCP_EVENTS), "?");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(last_row_of_every_cell_has_no_condition_and_no_other),
			cmocka_unit_test(no_condition_contradicts_itself),
			cmocka_unit_test(timer_stops_exactly_on_the_way_to_closed),
			cmocka_unit_test(no_row_answers_a_reset_with_a_reset),
			cmocka_unit_test(every_segment_has_a_cell_in_every_state),
			cmocka_unit_test(descriptions_read_as_sentences),
			cmocka_unit_test(descriptions_differ_and_fit),
			cmocka_unit_test(long_description_is_cut_off_at_the_given_size),
			cmocka_unit_test(printed_table_has_a_line_for_every_row),
			cmocka_unit_test(names_cover_every_state_and_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
