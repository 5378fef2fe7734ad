/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * A line at a time; what is wrong is said with the line's number, and nothing is guessed.
 */

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "script.h"

/* @return what follows @p word and blanks, or NULL if the line starts with another word. */
static const char *
after_word(const char *line, const char *word)
{
	const size_t length = strlen(word);

	if (strncmp(line, word, length) != 0)
		return NULL;
	line += length;
	if (*line != '\0' && !isspace((unsigned char)*line))
		return NULL;
	while (isspace((unsigned char)*line))
		line++;
	return line;
}

static const char *
read_setting(struct script *script, const char *text)
{
	struct script_setting *setting = &script->setting[script->setting_count];

	if (script->setting_count == SCRIPT_SETTINGS_MAX)
		return "too many settings";
	if (sscanf(text, "%63[a-z_0-9].%63[a-z_0-9] %63[^\n]", setting->section, setting->key,
			    setting->value) != 3)
		return "a setting is: set SECTION.KEY VALUE";
	script->setting_count++;
	return NULL;
}

/* Lines without a time that are about the whole script. @return false when it is none of them. */
static bool
read_head(struct script *script, const char *line, const char **problem)
{
	const char *rest;

	*problem = script->step_count == 0 ? NULL : "this belongs in front of the first packet";
	if ((rest = after_word(line, "service")) != NULL)
		snprintf(script->service, sizeof(script->service), "%s", rest);
	else if ((rest = after_word(line, "known_failure")) != NULL)
		snprintf(script->known_failure, sizeof(script->known_failure), "%s", rest);
	else if ((rest = after_word(line, "family")) != NULL)
		script->only_family = (unsigned int)strtoul(rest, NULL, 10);
	else if ((rest = after_word(line, "set")) != NULL && *problem == NULL)
		*problem = read_setting(script, rest);
	else if (rest == NULL)
		return false;
	return true;
}

static const char *
read_number(struct script_step *step, enum script_kind kind, const char *text)
{
	char *end;

	step->kind = kind;
	step->number = (uint32_t)strtoll(text, &end, 0);
	return end != text && *end == '\0' ? NULL : "a number is missing";
}

static const char *
read_counter(struct script_step *step, const char *text)
{
	step->kind = SCRIPT_COUNTER;
	return sscanf(text, "%63[a-z_0-9] %u", step->name, &step->number) == 2
			       ? NULL
			       : "a counter is: counter NAME NUMBER";
}

static const char *
read_error(struct script_step *step, const char *text)
{
	struct packet_error *error = &step->error;
	int seq;

	step->kind = SCRIPT_ICMP;
	error->too_big = sscanf(text, "too_big %u quoting %d", &error->mtu, &seq) == 2;
	if (!error->too_big && sscanf(text, "unreachable quoting %d", &seq) != 1)
		return "an ICMP error is: icmp too_big MTU quoting SEQ, or icmp unreachable "
		       "quoting SEQ";
	error->seq = (uint32_t)seq;
	return NULL;
}

/* What happens, behind the time. */
static const char *
read_event(struct script_step *step, const char *text, unsigned int family)
{
	const char *rest;

	if ((rest = after_word(text, "<")) != NULL || (rest = after_word(text, ">")) != NULL) {
		const char *problem = packet_parse(&step->packet, rest, family);

		step->kind = *text == '<' ? SCRIPT_PUT : SCRIPT_EXPECT;
		if (problem == NULL && step->kind == SCRIPT_EXPECT && step->packet.window.any &&
				(step->packet.flags & 0x04) == 0 && strstr(rest, " win *") == NULL)
			problem = "a segment that is no RST is expected with a window: win N or "
				  "win *";
		return problem;
	}
	if ((rest = after_word(text, "silence")) != NULL) {
		step->kind = SCRIPT_SILENCE;
		return NULL;
	}
	if ((rest = after_word(text, "icmp")) != NULL)
		return read_error(step, rest);
	if ((rest = after_word(text, "open")) != NULL) {
		step->kind = SCRIPT_OPEN;
		return NULL;
	}
	if (after_word(text, "close") != NULL || after_word(text, "shutdown") != NULL ||
			after_word(text, "reset") != NULL) {
		step->kind = SCRIPT_ACT;
		snprintf(step->name, sizeof(step->name), "%s", text);
		return NULL;
	}
	if ((rest = after_word(text, "state")) != NULL) {
		step->kind = SCRIPT_STATE;
		snprintf(step->name, sizeof(step->name), "%s", rest);
		return NULL;
	}
	if ((rest = after_word(text, "counter")) != NULL)
		return read_counter(step, rest);
	if ((rest = after_word(text, "connections")) != NULL)
		return read_number(step, SCRIPT_CONNECTIONS, rest);
	return "not understood: <, >, icmp, silence, state, counter, connections, open, close, "
	       "shutdown "
	       "or reset";
}

static const char *
read_step(struct script *script, const char *line, unsigned int number, unsigned int family)
{
	struct script_step *step = &script->step[script->step_count];
	const char *rest;
	char *end;

	if (script->step_count == SCRIPT_STEPS_MAX)
		return "too many lines";
	memset(step, 0, sizeof(*step));
	step->line = number;
	snprintf(step->text, sizeof(step->text), "%s", line);
	script->step_count++;
	if ((rest = after_word(line, "isn")) != NULL)
		return read_number(step, SCRIPT_ISN, rest);
	if ((rest = after_word(line, "engine_isn")) != NULL)
		return read_number(step, SCRIPT_ENGINE_ISN, rest);
	if ((rest = after_word(line, "port")) != NULL)
		return read_number(step, SCRIPT_PORT, rest);
	if ((rest = after_word(line, "&")) != NULL) {
		step->joined = true;
		return read_event(step, rest, family);
	}
	if (*line != '+')
		return "a line starts with +SECONDS or &, or is service, family, set, port, isn, "
		       "engine_isn or known_failure";
	step->after_ms = (unsigned int)(strtod(line, &end) * 1000 + 0.5);
	while (isspace((unsigned char)*end))
		end++;
	return read_event(step, end, family);
}

static const char *
read_line(struct script *script, char *line, unsigned int number, unsigned int family)
{
	const char *problem = NULL;
	size_t length = strlen(line);

	while (length > 0 && isspace((unsigned char)line[length - 1]))
		line[--length] = '\0';
	if (number == 1) {
		if (after_word(line, "#") == NULL)
			return "the first line is a comment: the claim, with its RFC's section";
		snprintf(script->claim, sizeof(script->claim), "%s", after_word(line, "#"));
		return NULL;
	}
	if (length == 0 || *line == '#')
		return NULL;
	if (read_head(script, line, &problem))
		return problem;
	return read_step(script, line, number, family);
}

bool
script_read(struct script *script, const char *path, unsigned int family, char *problem,
		size_t size)
{
	char line[SCRIPT_LINE_MAX];
	FILE *file = fopen(path, "r");
	const char *reason = NULL;
	unsigned int number = 0;

	memset(script, 0, offsetof(struct script, step));
	snprintf(script->service, sizeof(script->service), "discard");
	if (file == NULL) {
		snprintf(problem, size, "%s: cannot be read", path);
		return false;
	}
	while (reason == NULL && fgets(line, sizeof(line), file) != NULL)
		reason = read_line(script, line, ++number, family);
	if (reason == NULL && script->step_count == 0)
		reason = "nothing happens in it";
	fclose(file);
	if (reason != NULL)
		snprintf(problem, size, "%s:%u: %s", path, number, reason);
	return reason == NULL;
}
