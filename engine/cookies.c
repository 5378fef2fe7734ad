/* SPDX-License-Identifier: BSD-3-Clause */

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/cookies.h"
#include "engine/engine.h"
#include "engine/log.h"
#include "engine/outside.h"
#include "engine/worker.h"

/* No burst lasts so long, so no worker holds keys that were replaced so long ago. */
#define COOKIES_SETTLE_MS 1000

/* Secrets that were read and not yet put to use. */
struct cookies_fresh {
	struct secret *secret;
	struct secret *accepted;
};

static void
cookies_fresh_free(struct cookies_fresh *fresh)
{
	secret_free(fresh->secret);
	secret_free(fresh->accepted);
}

/* A credential that the unit does not pass is none; one that is no secret is a mistake. */
static bool
cookies_has_credential(const char *name)
{
	const char *directory = getenv("CREDENTIALS_DIRECTORY");
	char path[PATH_MAX];

	return directory != NULL && directory[0] == '/' &&
	       (size_t)snprintf(path, sizeof(path), "%s/%s", directory, name) < sizeof(path) &&
	       (access(path, F_OK) == 0 || errno != ENOENT);
}

/*
 * The accepted secret may be missing: `handfast key rotate --file` only leaves F.previous behind
 * when there was one.  Whatever else is wrong with it is wrong.
 */
static bool
cookies_read_accepted(const struct cookies *cookies, struct cookies_fresh *fresh,
		struct secret_problem *problem)
{
	const char *path = cookies->path_accepted;

	if (path[0] != '\0') {
		if (access(path, F_OK) != 0 && errno == ENOENT)
			return true;
		fresh->accepted = secret_load(path, problem);
		return fresh->accepted != NULL;
	}
	if (cookies->source != COOKIES_CREDENTIALS ||
			!cookies_has_credential(COOKIES_CREDENTIAL_ACCEPTED))
		return true;
	fresh->accepted = secret_load_credential(COOKIES_CREDENTIAL_ACCEPTED, problem);
	return fresh->accepted != NULL;
}

static bool
cookies_read(const struct cookies *cookies, struct cookies_fresh *fresh,
		struct secret_problem *problem)
{
	memset(fresh, 0, sizeof(*fresh));
	switch (cookies->source) {
	case COOKIES_RANDOM:
		fresh->secret = secret_random(problem);
		break;
	case COOKIES_FILE:
		fresh->secret = secret_load(cookies->path, problem);
		break;
	case COOKIES_CREDENTIALS:
		fresh->secret = secret_load_credential(COOKIES_CREDENTIAL, problem);
		break;
	}
	if (fresh->secret != NULL && cookies_read_accepted(cookies, fresh, problem))
		return true;
	cookies_fresh_free(fresh);
	return false;
}

/* The second secret whose cookies are good: at first the one they were made with until lately. */
static const struct secret *
cookies_second(const struct cookies *cookies)
{
	return cookies->retired != NULL ? cookies->retired : cookies->accepted;
}

/* Derive the keys of now into the snapshot that nobody uses, and publish it. */
static bool
cookies_publish(struct cookies *cookies)
{
	const unsigned int next = cookies->keys == cookies->snapshot[0] ? 1 : 0;

	if (!syncookie_keys_derive(cookies->snapshot[next], cookies->secret,
			    cookies_second(cookies), outside_ms(CLOCK_REALTIME)))
		return false;
	__atomic_store_n(&cookies->keys, cookies->snapshot[next], __ATOMIC_RELEASE);
	cookies->replaced_ms[1 - next] = outside_ms(CLOCK_MONOTONIC);
	return true;
}

/* Whether workers have left the snapshot that would be written next. */
static bool
cookies_is_settled(const struct cookies *cookies)
{
	const unsigned int next = cookies->keys == cookies->snapshot[0] ? 1 : 0;

	return outside_ms(CLOCK_MONOTONIC) - cookies->replaced_ms[next] >= COOKIES_SETTLE_MS;
}

/* Alone, each flow's clock has an offset of its own; shared, all send the time of day. */
static void
cookies_init_clock(struct cookies *cookies)
{
	cookies->ts_flow_mask = cookies->shared ? 0 : 0xffff0000;
	if (cookies->shared)
		cookies->ts_base_ms = (uint32_t)outside_ms(CLOCK_REALTIME);
}

static enum cookies_source
cookies_choose(const char *path)
{
	if (path[0] != '\0')
		return COOKIES_FILE;
	return cookies_has_credential(COOKIES_CREDENTIAL) ? COOKIES_CREDENTIALS : COOKIES_RANDOM;
}

