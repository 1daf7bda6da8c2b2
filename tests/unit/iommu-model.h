/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A model of domains, endpoints, mappings and tables that is too simple to be wrong: arrays, and a
 * search from their start. Steps are random requests, whose statuses have to be those of the
 * model, and samples are accesses that have to end where the model says. Randomness is that of
 * unit_below().
 */
#ifndef LKVM_TESTS_IOMMU_MODEL_H
#define LKVM_TESTS_IOMMU_MODEL_H

#include <stdlib.h>

#include "iommu-guest.h"
#include "unit.h"

/* Pages of IOVAs that are used: some at DATA_BASE, the rest up to the last one there is. */
#define MODEL_CELLS	48
#define MODEL_LOW_CELLS 32
u64 model_cell(unsigned int cell);

#define MODEL_DOMAINS 6 /* IDs that are valid */
#define MODEL_LIMIT   6 /* of mappings, and of tables */
#define MODEL_PASIDS  16
#define NO_DOMAIN     (-1)

struct model_mapping {
	u64 start, last, gpa;
	u32 flags;
};

/* A table of the toy format; table 0: there is none. */
struct model_table {
	u64 table;
	u32 id;
};

struct model_domain {
	bool exists, bypass;
	const struct iommu_format *format; /* of a domain with tables */
	unsigned int nr;
	struct model_mapping maps[MODEL_LIMIT];
	struct model_table pasids[MODEL_PASIDS];
};

struct iommu_model {
	struct iommu_config config;
	u64 features;
	const struct iommu_format *formats[NR_ENDPOINTS]; /* NULL: takes no tables */
	struct model_domain domains[MODEL_DOMAINS];
	int domain_of[NR_ENDPOINTS];
	struct model_table base[NR_ENDPOINTS];
	bool bypass;
};

extern struct iommu_model model;

/* The guest with its endpoints, each in no domain. */
void model_begin(void);
void model_end(void);

/* One request of each kind; or another driver. They check what is answered. */
void model_attach(void);
void model_detach(void);
void model_map(void);
void model_unmap(void);
void model_probe(void);
void model_bypass(void);
void model_reset(void);

/* The same for tables: model_table_entry() changes one, and no request says so. */
void model_attach_table(void);
void model_detach_pasid(void);
void model_invalidate(void);
void model_table_entry(void);

/* How many mappings there are; tables. */
unsigned int model_mappings(void);
unsigned int model_tables(void);

/* Whether the translations of endpoint @n are those of tables. */
bool model_has_tables(unsigned int n);

/* Where an access without a PASID ends, if it is not by tables; false if it faults. */
bool model_translate(unsigned int n, u64 iova, u32 dir, u64 *gpa);

/* An access somewhere by endpoint @n, and a message, against the model. */
void model_sample(unsigned int n);

/* The same in each page that is used, with DMA_READ or DMA_WRITE. */
void model_sweep(unsigned int n, u32 dir);

/* For iommu-model-tables.c and iommu-model.c, one from the other. */

#define S(status) BIT(VIOMMU_S_##status)

/*
 * Whether @status is that of one of the rules that are @broken, or OK if none is: several may be
 * at once, and any of their statuses is right. True if the request was good. Without @feature it
 * has to have no answer.
 */
bool model_status(const char *what, int status, u32 broken, int feature);

bool model_chance(unsigned int one_in);
u32 model_random_domain(void);
u32 model_random_endpoint(unsigned int *n, bool *known);
bool model_has_feature(int feature);

/* Endpoint @n goes from where it is to domain @to, or to none. */
void model_move(unsigned int n, int to);

/* What was cached for endpoint @n is gone. */
void model_forget(unsigned int n);

/* As model_sample() and model_sweep(), of an endpoint whose translations are those of tables. */
void model_sample_tables(unsigned int n);
void model_sweep_tables(unsigned int n, u32 dir);

#endif /* LKVM_TESTS_IOMMU_MODEL_H */
