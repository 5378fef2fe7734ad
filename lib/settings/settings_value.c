/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * From a scalar's text to a value: numbers with units, words, names, addresses.
 *
 * Whatever YAML would make of a scalar, here it is its text: 0x10, 1_000, yes and 1.5 are refused
 * with a hint instead of being understood in one way or another.
 */

#include "settings/settings_value.h"

#include <stdlib.h>
#include <string.h>

#include "respond/respond.h"

#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define KB  UINT64_C(1000)
#define MB  UINT64_C(1000000)
#define GB  UINT64_C(1000000000)

struct unit {
	const char *suffix;
	uint64_t factor;
};

/*
 * settings_value_number() takes the first unit that divides a number, and none behind a factor of
 * 1: so those that print are in front, the largest first.
 */
static const struct unit count_units[] = {{"", 1}, {"k", KB}, {"M", MB}, {"G", GB}, {NULL, 0}};
static const struct unit rate_units[] = {
		{"", 1}, {"k", KB}, {"M", MB}, {"/s", 1}, {"k/s", KB}, {"M/s", MB}, {NULL, 0}};
static const struct unit bytes_units[] = {{"GiB", GIB}, {"MiB", MIB}, {"KiB", KIB}, {"", 1},
		{"KB", KB}, {"MB", MB}, {"GB", GB}, {NULL, 0}};
