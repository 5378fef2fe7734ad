/* SPDX-License-Identifier: BSD-3-Clause */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "number.h"

struct unit {
	const char *name;
	double factor;
};

/* A number and one of the units behind it. */
static bool
parse(const char *text, const struct unit *units, unsigned int n, double *number)
{
	char *end;

	*number = strtod(text, &end);
	if (end == text || !(*number >= 0.0))
		return false;
	for (unsigned int i = 0; i < n; i++) {
		if (strcmp(end, units[i].name) == 0) {
			*number *= units[i].factor;
			return isfinite(*number);
		}
	}
	return false;
}

bool
number_parse(const char *text, double *number)
{
	static const struct unit units[] = {
			{"", 1}, {"k", 1e3}, {"K", 1e3}, {"M", 1e6}, {"G", 1e9}};

	return parse(text, units, RTE_DIM(units), number);
}

bool
number_parse_whole(const char *text, uint64_t least, uint64_t most, uint64_t *number)
{
	double value;

	if (!number_parse(text, &value) || value != floor(value) || value < (double)least ||
			value > (double)most)
		return false;
	*number = (uint64_t)value;
	return true;
}

bool
number_parse_time(const char *text, uint64_t *us)
{
	static const struct unit units[] = {{"", 1e6}, {"s", 1e6}, {"ms", 1e3}, {"us", 1},
			{"m", 60e6}, {"min", 60e6}, {"h", 3600e6}};
	double value;

	if (!parse(text, units, RTE_DIM(units), &value) || value > 1e15)
		return false;
	*us = (uint64_t)(value + 0.5);
	return true;
}

const char *
number_format(double number, char text[16])
{
	static const char *const units[] = {"", " k", " M", " G"};
	unsigned int unit = 0;

	while (number >= 999.5 && unit + 1 < RTE_DIM(units)) {
		number /= 1000.0;
		unit++;
	}
	/* So few that the fraction is what was asked for: 0.5 starts per second. */
	if (unit == 0 && number < 10.0) {
		snprintf(text, 16, "%.3g", number);
		return text;
	}
	snprintf(text, 16, "%.*f%s",
			unit == 0 || number >= 100 ? 0
			: number >= 10             ? 1
						   : 2,
			number, units[unit]);
	return text;
}

const char *
number_format_grouped(double number, char text[NUMBER_GROUPED_SIZE])
{
	char digits[NUMBER_GROUPED_SIZE];
	unsigned int length, n = 0;

	/* Below, few digits say enough; above, a double does not know the last. */
	if (number < 1000.0 || number >= 1e14) {
		snprintf(text, NUMBER_GROUPED_SIZE, "%g", number);
		return text;
	}
	snprintf(digits, sizeof(digits), "%.15g", round(number * 10.0) / 10.0);
	length = (unsigned int)strcspn(digits, ".");
	for (unsigned int i = 0; digits[i] != '\0'; i++) {
		if (i > 0 && i < length && (length - i) % 3 == 0)
			text[n++] = ',';
		text[n++] = digits[i];
	}
	text[n] = '\0';
	return text;
}

const char *
number_format_us(uint64_t us, char text[16])
{
	if (us < 10000)
		snprintf(text, 16, "%llu us", (unsigned long long)us);
	else if (us < 10000000)
		snprintf(text, 16, "%.1f ms", (double)us / 1e3);
	else
		snprintf(text, 16, "%.1f s", (double)us / 1e6);
	return text;
}
