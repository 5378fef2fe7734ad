/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Protocol: connect a SOCK_SEQPACKET socket, read one JSON object that tells max_output_len, then
 * one command per message out and one JSON object {"COMMAND": VALUE} per message in.
 *
 * Not rte_eal_get_runtime_dir(): that only works after rte_eal_init(), which a client must not
 * call.  DPDK's choice of the directory is repeated here instead.
 */

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <rte_common.h>

#include "exit_code.h"
#include "telemetry_client.h"

#define SOCKET_NAME          "dpdk_telemetry.v2"
#define COMMAND_MAX          128
#define OUTPUT_MAX           (1 << 20) /**< More than that is not a DPDK telemetry socket. */
#define ANSWER_LIMIT_SECONDS 5

struct telemetry_client {
	int socket;
	unsigned int answer_seconds;
	size_t output_max;
	char instance[64];
	char *output; /**< output_max bytes and a terminator. */
};

const char *
telemetry_client_directory(char *directory, size_t size)
{
	const char *base = getenv("RUNTIME_DIRECTORY");

	if (base == NULL && getuid() == 0)
		base = "/var/run";
	if (base == NULL)
		base = getenv("XDG_RUNTIME_DIR");
	if (base == NULL)
		base = "/tmp";
	snprintf(directory, size, "%s/dpdk", base);
	return directory;
}

/** @return a connected socket, or a negative errno. */
static int
connect_path(const char *path)
{
	struct timeval limit = {.tv_sec = ANSWER_LIMIT_SECONDS};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;
	int error;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	error = -errno;
	close(fd);
	return error;
}

static int
connect_instance(const char *instance)
{
	char directory[PATH_MAX];
	char path[PATH_MAX + 128];

	telemetry_client_directory(directory, sizeof(directory));
	snprintf(path, sizeof(path), "%s/%s/%s", directory, instance, SOCKET_NAME);
	return connect_path(path);
}

