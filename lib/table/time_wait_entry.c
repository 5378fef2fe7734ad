/* SPDX-License-Identifier: BSD-3-Clause */

#include "table/time_wait.h"
#include "table/time_wait_entry.h"

bool
time_wait_load(const struct time_wait_entry *entry, struct tcp_conn *tcp)
{
	*tcp = (struct tcp_conn){
			.snd_una = entry->snd_nxt,
			.snd_nxt = entry->snd_nxt,
			.rcv_nxt = entry->rcv_nxt,
			.ts_recent = entry->ts_recent,
			.flags = TCP_CONN_FIN_SENT,
			.state = TCP_TIME_WAIT,
			.scales = entry->scales,
	};
	if ((entry->flags & TIME_WAIT_FLAG_TIMESTAMPS) != 0)
		tcp->flags |= TCP_CONN_TIMESTAMPS;
	if ((entry->scales & 0xf) == TIME_WAIT_SHIFT_NONE)
		tcp->scales &= 0xf0;
	else
		tcp->flags |= TCP_CONN_WINDOW_SCALE;
	return (entry->flags & TIME_WAIT_FLAG_DEAD) == 0;
}

void
time_wait_store(struct time_wait_entry *entry, const struct tcp_conn *tcp)
{
	entry->snd_nxt = tcp->snd_nxt;
	entry->rcv_nxt = tcp->rcv_nxt;
	entry->ts_recent = tcp->ts_recent;
	entry->scales = tcp->scales;
	if ((tcp->flags & TCP_CONN_WINDOW_SCALE) == 0)
		entry->scales |= TIME_WAIT_SHIFT_NONE;
	entry->flags &= (uint8_t)~TIME_WAIT_FLAG_TIMESTAMPS;
	if ((tcp->flags & TCP_CONN_TIMESTAMPS) != 0)
		entry->flags |= TIME_WAIT_FLAG_TIMESTAMPS;
}

uint8_t
time_wait_challenged(const struct time_wait_entry *entry)
{
	return entry->flags & TIME_WAIT_FLAGS_CHALLENGED;
}

void
time_wait_set_challenged(struct time_wait_entry *entry, uint8_t half_second)
{
	entry->flags &= (uint8_t)~TIME_WAIT_FLAGS_CHALLENGED;
	entry->flags |= half_second & TIME_WAIT_FLAGS_CHALLENGED;
}

void
time_wait_restart(struct time_wait_entry *entry, uint32_t now_ms)
{
	entry->since_ms = now_ms;
	entry->flags |= TIME_WAIT_FLAG_RESTARTED;
}
