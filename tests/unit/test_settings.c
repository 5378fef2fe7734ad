/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * What a configuration reads to, and that what is printed reads back.
 *
 * The wording of every error is tests/settings' matter; here is only that there is one.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "respond/respond.h"
#include "settings/settings.h"

#define MINIMAL                        \
	"ports:\n"                     \
	"  - name: lan\n"              \
	"    device: tap:hf0\n"        \
	"    addresses: 10.9.0.2/24\n" \
	"services:\n"                  \
	"  - name: web\n"              \
	"    listen: 10.9.0.2:80\n"

static struct settings *
parse(const char *text)
{
	return settings_parse("test.yaml", text, strlen(text), stderr);
}

/* Parse what must be refused.  @return the messages, to be freed */
static char *
refuse(const char *text, size_t length)
{
	char *messages = NULL;
	size_t size;
	FILE *errors = open_memstream(&messages, &size);

	assert_null(settings_parse("test.yaml", text, length, errors));
	fclose(errors);
	assert_true(size > 0);
	return messages;
}

static char *
print(const struct settings *settings)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	settings_print(settings, out);
	fclose(out);
	return text;
}

static void
assert_same(const struct settings *left, const struct settings *right)
{
	unsigned int i;

	assert_memory_equal(&left->engine, &right->engine, sizeof(left->engine));
	assert_memory_equal(&left->tcp, &right->tcp, sizeof(left->tcp));
	assert_int_equal(left->port_count, right->port_count);
	for (i = 0; i < left->port_count; i++)
		assert_memory_equal(&left->port[i], &right->port[i], sizeof(left->port[i]));
	assert_int_equal(left->pool_count, right->pool_count);
	for (i = 0; i < left->pool_count; i++)
		assert_memory_equal(&left->pool[i], &right->pool[i], sizeof(left->pool[i]));
	assert_int_equal(left->service_count, right->service_count);
	for (i = 0; i < left->service_count; i++)
		assert_memory_equal(
				&left->service[i], &right->service[i], sizeof(left->service[i]));
}

static void
assert_reads_back(const char *text)
{
	struct settings *first = parse(text);
	struct settings *second;
	char *printed, *again;

	assert_non_null(first);
	printed = print(first);
	second = parse(printed);
	assert_non_null(second);
	assert_same(first, second);
	again = print(second);
	assert_string_equal(printed, again);
	free(printed);
	free(again);
	settings_free(first);
	settings_free(second);
}

static void
options_left_out_have_their_defaults(void **state)
{
	struct settings *settings = parse(MINIMAL);

	(void)state;
	assert_non_null(settings);
	assert_int_equal(settings->engine.workers.count, 0);
	assert_true(settings->engine.main_core == SETTINGS_AUTO);
	assert_int_equal(settings->engine.memory_size, 0);
	assert_int_equal(settings->engine.idle, SETTINGS_IDLE_SLEEP);
	assert_string_equal(settings->engine.instance, "handfast");
	assert_int_equal(settings->engine.connections, 262144);
	assert_int_equal(settings->tcp.fin_timeout_ms, 60000);
	assert_int_equal(settings->tcp.rto_min_ms, 200);
	assert_true(settings->tcp.timestamps);
	assert_false(settings->tcp.ecn);
	assert_true(settings->port[0].mac.automatic);
	assert_int_equal(settings->port[0].mtu, 1500);
	assert_int_equal(settings->port[0].gateways.count, 0);
	assert_int_equal(settings->service[0].reply, RESPOND_HTTP);
	assert_int_equal(settings->service[0].close, RESPOND_CLOSE_PEER);
	assert_int_equal(settings->service[0].body_size, 1024);
	assert_string_equal(settings->service[0].banner, "220 handfast ready\r\n");
	settings_free(settings);
}