bool
telemetry_client_answers(const char *instance)
{
	int fd = connect_instance(instance);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/** Print the instances that answer. @return how many */
static unsigned int
list_instances(FILE *out)
{
	char directory[PATH_MAX];
	unsigned int count = 0;
	struct dirent *entry;
	DIR *stream = opendir(telemetry_client_directory(directory, sizeof(directory)));

	if (stream == NULL)
		return 0;
	while ((entry = readdir(stream)) != NULL) {
		if (entry->d_name[0] == '.' || !telemetry_client_answers(entry->d_name))
			continue;
		fprintf(out, "%s%s", count == 0 ? "running instances: " : ", ", entry->d_name);
		count++;
	}
	closedir(stream);
	if (count != 0)
		fputc('\n', out);
	return count;
}

static int
report_connect_failure(const char *instance, int error)
{
	char directory[PATH_MAX];
	bool hidden = getuid() != 0 && access("/var/run/dpdk", F_OK) == 0;

	telemetry_client_directory(directory, sizeof(directory));
	if (error == -EACCES || error == -EPERM) {
		fprintf(stderr, "handfast: not allowed to ask instance \"%s\" in %s; try sudo\n",
				instance, directory);
		return EXIT_CODE_PERMISSION;
	}
	if (error != -ENOENT && error != -ECONNREFUSED && error != -ENOTDIR) {
		fprintf(stderr, "handfast: instance \"%s\" in %s: %s\n", instance, directory,
				strerror(-error));
		return EXIT_CODE_RUNTIME;
	}
	fprintf(stderr, "handfast: no instance \"%s\" runs (looked in %s)\n", instance, directory);
	if (list_instances(stderr) != 0)
		fputs("choose one with --instance NAME\n", stderr);
	else if (hidden)
		fputs("one that root started is visible to root only; try sudo\n", stderr);
	else
		fputs("start one: handfast run -c FILE\n", stderr);
	return hidden ? EXIT_CODE_PERMISSION : EXIT_CODE_RUNTIME;
}

static int
report_broken(const struct telemetry_client *client, const char *what)
{
	fprintf(stderr, "handfast: instance \"%s\": %s\n", client->instance, what);
	return -1;
}

/** Receive one message, terminated, into client->output. */
static int
receive(struct telemetry_client *client)
{
	ssize_t length;

	do {
		length = recv(client->socket, client->output, client->output_max, 0);
	} while (length < 0 && errno == EINTR);
	if (length == 0)
		return report_broken(client, "stopped, or closed the connection");
	if (length < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
		fprintf(stderr,
				"handfast: instance \"%s\": did not answer within %u seconds (DPDK "
				"serves at most 10 clients at a time)\n",
				client->instance, client->answer_seconds);
		return -1;
	}
	if (length < 0)
		return report_broken(client, strerror(errno));
	client->output[length] = '\0';
	return 0;
}

static json_t *
parse(const struct telemetry_client *client)
{
	json_error_t error;
	json_t *json = json_loads(client->output, 0, &error);

	if (json == NULL || !json_is_object(json)) {
		report_broken(client, "answered something that is not JSON");
		json_decref(json);
		return NULL;
	}
	return json;
}

/** Read the greeting and make room for the longest answer it announces. */
static int
greet(struct telemetry_client *client)
{
	json_t *greeting;
	json_int_t limit;
	char *larger;

	client->output_max = 1024;
	client->output = malloc(client->output_max + 1);
	if (client->output == NULL || receive(client) != 0)
		return -1;
	greeting = parse(client);
	if (greeting == NULL)
		return -1;
	limit = json_integer_value(json_object_get(greeting, "max_output_len"));
	json_decref(greeting);
	if (limit <= 0 || limit > OUTPUT_MAX)
		return report_broken(client, "is not a DPDK telemetry socket");
	larger = realloc(client->output, (size_t)limit + 1);
	if (larger == NULL)
		return report_broken(client, "out of memory");
	client->output = larger;
	client->output_max = (size_t)limit;
	return 0;
}

struct telemetry_client *
telemetry_client_open(const char *instance, int *code)
{
	struct telemetry_client *client;
	int fd;

	if (instance[0] == '\0' || strchr(instance, '/') != NULL || instance[0] == '.' ||
			strlen(instance) >= sizeof(client->instance)) {
		fprintf(stderr, "handfast: \"%s\" is not a name of an instance\n", instance);
		*code = EXIT_CODE_USAGE;
		return NULL;
	}
	fd = connect_instance(instance);
	if (fd < 0) {
		*code = report_connect_failure(instance, fd);
		return NULL;
	}
	*code = EXIT_CODE_RUNTIME;
	client = calloc(1, sizeof(*client));
	if (client == NULL) {
		close(fd);
		return NULL;
	}
	client->socket = fd;
	client->answer_seconds = ANSWER_LIMIT_SECONDS;
	strcpy(client->instance, instance);
	if (greet(client) != 0) {
		telemetry_client_close(client);
		return NULL;
	}
	*code = EXIT_CODE_OK;
	return client;
}

/** Take the value out of {"COMMAND": VALUE}. */
static json_t *
unwrap(json_t *answer)
{
	void *only = json_object_iter(answer);
	json_t *value = only == NULL ? json_null() : json_incref(json_object_iter_value(only));

	json_decref(answer);
	return value;
}

json_t *
telemetry_client_ask(struct telemetry_client *client, const char *format, ...)
{
	char command[COMMAND_MAX];
	json_t *answer;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(command, sizeof(command), format, arguments);
	va_end(arguments);
	if (length < 0 || (size_t)length >= sizeof(command)) {
		report_broken(client, "a command would be too long");
		return NULL;
	}
	if (send(client->socket, command, (size_t)length, MSG_NOSIGNAL) != length) {
		report_broken(client, errno == EPIPE ? "stopped, or closed the connection"
						     : strerror(errno));
		return NULL;
	}
	if (receive(client) != 0)
		return NULL;
	answer = parse(client);
	return answer == NULL ? NULL : unwrap(answer);
}

const char *
telemetry_client_join(const json_t *answer, const char *name, char *text, size_t size)
{
	const json_t *pieces = json_object_get(answer, name);
	size_t length = 0;

	text[0] = '\0';
	for (size_t i = 0; i < json_array_size(pieces) && length < size; i++) {
		const char *piece = json_string_value(json_array_get(pieces, i));

		length += (size_t)snprintf(
				text + length, size - length, "%s", piece == NULL ? "" : piece);
	}
	return text;
}

void
telemetry_client_be_patient(struct telemetry_client *client, unsigned int seconds)
{
	const struct timeval limit = {.tv_sec = (time_t)seconds};

	client->answer_seconds = seconds;
	setsockopt(client->socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
}

bool
telemetry_client_lost(const struct telemetry_client *client)
{
	char next;

	return recv(client->socket, &next, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

void
telemetry_client_close(struct telemetry_client *client)
{
	if (client == NULL)
		return;
	close(client->socket);
	free(client->output);
	free(client);
}
