/* SPDX-License-Identifier: BSD-3-Clause */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine/worker.h"

#include "../handfast/exit_code.h"
#include "number.h"
#include "report.h"
#include "report_json.h"

static const char *const phase_names[LOAD_PHASES] = {"ramp-up", "sustain", "ramp-down"};

const char *
report_phase_name(enum load_phase phase)
{
	return phase_names[phase];
}

/* Seconds that were measured, as workers saw them. */
static double
report_seconds(const struct report *report)
{
	uint64_t us = 0;

	for (unsigned int i = 0; i < report->engine->worker_count; i++)
		us = RTE_MAX(us, __atomic_load_n(&report->engine->worker[i]->load->sustained_us,
						 __ATOMIC_RELAXED));
	return (double)us / 1e6;
}

/* In how many seconds a worker used a tuple again; 0: none did. */
static double
report_reuse_seconds(const struct report *report)
{
	uint64_t us = 0;

	for (unsigned int i = 0; i < report->engine->worker_count; i++) {
		const uint64_t reuse_us = __atomic_load_n(
				&report->engine->worker[i]->load->reuse_us, __ATOMIC_RELAXED);

		if (reuse_us > 0 && (us == 0 || reuse_us < us))
			us = reuse_us;
	}
	return (double)us / 1e6;
}

static void
report_sample(struct report *report, struct report_sample *sample)
{
	const struct engine *engine = report->engine;
	const uint64_t now_us = clock_us(&engine->clock);

	memset(sample, 0, sizeof(*sample));
	sample->us = now_us - engine->load->begin_us;
	memset(report->phase, 0, sizeof(report->phase));
	for (unsigned int phase = 0; phase < LOAD_PHASES; phase++) {
		load_figures(engine, (enum load_phase)phase, &report->phase[phase]);
		figures_add(&sample->sum, &report->phase[phase]);
	}
	for (unsigned int i = 0; i < engine->worker_count; i++)
		sample->active +=
				__atomic_load_n(&engine->worker[i]->load->active, __ATOMIC_RELAXED);
}

/* The phase of the middle of an interval. */
static enum load_phase
report_phase(const struct report *report)
{
	const struct load_plan *plan = &report->options->plan;
	const uint64_t us = (report->latest.us + report->now.us) / 2;

	if (us < plan->ramp_up_us)
		return LOAD_RAMP_UP;
	if (plan->duration_us == 0 || us < plan->ramp_up_us + plan->duration_us)
		return LOAD_SUSTAIN;
	return LOAD_RAMP_DOWN;
}

uint64_t
report_done(enum load_exchange exchange, const struct figures *figures)
{
	switch (exchange) {
	case LOAD_SYN:
	case LOAD_FORGED_ACK:
	case LOAD_RST_FLOOD:
		return figures->count[FIGURE_started];
	case LOAD_IDLE:
		return figures->count[FIGURE_opened];
	default:
		return figures->count[FIGURE_completed];
	}
}

/* Once: the lines that follow meet the same. */
static void
report_lose(struct report *report, const char *name)
{
	if (!report->lost)
		fprintf(stderr, "handfast-load: %s: %s\n", name, strerror(errno));
	report->lost = true;
}

void
report_flush(struct report *report, FILE *file)
{
	/* Who reads standard error, or nobody, would not learn of it there. */
	if ((fflush(file) != 0 || ferror(file)) && file != stderr)
		report_lose(report, file == stdout ? "standard output" : report->options->csv);
}

int
report_open(struct report *report, const struct options *options, const struct engine *engine)
{
	memset(report, 0, sizeof(*report));
	report->options = options;
	report->engine = engine;
	report->text = options->json ? stderr : stdout;
	report->json = options->json ? stdout : NULL;
	if (options->csv == NULL)
		return EXIT_CODE_OK;
	report->csv = fopen(options->csv, "w");
	if (report->csv == NULL) {
		fprintf(stderr, "handfast-load: %s: %s\n", options->csv, strerror(errno));
		return EXIT_CODE_USAGE;
	}
	fputs("t,seconds,phase,active,rate,busy,connect_p50_us,connect_p99_us,connect_max_us",
			report->csv);
	for (unsigned int i = 0; i < FIGURES; i++)
		fprintf(report->csv, ",%s", figures_name((enum figure)i));
	for (unsigned int i = 0; i < FAILURES; i++)
		fprintf(report->csv, ",failed_%s", figures_failure_name((enum failure)i));
	fputc('\n', report->csv);
	report_flush(report, report->csv);
	return report->lost ? report_close(report) : EXIT_CODE_OK;
}

