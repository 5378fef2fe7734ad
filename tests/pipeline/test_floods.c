/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Every flood has its path: a counter that names it, memory that stays, no word in the log, and
 * clients that do not notice.
 *
 * A flood is a function that makes its n-th frame, and a list of counters that together account for
 * every one of its packets.  While it runs, clients open, ask, hear and close.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rig.h"
#include "wire/bytes.h"
#include "wire/checksum.h"

#define FLOOD       2048 /* packets of each */
#define FLOOD_BURST 32   /* between a client's steps */
#define BACKLOG     16
#define NAMES_MAX   4
#define IPV4        14

static const char flood_settings[] =
		"engine: {connections: 4096, echo_buffers: 64}\n" RIG_LAN "services:\n"
		"  - {name: web, listen: \"10.9.0.2:80\", cookies: always, max_syn_backlog: 16}\n"
		"  - {name: auto, listen: \"10.9.0.2:81\", max_syn_backlog: 16}\n"
		"  - {name: never, listen: \"10.9.0.2:82\", cookies: never, max_syn_backlog: 16}\n"
		"  - {name: tight, listen: \"10.9.0.2:84\", cookies: never, max_connections: 8}\n";

/* Port 83 is closed. */
static const uint16_t ports[] = {80, 81, 82, 83};

static const struct tcp_options linux_syn = {
		.options = TCP_OPTION_MSS | TCP_OPTION_WINDOW_SCALE | TCP_OPTION_SACK_PERMITTED |
			   TCP_OPTION_TIMESTAMPS,
		.mss = 1460,
		.window_scale = 7,
		.tsval = 1000,
};

struct flood {
	const char *name;
	/** Puts its n-th frame. */
	void (*put)(unsigned int n);
	/** Their sum is what came; up to the first that is rx. */
	enum counter named[NAMES_MAX];
	/** Connections that it leaves behind at most. */
	unsigned int kept;
};

static struct rig rig;
static uint64_t random_state = 42;

static uint32_t
random_word(void)
{
	random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(random_state >> 32);
}

/* From a random address of 11.0.0.0/8. */
static void
spoof(struct build_path *path, uint16_t port)
{
	const uint32_t address = 0x0b000000 | (random_word() & 0xffffff);

	rig_path(&rig, path, 4, (uint16_t)(1024 + random_word() % 60000), port);
	flow_key_map_ipv4(path->local, rte_cpu_to_be_32(address));
}

static void
put_flags(unsigned int n, uint8_t flags, uint16_t port)
{
	struct build_tcp tcp = {
			.seq = random_word(),
			.ack = random_word(),
			.window = 1000,
			.flags = flags,
	};
	struct build_path path;

	(void)n;
	spoof(&path, port);
	rig_put_tcp(&rig, &path, &tcp, NULL, 0);
}

/* ---- the floods ---- */

static void
put_syn_of(uint16_t port, uint16_t mss)
{
	struct build_tcp tcp = {
			.seq = random_word(),
			.window = 1000,
			.flags = TCP_SYN,
			.options = linux_syn,
	};
	struct build_path path;

	spoof(&path, port);
	tcp.options.mss = mss;
	rig_put_tcp(&rig, &path, &tcp, NULL, 0);
}

static void
put_syn(unsigned int n)
{
	(void)n;
	put_syn_of(80, 1460);
}

static void
put_syn_to_auto(unsigned int n)
{
	(void)n;
	put_syn_of(81, 1460);
}

static void
put_syn_to_never(unsigned int n)
{
	(void)n;
	put_syn_of(82, 1460);
}

/* Below the smallest MSS that a cookie can say. */
static void
put_syn_with_tiny_mss(unsigned int n)
{
	(void)n;
	put_syn_of(80, 100);
}

static void
put_syn_to_closed_port(unsigned int n)
{
	put_flags(n, TCP_SYN, 83);
}

static void
put_syn_fin(unsigned int n)
{
	put_flags(n, TCP_SYN | TCP_FIN, ports[n % 4]);
}

static void
put_ack(unsigned int n)
{
	put_flags(n, TCP_ACK, ports[n % 4]);
}

