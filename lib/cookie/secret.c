/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Secrets from files, credentials and the kernel; keys by HMAC-SHA-256.
 *
 * A file is judged after it was opened, so that nobody exchanges it in between.  Its bytes go from
 * the kernel into the protected page and nowhere else.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "cookie/secret.h"

#define TEXT_DIGITS (2 * SECRET_BYTES)
#define TEXT_MAX    (TEXT_DIGITS + 2) /* A newline, and one byte that shows there are too many. */

/* Rights that make a file anybody else's business. */
#define FORBIDDEN_FILE       077
#define FORBIDDEN_CREDENTIAL 037

struct secret {
	uint8_t key[SECRET_BYTES];
	uint8_t text[TEXT_MAX]; /* What is read or written, overwritten afterwards. */
};

void *
secret_pages_alloc(size_t size)
{
	void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (pages == MAP_FAILED)
		return NULL;
	if (madvise(pages, size, MADV_DONTDUMP) != 0) {
		munmap(pages, size);
		return NULL;
	}
	/* Beyond RLIMIT_MEMLOCK it may be swapped: no reason to do without a defence. */
	(void)mlock(pages, size);
	return pages;
}

void
secret_pages_free(void *pages, size_t size)
{
	if (pages == NULL)
		return;
	explicit_bzero(pages, size);
	munmap(pages, size);
}

__attribute__((format(printf, 2, 3))) static void
say_what(struct secret_problem *problem, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(problem->what, sizeof(problem->what), format, arguments);
	va_end(arguments);
}

__attribute__((format(printf, 2, 3))) static void
say_remedy(struct secret_problem *problem, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(problem->remedy, sizeof(problem->remedy), format, arguments);
	va_end(arguments);
}

static struct secret *
secret_new(struct secret_problem *problem)
{
	struct secret *secret = secret_pages_alloc(sizeof(*secret));

	if (secret == NULL) {
		say_what(problem, "no memory for a secret: %s", strerror(errno));
		say_remedy(problem, "free memory");
	}
	return secret;
}

void
secret_free(struct secret *secret)
{
	secret_pages_free(secret, sizeof(*secret));
}

static int
digit_value(uint8_t digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return -1;
}

/* How many of the first bytes are hexadecimal digits. */
static size_t
digits_count(const uint8_t *text, size_t length)
{
	size_t n = 0;

	while (n < length && digit_value(text[n]) >= 0)
		n++;
	return n;
}

static bool
all_equal(const uint8_t *bytes, size_t length)
{
	return memcmp(bytes, bytes + 1, length - 1) == 0;
}

/* From text to key; what came is in no message. */
static bool
secret_decode(struct secret *secret, size_t length, const char *path,
		struct secret_problem *problem)
{
	const uint8_t *text = secret->text;
	size_t digits = digits_count(text, length);

	say_remedy(problem,
			"(umask 077; head -c %d /dev/urandom > %s), and the same file on every "
			"node",
			SECRET_BYTES, path);
	if (digits == TEXT_DIGITS &&
			(length == TEXT_DIGITS ||
					(length == TEXT_DIGITS + 1 && text[TEXT_DIGITS] == '\n'))) {
		for (size_t i = 0; i < SECRET_BYTES; i++)
			secret->key[i] = (uint8_t)(digit_value(text[2 * i]) << 4 |
						   digit_value(text[2 * i + 1]));
	} else if (length == SECRET_BYTES && digits < SECRET_BYTES) {
		memcpy(secret->key, text, SECRET_BYTES);
	} else if (digits + 1 >= length && length != 0) {
		say_what(problem, "%s: holds %s%zu hexadecimal digits, %d are needed", path,
				length == TEXT_MAX ? "at least " : "", digits, TEXT_DIGITS);
		return false;
	} else {
		say_what(problem,
				"%s: holds %s%zu bytes, %d bytes or %d hexadecimal digits are "
				"needed",
				path, length == TEXT_MAX ? "at least " : "", length, SECRET_BYTES,
				TEXT_DIGITS);
		return false;
	}
	if (all_equal(secret->key, SECRET_BYTES)) {
		say_what(problem, "%s: holds one byte, repeated: that is no secret", path);
		return false;
	}
	return true;
}