/* How many of them, for people. */
static const char *
report_amount(const struct load_plan *plan, char text[40])
{
	char number[16];

	if (plan->rate > 0.0)
		snprintf(text, 40, "%s starts/s, %s", number_format(plan->rate, number),
				plan->shape == PACE_POISSON ? "Poisson" : "even");
	else if (load_keeps_state(plan->exchange) || plan->exchange == LOAD_IDLE)
		snprintf(text, 40, "%s at once", number_format(plan->concurrency, number));
	else
		snprintf(text, 40, "as fast as can be");
	return text;
}

void
report_start(struct report *report)
{
	const struct load_plan *plan = &report->options->plan;
	char tuples[16], amount[40];

	fprintf(report->text, "%s, %u packet%s each; %s; %s tuples, %u worker%s\n",
			options_exchanges[plan->exchange], options_packets(plan),
			options_packets(plan) == 1 ? "" : "s", report_amount(plan, amount),
			number_format((double)load_tuples(report->engine), tuples),
			report->engine->worker_count, report->engine->worker_count == 1 ? "" : "s");
	report_flush(report, report->text);
	if (report->json != NULL)
		report_json_start(report);
}

/* What happened between two samples; the maxima are those since the beginning. */
static void
report_between(const struct figures *now, const struct figures *before, struct figures *between)
{
	const uint64_t *from = (const uint64_t *)before, *to = (const uint64_t *)now;
	uint64_t *difference = (uint64_t *)between;

	for (size_t i = 0; i < sizeof(*between) / sizeof(uint64_t); i++)
		difference[i] = to[i] - from[i];
	between->connect_us.max = now->connect_us.max;
	between->first_byte_us.max = now->first_byte_us.max;
	between->close_us.max = now->close_us.max;
}

static void
report_csv(struct report *report, const struct report_second *second)
{
	const struct figures *figures = second->figures;

	fprintf(report->csv, "%.3f,%.3f,%s,%u,%.0f,%.3f,%" PRIu64 ",%" PRIu64 ",%" PRIu64,
			(double)second->sample->us / 1e6, second->seconds,
			report_phase_name(second->sample->phase), second->sample->active,
			second->rate, second->busy, histogram_percentile(&figures->connect_us, 50),
			histogram_percentile(&figures->connect_us, 99),
			histogram_percentile(&figures->connect_us, 100));
	for (unsigned int i = 0; i < FIGURES; i++)
		fprintf(report->csv, ",%" PRIu64, figures->count[i]);
	for (unsigned int i = 0; i < FAILURES; i++)
		fprintf(report->csv, ",%" PRIu64, figures->failed[i]);
	fputc('\n', report->csv);
	report_flush(report, report->csv);
}

static void
report_line(struct report *report, const struct report_second *second)
{
	const struct load_plan *plan = &report->options->plan;
	const struct figures *figures = second->figures;
	char rate[16], started[16], sent[16], active[16], p50[16], p99[16];

	fprintf(report->text, "%6.1f s  %-9s %8s/s done (%u pkt)  %8s/s begun",
			(double)second->sample->us / 1e6, report_phase_name(second->sample->phase),
			number_format(second->rate, rate), options_packets(plan),
			number_format((double)figures->count[FIGURE_started] / second->seconds,
					started));
	fprintf(report->text, "  %7s open  %8s pkt/s",
			number_format(second->sample->active, active),
			number_format((double)(figures->count[FIGURE_packets_sent] +
						      figures->count[FIGURE_packets_received]) /
							second->seconds,
					sent));
	if (histogram_total(&figures->connect_us) > 0)
		fprintf(report->text, "  connect p50 %s p99 %s",
				number_format_us(histogram_percentile(&figures->connect_us, 50),
						p50),
				number_format_us(histogram_percentile(&figures->connect_us, 99),
						p99));
	fprintf(report->text, "  busy %.0f %%", second->busy * 100);
	if (figures_failed(figures) > 0)
		fprintf(report->text, "  FAILED %" PRIu64, figures_failed(figures));
	fputc('\n', report->text);
	report_flush(report, report->text);
}

