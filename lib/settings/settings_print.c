/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Settings as text: a file that reads back to the same values, and the reference of all options.
 *
 * Every text is written in double quotes with all but printable ASCII escaped, so that no value is
 * ever YAML by accident.
 */

#include <string.h>

#include "settings/settings_address.h"
#include "settings/settings_value.h"

/* Decode one character of UTF-8, which settings hold because libyaml wrote it. */
static const char *
next_character(const char *text, uint32_t *character)
{
	unsigned char first = (unsigned char)*text++;

	*character = first < 0x80 ? first : first & (first < 0xe0 ? 0x1f : first < 0xf0 ? 0x0f : 7);
	while (first >= 0x80 && ((unsigned char)*text & 0xc0) == 0x80)
		*character = *character << 6 | ((unsigned char)*text++ & 0x3f);
	return text;
}

static void
print_text(const char *text, FILE *out)
{
	uint32_t character;

	fputc('"', out);
	while (*text != '\0') {
		text = next_character(text, &character);
		if (character == '\r')
			fputs("\\r", out);
		else if (character == '\n')
			fputs("\\n", out);
		else if (character == '"' || character == '\\')
			fprintf(out, "\\%c", (int)character);
		else if (character >= ' ' && character < 0x7f)
			fputc((int)character, out);
		else
			fprintf(out, character > 0xffff ? "\\U%08x" : "\\u%04x", character);
	}
	fputc('"', out);
}

static void
print_workers(const struct settings_workers *workers, FILE *out)
{
	unsigned int i;

	if (workers->count == 0)
		fputs("auto", out);
	if (workers->count > 0 && workers->cores[0] == SETTINGS_ANY_CORE) {
		fprintf(out, "%u", workers->count);
		return;
	}
	for (i = 0; i < workers->count; i++)
		fprintf(out, "%s%u", i == 0 ? "[" : ", ", workers->cores[i]);
	if (workers->count > 0)
		fputc(']', out);
}

static void
print_mac(const struct settings_mac *mac, FILE *out)
{
	const uint8_t *bytes = mac->bytes;

	if (mac->automatic)
		fputs("auto", out);
	else
		fprintf(out, "%02x:%02x:%02x:%02x:%02x:%02x", bytes[0], bytes[1], bytes[2],
				bytes[3], bytes[4], bytes[5]);
}

static void
print_prefixes(const struct settings_prefixes *prefixes, FILE *out)
{
	char text[46];
	unsigned int i;

	for (i = 0; i < prefixes->count; i++)
		fprintf(out, "%s\"%s/%u\"", i == 0 ? "" : ", ",
				settings_format_address(prefixes->item[i].address, text),
				prefixes->item[i].length);
}

static void
print_addresses(const struct settings_addresses *addresses, FILE *out)
{
	char text[46];
	unsigned int i;

	for (i = 0; i < addresses->count; i++)
		fprintf(out, "%s\"%s\"", i == 0 ? "" : ", ",
				settings_format_address(addresses->item[i], text));
}

static void
print_endpoints(const struct settings_endpoints *endpoints, FILE *out)
{
	char text[46];
	unsigned int i;

	for (i = 0; i < endpoints->count; i++) {
		const struct settings_endpoint *endpoint = &endpoints->item[i];

		settings_format_address(endpoint->address, text);
		fprintf(out,
				settings_address_is_ipv4(endpoint->address) ? "%s\"%s:%u\""
									    : "%s\"[%s]:%u\"",
				i == 0 ? "" : ", ", text, rte_be_to_cpu_16(endpoint->port));
	}
}

static void
print_backends(const struct settings_backends *backends, FILE *out)
{
	char text[46];
	unsigned int i;

	for (i = 0; i < backends->count; i++) {
		const struct settings_backend *backend = &backends->item[i];

		settings_format_address(backend->address, text);
		fprintf(out,
				settings_address_is_ipv4(backend->address) ? "%s\"%s:%u"
									   : "%s\"[%s]:%u",
				i == 0 ? "" : ", ", text, rte_be_to_cpu_16(backend->port));
		if (backend->weight != 1)
			fprintf(out, " weight=%u", backend->weight);
		fputc('"', out);
	}
}

static void
print_list(enum settings_kind kind, const void *member, FILE *out)
{
	fputc('[', out);
	if (kind == SETTINGS_KIND_PREFIXES)
		print_prefixes(member, out);
	else if (kind == SETTINGS_KIND_ADDRESSES)
		print_addresses(member, out);
	else if (kind == SETTINGS_KIND_BACKENDS)
		print_backends(member, out);
	else
		print_endpoints(member, out);
	fputc(']', out);
}

static void
print_device(const struct settings_device *device, FILE *out)
{
	char text[SETTINGS_DEVICE_TEXT_MAX];

	print_text(settings_format_device(device, text), out);
}

static void
print_port_range(const struct settings_port_range *range, FILE *out)
{
	fprintf(out, "%u-%u", range->first, range->last);
}

