/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * A memif that lends its buffers: against DPDK's server, and against one that does not keep to the
 * rules.  Ours as the server, too.  No buffer gets lost.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <rte_dev.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "engine/memif.h"
#include "rig.h"

#define BUFFERS     2047
#define ROOM        512
#define SLOTS       64
#define BURST       24
#define ROUNDS      400
#define PATIENCE_MS 5000

static struct rte_mempool *pool;
static struct memif_memory rings;
static struct memif_queue queue;
static bool up;

static void
pause_ms(void)
{
	const struct timespec pause = {.tv_nsec = 1000000};

	nanosleep(&pause, NULL);
}

static void
make_pool(const char *name)
{
	pool = rte_pktmbuf_pool_create(
			name, BUFFERS, 0, 0, RTE_PKTMBUF_HEADROOM + ROOM, SOCKET_ID_ANY);
	assert_non_null(pool);
}

static void
free_pool(void)
{
	assert_int_equal(rte_mempool_avail_count(pool), BUFFERS);
	rte_mempool_free(pool);
}

/* A queue whose other end is us. */
static void
make_queue(void)
{
	const size_t bytes = sizeof(struct memif_ring) + SLOTS * sizeof(struct memif_descriptor);
	static struct rte_mbuf *empty[SLOTS], *full[SLOTS];

	make_pool("queue");
	assert_int_equal(memif_memory_create(&rings, "rings", 2 * bytes), 0);
	memset(&queue, 0, sizeof(queue));
	up = true;
	queue.up = &up;
	queue.pool = pool;
	queue.slots = SLOTS;
	queue.room = ROOM;
	memcpy(&queue.rearm,
			&(struct rte_mbuf){
					.data_off = RTE_PKTMBUF_HEADROOM, .refcnt = 1, .nb_segs = 1}
					 .rearm_data,
			sizeof(queue.rearm));
	queue.empty = (struct memif_lent){
			.ring = (struct memif_ring *)(void *)rings.base, .buffer = empty};
	queue.full = (struct memif_lent){
			.ring = (struct memif_ring *)(void *)(rings.base + bytes), .buffer = full};
	queue.full.ring->flags = MEMIF_NO_WAKE_UP;
	assert_int_equal(memif_queue_receive(&queue, NULL, 0), 0);
	assert_int_equal(queue.empty.ring->head, SLOTS);
}

static void
free_queue(void)
{
	memif_queue_take_back(&queue);
	memif_memory_free(&rings);
	free_pool();
}

/* The other end fills the next buffer. */
static void
fill(uint32_t length, uint16_t flags)
{
	struct memif_ring *ring = queue.empty.ring;
	struct memif_descriptor *descriptor = &ring->descriptor[ring->tail % SLOTS];

	descriptor->length = length;
	descriptor->flags = flags;
	ring->tail++;
}

static void
more_than_was_lent_has_not_come_back(void **state)
{
	struct rte_mbuf *packets[BURST], *packet;

	(void)state;
	make_queue();
	queue.empty.ring->tail = SLOTS + 1;
	assert_int_equal(memif_queue_receive(&queue, packets, BURST), 0);
	queue.empty.ring->tail = 0;
	fill(60, 0);
	assert_int_equal(memif_queue_receive(&queue, packets, BURST), 1);
	queue.full.ring->tail = 1;
	packet = packets[0];
	assert_int_equal(memif_queue_transmit(&queue, &packet, 1), 1);
	assert_int_equal(queue.full.back, 0);
	free_queue();
}

static void
length_beyond_the_buffer_is_cut(void **state)
{
	struct rte_mbuf *packets[BURST];

	(void)state;
	make_queue();
	fill(UINT32_MAX, 0);
	assert_int_equal(memif_queue_receive(&queue, packets, BURST), 1);
	assert_int_equal(packets[0]->data_len, ROOM);
	assert_int_equal(packets[0]->pkt_len, ROOM);
	rte_pktmbuf_free(packets[0]);
	free_queue();
}

