/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef COOKIES_H
#define COOKIES_H

/**
 * @file
 * The secrets of SYN cookies and the keys made of them, kept in time for the workers.
 *
 * Control's threads derive the keys of the epoch into the one of two snapshots that nobody uses,
 * and publish it.  A worker holds a snapshot for one burst; a snapshot is written again a second
 * after it was replaced, or when every worker has begun another turn.
 *
 * The secret comes from engine.secret, else from systemd's credential `handfast-secret`, else from
 * the kernel's generator, and then no other node knows it.  Rotation reads again where it came
 * from.  The secret that cookies were made with until then is accepted for as long as one of them
 * may come back, whatever the files say, so that no handshake is lost; as cookies have room for two
 * secrets, another rotation has to wait for that.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "cookie/secret.h"
#include "cookie/syncookie.h"
#include "settings/settings.h"

struct engine;

/** The credentials that stand in for engine.secret and engine.secret_accepted. */
#define COOKIES_CREDENTIAL          "handfast-secret"
#define COOKIES_CREDENTIAL_ACCEPTED "handfast-secret-accepted"

/** Where the secret comes from. */
enum cookies_source {
	COOKIES_RANDOM,
	COOKIES_FILE,
	COOKIES_CREDENTIALS,
};

struct cookies {
	pthread_mutex_t lock; /**< Among control's threads: all but shared, the clock and keys. */
	enum cookies_source source;
	char path[SETTINGS_TEXT_MAX];          /**< engine.secret */
	char path_accepted[SETTINGS_TEXT_MAX]; /**< engine.secret_accepted; empty: none. */
	struct secret *secret;                 /**< Cookies are made with it. */
	struct secret *accepted;               /**< From its own file; NULL if there is none. */
	struct secret *retired;                /**< Cookies were made with it until lately. */
	uint64_t retired_until_ms; /**< When the last of those cookies is too old.  Monotonic. */
	bool shared;               /**< Other nodes may have it, so their cookies come here. */
	/**
	 * What is added to the milliseconds since the start to make TSval.  Nodes that share a
	 * secret send the time of day, so that a client who got its cookie from one does not see
	 * time run backwards on another (RFC 7323 5.4), whichever secret it started with.
	 */
	uint32_t ts_base_ms;
	uint32_t ts_flow_mask; /**< Which bits of a flow's hash are added, too: none when shared. */
	struct syncookie_keys *snapshot[2];
	uint64_t replaced_ms[2];           /**< When the snapshot was; 0: never used.  Monotonic. */
	const struct syncookie_keys *keys; /**< One of them.  Atomic. */
};

/** What there is and was: public numbers (secret_id()), empty where there is no secret. */
struct cookies_ids {
	char before[SECRET_ID_DIGITS + 1]; /**< Active before a rotation. */
	char active[SECRET_ID_DIGITS + 1];
	char accepted[SECRET_ID_DIGITS + 1];
	char retired[SECRET_ID_DIGITS + 1];
	unsigned int retired_seconds; /**< For how long that one is still accepted. */
	enum cookies_source source;
};

/** Get the secrets and the first keys. @return 0, or -1 after the reason and remedy were logged. */
int cookies_init(struct cookies *cookies, const struct settings *settings);

/** Overwrite and free them. */
void cookies_free(struct cookies *cookies);

/** Derive new keys when it is time; at least once in 16 s. */
void cookies_refresh(struct cookies *cookies);

/**
 * Read the secrets again from where they came from; a random one is made anew.
 *
 * On return every worker uses the new keys.  From any of control's threads.
 *
 * @return false after @p problem was filled; then nothing has changed.
 */
bool cookies_rotate(struct engine *engine, struct cookies_ids *ids, struct secret_problem *problem);

/** What is in use now. */
void cookies_show(struct cookies *cookies, struct cookies_ids *ids);

/** Say which services began or ended cookies since the last call. */
void cookies_report(const struct engine *engine);

/**
 * Derive a key of another kind from the secret as it is now; from any of control's threads.
 *
 * @return false after the reason was logged.
 */
bool cookies_derive(struct cookies *cookies, const char *label, struct siphash_key *key);

/** The keys for a burst. */
static inline const struct syncookie_keys *
cookies_keys(const struct cookies *cookies)
{
	return __atomic_load_n(&cookies->keys, __ATOMIC_ACQUIRE);
}

#endif /* COOKIES_H */
