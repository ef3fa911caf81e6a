/* SPDX-License-Identifier: BSD-3-Clause */
/* How guests cut their frames and their receive buffers into descriptors, and break the rules. */
#include "tests/oracle/oracle.h"

#include <stdlib.h>
#include <string.h>

enum {
	PIECES_MAX = 1100,
	INDIRECT_ENTRIES = 1024,
	CHAIN_BYTES = 65562,
	RULES_MAX = 7,
};

/* Lengths of the buffers of one chain. */
struct cut {
	uint32_t len[PIECES_MAX + 2];
	uint32_t n;
};

static void put(struct cut *cut, uint32_t len)
{
	if (cut->n < PIECES_MAX)
		cut->len[cut->n++] = len;
	else
		cut->len[cut->n - 1] += len;
}

/* @n pieces of @left bytes, or fewer; the last one is what is left over. */
static void put_pieces(struct or_rng *r, struct cut *cut, uint32_t left, uint32_t n, uint32_t most)
{
	while (n-- > 1 && left > 1) {
		uint32_t len = 1 + or_below(r, left - 1 < most ? left - 1 : most);

		put(cut, len);
		left -= len;
	}
	if (left)
		put(cut, left);
}

/* @total bytes as an odd driver might give them; @hdr of them are the virtio-net header. */
static void cut_oddly(struct or_rng *r, struct cut *cut, uint32_t total, uint32_t hdr)
{
	switch (or_below(r, 8)) {
	case 0:
	case 1: /* the header has one of its own */
		put_pieces(r, cut, total < hdr ? total : hdr, 1, hdr);
		if (total > hdr)
			put_pieces(r, cut, total - hdr, 1 + or_below(r, 4), total);
		break;
	case 2: /* the first bytes one by one */
		put_pieces(r, cut, total, 2 + or_below(r, 60), 1);
		break;
	case 3: /* about as many as may be */
		put_pieces(r, cut, total, 60 + or_below(r, 10), 1 + total / 64);
		break;
	case 4: /* empty ones among them */
		put(cut, 0);
		put_pieces(r, cut, total, 2, total);
		put(cut, 0);
		break;
	case 5: /* at the end of the private bytes */
		put_pieces(r, cut, total < hdr + 128 ? total : hdr + 128, 1, total);
		if (total > hdr + 128)
			put_pieces(r, cut, total - hdr - 128, 1 + or_below(r, 3), total);
		break;
	default:
		put_pieces(r, cut, total, 2 + or_below(r, 20), 1 + total / 2);
		break;
	}
}

/* Which rules can be broken by the descriptor behind the others? */
static uint8_t choose_fault(struct or_rng *r, const struct or_port_spec *p, bool write,
			    bool indirect)
{
	uint8_t fault[RULES_MAX] = {VS_RING_ADDRESS, VS_RING_NEXT_RANGE,
				    write ? VS_RING_NOT_WRITABLE : VS_RING_NOT_READABLE};
	unsigned int n = 3;

	/* A loop of buffers that are written to is no frame that anybody could compare. */
	if (!write)
		fault[n++] = VS_RING_LOOP;
	if (!(p->ring_flags & VS_RING_INDIRECT)) {
		fault[n++] = VS_RING_INDIRECT_DENIED;
	} else {
		fault[n++] = VS_RING_INDIRECT_NESTED;
		if (!indirect)
			fault[n++] = VS_RING_INDIRECT_LEN;
	}
	return fault[or_below(r, n)];
}

/* Give each piece a buffer. Return: false: no room. */
static bool allocate(struct or_rng *r, struct or_ring *d, struct or_chain *c, const struct cut *cut)
{
	uint32_t i;

	c->buf = calloc(cut->n + 1, sizeof(*c->buf));
	if (!c->buf)
		return false;
	for (i = 0; i < cut->n; i++)
		if (!or_driver_alloc(r, d, c, cut->len[i], &c->buf[i]))
			return false;
	c->n_bufs = cut->n;
	return true;
}

