/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef ORACLE_INTERNAL_H
#define ORACLE_INTERNAL_H

/**
 * @file
 * What the oracle's files share with one another and nobody else needs.
 */

#include "oracle.h"

#define NOTHING   ORACLE_BIT(TCP_SEND_NOTHING)
#define ACK       ORACLE_BIT(TCP_SEND_ACK)
#define CHALLENGE ORACLE_BIT(TCP_SEND_CHALLENGE_ACK)
#define SYN_ACK   ORACLE_BIT(TCP_SEND_SYN_ACK)
#define RST       ORACLE_BIT(TCP_SEND_RST)
#define ABORT     ORACLE_BIT(TCP_SEND_ABORT)
#define FIN       ORACLE_BIT(TCP_SEND_FIN)

/** The wire does not show which of the two it was; the difference is the rate limit. */
#define ANY_ACK (ACK | CHALLENGE)

/** a < b on the circle. */
static inline bool
before(uint32_t a, uint32_t b)
{
	return a - b >= 0x80000000u;
}

/** Whether the segment carries this control bit. */
static inline bool
has(const struct oracle_case *c, uint8_t flag)
{
	return (c->segment.flags & flag) != 0;
}

static inline bool
is_passive(const struct oracle_case *c)
{
	return (c->before.flags & TCP_CONN_ACTIVE) == 0;
}

/** SEG.LEN */
static inline uint32_t
segment_length(const struct oracle_case *c)
{
	return (uint32_t)c->segment.payload_length + (has(c, TCP_SYN) ? 1 : 0) +
	       (has(c, TCP_FIN) ? 1 : 0);
}

/** Whether SEG.ACK acknowledges something that is in flight. */
static inline bool
acks_something_new(const struct oracle_case *c)
{
	return before(c->before.snd_una, c->segment.ack) &&
	       !before(c->before.snd_nxt, c->segment.ack);
}

/** How a segment's timestamp compares with TS.Recent. */
enum oracle_timestamp {
	ORACLE_TIMESTAMP_UNUSED, /**< Not negotiated. */
	ORACLE_TIMESTAMP_MISSING,
	ORACLE_TIMESTAMP_OLDER,
	ORACLE_TIMESTAMP_EQUAL,
	ORACLE_TIMESTAMP_NEWER,
};

/** Add a choice: nothing changes, and one of @p sends goes out. */
struct oracle_choice *oracle_add(struct oracle_verdict *verdict, const struct oracle_case *question,
		uint32_t sends, const char *because);

/** The choice ends the connection, for one of these reasons. */
void oracle_end(struct oracle_choice *choice, uint8_t endings);

/** How the segment's timestamp compares (RFC 7323 3.2, 5.3). */
enum oracle_timestamp oracle_timestamp_of(const struct oracle_case *question);

/** Table 6: Segment Acceptability Tests. */
bool oracle_is_acceptable(const struct oracle_case *question);

/** A segment that is refused may have moved TS.Recent before, or not. */
void oracle_leaves_timestamp_open(const struct oracle_case *question, struct oracle_choice *choice);

void oracle_arrives_in_closed(const struct oracle_case *question, struct oracle_verdict *verdict);
void oracle_arrives_in_listen(const struct oracle_case *question, struct oracle_verdict *verdict);
void oracle_arrives_in_syn_sent(const struct oracle_case *question, struct oracle_verdict *verdict);
void oracle_syn_arrives(const struct oracle_case *question, struct oracle_verdict *verdict);
void oracle_timeout(const struct oracle_case *question, struct oracle_verdict *verdict);
void oracle_open(const struct oracle_case *question, struct oracle_verdict *verdict);
void oracle_close(const struct oracle_case *question, struct oracle_verdict *verdict);
void oracle_abort(const struct oracle_case *question, struct oracle_verdict *verdict);

#endif /* ORACLE_INTERNAL_H */
