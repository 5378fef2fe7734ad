/* SPDX-License-Identifier: BSD-3-Clause */

#include "load/frame_shape.h"

#define TCP_HEADER  20
#define IPV4_HEADER 20

/* What the template's sums leave out, and the header does not say: the segment's length. */
static void
shape_set_length(struct frame_shape *shape, const struct frame_template *frames,
		uint32_t payload_length)
{
	const uint32_t l4_length = shape->headers - shape->l4 + payload_length;
	const rte_be16_t in_sum = rte_cpu_to_be_16((uint16_t)l4_length);
	const rte_be16_t total = rte_cpu_to_be_16((uint16_t)(IPV4_HEADER + l4_length));
	uint8_t *ip = shape->bytes + shape->l3;

	shape->length = (uint16_t)(shape->headers + payload_length);
	shape->tcp_sum = frames->tcp_sum + in_sum;
	if (shape->family == 6) {
		memcpy(ip + 4, &in_sum, sizeof(in_sum));
		return;
	}
	memcpy(ip + 2, &total, sizeof(total));
	memset(ip + 10, 0, 2);
	shape->ip_sum = frames->ip_sum + total;
}

void
frame_shape_init(struct frame_shape *shape, const struct frame_template *frames,
		const struct frame_tcp *tcp, const struct frame_text *options,
		const struct frame_text *payload)
{
	static const uint8_t nobody[16];
	const struct frame_tcp plain = {
			.source = nobody, .window = tcp->window, .flags = tcp->flags};
	const uint8_t *rest;
	uint8_t *header;

	memset(shape, 0, sizeof(*shape));
	shape->headers =
			(uint16_t)frame_template_write(frames, shape->bytes, &plain, options, NULL);
	shape->family = frames->family;
	shape->l3 = frames->l3;
	shape->l4 = frames->l4;
	shape->payload = payload;
	shape_set_length(shape, frames, payload != NULL ? payload->length : 0);
	header = shape->bytes + shape->l4;
	memset(header + 16, 0, 2);
	/* From the data offset on; ports and numbers are zero. */
	rest = header + TCP_HEADER - 8;
	shape->tcp_sum += checksum_add(0, rest, (size_t)(shape->bytes + shape->headers - rest));
	if (payload != NULL)
		shape->tcp_sum += payload->sum;
}