static void
print_number(const struct settings_option *option, const void *member, FILE *out)
{
	uint64_t number = option->kind == SETTINGS_KIND_BYTES ? *(const uint64_t *)member
							      : *(const uint32_t *)member;
	uint64_t automatic = option->kind == SETTINGS_KIND_BYTES ? 0 : SETTINGS_AUTO;
	char text[SETTINGS_NUMBER_TEXT_MAX];

	if (number == automatic && strcmp(option->standard, "auto") == 0)
		fputs("auto", out);
	else
		fputs(settings_value_number(option->kind, number, text), out);
}

void
settings_print_value(const struct settings_option *option, const void *member, FILE *out)
{
	unsigned int count;
	const char *const *word = settings_value_words(option->kind, &count);

	if (word != NULL) {
		fputs(word[settings_value_word(option->kind, member)], out);
		return;
	}
	switch (option->kind) {
	case SETTINGS_KIND_WORKERS:
		print_workers(member, out);
		break;
	case SETTINGS_KIND_NAME:
	case SETTINGS_KIND_TEXT:
	case SETTINGS_KIND_PATH:
		print_text(member, out);
		break;
	case SETTINGS_KIND_DEVICE:
		print_device(member, out);
		break;
	case SETTINGS_KIND_MAC:
		print_mac(member, out);
		break;
	case SETTINGS_KIND_PREFIXES:
	case SETTINGS_KIND_ADDRESSES:
	case SETTINGS_KIND_ENDPOINTS:
	case SETTINGS_KIND_BACKENDS:
		print_list(option->kind, member, out);
		break;
	case SETTINGS_KIND_PORT_RANGE:
		print_port_range(member, out);
		break;
	default:
		print_number(option, member, out);
	}
}

static void
print_section(enum settings_section section, const void *member, const char *first, FILE *out)
{
	const char *indent = first;
	unsigned int i;

	for (i = 0; i < SETTINGS_OPTION_COUNT; i++) {
		const struct settings_option *option = &settings_options[i];

		const char *value = (const char *)member + option->offset;

		/* A name that is not given cannot be given as an empty one. */
		if (option->section != section ||
				(option->kind == SETTINGS_KIND_NAME && value[0] == '\0'))
			continue;
		fprintf(out, "%s%s: ", indent, option->name);
		settings_print_value(option, value, out);
		fputc('\n', out);
		indent = first[2] == '-' ? "    " : "  ";
	}
}

void
settings_print(const struct settings *settings, FILE *out)
{
	unsigned int i;

	fputs("engine:\n", out);
	print_section(SETTINGS_SECTION_engine, &settings->engine, "  ", out);
	fputs("\ntcp:\n", out);
	print_section(SETTINGS_SECTION_tcp, &settings->tcp, "  ", out);
	fputs("\nports:\n", out);
	for (i = 0; i < settings->port_count; i++)
		print_section(SETTINGS_SECTION_port, &settings->port[i], "  - ", out);
	if (settings->pool_count > 0)
		fputs("\npools:\n", out);
	for (i = 0; i < settings->pool_count; i++)
		print_section(SETTINGS_SECTION_pool, &settings->pool[i], "  - ", out);
	fputs("\nservices:\n", out);
	for (i = 0; i < settings->service_count; i++)
		print_section(SETTINGS_SECTION_service, &settings->service[i], "  - ", out);
}

/* A table's cell ends at a bar, and Markdown takes some characters of ours for its own. */
static void
print_cell(const char *text, FILE *out)
{
	for (; *text != '\0'; text++) {
		if (strchr("|[]*_<>", *text) != NULL)
			fputc('\\', out);
		fputc(*text, out);
	}
}

static void
print_range(const struct settings_option *option, FILE *out)
{
	char minimum[SETTINGS_NUMBER_TEXT_MAX];
	char maximum[SETTINGS_NUMBER_TEXT_MAX];

	if (option->maximum > 0)
		fprintf(out, "%s to %s",
				settings_value_number(option->kind, option->minimum, minimum),
				settings_value_number(option->kind, option->maximum, maximum));
}

static void
print_default(const struct settings_option *option, FILE *out)
{
	bool quoted = option->kind == SETTINGS_KIND_TEXT && option->standard[0] != '\0';

	if (option->standard[0] == '\0')
		return;
	fputc('`', out);
	if (quoted)
		print_text(option->standard, out);
	else
		fputs(option->standard, out);
	fputc('`', out);
}

void
settings_print_reference(FILE *out)
{
	unsigned int section, i;

	for (section = 0; section < SETTINGS_SECTION_COUNT; section++) {
		fprintf(out, "%s### %s\n\n", section == 0 ? "" : "\n",
				settings_option_section[section]);
		fputs("| option | default | range | change | meaning |\n"
		      "|---|---|---|---|---|\n",
				out);
		for (i = 0; i < SETTINGS_OPTION_COUNT; i++) {
			const struct settings_option *option = &settings_options[i];

			if (option->section != section)
				continue;
			fprintf(out, "| `%s` | ", option->name);
			print_default(option, out);
			fputs(" | ", out);
			print_range(option, out);
			fprintf(out, " | %s | ",
					option->change == SETTINGS_CHANGE_reload ? "reload"
										 : "restart");
			print_cell(option->help, out);
			fputs(" |\n", out);
		}
	}
}
