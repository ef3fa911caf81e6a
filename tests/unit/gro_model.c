/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/gro_model.h"

#include "offload/segment.h"

#include <stdlib.h>
#include <string.h>

enum {
	FIN = 1,
	PSH = 8,
	CWR = 0x80,
	DF = 0x4000,
	TCP = 6,
};

/* Where things are in a TCP frame without IP options and extension headers. */
struct place {
	bool is_tcp;   /* it may be: of IPv4 or IPv6, and not of another protocol we know */
	bool is_plain; /* its headers are all there */
	bool v6;
	uint32_t l3;
	uint32_t l4;
	uint32_t end;
};

static uint32_t word(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t quad(const uint8_t *at)
{
	return word(at) << 16 | word(at + 2);
}

static void set_word(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void set_quad(uint8_t *at, uint32_t value)
{
	set_word(at, value >> 16);
	set_word(at + 2, value);
}

static uint32_t add_up(const uint8_t *at, uint32_t len)
{
	uint32_t sum = 0;
	uint32_t i;

	for (i = 0; i < len; i++)
		sum += i & 1 ? at[i] : (uint32_t)at[i] << 8;
	return sum;
}

static uint32_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static struct place find(const struct model_frame *f)
{
	struct place p = {.l3 = 14};
	uint32_t type;

	if (f->len < 18)
		return p;
	type = word(f->bytes + 12);
	if (type == 0x8100) {
		p.l3 = 18;
		type = word(f->bytes + 16);
	}
	p.v6 = type == 0x86dd;
	if (type != 0x0800 && !p.v6)
		return p;
	p.is_tcp = true;
	p.l4 = p.l3 + (p.v6 ? 40 : 20);
	if (f->len < p.l4)
		return p;
	if (p.v6) {
		uint8_t next = f->bytes[p.l3 + 6];

		p.is_tcp = next != 17 && next != 58;
		p.is_plain = next == TCP && f->bytes[p.l3] >> 4 == 6;
	} else {
		p.is_tcp = f->bytes[p.l3 + 9] == TCP;
		p.is_plain = p.is_tcp && f->bytes[p.l3] == 0x45 &&
			     (word(f->bytes + p.l3 + 6) & ~(uint32_t)DF) == 0;
	}
	if (p.is_plain && f->len >= p.l4 + 20)
		p.end = p.l4 + (f->bytes[p.l4 + 12] >> 4) * 4u;
	else
		p.is_plain = false;
	return p;
}

/* Of the pseudo header and @n bytes of TCP, with the field as it is. */
static uint32_t tcp_sum(const struct model_frame *f, const struct place *p, uint32_t n)
{
	uint32_t addresses = p->v6 ? 32 : 8;

	return fold(add_up(f->bytes + p->l4 - addresses, addresses) + TCP + (f->len - p->l4) +
		    add_up(f->bytes + p->l4, n));
}

void model_mend(struct model_frame *f)
{
	struct place p = find(f);

	if (p.l4 == 0 || f->len < p.l4 + 20)
		return;
	if (!p.v6) {
		set_word(f->bytes + p.l3 + 10, 0);
		set_word(f->bytes + p.l3 + 10, ~fold(add_up(f->bytes + p.l3, 20)));
	}
	set_word(f->bytes + p.l4 + 16, 0);
	set_word(f->bytes + p.l4 + 16, ~tcp_sum(f, &p, f->len - p.l4));
}

static void copy_frame(struct model_frame *to, const struct model_frame *from)
{
	to->len = from->len;
	memcpy(to->bytes, from->bytes, from->len);
}

void model_owe(struct model_frame *f)
{
	struct place p = find(f);

	set_word(f->bytes + p.l4 + 16, 0);
	set_word(f->bytes + p.l4 + 16, tcp_sum(f, &p, 0));
}

static void set_length(struct model_frame *f, const struct place *p)
{
	if (p->v6)
		set_word(f->bytes + p->l3 + 4, f->len - p->l4);
	else
		set_word(f->bytes + p->l3 + 2, f->len - p->l3);
}

void model_make(const struct model_tcp *tcp, struct model_frame *f)
{
	struct place p = {.v6 = tcp->v6, .l3 = tcp->tag ? 18 : 14};
	uint8_t *b = f->bytes;
	uint32_t i;

	p.l4 = p.l3 + (tcp->v6 ? 40 : 20);
	p.end = p.l4 + 20 + tcp->options;
	f->len = p.end + tcp->payload;
	memset(b, 0, p.end);
	memcpy(b, "\x02\0\0\0\0\x01\x02\0\0\0\0\x02", 12);
	if (tcp->tag)
		set_quad(b + 12, 0x81000064);
	set_word(b + p.l3 - 2, tcp->v6 ? 0x86dd : 0x0800);
	if (tcp->v6) {
		set_quad(b + p.l3, 0x60012345);
		set_word(b + p.l3 + 6, TCP << 8 | 64);
		memset(b + p.l3 + 8, 0xfd, 32);
	} else {
		set_word(b + p.l3, 0x4500);
		set_word(b + p.l3 + 4, tcp->id);
		set_word(b + p.l3 + 6, tcp->df ? DF : 0);
		set_word(b + p.l3 + 8, 64 << 8 | TCP);
		set_quad(b + p.l3 + 12, 0x0a000001);
		set_quad(b + p.l3 + 16, 0x0a000002);
	}
	set_length(f, &p);
	set_word(b + p.l4, tcp->port);
	set_word(b + p.l4 + 2, 80);
	set_quad(b + p.l4 + 4, tcp->seq);
	set_quad(b + p.l4 + 8, 0x11223344);
	set_word(b + p.l4 + 12, (p.end - p.l4) << 10 | tcp->flags);
	set_word(b + p.l4 + 14, 5000);
	memset(b + p.l4 + 20, 1, tcp->options);
	for (i = 0; i < tcp->payload; i++)
		b[p.end + i] = (uint8_t)((tcp->seq + i) * 31 + (tcp->seq + i) / 251 + tcp->port);
	model_mend(f);
}

void model_flatten(const struct vs_pkt *pkt, struct model_frame *f)
{
	unsigned int i;

	f->len = pkt->hdr_len;
	memcpy(f->bytes, pkt->hdr, pkt->hdr_len);
	for (i = 0; i < pkt->n_ext && f->len + pkt->ext[i].len <= MODEL_FRAME_MAX; i++) {
		memcpy(f->bytes + f->len, pkt->ext[i].data, pkt->ext[i].len);
		f->len += pkt->ext[i].len;
	}
}

/* A merged packet, in one piece. */
struct whole {
	const struct vs_pkt *pkt;
	struct model_frame frame;
	struct place p;
	unsigned int segs;
};

/* Segment @k of it, whose numbers have been checked. */
static void cut(const struct whole *w, unsigned int k, struct model_frame *f)
{
	const struct place *p = &w->p;
	const uint8_t *from = w->frame.bytes;
	uint32_t size = w->pkt->debt.gso_size;
	uint32_t at = k * size;
	uint32_t n = w->frame.len - p->end - at;

	if (n > size)
		n = size;
	memcpy(f->bytes, from, p->end);
	memcpy(f->bytes + p->end, from + p->end + at, n);
	f->len = p->end + n;
	set_length(f, p);
	if (!p->v6)
		set_word(f->bytes + p->l3 + 4, word(from + p->l3 + 4) + k);
	set_quad(f->bytes + p->l4 + 4, quad(from + p->l4 + 4) + at);
	if (k)
		f->bytes[p->l4 + 13] &= (uint8_t)~CWR;
	if (k + 1u < w->segs)
		f->bytes[p->l4 + 13] &= (uint8_t) ~(PSH | FIN);
	model_mend(f);
}

/* 0 and 0xffff are the same sum. */
static bool same_sum(uint32_t a, uint32_t b)
{
	return a % 0xffff == b % 0xffff;
}

/* Is @b the segment @a, but for the ways of writing a checksum, and ids that stay the same? */
static bool equal(const struct model_frame *a, const struct model_frame *b, const struct whole *w,
		  bool unchecked)
{
	static struct model_frame x, y;
	const struct place *p = &w->p;

	if (a->len != b->len || memcmp(a->bytes, b->bytes, p->l3) != 0)
		return false;
	copy_frame(&x, a);
	copy_frame(&y, b);
	if (!p->v6) {
		uint32_t id = word(y.bytes + p->l3 + 4);

		if (id == word(w->frame.bytes + p->l3 + 4) && (y.bytes[p->l3 + 6] & DF >> 8)) {
			set_word(x.bytes + p->l3 + 4, id);
			model_mend(&x);
		}
		if (!same_sum(word(x.bytes + p->l3 + 10), word(y.bytes + p->l3 + 10)))
			return false;
		set_word(x.bytes + p->l3 + 10, 0);
		set_word(y.bytes + p->l3 + 10, 0);
	}
	if (!unchecked && !same_sum(word(x.bytes + p->l4 + 16), word(y.bytes + p->l4 + 16)))
		return false;
	set_word(x.bytes + p->l4 + 16, 0);
	set_word(y.bytes + p->l4 + 16, 0);
	return memcmp(x.bytes, y.bytes, x.len) == 0;
}

/* The headers of a merged packet. */
static const char *check_headers(const struct whole *w)
{
	const struct model_frame *f = &w->frame;
	const struct place *p = &w->p;
	static struct model_frame bare;

	if (f->len - p->l3 > 65535)
		return "too long";
	if (word(f->bytes + p->l3 + (p->v6 ? 4 : 2)) != f->len - (p->v6 ? p->l4 : p->l3))
		return "wrong length in the IP header";
	if (!p->v6 && fold(add_up(f->bytes + p->l3, 20)) != 0xffff)
		return "wrong IP checksum";
	copy_frame(&bare, f);
	set_word(bare.bytes + p->l4 + 16, 0);
	if (word(f->bytes + p->l4 + 16) != tcp_sum(&bare, p, 0))
		return "wrong sum of the pseudo header";
	return NULL;
}

/* What it says that it owes. */
static const char *check_debt(struct whole *w, unsigned int takes)
{
	const struct vs_debt *debt = &w->pkt->debt;
	const struct place *p = &w->p;
	bool cwr;

	if (w->frame.len != w->pkt->len || !p->is_plain || p->end >= w->frame.len)
		return "a merged packet of wrong length";
	if (p->l3 != debt->l3 || p->l4 != debt->csum_start || debt->csum_offset != 16 ||
	    p->end != debt->hdrs || w->pkt->hdr_len < p->end || w->pkt->hdr_len > VS_HDR_BYTES)
		return "wrong places of headers";
	cwr = w->frame.bytes[p->l4 + 13] & CWR;
	if (debt->csum != VS_CSUM_PARTIAL || debt->gso != (p->v6 ? VS_GSO_TCP6 : VS_GSO_TCP4) ||
	    debt->ecn != cwr)
		return "wrong debt";
	if (vs_debt_needs(debt) & ~(takes | VS_OFFLOAD_CSUM))
		return "not what the receiver takes";
	if (debt->gso_size == 0)
		return "segments of nothing";
	w->segs = (w->frame.len - p->end + debt->gso_size - 1) / debt->gso_size;
	return w->segs < 2 ? "merged of one" : check_headers(w);
}

/* Places in the row as it was, in the order in which the receiver gets them. */
struct order {
	unsigned int n;
	uint64_t seen;
	unsigned int place[VS_BURST_MAX];
};

static const char *note(struct order *o, unsigned int place)
{
	if (place >= VS_BURST_MAX || (o->seen >> place & 1))
		return "a packet twice";
	o->seen |= UINT64_C(1) << place;
	o->place[o->n++] = place;
	return NULL;
}

static void recall(const struct model_row *was, unsigned int i, struct model_frame *f)
{
	f->len = was->was[i].pkt.len;
	memcpy(f->bytes, was->was[i].bytes, f->len);
}

/* May packet @i, as it was, be a segment of anything that @with is one of? */
static bool may_join(const struct model_row *was, unsigned int i, unsigned int with)
{
	const struct vs_pkt *pkt = &was->was[i].pkt;

	return !(was->row.skip >> i & 1) && !vs_debt_owes(&pkt->debt) &&
	       pkt->vid == was->was[with].pkt.vid && pkt->pcp == was->was[with].pkt.pcp;
}

/* The segmenter gives what @w is cut into here. */
static const char *check_segmenter(const struct whole *w)
{
	static struct vs_extent ext[VS_BURST_EXTENTS];
	static struct model_frame part, theirs;
	struct vs_segments segs;
	struct vs_hdr_slot slot;
	struct vs_pkt made;
	unsigned int k;

	if (vs_segment_begin(&segs, w->pkt, 0) != 0)
		return "the segmenter refuses it";
	for (k = 0; k < w->segs; k++) {
		if (vs_segment_next(&segs, VS_SEGMENT_CSUM_FULL, &made, &slot, ext,
				    VS_BURST_EXTENTS) != 1)
			return "the segmenter stops early";
		cut(w, k, &part);
		model_flatten(&made, &theirs);
		if (!equal(&part, &theirs, w, false))
			return "the segmenter cuts it otherwise";
	}
	if (vs_segment_next(&segs, VS_SEGMENT_CSUM_FULL, &made, &slot, ext, VS_BURST_EXTENTS) != 0)
		return "the segmenter makes more";
	return NULL;
}

static const char *check_merged(const struct model_row *was, unsigned int takes,
				const struct vs_pkt *pkt, unsigned int head, struct order *o)
{
	static struct model_frame part, old;
	static struct whole w;
	const char *wrong;
	unsigned int i = head;
	unsigned int k;

	w.pkt = pkt;
	model_flatten(pkt, &w.frame);
	w.p = find(&w.frame);
	wrong = check_debt(&w, takes);
	if (!wrong)
		wrong = check_segmenter(&w);
	for (k = 0; !wrong && k < w.segs; k++, i++) {
		cut(&w, k, &part);
		for (; i < was->row.n; i++) {
			recall(was, i, &old);
			if (may_join(was, i, head) && !(o->seen >> i & 1) &&
			    equal(&part, &old, &w, was->was[i].pkt.debt.csum == VS_CSUM_GOOD))
				break;
			if (k == 0)
				return "does not begin with its first segment";
		}
		wrong = i < was->row.n ? note(o, i) : "a segment that nobody sent";
	}
	return wrong;
}

/* A packet that stands where it stood. */
static const char *check_alone(const struct model_row *was, const struct vs_pkt *pkt,
			       unsigned int place, struct order *o)
{
	static struct model_frame now;

	model_flatten(pkt, &now);
	if (now.len != pkt->len || pkt->len != was->was[place].pkt.len ||
	    memcmp(now.bytes, was->was[place].bytes, now.len) != 0 ||
	    memcmp(pkt, &was->was[place].pkt, sizeof(*pkt)) != 0)
		return "a packet that was not merged is changed";
	return note(o, place);
}

/* The packet @late overtook @early: was it of its flow, or might it have been? */
static const char *check_pair(const struct model_row *was, unsigned int early, unsigned int late)
{
	static struct model_frame a, b;
	struct place p, q;
	uint32_t addresses;

	recall(was, early, &a);
	recall(was, late, &b);
	p = find(&a);
	q = find(&b);
	if (!p.is_tcp)
		return NULL;
	if (!p.is_plain)
		return "a packet that may be of the flow was overtaken";
	addresses = p.v6 ? 32 : 8;
	if (was->was[early].pkt.vid == was->was[late].pkt.vid && p.v6 == q.v6 && p.l3 == q.l3 &&
	    memcmp(a.bytes, b.bytes, p.l3) == 0 &&
	    memcmp(a.bytes + p.l4 - addresses, b.bytes + q.l4 - addresses, addresses + 4) == 0)
		return "a packet of the flow was overtaken";
	return NULL;
}

static const char *check_order(const struct model_row *was, const struct order *o)
{
	const char *wrong = NULL;
	unsigned int i, j;

	for (i = 0; i < o->n && !wrong; i++) {
		for (j = i + 1; j < o->n && !wrong; j++) {
			if (o->place[j] < o->place[i])
				wrong = check_pair(was, o->place[j], o->place[i]);
		}
	}
	return wrong;
}

void model_note(const struct vs_gro_row *row, struct model_row *was)
{
	static struct model_frame f;
	unsigned int i;

	was->row = *row;
	for (i = 0; i < row->n; i++) {
		model_flatten(row->pkt[i], &f);
		was->was[i].pkt = *row->pkt[i];
		was->was[i].bytes = malloc(f.len + !f.len);
		if (!was->was[i].bytes)
			abort();
		memcpy(was->was[i].bytes, f.bytes, f.len);
	}
}

void model_forget(struct model_row *was)
{
	unsigned int i;

	for (i = 0; i < was->row.n; i++)
		free(was->was[i].bytes);
	was->row.n = 0;
}

const char *model_check(const struct model_row *was, unsigned int takes,
			const struct vs_gro_row *row)
{
	struct order o = {0};
	const char *wrong = NULL;
	unsigned int i;

	for (i = 0; i < row->n && !wrong; i++) {
		unsigned int place = row->from[i];

		if (place >= was->row.n || row->pkt[i] != was->row.pkt[place])
			return "an unknown packet";
		if (row->pkt[i]->debt.gso && !was->was[place].pkt.debt.gso)
			wrong = check_merged(was, takes, row->pkt[i], place, &o);
		else
			wrong = check_alone(was, row->pkt[i], place, &o);
	}
	if (!wrong && o.n != was->row.n)
		wrong = "a packet is lost";
	return wrong ? wrong : check_order(was, &o);
}