static const struct unit time_units[] = {
		{"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}, {NULL, 0}};

static const char *const memory_words[] = {
		[SETTINGS_MEMORY_AUTO] = "auto",
		[SETTINGS_MEMORY_HUGE] = "huge",
		[SETTINGS_MEMORY_SHARED] = "shared",
		[SETTINGS_MEMORY_NONE] = "none",
};
static const char *const idle_words[] = {
		[SETTINGS_IDLE_SPIN] = "spin",
		[SETTINGS_IDLE_PAUSE] = "pause",
		[SETTINGS_IDLE_YIELD] = "yield",
		[SETTINGS_IDLE_SLEEP] = "sleep",
};
static const char *const log_level_words[] = {
		[SETTINGS_LOG_ERROR] = "error",
		[SETTINGS_LOG_WARNING] = "warning",
		[SETTINGS_LOG_INFO] = "info",
		[SETTINGS_LOG_DEBUG] = "debug",
};
static const char *const bool_words[] = {[false] = "false", [true] = "true"};
static const char *const partial_words[] = {
		[SETTINGS_PARTIAL_AUTO] = "auto",
		[SETTINGS_PARTIAL_ACCEPT] = "accept",
		[SETTINGS_PARTIAL_REFUSE] = "refuse",
};
static const char *const mode_words[] = {
		[SETTINGS_MODE_RESPOND] = "respond",
		[SETTINGS_MODE_PROXY] = "proxy",
		[SETTINGS_MODE_DIRECT] = "direct",
};
static const char *const choice_words[] = {
		[SETTINGS_CHOICE_MAGLEV] = "maglev",
		[SETTINGS_CHOICE_ROUND_ROBIN] = "round_robin",
		[SETTINGS_CHOICE_LEAST_CONNECTIONS] = "least_connections",
		[SETTINGS_CHOICE_SOURCE_HASH] = "source_hash",
};
static const char *const source_words[] = {
		[SETTINGS_SOURCE_LOCAL] = "local",
		[SETTINGS_SOURCE_CLIENT] = "client",
};
static const char *const check_words[] = {
		[SETTINGS_CHECK_NONE] = "none",
		[SETTINGS_CHECK_TCP] = "tcp",
		[SETTINGS_CHECK_HTTP] = "http",
};
static const char *const when_down_words[] = {
		[SETTINGS_WHEN_DOWN_RESET] = "reset",
		[SETTINGS_WHEN_DOWN_DROP] = "drop",
};
static const char *const proxy_protocol_words[] = {
		[SETTINGS_PROXY_PROTOCOL_NONE] = "none",
		[SETTINGS_PROXY_PROTOCOL_V1] = "v1",
		[SETTINGS_PROXY_PROTOCOL_V2] = "v2",
};
static const char *const reply_words[] = {
		[RESPOND_DISCARD] = "discard",
		[RESPOND_ECHO] = "echo",
		[RESPOND_BANNER] = "banner",
		[RESPOND_HTTP] = "http",
};
static const char *const cookies_words[] = {
		[SETTINGS_COOKIES_NEVER] = "never",
		[SETTINGS_COOKIES_ALWAYS] = "always",
		[SETTINGS_COOKIES_AUTO] = "auto",
};
static const char *const close_words[] = {
		[RESPOND_CLOSE_PEER] = "peer",
		[RESPOND_CLOSE_AT_ONCE] = "at_once",
		[RESPOND_CLOSE_AFTER_REPLY] = "after_reply",
};

/* Options that take one of a few words, and the size of the member that holds its number. */
static const struct {
	const char *const *word;
	unsigned int count;
	size_t size;
} words[] = {
#define WORDS(words_, type_)                           \
	{                                              \
		words_, RTE_DIM(words_), sizeof(type_) \
	}
		[SETTINGS_KIND_MEMORY] = WORDS(memory_words, enum settings_memory),
		[SETTINGS_KIND_IDLE] = WORDS(idle_words, enum settings_idle),
		[SETTINGS_KIND_LOG_LEVEL] = WORDS(log_level_words, enum settings_log_level),
		[SETTINGS_KIND_BOOL] = WORDS(bool_words, bool),
		[SETTINGS_KIND_PARTIAL] = WORDS(partial_words, enum settings_partial),
		[SETTINGS_KIND_MODE] = WORDS(mode_words, enum settings_mode),
		[SETTINGS_KIND_REPLY] = WORDS(reply_words, uint8_t),
		[SETTINGS_KIND_CLOSE] = WORDS(close_words, uint8_t),
		[SETTINGS_KIND_COOKIES] = WORDS(cookies_words, enum settings_cookies),
		[SETTINGS_KIND_CHOICE] = WORDS(choice_words, enum settings_choice),
		[SETTINGS_KIND_SOURCE] = WORDS(source_words, enum settings_source_of),
		[SETTINGS_KIND_CHECK] = WORDS(check_words, enum settings_check),
		[SETTINGS_KIND_WHEN_DOWN] = WORDS(when_down_words, enum settings_when_down),
		[SETTINGS_KIND_PROXY_PROTOCOL] =
				WORDS(proxy_protocol_words, enum settings_proxy_protocol),
#undef WORDS
};

_Static_assert(RTE_DIM(words) == SETTINGS_KIND_PROXY_PROTOCOL + 1,
		"a row, if empty, for every kind");
_Static_assert(sizeof(enum settings_memory) == sizeof(uint32_t) && sizeof(bool) == sizeof(uint8_t),
		"settings_value_word() knows one and four bytes");

const char *const *
settings_value_words(enum settings_kind kind, unsigned int *count)
{
	*count = words[kind].count;
	return words[kind].word;
}

unsigned int
settings_value_word(enum settings_kind kind, const void *member)
{
	if (words[kind].size == sizeof(uint8_t))
		return *(const uint8_t *)member;
	return *(const uint32_t *)member;
}

static const struct unit *
units_of(enum settings_kind kind)
{
	switch (kind) {
	case SETTINGS_KIND_BYTES:
		return bytes_units;
	case SETTINGS_KIND_MILLISECONDS:
		return time_units;
	case SETTINGS_KIND_RATE:
		return rate_units;
	default:
		return count_units;
	}
}

const char *
settings_value_number(enum settings_kind kind, uint64_t number, char text[SETTINGS_NUMBER_TEXT_MAX])
{
	const struct unit *unit = units_of(kind);

	while (unit->factor > 1 && (number == 0 || number % unit->factor != 0))
		unit++;
	snprintf(text, SETTINGS_NUMBER_TEXT_MAX, "%llu%s",
			(unsigned long long)(number / unit->factor), unit->suffix);
	return text;
}

/* Decimal digits; a value too large stays the largest. */
bool
settings_value_digits(const char **text, uint64_t *number)
{
	const char *at = *text;

	*number = 0;
	for (; *at >= '0' && *at <= '9'; at++) {
		unsigned int digit = (unsigned int)(*at - '0');

		if (*number > (UINT64_MAX - digit) / 10)
			*number = UINT64_MAX;
		else
			*number = *number * 10 + digit;
	}
	if (at == *text)
		return false;
	*text = at;
	return true;
}

static void
hint_number(struct settings_value *value)
{
	switch (value->option->kind) {
	case SETTINGS_KIND_BYTES:
		settings_problem_hint(value->errors,
				"a size is a whole number with KiB, MiB, GiB, KB, MB or GB, such "
				"as 1KiB");
		return;
	case SETTINGS_KIND_MILLISECONDS:
		settings_problem_hint(value->errors,
				"a time is a whole number with ms, s, m or h, such as 1500ms");
		return;
	case SETTINGS_KIND_RATE:
		settings_problem_hint(value->errors,
				"a rate is a number per second, such as 10000 or 10k/s");
		return;
	default:
		settings_problem_hint(value->errors, "a whole number is needed; k, M and G may "
						     "follow it, as in 64k");
	}
}

static bool
read_number(struct settings_value *value, uint64_t *number)
{
	const struct settings_option *option = value->option;
	const struct unit *unit = units_of(option->kind);
	const char *rest = value->text;
	char limit[SETTINGS_NUMBER_TEXT_MAX];

	if (!settings_value_digits(&rest, number)) {
		settings_problem_add(value->errors, value->place, "%s: \"%s\" is not a number",
				option->name, value->text);
		hint_number(value);
		return false;
	}
	while (unit->suffix != NULL && strcmp(rest, unit->suffix) != 0)
		unit++;
	if (unit->suffix == NULL && rest[0] == '\0') {
		settings_problem_add(value->errors, value->place, "%s: %s has no unit",
				option->name, value->text);
		settings_problem_hint(value->errors, "write %ss or %sms", value->text, value->text);
		return false;
	}
	if (unit->suffix == NULL) {
		settings_problem_add(value->errors, value->place,
				"%s: \"%s\" after the number %.*s", option->name, rest,
				(int)(rest - value->text), value->text);
		hint_number(value);
		return false;
	}
	*number = *number > UINT64_MAX / unit->factor ? UINT64_MAX : *number * unit->factor;
	if (*number > option->maximum) {
		settings_problem_add(value->errors, value->place, "%s: %s is above %s",
				option->name, value->text,
				settings_value_number(option->kind, option->maximum, limit));
		return false;
	}
	if (*number < option->minimum) {
		settings_problem_add(value->errors, value->place, "%s: %s is below %s",
				option->name, value->text,
				settings_value_number(option->kind, option->minimum, limit));
		return false;
	}
	return true;
}

static bool
read_count(struct settings_value *value)
{
	uint64_t number;

	if (!read_number(value, &number))
		return false;
	*(uint32_t *)value->member = (uint32_t)number;
	return true;
}

static bool
read_bytes(struct settings_value *value)
{
	uint64_t number = 0;

	/* auto is 0, which the smallest size of such an option keeps free. */
	if (strcmp(value->option->standard, "auto") != 0 || strcmp(value->text, "auto") != 0)
		if (!read_number(value, &number))
			return false;
	*(uint64_t *)value->member = number;
	return true;
}

static bool
read_core(struct settings_value *value)
{
	if (strcmp(value->text, "auto") != 0)
		return read_count(value);
	*(uint32_t *)value->member = SETTINGS_AUTO;
	return true;
}

bool
settings_value_refuse_more(struct settings_value *value, unsigned int limit)
{
	settings_problem_add(value->errors, value->place, "%s: more than %u", value->option->name,
			limit);
	value->full = true;
	return false;
}

/* A number alone is how many workers: handfast chooses their cores. */
static bool
read_worker_count(struct settings_value *value, struct settings_workers *workers, uint64_t count)
{
	if (count == 0 || count > SETTINGS_WORKERS_MAX) {
		settings_problem_add(value->errors, value->place,
				"workers: %s is not between 1 and %u", value->text,
				SETTINGS_WORKERS_MAX);
		settings_problem_hint(value->errors, "a list such as [1, 2] names cores");
		return false;
	}
	while (workers->count < count)
		workers->cores[workers->count++] = SETTINGS_ANY_CORE;
	return true;
}

static bool
read_worker(struct settings_value *value)
{
	struct settings_workers *workers = value->member;
	uint64_t number;

	if (strcmp(value->text, "auto") == 0) {
		if (!value->in_list)
			return true;
		settings_problem_add(value->errors, value->place,
				"workers: auto stands alone, not in a list");
		return false;
	}
	if (!read_number(value, &number))
		return false;
	if (!value->in_list)
		return read_worker_count(value, workers, number);
	if (workers->count == SETTINGS_WORKERS_MAX)
		return settings_value_refuse_more(value, SETTINGS_WORKERS_MAX);
	workers->cores[workers->count++] = (uint16_t)number;
	return true;
}

static bool
is_one_of(const char *word, const char *const *list)
{
	while (*list != NULL && strcasecmp(word, *list) != 0)
		list++;
	return *list != NULL;
}

static void
hint_word(struct settings_value *value)
{
	static const char *const yes[] = {"yes", "on", "1", NULL};
	static const char *const no[] = {"no", "off", "0", NULL};
	unsigned int count, i;
	const char *const *word = settings_value_words(value->option->kind, &count);
	struct settings_nearest nearest = {.word = value->text};
	char all[SETTINGS_PROBLEM_TEXT_MAX] = "";

	if (value->option->kind == SETTINGS_KIND_BOOL && is_one_of(value->text, yes))
		nearest.best = "true";
	else if (value->option->kind == SETTINGS_KIND_BOOL && is_one_of(value->text, no))
		nearest.best = "false";
	for (i = 0; i < count; i++) {
		if (nearest.best == NULL || nearest.distance > 0)
			settings_nearest_offer(&nearest, word[i]);
		strcat(strcat(all, i == 0 ? "" : i + 1 < count ? ", " : " or "), word[i]);
	}
	if (nearest.best != NULL)
		settings_problem_hint(value->errors, "did you mean %s?", nearest.best);
	else
		settings_problem_hint(value->errors, "%s is %s", value->option->name, all);
}

static bool
read_word(struct settings_value *value)
{
	unsigned int count, i;
	const char *const *word = settings_value_words(value->option->kind, &count);

	for (i = 0; i < count && strcmp(value->text, word[i]) != 0; i++)
		;
	if (i == count) {
		settings_problem_add(value->errors, value->place, "%s cannot be \"%s\"",
				value->option->name, value->text);
		hint_word(value);
		return false;
	}
	if (words[value->option->kind].size == sizeof(uint8_t))
		*(uint8_t *)value->member = (uint8_t)i;
	else
		*(uint32_t *)value->member = i;
	return true;
}

static bool
read_text(struct settings_value *value)
{
	size_t length = strlen(value->text);

	if (length >= SETTINGS_TEXT_MAX) {
		settings_problem_add(value->errors, value->place, "%s: longer than %u bytes",
				value->option->name, SETTINGS_TEXT_MAX - 1);
		return false;
	}
	/* All of the member, so that equal settings are equal bytes. */
	memset(value->member, 0, SETTINGS_TEXT_MAX);
	memcpy(value->member, value->text, length);
	return true;
}

#define LETTERS    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define NAME_FIRST LETTERS "0123456789_"

static bool
read_name(struct settings_value *value)
{
	size_t length = strlen(value->text);

	if (length >= SETTINGS_NAME_MAX) {
		settings_problem_add(value->errors, value->place, "%s: longer than %u characters",
				value->option->name, SETTINGS_NAME_MAX - 1);
		return false;
	}
	/* It becomes part of file names: neither a path nor hidden nor an option. */
	if (strspn(value->text, NAME_FIRST ".-") != length ||
			strspn(value->text, NAME_FIRST) == 0) {
		settings_problem_add(value->errors, value->place, "%s: \"%s\" is not a name",
				value->option->name, value->text);
		settings_problem_hint(value->errors, "a name has letters, digits, _, . and -, and "
						     "begins with neither . nor -");
		return false;
	}
	memset(value->member, 0, SETTINGS_NAME_MAX);
	memcpy(value->member, value->text, length);
	return true;
}

static bool (*const readers[])(struct settings_value *value) = {
		[SETTINGS_KIND_WORKERS] = read_worker,
		[SETTINGS_KIND_CORE] = read_core,
		[SETTINGS_KIND_MEMORY] = read_word,
		[SETTINGS_KIND_BYTES] = read_bytes,
		[SETTINGS_KIND_IDLE] = read_word,
		[SETTINGS_KIND_NAME] = read_name,
		[SETTINGS_KIND_TEXT] = read_text,
		[SETTINGS_KIND_PATH] = read_text,
		[SETTINGS_KIND_COUNT] = read_count,
		[SETTINGS_KIND_RATE] = read_count,
		[SETTINGS_KIND_LOG_LEVEL] = read_word,
		[SETTINGS_KIND_MILLISECONDS] = read_count,
		[SETTINGS_KIND_BOOL] = read_word,
		[SETTINGS_KIND_DEVICE] = settings_device_read,
		[SETTINGS_KIND_MAC] = settings_network_mac,
		[SETTINGS_KIND_PREFIXES] = settings_network_prefix,
		[SETTINGS_KIND_ADDRESSES] = settings_network_address,
		[SETTINGS_KIND_ENDPOINTS] = settings_network_endpoint,
		[SETTINGS_KIND_PARTIAL] = read_word,
		[SETTINGS_KIND_MODE] = read_word,
		[SETTINGS_KIND_REPLY] = read_word,
		[SETTINGS_KIND_CLOSE] = read_word,
		[SETTINGS_KIND_COOKIES] = read_word,
		[SETTINGS_KIND_BACKENDS] = settings_network_backend,
		[SETTINGS_KIND_PORT_RANGE] = settings_network_port_range,
		[SETTINGS_KIND_CHOICE] = read_word,
		[SETTINGS_KIND_SOURCE] = read_word,
		[SETTINGS_KIND_CHECK] = read_word,
		[SETTINGS_KIND_WHEN_DOWN] = read_word,
		[SETTINGS_KIND_PROXY_PROTOCOL] = read_word,
};

bool
settings_value_is_list(enum settings_kind kind)
{
	return kind == SETTINGS_KIND_WORKERS || kind == SETTINGS_KIND_PREFIXES ||
	       kind == SETTINGS_KIND_ADDRESSES || kind == SETTINGS_KIND_ENDPOINTS ||
	       kind == SETTINGS_KIND_BACKENDS;
}

bool
settings_value_read(struct settings_value *value)
{
	return readers[value->option->kind](value);
}

void
settings_value_set_default(struct settings_problems *errors, const struct settings_option *option,
		void *section)
{
	static const struct settings_place whole_file;
	struct settings_value value = {
			.errors = errors,
			.option = option,
			.place = &whole_file,
			.text = option->standard,
			.member = (char *)section + option->offset,
	};

	/* Without a default the member stays zero: no text, an empty list, no device. */
	if (option->standard[0] != '\0')
		settings_value_read(&value);
}
