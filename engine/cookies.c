/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>
#include <time.h>

#include "engine/cookies.h"
#include "engine/engine.h"
#include "engine/log.h"
#include "engine/worker.h"

static uint64_t
cookies_unix_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Alone, each flow's clock has an offset of its own; shared, all have the fleet's. */
static bool
cookies_init_clock(struct cookies *cookies)
{
	struct siphash_key offset;

	cookies->ts_flow_mask = cookies->shared ? 0 : 0xffff0000;
	if (!cookies->shared)
		return true;
	if (!secret_derive(cookies->secret, "handfast timestamps", 0, &offset))
		return false;
	cookies->ts_base_ms = (uint32_t)(cookies_unix_ms() + offset.k0);
	return true;
}

int
cookies_init(struct cookies *cookies, const struct settings *settings)
{
	const char *path = settings->engine.secret;
	struct secret_problem problem;
	char id[SECRET_ID_DIGITS + 1];

	memset(cookies, 0, sizeof(*cookies));
	cookies->shared = path[0] != '\0';
	cookies->secret = cookies->shared ? secret_load(path, &problem) : secret_random(&problem);
	if (cookies->secret == NULL) {
		log_error("cookies", "%s; %s", problem.what, problem.remedy);
		return -1;
	}
	for (unsigned int i = 0; i < RTE_DIM(cookies->snapshot); i++) {
		cookies->snapshot[i] = secret_pages_alloc(sizeof(*cookies->snapshot[i]));
		if (cookies->snapshot[i] == NULL) {
			log_error("cookies", "no memory for keys");
			return -1;
		}
	}
	cookies_refresh(cookies);
	if (cookies->keys == NULL || !cookies_init_clock(cookies)) {
		log_error("cookies", "OpenSSL derives no keys");
		return -1;
	}
	if (cookies->shared && secret_id(cookies->secret, id))
		log_info("cookies", "secret=%s id=%s", path, id);
	return 0;
}

void
cookies_free(struct cookies *cookies)
{
	for (unsigned int i = 0; i < RTE_DIM(cookies->snapshot); i++)
		secret_pages_free(cookies->snapshot[i], sizeof(*cookies->snapshot[i]));
	secret_free(cookies->secret);
	memset(cookies, 0, sizeof(*cookies));
}

void
cookies_refresh(struct cookies *cookies)
{
	const uint64_t now_ms = cookies_unix_ms();
	struct syncookie_keys *next =
			cookies->snapshot[cookies->keys == cookies->snapshot[0] ? 1 : 0];

	if (cookies->keys != NULL && now_ms < cookies->keys->until_ms)
		return;
	/* Should it fail, the old ones still serve for a while. */
	if (syncookie_keys_derive(next, cookies->secret, NULL, now_ms))
		__atomic_store_n(&cookies->keys, next, __ATOMIC_RELEASE);
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
			log_info("cookies", "service=%s worker=%u %s half_open=%u backlog=%u",
					services->service[s].settings->name, w, on ? "on" : "off",
					__atomic_load_n(&share->half_open, __ATOMIC_RELAXED),
					services->service[s].settings->max_syn_backlog);
		}
	}
}
