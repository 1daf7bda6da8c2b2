/* SPDX-License-Identifier: GPL-2.0-only */
/* A circular doubly linked list, its nodes embedded in what it links. */
#ifndef LKVM_UTIL_LIST_H
#define LKVM_UTIL_LIST_H

#include "util/types.h"

struct list_head {
	struct list_head *next, *prev;
};

static inline void list_init(struct list_head *head)
{
	head->next = head;
	head->prev = head;
}

static inline bool list_empty(const struct list_head *head)
{
	return head->next == head;
}

static inline void list_add_tail(struct list_head *node, struct list_head *head)
{
	node->prev = head->prev;
	node->next = head;
	head->prev->next = node;
	head->prev = node;
}

/* Leaves @node an empty list of its own, so that deleting it again is harmless. */
static inline void list_del(struct list_head *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

/* Takes the first node off a list that is not empty. */
static inline struct list_head *list_pop(struct list_head *head)
{
	struct list_head *node = head->next;

	head->next = node->next;
	node->next->prev = head;
	list_init(node);
	return node;
}

#define list_for_each_entry(pos, head, member)                                                   \
	for (pos = container_of((head)->next, __typeof__(*pos), member); &pos->member != (head); \
	     pos = container_of(pos->member.next, __typeof__(*pos), member))

#endif /* LKVM_UTIL_LIST_H */