/* The share of the workers' time; a turn counts when it ends, perhaps in a shorter interval. */
static double
report_busy(const struct report *report, const struct figures *figures, double seconds)
{
	const double busy_s = (double)figures->count[FIGURE_busy_us] / 1e6;

	return RTE_MIN(1.0, busy_s / seconds / report->engine->worker_count);
}

/* @param line whether people get one, too. */
static void
report_interval(struct report *report, bool line)
{
	struct report_second second = {.sample = &report->now, .figures = &report->between};

	report_sample(report, &report->now);
	report->now.phase = report_phase(report);
	second.seconds = (double)(report->now.us - report->latest.us) / 1e6;
	report_between(&report->now.sum, &report->latest.sum, &report->between);
	second.rate = (double)report_done(report->options->plan.exchange, &report->between) /
		      second.seconds;
	second.busy = report_busy(report, &report->between, second.seconds);
	if (line && !report->options->quiet)
		report_line(report, &second);
	if (report->json != NULL)
		report_json_second(report, &second);
	if (report->csv != NULL)
		report_csv(report, &second);
	report->latest = report->now;
}

void
report_second(struct report *report)
{
	report_interval(report, true);
}

void
report_rest(struct report *report)
{
	const uint64_t begin_us = report->engine->load->begin_us;

	if (clock_us(&report->engine->clock) - begin_us > report->latest.us)
		report_interval(report, false);
}

static void
report_judge(struct report *report, const char *name, double wanted, double got, bool met)
{
	report->threshold[report->threshold_count++] =
			(struct report_threshold){name, wanted, got, met, false};
}

/*
 * Starts that were never made, and connections that never opened, are slower than all others: who
 * failed, and who was still to be answered when the run ended. Nothing opened is no latency that
 * was met.
 */
static void
report_judge_p99(struct report *report)
{
	const uint64_t missing = report->whole.count[FIGURE_not_started] +
				 figures_never_opened(&report->timed) +
				 figures_unopened(&report->whole);
	const uint64_t total = histogram_total(&report->timed.connect_us);
	const double wanted = (double)report->options->max_p99_us;
	const double share = total > 0 ? 99.0 * (double)(total + missing) / (double)total : 100.0;
	const double p99 = (double)histogram_percentile(
			&report->timed.connect_us, RTE_MIN(share, 100.0));

	report_judge(report, "max_p99_us", wanted, p99,
			total > 0 && share <= 100.0 && p99 <= wanted);
	report->threshold[report->threshold_count - 1].nothing = total == 0;
}

static void
report_judge_all(struct report *report, const struct report_whole *whole)
{
	const struct options *options = report->options;
	const uint64_t missing = report->whole.count[FIGURE_not_started];
	/*
	 * What did not come to its end, in spite of --drain, failed as well as what said why; so
	 * did what was held and lost, and what was due and never begun.
	 */
	const double failed = (double)(figures_failed(&report->whole) + whole->unfinished +
				       report->whole.count[FIGURE_lost] + missing);
	const double due = (double)(report->whole.count[FIGURE_started] + missing);
	const double share = due > 0 ? failed / due : 0.0;

	if (options->min_rate > 0.0)
		report_judge(report, "min_rate", options->min_rate, whole->rate,
				whole->rate >= options->min_rate);
	if (options->max_p99_us > 0)
		report_judge_p99(report);
	if (options->has_max_failures && options->max_failures_is_share)
		report_judge(report, "max_failures_share", options->max_failures, share,
				share <= options->max_failures);
	else if (options->has_max_failures)
		report_judge(report, "max_failures", options->max_failures, failed,
				failed <= options->max_failures);
}

static void
report_latency(FILE *out, const char *name, const struct histogram *histogram)
{
	static const double percentiles[] = {50, 90, 99, 99.9, 99.99};
	char text[16];

	if (histogram_total(histogram) == 0)
		return;
	fprintf(out, "  %-10s", name);
	for (unsigned int i = 0; i < RTE_DIM(percentiles); i++)
		fprintf(out, "  p%g %s", percentiles[i],
				number_format_us(histogram_percentile(histogram, percentiles[i]),
						text));
	fprintf(out, "  max %s\n", number_format_us(histogram->max, text));
}

static void
report_failures(FILE *out, const struct figures *figures)
{
	for (unsigned int i = 0; i < FAILURES; i++) {
		if (figures->failed[i] > 0)
			fprintf(out, "  %12" PRIu64 "  %-20s %s\n", figures->failed[i],
					figures_failure_name((enum failure)i),
					figures_failure_help((enum failure)i));
	}
}