/* With timestamps the forger may choose the bits of TSecr, too. */
static void
put_ack_with_timestamps(unsigned int n)
{
	struct build_tcp tcp = {
			.seq = random_word(),
			.ack = random_word(),
			.window = 1000,
			.flags = TCP_ACK,
			.options = {.options = TCP_OPTION_TIMESTAMPS, .tsecr = random_word()},
	};
	struct build_path path;

	(void)n;
	spoof(&path, 80);
	rig_put_tcp(&rig, &path, &tcp, "text", 4);
}

static void
put_syn_ack(unsigned int n)
{
	put_flags(n, TCP_SYN | TCP_ACK, ports[n % 4]);
}

static void
put_rst(unsigned int n)
{
	put_flags(n, n % 2 != 0 ? TCP_RST : TCP_RST | TCP_ACK, ports[n % 4]);
}

static void
put_fin(unsigned int n)
{
	put_flags(n, TCP_FIN | TCP_ACK, ports[n % 4]);
}

/* nmap's Christmas tree has no ACK; its null scan has nothing. */
static void
put_christmas_tree(unsigned int n)
{
	put_flags(n, n % 2 != 0 ? TCP_FIN | TCP_PSH | TCP_URG : 0, ports[n % 4]);
}

static void
put_all_flags(unsigned int n)
{
	put_flags(n, 0xff, ports[n % 4]);
}

static void
put_every_combination(unsigned int n)
{
	put_flags(n, (uint8_t)n, (n >> 8) % 2 != 0 ? 80 : 83);
}

/* A SYN, changed by @p change and with a good IP checksum again. */
static void
put_changed(unsigned int n, void (*change)(unsigned int n, uint8_t *ip))
{
	const struct build_tcp tcp = {.seq = random_word(), .window = 1000, .flags = TCP_SYN};
	uint8_t bytes[RIG_FRAME_MAX] = {0};
	struct build_lengths lengths;
	struct build_path path;
	unsigned int length;

	spoof(&path, 80);
	length = build_tcp(bytes, &path, &tcp, 0, BUILD_CHECKSUM_SOFTWARE, &lengths);
	change(n, bytes + IPV4);
	memset(bytes + IPV4 + 10, 0, 2);
	bytes_write_16(bytes + IPV4 + 10, (uint16_t)~rte_be_to_cpu_16(checksum_fold(
							  checksum_add(0, bytes + IPV4, 20))));
	rig_put(&rig, bytes, length);
}

static void
make_fragment(unsigned int n, uint8_t *ip)
{
	/* First, middle, last, and the one that would overlap the header (RFC 1858). */
	static const uint16_t fields[] = {0x2000, 0x2100, 0x0100, 0x0001};

	bytes_write_16(ip + 6, fields[n % 4]);
	bytes_write_16(ip + 4, (uint16_t)n);
}

static void
put_fragment(unsigned int n)
{
	put_changed(n, make_fragment);
}

static void
make_ours(unsigned int n, uint8_t *ip)
{
	(void)n;
	memcpy(ip + 12, ip + 16, 4);
}

static void
make_nobody(unsigned int n, uint8_t *ip)
{
	static const uint32_t sources[] = {
			0x7f000001, /* loopback */
			0x00000000, /* unspecified */
			0xe0000001, /* multicast */
			0xffffffff, /* broadcast */
	};

	bytes_write_32(ip + 12, sources[n % RTE_DIM(sources)]);
}

/* From our own address: the checksum stays good, since source and destination are summed. */
static void
put_own_address(unsigned int n)
{
	const struct build_tcp tcp = {.seq = n,
			.ack = random_word(),
			.window = 1,
			.flags = n % 3 == 0   ? TCP_SYN
				 : n % 3 == 1 ? TCP_ACK
					      : TCP_SYN | TCP_ACK};
	struct build_path path;

	rig_path(&rig, &path, 4, n % 2 != 0 ? 80 : 1024, 80);
	memcpy(path.local, path.remote, sizeof(path.local));
	rig_put_tcp(&rig, &path, &tcp, NULL, 0);
}

static void
put_no_host(unsigned int n)
{
	put_changed(n, make_nobody);
}

static void
put_bad_checksum(unsigned int n)
{
	put_changed(n, make_ours);
}

static void
make_udp(unsigned int n, uint8_t *ip)
{
	static const uint8_t protocols[] = {17, 47, 132, 255};

	ip[9] = protocols[n % RTE_DIM(protocols)];
}

