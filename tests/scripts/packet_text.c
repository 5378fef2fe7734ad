/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Packets from text and to text.
 */

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "packet.h"

/* In the order in which they are written; `.` is ACK, `-` is none of them. */
static const struct {
	char letter;
	uint16_t flag;
} packet_flags[] = {
		{'F', 0x01},
		{'S', 0x02},
		{'R', 0x04},
		{'P', 0x08},
		{'U', 0x20},
		{'E', 0x40},
		{'W', 0x80},
		{'X', 0x100}, /* a reserved bit */
		{'.', 0x10},
};

static void
skip_blanks(const char **at)
{
	while (isspace((unsigned char)**at))
		(*at)++;
}

/* Take @p word if it is next, as a whole word when it ends in a letter. */
static bool
take(const char **at, const char *word)
{
	const size_t length = strlen(word);

	skip_blanks(at);
	if (strncmp(*at, word, length) != 0)
		return false;
	if (isalnum((unsigned char)word[length - 1]) && isalnum((unsigned char)(*at)[length]))
		return false;
	*at += length;
	return true;
}

static bool
take_number(const char **at, struct packet_number *number, unsigned int family)
{
	char *end;

	skip_blanks(at);
	*number = (struct packet_number){0};
	if (take(at, "*")) {
		number->any = true;
	} else if (take(at, "PATH")) {
		number->value = family == 4 ? 1460 : 1440; /* RFC 6691 2 */
	} else if (take(at, "DEFAULT")) {
		number->value = family == 4 ? 536 : 1220; /* RFC 9293 3.7.1 */
	} else {
		number->value = (uint32_t)strtoll(*at, &end, 0);
		if (end == *at)
			return false;
		*at = end;
	}
	return true;
}

static const char *
parse_flags(struct packet *packet, const char **at)
{
	skip_blanks(at);
	if (take(at, "-"))
		return NULL;
	if (isspace((unsigned char)**at))
		return "flags are missing";
	for (; **at != '\0' && !isspace((unsigned char)**at); (*at)++) {
		unsigned int i = 0;

		while (i < sizeof(packet_flags) / sizeof(packet_flags[0]) &&
				packet_flags[i].letter != **at)
			i++;
		if (i == sizeof(packet_flags) / sizeof(packet_flags[0]))
			return "flags are of F S R P U E W X and . for ACK, or -";
		packet->flags |= packet_flags[i].flag;
	}
	return NULL;
}

static const char *
parse_sequence(struct packet *packet, const char **at, unsigned int family)
{
	struct packet_number end, length;
	bool has_end = false;

	if (take(at, "new"))
		packet->base = PACKET_NEW;
	else if (take(at, "above"))
		packet->base = PACKET_ABOVE;
	else {
		if (take(at, "@"))
			packet->base = PACKET_ABSOLUTE;
		if (!take_number(at, &packet->seq, family))
			return "a sequence number is missing";
		if (**at == ':') {
			(*at)++;
			if (!take_number(at, &end, family))
				return "the sequence number's end is missing";
			has_end = true;
		}
	}
	if (!take(at, "(") || !take_number(at, &length, family) || !take(at, ")"))
		return "the length is missing: SEQ:END(LEN)";
	if (length.value > 1460)
		return "more payload than a frame takes";
	packet->length = (uint16_t)length.value;
	packet->length_any = length.any;
	if (has_end && !end.any && end.value != packet->seq.value + packet->length)
		return "SEQ, END and LEN contradict each other";
	return NULL;
}

static const char *
parse_hex(struct packet_option *option, const char **at)
{
	unsigned int byte;
	int length;

	skip_blanks(at);
	while (sscanf(*at, "%2x%n", &byte, &length) == 1 && length == 2) {
		if (option->raw_length == sizeof(option->raw))
			return "more than 40 bytes of options";
		option->raw[option->raw_length++] = (uint8_t)byte;
		*at += 2;
	}
	return option->raw_length > 0 ? NULL : "hexadecimal bytes are missing";
}

