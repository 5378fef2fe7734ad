/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The list, and its two forms.
 */

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "findings.h"

static const char *const severity_names[] = {
		[FINDING_OK] = "ok",
		[FINDING_INFO] = "info",
		[FINDING_WARNING] = "warning",
		[FINDING_BLOCKING] = "blocking",
};

struct findings *
findings_create(void)
{
	return calloc(1, sizeof(struct findings));
}

struct finding *
findings_add(struct findings *findings, enum finding_severity severity, const char *id,
		const char *what, ...)
{
	struct finding *finding = &findings->item[RTE_MIN(findings->count, FINDINGS_MAX - 1u)];
	va_list arguments;

	if (findings->count < FINDINGS_MAX)
		findings->count++;
	findings->by_severity[severity]++;
	memset(finding, 0, sizeof(*finding));
	finding->severity = severity;
	snprintf(finding->id, sizeof(finding->id), "%s", id);
	va_start(arguments, what);
	vsnprintf(finding->what, sizeof(finding->what), what, arguments);
	va_end(arguments);
	return finding;
}

void
finding_why(struct finding *finding, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(finding->why, sizeof(finding->why), format, arguments);
	va_end(arguments);
}

void
finding_fix(struct finding *finding, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(finding->fix, sizeof(finding->fix), format, arguments);
	va_end(arguments);
}

void
findings_print(const struct findings *findings, enum finding_severity least, FILE *out)
{
	for (unsigned int i = 0; i < findings->count; i++) {
		const struct finding *finding = &findings->item[i];

		if (finding->severity < least)
			continue;
		fprintf(out, "%-9s %-20s %s\n", severity_names[finding->severity], finding->id,
				finding->what);
		if (finding->why[0] != '\0')
			fprintf(out, "%-9s %-20s why: %s\n", "", "", finding->why);
		if (finding->fix[0] != '\0')
			fprintf(out, "%-9s %-20s fix: %s\n", "", "", finding->fix);
	}
}

json_t *
findings_json(const struct findings *findings)
{
	json_t *array = json_array();

	for (unsigned int i = 0; i < findings->count; i++) {
		const struct finding *finding = &findings->item[i];

		json_array_append_new(array,
				json_pack("{s:s, s:s, s:s, s:s, s:s}", "id", finding->id,
						"severity", severity_names[finding->severity],
						"what", finding->what, "why", finding->why, "fix",
						finding->fix));
	}
	return array;
}