static void
values_reach_their_members(void **state)
{
	struct settings *settings =
			parse("engine:\n"
			      "  workers: [2, 3]\n"
			      "  main_core: 1\n"
			      "  memory_size: 512MiB\n"
			      "  connections: 1M\n"
			      "tcp: {time_wait: 1m, rto_max: 120000ms, reset_rate: 2k/s}\n" MINIMAL
			      "  - name: mail\n"
			      "    listen: [\"10.9.0.2:25\", \"10.9.0.2:587\"]\n"
			      "    reply: banner\n"
			      "    close: at_once\n"
			      "    banner: \"go away\\r\\n\"\n"
			      "    idle_timeout: 480h\n");

	(void)state;
	assert_non_null(settings);
	assert_int_equal(settings->engine.workers.count, 2);
	assert_int_equal(settings->engine.workers.cores[1], 3);
	assert_int_equal(settings->engine.main_core, 1);
	assert_int_equal(settings->engine.memory_size, 512 << 20);
	assert_int_equal(settings->engine.connections, 1000000);
	assert_int_equal(settings->tcp.time_wait_ms, 60000);
	assert_int_equal(settings->tcp.rto_max_ms, 120000);
	assert_int_equal(settings->tcp.reset_rate, 2000);
	assert_int_equal(settings->service_count, 2);
	assert_int_equal(settings->service[1].listen.count, 2);
	assert_int_equal(settings->service[1].listen.item[1].port, rte_cpu_to_be_16(587));
	assert_int_equal(settings->service[1].close, RESPOND_CLOSE_AT_ONCE);
	assert_string_equal(settings->service[1].banner, "go away\r\n");
	assert_int_equal(settings->service[1].idle_timeout_ms, 1728000000);
	settings_free(settings);
}

static void
quoted_and_plain_scalars_are_equal(void **state)
{
	struct settings *plain = parse("tcp: {ecn: true, time_wait: 30s}\n" MINIMAL);
	struct settings *quoted = parse("tcp: {'ecn': \"true\", \"time_wait\": '30s'}\n" MINIMAL);

	(void)state;
	assert_non_null(plain);
	assert_non_null(quoted);
	assert_true(plain->tcp.ecn);
	assert_same(plain, quoted);
	settings_free(plain);
	settings_free(quoted);
}

static void
addresses_of_both_families_share_one_form(void **state)
{
	struct settings *settings = parse("ports:\n"
					  "  - name: lan\n"
					  "    device: tap:hf0\n"
					  "    addresses: [10.9.0.2/24, \"fd00:9::2/64\"]\n"
					  "    gateways: fd00:9::1\n"
					  "services:\n"
					  "  - {name: web, listen: \"[2001:db8::80]:80\"}\n");
	char text[46];

	(void)state;
	assert_non_null(settings);
	assert_string_equal(
			settings_format_address(settings->port[0].addresses.item[0].address, text),
			"10.9.0.2");
	assert_int_equal(settings->port[0].addresses.item[0].address[10], 0xff);
	assert_int_equal(settings->port[0].addresses.item[0].length, 24);
	assert_int_equal(settings->port[0].addresses.item[1].length, 64);
	assert_string_equal(settings_format_address(settings->port[0].gateways.item[0], text),
			"fd00:9::1");
	assert_string_equal(
			settings_format_address(settings->service[0].listen.item[0].address, text),
			"2001:db8::80");
	settings_free(settings);
}

static void
assert_device(const char *device, const char *formatted)
{
	char text[1024], back[SETTINGS_DEVICE_TEXT_MAX];
	struct settings *settings;

	snprintf(text, sizeof(text),
			"ports: [{name: a, device: \"%s\", addresses: 10.9.0.2/24}]\n"
			"services: [{name: b, listen: \"10.9.0.2:80\"}]\n",
			device);
	settings = parse(text);
	assert_non_null(settings);
	assert_string_equal(settings_format_device(&settings->port[0].device, back), formatted);
	settings_free(settings);
}

static void
devices_have_one_spelling(void **state)
{
	(void)state;
	assert_device("pci:3B:00.1", "pci:0000:3b:00.1");
	assert_device("pci:0001:3b:00.1", "pci:0001:3b:00.1");
	assert_device("null", "null:");
	assert_device("ring:", "ring:");
	assert_device("pcap:in.pcap,", "pcap:in.pcap");
	assert_device("pcap:,out.pcap", "pcap:,out.pcap");
	assert_device("vdev:net_tap7,iface=x", "vdev:net_tap7,iface=x");
	assert_device("memif:socket=/run/x.sock,role=server,id=0",
			"memif:socket=/run/x.sock,role=server,id=0");
}

static void
buffers_are_lent_by_a_memif_that_asks_for_it(void **state)
{
	struct settings_device device = {.kind = SETTINGS_DEVICE_MEMIF};

	(void)state;
	snprintf(device.argument, sizeof(device.argument),
			"socket=/zero-copy=yes,role=client,zero-copy=no");
	assert_true(settings_device_is_memif_client(&device));
	assert_false(settings_device_is_zero_copy(&device));
	assert_int_equal(settings_device_ring_slots(&device), 1024);
	snprintf(device.argument, sizeof(device.argument),
			"zero-copy=yes,rsize=12,role=client,socket=/x");
	assert_true(settings_device_is_zero_copy(&device));
	assert_int_equal(settings_device_ring_slots(&device), 4096);
	snprintf(device.argument, sizeof(device.argument), "role=server,socket=/x");
	assert_false(settings_device_is_memif_client(&device));
	device.kind = SETTINGS_DEVICE_VDEV;
	snprintf(device.argument, sizeof(device.argument), "net_memif0,role=client,zero-copy=yes");
	assert_false(settings_device_is_memif_client(&device));
	assert_false(settings_device_is_zero_copy(&device));
}