static const char *
parse_option(struct packet_option *option, const char **at, unsigned int family)
{
	static const struct {
		const char *word;
		unsigned int kind;
	} kinds[] = {
			{"eol", PACKET_END},
			{"nop", PACKET_NOP},
			{"mss", PACKET_MSS},
			{"wscale", PACKET_WINDOW_SCALE},
			{"sackOK", PACKET_SACK_PERMITTED},
			{"sack", PACKET_SACK},
			{"TS", PACKET_TIMESTAMPS},
			{"raw", PACKET_RAW},
	};
	unsigned int i = 0;

	while (i < sizeof(kinds) / sizeof(kinds[0]) && !take(at, kinds[i].word))
		i++;
	if (i == sizeof(kinds) / sizeof(kinds[0]))
		return "an option is mss, wscale, sackOK, sack, TS, nop, eol or raw";
	option->kind = kinds[i].kind;
	switch (option->kind) {
	case PACKET_MSS:
	case PACKET_WINDOW_SCALE:
		return take_number(at, &option->value[0], family) ? NULL : "its value is missing";
	case PACKET_SACK:
		return take_number(at, &option->value[0], family) && take(at, ":") &&
						       take_number(at, &option->value[1], family)
				       ? NULL
				       : "a SACK block is LEFT:RIGHT";
	case PACKET_TIMESTAMPS:
		return take(at, "val") && take_number(at, &option->value[0], family) &&
						       take(at, "ecr") &&
						       take_number(at, &option->value[1], family)
				       ? NULL
				       : "timestamps are: TS val N ecr N";
	case PACKET_RAW:
		return parse_hex(option, at);
	default:
		return NULL;
	}
}

static const char *
parse_options(struct packet *packet, const char **at, unsigned int family)
{
	const char *problem;

	if (take(at, "*>")) {
		packet->options_any = true;
		return NULL;
	}
	while (!take(at, ">")) {
		if (packet->option_count == PACKET_OPTIONS_MAX)
			return "too many options";
		problem = parse_option(&packet->option[packet->option_count++], at, family);
		if (problem != NULL)
			return problem;
		take(at, ",");
	}
	return NULL;
}

static const char *
parse_text(struct packet *packet, const char **at)
{
	unsigned int length = 0;

	packet->has_text = true;
	for (; **at != '"'; (*at)++) {
		char c = **at;

		if (c == '\0')
			return "the quotation does not end";
		if (c == '\\') {
			(*at)++;
			c = **at == 'r' ? '\r' : **at == 'n' ? '\n' : **at;
		}
		if (length + 1 == sizeof(packet->text))
			return "the quotation is too long";
		packet->text[length++] = c;
	}
	(*at)++;
	packet->text_is_prefix = take(at, "...");
	if (packet->text_is_prefix ? length > packet->length && !packet->length_any
				   : length != packet->length)
		return "the quotation's length is not LEN";
	return NULL;
}

/* What may follow the sequence number, in any order. */
static const char *
parse_rest(struct packet *packet, const char **at, unsigned int family)
{
	struct packet_number number;

	if (take(at, "ack")) {
		packet->has_ack = true;
		if (take(at, "@"))
			packet->ack_base = PACKET_ABSOLUTE;
		return take_number(at, &packet->ack, family) ? NULL : "ack: a number is missing";
	}
	if (take(at, "win"))
		return take_number(at, &packet->window, family) ? NULL : "win: a number is missing";
	if (take(at, "urg") || take(at, "offset")) {
		const bool urgent = (*at)[-1] == 'g';

		if (!take_number(at, &number, family))
			return "a number is missing";
		if (urgent)
			packet->urgent = (uint16_t)number.value;
		else
			packet->data_offset = (uint8_t)number.value;
		return NULL;
	}
	if (take(at, "badsum")) {
		packet->bad_checksum = true;
		return NULL;
	}
	if (take(at, "<"))
		return parse_options(packet, at, family);
	if (take(at, "\""))
		return parse_text(packet, at);
	return "not understood: ack, win, urg, offset, badsum, <options> or \"payload\"";
}

