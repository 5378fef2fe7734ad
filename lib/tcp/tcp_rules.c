/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * tcp_rules.def as arrays: the rows, the cells, the reasons; and the table in words.
 *
 * The rows of all cells stand in one array, so that a row's index is dense and stable enough to
 * count by.  Each reading of tcp_rules.def below defines CELL and ROW for its purpose.
 */

#include <stdbool.h>
#include <string.h>

#include <rte_common.h>

#include "tcp/tcp_rules.h"

/* The short names in which tcp_rules.def is written. */
#define SHORT(name) name = TCP_FACT_##name,
enum { TCP_RULES_FACTS(SHORT) };
#undef SHORT
#define SHORT(name) name = TCP_EFFECT_##name,
enum { TCP_RULES_EFFECTS(SHORT) };
#undef SHORT

/* The column `does` holds effects, outcomes and a refusal side by side. */
#define TELL_SHIFT     16
#define REFUSAL_SHIFT  24
#define TELL(outcome)  TELL_##outcome = TCP_OUTCOME_##outcome << TELL_SHIFT
#define REFUSE(reason) reason = TCP_REFUSAL_##reason << REFUSAL_SHIFT

enum {
	ALWAYS = 0,
	NOTHING = 0,
	TAKE_HEADER = TAKE_ACK | TAKE_TIMESTAMP,
	TAKE_TEXT = TAKE_HEADER | TAKE_DATA,
	TAKE_ALL = TAKE_TEXT | TAKE_FIN,
	TAKE_SYN_ACK = NEGOTIATE | TAKE_ACK,
	TAKE_SYN_AGAIN = TAKE_TIMESTAMP | FORGET_RTT,
	TELL(OPENED),
	TELL(OUTPUT),
	TELL(CLOSED),
	TELL(RESET),
	TELL(TIMED_OUT),
	REFUSE(NOT_A_SYN),
	REFUSE(BAD_RST),
	REFUSE(NO_ACK),
	REFUSE(BAD_ACK),
	REFUSE(OUT_OF_WINDOW),
	REFUSE(OUT_OF_ORDER),
	REFUSE(PAWS),
	REFUSE(NO_TIMESTAMP),
	REFUSE(ICMP),
	REFUSE(STATE),
	TCP_SEND_CHALLENGE = TCP_SEND_CHALLENGE_ACK,
	TCP_SAME = TCP_RULES_SAME,
};

_Static_assert(TCP_EFFECTS <= TELL_SHIFT, "effects stay below outcomes");

#define NOT(facts) ((uint64_t)(facts) << 32)

/* Where each cell begins and ends: the sizes of its rows, added up. */
#define ROW(condition, next, sends, timers, does, why)                                          \
	{                                                                                       \
		.when = (condition), .effects = (does)&UINT16_MAX, .next_state = TCP_##next,    \
		.send = TCP_SEND_##sends, .timer = TCP_RULE_TIMER_##timers,                     \
		.outcome = (does) >> TELL_SHIFT & UINT8_MAX, .refusal = (does) >> REFUSAL_SHIFT \
	}
#define CELL(state, event, ...)                                                          \
	CELL_##state##_##event,                                                          \
			CELL_##state##_##event##_LAST =                                  \
					CELL_##state##_##event - 1 +                     \
					(int)(sizeof((struct tcp_rule[]){__VA_ARGS__}) / \
							sizeof(struct tcp_rule)),
enum {
	CELL_REFUSE,
#include "tcp/tcp_rules.def"
	TCP_RULES
};
#undef CELL

_Static_assert(TCP_RULES <= UINT16_MAX, "tcp_action.rule is 16 bits wide");

#define CELL(state, event, ...) [CELL_##state##_##event] = __VA_ARGS__,
const struct tcp_rule tcp_rules[] = {
		[CELL_REFUSE] = ROW(ALWAYS, SAME, NOTHING, KEEP, STATE, ""),
#include "tcp/tcp_rules.def"
};
#undef CELL
#undef ROW

_Static_assert(RTE_DIM(tcp_rules) == TCP_RULES, "the cells are counted as they are laid out");