/* What the log says of the secrets. */
static void
cookies_log(struct cookies *cookies, const char *what)
{
	static const char *const sources[] = {
			[COOKIES_RANDOM] = "random",
			[COOKIES_FILE] = "file",
			[COOKIES_CREDENTIALS] = "credential",
	};
	struct cookies_ids ids;

	cookies_show(cookies, &ids);
	log_info("cookies", "%s: secret=%s id=%s accepted=%s retired=%s", what, sources[ids.source],
			ids.active, ids.accepted[0] != '\0' ? ids.accepted : "none",
			ids.retired[0] != '\0' ? ids.retired : "none");
}

int
cookies_init(struct cookies *cookies, const struct settings *settings)
{
	struct cookies_fresh fresh;
	struct secret_problem problem;

	memset(cookies, 0, sizeof(*cookies));
	pthread_mutex_init(&cookies->lock, NULL);
	memcpy(cookies->path, settings->engine.secret, sizeof(cookies->path));
	memcpy(cookies->path_accepted, settings->engine.secret_accepted,
			sizeof(cookies->path_accepted));
	cookies->source = cookies_choose(cookies->path);
	cookies->shared = cookies->source != COOKIES_RANDOM || cookies->path_accepted[0] != '\0';
	if (!cookies_read(cookies, &fresh, &problem)) {
		log_error("cookies", "%s; %s", problem.what, problem.remedy);
		return -1;
	}
	cookies->secret = fresh.secret;
	cookies->accepted = fresh.accepted;
	for (unsigned int i = 0; i < RTE_DIM(cookies->snapshot); i++) {
		cookies->snapshot[i] = secret_pages_alloc(sizeof(*cookies->snapshot[i]));
		if (cookies->snapshot[i] == NULL) {
			log_error("cookies", "no memory for keys");
			return -1;
		}
	}
	cookies_init_clock(cookies);
	if (!cookies_publish(cookies)) {
		log_error("cookies", "OpenSSL derives no keys");
		return -1;
	}
	if (cookies->shared)
		cookies_log(cookies, "start");
	return 0;
}

void
cookies_free(struct cookies *cookies)
{
	for (unsigned int i = 0; i < RTE_DIM(cookies->snapshot); i++)
		secret_pages_free(cookies->snapshot[i], sizeof(*cookies->snapshot[i]));
	secret_free(cookies->secret);
	secret_free(cookies->accepted);
	secret_free(cookies->retired);
	memset(cookies, 0, sizeof(*cookies));
}

void
cookies_refresh(struct cookies *cookies)
{
	const uint64_t now_ms = outside_ms(CLOCK_REALTIME);
	uint64_t until_ms;

	pthread_mutex_lock(&cookies->lock);
	until_ms = cookies->keys->until_ms;
	if (cookies->retired != NULL && outside_ms(CLOCK_MONOTONIC) >= cookies->retired_until_ms) {
		secret_free(cookies->retired);
		cookies->retired = NULL;
	}
	/* The clock may be set back, too.  Should it fail, the old ones still serve for a while. */
	if ((now_ms >= until_ms || until_ms - now_ms > SYNCOOKIE_EPOCH_MS) &&
			cookies_is_settled(cookies))
		(void)cookies_publish(cookies);
	pthread_mutex_unlock(&cookies->lock);
}

static void
cookies_id(const struct secret *secret, char id[SECRET_ID_DIGITS + 1])
{
	id[0] = '\0';
	if (secret != NULL && !secret_id(secret, id))
		id[0] = '\0';
}

static void
cookies_show_locked(const struct cookies *cookies, struct cookies_ids *ids)
{
	const uint64_t now_ms = outside_ms(CLOCK_MONOTONIC);

	cookies_id(cookies->secret, ids->active);
	cookies_id(cookies->accepted, ids->accepted);
	cookies_id(cookies->retired, ids->retired);
	ids->retired_seconds = cookies->retired == NULL || now_ms >= cookies->retired_until_ms
					       ? 0
					       : (unsigned int)((cookies->retired_until_ms -
										now_ms + 999) /
								 1000);
	ids->source = cookies->source;
}

void
cookies_show(struct cookies *cookies, struct cookies_ids *ids)
{
	memset(ids, 0, sizeof(*ids));
	pthread_mutex_lock(&cookies->lock);
	cookies_show_locked(cookies, ids);
	pthread_mutex_unlock(&cookies->lock);
}

/* Whether a new secret may take the active one's place now. */
static bool
cookies_may_replace(const struct cookies *cookies, struct secret_problem *problem)
{
	struct cookies_ids ids = {0};

	if (cookies->retired == NULL)
		return true;
	cookies_show_locked(cookies, &ids);
	snprintf(problem->what, sizeof(problem->what),
			"cookies made with %s may still come back, and there is room for two "
			"secrets",
			ids.retired);
	snprintf(problem->remedy, sizeof(problem->remedy), "again in %u s",
			ids.retired_seconds + 1);
	return false;
}

