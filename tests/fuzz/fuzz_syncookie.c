/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Any SYN, any service, any time: its cookie brings back what the SYN said, never more.  Any ACK
 * made from scratch, or with one bit changed, is refused.
 *
 * Input: a struct input; what is missing at its end is zero.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_common.h>

#include "cookie/syncookie.h"

#include "fuzz.h"

struct input {
	struct flow_key flow;
	struct tcp_segment syn;
	uint64_t endpoint;
	uint64_t unix_ms;
	uint32_t ts_clock;
	uint32_t guess;
	uint16_t later_ms;
	uint8_t options;
	uint8_t flags; /* Two secrets; ECN; IPv4; and which bit to flip. */
};

static struct secret *secrets[2];

static void
require(bool condition)
{
	if (!condition)
		abort();
}

/* Always the same, so that a crash comes again. */
static struct secret *
secret_of(const char *digits)
{
	char path[] = "/tmp/fuzz_syncookie.XXXXXX";
	struct secret_problem problem;
	struct secret *secret;
	int file = mkstemp(path);

	require(file >= 0 && write(file, digits, 64) == 64);
	close(file);
	secret = secret_load(path, &problem);
	unlink(path);
	require(secret != NULL);
	return secret;
}

static void
setup(void)
{
	secrets[0] = secret_of("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
	secrets[1] = secret_of("202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f");
}

/* What the SYN says of an option, 255 if nothing; what the service refuses is nothing. */
static unsigned int
scale_of(const struct tcp_segment *syn, uint8_t options)
{
	if ((syn->options & options & TCP_OPTION_WINDOW_SCALE) == 0)
		return 255;
	return RTE_MIN(syn->window_scale, 14);
}

static void
check_rebuilt(const struct input *input, const struct syncookie_request *request,
		const struct syncookie *cookie, const struct tcp_segment *syn)
{
	const bool ipv4 = flow_key_is_ipv4(input->flow.address);
	const unsigned int offered = (input->syn.options & TCP_OPTION_MSS) != 0 ? input->syn.mss
				     : ipv4                                     ? 536
										: 1220;
	const unsigned int scale = scale_of(&input->syn, request->options);
	const unsigned int rebuilt = scale_of(syn, 0xff);

	require(syn->mss <= offered && syn->mss >= (ipv4 ? 216 : 536));
	require((rebuilt == 255) == (scale == 255) && rebuilt <= scale);
	require((syn->options & ~TCP_OPTION_MSS) == cookie->options);
	require((cookie->options & ~(input->syn.options & request->options)) == 0);
	require(((syn->flags & TCP_ECE) != 0) == cookie->ecn);
	require(request->ts_clock - cookie->tsval < 64);
	if ((cookie->options & TCP_OPTION_TIMESTAMPS) != 0)
		require(rebuilt == scale);
	require(syn->seq == input->syn.seq);
}

/* One forgery in 2^24 passes, by chance; two of three never do. */
static void
check_forged(const struct syncookie_keys *keys, const struct syncookie_request *request,
		struct tcp_segment *ack, const struct input *input)
{
	const uint32_t cookie = ack->ack;
	struct tcp_segment syn;
	unsigned int passed = 0;
	uint8_t verdict;

	ack->ack = cookie ^ 1u << (input->flags >> 3);
	passed += syncookie_check_bulk(keys, request, 1, &syn, &verdict) != 0;
	ack->ack = input->guess;
	if (ack->ack != cookie)
		passed += syncookie_check_bulk(keys, request, 1, &syn, &verdict) != 0;
	ack->ack = cookie;
	ack->seq ^= 1u << (input->flags >> 3);
	passed += syncookie_check_bulk(keys, request, 1, &syn, &verdict) != 0;
	require(passed < 2);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {0};
	struct syncookie_keys keys;
	struct syncookie_request request;
	struct tcp_segment ack = {.flags = TCP_ACK}, syn;
	struct syncookie cookie;
	uint8_t verdict;

	if (secrets[0] == NULL)
		setup();
	memcpy(&input, data, RTE_MIN(size, sizeof(input)));
	input.unix_ms >>= 16; /* Time does not wrap. */
	if ((input.flags & 4) != 0)
		memcpy(input.flow.address, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
	request = (struct syncookie_request){
			.flow = &input.flow,
			.segment = &input.syn,
			.endpoint = input.endpoint >> 16,
			.ts_clock = input.ts_clock,
			.options = input.options,
			.ecn = (input.flags & 2) != 0,
	};
	require(syncookie_keys_derive(
			&keys, secrets[0], input.flags & 1 ? secrets[1] : NULL, input.unix_ms));
	if (syncookie_make_bulk(&keys, &request, 1, &cookie) == 0)
		return 0;
	ack.seq = input.syn.seq + 1;
	ack.ack = cookie.isn + 1;
	ack.window = input.syn.window;
	ack.options = cookie.options & TCP_OPTION_TIMESTAMPS;
	ack.tsecr = cookie.tsval;
	request.segment = &ack;
	require(syncookie_keys_derive(&keys, secrets[input.flags & 1],
			input.flags & 1 ? secrets[0] : NULL,
			input.unix_ms + input.later_ms % 16000));
	require(syncookie_check_bulk(&keys, &request, 1, &syn, &verdict) == 1);
	require(verdict == SYNCOOKIE_GOOD);
	check_rebuilt(&input, &request, &cookie, &syn);
	check_forged(&keys, &request, &ack, &input);
	return 0;
}
