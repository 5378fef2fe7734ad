/* SPDX-License-Identifier: BSD-3-Clause */

#include "wire/build_reply.h"
#include "wire/headers.h"

/* In the TCP header: where a form begins. */
#define DATA_OFFSET 12

_Static_assert(BUILD_REPLY_REST == TCP_HEADER - DATA_OFFSET + TCP_OPTIONS_BYTES_MAX,
		"the longest header has room");

void
build_reply_form(struct build_form *form, const struct build_tcp *tcp, uint8_t family)
{
	const bool timestamps = (tcp->options.options & TCP_OPTION_TIMESTAMPS) != 0;
	struct tcp_options options = tcp->options;
	unsigned int length;

	options.tsval = 0;
	options.tsecr = 0;
	memset(form, 0, sizeof(*form));
	length = TCP_HEADER + tcp_options_build(form->rest + TCP_HEADER - DATA_OFFSET, &options);
	bytes_write_32(form->rest, length << 26 | (uint32_t)tcp->flags << 16 | tcp->window);
	form->family = family;
	form->l4_length = (uint16_t)length;
	if (timestamps) /* In front of them are four bytes, and MSS if it is there. */
		form->timestamps = TCP_HEADER + 4 + (options.options & TCP_OPTION_MSS ? 4 : 0);
	form->tcp_sum = checksum_add(0, form->rest, sizeof(form->rest));
	form->pseudo_sum =
			(uint64_t)rte_cpu_to_be_32(length) + rte_cpu_to_be_16(BUILD_PROTOCOL_TCP);
	if (family == 4) {
		bytes_write_32(form->ip, 0x45000000u | (IPV4_HEADER + length));
		bytes_write_32(form->ip + 4, 0x4000); /* Don't fragment. */
		form->ip_sum = checksum_add(
				rte_cpu_to_be_16(BUILD_HOP_LIMIT << 8 | BUILD_PROTOCOL_TCP),
				form->ip, sizeof(form->ip));
	} else {
		bytes_write_32(form->ip, 0x60000000u);
		bytes_write_32(form->ip + 4,
				length << 16 | BUILD_PROTOCOL_TCP << 8 | BUILD_HOP_LIMIT);
	}
}