#define CELL(state, event, ...) [TCP_##state][TCP_EVENT_##event] = CELL_##state##_##event,
const uint16_t tcp_rules_cell[TCP_STATES][TCP_EVENTS] = {
#include "tcp/tcp_rules.def"
};
#undef CELL

/*
 * Counted from the ends of their cells.  That they are the rows that tcp_step() would find is what
 * the test of tcp_expect() is about.
 */
const uint16_t tcp_rules_expected[TCP_STATES][TCP_RULES_EXPECTED] = {
		[TCP_LISTEN] = {CELL_LISTEN_SYN_LAST},
		[TCP_SYN_RCVD] = {CELL_SYN_RCVD_ACK_LAST, CELL_SYN_RCVD_ACK_LAST - 2,
				CELL_SYN_RCVD_FIN_LAST - 2, CELL_SYN_RCVD_FIN_LAST - 2},
		[TCP_ESTABLISHED] = {CELL_ESTABLISHED_ACK_LAST, CELL_ESTABLISHED_ACK_LAST - 2,
				CELL_ESTABLISHED_FIN_LAST - 2, CELL_ESTABLISHED_FIN_LAST - 2},
		[TCP_FIN_WAIT_1] = {CELL_FIN_WAIT_1_ACK_LAST - 1, 0, CELL_FIN_WAIT_1_FIN_LAST - 5},
		[TCP_FIN_WAIT_2] = {0, 0, CELL_FIN_WAIT_2_FIN_LAST - 2},
		[TCP_LAST_ACK] = {CELL_LAST_ACK_ACK_LAST - 1},
};

#define ROW(condition, next, sends, timers, does, why) why
#define CELL(state, event, ...)                        [CELL_##state##_##event] = __VA_ARGS__,
static const char *const rules_reasons[TCP_RULES] = {
		[CELL_REFUSE] = "The event means nothing in this state",
#include "tcp/tcp_rules.def"
};
#undef CELL
#undef ROW

static const char *const state_names[] = {"CLOSED", "LISTEN", "SYN_SENT", "SYN_RCVD", "ESTABLISHED",
		"FIN_WAIT_1", "FIN_WAIT_2", "CLOSE_WAIT", "CLOSING", "LAST_ACK", "TIME_WAIT",
		"same"};

static const char *const event_names[] = {"SYN", "SYN_ACK", "ACK", "FIN", "RST", "BARE", "TIMEOUT",
		"OPEN", "CLOSE", "ABORT", "UNREACHABLE", "TOO_BIG"};

static const char *const send_names[] = {"nothing", "SYN", "SYN_ACK", "ACK", "CHALLENGE_ACK", "RST",
		"RST_ACK", "ABORT", "FIN", "PROBE"};

#define NAME(name) #name,
static const char *const fact_names[] = {TCP_RULES_FACTS(NAME)};
static const char *const effect_names[] = {TCP_RULES_EFFECTS(NAME)};
static const char *const timer_names[] = {TCP_RULES_TIMERS(NAME)};
#undef NAME

static const char *const outcome_names[] = {
		"opened", "data", "peer fin", "acked", "output", "closed", "reset", "timed out"};

static const char *const refusal_names[] = {"none", "not a SYN", "bad RST", "no ACK", "bad ACK",
		"out of window", "out of order", "PAWS", "no timestamp", "ICMP", "state"};

_Static_assert(RTE_DIM(send_names) == TCP_SEND_PROBE + 1, "a name for every segment");
_Static_assert(RTE_DIM(refusal_names) == TCP_REFUSALS, "a name for every refusal");
_Static_assert(RTE_DIM(event_names) == TCP_EVENTS, "a name for every event");
_Static_assert(RTE_DIM(state_names) == TCP_STATES + 1, "a name for every state");

/* A text that is written piece by piece; what does not fit is cut off. */
struct text {
	char *at;
	size_t left;
};

static void
text_add(struct text *text, const char *piece)
{
	const size_t length = strnlen(piece, text->left > 0 ? text->left - 1 : 0);

	memcpy(text->at, piece, length);
	text->at += length;
	text->left -= length;
	if (text->left > 0)
		*text->at = '\0';
}

