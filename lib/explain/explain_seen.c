/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdlib.h>
#include <string.h>

#include "explain/explain_seen.h"
#include "tcp/tcp_seq.h"

/* No window is larger (RFC 7323 2.3): what lies further back is the sequence space's next round. */
#define SEEN_REACH (UINT32_C(1) << 30)

/** From the lowest to the highest. */
struct explain_holes {
	unsigned int count;
	struct explain_piece hole[EXPLAIN_HOLES];
};

void
explain_seen_free(struct explain_seen *seen)
{
	free(seen->holes);
	seen->holes = NULL;
}

void
explain_seen_start(struct explain_seen *seen, uint32_t next)
{
	explain_seen_free(seen);
	seen->next = next;
}

static void
remove_hole(struct explain_holes *holes, unsigned int i)
{
	holes->count--;
	memmove(&holes->hole[i], &holes->hole[i + 1], (holes->count - i) * sizeof(holes->hole[0]));
}

/* Without memory it counts as forgotten. */
static void
open_hole(struct explain_seen *seen, uint32_t to)
{
	struct explain_holes *holes = seen->holes;

	if (holes == NULL)
		holes = calloc(1, sizeof(*holes));
	if (holes == NULL)
		return;
	seen->holes = holes;
	if (holes->count == EXPLAIN_HOLES)
		remove_hole(holes, 0);
	holes->hole[holes->count++] = (struct explain_piece){seen->next, to};
}

/* Two out of one; the lower one is forgotten when there is no room. */
static void
split_hole(struct explain_holes *holes, unsigned int i, uint32_t from, uint32_t to)
{
	if (holes->count < EXPLAIN_HOLES) {
		memmove(&holes->hole[i + 1], &holes->hole[i],
				(holes->count - i) * sizeof(holes->hole[0]));
		holes->count++;
		holes->hole[i].to = from;
		i++;
	}
	holes->hole[i].from = to;
}

/* What of [from, to) fills holes. */
static uint32_t
fill_holes(struct explain_holes *holes, uint32_t from, uint32_t to)
{
	uint32_t filled = 0;

	for (unsigned int i = 0; i < holes->count;) {
		struct explain_piece *hole = &holes->hole[i];
		const uint32_t first = tcp_seq_lt(from, hole->from) ? hole->from : from;
		const uint32_t last = tcp_seq_lt(to, hole->to) ? to : hole->to;

		if (!tcp_seq_lt(first, last)) {
			i++;
			continue;
		}
		filled += last - first;
		if (first == hole->from && last == hole->to) {
			remove_hole(holes, i);
			continue;
		}
		if (first == hole->from)
			hole->from = last;
		else if (last == hole->to)
			hole->to = first;
		else
			split_hole(holes, i, first, last);
		i++;
	}
	return filled;
}

uint32_t
explain_seen_add(struct explain_seen *seen, uint32_t from, uint32_t to)
{
	uint32_t fresh = 0;

	if (tcp_seq_lt(seen->next, from)) {
		open_hole(seen, from);
		seen->next = from;
	} else if (seen->holes != NULL) {
		fresh = fill_holes(seen->holes, from, to);
	}
	if (tcp_seq_lt(seen->next, to)) {
		fresh += to - seen->next;
		seen->next = to;
	}
	while (seen->holes != NULL && seen->holes->count > 0 &&
			seen->next - seen->holes->hole[0].from > SEEN_REACH)
		remove_hole(seen->holes, 0);
	if (seen->holes != NULL && seen->holes->count == 0)
		explain_seen_free(seen);
	return fresh;
}
