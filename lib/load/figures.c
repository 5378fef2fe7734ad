/* SPDX-License-Identifier: BSD-3-Clause */

#include "load/figures.h"

static const char *const names[FIGURES] = {
#define FIGURE(name, help) #name,
#include "load/figures.def"
};

static const char *const failure_names[FAILURES] = {
#define FAILURE(name, help) #name,
#include "load/figures.def"
};

static const char *const failure_help[FAILURES] = {
#define FAILURE(name, help) help,
#include "load/figures.def"
};

void
figures_add(struct figures *sum, const struct figures *from)
{
	for (unsigned int i = 0; i < FIGURES; i++)
		sum->count[i] += __atomic_load_n(&from->count[i], __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < FAILURES; i++)
		sum->failed[i] += __atomic_load_n(&from->failed[i], __ATOMIC_RELAXED);
	histogram_add(&sum->connect_us, &from->connect_us);
	histogram_add(&sum->first_byte_us, &from->first_byte_us);
	histogram_add(&sum->close_us, &from->close_us);
}

uint64_t
figures_failed(const struct figures *figures)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < FAILURES; i++)
		sum += figures->failed[i];
	return sum;
}

uint64_t
figures_never_opened(const struct figures *figures)
{
	static const enum failure before[] = {FAILURE_no_syn_ack, FAILURE_refused,
			FAILURE_unreachable, FAILURE_bad_ack, FAILURE_timeout_syn_rcvd,
			FAILURE_no_buffer, FAILURE_transmit_full, FAILURE_table_full,
			FAILURE_no_tuple};
	uint64_t sum = 0;

	for (unsigned int i = 0; i < sizeof(before) / sizeof(before[0]); i++)
		sum += figures->failed[before[i]];
	return sum;
}

uint64_t
figures_unopened(const struct figures *whole)
{
	const uint64_t known = whole->count[FIGURE_opened] + figures_never_opened(whole);

	/* Workers that still run may have opened some since the first word was read. */
	return whole->count[FIGURE_started] > known ? whole->count[FIGURE_started] - known : 0;
}

const char *
figures_name(enum figure figure)
{
	return names[figure];
}

const char *
figures_failure_name(enum failure failure)
{
	return failure_names[failure];
}

const char *
figures_failure_help(enum failure failure)
{
	return failure_help[failure];
}