static void
text_add_bits(struct text *text, uint32_t bits, const char *const names[], const char *prefix)
{
	for (unsigned int i = 0; bits != 0; i++, bits >>= 1) {
		if ((bits & 1) == 0)
			continue;
		text_add(text, " ");
		text_add(text, prefix);
		text_add(text, names[i]);
	}
}

static void
text_add_condition(struct text *text, const struct tcp_rule *rule)
{
	if (rule->when == ALWAYS)
		text_add(text, " always");
	text_add_bits(text, (uint32_t)rule->when, fact_names, "");
	text_add_bits(text, (uint32_t)(rule->when >> 32), fact_names, "not ");
}

/* The cell a row belongs to; false for row 0. */
static bool
rule_cell(unsigned int rule, unsigned int *state, unsigned int *event)
{
	unsigned int begin = 0;

	for (unsigned int s = 0; s < TCP_STATES; s++) {
		for (unsigned int e = 0; e < TCP_EVENTS; e++) {
			const unsigned int cell = tcp_rules_cell[s][e];

			if (cell == CELL_REFUSE || cell > rule || cell < begin)
				continue;
			begin = cell;
			*state = s;
			*event = e;
		}
	}
	return begin != 0;
}

unsigned int
tcp_rules_count(void)
{
	return TCP_RULES;
}

const char *
tcp_rules_reason(unsigned int rule)
{
	return rule < TCP_RULES ? rules_reasons[rule] : "";
}

const char *
tcp_rules_state_name(unsigned int state)
{
	if (state == TCP_JOINING)
		return "JOINING";
	if (state == TCP_SPLICED)
		return "SPLICED";
	return state < TCP_STATES ? state_names[state] : "?";
}

const char *
tcp_rules_event_name(unsigned int event)
{
	return event < TCP_EVENTS ? event_names[event] : "?";
}

const char *
tcp_rules_describe(unsigned int rule, char *text, size_t size)
{
	struct text to = {text, size};
	unsigned int state = 0, event = 0;

	if (rule >= TCP_RULES || !rule_cell(rule, &state, &event)) {
		text_add(&to, rule < TCP_RULES ? "any state, any event without a row: refused"
					       : "?");
		return text;
	}
	text_add(&to, state_names[state]);
	text_add(&to, " ");
	text_add(&to, event_names[event]);
	text_add(&to, ":");
	text_add_condition(&to, &tcp_rules[rule]);
	text_add(&to, " -> ");
	text_add(&to, state_names[tcp_rules[rule].next_state]);
	if (tcp_rules[rule].send != TCP_SEND_NOTHING) {
		text_add(&to, ", send ");
		text_add(&to, send_names[tcp_rules[rule].send]);
	}
	return text;
}

/* One row of the Markdown table, without its state and event. */
static void
rule_print(FILE *out, unsigned int rule)
{
	const struct tcp_rule *row = &tcp_rules[rule];
	char condition[256], does[256];
	struct text text = {condition, sizeof(condition)};

	text_add_condition(&text, row);
	text = (struct text){does, sizeof(does)};
	text_add(&text, "");
	text_add_bits(&text, row->effects, effect_names, "");
	text_add_bits(&text, row->outcome, outcome_names, "tell ");
	fprintf(out, "|%s | %s | %s | %s |%s | %s | %s |\n", condition,
			state_names[row->next_state], send_names[row->send],
			timer_names[row->timer], does,
			row->refusal == TCP_REFUSAL_NONE ? "" : refusal_names[row->refusal],
			rules_reasons[rule]);
}

void
tcp_rules_print(FILE *out)
{
	unsigned int state = 0, event = 0, last_state = 0, last_event = 0;

	for (unsigned int rule = 1; rule < TCP_RULES; rule++) {
		rule_cell(rule, &state, &event);
		if (rule == 1 || state != last_state)
			fprintf(out, "%s## %s\n", rule == 1 ? "" : "\n", state_names[state]);
		if (rule == 1 || state != last_state || event != last_event)
			fprintf(out,
					"\n### %s in %s\n\n"
					"| when | next | send | timer | does | refusal | reason |\n"
					"|---|---|---|---|---|---|---|\n",
					event_names[event], state_names[state]);
		rule_print(out, rule);
		last_state = state;
		last_event = event;
	}
}