static void
frame_in_several_buffers_is_left_out(void **state)
{
	struct rte_mbuf *packets[BURST];

	(void)state;
	make_queue();
	fill(60, 0);
	fill(ROOM, MEMIF_MORE);
	fill(ROOM, MEMIF_MORE);
	fill(7, 0);
	fill(61, 0);
	assert_int_equal(memif_queue_receive(&queue, packets, BURST), 2);
	assert_int_equal(packets[0]->data_len, 60);
	assert_int_equal(packets[1]->data_len, 61);
	rte_pktmbuf_free_bulk(packets, 2);
	free_queue();
}

static void
full_ring_takes_no_more(void **state)
{
	struct rte_mbuf *packets[SLOTS + 1];

	(void)state;
	make_queue();
	assert_int_equal(rte_pktmbuf_alloc_bulk(pool, packets, SLOTS + 1), 0);
	assert_int_equal(memif_queue_transmit(&queue, packets, SLOTS + 1), SLOTS);
	assert_int_equal(memif_queue_transmit(&queue, &packets[SLOTS], 1), 0);
	queue.full.ring->tail = 3;
	assert_int_equal(memif_queue_transmit(&queue, &packets[SLOTS], 1), 1);
	assert_int_equal(queue.full.head, SLOTS + 1);
	free_queue();
}

/* Somebody else still has one of them, and another one is a chain: it goes as one buffer. */
static void
unusual_buffers_are_not_lent_as_they_are(void **state)
{
	struct rte_mbuf *packets[3];

	(void)state;
	make_queue();
	assert_int_equal(rte_pktmbuf_alloc_bulk(pool, packets, 3), 0);
	rte_mbuf_refcnt_set(packets[0], 2);
	assert_non_null(rte_pktmbuf_append(packets[1], 20));
	assert_non_null(rte_pktmbuf_append(packets[2], 30));
	assert_int_equal(rte_pktmbuf_chain(packets[1], packets[2]), 0);
	assert_int_equal(memif_queue_transmit(&queue, packets, 2), 2);
	assert_int_equal(queue.full.ring->head, 1);
	assert_int_equal(queue.full.ring->descriptor[0].length, 50);
	assert_int_equal(queue.full.ring->descriptor[0].flags, 0);
	rte_pktmbuf_free(packets[0]);
	free_queue();
}

static void
nothing_moves_once_the_server_has_gone(void **state)
{
	struct rte_mbuf *packets[BURST], *packet;

	(void)state;
	make_queue();
	fill(60, 0);
	up = false;
	assert_int_equal(memif_queue_receive(&queue, packets, BURST), 0);
	packet = rte_pktmbuf_alloc(pool);
	assert_int_equal(memif_queue_transmit(&queue, &packet, 1), 0);
	rte_pktmbuf_free(packet);
	free_queue();
}

static void
open_server(const char *path, uint16_t *port)
{
	const struct rte_eth_conf usual = {0};
	char words[256];

	snprintf(words, sizeof(words),
			"role=server,id=7,secret=psst,socket=%s,socket-abstract=no,rsize=6", path);
	assert_int_equal(rte_eal_hotplug_add("vdev", "net_memif7", words), 0);
	assert_int_equal(rte_eth_dev_get_port_by_name("net_memif7", port), 0);
	assert_int_equal(rte_eth_dev_configure(*port, 1, 1, &usual), 0);
	assert_int_equal(rte_eth_rx_queue_setup(*port, 0, SLOTS, 0, NULL, pool), 0);
	assert_int_equal(rte_eth_tx_queue_setup(*port, 0, SLOTS, 0, NULL), 0);
	assert_int_equal(rte_eth_dev_start(*port), 0);
}

/* A client's end lends what it has from @p from; what a server has comes from its own pool. */
static struct memif *
open_end(const struct settings_device *device, const struct memif_memory *lent,
		struct rte_mempool *from)
{
	const struct memif_plan plan = {.name = "lan",
			.device = device,
			.queues = 1,
			.port = 3,
			.pool = from,
			.lent = lent};

	return memif_open(&plan);
}