static void
put_other_protocol(unsigned int n)
{
	put_changed(n, make_udp);
}

static const struct flood floods[] = {
		{"SYN", put_syn, {COUNTER_syn_cookies_sent}, 0},
		{"SYN to auto", put_syn_to_auto, {COUNTER_syn_received}, BACKLOG},
		{"SYN to never", put_syn_to_never, {COUNTER_syn_received}, BACKLOG},
		{"SYN with tiny MSS", put_syn_with_tiny_mss, {COUNTER_syn_received}, BACKLOG},
		{"SYN to closed port", put_syn_to_closed_port, {COUNTER_refused_syns}, 0},
		{"SYN and FIN", put_syn_fin, {COUNTER_refused_syns}, 0},
		{"ACK", put_ack, {COUNTER_stray_acks}, 0},
		{"ACK with timestamps", put_ack_with_timestamps, {COUNTER_stray_acks}, 0},
		{"SYN-ACK", put_syn_ack, {COUNTER_stray_syn_acks}, 0},
		{"RST", put_rst, {COUNTER_stray_resets}, 0},
		{"FIN", put_fin, {COUNTER_stray_fins}, 0},
		{"Christmas tree", put_christmas_tree, {COUNTER_stray_bare}, 0},
		{"all flags", put_all_flags, {COUNTER_stray_resets}, 0},
		{"fragment", put_fragment, {DROP_fragment}, 0},
		{"own address", put_own_address, {DROP_bad_source}, 0},
		{"nobody's address", put_no_host, {DROP_bad_source}, 0},
		{"bad checksum", put_bad_checksum, {DROP_bad_tcp_checksum}, 0},
		{"other protocol", put_other_protocol, {DROP_unknown_protocol}, 0},
};

/* ---- the clients ---- */

/* Throw away what the flood is answered with; keep what is for the client. */
static bool
hear(rte_be16_t client_port, struct rig_frame *frame)
{
	struct rig_frame other;
	bool heard = false;

	rig_turn(&rig);
	while (rig_take(&rig, &other)) {
		rte_be16_t port, first;
		static const uint8_t client[4] = {10, 9, 0, 1};

		memcpy(&port, other.bytes + other.frame.l4_offset + 2, sizeof(port));
		memcpy(&first, other.bytes + IPV4 + 16, sizeof(first));
		if (other.frame.kind != FRAME_TCP || port != client_port ||
				memcmp(other.bytes + IPV4 + 16, client, sizeof(client)) != 0)
			continue;
		*frame = other;
		heard = true;
	}
	return heard;
}

static void
put_burst(const struct flood *flood, unsigned int *sent)
{
	for (unsigned int k = 0; flood != NULL && k < FLOOD_BURST && *sent < FLOOD; k++)
		flood->put((*sent)++);
}

/* Open, ask, hear all, close; the flood goes on between and behind every segment. */
static void
client_lives(const struct flood *flood, unsigned int *sent, uint16_t client_port, uint16_t port)
{
	static const char request[] = "GET / HTTP/1.0\r\n\r\n";
	struct build_tcp tcp = {.seq = 77, .window = 65535, .options = linux_syn};
	struct build_path path;
	struct rig_frame frame = {0};

	rig_path(&rig, &path, 4, client_port, port);
	tcp.flags = TCP_SYN;
	put_burst(flood, sent);
	rig_put_tcp(&rig, &path, &tcp, NULL, 0);
	assert_true(hear(path.local_port, &frame));
	assert_int_equal(frame.segment.flags, TCP_SYN | TCP_ACK);
	tcp.seq++;
	tcp.ack = frame.segment.seq + 1;
	tcp.options.options = TCP_OPTION_TIMESTAMPS;
	tcp.options.tsecr = frame.segment.tsval;
	tcp.flags = TCP_ACK;
	rig_put_tcp(&rig, &path, &tcp, NULL, 0);
	put_burst(flood, sent);
	tcp.flags = TCP_ACK | TCP_PSH;
	rig_put_tcp(&rig, &path, &tcp, request, sizeof(request) - 1);
	assert_true(hear(path.local_port, &frame));
	assert_int_equal(frame.segment.flags, TCP_ACK | TCP_PSH | TCP_FIN);
	put_burst(flood, sent);
	tcp.seq += (uint32_t)sizeof(request) - 1;
	tcp.ack = frame.segment.seq + tcp_segment_length(&frame.segment);
	tcp.flags = TCP_ACK | TCP_FIN;
	rig_put_tcp(&rig, &path, &tcp, NULL, 0);
	assert_true(hear(path.local_port, &frame));
	assert_int_equal(frame.segment.flags, TCP_ACK);
	put_burst(flood, sent);
	hear(path.local_port, &frame);
}

