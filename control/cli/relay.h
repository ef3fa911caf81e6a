/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Datagrams over a stream, so that the control protocol can go through ssh.
 *
 * A frame is a length (4 bytes, most significant first, 1..RELAY_FRAME_MAX) and so many bytes: one
 * datagram of the protocol. vmswitch --stdio begins with RELAY_BANNER and a first frame, RELAY_OK
 * or RELAY_NO and a sentence; all other frames in both directions are datagrams. The numbers in
 * them are in the order of the host's bytes, so the banner says which that is.
 */
#ifndef VS_CONTROL_CLI_RELAY_H
#define VS_CONTROL_CLI_RELAY_H

#include <stdint.h>
#include <sys/types.h>

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define RELAY_BANNER "vmswitch-stdio 1 le\n"
#else
#define RELAY_BANNER "vmswitch-stdio 1 be\n"
#endif

#define RELAY_OK "ok"
#define RELAY_NO "no "

enum {
	RELAY_FRAME_MAX = 65536,
	/** Exit status of a shell, and so of ssh, that does not find the command. */
	RELAY_NO_COMMAND = 127,
};

/**
 * struct relay - what is joined
 * @packets:	socket of type SOCK_SEQPACKET
 * @in, @out:	the stream, which may be two descriptors
 * @buf:	what was read from @in, @used bytes of it
 */
struct relay {
	int packets;
	int in;
	int out;
	size_t used;
	uint8_t buf[4 + RELAY_FRAME_MAX];
};

/** relay_welcome() - the banner and the first frame, @word and @text. Return: 0 or -errno. */
int relay_welcome(struct relay *relay, const char *word, const char *text);

/** relay_run() - until one side ends. Return: 0, or -errno if one side broke. */
int relay_run(struct relay *relay);

/**
 * relay_ssh() - wait for the banner, then relay_run()
 * @ssh:	child that brings the stream
 *
 * If there is no banner, a datagram RELAY_NO says why.
 */
void relay_ssh(struct relay *relay, pid_t ssh);

#endif
