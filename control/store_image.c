/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/store_image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- lists of static addresses ---- */

uint64_t vs_image_pack(const struct rte_ether_addr *mac, uint16_t vlan)
{
	uint64_t packed = vlan;
	int i;

	for (i = RTE_ETHER_ADDR_LEN - 1; i >= 0; i--)
		packed = packed << 8 | mac->addr_bytes[i];
	return packed;
}

void vs_image_unpack(uint64_t packed, struct rte_ether_addr *ret_mac, uint16_t *ret_vlan)
{
	unsigned int i;

	for (i = 0; i < RTE_ETHER_ADDR_LEN; i++)
		ret_mac->addr_bytes[i] = (uint8_t)(packed >> (8 * i));
	*ret_vlan = (uint16_t)(packed >> 48);
}

int vs_image_list_reserve(struct vs_image_list *list, uint32_t n)
{
	uint32_t room = list->room ? list->room : 4;
	uint64_t *more;

	while (room - list->n < list->asked + n)
		room *= 2;
	list->asked += n;
	if (room == list->room)
		return 0;
	more = realloc(list->at, room * sizeof(*more));
	if (!more)
		return -ENOMEM;
	list->at = more;
	list->room = room;
	return 0;
}

int vs_image_list_add(struct vs_image_list *list, uint64_t packed)
{
	if (list->n == list->room) {
		if (vs_image_list_reserve(list, 1) != 0)
			return -ENOMEM;
		list->asked = 0;
	}
	list->at[list->n++] = packed;
	return 0;
}

/* Who removes many at once names them in order: the next one is often near the last one. */
static bool find(struct vs_image_list *list, uint64_t packed, uint32_t *ret_index)
{
	uint32_t start = list->hint < list->n ? list->hint : 0;
	uint32_t i;

	for (i = start; i < list->n && list->at[i] != packed; i++)
		;
	if (i == list->n) {
		for (i = 0; i < start && list->at[i] != packed; i++)
			;
		if (i == start)
			return false;
	}
	*ret_index = i;
	return true;
}

bool vs_image_list_has(struct vs_image_list *list, uint64_t packed)
{
	uint32_t i;

	return find(list, packed, &i);
}

bool vs_image_list_remove(struct vs_image_list *list, uint64_t packed)
{
	uint32_t i;

	if (!find(list, packed, &i))
		return false;
	list->at[i] = list->at[--list->n];
	list->hint = i + 1;
	return true;
}

void vs_image_list_free(struct vs_image_list *list)
{
	free(list->at);
	*list = (struct vs_image_list){0};
}

/* ---- objects ---- */

static void free_obj(struct vs_image_obj *obj)
{
	if (!obj)
		return;
	vs_image_list_free(&obj->statics);
	vs_image_list_free(&obj->late);
	free(obj->record);
	free(obj->spare);
	free(obj);
}

void vs_image_clear(struct vs_image *image)
{
	uint32_t i;

	for (i = 0; i < image->n; i++)
		free_obj(image->obj[i]);
	free(image->obj);
	*image = (struct vs_image){0};
}

/* Where the object of that number is, or would be. */
static uint32_t place_of(const struct vs_image *image, uint64_t serial)
{
	uint32_t low = 0;
	uint32_t high = image->n;

	/* Most often it is a new one. */
	if (high && image->obj[high - 1]->serial < serial)
		return high;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (image->obj[mid]->serial < serial)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct vs_image_obj *vs_image_find(const struct vs_image *image, uint64_t serial)
{
	uint32_t i = place_of(image, serial);

	return i < image->n && image->obj[i]->serial == serial ? image->obj[i] : NULL;
}

struct vs_image_obj *vs_image_find_name(const struct vs_image *image, enum vs_config_object object,
					const char *name)
{
	uint32_t i;

	for (i = 0; i < image->n; i++) {
		struct vs_image_obj *obj = image->obj[i];

		if (obj->object == object && strcmp(obj->name, name) == 0)
			return obj;
	}
	return NULL;
}

uint64_t vs_image_last(const struct vs_image *image)
{
	return image->n ? image->obj[image->n - 1]->serial : 0;
}

struct vs_image_obj *vs_image_insert(struct vs_image *image, uint64_t serial)
{
	uint32_t i = place_of(image, serial);
	struct vs_image_obj *obj;

	if (image->n == image->room) {
		uint32_t room = image->room ? 2 * image->room : 16;
		struct vs_image_obj **more = realloc(image->obj, room * sizeof(*more));

		if (!more)
			return NULL;
		image->obj = more;
		image->room = room;
	}
	obj = calloc(1, sizeof(*obj));
	if (!obj)
		return NULL;
	obj->serial = serial;
	obj->name = "";
	memmove(image->obj + i + 1, image->obj + i, (image->n - i) * sizeof(*image->obj));
	image->obj[i] = obj;
	image->n++;
	return obj;
}

void vs_image_remove(struct vs_image *image, uint64_t serial)
{
	uint32_t i = place_of(image, serial);

	if (i == image->n || image->obj[i]->serial != serial)
		return;
	free_obj(image->obj[i]);
	image->n--;
	memmove(image->obj + i, image->obj + i + 1, (image->n - i) * sizeof(*image->obj));
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

void vs_image_tidy(struct vs_image *image)
{
	uint32_t i;

	for (i = 0; i < image->n; i++) {
		struct vs_image_list *list = &image->obj[i]->statics;
		uint32_t kept = 0;
		uint32_t k;

		if (list->n < 2)
			continue;
		qsort(list->at, list->n, sizeof(*list->at), by_value);
		for (k = 1; k < list->n; k++) {
			if (list->at[k] != list->at[kept])
				list->at[++kept] = list->at[k];
		}
		list->n = kept + 1;
	}
}

struct vs_image_sum vs_image_sum(const struct vs_image *image)
{
	struct vs_image_sum sum = {0};
	uint32_t i;

	for (i = 0; i < image->n; i++) {
		const struct vs_image_obj *obj = image->obj[i];

		if (obj->object == VS_CONFIG_SWITCH)
			sum.switches++;
		else
			sum.ports++;
		sum.statics += obj->statics.n;
		sum.waiting += obj->waiting ? 1 + obj->statics.n : obj->late.n;
	}
	return sum;
}

void vs_image_unreserve(struct vs_image *image)
{
	uint32_t kept = 0;
	uint32_t i;

	for (i = 0; i < image->n; i++) {
		struct vs_image_obj *obj = image->obj[i];

		free(obj->spare);
		obj->spare = NULL;
		obj->statics.asked = 0;
		obj->going = false;
		if (obj->record)
			image->obj[kept++] = obj;
		else
			free_obj(obj);
	}
	image->n = kept;
}