/* Bytes that were written to stderr, where the log goes. */
static long
log_size(int file)
{
	struct stat status;

	fflush(stderr);
	assert_int_equal(fstat(file, &status), 0);
	return (long)status.st_size;
}

static uint64_t
named_sum(const struct flood *flood)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < NAMES_MAX && flood->named[i] != COUNTER_rx; i++)
		sum += rig_counter(&rig, flood->named[i]);
	return sum;
}

/* SYNs of clients count as SYNs as well. */
static uint64_t
named_of_clients(const struct flood *flood, unsigned int clients)
{
	return flood->named[0] == COUNTER_syn_received ||
					       flood->named[0] == COUNTER_syn_cookies_sent
			       ? clients
			       : 0;
}

static void
flood_is_endured(const struct flood *flood)
{
	static const uint16_t open_ports[] = {80, 81, 82};
	unsigned int sent = 0, clients = 0;
	FILE *log = tmpfile();
	const int home = dup(STDERR_FILENO);

	assert_non_null(log);
	rig_init(&rig, flood_settings, 1);
	/* Cookies were sent lately, or no ACK would be looked at. */
	client_lives(NULL, &sent, 30000, 80);
	dup2(fileno(log), STDERR_FILENO);
	while (sent < FLOOD) {
		const bool cookies_only = flood->named[0] == COUNTER_syn_cookies_sent;

		client_lives(flood, &sent, (uint16_t)(30001 + clients),
				cookies_only ? 80 : open_ports[clients % 3]);
		clients++;
	}
	dup2(home, STDERR_FILENO);
	close(home);
	assert_int_equal(log_size(fileno(log)), 0);
	fclose(log);
	if (flood->named[0] == COUNTER_syn_cookies_sent)
		assert_int_equal(named_sum(flood), sent + clients + 1);
	else
		assert_int_equal(named_sum(flood), sent + named_of_clients(flood, clients + 1));
	assert_in_range(clients, FLOOD / FLOOD_BURST / 4, FLOOD / FLOOD_BURST);
	assert_int_equal(rig_counter(&rig, COUNTER_requests), clients + 1);
	assert_int_equal(rig_counter(&rig, COUNTER_closed), clients + 1);
	assert_int_equal(rig_counter(&rig, COUNTER_opened), clients + 1);
	assert_int_equal(rig_connections(&rig), flood->kept);
	rig_free(&rig);
}

static void
every_flood_is_named_and_costs_no_memory_and_no_client(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < RTE_DIM(floods); i++) {
		print_message("flood: %s\n", floods[i].name);
		flood_is_endured(&floods[i]);
	}
}

static void
each_combination_of_flags_has_exactly_one_name(void **state)
{
	static const enum counter names[] = {COUNTER_syn_received, COUNTER_refused_syns,
			COUNTER_stray_acks, COUNTER_stray_fins, COUNTER_stray_syn_acks,
			COUNTER_stray_resets, COUNTER_stray_bare};
	struct rig_frame frame;

	(void)state;
	rig_init(&rig, flood_settings, 1);
	for (unsigned int n = 0; n < 512; n++) {
		uint64_t sum = 0;

		put_every_combination(n);
		rig_turn(&rig);
		while (rig_take(&rig, &frame))
			;
		for (unsigned int i = 0; i < RTE_DIM(names); i++)
			sum += rig_counter(&rig, names[i]);
		assert_int_equal(sum, n + 1);
	}
	assert_int_equal(rig_connections(&rig), 0);
	rig_free(&rig);
}

