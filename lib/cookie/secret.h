/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef SECRET_H
#define SECRET_H

/**
 * @file
 * The secret a fleet shares: where it comes from, where it lies, and the keys derived from it.
 *
 * Control plane only: everything here may block and allocates.  A secret is 32 random bytes, in
 * pages that are kept out of core files and of swap where the system permits, and overwritten when
 * freed.  Nothing here logs; messages name files and never contents.
 *
 * Keys are HMAC-SHA-256(secret, label, 0, number): an epoch's key says nothing of another epoch's,
 * nor of the secret, and a label's keys are independent of any other label's.
 *
 * Not defended against: who can read this process's memory, or be root.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cookie/siphash.h"

#define SECRET_BYTES       32
#define SECRET_ID_DIGITS   8
#define SECRET_LABEL_BYTES 32 /**< The longest label, without its end. */

struct secret;

/** Why there is no secret, and the command or change that helps. */
struct secret_problem {
	char what[384];
	char remedy[384];
};

/**
 * Read a secret from a file: 32 raw bytes, or 64 hexadecimal digits with or without a newline.
 *
 * The file has to be a regular one, of ours or root's, with no rights for group and others.
 *
 * @return
 *   To be freed with secret_free(); NULL after @p problem was filled.
 */
struct secret *secret_load(const char *path, struct secret_problem *problem);

/**
 * The same from the systemd credential @p name, in $CREDENTIALS_DIRECTORY.
 *
 * Its group may read it: so an access control list for the service's user looks (systemd.exec(5)).
 */
struct secret *secret_load_credential(const char *name, struct secret_problem *problem);

/** A new secret from the kernel's generator, known to nobody else. */
struct secret *secret_random(struct secret_problem *problem);

/**
 * Write a secret as 64 digits and a newline, mode 0600: into PATH.new, which then replaces PATH,
 * so that who reads sees the old one or the new one and never a part.
 */
bool secret_store(const struct secret *secret, const char *path, struct secret_problem *problem);

/** Overwrite and give back; NULL is fine. */
void secret_free(struct secret *secret);

/** What may be shown of a secret: the same for the same one, and useless for finding it. */
bool secret_id(const struct secret *secret, char id[SECRET_ID_DIGITS + 1]);

/** Whether two are the same, in a time that does not depend on where they differ. */
bool secret_equal(const struct secret *a, const struct secret *b);

/**
 * Derive a key.
 *
 * @param label
 *   What the key is for, at most SECRET_LABEL_BYTES long.
 * @param number
 *   Which of that label's keys.
 * @return
 *   false when the label is too long or OpenSSL fails; then @p key is zero.
 */
bool secret_derive(const struct secret *secret, const char *label, uint64_t number,
		struct siphash_key *key);

/** Zeroed pages for keys: not in core files, not in swap if the system permits; NULL if none. */
void *secret_pages_alloc(size_t size);

/** Overwrite them and give them back; NULL is fine. */
void secret_pages_free(void *pages, size_t size);

#endif /* SECRET_H */
