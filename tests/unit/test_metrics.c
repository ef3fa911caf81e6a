/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Metrics over real sockets, on a model without a dataplane. Server and clients share one thread:
 * whoever waits turns the event loop.
 */
#include "control/metrics.h"
#include "control/metrics_place.h"
#include "control/metrics_text.h"
#include "control/server.h"
#include "tests/unit/fake_model.h"

#include <event2/event.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	PATIENCE = 20000,
	TEXT_SIZE = 65536,
};

static char folder[32];
static char control[64];
static char place[80];
static struct event_base *base;
static struct vs_model model;
static struct vs_server *server;
static struct vs_metrics *metrics;

static int set_up(void **state)
{
	struct vs_server_config server_config = {.path = control, .model = &model, .version = "1"};
	struct vs_metrics_config config = {.place = place, .model = &model, .version = "1.2.3"};

	memset(&model, 0, sizeof(model));
	(void)snprintf(folder, sizeof(folder), "/tmp/vs-test-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	(void)snprintf(control, sizeof(control), "%s/c", folder);
	(void)snprintf(place, sizeof(place), "unix:%s/m", folder);
	base = event_base_new();
	server_config.base = base;
	config.base = base;
	if (!base || vs_server_new(&server_config, &server))
		return -1;
	config.server = server;
	return vs_metrics_new(&config, &metrics);
}

static int tear_down(void **state)
{
	vs_metrics_free(metrics);
	vs_server_free(server);
	event_base_free(base);
	return rmdir(folder); /* fails if a socket was left behind */
}

static void turn(void)
{
	assert_true(event_base_loop(base, EVLOOP_NONBLOCK) >= 0);
}

static int client(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", place + strlen("unix:"));
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	turn();
	return fd;
}

/* Everything until the server hangs up, as a string. */
static char *answer(int fd)
{
	static char text[TEXT_SIZE];
	size_t len = 0;
	int i;

	for (i = 0; i < PATIENCE; i++) {
		ssize_t n = recv(fd, text + len, sizeof(text) - 1 - len, MSG_DONTWAIT);

		if (n == 0 || (n < 0 && errno != EAGAIN))
			break;
		len += n > 0 ? (size_t)n : 0;
		turn();
	}
	assert_true(i < PATIENCE);
	text[len] = '\0';
	return text;
}

static char *ask(int fd, const char *request)
{
	assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
	return answer(fd);
}

static void expect(const char *text, const char *what)
{
	if (!strstr(text, what))
		fail_msg("'%s' is not in: %.500s", what, text);
}

static void add_port(const char *name)
{
	const struct vs_switch_spec sw = {.name = "lan", .kind = VS_SWITCH_PRIVATE};
	const struct vs_port_spec port = {.name = name, .sw = "lan"};
	struct vs_fail fail;

	if (!model.n_switches)
		assert_int_equal(vs_switch_add(&model, &sw, &fail), 0);
	assert_int_equal(vs_port_add(&model, &port, &fail), 0);
}

static void test_get(void **state)
{
	char *text;
	int fd;

	add_port("p");
	fd = client();
	text = ask(fd, "GET /metrics HTTP/1.0\r\n\r\n");
	expect(text, "HTTP/1.1 200 OK\r\n");
	expect(text, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n");
	expect(text, "\nvmswitch_info{version=\"1.2.3\"} 1\n");
	expect(text, "\nvmswitch_switch_addresses_lost_total{switch=\"lan\"} 1099511627776\n");
	expect(text, "\nvmswitch_port_received_frames_total"
		     "{port=\"p\",switch=\"lan\",vm=\"p\"} 10\n");
	expect(text, "\nvmswitch_port_drops_total"
		     "{port=\"p\",switch=\"lan\",vm=\"p\",side=\"in\",reason=\"spoof\"} 3\n");
	expect(text, "\nvmswitch_port_dropped_frames_total"
		     "{port=\"p\",switch=\"lan\",vm=\"p\",side=\"out\"} 4\n");
	expect(text, "\nvmswitch_worker_busy_seconds_total{worker=\"0\"} 4.000000\n");
	close(fd);
}

/* Nothing but GET and HEAD of one path has an answer to speak of. */
static void test_other_requests(void **state)
{
	static const struct {
		const char *request;
		const char *answer;
	} cases[] = {
		{"HEAD /metrics HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK"},
		{"GET / HTTP/1.0\r\n\r\n", "HTTP/1.1 404 "},
		{"GET /metrics/../../etc/passwd HTTP/1.0\r\n\r\n", "HTTP/1.1 404 "},
		{"POST /metrics HTTP/1.0\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 501 "},
		{"nonsense\r\n\r\n", "HTTP/1.1 400 "},
	};
	unsigned int i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int fd = client();
		char *text = ask(fd, cases[i].request);

		expect(text, cases[i].answer);
		assert_null(strstr(text, "vmswitch_info"));
		close(fd);
	}
}

/* A header without end is cut off. */
static void test_endless_header(void **state)
{
	static const char more[] = "X: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n";
	int fd = client();
	int i;

	assert_true(send(fd, "GET /metrics HTTP/1.0\r\n", 23, MSG_NOSIGNAL) == 23);
	for (i = 0; i < 1000 && send(fd, more, sizeof(more) - 1, MSG_NOSIGNAL) > 0; i++)
		turn();
	assert_true(i < 1000);
	close(fd);
}

/* Whoever connects and says nothing gives way to the next. */
static void test_idle_clients(void **state)
{
	int idle[100];
	unsigned int i;
	int fd;

	for (i = 0; i < 100; i++)
		idle[i] = client();
	for (i = 0; i < 100; i++)
		turn();
	fd = client();
	expect(ask(fd, "GET /metrics HTTP/1.0\r\n\r\n"), "vmswitch_info");
	close(fd);
	assert_string_equal(answer(idle[0]), "");
	for (i = 0; i < 100; i++)
		close(idle[i]);
}

/* The end comes in the middle of everything. */
static void test_end_with_clients(void **state)
{
	int fd = client();

	add_port("p");
	assert_true(send(fd, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 34, MSG_NOSIGNAL) == 34);
	turn();
	(void)client();
}

static void test_escape(void **state)
{
	char out[16];

	assert_string_equal(vs_metrics_escape("a b", out, sizeof(out)), "a b");
	assert_string_equal(vs_metrics_escape("\"\\\n", out, sizeof(out)), "\\\"\\\\\\n");
	assert_string_equal(vs_metrics_escape("\x01\xff\x7f", out, sizeof(out)), "???");
	/* what is cut off is whole up to there */
	assert_string_equal(vs_metrics_escape("\"\"\"", out, 4), "\\\"");
	assert_string_equal(vs_metrics_escape("abcdef", out, 4), "abc");
}

static void test_places(void **state)
{
	static const struct {
		const char *text;
		const char *why; /* NULL: good */
	} cases[] = {
		{"unix:/run/x", NULL},
		{"127.0.0.1:9100", NULL},
		{"127.1.2.3:1", NULL},
		{"[::1]:65535", NULL},
		{"", "is none of"},
		{"unix:", "1 to 107 bytes"},
		{"/run/x", "is none of"},
		{"127.0.0.1", "is none of"},
		{"127.0.0.1:0", "is none of"},
		{"127.0.0.1:65536", "is none of"},
		{"localhost:9100", "is none of"},
		{":9100", "is none of"},
		{"0.0.0.0:9100", "is no loopback address"},
		{"192.0.2.1:9100", "is no loopback address"},
		{"[::]:9100", "is no loopback address"},
		{"[::ffff:127.0.0.1]:9100", "is no loopback address"},
	};
	struct vs_metrics_place parsed;
	char why[VS_METRICS_WHY_SIZE];
	unsigned int i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int ret = vs_metrics_place_parse(cases[i].text, &parsed, why);

		if ((ret == 0) != (cases[i].why == NULL))
			fail_msg("'%s': %d", cases[i].text, ret);
		if (ret)
			expect(why, cases[i].why);
	}
	assert_int_equal(vs_metrics_place_parse("unix:/run/x", &parsed, why), 0);
	assert_string_equal(parsed.path, "/run/x");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_get),
		T(test_other_requests),
		T(test_endless_header),
		T(test_idle_clients),
		T(test_end_with_clients),
		cmocka_unit_test(test_escape),
		cmocka_unit_test(test_places),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}
