/* SPDX-License-Identifier: BSD-3-Clause */

#include <rte_branch_prediction.h>

#include "load/frame_shape.h"
#include "wire/columns.h"

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
	shape->columns = columns_available();
	shape_set_length(shape, frames, payload != NULL ? payload->length : 0);
	header = shape->bytes + shape->l4;
	memset(header + 16, 0, 2);
	/* From the data offset on; ports and numbers are zero. */
	rest = header + TCP_HEADER - 8;
	shape->tcp_sum += checksum_add(0, rest, (size_t)(shape->bytes + shape->headers - rest));
	if (payload != NULL)
		shape->tcp_sum += payload->sum;
}

#ifdef RTE_ARCH_X86_64

#define AVX512 COLUMNS_AVX512

/* What differs between rows, as it goes on the wire. */
struct shape_columns {
	uint32_t source[FRAME_SHAPE_ROWS]; /* IPv4's address. */
	uint32_t sum[FRAME_SHAPE_ROWS];    /* Of what is in no other column. */
	uint32_t seq[FRAME_SHAPE_ROWS];
	uint32_t ack[FRAME_SHAPE_ROWS];
	uint32_t tsecr[FRAME_SHAPE_ROWS];
	uint32_t ip_field[FRAME_SHAPE_ROWS];
	uint32_t tcp_field[FRAME_SHAPE_ROWS];
};

/* Whom the frames are from. */
static inline void
gather_senders(const struct frame_shape_rows *rows, struct shape_columns *columns)
{
	for (uint32_t i = 0; i < rows->n; i++) {
		const struct flow_key *local = rows->local[i];

		memcpy(&columns->source[i], local->address + 12, sizeof(columns->source[i]));
		columns->sum[i] = local->port;
	}
}

static inline uint32_t
halves(uint32_t word)
{
	return (word & 0xffff) + (word >> 16);
}

/* The upper words of IPv6 addresses. */
static inline void
add_senders_6(const struct frame_shape_rows *rows, struct shape_columns *columns)
{
	for (uint32_t i = 0; i < rows->n; i++) {
		uint32_t word[3];

		memcpy(word, rows->local[i]->address, sizeof(word));
		columns->sum[i] += halves(word[0]) + halves(word[1]) + halves(word[2]);
	}
}

/* The sums of all rows, whether used or not. */
AVX512 static inline void
sum_columns(const struct frame_shape *shape, const struct frame_shape_rows *rows,
		struct shape_columns *columns)
{
	const __m512i source = _mm512_loadu_si512(columns->source);
	const __m512i seq = columns_swap_32(_mm512_loadu_si512(rows->seq));
	const __m512i ack = columns_swap_32(_mm512_loadu_si512(rows->ack));
	const __m512i ones = _mm512_set1_epi32(-1);
	struct columns_sum ip = columns_sum_start();
	struct columns_sum tcp;

	columns_sum_add(&ip, source);
	tcp = ip;
	columns_sum_add(&tcp, seq);
	columns_sum_add(&tcp, ack);
	if (shape->times != 0) {
		const __m512i tsecr = columns_swap_32(_mm512_loadu_si512(rows->tsecr));

		columns_sum_add(&tcp, tsecr);
		columns_sum_add(&tcp, _mm512_set1_epi32(COLUMNS_WORD(rows->tsval)));
		_mm512_storeu_si512(columns->tsecr, tsecr);
	}
	columns_sum_add_halves(&tcp, _mm512_loadu_si512(columns->sum));
	columns_sum_add_halves(&ip, _mm512_set1_epi32(checksum_fold(shape->ip_sum)));
	columns_sum_add_halves(&tcp, _mm512_set1_epi32(checksum_fold(shape->tcp_sum)));
	_mm512_storeu_si512(columns->seq, seq);
	_mm512_storeu_si512(columns->ack, ack);
	_mm512_storeu_si512(columns->ip_field, _mm512_xor_si512(columns_sum_fold(&ip), ones));
	_mm512_storeu_si512(columns->tcp_field, _mm512_xor_si512(columns_sum_fold(&tcp), ones));
}

AVX512 static inline void
copy_chunk(uint8_t *to, const uint8_t *from)
{
	_mm512_storeu_si512(to, _mm512_loadu_si512(from));
}

AVX512 static inline void
copy_shape(const struct frame_shape *shape, uint8_t *to)
{
	copy_chunk(to, shape->bytes);
	if (shape->headers > FRAME_SHAPE_CHUNK)
		copy_chunk(to + FRAME_SHAPE_CHUNK, shape->bytes + FRAME_SHAPE_CHUNK);
	if (shape->payload == NULL)
		return;
	for (uint32_t at = 0; at < shape->payload->length; at += FRAME_SHAPE_CHUNK)
		copy_chunk(to + shape->headers + at, shape->payload->bytes + at);
}

AVX512 static __rte_always_inline void
write_rows(const struct frame_shape *shape, const struct frame_shape_rows *rows,
		unsigned int family)
{
	const unsigned int l3 = shape->l3, l4 = shape->l4;
	const uint32_t tsval = rte_cpu_to_be_32(rows->tsval);
	struct shape_columns columns;

	gather_senders(rows, &columns);
	if (family == 6)
		add_senders_6(rows, &columns);
	sum_columns(shape, rows, &columns);
	for (uint32_t i = 0; i < rows->n; i++) {
		const uint64_t numbers = columns.seq[i] | (uint64_t)columns.ack[i] << 32;
		const uint16_t ip_field = (uint16_t)columns.ip_field[i];
		const uint16_t tcp_field = (uint16_t)columns.tcp_field[i];
		const struct flow_key *local = rows->local[i];
		uint8_t *to = rows->to[i], *ip = to + l3, *header = to + l4;

		copy_shape(shape, to);
		if (family == 4) {
			memcpy(ip + 10, &ip_field, sizeof(ip_field));
			memcpy(ip + 12, local->address + 12, 4);
		} else {
			memcpy(ip + 8, local->address, sizeof(local->address));
		}
		memcpy(header, &local->port, sizeof(local->port));
		memcpy(header + 4, &numbers, sizeof(numbers));
		memcpy(header + 16, &tcp_field, sizeof(tcp_field));
		if (shape->times != 0) {
			const uint64_t times = tsval | (uint64_t)columns.tsecr[i] << 32;

			memcpy(to + shape->times, &times, sizeof(times));
		}
	}
}

/* By family, so that the loop asks nothing. */
AVX512 static void
write_columns(const struct frame_shape *shape, const struct frame_shape_rows *rows)
{
	if (shape->family == 4)
		write_rows(shape, rows, 4);
	else
		write_rows(shape, rows, 6);
}

_Static_assert(FRAME_SHAPE_ROWS == COLUMNS && FRAME_SHAPE_BYTES == 2 * FRAME_SHAPE_CHUNK,
		"a lane for each row, a register for each chunk");

#else

static void
write_columns(const struct frame_shape *shape, const struct frame_shape_rows *rows)
{
	(void)shape;
	(void)rows;
}

#endif

void
frame_shape_write_rows(const struct frame_shape *shape, const struct frame_shape_rows *rows)
{
	if (likely(shape->columns)) {
		write_columns(shape, rows);
		return;
	}
	for (uint32_t i = 0; i < rows->n; i++)
		frame_shape_write(shape, rows, i);
}
