/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What `vmswitch capture -w` tells the program vmswitch-capture over a pipe: one head, then frames,
 * in the byte order of the machine. The program writes them to its standard output as pcapng. It is
 * a program of its own because the library that does it, Wireshark's libwiretap, is under the GPL,
 * version 2 or later, and vmswitch is not.
 */
#ifndef VS_CONTROL_CLI_PCAPNG_H
#define VS_CONTROL_CLI_PCAPNG_H

#include <stdint.h>

#define PCAPNG_MAGIC UINT32_C(0x76736370)

enum {
	PCAPNG_COMMENT_MAX = 1024,
	PCAPNG_BYTES_MAX = 65536,
};

/** Which way, as in the flags of pcapng. */
enum pcapng_direction {
	PCAPNG_FROM_PORT = 1, /* "inbound": the switch received it */
	PCAPNG_TO_PORT = 2,   /* "outbound" */
};

/** struct pcapng_head - comes first; texts end with a NUL */
struct pcapng_head {
	uint32_t magic;
	uint32_t snaplen;
	char port[32];
	char filter[512]; /* "": none */
	char program[64];
};

/** struct pcapng_frame - a frame; @comment bytes of text, then @have bytes of the frame follow */
struct pcapng_frame {
	uint64_t time_ns; /* since 1970 */
	uint64_t lost;    /* frames between the one before and this */
	uint32_t len;     /* of the whole frame */
	uint32_t have;
	uint32_t direction; /* enum pcapng_direction */
	uint32_t comment;
};

#endif
