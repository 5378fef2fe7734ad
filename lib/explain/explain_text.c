/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>

#include <rte_common.h>

#include "explain/explain_text.h"
#include "tcp/flow_key.h"
#include "wire/bytes.h"

const char *
explain_text_address(const uint8_t address[16], char text[EXPLAIN_TEXT_ADDRESS])
{
	if (flow_key_is_ipv4(address))
		inet_ntop(AF_INET, address + 12, text, EXPLAIN_TEXT_ADDRESS);
	else
		inet_ntop(AF_INET6, address, text, EXPLAIN_TEXT_ADDRESS);
	return text;
}

const char *
explain_text_end(const struct explain_end *end, char text[EXPLAIN_TEXT_ADDRESS])
{
	char address[EXPLAIN_TEXT_ADDRESS];

	explain_text_address(end->address, address);
	snprintf(text, EXPLAIN_TEXT_ADDRESS,
			flow_key_is_ipv4(end->address) ? "%.45s:%u" : "[%.45s]:%u", address,
			end->port);
	return text;
}

const char *
explain_text_flags(unsigned int flags, char text[9])
{
	static const char letters[] = {'F', 'S', 'R', 'P', '.', 'U', 'E', 'W'};
	unsigned int n = 0;

	for (unsigned int i = 0; i < RTE_DIM(letters); i++)
		if (flags & 1u << i && letters[i] != '.')
			text[n++] = letters[i];
	if (flags & TCP_ACK)
		text[n++] = '.';
	text[n] = '\0';
	return n > 0 ? text : "none";
}

/** Text that grows until its room is used up. */
struct pen {
	char *text;
	size_t size;
	size_t used;
};

static __rte_format_printf(2, 3) void append(struct pen *pen, const char *format, ...)
{
	va_list values;
	int n;

	va_start(values, format);
	n = vsnprintf(pen->text + pen->used, pen->size - pen->used, format, values);
	va_end(values);
	if (n > 0)
		pen->used = RTE_MIN(pen->used + (size_t)n, pen->size - 1);
}

static void
append_sack(struct pen *pen, const uint8_t *option, uint8_t length, uint32_t base)
{
	append(pen, "sack %u ", (length - 2u) / 8);
	for (unsigned int at = 2; at + 8 <= length; at += 8)
		append(pen, "{%u:%u}", bytes_read_32(option + at) - base,
				bytes_read_32(option + at + 4) - base);
}

/* One option that is there in whole. */
static void
append_option(struct pen *pen, const uint8_t *option, uint32_t sack_base)
{
	const uint8_t kind = option[0], length = option[1];

	if (kind == 2 && length == 4)
		append(pen, "mss %u", bytes_read_16(option + 2));
	else if (kind == 3 && length == 3)
		append(pen, "wscale %u", option[2]);
	else if (kind == 4 && length == 2)
		append(pen, "sackOK");
	else if (kind == 5 && length >= 10)
		append_sack(pen, option, length, sack_base);
	else if (kind == 8 && length == 10)
		append(pen, "TS val %u ecr %u", bytes_read_32(option + 2),
				bytes_read_32(option + 6));
	else if (kind == 34 && length == 2)
		append(pen, "tfo cookiereq");
	else if (kind == 34)
		append(pen, "tfo cookie %u bytes", length - 2u);
	else if (kind == 30)
		append(pen, "mptcp");
	else
		append(pen, "kind %u", kind);
}

const char *
explain_text_options(const struct explain_conn *conn, const struct explain_step *step, char *text,
		size_t size)
{
	const uint8_t *options = step->options;
	struct pen pen = {text, size, 0};
	unsigned int at = 0;

	text[0] = '\0';
	while (at < step->options_length) {
		const uint8_t kind = options[at];
		const char *comma = at > 0 ? "," : "";

		if (kind == 0) {
			append(&pen, "%seol", comma);
			break;
		}
		append(&pen, "%s", comma);
		if (kind == 1) {
			append(&pen, "nop");
			at++;
			continue;
		}
		if (at + 1 >= step->options_length || options[at + 1] < 2 ||
				at + options[at + 1] > step->options_length) {
			append(&pen, step->options_cut ? "cut" : "malformed");
			break;
		}
		append_option(&pen, options + at, conn->end[!step->from].base);
		at += options[at + 1];
	}
	return text;
}

const char *
explain_text_events(const struct explain_step *step, char *text, size_t size)
{
	struct pen pen = {text, size, 0};

	text[0] = '\0';
	for (unsigned int event = 0; event < EXPLAIN_EVENTS; event++) {
		if (!(step->events & explain_event_bit(event)))
			continue;
		/* "retransmission of what was acknowledged" reads as one. */
		append(&pen, "%s%s",
				pen.used == 0                     ? ""
				: event == EXPLAIN_EVENT_NEEDLESS ? " "
								  : ", ",
				explain_event_text(event));
	}
	if (step->why != EXPLAIN_WHY_NONE)
		append(&pen, ": %s", explain_why_text(step->why));
	if (pen.used == 0)
		append(&pen, step->flags & TCP_ACK ? "ACK" : "no ACK bit");
	return text;
}

const char *
explain_text_fate(enum explain_fate fate)
{
	static const char *const names[] = {
			[EXPLAIN_FATE_OPEN] = "open",
			[EXPLAIN_FATE_OPENING] = "opening",
			[EXPLAIN_FATE_CLOSING] = "closing",
			[EXPLAIN_FATE_CLOSED] = "closed",
			[EXPLAIN_FATE_RESET] = "reset",
			[EXPLAIN_FATE_REFUSED] = "refused",
			[EXPLAIN_FATE_IGNORED] = "ignored",
	};

	return names[fate];
}
