/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "engine/lists.h"
#include "engine/log.h"
#include "engine/worker.h"
#include "limit/prefix_set.h"

static bool
lists_read_files(struct lists_fresh *fresh, FILE *errors)
{
	struct prefix_list list = {0};
	bool good = true;

	fresh->set = NULL;
	if (fresh->deny[0] != '\0')
		good = prefix_list_read(&list, fresh->deny, false, errors);
	fresh->denied = list.count;
	if (fresh->allow[0] != '\0')
		good &= prefix_list_read(&list, fresh->allow, true, errors);
	fresh->allowed = list.count - fresh->denied;
	if (good && fresh->deny[0] == '\0' && fresh->allow[0] != '\0' && fresh->allowed == 0) {
		fprintf(errors,
				"%s: error: nobody is allowed\n"
				"  hint: list who is, or remove engine.allow to let everybody in\n",
				fresh->allow);
		good = false;
	}
	if (good && (fresh->deny[0] != '\0' || fresh->allow[0] != '\0')) {
		fresh->set = prefix_set_create(&list, fresh->deny[0] == '\0');
		if (fresh->set == NULL) {
			fprintf(errors, "error: no memory for %zu prefixes\n", list.count);
			good = false;
		}
	}
	prefix_list_free(&list);
	return good;
}

/* Publish what was read. @return what was in use before */
static const struct prefix_set *
lists_use(struct lists *lists, const struct lists_fresh *fresh)
{
	const struct prefix_set *before = lists->set;

	if (fresh->deny != lists->deny)
		snprintf(lists->deny, sizeof(lists->deny), "%s", fresh->deny);
	if (fresh->allow != lists->allow)
		snprintf(lists->allow, sizeof(lists->allow), "%s", fresh->allow);
	lists->denied = fresh->denied;
	lists->allowed = fresh->allowed;
	__atomic_store_n(&lists->set, fresh->set, __ATOMIC_RELEASE);
	if (fresh->set != NULL)
		log_info("lists", "deny=%zu allow=%zu ranges=%zu size=%zuKiB", fresh->denied,
				fresh->allowed, prefix_set_ranges(fresh->set),
				prefix_set_size(fresh->set) >> 10);
	return before;
}

/* Errors come in lines. */
static void
lists_log_errors(char *text)
{
	char *next;

	for (char *line = strtok_r(text, "\n", &next); line != NULL;
			line = strtok_r(NULL, "\n", &next))
		log_error("lists", "%s", line);
}

int
lists_init(struct lists *lists, const struct settings *settings)
{
	struct lists_fresh fresh = {.deny = settings->engine.deny, .allow = settings->engine.allow};
	char *text = NULL;
	size_t length;
	FILE *errors = open_memstream(&text, &length);
	bool good;

	memset(lists, 0, sizeof(*lists));
	pthread_mutex_init(&lists->lock, NULL);
	if (errors == NULL)
		return -1;
	good = lists_read_files(&fresh, errors);
	fclose(errors);
	if (good)
		lists_use(lists, &fresh);
	else
		lists_log_errors(text);
	free(text);
	return good ? 0 : -1;
}

static void
lists_set_free(const struct prefix_set *set)
{
	prefix_set_free((struct prefix_set *)(uintptr_t)set);
}

void
lists_free(struct lists *lists)
{
	lists_set_free(lists->set);
	memset(lists, 0, sizeof(*lists));
}

bool
lists_read(struct lists_fresh *fresh, const struct settings *settings, FILE *errors)
{
	*fresh = (struct lists_fresh){
			.deny = settings->engine.deny, .allow = settings->engine.allow};
	return lists_read_files(fresh, errors);
}

bool
lists_differ(struct lists *lists, const struct lists_fresh *fresh)
{
	bool differ;

	pthread_mutex_lock(&lists->lock);
	differ = lists->set == NULL || fresh->set == NULL
				 ? lists->set != fresh->set
				 : !prefix_set_equal(lists->set, fresh->set);
	pthread_mutex_unlock(&lists->lock);
	return differ;
}

static void
lists_commit_locked(struct engine *engine, const struct lists_fresh *fresh)
{
	const struct prefix_set *before = lists_use(&engine->lists, fresh);

	/* A worker that takes no turns may still look; what it looks at is lost then. */
	if (before != NULL && worker_wait_for_turns(engine))
		lists_set_free(before);
}

void
lists_commit(struct engine *engine, struct lists_fresh *fresh)
{
	pthread_mutex_lock(&engine->lists.lock);
	lists_commit_locked(engine, fresh);
	pthread_mutex_unlock(&engine->lists.lock);
	fresh->set = NULL;
}

void
lists_discard(struct lists_fresh *fresh)
{
	prefix_set_free(fresh->set);
	fresh->set = NULL;
}

bool
lists_reload(struct engine *engine, const struct settings *settings, FILE *errors)
{
	struct lists *lists = &engine->lists;
	struct lists_fresh fresh;
	bool good;

	pthread_mutex_lock(&lists->lock);
	fresh.deny = settings != NULL ? settings->engine.deny : lists->deny;
	fresh.allow = settings != NULL ? settings->engine.allow : lists->allow;
	good = lists_read_files(&fresh, errors);
	if (good)
		lists_commit_locked(engine, &fresh);
	pthread_mutex_unlock(&lists->lock);
	return good;
}

void
lists_show(struct lists *lists, struct lists_report *report)
{
	pthread_mutex_lock(&lists->lock);
	*report = (struct lists_report){
			.used = lists->set != NULL,
			.denied = lists->denied,
			.allowed = lists->allowed,
			.ranges = lists->set != NULL ? prefix_set_ranges(lists->set) : 0,
			.bytes = lists->set != NULL ? prefix_set_size(lists->set) : 0,
	};
	pthread_mutex_unlock(&lists->lock);
}