static void
newest_half_open_connections_are_kept(void **state)
{
	struct build_tcp tcp = {.seq = 1, .window = 1000, .flags = TCP_SYN};
	struct build_path path;
	struct rig_frame frame;

	(void)state;
	rig_init(&rig, flood_settings, 1);
	for (uint16_t i = 0; i < 100; i++) {
		rig_path(&rig, &path, 4, (uint16_t)(2000 + i), 82);
		rig_put_tcp(&rig, &path, &tcp, NULL, 0);
		/* One at a time, a few at a time, and many in a burst. */
		if (i < 20 || i % 7 == 0)
			rig_turn(&rig);
	}
	rig_turn(&rig);
	while (rig_take(&rig, &frame))
		;
	assert_int_equal(rig_connections(&rig), BACKLOG);
	assert_int_equal(rig_counter(&rig, COUNTER_half_open_evicted), 100 - BACKLOG);
	for (uint16_t i = 0; i < 100; i++)
		assert_int_equal(rig_state(&rig, (uint16_t)(2000 + i)),
				i < 100 - BACKLOG ? TCP_CLOSED : TCP_SYN_RCVD);
	/* What gave way has no timer left, and the rest is given up as ever. */
	rig_wait_ms(&rig, 64000);
	assert_int_equal(rig_connections(&rig), 0);
	assert_int_equal(rig_counter(&rig, COUNTER_timed_out), BACKLOG);
	while (rig_take(&rig, &frame))
		;
	rig_free(&rig);
}

static void
syn_and_its_copy_survive_eviction_in_one_burst(void **state)
{
	struct build_tcp tcp = {.seq = 1, .window = 1000, .flags = TCP_SYN};
	struct build_path path;
	struct rig_frame frame;

	(void)state;
	rig_init(&rig, flood_settings, 1);
	/* Flow 2000 is kept, evicted, and kept anew, and so are its neighbours. */
	for (unsigned int round = 0; round < 3; round++) {
		for (uint16_t i = 0; i < BACKLOG + 4; i++) {
			rig_path(&rig, &path, 4, (uint16_t)(2000 + i), 82);
			rig_put_tcp(&rig, &path, &tcp, NULL, 0);
		}
	}
	rig_turn(&rig);
	while (rig_take(&rig, &frame))
		;
	assert_int_equal(rig_connections(&rig), BACKLOG);
	rig_wait_ms(&rig, 64000);
	assert_int_equal(rig_connections(&rig), 0);
	while (rig_take(&rig, &frame))
		;
	rig_free(&rig);
}

static void
half_open_flood_does_not_use_up_the_service(void **state)
{
	unsigned int sent = 0;
	struct rig_frame frame;

	(void)state;
	rig_init(&rig, flood_settings, 1);
	for (unsigned int i = 0; i < 100; i++) {
		put_syn_of(84, 1460);
		hear(0, &frame);
	}
	assert_int_equal(rig_connections(&rig), 8);
	client_lives(NULL, &sent, 30000, 84);
	assert_int_equal(rig_counter(&rig, COUNTER_opened), 1);
	assert_int_equal(rig_counter(&rig, DROP_service_full), 0);
	rig_free(&rig);
}

static void
half_open_flood_does_not_use_up_the_table(void **state)
{
	static const char settings[] =
			"engine: {connections: 256}\n"
			"ports:\n"
			"  - {name: lan, device: \"vdev:net_ring_rig\", addresses: 10.9.0.2/24,\n"
			"     mac: 02:00:00:00:00:02}\n"
			"services: [{name: web, listen: \"10.9.0.2:80\", cookies: never}]\n";
	unsigned int sent = 0;
	struct rig_frame frame;

	(void)state;
	rig_init(&rig, settings, 1);
	for (unsigned int i = 0; i < 2000; i++) {
		put_syn_of(80, 1460);
		if (i % 16 == 0)
			hear(0, &frame);
	}
	hear(0, &frame);
	assert_in_range(rig_connections(&rig), 200, 256);
	for (uint16_t i = 0; i < 200; i++)
		client_lives(NULL, &sent, (uint16_t)(30000 + i), 80);
	assert_int_equal(rig_counter(&rig, COUNTER_closed), 200);
	assert_int_equal(rig_counter(&rig, DROP_table_full), 0);
	rig_free(&rig);
}

