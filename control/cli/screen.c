/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

/*
 * DOC: theory of operation
 *
 * A frame is drawn from the upper left corner: each line, and behind it "erase to the end of the
 * line", at last "erase to the end of the screen". Nothing is erased that is drawn again, so that
 * nothing flickers. What was on the screen before is scrolled up at the start, not overwritten.
 *
 * Handlers of signals that end the program write the one sequence that shows the cursor again, put
 * the default action back and raise the signal once more: the parent sees what ended us, and a
 * request to the daemon that takes long does not delay it. SIGWINCH is blocked but for the time we
 * wait, so that none is lost between looking and waiting.
 */

#define HIDE_CURSOR "\x1b[?25l"
#define SHOW_CURSOR "\x1b[?25h"
#define HOME "\x1b[H"
#define ERASE_LINE "\x1b[K"
#define ERASE_BELOW "\x1b[J"

enum {
	/* of a terminal that does not tell its size */
	LINES_USUAL = 24,
	COLUMNS_USUAL = 80,
	NS_PER_S = 1000000000,
};

static struct {
	bool in_place;
	bool begun;       /* the screen has been cleared, and the cursor hidden */
	sigset_t waiting; /* signals that are blocked while we wait */
} screen;

static volatile sig_atomic_t redraw;

/* ---- signals ---- */

/* Nothing can be done about a terminal that does not take it. */
static void show_cursor(void)
{
	ssize_t n = write(STDOUT_FILENO, SHOW_CURSOR, strlen(SHOW_CURSOR));

	(void)n;
}

/* SA_RESETHAND: the action is the default one already; the signal comes when we return. */
static void on_end(int number)
{
	show_cursor();
	raise(number);
}

/* The default action stops us, unless there is nobody who could let us go on (no SIGSTOP then). */
static void on_stop(int number)
{
	struct sigaction ours, usual = {.sa_handler = SIG_DFL};
	sigset_t stop, blocked;
	int error = errno;

	show_cursor();
	(void)sigaction(number, &usual, &ours);
	(void)sigemptyset(&stop);
	(void)sigaddset(&stop, number);
	raise(number);
	(void)sigprocmask(SIG_UNBLOCK, &stop, &blocked);
	/* here we go on; SIGWINCH is blocked until we wait */
	(void)sigprocmask(SIG_SETMASK, &blocked, NULL);
	(void)sigaction(number, &ours, NULL);
	raise(SIGWINCH);
	errno = error;
}

static void on_size(int number)
{
	(void)number;
	redraw = 1;
}

static void catch_signal(int number, void (*handler)(int), int flags)
{
	struct sigaction old, action = {.sa_handler = handler, .sa_flags = flags};

	/* what our parent ignores (nohup) stays ignored */
	if (sigaction(number, NULL, &old) || old.sa_handler == SIG_IGN)
		return;
	(void)sigemptyset(&action.sa_mask);
	(void)sigaction(number, &action, NULL);
}

static void catch_signals(void)
{
	sigset_t size;

	(void)sigemptyset(&size);
	(void)sigaddset(&size, SIGWINCH);
	(void)sigprocmask(SIG_BLOCK, &size, &screen.waiting);
	(void)sigdelset(&screen.waiting, SIGWINCH);
	catch_signal(SIGWINCH, on_size, 0);
	catch_signal(SIGTSTP, on_stop, SA_RESTART);
	catch_signal(SIGINT, on_end, (int)SA_RESETHAND);
	catch_signal(SIGTERM, on_end, (int)SA_RESETHAND);
	catch_signal(SIGHUP, on_end, (int)SA_RESETHAND);
	catch_signal(SIGQUIT, on_end, (int)SA_RESETHAND);
}

/* ---- life ---- */

void screen_open(enum screen_mode mode)
{
	const char *term = getenv("TERM");

	(void)signal(SIGPIPE, SIG_IGN);
	screen.in_place = mode == SCREEN_IN_PLACE && isatty(STDOUT_FILENO) && term && term[0] &&
			  strcmp(term, "dumb") != 0;
	(void)sigprocmask(SIG_BLOCK, NULL, &screen.waiting);
	if (screen.in_place)
		catch_signals();
}

void screen_close(void)
{
	if (screen.begun)
		show_cursor();
	screen.begun = false;
}

bool screen_in_place(void)
{
	return screen.in_place;
}

/* ---- drawing ---- */

static struct winsize size(void)
{
	struct winsize ws = {0};

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) || !ws.ws_row || !ws.ws_col)
		ws = (struct winsize){.ws_row = LINES_USUAL, .ws_col = COLUMNS_USUAL};
	return ws;
}

/* The last line stays empty: there the cursor stands, and the shell goes on. */
size_t screen_lines(void)
{
	unsigned int rows = size().ws_row;

	if (!screen.in_place)
		return 0;
	return rows > 1 ? rows - 1 : 1;
}

/** fitting() - bytes of a line that fill at most so many columns; no UTF-8 is cut in two. */
static size_t fitting(const char *line, size_t len, size_t columns)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (((unsigned char)line[i] & 0xc0) != 0x80 && columns-- == 0)
			break;
	}
	return i;
}

static void draw(FILE *file, const char *text, size_t len)
{
	const char *end = text + len, *newline;
	struct winsize ws = size();
	unsigned int line;

	for (line = 0; !screen.begun && line < ws.ws_row; line++)
		fputc('\n', file);
	/* hidden each time: we may have been stopped in between */
	fputs(HIDE_CURSOR HOME, file);
	for (line = 1; text < end && line < ws.ws_row; line++) {
		newline = memchr(text, '\n', (size_t)(end - text));
		if (!newline)
			newline = end;
		fwrite(text, 1, fitting(text, (size_t)(newline - text), ws.ws_col), file);
		/* a full line leaves the cursor on its last column, and that is not to be erased */
		if (fitting(text, (size_t)(newline - text), ws.ws_col - 1U) ==
		    (size_t)(newline - text))
			fputs(ERASE_LINE, file);
		fputs("\r\n", file);
		text = newline < end ? newline + 1 : end;
	}
	fputs(ERASE_BELOW, file);
	screen.begun = true;
}

static int write_all(const char *bytes, size_t len)
{
	while (len) {
		ssize_t n = write(STDOUT_FILENO, bytes, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

int screen_put(const char *text, size_t len)
{
	char *frame = NULL;
	size_t frame_len = 0;
	FILE *file;
	int ret;

	if (!screen.in_place)
		return write_all(text, len);
	file = open_memstream(&frame, &frame_len);
	if (!file)
		return -ENOMEM;
	draw(file, text, len);
	ret = fclose(file) ? -ENOMEM : write_all(frame, frame_len);
	free(frame);
	return ret;
}

/* ---- waiting ---- */

uint64_t screen_now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

enum screen_event screen_wait(uint64_t until_ns)
{
	for (;;) {
		/* no event is asked for: errors and the end of a pipe's reader are told anyway */
		struct pollfd out = {.fd = STDOUT_FILENO};
		uint64_t now = screen_now_ns(), left = until_ns > now ? until_ns - now : 0;
		struct timespec ts = {.tv_sec = (time_t)(left / NS_PER_S),
				      .tv_nsec = (long)(left % NS_PER_S)};
		int n = ppoll(&out, 1, &ts, &screen.waiting);

		if (redraw) {
			redraw = 0;
			return SCREEN_REDRAW;
		}
		if (n > 0)
			return SCREEN_GONE;
		if (n == 0)
			return SCREEN_TIME;
	}
}
