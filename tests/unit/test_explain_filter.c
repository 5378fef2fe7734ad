/* SPDX-License-Identifier: BSD-3-Clause */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "explain/explain.h"

/* IPv4, TCP from 10.0.0.1 to 10.0.0.2 port 80: ACK with data. */
static void
add_data(struct explain *explain, uint8_t port)
{
	const uint8_t bytes[] = {0x45, 0, 0, 44, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
			0x9c, port, 0, 80, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, TCP_ACK, 4, 0, 0, 0, 0, 0,
			'G', 'E', 'T', ' '};
	const struct explain_frame frame = {bytes, sizeof(bytes), sizeof(bytes), EXPLAIN_LINK_RAW};

	assert_true(explain_add(explain, &frame, 0));
}

static void
payload_that_nobody_wants_is_not_kept(void **state)
{
	const struct explain_filter filter = {.port = 0x9c02};
	struct explain explain;

	(void)state;
	assert_true(explain_init(&explain, &filter));
	add_data(&explain, 1);
	add_data(&explain, 2);
	assert_int_equal(explain.records, 2);
	assert_null(explain.record[0]->conn.payload);
	assert_int_equal(explain.record[0]->conn.end[0].bytes, 4);
	assert_non_null(explain.record[1]->conn.payload);
	explain_free(&explain);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(payload_that_nobody_wants_is_not_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