/* Make what was read the secrets, and @p fresh the ones it replaces. */
static void
cookies_exchange(struct cookies *cookies, struct cookies_fresh *fresh)
{
	const struct cookies_fresh before = {cookies->secret, cookies->accepted};

	cookies->secret = fresh->secret;
	cookies->accepted = fresh->accepted;
	*fresh = before;
}

/* Put what was read to use; what is not needed any more is left in @p fresh. */
static bool
cookies_replace(struct engine *engine, struct cookies_fresh *fresh, struct secret_problem *problem)
{
	struct cookies *cookies = &engine->cookies;
	const bool same = secret_equal(cookies->secret, fresh->secret);

	if (!same && !cookies_may_replace(cookies, problem))
		return false;
	if (!cookies_is_settled(cookies) && !worker_wait_for_turns(engine)) {
		snprintf(problem->what, sizeof(problem->what), "a worker does not take turns");
		snprintf(problem->remedy, sizeof(problem->remedy), "again, or restart the engine");
		return false;
	}
	cookies_exchange(cookies, fresh);
	if (!same) {
		cookies->retired = fresh->secret;
		cookies->retired_until_ms = outside_ms(CLOCK_MONOTONIC) + SYNCOOKIE_LIFE_MS;
	}
	if (!cookies_publish(cookies)) {
		if (!same)
			cookies->retired = NULL;
		cookies_exchange(cookies, fresh);
		snprintf(problem->what, sizeof(problem->what), "OpenSSL derives no keys");
		snprintf(problem->remedy, sizeof(problem->remedy), "see OpenSSL's configuration");
		return false;
	}
	if (!same)
		fresh->secret = NULL;
	/* Who is told that it is done may take the old ones away from everywhere else. */
	(void)worker_wait_for_turns(engine);
	return true;
}

bool
cookies_rotate(struct engine *engine, struct cookies_ids *ids, struct secret_problem *problem)
{
	struct cookies *cookies = &engine->cookies;
	struct cookies_fresh fresh;
	bool good;

	memset(ids, 0, sizeof(*ids));
	memset(problem, 0, sizeof(*problem));
	pthread_mutex_lock(&cookies->lock);
	cookies_id(cookies->secret, ids->before);
	good = cookies_read(cookies, &fresh, problem);
	if (good) {
		good = cookies_replace(engine, &fresh, problem);
		cookies_fresh_free(&fresh);
	}
	cookies_show_locked(cookies, ids);
	pthread_mutex_unlock(&cookies->lock);
	if (good)
		cookies_log(cookies, "rotated");
	else
		log_warning("cookies", "not rotated, the running secrets stay: %s; %s",
				problem->what, problem->remedy);
	return good;
}

static void
cookies_report_one(const struct engine *engine, unsigned int worker, unsigned int service, bool on)
{
	const struct settings_service *settings =
			engine_services(engine)->service[service].settings;
	const struct service_share *share = &engine->worker[worker]->share[service];

	log_info("cookies",
			"service=%s worker=%u %s half_open=%u max_syn_backlog=%u syns=%u "
			"syns_before=%u max_syn_rate=%u hold=%us",
			settings->name, worker, on ? "on" : "off",
			__atomic_load_n(&share->half_open, __ATOMIC_RELAXED),
			settings->max_syn_backlog, __atomic_load_n(&share->syns, __ATOMIC_RELAXED),
			__atomic_load_n(&share->syns_before, __ATOMIC_RELAXED),
			settings->max_syn_rate, (unsigned int)(share->cookies_hold_us / 1000000));
}

void
cookies_report(const struct engine *engine)
{
	const struct services *services = engine_services(engine);

	for (unsigned int w = 0; w < engine->worker_count; w++) {
		for (unsigned int s = 0; s < services->service_count; s++) {
			struct service_share *share = &engine->worker[w]->share[s];
			const bool on = __atomic_load_n(&share->cookies_on, __ATOMIC_RELAXED);

			if (share->cookies_reported == on)
				continue;
			share->cookies_reported = on;
			cookies_report_one(engine, w, s, on);
		}
	}
}

bool
cookies_derive(struct cookies *cookies, const char *label, struct siphash_key *key)
{
	bool good;

	pthread_mutex_lock(&cookies->lock);
	good = secret_derive(cookies->secret, label, 0, key);
	pthread_mutex_unlock(&cookies->lock);
	if (!good)
		log_error("cookies", "no key for %s: OpenSSL fails", label);
	return good;
}
