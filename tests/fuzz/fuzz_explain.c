/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Whole captures into the tracker: no packet may crash it, and what it says is printable.
 *
 * Input: one byte of link layer; then packets, each with a byte of milliseconds since the last, a
 * byte of captured length, a byte that is added to that for the real length, and the bytes.
 */

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <rte_common.h>

#include "explain/explain.h"
#include "explain/explain_text.h"
#include "tcp/tcp_rules.h"

#include "fuzz.h"

static void
check_step(const struct explain_conn *conn, const struct explain_step *step)
{
	char text[64], flags[9];

	assert(strlen(explain_text_options(conn, step, text, sizeof(text))) < sizeof(text));
	assert(strlen(explain_text_events(step, text, sizeof(text))) < sizeof(text));
	explain_text_flags(step->flags, flags);
	for (unsigned int i = 0; i < 2; i++) {
		assert(step->state[i] < TCP_STATES);
		assert(tcp_rules_state_name(step->state[i]) != NULL);
	}
}

static void
check(const struct explain *explain)
{
	uint64_t segments = 0;

	for (size_t i = 0; i < explain->records; i++) {
		const struct explain_record *record = explain->record[i];
		char end[EXPLAIN_TEXT_ADDRESS];

		assert(record->steps == record->conn.packets);
		assert(explain_text_fate(explain_conn_fate(&record->conn)) != NULL);
		explain_text_end(&record->conn.end[0], end);
		segments += record->steps;
		for (size_t s = 0; s < record->steps; s++)
			check_step(&record->conn, &record->step[s]);
	}
	assert(segments == explain->kinds[EXPLAIN_TCP]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int links[] = {EXPLAIN_LINK_RAW, EXPLAIN_LINK_ETHERNET, EXPLAIN_LINK_SLL,
			EXPLAIN_LINK_SLL2, EXPLAIN_LINK_NULL, EXPLAIN_LINK_IPV6};
	const struct explain_filter filter = {.ladders = true};
	struct explain explain;
	int64_t now = 1;
	int link;

	if (size < 1)
		return 0;
	link = links[data[0] % RTE_DIM(links)];
	data++;
	size--;
	if (!explain_init(&explain, &filter))
		return 0;
	while (size >= 3) {
		const uint32_t captured = data[1] < size - 3 ? data[1] : (uint32_t)(size - 3);
		const struct explain_frame frame = {data + 3, captured, captured + data[2], link};

		now += (int64_t)data[0] * 1000000;
		assert(explain_add(&explain, &frame, now));
		data += 3 + captured;
		size -= 3 + captured;
	}
	check(&explain);
	explain_free(&explain);
	return 0;
}
