/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef LOSSY_HOST_H
#define LOSSY_HOST_H

/**
 * @file
 * One end of a connection for test_lossy: tcp_step() and tcp_output in the order in which the
 * engine calls them, an application on top, and nothing but a function to hand segments to below.
 *
 * What must hold at every moment is checked here, where it happens; the first thing that does not
 * is kept in lossy_host.failure.  A payload is named by its offset in the stream instead of being
 * copied: who has the right offsets has the right bytes.
 */

#include <stdbool.h>
#include <stdint.h>

#include "tcp/tcp_output.h"
#include "tcp/tcp_step.h"

/** A segment on its way. */
struct lossy_segment {
	struct tcp_segment tcp;
	uint32_t offset; /**< Of the payload's first byte in its stream. */
};

/** When an application has nothing more to say. */
enum lossy_close {
	LOSSY_CLOSE_AFTER_SENDING,  /**< FIN right behind the last byte. */
	LOSSY_CLOSE_AFTER_BYTES,    /**< When it has received all it expects. */
	LOSSY_CLOSE_AFTER_PEER_FIN, /**< When the peer has closed. */
};

/** What distinguishes one host from another. */
struct lossy_plan {
	struct tcp_config config;
	uint32_t isn;
	uint32_t ts_offset;
	uint32_t buffer; /**< Bytes of receive buffer: the largest window. */
	uint32_t send;   /**< Bytes to send in all. */
	uint32_t piece;  /**< Bytes the application makes at once. */
	uint32_t pause;  /**< Milliseconds between two pieces. */
	uint32_t expect; /**< Bytes that will come. */
	uint32_t wait;   /**< Bytes to have received before the first is sent. */
	uint16_t path_mss;
	enum lossy_close close;
};

struct lossy_host {
	const char *name;
	struct lossy_plan plan;
	struct tcp_conn conn;
	struct tcp_sender sender;

	/* The application. */
	uint32_t ready;    /**< Bytes that may be sent. */
	uint32_t received; /**< Bytes that came. */
	uint32_t unread;   /**< Of those, still in the buffer. */
	uint32_t buffer;   /**< The receive buffer's size now. */
	bool reads;
	bool opened;
	bool peer_closed;
	uint64_t next_piece_ms;

	uint64_t challenge_ms; /**< When the next challenge ACK may go out. */
	uint64_t now_ms;
	uint64_t deadline_ms; /**< UINT64_MAX: no timer. */
	uint32_t right_edge;  /**< The furthest RCV.NXT + RCV.WND ever announced ... */
	bool announced;       /**< ... if it was. */
	uint8_t last_state;   /**< Before it ended. */
	uint8_t ended;        /**< The outcome that ended it, or 0. */
	const char *failure;  /**< What should never have happened, or NULL. */

	void (*emit)(struct lossy_host *host, const struct lossy_segment *segment);
	void *network;
	struct lossy_host *peer;
};

/** A host in CLOSED (active) or LISTEN. */
void lossy_host_init(struct lossy_host *host, const struct lossy_plan *plan, bool active);

/** Begin the active open. */
void lossy_host_open(struct lossy_host *host, uint64_t now_ms);

/** A segment arrives. */
void lossy_host_receive(
		struct lossy_host *host, const struct lossy_segment *segment, uint64_t now_ms);

/** deadline_ms has come. */
void lossy_host_timeout(struct lossy_host *host, uint64_t now_ms);

/** next_piece_ms has come: the application has more to send. */
void lossy_host_piece(struct lossy_host *host, uint64_t now_ms);

/** The application goes on reading, or stops to, and may change its buffer's size. */
void lossy_host_read(struct lossy_host *host, bool reads, uint32_t buffer, uint64_t now_ms);

/** Whether everything was sent, received and closed. */
bool lossy_host_is_done(const struct lossy_host *host);

#endif /* LOSSY_HOST_H */