/*
 * The kernel hands segments of 64 KiB to a veth whose other end it takes for a kernel, too; of each
 * AF_PACKET has the beginning, and the parser drops it.
 */
static void
report_hint_offload(const struct report *report)
{
	const struct engine *engine = report->engine;

	for (unsigned int p = 0; p < engine->port_count; p++) {
		const struct settings_device *device = &engine->port[p].settings->device;
		uint64_t n = 0;

		for (unsigned int i = 0; i < engine->worker_count; i++)
			n += __atomic_load_n(&engine->worker[i]->counters[p].value[DROP_truncated],
					__ATOMIC_RELAXED);
		if (n > 0 && device->kind == SETTINGS_DEVICE_VETH)
			fprintf(report->text,
					"  %" PRIu64 " frames longer than the MTU were dropped: "
					"the peer of %.*s offloads segmentation; try there: "
					"ethtool -K DEVICE tso off gso off\n",
					n, (int)strcspn(device->argument, ","), device->argument);
	}
}

/* Starts that latencies know nothing of. */
static void
report_hint_not_started(const struct report *report)
{
	const uint64_t missing = report->whole.count[FIGURE_not_started];

	if (missing > 0)
		fprintf(report->text,
				"  %" PRIu64 " starts were due and not made: %u connections "
				"(--concurrency) were open, or the generator was too slow\n",
				missing, report->options->plan.concurrency);
}

/* What a reader of the figures should know about how they came about. */
static void
report_hints(const struct report *report, const struct report_whole *whole)
{
	const struct figures *figures = &report->whole;
	FILE *out = report->text;

	if (figures->count[FIGURE_challenges] > 0)
		fprintf(out,
				"  %" PRIu64
				" SYNs met an older connection of their tuple and were retried\n",
				figures->count[FIGURE_challenges]);
	if (whole->reuse_seconds > 0 && whole->reuse_seconds < 60 &&
			load_keeps_state(report->options->plan.exchange))
		fprintf(out,
				"  a tuple was used again after %.3g s, inside the 60 s of "
				"TIME_WAIT; more --sources avoid that\n",
				whole->reuse_seconds);
	if (figures->count[FIGURE_transmit_full] > 0)
		fprintf(out, "  the device did not take %" PRIu64 " frames\n",
				figures->count[FIGURE_transmit_full]);
	if (figures->count[FIGURE_no_buffer] > 0)
		fprintf(out, "  no buffer for %" PRIu64 " frames\n",
				figures->count[FIGURE_no_buffer]);
	report_hint_not_started(report);
	report_hint_offload(report);
}

static void
report_headline(const struct report *report, const struct report_whole *whole)
{
	const struct load_plan *plan = &report->options->plan;
	FILE *out = report->text;
	char rate[16];

	fputc('\n', out);
	if (whole->cut_short)
		fprintf(out,
				"ended by a signal after %.3f s, before all was done that was "
				"planned\n",
				(double)report->latest.us / 1e6);
	if (whole->seconds > 0)
		fprintf(out, "%s: %s/s over %.3f s, ", options_exchanges[plan->exchange],
				number_format(whole->rate, rate), whole->seconds);
	else
		fprintf(out, "%s: nothing was measured, as all ended during --ramp-up; ",
				options_exchanges[plan->exchange]);
	fprintf(out, "%u packet%s per connection planned, %.2f seen\n", options_packets(plan),
			options_packets(plan) == 1 ? "" : "s", whole->packets);
}

/* What came back, by exchange. */
static void
report_answers(const struct report *report, const struct report_whole *whole)
{
	const enum load_exchange exchange = report->options->plan.exchange;
	const struct figures *figures = &report->whole;
	FILE *out = report->text;
	char goodput[16];

	if (figures->count[FIGURE_requests] > 0)
		fprintf(out, "  %" PRIu64 " requests, goodput %sB/s\n",
				figures->count[FIGURE_requests],
				number_format(whole->goodput, goodput));
	if (exchange == LOAD_IDLE)
		fprintf(out,
				"  held to the end: %" PRIu64
				", lost (reset or closed by the peer): "
				"%" PRIu64 "; %" PRIu64 " keep-alives answered\n",
				figures->count[FIGURE_opened] - figures->count[FIGURE_lost],
				figures->count[FIGURE_lost], figures->count[FIGURE_keepalives]);
	if (exchange == LOAD_SYN)
		fprintf(out,
				"  answered, repetitions included: %" PRIu64 " SYN-ACK, %" PRIu64
				" RST, %" PRIu64 " SYN-ACK with a wrong acknowledgement\n",
				figures->count[FIGURE_syn_acks], figures->count[FIGURE_resets],
				figures->count[FIGURE_bad_syn_acks]);
	if (exchange == LOAD_FORGED_ACK || exchange == LOAD_RST_FLOOD)
		fprintf(out, "  answered: %" PRIu64 " RST\n", figures->count[FIGURE_resets]);
}