/* So many go into the ring's own table. */
static uint32_t choose_direct(struct or_rng *r, const struct or_port_spec *p,
			      const struct or_chain *c)
{
	const bool many = c->n_bufs > 16;
	uint32_t direct;

	if (!(p->ring_flags & VS_RING_INDIRECT) || !or_chance(r, many ? 90 : 30))
		return c->n_bufs;
	direct = or_chance(r, 70) ? 0 : or_below(r, c->n_bufs < 4 ? c->n_bufs : 4);
	return c->n_bufs - direct > INDIRECT_ENTRIES ? c->n_bufs : direct;
}

/* Now and then it breaks a rule, at its end or at its head. */
static void spoil(struct or_rng *r, const struct or_spec *spec, const struct or_port_spec *p,
		  struct or_chain *c, uint32_t *direct, bool write)
{
	bool indirect = *direct < c->n_bufs;

	/* Of a frame that is dropped for its length nothing else is looked at. */
	if (or_below(r, 1000) >= spec->hostile || c->n_bufs > 50 || c->total > CHAIN_BYTES)
		return;
	if (or_chance(r, 20)) {
		c->bad_head = true;
		return;
	}
	if (!indirect)
		(*direct)++;
	c->buf[c->n_bufs++] = (struct or_buf){.fault = choose_fault(r, p, write, indirect)};
}

static bool finish(struct or_rng *r, const struct or_spec *spec, const struct or_port_spec *p,
		   struct or_ring *d, struct or_chain *c, bool write)
{
	uint32_t direct = choose_direct(r, p, c);

	spoil(r, spec, p, c, &direct, write);
	if (or_driver_publish(r, d, c, direct, write))
		return true;
	or_driver_undo(d, c);
	return false;
}

static void write_frame(struct or_chain *c, const uint8_t *from)
{
	uint32_t i;

	for (i = 0; i < c->n_bufs && c->buf[i].at; i++) {
		memcpy(c->buf[i].at, from, c->buf[i].len);
		from += c->buf[i].len;
	}
}

void or_chain_send(struct or_rng *r, const struct or_spec *spec, unsigned int port,
		   struct or_ring *d)
{
	static uint8_t frame[OR_FRAME_MAX + 64];
	const struct or_port_spec *p = &spec->port[port];
	struct or_chain *c = or_driver_new_chain(d);
	struct cut cut = {.n = 0};

	if (!c)
		return;
	c->total = or_frame_make(r, spec, port, frame);
	if (or_chance(r, spec->odd))
		cut_oddly(r, &cut, c->total, p->hdr_len);
	else
		put(&cut, c->total);
	c->bytes = malloc(c->total);
	if (!c->bytes || !allocate(r, d, c, &cut)) {
		or_driver_undo(d, c);
		return;
	}
	memcpy(c->bytes, frame, c->total);
	write_frame(c, frame);
	if (finish(r, spec, p, d, c, false) && or_below(r, 10000) < spec->hostile)
		or_driver_jump(d);
}

/* Receive buffers of one chain. */
static void cut_receive(struct or_rng *r, const struct or_spec *spec, const struct or_port_spec *p,
			struct cut *cut)
{
	uint32_t total = p->rx_buffer;

	if (or_chance(r, 20))
		total += or_below(r, 40);
	if (!or_chance(r, spec->odd)) {
		put(cut, total);
	} else if (or_chance(r, 15) && (p->ring_flags & VS_RING_INDIRECT)) {
		/* Tiny ones: the frame takes more of them than the switch is ready to look at. */
		put(cut, p->hdr_len);
		put_pieces(r, cut, 600 + or_below(r, 500), 1000, 2);
	} else {
		cut_oddly(r, cut, total, p->hdr_len);
	}
}

void or_chain_post(struct or_rng *r, const struct or_spec *spec, unsigned int port,
		   struct or_ring *d)
{
	const struct or_port_spec *p = &spec->port[port];
	uint32_t n = 1 + or_below(r, p->ring_size);

	while (n--) {
		struct or_chain *c = or_driver_new_chain(d);
		struct cut cut = {.n = 0};

		if (!c)
			return;
		cut_receive(r, spec, p, &cut);
		if (!allocate(r, d, c, &cut)) {
			or_driver_undo(d, c);
			return;
		}
		if (!finish(r, spec, p, d, c, true))
			return;
	}
	if (or_below(r, 1000) < spec->hostile)
		or_driver_jump(d);
}