/* One segment of each kind for every part of the sequence space, at an open connection. */
static void
blind_flood_does_not_end_a_connection(void **state)
{
	static const uint8_t flags[] = {TCP_RST, TCP_RST | TCP_ACK, TCP_SYN, TCP_SYN | TCP_ACK,
			TCP_ACK, TCP_FIN | TCP_ACK, TCP_FIN, 0, 0xff, 0xfb};
	struct build_tcp tcp = {.seq = 77, .window = 65535, .flags = TCP_SYN, .options = linux_syn};
	struct build_path path;
	struct rig_frame frame = {0};
	uint64_t rx;

	(void)state;
	tcp.options.options = TCP_OPTION_MSS;
	rig_init(&rig, flood_settings, 1);
	rig_path(&rig, &path, 4, 30000, 80);
	rig_put_tcp(&rig, &path, &tcp, NULL, 0);
	assert_true(hear(path.local_port, &frame));
	tcp.options.options = 0;
	tcp.seq++;
	tcp.ack = frame.segment.seq + 1;
	tcp.flags = TCP_ACK;
	rig_put_tcp(&rig, &path, &tcp, NULL, 0);
	assert_false(hear(path.local_port, &frame));
	rx = rig_counter(&rig, COUNTER_rx);
	for (unsigned int n = 0; n < FLOOD; n++) {
		struct build_tcp forged = tcp;

		/* Never the very next number, which 2^32 guesses would find. */
		forged.seq = tcp.seq + 1 + n * (UINT32_MAX / FLOOD);
		forged.ack = random_word();
		forged.flags = flags[n % RTE_DIM(flags)];
		rig_put_tcp(&rig, &path, &forged, NULL, 0);
		if (n % FLOOD_BURST == 0)
			hear(0, &frame);
	}
	hear(0, &frame);
	assert_int_equal(rig_counter(&rig, COUNTER_rx) - rx, FLOOD);
	/* It is answered at most once in half a second, for time stands still. */
	assert_true(rig_counter(&rig, COUNTER_challenge_acks) <= 1);
	assert_int_equal(rig_state(&rig, 30000), TCP_ESTABLISHED);
	tcp.flags = TCP_ACK | TCP_PSH;
	rig_put_tcp(&rig, &path, &tcp, "GET / HTTP/1.0\r\n\r\n", 18);
	assert_true(hear(path.local_port, &frame));
	assert_int_equal(frame.segment.flags, TCP_ACK | TCP_PSH | TCP_FIN);
	rig_free(&rig);
}

static void
random_frames_are_dropped_for_a_reason(void **state)
{
	uint8_t bytes[RIG_FRAME_MAX];
	struct rig_bytes answer;
	const uint8_t *mac;

	(void)state;
	rig_init(&rig, flood_settings, 1);
	mac = rig.engine.port[0].mac.addr_bytes;
	for (unsigned int n = 0; n < 4 * FLOOD; n++) {
		const unsigned int length = 14 + random_word() % 200;
		static const uint16_t types[] = {0x0800, 0x86dd, 0x0806, 0x8100, 0x88a8};

		for (unsigned int k = 0; k < length; k++)
			bytes[k] = (uint8_t)random_word();
		/* Most get further than the first check. */
		if (n % 8 != 0)
			memcpy(bytes, mac, 6);
		if (n % 8 > 1)
			bytes_write_16(bytes + 12, types[n % RTE_DIM(types)]);
		if (n % 8 > 3 && length > 15)
			bytes[14] = n % 2 != 0 ? 0x45 : 0x60;
		rig_put(&rig, bytes, length);
		if (n % FLOOD_BURST == 0)
			rig_turn(&rig);
		while (rig_take_bytes(&rig, &answer))
			;
	}
	rig_turn(&rig);
	assert_int_equal(rig_counter(&rig, COUNTER_rx), 4 * FLOOD);
	assert_int_equal(rig_connections(&rig), 0);
	rig_free(&rig);
}

#define TEST(name) RIG_TEST(name, rig)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
			TEST(every_flood_is_named_and_costs_no_memory_and_no_client),
			TEST(each_combination_of_flags_has_exactly_one_name),
			TEST(newest_half_open_connections_are_kept),
			TEST(syn_and_its_copy_survive_eviction_in_one_burst),
			TEST(half_open_flood_does_not_use_up_the_service),
			TEST(half_open_flood_does_not_use_up_the_table),
			TEST(blind_flood_does_not_end_a_connection),
			TEST(random_frames_are_dropped_for_a_reason),
	};

	(void)argc;
	rig_start_dpdk(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