static void
report_thresholds(const struct report *report)
{
	FILE *out = report->text;

	for (unsigned int i = 0; i < report->threshold_count; i++) {
		const struct report_threshold *threshold = &report->threshold[i];
		char wanted[NUMBER_GROUPED_SIZE], got[NUMBER_GROUPED_SIZE];

		fprintf(out, "  threshold %s: wanted %s, got %s: %s\n", threshold->name,
				number_format_grouped(threshold->wanted, wanted),
				threshold->nothing ? "nothing"
						   : number_format_grouped(threshold->got, got),
				threshold->met ? "met" : "MISSED");
	}
}

static void
report_text(struct report *report, const struct report_whole *whole)
{
	const struct figures *figures = &report->whole;
	FILE *out = report->text;

	report_headline(report, whole);
	fprintf(out,
			"  begun %" PRIu64 ", opened %" PRIu64 ", completed %" PRIu64
			", failed %" PRIu64 ", unfinished %" PRIu64 "\n",
			figures->count[FIGURE_started], figures->count[FIGURE_opened],
			figures->count[FIGURE_completed], figures_failed(figures),
			whole->unfinished);
	report_answers(report, whole);
	fprintf(out,
			"  retransmitted: %" PRIu64 " SYN, %" PRIu64
			" data and FIN; workers busy %.1f %%\n",
			figures->count[FIGURE_syn_retransmits], figures->count[FIGURE_retransmits],
			whole->busy * 100);
	report_latency(out, "connect", &report->timed.connect_us);
	report_latency(out, "first byte", &report->timed.first_byte_us);
	report_latency(out, "close", &report->timed.close_us);
	report_hints(report, whole);
	report_failures(out, figures);
	report_thresholds(report);
	report_flush(report, out);
}

int
report_end(struct report *report)
{
	const struct load_plan *plan = &report->options->plan;
	struct report_whole whole = {.seconds = report_seconds(report)};
	const struct figures *sustained = &report->phase[LOAD_SUSTAIN];

	/* A connection that is still open at the end is slow, and counts. */
	report->timed = *sustained;
	figures_add(&report->timed, &report->phase[LOAD_RAMP_DOWN]);
	report->whole = report->timed;
	figures_add(&report->whole, &report->phase[LOAD_RAMP_UP]);

	whole.done = report_done(plan->exchange, sustained);
	if (whole.seconds > 0) {
		whole.rate = (double)whole.done / whole.seconds;
		whole.goodput = (double)sustained->count[FIGURE_bytes_received] / whole.seconds;
		whole.busy = report_busy(report, sustained, whole.seconds);
	}
	if (report_done(plan->exchange, &report->whole) > 0)
		whole.packets = (double)(report->whole.count[FIGURE_packets_sent] +
						report->whole.count[FIGURE_packets_received]) /
				(double)report_done(plan->exchange, &report->whole);
	whole.unfinished = report->whole.count[FIGURE_started] -
			   report_done(plan->exchange, &report->whole) -
			   figures_failed(&report->whole);
	whole.reuse_seconds = report_reuse_seconds(report);
	whole.cut_short = load_is_cut_short(report->engine);
	report_judge_all(report, &whole);
	report_text(report, &whole);
	if (report->json != NULL)
		report_json_end(report, &whole);
	for (unsigned int i = 0; i < report->threshold_count; i++) {
		if (!report->threshold[i].met)
			return EXIT_CODE_THRESHOLD;
	}
	return EXIT_CODE_OK;
}

int
report_close(struct report *report)
{
	/* Some file systems tell only now that there was no room. */
	if (report->csv != NULL && fclose(report->csv) != 0)
		report_lose(report, report->options->csv);
	return report->lost ? EXIT_CODE_RUNTIME : EXIT_CODE_OK;
}