/* The device outlives its end, which reads it again to connect anew. */
static struct memif *
open_client(const char *path, const char *secret, const struct memif_memory *lent,
		struct rte_mempool *from)
{
	static struct settings_device device = {.kind = SETTINGS_DEVICE_MEMIF};

	snprintf(device.argument, sizeof(device.argument),
			"role=client,id=7,secret=%s,socket=%s,socket-abstract=%s,rsize=6,zero-copy="
			"yes",
			secret, path, path[0] == '/' ? "no" : "yes");
	return open_end(&device, lent, from);
}

static struct memif *
open_own_server(const char *path)
{
	static struct settings_device device = {.kind = SETTINGS_DEVICE_MEMIF};
	static const struct memif_memory nothing;

	snprintf(device.argument, sizeof(device.argument),
			"role=server,id=7,secret=psst,socket=%s,socket-abstract=%s", path,
			path[0] == '/' ? "no" : "yes");
	return open_end(&device, &nothing, pool);
}

/* The server's frames go through the client and come back to the server, each with its number. */
static void
run_round(uint16_t port, struct memif *memif, uint32_t *sent, uint32_t *returned)
{
	struct rte_mbuf *packets[BURST];
	unsigned int n;

	for (n = 0; n < BURST; n++) {
		packets[n] = rte_pktmbuf_alloc(pool);
		assert_non_null(packets[n]);
		memset(rte_pktmbuf_append(packets[n], 60), 0, 60);
		memcpy(rte_pktmbuf_mtod(packets[n], void *), &(uint32_t){*sent + n}, 4);
	}
	n = rte_eth_tx_burst(port, 0, packets, BURST);
	*sent += n;
	rte_pktmbuf_free_bulk(&packets[n], BURST - n);

	n = memif_queue_receive(&memif->queue[0], packets, BURST);
	for (unsigned int i = 0; i < n; i++) {
		assert_int_equal(packets[i]->port, 3);
		assert_int_equal(packets[i]->data_len, 60);
		rte_pktmbuf_mtod(packets[i], uint8_t *)[59] = 0xee;
	}
	assert_int_equal(memif_queue_transmit(&memif->queue[0], packets, n), n);

	n = rte_eth_rx_burst(port, 0, packets, BURST);
	for (unsigned int i = 0; i < n; i++) {
		uint32_t number;

		memcpy(&number, rte_pktmbuf_mtod(packets[i], void *), 4);
		assert_int_equal(number, (*returned)++);
		assert_int_equal(rte_pktmbuf_mtod(packets[i], uint8_t *)[59], 0xee);
		rte_pktmbuf_free(packets[i]);
	}
}

/* A pool in shared memory. */
static struct rte_mempool *
make_lent_pool(struct memif_memory *lent)
{
	struct rte_pktmbuf_pool_private room = {.mbuf_data_room_size = RTE_MBUF_DEFAULT_BUF_SIZE};
	struct rte_mempool *made = rte_mempool_create_empty("lent", BUFFERS,
			sizeof(struct rte_mbuf) + RTE_MBUF_DEFAULT_BUF_SIZE, 0, sizeof(room),
			SOCKET_ID_ANY, RTE_MEMPOOL_F_NO_IOVA_CONTIG);
	size_t bytes;

	assert_non_null(made);
	assert_int_equal(rte_mempool_set_ops_byname(made, "ring_mp_mc", NULL), 0);
	rte_pktmbuf_pool_init(made, &room);
	bytes = made->size * (size_t)(made->header_size + made->elt_size + made->trailer_size);
	assert_int_equal(memif_memory_create(lent, "lent", bytes), 0);
	assert_int_equal(rte_mempool_populate_iova(
					 made, (char *)lent->base, RTE_BAD_IOVA, bytes, NULL, NULL),
			BUFFERS);
	rte_mempool_obj_iter(made, rte_pktmbuf_init, NULL);
	return made;
}