/* Whether the open file is nobody else's. */
static bool
file_is_private(int file, mode_t forbidden, const char *path, struct secret_problem *problem)
{
	struct stat status;

	if (fstat(file, &status) != 0) {
		say_what(problem, "%s: %s", path, strerror(errno));
		say_remedy(problem, "name a regular file");
	} else if (!S_ISREG(status.st_mode)) {
		say_what(problem, "%s: is no regular file", path);
		say_remedy(problem, "name a file of %d bytes", SECRET_BYTES);
	} else if (status.st_uid != 0 && status.st_uid != geteuid()) {
		say_what(problem, "%s: belongs to user %u, who could read and change it", path,
				(unsigned int)status.st_uid);
		say_remedy(problem, "chown %u %s", (unsigned int)geteuid(), path);
	} else if ((status.st_mode & forbidden) != 0) {
		say_what(problem, "%s: mode %04o lets others read or change it", path,
				(unsigned int)(status.st_mode & 07777));
		say_remedy(problem, "chmod 600 %s, and a new secret if others may have seen it",
				path);
	} else {
		return true;
	}
	return false;
}

/* Bytes read, at most TEXT_MAX; -1 with errno. */
static ssize_t
read_text(int file, uint8_t text[TEXT_MAX])
{
	size_t length = 0;

	while (length < TEXT_MAX) {
		ssize_t n = read(file, text + length, TEXT_MAX - length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		length += (size_t)n;
	}
	return (ssize_t)length;
}

static bool
secret_read(struct secret *secret, int file, const char *path, struct secret_problem *problem)
{
	ssize_t length = read_text(file, secret->text);
	bool good = false;

	if (length < 0) {
		say_what(problem, "%s: cannot be read: %s", path, strerror(errno));
		say_remedy(problem, "copy it from another node");
	} else {
		good = secret_decode(secret, (size_t)length, path, problem);
	}
	explicit_bzero(secret->text, sizeof(secret->text));
	return good;
}

static struct secret *
load(const char *path, mode_t forbidden, struct secret_problem *problem)
{
	/* Opening a pipe must not wait for its writer. */
	int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct secret *secret = NULL;

	*problem = (struct secret_problem){0};
	if (file < 0) {
		int reason = errno;

		say_what(problem, "%s: cannot be opened: %s", path, strerror(reason));
		if (reason == EACCES)
			say_remedy(problem, "chown %u %s", (unsigned int)geteuid(), path);
		else
			say_remedy(problem, "(umask 077; head -c %d /dev/urandom > %s)",
					SECRET_BYTES, path);
		return NULL;
	}
	if (file_is_private(file, forbidden, path, problem))
		secret = secret_new(problem);
	if (secret != NULL && !secret_read(secret, file, path, problem)) {
		secret_free(secret);
		secret = NULL;
	}
	close(file);
	if (secret != NULL)
		*problem = (struct secret_problem){0};
	return secret;
}

struct secret *
secret_load(const char *path, struct secret_problem *problem)
{
	return load(path, FORBIDDEN_FILE, problem);
}

struct secret *
secret_load_credential(const char *name, struct secret_problem *problem)
{
	const char *directory = getenv("CREDENTIALS_DIRECTORY");
	char path[PATH_MAX];
	struct secret *secret;

	*problem = (struct secret_problem){0};
	if (directory == NULL || directory[0] != '/') {
		say_what(problem, "credential %s: CREDENTIALS_DIRECTORY is not set", name);
		say_remedy(problem, "LoadCredential=%s:/path/of/the/secret in the systemd unit",
				name);
		return NULL;
	}
	if (name[0] == '\0' || name[0] == '.' || strchr(name, '/') != NULL) {
		say_what(problem, "credential %s: is no credential's name", name);
		say_remedy(problem, "a name without slashes, as in LoadCredential=NAME:PATH");
		return NULL;
	}
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", directory, name) >= sizeof(path)) {
		say_what(problem, "credential %s: its path is too long", name);
		say_remedy(problem, "a shorter name");
		return NULL;
	}
	secret = load(path, FORBIDDEN_CREDENTIAL, problem);
	if (secret == NULL)
		say_remedy(problem,
				"LoadCredential=%s:FILE in the systemd unit, FILE of %d random "
				"bytes",
				name, SECRET_BYTES);
	return secret;
}