static void
printed_settings_read_back(void **state)
{
	(void)state;
	assert_reads_back(MINIMAL);
	assert_reads_back("engine: {workers: 7, memory: huge, eal: '--no-pci \"q\"'}\n" MINIMAL
			  "  - name: b\n"
			  "    listen: [\"10.9.0.2:1\", \"10.9.0.2:2\"]\n"
			  "    reply: banner\n"
			  "    banner: \"\\x07\\u00fc\\u2028\\U0001f600\\\\ 'a' \\\"b\\\"\\t\"\n");
	assert_reads_back("pools:\n"
			  "  - {name: a, backends: [\"10.9.0.7:80\", \"10.9.0.8:81 weight=0\"]}\n"
			  "  - name: b\n"
			  "    backends: \"10.9.0.8:1 weight=255\"\n"
			  "    local_addresses: 10.9.0.9\n"
			  "    local_ports: 1-65535\n"
			  "    proxy_protocol: v1\n" MINIMAL "    mode: proxy\n"
			  "    pool: b\n");
}

/* A small generator of its own, so that a seed means the same everywhere. */
static uint32_t
draw(uint64_t *seed, uint32_t below)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(*seed >> 33) % below;
}

static void
write_random(FILE *out, uint64_t *seed)
{
	static const char *const memory[] = {"auto", "huge", "shared"};
	static const char *const device[] = {"tap:hf%u", "veth:v%u", "pcap:i%u,o", "vhost:/run/%u",
			"vdev:net_x%u", "pci:0000:0%x:00.0", "memif:role=client,socket=/m%u"};
	static const char *const reply[] = {"reply: discard", "reply: echo, close: at_once",
			"reply: banner, banner: \"a\\r\\nb\\u00e4\\\"\"", "body_size: 3KB",
			"body_file: \"/srv/a b\", content_type: a/b, close: after_reply"};
	uint32_t ports = 1 + draw(seed, 16), services = 1 + draw(seed, 40), i;

	fprintf(out, "engine: {memory: %s, connections: %u, main_core: %s, workers: [%u, %u]}\n",
			memory[draw(seed, 3)], 64 + draw(seed, 1000000),
			draw(seed, 2) ? "auto" : "200", draw(seed, 100), 100 + draw(seed, 100));
	fprintf(out, "tcp: {sack: %s, rto_min: %ums, time_wait: %us, echo_rate: %uk/s}\nports:\n",
			draw(seed, 2) ? "true" : "false", 10 + draw(seed, 9000),
			1 + draw(seed, 240), draw(seed, 5000));
	for (i = 0; i < ports; i++) {
		fprintf(out, "  - {name: p%u, device: \"", i);
		fprintf(out, device[draw(seed, 7)], i);
		fprintf(out, "\", addresses: [\"10.%u.0.2/%u\", \"fd00:%x::2/%u\"], vlan: %u", i,
				16 + draw(seed, 14), i, 48 + draw(seed, 80), draw(seed, 4095));
		fprintf(out, ", gateways: 10.%u.0.1, mtu: %u, mac: %s}\n", i,
				1280 + draw(seed, 8000),
				draw(seed, 2) ? "auto" : "02:00:00:00:AB:01");
	}
	fprintf(out, "services:\n");
	for (i = 0; i < services; i++)
		fprintf(out,
				"  - {name: s%u, listen: [\"10.%u.0.2:%u\", \"198.51.100.1:%u\"], "
				"%s}\n",
				i, draw(seed, ports), 1 + i, 1 + i, reply[draw(seed, 5)]);
}

static void
random_settings_read_back(void **state)
{
	const char *given = getenv("HANDFAST_SEED");
	uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : 20260101;
	unsigned int round;

	(void)state;
	printf("HANDFAST_SEED=%llu\n", (unsigned long long)seed);
	for (round = 0; round < 50; round++) {
		char *text = NULL;
		size_t size;
		FILE *out = open_memstream(&text, &size);

		write_random(out, &seed);
		fclose(out);
		assert_reads_back(text);
		free(text);
	}
}