static void
frames_go_to_dpdks_server_and_back(void **state)
{
	uint32_t sent = 0, returned = 0;
	struct memif_memory lent;
	struct rte_mempool *from;
	struct memif *memif;
	char path[64];
	uint16_t port;

	(void)state;
	snprintf(path, sizeof(path), "/tmp/handfast-test-%d.sock", (int)getpid());
	make_pool("server");
	from = make_lent_pool(&lent);
	assert_null(open_client(path, "psst", &lent, from)); /* Nobody listens yet. */
	open_server(path, &port);
	assert_null(open_client(path, "wrong", &lent, from));
	memif = open_client(path, "psst", &lent, from);
	assert_non_null(memif);
	assert_true(memif_is_up(memif));
	assert_int_equal(memif_queue_receive(&memif->queue[0], NULL, 0), 0);
	for (unsigned int i = 0; i < ROUNDS; i++)
		run_round(port, memif, &sent, &returned);
	assert_int_equal(sent, returned);
	assert_true(sent > ROUNDS * BURST / 2);

	assert_int_equal(rte_eth_dev_stop(port), 0);
	for (unsigned int ms = 0; memif_is_up(memif) && ms < PATIENCE_MS; ms++) {
		pause_ms();
		memif_watch(memif);
	}
	assert_false(memif_is_up(memif));
	memif_close(memif);
	assert_int_equal(rte_mempool_avail_count(from), BUFFERS);
	rte_mempool_free(from);
	memif_memory_free(&lent);
	rte_eal_hotplug_remove("vdev", "net_memif7");
	free_pool();
}

/* Of an abstract socket. */
static const char *
own_name(void)
{
	static char name[64];

	snprintf(name, sizeof(name), "handfast-test-%d", (int)getpid());
	return name;
}

/* @return how many. */
static unsigned int
make_frames(struct rte_mbuf *packets[], unsigned int length)
{
	assert_int_equal(rte_pktmbuf_alloc_bulk(pool, packets, BURST), 0);
	for (unsigned int i = 0; i < BURST; i++)
		memset(rte_pktmbuf_append(packets[i], (uint16_t)length), (int)(length + i), length);
	return BURST;
}

static void
check_frames(struct rte_mbuf *packets[], unsigned int n, unsigned int length)
{
	uint8_t bytes[ROOM];

	for (unsigned int i = 0; i < n; i++) {
		memset(bytes, (int)(length + i), length);
		assert_int_equal(packets[i]->pkt_len, length);
		assert_int_equal(packets[i]->data_len, length);
		assert_memory_equal(rte_pktmbuf_mtod(packets[i], uint8_t *), bytes, length);
	}
}

/* From an end to the other and back. */
static void
run_between(struct memif *server, struct memif *client)
{
	struct rte_mbuf *packets[BURST];

	for (unsigned int i = 0; i < ROUNDS; i++) {
		unsigned int n;

		assert_int_equal(memif_receive(client, 0, packets, BURST), 0);
		n = make_frames(packets, 40 + i);
		assert_int_equal(memif_transmit(server, 0, packets, n), n);
		assert_int_equal(memif_receive(client, 0, packets, BURST), n);
		check_frames(packets, n, 40 + i);
		assert_int_equal(memif_transmit(client, 0, packets, n), n);
		assert_int_equal(memif_receive(server, 0, packets, BURST), n);
		check_frames(packets, n, 40 + i);
		rte_pktmbuf_free_bulk(packets, n);
	}
}

/* Both ends are ours; clients come and go, and what they shared goes with them. */
static void
clients_come_and_go_at_a_server(void **state)
{
	struct rte_mbuf *packets[BURST];
	struct memif *server, *client;
	struct memif_memory lent;
	struct rte_mempool *from;

	(void)state;
	make_pool("server");
	from = make_lent_pool(&lent);
	server = open_own_server(own_name());
	assert_non_null(server);
	for (unsigned int visit = 0; visit < 3; visit++) {
		assert_false(memif_is_up(server));
		assert_int_equal(memif_receive(server, 0, packets, BURST), 0);
		assert_null(open_client(own_name(), "wrong", &lent, from));
		client = open_client(own_name(), "psst", &lent, from);
		assert_non_null(client);
		assert_true(memif_is_up(server));
		run_between(server, client);
		memif_close(client);
		for (unsigned int ms = 0; memif_is_up(server) && ms < PATIENCE_MS; ms++)
			pause_ms();
		assert_int_equal(rte_mempool_avail_count(from), BUFFERS);
	}
	memif_close(server);
	rte_mempool_free(from);
	memif_memory_free(&lent);
	free_pool();
}