const char *
packet_parse(struct packet *packet, const char *text, unsigned int family)
{
	const char *at = text;
	const char *problem;

	memset(packet, 0, sizeof(*packet));
	packet->window.any = true;
	problem = parse_flags(packet, &at);
	if (problem == NULL)
		problem = parse_sequence(packet, &at, family);
	skip_blanks(&at);
	while (problem == NULL && *at != '\0') {
		problem = parse_rest(packet, &at, family);
		skip_blanks(&at);
	}
	return problem;
}

/* Text that grows until it is full. */
struct writer {
	char *at;
	size_t left;
};

static void __attribute__((format(printf, 2, 3)))
put(struct writer *writer, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(writer->at, writer->left, format, arguments);
	va_end(arguments);
	if (length < 0)
		return;
	if ((size_t)length >= writer->left)
		length = (int)writer->left - 1;
	writer->at += length;
	writer->left -= (size_t)length;
}

static void
put_number(struct writer *writer, const char *before, const struct packet_number *number)
{
	if (number->any)
		put(writer, "%s*", before);
	else
		put(writer, "%s%d", before, (int)number->value);
}

static void
put_option(struct writer *writer, const struct packet_option *option)
{
	switch (option->kind) {
	case PACKET_END:
		put(writer, "eol");
		break;
	case PACKET_NOP:
		put(writer, "nop");
		break;
	case PACKET_MSS:
		put_number(writer, "mss ", &option->value[0]);
		break;
	case PACKET_WINDOW_SCALE:
		put_number(writer, "wscale ", &option->value[0]);
		break;
	case PACKET_SACK_PERMITTED:
		put(writer, "sackOK");
		break;
	case PACKET_SACK:
		put_number(writer, "sack ", &option->value[0]);
		put_number(writer, ":", &option->value[1]);
		break;
	case PACKET_TIMESTAMPS:
		put_number(writer, "TS val ", &option->value[0]);
		put_number(writer, " ecr ", &option->value[1]);
		break;
	default:
		put(writer, "raw ");
		for (unsigned int i = 0; i < option->raw_length; i++)
			put(writer, "%02x", option->raw[i]);
	}
}

void
packet_print(const struct packet *packet, char *text, size_t size)
{
	struct writer writer = {text, size};

	for (unsigned int i = 0; i < sizeof(packet_flags) / sizeof(packet_flags[0]); i++) {
		if ((packet->flags & packet_flags[i].flag) != 0)
			put(&writer, "%c", packet_flags[i].letter);
	}
	if (packet->flags == 0)
		put(&writer, "-");
	if (packet->base == PACKET_NEW || packet->base == PACKET_ABOVE) {
		put(&writer, packet->base == PACKET_NEW ? " new(" : " above(");
	} else {
		put_number(&writer, packet->base == PACKET_ABSOLUTE ? " @" : " ", &packet->seq);
		put(&writer, ":%d(", (int)(packet->seq.value + packet->length));
	}
	if (packet->length_any)
		put(&writer, "*)");
	else
		put(&writer, "%u)", packet->length);
	if (packet->has_ack)
		put_number(&writer, packet->ack_base == PACKET_ABSOLUTE ? " ack @" : " ack ",
				&packet->ack);
	put_number(&writer, " win ", &packet->window);
	if (packet->urgent != 0)
		put(&writer, " urg %u", packet->urgent);
	if (packet->options_any)
		put(&writer, " <*>");
	for (unsigned int i = 0; i < packet->option_count; i++) {
		put(&writer, i == 0 ? " <" : ",");
		put_option(&writer, &packet->option[i]);
	}
	if (packet->option_count > 0)
		put(&writer, ">");
}
