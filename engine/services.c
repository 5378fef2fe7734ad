/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdlib.h>

#include <rte_branch_prediction.h>

#include "engine/pools.h"
#include "engine/services.h"
#include "engine/services_prefixes.h"
#include "engine/transparent.h"

static void
services_free_edition(const struct service *service)
{
	struct service_replies *replies = service->replies;
	struct service_limit *limit = service->limit;

	pools_let_go(service->pools);
	if (replies != NULL && --replies->users == 0) {
		respond_free(replies->respond);
		free(replies);
	}
	if (limit != NULL && --limit->users == 0)
		free(limit);
}

void
services_free_check(struct service *service)
{
	services_free_edition(service);
	service->replies = NULL;
	service->limit = NULL;
}

const struct service *
services_of_check(const struct services *services, const struct flow_key *key)
{
	const struct service *service = services->pools->check[flow_key_backend(key)];

	return service != NULL ? service : &services->service[SERVICES_OWN];
}

void
services_free(struct services *services)
{
	if (services == NULL)
		return;
	for (unsigned int i = 0; i < services->edition_count; i++)
		services_free_edition(&services->service[i]);
	pools_let_go(services->pools);
	services_prefixes_let_go(services->prefixes);
	transparent_free(services->transparent);
	for (unsigned int p = 0; p < SETTINGS_PORTS_MAX; p++)
		free(services->map[p]);
	free(services->copy);
	free(services->service);
	free(services->listener);
	free(services);
}

void
services_adopt(const struct services *services, struct service_share *shares)
{
	for (unsigned int number = 0; number < services->service_count; number++) {
		struct service_limit *limit = services->service[number].limit;
		struct service_share *share = &shares[number];

		if (limit == NULL || limit->serial == share->limit_serial)
			continue;
		/* Until all workers were here, a lower limit may be passed; then this is < 0. */
		share->limit_serial = limit->serial;
		share->credit = 0;
		__atomic_fetch_sub(&limit->credit, (int64_t)share->connections, __ATOMIC_RELAXED);
	}
}

bool
services_admit(const struct service *service, struct service_share *share)
{
	struct service_limit *limit = service->limit;
	const int64_t batch = limit->batch;

	if (share->credit == 0) {
		if (__atomic_fetch_sub(&limit->credit, batch, __ATOMIC_RELAXED) < batch) {
			__atomic_fetch_add(&limit->credit, batch, __ATOMIC_RELAXED);
			return false;
		}
		share->credit = (uint32_t)batch;
	}
	share->credit--;
	share->connections++;
	return true;
}

void
services_release(const struct service *service, struct service_share *share)
{
	struct service_limit *limit = service->limit;

	share->connections--;
	if (limit->lowered && __atomic_load_n(&limit->credit, __ATOMIC_RELAXED) < 0) {
		__atomic_fetch_add(&limit->credit, 1, __ATOMIC_RELAXED);
		return;
	}
	share->credit++;
	/* One by one none lies idle here while another worker wants it. */
	if (share->credit > limit->batch || limit->batch == 1) {
		share->credit -= limit->batch;
		__atomic_fetch_add(&limit->credit, (int64_t)limit->batch, __ATOMIC_RELAXED);
	}
}

void
services_release_bulk(const struct service *service, struct service_share *share, unsigned int n)
{
	const struct service_limit *limit = service->limit;

	/* None goes back: there is room for all. */
	if (likely(!limit->lowered && share->credit + n <= limit->batch && limit->batch > 1)) {
		share->connections -= n;
		share->credit += n;
		return;
	}
	for (unsigned int i = 0; i < n; i++)
		services_release(service, share);
}