/* Of one of ours.  What it had not given back when it went is not lost. */
static void
client_comes_back_to_its_server(void **state)
{
	struct rte_mbuf *packets[BURST];
	struct memif *server, *client = NULL;
	struct memif_memory lent;
	struct rte_mempool *from;

	(void)state;
	make_pool("server");
	from = make_lent_pool(&lent);
	for (unsigned int life = 0; life < 3; life++) {
		unsigned int n;

		server = open_own_server(own_name());
		assert_non_null(server);
		if (client == NULL)
			client = open_client(own_name(), "psst", &lent, from);
		assert_non_null(client);
		memif_watch(client);
		assert_true(memif_is_up(client));
		run_between(server, client);
		n = make_frames(packets, 60);
		assert_int_equal(memif_transmit(server, 0, packets, n), n);
		assert_int_equal(memif_receive(client, 0, packets, BURST), n);
		assert_int_equal(memif_transmit(client, 0, packets, n), n);
		memif_close(server);
		memif_watch(client);
		assert_false(memif_is_up(client));
		assert_int_equal(rte_mempool_avail_count(from), BUFFERS);
		memif_watch(client);
		assert_false(memif_is_up(client));
	}
	memif_close(client);
	rte_mempool_free(from);
	memif_memory_free(&lent);
	free_pool();
}

/* It is in the way of others for a while, not for ever. */
static void
client_that_says_nothing_is_sent_away(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct memif *server, *client;
	struct memif_memory lent;
	struct rte_mempool *from;
	int silent, length;

	(void)state;
	make_pool("server");
	from = make_lent_pool(&lent);
	server = open_own_server(own_name());
	assert_non_null(server);
	silent = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	length = snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "handfast-test-%d",
			(int)getpid());
	assert_int_equal(connect(silent, (const struct sockaddr *)&address,
					 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
							 (size_t)length)),
			0);
	client = open_client(own_name(), "psst", &lent, from);
	assert_non_null(client);
	assert_true(memif_is_up(server));
	memif_close(client);
	close(silent);
	memif_close(server);
	rte_mempool_free(from);
	memif_memory_free(&lent);
	free_pool();
}

/* As a server that was killed leaves it; but nobody's who listens, and no file. */
static void
socket_that_was_left_behind_is_replaced(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct memif *server;
	int left;

	(void)state;
	make_pool("server");
	snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/handfast-test-%d.sock",
			(int)getpid());
	left = open(address.sun_path, O_CREAT | O_EXCL | O_WRONLY, 0600);
	assert_true(left >= 0);
	assert_null(open_own_server(address.sun_path));
	close(left);
	assert_int_equal(unlink(address.sun_path), 0);

	left = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	assert_int_equal(bind(left, (const struct sockaddr *)&address, sizeof(address)), 0);
	close(left);
	server = open_own_server(address.sun_path);
	assert_non_null(server);
	assert_null(open_own_server(address.sun_path));
	memif_close(server);
	assert_int_equal(access(address.sun_path, F_OK), -1);
	free_pool();
}

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(more_than_was_lent_has_not_come_back),
			cmocka_unit_test(length_beyond_the_buffer_is_cut),
			cmocka_unit_test(frame_in_several_buffers_is_left_out),
			cmocka_unit_test(full_ring_takes_no_more),
			cmocka_unit_test(unusual_buffers_are_not_lent_as_they_are),
			cmocka_unit_test(nothing_moves_once_the_server_has_gone),
			cmocka_unit_test(frames_go_to_dpdks_server_and_back),
			cmocka_unit_test(clients_come_and_go_at_a_server),
			cmocka_unit_test(client_comes_back_to_its_server),
			cmocka_unit_test(client_that_says_nothing_is_sent_away),
			cmocka_unit_test(socket_that_was_left_behind_is_replaced),
	};

	(void)argc;
	rig_start_dpdk(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