struct secret *
secret_random(struct secret_problem *problem)
{
	struct secret *secret;

	*problem = (struct secret_problem){0};
	secret = secret_new(problem);
	if (secret != NULL && getrandom(secret->key, SECRET_BYTES, 0) != SECRET_BYTES) {
		say_what(problem, "the kernel gives no random bytes: %s", strerror(errno));
		say_remedy(problem, "a kernel with getrandom(2)");
		secret_free(secret);
		return NULL;
	}
	return secret;
}

/* The new file is complete and on the disk before it gets the name. */
static bool
store(struct secret *text, const char *path, const char *new_path)
{
	int file = open(new_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool good;
	int reason;

	if (file < 0)
		return false;
	good = write(file, text->text, TEXT_DIGITS + 1) == TEXT_DIGITS + 1 && fsync(file) == 0;
	good = close(file) == 0 && good;
	if (good && rename(new_path, path) == 0)
		return true;
	reason = errno;
	unlink(new_path);
	errno = reason;
	return false;
}

bool
secret_store(const struct secret *secret, const char *path, struct secret_problem *problem)
{
	static const char digits[16] = "0123456789abcdef";
	char new_path[PATH_MAX];
	struct secret *text;
	int reason;
	bool good;

	*problem = (struct secret_problem){0};
	if ((size_t)snprintf(new_path, sizeof(new_path), "%s.new", path) >= sizeof(new_path)) {
		say_what(problem, "%s: the path is too long", path);
		say_remedy(problem, "a shorter path");
		return false;
	}
	text = secret_new(problem);
	if (text == NULL)
		return false;
	for (size_t i = 0; i < SECRET_BYTES; i++) {
		text->text[2 * i] = (uint8_t)digits[secret->key[i] >> 4];
		text->text[2 * i + 1] = (uint8_t)digits[secret->key[i] & 0xf];
	}
	text->text[TEXT_DIGITS] = '\n';
	good = store(text, path, new_path);
	reason = errno;
	if (!good) {
		say_what(problem, "%s: cannot be written: %s", new_path, strerror(reason));
		if (reason == EEXIST)
			say_remedy(problem, "rm %s, which an interrupted rotation left", new_path);
		else
			say_remedy(problem, "a folder that user %u may write to",
					(unsigned int)geteuid());
	}
	secret_free(text);
	return good;
}

/* HMAC over "label", a zero byte, and the number in network byte order: no two inputs collide. */
static bool
derive(const struct secret *secret, const char *label, uint64_t number, uint8_t *to, size_t size)
{
	uint8_t message[SECRET_LABEL_BYTES + 1 + sizeof(number)] = {0};
	size_t length = strlen(label);
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned int digest_length = 0;
	bool good;

	memset(to, 0, size);
	if (length > SECRET_LABEL_BYTES)
		return false;
	memcpy(message, label, length++);
	for (unsigned int i = 0; i < sizeof(number); i++)
		message[length++] = (uint8_t)(number >> (56 - 8 * i));
	good = HMAC(EVP_sha256(), secret->key, SECRET_BYTES, message, length, digest,
			       &digest_length) != NULL &&
	       digest_length >= size;
	if (good)
		memcpy(to, digest, size);
	explicit_bzero(digest, sizeof(digest));
	return good;
}

bool
secret_derive(const struct secret *secret, const char *label, uint64_t number,
		struct siphash_key *key)
{
	uint8_t bytes[sizeof(*key)];
	bool good = derive(secret, label, number, bytes, sizeof(bytes));

	*key = (struct siphash_key){0};
	for (unsigned int i = 0; i < 8; i++) {
		key->k0 |= (uint64_t)bytes[i] << (8 * i);
		key->k1 |= (uint64_t)bytes[8 + i] << (8 * i);
	}
	explicit_bzero(bytes, sizeof(bytes));
	return good;
}

bool
secret_id(const struct secret *secret, char id[SECRET_ID_DIGITS + 1])
{
	uint8_t bytes[SECRET_ID_DIGITS / 2];
	bool good = derive(secret, "handfast secret id", 0, bytes, sizeof(bytes));

	for (unsigned int i = 0; i < sizeof(bytes); i++)
		snprintf(id + 2 * i, 3, "%02x", bytes[i]);
	return good;
}

bool
secret_equal(const struct secret *a, const struct secret *b)
{
	return CRYPTO_memcmp(a->key, b->key, SECRET_BYTES) == 0;
}