static void
errors_come_all_at_once_and_in_order(void **state)
{
	static const char text[] = "tcp: {rfc1337: 7}\n"
				   "services: [{name: web, listen: 10.9.0.2}]\n"
				   "engine: {idle: never}\n"
				   "ports: []\n";
	char *messages = refuse(text, strlen(text));
	const char *at = messages;
	unsigned int line;

	(void)state;
	for (line = 1; line <= 4; line++) {
		char place[32];

		snprintf(place, sizeof(place), "test.yaml:%u:", line);
		at = strstr(at, place);
		assert_non_null(at);
		at++;
	}
	assert_null(strstr(at, "test.yaml:"));
	free(messages);
}

/* Whatever is cut off: an error or settings, and under the sanitizers no more than that. */
static void
every_beginning_of_a_file_is_read_or_refused(void **state)
{
	static const char text[] = "engine: {workers: [1, 2], main_core: 0}\n" MINIMAL
				   "    banner: \"\\u00e4\xc3\xa4\\r\\n\"\n";
	unsigned int refused = 0;
	size_t length;

	(void)state;
	for (length = 0; length < sizeof(text) - 1; length++) {
		char *messages = NULL, *copy = malloc(length + 1);
		size_t size;
		FILE *errors = open_memstream(&messages, &size);
		struct settings *settings;

		memcpy(copy, text, length);
		settings = settings_parse("test.yaml", copy, length, errors);
		fclose(errors);
		assert_int_equal(settings == NULL, size > 0);
		refused += settings == NULL;
		settings_free(settings);
		free(messages);
		free(copy);
	}
	assert_true(refused > 100);
}

static void
byte_order_mark_is_skipped(void **state)
{
	struct settings *settings = parse("\xef\xbb\xbf" MINIMAL);

	(void)state;
	assert_non_null(settings);
	settings_free(settings);
}

static void
file_is_loaded_by_its_path(void **state)
{
	char path[] = "/tmp/test_settings.XXXXXX";
	int descriptor = mkstemp(path);
	struct settings *settings;

	(void)state;
	assert_int_equal(write(descriptor, MINIMAL, strlen(MINIMAL)), strlen(MINIMAL));
	close(descriptor);
	settings = settings_load(path, stderr);
	unlink(path);
	assert_non_null(settings);
	settings_free(settings);
}

static void
assert_unreadable(const char *path, const char *reason)
{
	char expected[256];
	char *messages = NULL;
	size_t size;
	FILE *errors = open_memstream(&messages, &size);

	assert_null(settings_load(path, errors));
	fclose(errors);
	snprintf(expected, sizeof(expected), "%s: error: cannot be read: %s\n", path, reason);
	assert_string_equal(messages, expected);
	free(messages);
}

static void
file_that_cannot_be_read_is_reported(void **state)
{
	(void)state;
	assert_unreadable("/nonexistent/handfast.yaml", "No such file or directory");
	assert_unreadable("/", "Is a directory");
}

static void
long_hostile_lines_are_shown_in_part(void **state)
{
	size_t length = 500000;
	char *text = malloc(length);
	char *messages;

	(void)state;
	memset(text, 'x', length);
	memcpy(text, "engine: {idle: ", 15);
	text[length - 1] = '}';
	messages = refuse(text, length);
	assert_true(strlen(messages) < 2000);
	free(messages);
	free(text);
}

static void
reference_names_every_option(void **state)
{
	static const char *const names[] = {
#define OPTION(section, name, ...) "| `" #name "` |",
#include "settings/options.def"
#undef OPTION
	};
	char *text = NULL;
	size_t size, i;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	settings_print_reference(out);
	fclose(out);
	for (i = 0; i < RTE_DIM(names); i++)
		assert_non_null(strstr(text, names[i]));
	assert_non_null(strstr(text, "`\"220 handfast ready\\r\\n\"`"));
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(options_left_out_have_their_defaults),
			cmocka_unit_test(values_reach_their_members),
			cmocka_unit_test(quoted_and_plain_scalars_are_equal),
			cmocka_unit_test(addresses_of_both_families_share_one_form),
			cmocka_unit_test(devices_have_one_spelling),
			cmocka_unit_test(buffers_are_lent_by_a_memif_that_asks_for_it),
			cmocka_unit_test(printed_settings_read_back),
			cmocka_unit_test(random_settings_read_back),
			cmocka_unit_test(errors_come_all_at_once_and_in_order),
			cmocka_unit_test(every_beginning_of_a_file_is_read_or_refused),
			cmocka_unit_test(byte_order_mark_is_skipped),
			cmocka_unit_test(file_is_loaded_by_its_path),
			cmocka_unit_test(file_that_cannot_be_read_is_reported),
			cmocka_unit_test(long_hostile_lines_are_shown_in_part),
			cmocka_unit_test(reference_names_every_option),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
