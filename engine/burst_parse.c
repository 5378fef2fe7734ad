/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The parse stage: frames of one port in columns where the CPU can, one by one where it cannot or
 * where there are few; and what neither takes, carefully.
 *
 * Segments for the end that the last ones were for are classified on the way, since in columns that
 * costs next to nothing; burst_classify() then passes over them.  Not where proxied connections
 * have local ports, which come before listeners, nor at ports with a VLAN.
 */

#include <rte_prefetch.h>

#include "engine/burst.h"
#include "engine/worker.h"
#include "wire/parse_columns.h"
#include "wire/parse_plain.h"

/* Fewer than so many frames are parsed faster one by one. */
#define BURST_COLUMNS_MIN 3

/* Lines of a packet that are fetched behind its first. */
#define FETCH_STEP 64
#define FETCH_MOST 256

static inline unsigned int
burst_parse_flags(const struct port *port, const struct rte_mbuf *packet)
{
	unsigned int flags = port->parse_flags;

	if (!port->receive_offload)
		return flags;
	if ((packet->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) == RTE_MBUF_F_RX_IP_CKSUM_GOOD)
		flags |= PARSE_IP_CHECKSUM_GOOD;
	if ((packet->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD)
		flags |= PARSE_TCP_CHECKSUM_GOOD;
	return flags;
}

/* Parse packet i alone, into rows @p to.  @return whether it stays in the burst. */
static bool
burst_parse_carefully(struct worker *worker, struct burst *burst, unsigned int i, unsigned int to)
{
	struct rte_mbuf *packet = burst->packet[i];
	const unsigned int flags = burst_parse_flags(&worker->engine->port[packet->port], packet);
	const enum counter reason = parse_frame_carefully(rte_pktmbuf_mtod(packet, const uint8_t *),
			packet->data_len, flags, &burst->frame[to], &burst->segment[to]);

	if (reason != DROP_NONE) {
		worker_drop(worker, packet, reason);
		return false;
	}
	if ((burst->frame[to].flags & FRAME_PARTIAL) != 0)
		worker_count(worker, (uint8_t)packet->port, COUNTER_partial_checksums, 1);
	burst->packet[to] = packet;
	return true;
}

/* Parse packets one by one.  @return how many were kept before and are kept now. */
static unsigned int
burst_parse_each(struct worker *worker, struct burst *burst, unsigned int i, unsigned int end,
		unsigned int kept)
{
	const struct port *port = &worker->engine->port[0];

	for (; i < end; i++) {
		struct rte_mbuf *packet = burst->packet[i];

		port = worker_port_of(worker, packet, port);
		if (likely(parse_plain(rte_pktmbuf_mtod(packet, const uint8_t *), packet->data_len,
				    burst_parse_flags(port, packet), &burst->frame[kept],
				    &burst->segment[kept])))
			burst->packet[kept++] = packet;
		else
			kept += burst_parse_carefully(worker, burst, i, kept);
	}
	return kept;
}

/*
 * Frames of one port, from packet @p first on.
 *
 * @return how many, at least one; or 0 when the first must be parsed alone.
 */
static unsigned int
burst_parse_gather(const struct worker *worker, const struct burst *burst, unsigned int first,
		struct parse_columns_frames *frames)
{
	const uint16_t of_port = burst->packet[first]->port;
	const struct port *port = &worker->engine->port[of_port];
	const unsigned int most = RTE_MIN(burst->n - first, (unsigned int)COLUMNS);
	unsigned int n;

	frames->flags = ~0u;
	for (n = 0; n < most; n++) {
		const struct rte_mbuf *packet = burst->packet[first + n];

		if (packet->port != of_port ||
				packet->data_off + PARSE_COLUMNS_READ > packet->buf_len)
			break;
		frames->data[n] = rte_pktmbuf_mtod(packet, const uint8_t *);
		frames->length[n] = packet->data_len;
		/* What a NIC did not verify of all is verified of all. */
		frames->flags &= burst_parse_flags(port, packet);
	}
	frames->n = n;
	for (unsigned int i = n; n > 0 && i < COLUMNS; i++)
		frames->data[i] = frames->data[0];
	return n;
}

/* What is known of rows from @p row on. */
static inline void
burst_parse_note(struct burst *burst, unsigned int row, struct parse_columns_verdict verdict)
{
	burst->known |= (uint64_t)verdict.here << row;
	burst->alike |= (uint64_t)verdict.alike << row;
	burst->doubtful |= (uint64_t)verdict.doubtful << row;
}

/* Rows that were written from @p kept on, of packets from @p first on: those that are good stay. */
static unsigned int
burst_parse_keep(struct worker *worker, struct burst *burst, unsigned int first, unsigned int n,
		unsigned int kept, struct parse_columns_verdict verdict)
{
	const unsigned int rows = kept;

	for (unsigned int lane = 0; lane < n; lane++) {
		const unsigned int row = rows + lane;

		if ((verdict.good >> lane & 1) == 0) {
			kept += burst_parse_carefully(worker, burst, first + lane, kept);
			continue;
		}
		burst->packet[kept] = burst->packet[first + lane];
		if (kept != row) {
			burst->frame[kept] = burst->frame[row];
			burst->segment[kept] = burst->segment[row];
			burst->key[kept] = burst->key[row];
			burst->event[kept] = burst->event[row];
		}
		burst_parse_note(burst, kept++,
				(struct parse_columns_verdict){
						.here = verdict.here >> lane & 1,
						.alike = verdict.alike >> lane & 1,
						.doubtful = verdict.doubtful >> lane & 1,
				});
	}
	return kept;
}

/* Whether segments of a port that are for the expected end need no more questions. */
static bool
burst_parse_may_know(const struct worker *worker, uint16_t port)
{
	return port == worker->expected_port && worker->engine->port[port].vlan == 0 &&
	       worker->proxy == NULL;
}

/*
 * Rows that are all known are hashed while they are near, and where they may be found is fetched
 * while the next ones are parsed.  Where there is nobody to be found, as in a flood that nothing is
 * kept of, all rows at once are hashed faster.  Who opens connections finds them another way.
 */
static inline void
burst_parse_seek(const struct worker *worker, struct burst *burst, unsigned int row, unsigned int n)
{
	if (worker->load != NULL || conn_table_count(worker->table) == 0)
		return;
	conn_table_seek(worker->table, &burst->key[row], n, &burst->hash[row]);
	burst->sought |= (uint64_t)((1u << n) - 1) << row;
}

/* As many frames at once as there are columns. */
static void
burst_parse_columns(struct worker *worker, struct burst *burst)
{
	struct parse_columns_frames frames;
	unsigned int kept = 0, n;

	for (unsigned int i = 0; i < burst->n; i += n) {
		const struct parse_columns_rows rows = {&burst->frame[kept], &burst->segment[kept],
				&burst->key[kept], &burst->event[kept]};
		struct parse_columns_verdict verdict;

		n = burst_parse_gather(worker, burst, i, &frames);
		if (n < BURST_COLUMNS_MIN) {
			n = RTE_MAX(n, 1u);
			kept = burst_parse_each(worker, burst, i, i + n, kept);
			continue;
		}
		verdict = parse_columns(&frames, worker->expected, &rows);
		if (!burst_parse_may_know(worker, burst->packet[i]->port))
			verdict.here = verdict.alike = 0;
		if (likely(verdict.good == (1u << n) - 1 && kept == i)) {
			burst_parse_note(burst, kept, verdict);
			if (likely(verdict.here == verdict.good))
				burst_parse_seek(worker, burst, kept, n);
			kept += n;
		} else {
			kept = burst_parse_keep(worker, burst, i, n, kept, verdict);
		}
	}
	burst->n = kept;
}

/*
 * Where packets begin; and what follows, as a checksum is over all of it, if most of them carry
 * data: to proxied connections and from them, but not where connections only open and close.  What
 * is far into a long packet the processor sees coming.
 */
static inline void
burst_parse_fetch(const struct worker *worker, const struct burst *burst)
{
	for (unsigned int i = 0; i < burst->n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(burst->packet[i], void *));
	for (unsigned int i = 0; worker->proxy != NULL && i < burst->n; i++) {
		const uint8_t *data = rte_pktmbuf_mtod(burst->packet[i], const uint8_t *);
		const unsigned int last = burst->packet[i]->data_len - 1u;

		for (unsigned int at = FETCH_STEP; at <= FETCH_MOST; at += FETCH_STEP)
			rte_prefetch0(data + RTE_MIN(at, last));
	}
}

void
burst_parse(struct worker *worker, struct burst *burst)
{
	burst_parse_fetch(worker, burst);
	burst->known = 0;
	burst->sought = 0;
	burst->alike = 0;
	burst->doubtful = 0;
	burst->moved = 0;
	if (worker->columns)
		burst_parse_columns(worker, burst);
	else
		burst->n = burst_parse_each(worker, burst, 0, burst->n, 0);
}
